package rewrite

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"
)

// ran is what came of a run of a program.
type ran struct {
	out    string
	exit   uint32
	memory string // digest of the whole
	fuel   int64  // 0 for an original
}

// program is one module, compiled once on one engine.
type program struct {
	h *host
	c wazero.CompiledModule
}

func compileProgram(t *testing.T, config wazero.RuntimeConfig, module []byte) program {
	t.Helper()
	h := newHost(t, config.WithMemoryLimitPages(4096))
	h.slice = 100_000
	wasi_snapshot_preview1.MustInstantiate(context.Background(), h.rt)
	c, err := h.rt.CompileModule(context.Background(), module)
	if err != nil {
		t.Fatal(err)
	}
	return program{h, c}
}

// run runs the program's _start to its end.
func (p program) run(t *testing.T, args ...string) (r ran) {
	t.Helper()
	ctx := context.Background()
	p.h.ticks, p.h.overdrawn = 0, 0
	var out bytes.Buffer
	mc := wazero.NewModuleConfig().WithName("").WithArgs(args...).WithStdout(&out).WithStderr(&out).WithStartFunctions()
	m, err := p.h.rt.InstantiateModule(ctx, p.c, mc)
	if err != nil {
		t.Fatal(err)
	}
	_, err = m.ExportedFunction("_start").Call(ctx)
	var exit *sys.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v: %v", args, err)
	}
	if exit != nil {
		r.exit = exit.ExitCode()
	}
	// proc_exit closes the module, whose memory and globals can be read even so.
	b, _ := m.Memory().Read(0, m.Memory().Size())
	r.out, r.memory = out.String(), digest(b)
	if g := m.ExportedGlobal(GasExport); g != nil {
		r.fuel = p.h.slice*int64(p.h.ticks) - int64(g.Get()) - p.h.overdrawn
	}
	return r
}

// TestProgramsAgree runs a Go program as it is and rewritten, with canonical NaNs
// and without, on the compiler and on the interpreter: it must print and end the
// same and leave the same memory, and a rewriting takes the same fuel on both.
func TestProgramsAgree(t *testing.T) {
	src := build(t, "compute")
	plain, _, err := Rewrite(src, DefaultCaps())
	if err != nil {
		t.Fatal(err)
	}
	clean, _, err := Rewrite(src, canonicalCaps())
	if err != nil {
		t.Fatal(err)
	}
	type key struct{ engine, module string }
	programs := map[key]program{}
	for engine, config := range engines() {
		for name, module := range map[string][]byte{"original": src, "rewritten": plain, "canonical": clean} {
			programs[key{engine, name}] = compileProgram(t, config, module)
		}
	}
	for _, work := range []string{"json", "float"} {
		want := programs[key{"compiler", "original"}].run(t, "compute", work, "1")
		if want.out == "" || want.exit != 0 || want.fuel != 0 {
			t.Fatalf("%s: %+v", work, want)
		}
		fuel := programs[key{"compiler", "rewritten"}].run(t, "compute", work, "1").fuel
		for k, p := range programs {
			got := p.run(t, "compute", work, "1")
			if k.module != "original" && (got.fuel != fuel || fuel <= 0) {
				t.Errorf("%s, %v: %d fuel, elsewhere %d", work, k, got.fuel, fuel)
			}
			if got.fuel = 0; got != want {
				t.Errorf("%s, %v: %+v, want %+v", work, k, got, want)
			}
		}
	}
}
