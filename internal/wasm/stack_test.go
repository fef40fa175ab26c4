package wasm

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/rewrite"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/wasmtest"
)

// stack is how many bytes of stack the engine has for the call under way.
func (g gauge) stack() int { return g.call.Elem().FieldByName("stack").Len() }

// TestStack has guests pile up frames that are as large as they can be made.
func TestStack(t *testing.T) {
	e := engine(t, nil)
	for name, module := range wasmtest.Deep() {
		pages, most := uint32(256), uint64(stackBytes)
		if name == "borrower" {
			pages, most = 1024, 24<<20 // what it does not use of its memory pays for it, until it does
		}
		t.Run(name, func(t *testing.T) {
			g, ex, err := compile(t, e, module).Run(t.Context(), &door{}, pages)
			if err != nil {
				t.Fatal(err)
			}
			defer g.Close(context.Background())
			used, has := g.gauge.used(), g.gauge.stack()
			t.Logf("%d KiB in use, %d there", used>>10, has>>10)
			const over = 3 << 20 // what grows between two looks, and the widest frame
			if ex.Outcome != abi.OutcomeStack || used <= g.stackLimit() || used > most+over || has > 2*int(most+over) {
				t.Errorf("%+v: %d bytes of stack in use, the engine has %d", ex, used, has)
			}
		})
	}
}

// TestGauge measures what is there and refuses what is not the engine's.
func TestGauge(t *testing.T) {
	e := engine(t, nil)
	g, ex, err := compile(t, e, wasmtest.Guests()["recurse"]).Run(t.Context(), &door{}, 16)
	if err != nil || ex.Outcome != abi.OutcomeDepth {
		t.Fatal(ex, err)
	}
	defer g.Close(context.Background())
	if used := g.gauge.used(); used < 8<<20 || used > stackBytes || used > uint64(g.gauge.stack()) {
		t.Errorf("240,000 frames take %d bytes of %d", used, g.gauge.stack())
	}
	for _, f := range []any{nil, 1, struct{}{}, &struct{}{}, &struct{ stackTop uintptr }{}, &struct {
		stackTop int
		execCtx  struct{ stackPointerBeforeGoCall *uint64 }
	}{}} {
		if _, err := gaugeOf(f, Compiler); err == nil {
			t.Errorf("%T can be measured", f)
		}
	}
	if g, err := gaugeOf(nil, Interpreter); err != nil || g.used() != 0 {
		t.Errorf("the interpreter: %d, %v", g.used(), err)
	}
}

// TestOlderRewriting runs a module as versions 1 and 2 of the rewriting made them:
// they import depth, and call it for one reason only.
func TestOlderRewriting(t *testing.T) {
	e := engine(t, nil)
	code, _, err := rewrite.Rewrite(wasmtest.Guests()["recurse"], rewrite.DefaultCaps())
	if err != nil {
		t.Fatal(err)
	}
	code = bytes.Replace(code, []byte("\x05probe"), []byte("\x05depth"), 1)
	m, err := e.Compile(t.Context(), Job{Code: code, Digest: seal.Sum("test", code)})
	if err != nil {
		t.Fatal(err)
	}
	g, ex, err := m.Run(t.Context(), &door{}, 16)
	if err != nil || ex.Outcome != abi.OutcomeDepth {
		t.Fatal(ex, err)
	}
	g.Close(context.Background())
}

// TestStackOverflow: the end of the engine's own stack is a trap, as either engine
// words it.
func TestStackOverflow(t *testing.T) {
	for _, msg := range []string{"stack overflow", "wasm error: stack overflow\nwasm stack trace:\n\t.$0()"} {
		if got := trapName(errors.New(msg)); got != StackOverflow {
			t.Errorf("%q is %q", msg, got)
		}
	}
}
