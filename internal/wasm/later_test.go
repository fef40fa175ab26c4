package wasm

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/rewrite"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/wasmtest"
)

// What releases of the engine later than v1.12.0 mend, tried here. The rest of it is
// rewrite.TestEnginesAgreeUnderPressure.

// exits runs m with so much memory and returns its exit code.
func exits(t *testing.T, m *Module, pages uint32) uint32 {
	t.Helper()
	g, ex, err := m.Run(t.Context(), &door{do: func(c *abi.Call) abi.Errno { c.Stop = abi.OutcomeExit; return 0 }}, pages)
	if err != nil || ex.Outcome != abi.OutcomeExit {
		t.Fatalf("%+v, %v", ex, err)
	}
	g.Close(context.Background())
	return ex.Code
}

// TestLastByte: the interpreter's loads overflowed at the end of a memory of 4 GiB
// (pull request 2506). The last page is never given, and up to it both kinds load.
func TestLastByte(t *testing.T) {
	const pages, last = 65535, -65536 - 4
	module := wasmtest.Module{
		MinPages: 1, Imports: []wasmtest.Import{wasmtest.ProcExit},
		Funcs: []wasmtest.Func{{Export: "_start", Body: wasmtest.Cat(
			wasmtest.Const(pages-1), wasmtest.MemoryGrow, wasmtest.Drop,
			wasmtest.Const(last), wasmtest.Const(77), wasmtest.Store,
			wasmtest.Const(last), wasmtest.Load, wasmtest.Const(1), wasmtest.MemoryGrow, wasmtest.Sub, wasmtest.Call(0),
		)}},
	}.Bytes()
	for _, k := range []Kind{Native(), Interpreter} {
		e := NewOn(k, nil, here{})
		defer e.Close(t.Context())
		if got := exits(t, compile(t, e, module), pages); got != 78 { // 77 − −1
			t.Errorf("%s: %d", k, got)
		}
	}
}

// TestTypesOfManyModules: the engine numbered a module's types once, where it was
// compiled first, and calls through a table compare numbers. Here each module has a
// runtime of its own: it runs the same, whatever was compiled before it, and however
// often.
func TestTypesOfManyModules(t *testing.T) {
	const types = 8
	r := rand.New(rand.NewPCG(1, 1))
	cache := NewCache(t.TempDir(), seal.NewKey(), abi.Digest{})
	var jobs []Job
	for range 10 {
		m := wasmtest.Module{Imports: []wasmtest.Import{wasmtest.ProcExit}}
		var body []byte
		order := r.Perm(types)
		for i, n := range order { // the function of type n takes n numbers and returns n
			params := make([]byte, n)
			for k := range params {
				params[k] = wasmtest.I32
				body = wasmtest.Cat(body, wasmtest.Const(0))
			}
			m.Funcs = append(m.Funcs, wasmtest.Func{Params: params, Results: []byte{wasmtest.I32}, Body: wasmtest.Const(int32(n))})
			body = wasmtest.Cat(body, wasmtest.Const(int32(i)), []byte{0x11}, wasmtest.U(uint64(len(m.Imports)+i)), wasmtest.U(0))
			if i > 0 {
				body = wasmtest.Cat(body, wasmtest.Add)
			}
		}
		m.Table, m.Elements = types, types
		m.Funcs = append(m.Funcs, wasmtest.Func{Export: "_start", Body: wasmtest.Cat(body, wasmtest.Call(0))})
		code, _, err := rewrite.Rewrite(m.Bytes(), rewrite.DefaultCaps())
		if err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, Job{Code: code, Digest: seal.Sum("test", code)})
	}
	for range 2 { // the second takes all from the cache
		e := engine(t, cache)
		for range 3 {
			for _, i := range r.Perm(len(jobs)) {
				m, err := e.Compile(t.Context(), jobs[i])
				if err != nil {
					t.Fatal(err)
				}
				if got := exits(t, m, 1); got != types*(types-1)/2 {
					t.Errorf("module %d: %d", i, got)
				}
			}
		}
	}
}
