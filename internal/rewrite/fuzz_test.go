package rewrite

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/forgeone/forgeone/abi"
)

// seeds are modules that touch every part of the format.
func seeds() [][]byte {
	vector := cat(opVector, vectorConst, make([]byte, 16))
	return [][]byte{
		sections(),
		functionsOf(3),
		two(code(nil, opCall, 1), forever(opI32Const, 1, 0x11, 0, 0)),
		importing("wasi_snapshot_preview1", "proc_exit", []byte{i32}, nil),
		one([]byte{i32, i64}, []byte{i64, i32}, groups(1, v128, 2, f64), opLocalGet, 0, opIf, empty, opLocalGet, 1, opI32Const, 0, 0x0f, opElse, opEnd, opLocalGet, 1, opLocalGet, 0),
		one(nil, nil, nil, opI32Const, 0, opI32Const, 0, opI32Const, 9, opMisc, miscMemoryFill, 0, opI32Const, 1, 0x40, 0, 0x1a),
		one(nil, nil, nil, vector, vector, opVector, 0xf0, 1, 0x1a, opI32Const, 0, vector, opVector, 0x5b, 3, 0, 1, vector, opVector, 0x15, 3, 0x1a),
		one(nil, nil, nil, opBlock, empty, opLoop, empty, opI32Const, 2, 0x0e, 2, 0, 1, 2, opEnd, opEnd, 0x00),
		append(functionsOf(1), section(secCustom, "name", section(namesFunction, vec(cat(u32(0), "f"))))...),
		sections(section(secTable, vec(cat(typeExternref, 1, 0, 9))), section(secGlobal, vec(cat(typeExternref, 1, opRefNull, typeExternref, opEnd))),
			section(secElement, vec(cat(6, 0, opI32Const, 0, opEnd, typeExternref, vec(cat(opRefNull, typeExternref, opEnd)))))),
		[]byte("\x00asm\x0d\x00\x01\x00"),
	}
}

// withoutCustom drops custom sections, whose contents the specification has
// nobody refuse but the engine does.
func withoutCustom(module []byte) []byte {
	out := slices.Clone(module[:8])
	r := reader{b: module, at: 8, end: len(module)}
	for r.left() > 0 {
		from := r.at
		id := r.byte()
		r.sub(r.u32())
		if id != secCustom {
			out = append(out, module[from:r.at]...)
		}
	}
	return out
}

// checkRewrite holds what must be true of any bytes at all.
func checkRewrite(t *testing.T, rt wazero.Runtime, src []byte) {
	caps := DefaultCaps()
	caps.LocalsTotal, caps.Table, caps.OperandsTotal = 20_000, 10_000, 100_000
	kept := slices.Clone(src)
	out, info, err := rewrite(src, caps, true)
	_, inspectErr := Inspect(src, caps)
	if !bytes.Equal(src, kept) {
		t.Fatal("the original was changed")
	}
	if err != nil {
		if abi.CodeOf(err) == "" || inspectErr == nil {
			t.Fatalf("refused with %v, by Inspect with %v", err, inspectErr)
		}
		return
	}
	again, _, _ := rewrite(src, caps, true)
	if !bytes.Equal(out, again) {
		t.Fatal("two rewritings differ")
	}
	if len(out) > 16*len(src)+1024 {
		t.Fatalf("%d bytes became %d", len(src), len(out))
	}
	if _, err := Inspect(out, caps); err == nil {
		t.Fatal("a rewritten module was admitted once more")
	}
	for _, i := range info.Imports {
		if i.Module == ReservedModule {
			t.Fatal("a reserved import was admitted")
		}
	}
	before, after := compile(rt, withoutCustom(src)), compile(rt, out)
	if (before == nil) != (after == nil) {
		t.Fatalf("before %v, after %v\n%x", before, after, src)
	}
}

// compile returns why the engine refuses a module, nil if it does not.
func compile(rt wazero.Runtime, module []byte) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	c, err := rt.CompileModule(context.Background(), module)
	if err == nil {
		err = c.Close(context.Background())
	}
	return err
}

func FuzzRewrite(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s)
	}
	rt := wazero.NewRuntimeWithConfig(context.Background(), wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(api.CoreFeaturesV2))
	f.Fuzz(func(t *testing.T, src []byte) {
		if len(src) <= 1<<16 {
			checkRewrite(t, rt, src)
		}
	})
}

// TestMutations does what the fuzzer does, without its time: it changes bytes of
// the suite's modules and of the seeds, in a fixed order.
func TestMutations(t *testing.T) {
	rt := wazero.NewRuntimeWithConfig(context.Background(), wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(api.CoreFeaturesV2))
	rng := rand.New(rand.NewPCG(1, 2))
	modules := seeds()
	files, err := filepath.Glob(filepath.Join(suite(t), "v2", "testdata", "*.0.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if b, err := os.ReadFile(file); err == nil && len(b) < 4096 {
			modules = append(modules, b)
		}
	}
	for _, m := range modules {
		for range 60 {
			b := slices.Clone(m)
			for range 1 + rng.IntN(3) {
				i := min(8+rng.IntN(len(b)), len(b)-1)
				switch rng.IntN(4) {
				case 0:
					b[i] = byte(rng.Uint32())
				case 1:
					b[i]++
				case 2:
					b[i] ^= 1 << rng.IntN(8)
				case 3:
					b = b[:i+1]
				}
			}
			checkRewrite(t, rt, b)
		}
	}
}
