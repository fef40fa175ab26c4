package rewrite

import (
	"context"
	"errors"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/forgeone/forgeone/abi"
)

// victim is a module with one function of each type index, one import, two
// globals, a table, a memory and one segment of each kind; instrs is the body of
// its exported function "f", which has index 1 and type 1.
//
// Beyond its own indices lie, once it is rewritten: functions 1 (tick) and 2
// (depth), globals 2 (gas) and 3 (depth), and types added for results.
func victim(instrs ...any) []byte {
	return sections(
		section(secType, vec(functype([]byte{i32}, nil), functype(nil, nil), functype(nil, []byte{i64, i64}))),
		section(secImport, vec(cat("wasi_snapshot_preview1", "proc_exit", KindFunc, 0))),
		section(secFunction, vec(u32(1))),
		section(secTable, vec(cat(typeFuncref, 0, 4))),
		section(secMemory, vec(cat(0, 1))),
		section(secGlobal, vec(cat(i32, 1, opI32Const, 0, opEnd), cat(i64, 1, opI64Const, 0, opEnd))),
		section(secExport, vec(export("f", KindFunc, 1))),
		section(secElement, vec(cat(1, 0, vec(u32(1))))),
		section(secDataCount, u32(1)),
		section(secCode, vec(code(nil, instrs...))),
		section(secData, vec(cat(1, vec([]byte{1})))),
	)
}

// TestInjectedIsOutOfReach names, by every instruction and section that has an
// index, what only the rewritten module has. An index that the original does not
// have must be refused, before it could come to mean something.
func TestInjectedIsOutOfReach(t *testing.T) {
	million := appendSigned(nil, 1<<40)
	zero := cat(opI32Const, 0)
	body := map[string][]byte{
		"refill own gas":                victim(opI64Const, million, opGlobalSet, 2),
		"refill own gas, overlong":      victim(opI64Const, million, opGlobalSet, 0x82, 0x80, 0),
		"refill own gas, dead code":     victim(0x00, opI64Const, million, opGlobalSet, 2),
		"read own gas":                  victim(opGlobalGet, 2, 0x1a),
		"reset own depth":               victim(zero, opGlobalSet, 3),
		"read own depth":                victim(opGlobalGet, 3, 0x1a),
		"call what will be depth":       victim(opCall, 2),
		"call past the renumbered":      victim(opCall, 3),
		"ref.func of depth":             victim(opRefFunc, 2, 0x1a),
		"ref.func past the renumbered":  victim(opRefFunc, 3, 0x1a),
		"call_indirect by added type":   victim(zero, 0x11, 3, 0),
		"call_indirect by a second":     victim(zero, 0x11, 1, 1),
		"block of an added type":        victim(opBlock, 3, opEnd),
		"loop of an added type":         victim(opLoop, 3, opEnd),
		"if of an added type":           victim(zero, opIf, 3, opEnd),
		"scratch local":                 victim(zero, zero, zero, opMisc, miscMemoryFill, 0, opLocalGet, 0, 0x1a),
		"set the scratch local":         victim(zero, zero, zero, opMisc, miscMemoryFill, 0, zero, 0x21, 0),
		"tee the scratch local":         victim(zero, zero, zero, opMisc, miscMemoryFill, 0, zero, opLocalTee, 0, 0x1a),
		"branch past the wrapper":       victim(opCall, 1, opBr, 1),
		"br_if past the wrapper":        victim(opCall, 1, zero, opBrIf, 1),
		"br_table past the wrapper":     victim(opCall, 1, zero, 0x0e, 1, 0, 1),
		"br_table of a wrapped default": victim(opCall, 1, zero, 0x0e, 0, 1),
		"end the wrapper early":         victim(opCall, 1, opEnd, opI64Const, million, opGlobalSet, 2),
		"table.get of another":          victim(zero, 0x25, 1, 0x1a),
		"table.init of another":         victim(zero, zero, zero, opMisc, miscTableInit, 1, 0),
		"elem.drop of another":          victim(opMisc, miscElemDrop, 1),
		"data.drop of another":          victim(opMisc, miscDataDrop, 1),
		"memory.init of another":        victim(zero, zero, zero, opMisc, miscMemoryInit, 1, 0),
	}
	// Sections: the part that differs from a module that is fine.
	f := code(nil)
	section1 := func(parts ...[]byte) []byte {
		return sections(append([][]byte{
			section(secType, vec(functype(nil, nil))),
			section(secFunction, vec(u32(0))),
			section(secTable, vec(cat(typeFuncref, 0, 4))),
		}, parts...)...)
	}
	globals := section(secGlobal, vec(cat(i64, 1, opI64Const, 0, opEnd)))
	last := section(secCode, vec(f))
	body["export of gas"] = section1(globals, section(secExport, vec(export("g", KindGlobal, 1))), last)
	body["export of depth"] = section1(globals, section(secExport, vec(export("g", KindGlobal, 2))), last)
	body["export of tick"] = section1(globals, section(secExport, vec(export("t", KindFunc, 1))), last)
	body["start by a function that moved"] = section1(section(secStart, 1), last)
	body["element names a function that moved"] = section1(section(secElement, vec(cat(0, opI32Const, 0, opEnd, vec(u32(1))))), last)
	body["element expression names it"] = section1(section(secElement, vec(cat(4, opI32Const, 0, opEnd, vec(cat(opRefFunc, 1, opEnd))))), last)
	body["element offset reads gas"] = section1(globals, section(secElement, vec(cat(0, opGlobalGet, 1, opEnd, vec(u32(0))))), last)
	body["global starts as gas"] = section1(section(secGlobal, vec(cat(i64, 0, opGlobalGet, 1, opEnd))), last)
	body["global of a function that moved"] = section1(section(secGlobal, vec(cat(typeFuncref, 0, opRefFunc, 2, opEnd))), last)
	body["function of an added type"] = sections(section(secType, vec(functype(nil, nil))), section(secFunction, vec(u32(1))), last)
	for name, m := range body {
		outOfReach(t, name, m, abi.CodeModuleMalformed)
	}

	imp := func(module, name string) []byte {
		return sections(section(secType, vec(functype(nil, nil))), section(secImport, vec(cat(module, name, KindFunc, 0))))
	}
	for name, m := range map[string][]byte{
		"import of tick":    imp(ReservedModule, TickName),
		"import of probe":   imp(ReservedModule, ProbeName),
		"import of another": imp(ReservedModule, "x"),
		"export like gas":   section1(globals, section(secExport, vec(export(GasExport, KindGlobal, 0))), last),
		"export like depth": section1(globals, section(secExport, vec(export(DepthExport, KindGlobal, 0))), last),
		"export like g0":    section1(globals, section(secExport, vec(export(globalExport(0), KindGlobal, 0))), last),
		"function like gas": section1(globals, section(secExport, vec(export(GasExport, KindFunc, 0))), last),
	} {
		outOfReach(t, name, m, abi.CodeModuleReserved)
	}
}

func outOfReach(t *testing.T, name string, m []byte, code abi.Code) {
	t.Helper()
	out, _, err := Rewrite(m, DefaultCaps())
	var e *abi.Error
	if !errors.As(err, &e) || e.Code != code || out != nil {
		t.Errorf("%s: %v, %d bytes of output", name, err, len(out))
	}
}

// TestOwnIndicesKeepMeaning calls, by every way to name a function, the guest's
// first one, whose index is that of tick after the rewriting.
func TestOwnIndicesKeepMeaning(t *testing.T) {
	zero := cat(opI32Const, 0)
	for name, instrs := range map[string][]byte{
		"call":          cat(opCall, 1),
		"table.init":    cat(zero, zero, opI32Const, 1, opMisc, miscTableInit, 0, 0, zero, 0x11, 1, 0),
		"table.set":     cat(zero, opRefFunc, 1, 0x26, 0, zero, 0x11, 1, 0),
		"table.grow":    cat(opRefFunc, 1, opI32Const, 1, opMisc, miscTableGrow, 0, 0x11, 1, 0),
		"table.fill":    cat(zero, opRefFunc, 1, opI32Const, 4, opMisc, miscTableFill, 0, opI32Const, 3, 0x11, 1, 0),
		"through table": cat(zero, opRefFunc, 1, 0x26, 0, opI32Const, 2, zero, opI32Const, 1, opMisc, miscTableCopy, 0, 0, opI32Const, 2, 0x11, 1, 0),
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, compiler())
			b := h.rt.NewHostModuleBuilder("wasi_snapshot_preview1")
			b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(context.Context, api.Module, []uint64) {}), []api.ValueType{api.ValueTypeI32}, nil).Export("proc_exit")
			if _, err := b.Instantiate(context.Background()); err != nil {
				t.Fatal(err)
			}
			m := h.start(t, victim(instrs), DefaultCaps())
			// f calls itself: it must end by its depth, and not in a call of tick.
			if _, err := m.ExportedFunction("f").Call(context.Background()); !errors.Is(err, errDepth) {
				t.Fatal(cause(err))
			}
			if h.ticks > 100 {
				t.Fatalf("%d ticks", h.ticks)
			}
		})
	}
}

// TestCallTree runs 2^60 calls without any loop: f0 calls f1 twice, and so on.
func TestCallTree(t *testing.T) {
	const depth = 60
	var types, bodies [][]byte
	for i := range depth {
		types = append(types, u32(0))
		bodies = append(bodies, code(nil, opCall, i+1, opCall, i+1))
	}
	types, bodies = append(types, u32(0)), append(bodies, code(nil))
	m := sections(
		section(secType, vec(functype(nil, nil))),
		section(secFunction, vec(types...)),
		section(secExport, vec(export("f", KindFunc, 0))),
		section(secCode, vec(bodies...)),
	)
	h := newHost(t, compiler())
	h.limit = 20
	if _, err := h.start(t, m, DefaultCaps()).ExportedFunction("f").Call(context.Background()); !errors.Is(err, errFuel) {
		t.Fatal(cause(err))
	}
}

// TestStartFunction runs forever, or too deep, before any export could be called.
func TestStartFunction(t *testing.T) {
	for name, c := range map[string]struct {
		body []byte
		want error
	}{
		"loop":      {forever(), errFuel},
		"recursion": {code(nil, opCall, 0), errDepth},
	} {
		t.Run(name, func(t *testing.T) {
			m := sections(
				section(secType, vec(functype(nil, nil))), section(secFunction, vec(u32(0))),
				section(secStart, 0), section(secCode, vec(c.body)),
			)
			out, info, err := Rewrite(m, DefaultCaps())
			if err != nil || !info.Start {
				t.Fatal(err, info)
			}
			h := newHost(t, compiler())
			h.limit = 20
			if _, err := instantiate(h.rt, out); !errors.Is(err, c.want) {
				t.Fatal(cause(err))
			}
		})
	}
}

// TestCounterDoesNotWrap overdraws as far as one charge can: no operation, however
// long it says it is, brings the counter anywhere near where it would wrap around.
func TestCounterDoesNotWrap(t *testing.T) {
	zero, most := cat(opI32Const, 0), cat(opI32Const, 0x7f) // 2^32-1
	for name, instrs := range map[string][]byte{
		"memory.fill": cat(zero, zero, most, opMisc, miscMemoryFill, 0),
		"memory.copy": cat(zero, zero, most, opMisc, miscMemoryCopy, 0, 0),
		"memory.init": cat(zero, zero, most, opMisc, miscMemoryInit, 0, 0),
		"memory.grow": cat(most, 0x40, 0, 0x1a),
		"table.fill":  cat(zero, opRefNull, typeFuncref, most, opMisc, miscTableFill, 0),
		"table.copy":  cat(zero, zero, most, opMisc, miscTableCopy, 0, 0),
		"table.init":  cat(zero, zero, most, opMisc, miscTableInit, 0, 0),
		"table.grow":  cat(opRefNull, typeFuncref, most, opMisc, miscTableGrow, 0, 0x1a),
	} {
		t.Run(name, func(t *testing.T) {
			m := sections(
				section(secType, vec(functype(nil, nil))), section(secFunction, vec(u32(0))),
				section(secTable, vec(cat(typeFuncref, 0, 1))), section(secMemory, vec(cat(0, 1))),
				section(secExport, vec(export("f", KindFunc, 0))),
				section(secElement, vec(cat(1, 0, vec(u32(0))))), section(secDataCount, u32(1)),
				section(secCode, vec(code(nil, instrs))), section(secData, vec(cat(1, vec([]byte{1})))),
			)
			h := newHost(t, compiler())
			h.slice = 1
			inst := h.start(t, m, DefaultCaps())
			for range 50 {
				_, err := inst.ExportedFunction("f").Call(context.Background())
				if h.lowest < -1<<34 || h.lowest >= 0 {
					t.Fatalf("%v; the counter came to %d", cause(err), h.lowest)
				}
			}
			if h.ticks < 50 {
				t.Fatalf("50 operations, %d ticks", h.ticks)
			}
		})
	}
}

// TestMemoryGrowPays grows to the limit in a loop: what was granted is paid for.
func TestMemoryGrowPays(t *testing.T) {
	h := newHost(t, compiler()) // 256 pages
	m := h.start(t, two(code(nil, opLoop, empty, opI32Const, 1, 0x40, 0, opI32Const, 0, 0x4e, opBrIf, 0, opEnd), code(nil)), DefaultCaps())
	if _, err := m.ExportedFunction("f").Call(context.Background()); err != nil {
		t.Fatal(cause(err))
	}
	used := h.slice*int64(h.ticks) - int64(m.ExportedGlobal(GasExport).Get())
	if grown := int64(m.Memory().Size()/65536) - 16; grown != 240 || used < grown*pageCost {
		t.Fatalf("%d pages more, %d paid", grown, used)
	}
}

// TestNamesOfInjected gives a module names that make its functions look like the
// kernel's, and names for functions that it does not have.
func TestNamesOfInjected(t *testing.T) {
	names := func(m ...[]byte) []byte { return section(secCustom, "name", section(namesFunction, vec(m...))) }
	base := victim(opCall, 1)
	for name, m := range map[string][]byte{
		"own, in the kernel's name": append(base[:len(base):len(base)], names(cat(u32(1), ReservedModule+"."+TickName))...),
		"beyond its own":            append(base[:len(base):len(base)], names(cat(u32(2), "x"))...),
		"custom like a section":     append(base[:len(base):len(base)], section(secCustom, ReservedPrefix+"gas", "x")...),
	} {
		out, _, err := Rewrite(m, DefaultCaps())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		validates(t, out)
	}
}

// FuzzAttack rewrites bodies of any bytes: what is admitted and valid must not
// have changed a counter but by paying.
func FuzzAttack(f *testing.F) {
	f.Add(cat(opI64Const, 0x7f, opGlobalSet, 1))
	f.Add(cat(opI64Const, 0x7f, opGlobalSet, 2))
	f.Add(cat(opLoop, empty, opBr, 0, opEnd))
	f.Add(cat(opI32Const, 0, opIf, empty, opCall, 1, opEnd))
	f.Add(cat(opVector, vectorConst, make([]byte, 16), 0x1a))
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) > 4096 {
			return
		}
		src := victim(body)
		out, _, err := Rewrite(src, DefaultCaps())
		if err != nil {
			return
		}
		ctx := context.Background()
		h := newHost(t, wazero.NewRuntimeConfigInterpreter().WithMemoryLimitPages(256))
		h.limit, h.slice = 5, 10_000
		defer func() { _ = h.rt.Close(ctx) }()
		b := h.rt.NewHostModuleBuilder("wasi_snapshot_preview1")
		b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(context.Context, api.Module, []uint64) {}), []api.ValueType{api.ValueTypeI32}, nil).Export("proc_exit")
		if _, err := b.Instantiate(ctx); err != nil {
			t.Fatal(err)
		}
		m, err := instantiate(h.rt, out)
		if err != nil {
			return
		}
		_, _ = m.ExportedFunction("f").Call(ctx)
		if gas := int64(m.ExportedGlobal(GasExport).Get()); gas > h.slice || gas < -1<<34 {
			t.Fatalf("the counter is at %d", gas)
		}
		// Between the start and one call too many.
		if d := uint32(m.ExportedGlobal(DepthExport).Get()) % (2 * depthFlag); d < maxNested-defaultDepth || d > depthFlag {
			t.Fatalf("the depth is at %d", d)
		}
	})
}
