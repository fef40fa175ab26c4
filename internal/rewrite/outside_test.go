package rewrite

import (
	"context"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
)

// TestOutside: an active element segment that does not fit into its table is a trap
// before anything of the guest's runs, as the specification has it; the engine leaves
// such elements out.
func TestOutside(t *testing.T) {
	segment := func(offset []byte, elements ...byte) []byte {
		return cat(0, opI32Const, offset, opEnd, len(elements), elements)
	}
	for name, tc := range map[string]struct {
		segments []byte
		traps    bool
	}{
		"fits":                     {vec(segment([]byte{0}, 0, 0)), false},
		"nothing at the end":       {vec(segment([]byte{2})), false},
		"nothing beyond the end":   {vec(segment([]byte{3})), true},
		"one too many":             {vec(segment([]byte{1}, 0, 0)), true},
		"from -1 on":               {vec(segment([]byte{0x7f}, 0)), true},
		"the second":               {vec(segment([]byte{0}, 0), segment([]byte{2}, 0)), true},
		"passive and as long":      {vec(cat(1, 0, 3, 0, 0, 0)), false},
		"declared and as long":     {vec(cat(3, 0, 3, 0, 0, 0)), false},
		"of a table that is named": {vec(cat(2, 0, opI32Const, 2, opEnd, 0, 1, 0)), true},
		"of expressions":           {vec(cat(4, opI32Const, 2, opEnd, 1, opRefFunc, 0, opEnd)), true},
	} {
		t.Run(name, func(t *testing.T) {
			src := sections(
				section(secType, vec(cat(0x60, 0, 0))), section(secFunction, vec(cat(0))), section(secTable, vec(cat(typeFuncref, 0, 2))),
				section(secExport, vec(cat("_start", KindFunc, 0))), section(secElement, tc.segments), section(secCode, vec(code(nil))),
			)
			out, _, err := Rewrite(src, DefaultCaps())
			if err != nil {
				t.Fatal(err)
			}
			for kind, config := range engines() {
				ctx := context.Background()
				h := newHost(t, config)
				m, err := h.rt.InstantiateWithConfig(ctx, out, wazero.NewModuleConfig().WithStartFunctions())
				if err != nil {
					t.Fatal(err)
				}
				f := m.ExportedFunction(StartExport)
				if (f != nil) != tc.traps {
					t.Errorf("%s: something is to be done first: %v, want %v", kind, f != nil, tc.traps)
				}
				if f == nil {
					continue
				}
				if _, err := f.Call(ctx); err == nil || !strings.Contains(err.Error(), "invalid table access") {
					t.Errorf("%s: %v", kind, err)
				}
				_ = h.rt.Close(ctx)
			}
		})
	}
}
