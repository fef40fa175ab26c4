package rewrite

import (
	"context"
	"errors"
	"testing"
)

// two is a module with two functions of type () -> () in a table, "f" first.
func two(f, g []byte) []byte {
	return sections(
		section(secType, vec(functype(nil, nil))),
		section(secFunction, vec(u32(0), u32(0))),
		section(secTable, vec(cat(typeFuncref, 1, 2, 100))),
		section(secMemory, vec(cat(0, 16))),
		section(secExport, vec(export("f", KindFunc, 0))),
		section(secElement, vec(cat(0, opI32Const, 0, opEnd, vec(u32(0), u32(1))))),
		section(secDataCount, u32(1)),
		section(secCode, vec(f, g)),
		section(secData, vec(cat(1, vec([]byte{1}, []byte{2})))),
	)
}

// forever puts instructions into an endless loop.
func forever(instrs ...any) []byte {
	return code(nil, opLoop, empty, cat(instrs...), opBr, 0, opEnd)
}

// TestStops runs guests that would never end. Each must be stopped after a
// bounded number of ticks, or at the depth.
func TestStops(t *testing.T) {
	nothing := code(nil)
	zero := cat(opI32Const, 0)
	megabyte := cat(opI32Const, appendSigned(nil, 1<<20))
	for name, c := range map[string]struct {
		module []byte
		want   error
	}{
		"loop":                 {two(forever(), nothing), errFuel},
		"loop of br_if":        {two(code(nil, opLoop, empty, opI32Const, 1, opBrIf, 0, opEnd), nothing), errFuel},
		"loop of br_table":     {two(code(nil, opLoop, empty, opI32Const, 5, 0x0e, 2, 0, 0, 0, opEnd), nothing), errFuel},
		"outer loop":           {two(code(nil, opLoop, empty, opLoop, empty, opBr, 1, opEnd, opEnd), nothing), errFuel},
		"loop through if":      {two(code(nil, opLoop, empty, opI32Const, 1, opIf, empty, opBr, 1, opElse, opEnd, opEnd), nothing), errFuel},
		"loop after loop":      {two(code(nil, opLoop, empty, opEnd, opLoop, empty, opBr, 0, opEnd), nothing), errFuel},
		"loop with parameters": {two(code(nil, zero, opLoop, empty, opBr, 0, opEnd, 0x1a), nothing), errFuel},
		"calls of a leaf":      {two(forever(opCall, 1), nothing), errFuel},
		"indirect calls":       {two(forever(opI32Const, 1, 0x11, 0, 0), nothing), errFuel},
		"recursion":            {two(code(nil, opCall, 0), nothing), errDepth},
		"mutual recursion":     {two(code(nil, opCall, 1), code(nil, opCall, 0)), errDepth},
		"indirect recursion":   {two(code(nil, zero, 0x11, 0, 0), nothing), errDepth},
		"recursion by return":  {two(code(nil, opCall, 0, 0x0f), nothing), errDepth},
		"recursion in a loop":  {two(forever(opCall, 0), nothing), errDepth},
		"calls twice":          {two(code(nil, opCall, 1, opCall, 1), code(nil, opLoop, empty, opEnd, opCall, 0)), errDepth},
		"fill":                 {two(forever(zero, zero, megabyte, opMisc, miscMemoryFill, 0), nothing), errFuel},
		"copy":                 {two(forever(zero, zero, megabyte, opMisc, miscMemoryCopy, 0, 0), nothing), errFuel},
		"init of nothing":      {two(forever(zero, zero, zero, opMisc, miscMemoryInit, 0, 0), nothing), errFuel},
		"grow by nothing":      {two(forever(zero, 0x40, 0, 0x1a), nothing), errFuel},
		"refused grow":         {two(forever(opI32Const, 0x7f, 0x40, 0, 0x1a), nothing), errFuel},
		"table fill":           {two(forever(zero, opRefNull, typeFuncref, opI32Const, 2, opMisc, miscTableFill, 0), nothing), errFuel},
		"table copy":           {two(forever(zero, zero, opI32Const, 2, opMisc, miscTableCopy, 0, 0), nothing), errFuel},
		"data drop":            {two(forever(opMisc, miscDataDrop, 0), nothing), errFuel},
		"elem drop":            {two(forever(opMisc, miscElemDrop, 0), nothing), errFuel},
		"table init":           {two(forever(zero, zero, zero, opMisc, miscTableInit, 0, 0), nothing), errFuel},
		"SIMD":                 {two(forever(zero, opVector, 0, 0, 0, 0x1a), nothing), errFuel},
		"passing through if":   {two(code(nil, opLoop, empty, opI32Const, 1, opIf, empty, opBr, 1, opEnd, opEnd), nothing), errFuel},
		"free leaves by table": {two(forever(opI32Const, 1, 0x11, 0, 0, opI32Const, 1, 0x11, 0, 0), nothing), errFuel},
		"table grow":           {two(forever(opRefNull, typeFuncref, opI32Const, 0x7f, opMisc, miscTableGrow, 0, 0x1a), nothing), errFuel},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, compiler())
			h.limit = 20
			m := h.start(t, c.module, DefaultCaps())
			_, err := m.ExportedFunction("f").Call(context.Background())
			if !errors.Is(err, c.want) {
				t.Fatalf("stopped by %q, not by %q", cause(err), c.want)
			}
		})
	}
}

// TestBulkIsCharged holds one bulk operation against the gas it takes.
func TestBulkIsCharged(t *testing.T) {
	const n = 1 << 20
	f := code(nil, opI32Const, 0, opI32Const, 0, opI32Const, appendSigned(nil, n), opMisc, miscMemoryFill, 0)
	h := newHost(t, compiler())
	m := h.start(t, two(f, code(nil)), DefaultCaps())
	gas := m.ExportedGlobal(GasExport)
	before := h.slice
	if _, err := m.ExportedFunction("f").Call(context.Background()); err != nil {
		t.Fatal(err)
	}
	// The first charge, on entry, begins the slice.
	if used := before - int64(gas.Get()); used < n/16 || used > n/16+100 {
		t.Fatalf("filling %d bytes took %d", n, used)
	}
	// An operation that traps is charged for too, and charged before it runs.
	trap := code(nil, opI32Const, 0x7f, opI32Const, 0, opI32Const, appendSigned(nil, n), opMisc, miscMemoryFill, 0)
	m = h.start(t, two(trap, code(nil)), DefaultCaps())
	if _, err := m.ExportedFunction("f").Call(context.Background()); err == nil || h.slice-int64(m.ExportedGlobal(GasExport).Get()) < n/16 {
		t.Fatalf("out of bounds: %v, %d left", cause(err), m.ExportedGlobal(GasExport).Get())
	}
}

// TestStoppedInstance goes on with an instance whose guest was unwound.
func TestStoppedInstance(t *testing.T) {
	h := newHost(t, compiler())
	h.limit = 3
	m := h.start(t, two(code(nil, opCall, 1), forever()), DefaultCaps())
	for range 2 {
		h.ticks = 0
		if _, err := m.ExportedFunction("f").Call(context.Background()); !errors.Is(err, errFuel) {
			t.Fatal(cause(err))
		}
		// f is on the stack, the loop is a leaf.
		if d := m.ExportedGlobal(DepthExport).Get() % depthFlag; d != maxNested-defaultDepth+1 {
			t.Fatalf("depth is %d", d)
		}
		m.ExportedGlobal(DepthExport).(interface{ Set(uint64) }).Set(maxNested - defaultDepth)
	}
}

// TestDepth counts frames on the compiler and on the interpreter.
func TestDepth(t *testing.T) {
	// f(n) = n == 0 ? 0 : f(n-1) + 1
	f := one([]byte{i32}, []byte{i32}, nil,
		opLocalGet, 0, opIf, i32, opLocalGet, 0, opI32Const, 1, opI32Sub, opCall, 0, opI32Const, 1, opI32Add, opElse, opI32Const, 0, opEnd)
	for name, config := range engines() {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, config)
			caps := DefaultCaps()
			caps.Depth = 100
			m := h.start(t, f, caps)
			if r, err := m.ExportedFunction("f").Call(context.Background(), 99); err != nil || r[0] != 99 {
				t.Fatalf("100 frames: %v, %v", r, cause(err))
			}
			if d := m.ExportedGlobal(DepthExport).Get(); d != maxNested-100 {
				t.Fatalf("depth after returning is %d", d)
			}
			if _, err := m.ExportedFunction("f").Call(context.Background(), 100); !errors.Is(err, errDepth) {
				t.Fatalf("101 frames: %v", cause(err))
			}
		})
	}
	// The default holds on the compiler's own stack.
	h := newHost(t, compiler())
	m := h.start(t, f, DefaultCaps())
	if r, err := m.ExportedFunction("f").Call(context.Background(), defaultDepth-1); err != nil || r[0] != defaultDepth-1 {
		t.Fatalf("%v, %v", r, cause(err))
	}
}
