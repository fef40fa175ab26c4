package replay

import (
	"context"
	"errors"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/compiletest"
	"github.com/forgeone/forgeone/internal/trace"
	"github.com/forgeone/forgeone/internal/wasm"
	"github.com/forgeone/forgeone/internal/wasmtest"
)

// nested calls itself so many times, then writes nothing and ends.
func nested(depth int32) []byte {
	w := wasmtest.Cat
	return wasmtest.Module{
		MinPages: 1,
		Funcs: []wasmtest.Func{
			{Export: "_start", Body: w(wasmtest.Const(depth), wasmtest.Call(1))},
			{Params: []byte{wasmtest.I32}, Body: w(
				wasmtest.LocalGet(0), []byte{0x04, 0x40}, // if
				wasmtest.LocalGet(0), wasmtest.Const(1), wasmtest.Sub, wasmtest.Call(1), []byte{0x0b})},
		},
	}.Bytes()
}

// TestOtherEngine replays on the interpreter what the compiler ran: the same, or,
// where calls nest deeper than it allows, an error that says so and no divergence.
func TestOtherEngine(t *testing.T) {
	l := newLab(t)
	e := wasm.NewOn(wasm.Interpreter, nil, compiletest.Here{})
	defer e.Close(context.Background())
	on := &lab{t: t, e: e, kek: l.kek}
	for name, module := range map[string][]byte{"program": program(7, "text"), "flat": nested(500)} {
		r, out := l.record(module, 0, nil, nil)
		res, again := on.replay(r, module)
		if !res.Identical || out != again {
			t.Errorf("%s: %+v", name, res)
		}
	}
	for name, depth := range map[string]int32{"nested deep": 3000, "without end": -1} {
		module := nested(depth)
		r, _ := l.record(module, 0, nil, nil)
		if res, _ := l.replay(r, module); !res.Identical {
			t.Fatalf("%s: %+v", name, res)
		}
		if err := r.Rewind(); err != nil {
			t.Fatal(err)
		}
		_, err := Run(t.Context(), Input{Recording: r, Module: on.compile(module)})
		var deep *abi.Error
		if !errors.As(err, &deep) || deep.Code != abi.CodeEngineDepth {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOtherArch: on another processor frames may be larger. Where a replay goes
// deeper than it may, and the recorded run did not, that is told; here it is a
// divergence like any other.
func TestOtherArch(t *testing.T) {
	l := newLab(t)
	for _, arch := range []string{"", "elsewhere"} {
		l.arch = arch
		r, _ := l.record(nested(-1), 0, nil, func(e *trace.End) { e.Outcome = abi.OutcomeExit })
		res, err := Run(t.Context(), Input{Recording: r, Module: l.compile(nested(-1))})
		switch {
		case arch == "" && (err != nil || res.Identical):
			t.Errorf("here: %+v, %v", res, err)
		case arch != "" && abi.CodeOf(err) != abi.CodeEngineDepth:
			t.Errorf("elsewhere: %+v, %v", res, err)
		}
	}
}
