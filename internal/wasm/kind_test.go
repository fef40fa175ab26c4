package wasm

import (
	"bytes"
	"os"
	"regexp"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/rewrite"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/wasmtest"
)

// TestKinds names kinds as recordings do, and back.
func TestKinds(t *testing.T) {
	for _, k := range []Kind{Compiler, Interpreter} {
		if got := KindOf(k.ID()); got != k {
			t.Errorf("%s is of the %s", k.ID(), got)
		}
	}
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	used := regexp.MustCompile(`github.com/tetratelabs/wazero (\S+)`).FindSubmatch(mod)[1]
	if want := "wazero " + string(used); Compiler.ID() != want+" compiler" || Interpreter.ID() != want+" interpreter" {
		t.Errorf("%s, %s; go.mod has %s", Compiler.ID(), Interpreter.ID(), want)
	}
	for arch, want := range map[string]Kind{"amd64": Compiler, "arm64": Compiler, "riscv64": Interpreter, "s390x": Interpreter, "386": Interpreter} {
		if got := nativeOn(arch); got != want {
			t.Errorf("%s: %s", arch, got)
		}
	}
}

// TestKindsAgree runs the same modules on both kinds: how they end, the gas they
// took and their final state must be the same.
func TestKindsAgree(t *testing.T) {
	var engines []*Engine
	for _, k := range []Kind{Compiler, Interpreter} {
		e := NewOn(k, nil, here{})
		defer e.Close(t.Context())
		if e.Kind() != k {
			t.Errorf("the %s says that it is the %s", k, e.Kind())
		}
		engines = append(engines, e)
	}
	// loops and floods are stopped by their fuel, "recurse" by its depth, which is
	// the cap on the compiler and the interpreter's own.
	for name, module := range wasmtest.Guests() {
		if name == "library" || name == "huge" {
			continue // refused before they are run
		}
		code, _, err := rewrite.Rewrite(module, rewrite.DefaultCaps())
		if err != nil {
			t.Fatal(err)
		}
		var ends []Exit
		var states [][]byte
		for _, e := range engines {
			m, err := e.Compile(t.Context(), Job{Code: code, Digest: seal.Sum("test", code)})
			if err != nil {
				t.Fatal(err)
			}
			door := &answers{left: 100} // "recurse" is probed some 60 times
			g, ex, err := m.Run(t.Context(), door, 4)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			ends, states = append(ends, ex), append(states, bytes.Clone(g.Memory()))
			_ = g.Close(t.Context())
		}
		if name == "recurse" { // the stack at its end differs
			for _, e := range ends {
				if e.Outcome != abi.OutcomeDepth {
					t.Errorf("%s: %+v", name, e)
				}
			}
			continue
		}
		if ends[0] != ends[1] || !bytes.Equal(states[0], states[1]) {
			t.Errorf("%s: compiler %+v, interpreter %+v", name, ends[0], ends[1])
		}
	}
}

// answers is a door that answers each call with success, and stops after so many
// calls and ticks.
type answers struct{ left int }

func (a *answers) Do(c *abi.Call) abi.Errno {
	if a.left--; a.left < 0 {
		return abi.EIO
	}
	return 0
}

func (a *answers) Tick(int64) (int64, abi.Outcome) {
	if a.left--; a.left < 0 {
		return 0, abi.OutcomeFuel
	}
	return 100_000, abi.OutcomeNone
}

func (a *answers) StringsSize(abi.Num) (count, bytes int) { return 0, 0 }
