package rewrite

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// validates compiles a module, which checks its types.
func validates(t testing.TB, module []byte) {
	t.Helper()
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(api.CoreFeaturesV2))
	defer func() { _ = rt.Close(ctx) }()
	if _, err := rt.CompileModule(ctx, module); err != nil {
		t.Fatalf("the rewritten module is invalid: %v", err)
	}
}

// TestWaysOut returns from a counted function in every way there is; the result
// must be the original's and the depth counter back at zero.
func TestWaysOut(t *testing.T) {
	self := cat(opLocalGet, 0, 0x45, opIf, empty, opI32Const, 0x7f, opCall, 0, 0x1a, opEnd) // f(-1) when n == 0
	for name, instrs := range map[string][]byte{
		"end":         cat(self, opLocalGet, 0),
		"return":      cat(self, opLocalGet, 0, 0x0f),
		"deep return": cat(self, opBlock, empty, opLoop, empty, opLocalGet, 0, 0x0f, opEnd, opEnd, 0x00),
		"br":          cat(self, opBlock, empty, opLocalGet, 0, opBr, 1, opEnd, opI32Const, 5),
		"br_if":       cat(self, opLocalGet, 0, opI32Const, 1, opBrIf, 0, 0x1a, opI32Const, 5),
		"br_table":    cat(self, opBlock, i32, opLocalGet, 0, opI32Const, 1, 0x0e, 1, 0, 1, opEnd),
		"if":          cat(self, opLocalGet, 0, opIf, i32, opLocalGet, 0, opElse, opLocalGet, 0, 0x0f, opEnd),
		"unreachable": cat(self, opLocalGet, 0, 0x0f, 0x00, opI32Add),
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, compiler())
			m := h.start(t, one([]byte{i32}, []byte{i32}, nil, instrs), DefaultCaps())
			for _, n := range []uint64{3, 0} {
				r, err := m.ExportedFunction("f").Call(context.Background(), n)
				if err != nil || r[0] != n {
					t.Errorf("f(%d) = %v, %v", n, r, cause(err))
				}
				if d := m.ExportedGlobal(DepthExport).Get(); d != maxNested-defaultDepth {
					t.Errorf("depth after f(%d) is %d", n, d)
				}
			}
		})
	}
}

// TestMultipleResults wraps functions whose results need a type of their own.
func TestMultipleResults(t *testing.T) {
	swap := one([]byte{i32, i64}, []byte{i64, i32}, nil,
		opLocalGet, 0, opIf, empty, opLocalGet, 1, opI32Const, 0, opLocalGet, 1, opCall, 0, 0x1a, 0x1a, opLocalGet, 0, 0x0f, opEnd, opLocalGet, 1, opLocalGet, 0)
	h := newHost(t, compiler())
	m := h.start(t, swap, DefaultCaps())
	for _, n := range []uint64{0, 5} {
		if r, err := m.ExportedFunction("f").Call(context.Background(), n, 7); err != nil || r[0] != 7 || r[1] != n {
			t.Fatalf("f(%d, 7) = %v, %v", n, r, cause(err))
		}
	}
	out, _, _ := Rewrite(swap, DefaultCaps())
	again, _, _ := Rewrite(swap, DefaultCaps())
	if !bytes.Equal(out, again) {
		t.Error("two rewritings differ")
	}
}

// TestRenumbering names functions from everywhere: imports keep their indices,
// the module's own move.
func TestRenumbering(t *testing.T) {
	one := func(i uint32) []byte { return cat(opRefFunc, u32(i), opEnd) }
	// 0 is imported; 1 to 9 return their index; 10 starts.
	types := vec(functype([]byte{i32}, nil), functype(nil, []byte{i32}), functype(nil, nil))
	funcs := append(slices.Repeat([][]byte{u32(1)}, 9), u32(2))
	var bodies [][]byte
	for i := 1; i <= 9; i++ {
		bodies = append(bodies, code(nil, opI32Const, i))
	}
	// The start function stores ref.func 9 and the call of 2 where exports show them.
	bodies = append(bodies, code(nil, opI32Const, 10, opRefFunc, 9, 0x26, 0, opCall, 2, opGlobalSet, 1))
	at := func(i int) []byte { return cat(opI32Const, i, opEnd) }
	m := sections(
		section(secType, types),
		section(secImport, vec(cat("wasi_snapshot_preview1", "proc_exit", KindFunc, 0))),
		section(secFunction, vec(funcs...)),
		section(secTable, vec(cat(typeFuncref, 0, 20))),
		section(secGlobal, vec(cat(typeFuncref, 0, one(9)), cat(i32, 1, at(0)))),
		section(secExport, vec(export("three", KindFunc, 3), export("exit", KindFunc, 0), export("table", KindTable, 0), export("sum", KindGlobal, 1))),
		section(secStart, 10),
		section(secElement, vec(
			cat(0, at(1), vec(u32(1))),
			cat(1, 0, vec(u32(9))),
			cat(2, 0, at(2), 0, vec(u32(2))),
			cat(3, 0, vec(u32(9))),
			cat(4, at(4), vec(one(4))),
			cat(5, typeFuncref, vec(one(9))),
			cat(6, 0, at(6), typeFuncref, vec(one(6), cat(opRefNull, typeFuncref, opEnd))),
			cat(7, typeFuncref, vec(one(9))),
		)),
		section(secCode, vec(bodies...)),
		section(secCustom, "name", section(namesModule, "m"), section(namesFunction, vec(cat(u32(0), "exit"), cat(u32(3), "three"), cat(u32(10), "main")))),
		section(secCustom, ".debug_info", "x"),
	)
	out, info, err := Rewrite(m, DefaultCaps())
	if err != nil {
		t.Fatal(err)
	}
	if !info.Start || info.Functions != 10 || !slices.Equal(info.Exports, []string{"three", "exit", "table", "sum"}) || !slices.Equal(info.Globals, []string{"forgeone:g1"}) {
		t.Errorf("info is %+v", info)
	}
	if bytes.Contains(out, []byte("debug")) {
		t.Error("a custom section came through")
	}

	h := newHost(t, compiler())
	ctx := context.Background()
	b := h.rt.NewHostModuleBuilder("wasi_snapshot_preview1")
	b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(context.Context, api.Module, []uint64) {}), []api.ValueType{api.ValueTypeI32}, nil).Export("proc_exit")
	if _, err := b.Instantiate(ctx); err != nil {
		t.Fatal(err)
	}
	inst, err := instantiate(h.rt, out)
	if err != nil {
		t.Fatal(err)
	}
	f := inst.ExportedFunction("three")
	if r, err := f.Call(ctx); err != nil || r[0] != 3 || f.Definition().Name() != "three" {
		t.Errorf("three: %v, %v, %q", r, cause(err), f.Definition().Name())
	}
	if r := inst.ExportedGlobal("sum").Get(); r != 2 {
		t.Errorf("the start function called %d", r)
	}
	for _, name := range info.Globals {
		if g, ok := inst.ExportedGlobal(name).(api.MutableGlobal); !ok || g.Get() != 2 {
			t.Errorf("%s is %v", name, g)
		}
	}
	if inst.ExportedGlobal("forgeone:g0") != nil {
		t.Error("an immutable global was exported")
	}
	callTable(t, h, inst, map[uint32]uint64{1: 1, 2: 2, 4: 4, 6: 6, 10: 9})
}

// callTable calls entries of a module's exported table, through another module.
func callTable(t *testing.T, h *host, inst api.Module, want map[uint32]uint64) {
	t.Helper()
	ctx := context.Background()
	out, _, err := rewrite(sections(
		section(secType, vec(functype([]byte{i32}, []byte{i32}), functype(nil, []byte{i32}))),
		section(secImport, vec(cat("it", "table", KindTable, typeFuncref, 0, 1))),
		section(secFunction, vec(u32(0))),
		section(secExport, vec(export("call", KindFunc, 0))),
		section(secCode, vec(code(nil, opLocalGet, 0, 0x11, 1, 0))),
	), DefaultCaps(), true)
	if err != nil {
		t.Fatal(err)
	}
	resolver := experimental.WithImportResolver(ctx, func(name string) api.Module {
		if name == "it" {
			return inst
		}
		return nil
	})
	caller, err := h.rt.InstantiateWithConfig(resolver, out, wazero.NewModuleConfig().WithName("caller"))
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range want {
		if r, err := caller.ExportedFunction("call").Call(ctx, uint64(i)); err != nil || r[0] != v {
			t.Errorf("table entry %d gives %v, %v; want %d", i, r, cause(err), v)
		}
	}
}

// TestTableLimit gives tables a maximum within the cap, all together.
func TestTableLimit(t *testing.T) {
	m := sections(section(secTable, vec(cat(typeFuncref, 0, 10), cat(typeExternref, 1, 0, 5), cat(typeFuncref, 1, 2, u32(1<<31)))))
	caps := DefaultCaps()
	caps.Table = 42
	out, _, err := Rewrite(m, caps)
	if err != nil {
		t.Fatal(err)
	}
	want := section(secTable, vec(cat(typeFuncref, 1, 10, 20), cat(typeExternref, 1, 0, 5), cat(typeFuncref, 1, 2, 12)))
	if !bytes.Contains(out, want) {
		t.Errorf("no %x in %x", want, out)
	}
	validates(t, out)
}

// TestInfo reads what a module says about itself.
func TestInfo(t *testing.T) {
	plain := func(instrs ...any) *Info {
		t.Helper()
		info, err := Inspect(one(nil, nil, nil, instrs...), DefaultCaps())
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	if i := plain(); i.Floats || i.SIMD || i.Start || i.Memories != 1 || i.MemoryMin != 2 || i.MemoryMax != 16 {
		t.Errorf("%+v", i)
	}
	zero := cat(opF64Const, make([]byte, 8))
	if !plain(zero, zero, 0xa3, 0x1a).Floats { // f64.div
		t.Error("a division makes no NaN")
	}
	if plain(zero, 0x9a, 0x1a).Floats { // f64.neg
		t.Error("a sign is the machine's choice")
	}
	vector := cat(opVector, vectorConst, make([]byte, 16))
	if i := plain(vector, 0x1a); !i.SIMD || i.Floats {
		t.Errorf("%+v", i)
	}
	if i := plain(vector, vector, opVector, 0xf0, 1, 0x1a); !i.Floats { // f64x2.add
		t.Errorf("%+v", i)
	}
}

// TestMalformedNames leaves out a name section that breaks its format.
func TestMalformedNames(t *testing.T) {
	bare := one(nil, nil, nil)
	for name, content := range map[string][]byte{
		"order":      cat(section(namesFunction, vec(cat(u32(0), "a"), cat(u32(0), "b")))),
		"index":      section(namesFunction, vec(cat(u32(9), "a"))),
		"UTF-8":      section(namesFunction, vec(cat(u32(0), []byte{1, 0xff}))),
		"length":     cat(namesFunction, 100, 1),
		"subsection": cat(section(namesFunction, vec(cat(u32(0), "a"))), section(namesModule, "m")),
	} {
		out, _, err := Rewrite(append(slices.Clone(bare), section(secCustom, "name", content)...), DefaultCaps())
		plain, _, _ := Rewrite(bare, DefaultCaps())
		if err != nil || !bytes.Equal(out, plain) {
			t.Errorf("%s: %v, %d bytes, without names %d", name, err, len(out), len(plain))
		}
	}
}

// TestLongSpelling writes an overlong opcode number short.
func TestLongSpelling(t *testing.T) {
	short := one(nil, nil, nil, opI32Const, 0, opI32Const, 0, opI32Const, 0, opMisc, miscMemoryFill, 0)
	long := one(nil, nil, nil, opI32Const, 0, opI32Const, 0, opI32Const, 0, opMisc, 0x80|miscMemoryFill, 0x80, 0, 0)
	a, _, err := Rewrite(short, DefaultCaps())
	b, _, err2 := Rewrite(long, DefaultCaps())
	if err != nil || err2 != nil || !bytes.Equal(a, b) {
		t.Errorf("%v, %v\n%x\n%x", err, err2, a, b)
	}
}

// TestReservedNamesAreFree makes sure that the names cannot be taken by accident.
func TestReservedNamesAreFree(t *testing.T) {
	if !strings.HasPrefix(GasExport, ReservedPrefix) || !strings.HasPrefix(DepthExport, ReservedPrefix) || !strings.HasPrefix(globalExport(0), ReservedPrefix) {
		t.Error("an injected export lies outside the reserved names")
	}
}

// TestLongNames: a name section with a name that is longer than is kept is left out;
// what else the module names may be as long as it likes.
func TestLongNames(t *testing.T) {
	named := func(n int) []byte {
		return append(functionsOf(1), section(secCustom, "name", section(namesFunction, vec(cat(0, strings.Repeat("x", n)))))...)
	}
	for n, kept := range map[int]bool{maxName: true, maxName + 1: false} {
		out, _, err := Rewrite(named(n), DefaultCaps())
		if err != nil || bytes.Contains(out, []byte("xxxx")) != kept {
			t.Errorf("%d bytes: kept %v, %v", n, !kept, err)
		}
	}
	out, _, err := Rewrite(sections(section(secMemory, vec(cat(0, 1))), section(secExport, vec(export(strings.Repeat("x", 2*maxName), KindMemory, 0)))), DefaultCaps())
	if err != nil {
		t.Fatal(err)
	}
	validates(t, out)
}
