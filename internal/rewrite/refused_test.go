package rewrite

import (
	"bytes"
	"context"
	"testing"
)

// growing is a module whose function f grows a table of 2, with that maximum where
// it is not 0, by each of the numbers.
func growing(limit uint32, by ...int32) []byte {
	table := cat(typeFuncref, 0, 2)
	if limit > 0 {
		table = cat(typeFuncref, 1, 2, u32(limit))
	}
	var instrs []any
	for _, n := range by {
		instrs = append(instrs, opRefNull, typeFuncref, opI32Const, appendSigned(nil, int64(n)), opMisc, miscTableGrow, 0, 0x1a)
	}
	return sections(
		section(secType, vec(functype(nil, nil))),
		section(secFunction, vec(u32(0))),
		section(secTable, vec(table)),
		section(secExport, vec(export("f", KindFunc, 0))),
		section(secCode, vec(code(nil, instrs...))),
	)
}

// TestTableRefused: a module remembers that a table of it was not let grow because
// of the cap, whatever it was let do since, and nothing else.
func TestTableRefused(t *testing.T) {
	caps := DefaultCaps()
	caps.Table = 100
	for _, tc := range []struct {
		name   string
		module []byte
		want   uint64
	}{
		{"to the cap", growing(0, 50, 48, 0), 0},
		{"one too many", growing(0, 98, 1, 0), 1},
		{"by far too many", growing(0, -1, 5), 1},
		{"its own maximum is above the cap", growing(1000, 99), 1},
		{"twice", growing(0, 99, 99), 1},
	} {
		for engine, config := range engines() {
			m := newHost(t, config).start(t, tc.module, caps)
			if _, err := m.ExportedFunction("f").Call(context.Background()); err != nil {
				t.Fatalf("%s, %s: %v", tc.name, engine, err)
			}
			if got := m.ExportedGlobal(RefusedExport).Get(); got != tc.want {
				t.Errorf("%s, %s: %d, want %d", tc.name, engine, got, tc.want)
			}
		}
	}
	for name, module := range map[string][]byte{"its own maximum is what strikes": growing(100, 1000), "it grows no table": one(nil, nil, nil)} {
		out, _, err := Rewrite(module, caps)
		if err != nil {
			t.Fatal(err)
		}
		validates(t, out)
		if bytes.Contains(out, []byte(RefusedExport)) {
			t.Errorf("%s: it has a global more", name)
		}
	}
}

// TestRefusedIsOutOfReach: the global that remembers can't be named, nor its export.
func TestRefusedIsOutOfReach(t *testing.T) {
	grow := cat(opRefNull, typeFuncref, opI32Const, 0, opMisc, miscTableGrow, 0, 0x1a)
	for i := range uint32(3) { // what follows the victim's two
		if _, _, err := Rewrite(victim(grow, opI32Const, 0, opGlobalSet, u32(2+i)), DefaultCaps()); err == nil {
			t.Errorf("global %d was set", 2+i)
		}
	}
	out, _, err := Rewrite(victim(grow, 0x00, grow), DefaultCaps()) // and where nothing is reached
	if err != nil {
		t.Fatal(err)
	}
	validates(t, out)
}
