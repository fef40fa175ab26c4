package kernel_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/wasmtest"
)

// TestRefusalIsRemembered: a module whose refusal takes long is refused at once when it
// is tried again, by the same configuration.
func TestRefusalIsRemembered(t *testing.T) {
	n := newNode(t)
	least := bytes.Repeat(wasmtest.Cat(wasmtest.LocalGet(0), []byte{0xa4}), 8000) // f64.min, which becomes some ten times as long
	m := wasmtest.Module{Funcs: []wasmtest.Func{{Export: "_start"}}}
	for range 1390 {
		m.Funcs = append(m.Funcs, wasmtest.Func{Locals: []byte{wasmtest.F64}, Body: wasmtest.Cat(wasmtest.LocalGet(0), least, wasmtest.LocalSet(0))})
	}
	if err := os.WriteFile(n.guest("nan"), m.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	for i, before := range []bool{false, true} {
		var out bytes.Buffer
		s := spec(n.guest("nan"), &out)
		s.CanonicalNaN = true
		_, err := n.Run(t.Context(), s)
		if abi.CodeOf(err) != "F1-MOD-004" || strings.Contains(err.Error(), "as before") != before {
			t.Errorf("attempt %d: %v", i, err)
		}
	}
}
