package rewrite

import "slices"

// CapCase is a module just within a cap, and one beyond it, with what each needs and
// the words that say what is counted.
type CapCase struct {
	Within, Beyond []byte
	Cap, Need      int
	Words          string
}

// CapCases are cases by the cap's field.
func CapCases() map[string][]CapCase {
	repeat := func(n int, parts ...any) []byte { return slices.Repeat(cat(parts...), n) }
	blocks := func(n int) []byte { return one(nil, nil, nil, repeat(n, opBlock, empty), repeat(n, opEnd)) }
	// deeper has what is too much first, and more of it in a later function.
	deeper := func(few, many int) []byte {
		f := func(n int) []byte { return code(nil, repeat(n, opBlock, empty), repeat(n, opEnd)) }
		return two(f(few), f(many))
	}
	labels := func(n int) []byte { return one(nil, nil, nil, opI32Const, 0, 0x0e, n, make([]byte, n+1)) }
	types := func(t ...[]byte) []byte { return sections(section(secType, vec(t...))) }
	none, nine, five := functype(nil, nil), functype(ints(9), nil), functype(ints(2), ints(3))
	tables := func(sizes ...byte) []byte {
		var t [][]byte
		for _, n := range sizes {
			t = append(t, cat(typeFuncref, 0, n))
		}
		return sections(section(secTable, vec(t...)))
	}
	segments := func(id byte, n int) []byte {
		passive := cat(1, 0) // of data; of elements with the kind
		if id == secElement {
			passive = cat(1, 0, 0)
		}
		return sections(section(id, vec(slices.Repeat([][]byte{passive}, n)...)))
	}
	elements := func(sizes ...int) []byte {
		var e [][]byte
		for _, n := range sizes {
			e = append(e, cat(1, 0, vec(slices.Repeat([][]byte{u32(0)}, n)...)))
		}
		return sections(section(secType, vec(none)), section(secFunction, vec(u32(0))), section(secElement, vec(e...)), section(secCode, vec(code(nil))))
	}
	globals := func(n int) []byte {
		return sections(section(secGlobal, vec(slices.Repeat([][]byte{cat(i32, 0, opI32Const, 1, opEnd)}, n)...)))
	}
	exports := func(names ...string) []byte {
		var e [][]byte
		for _, name := range names {
			e = append(e, export(name, KindMemory, 0))
		}
		return sections(section(secMemory, vec(cat(0, 1))), section(secExport, vec(e...)))
	}
	imports := func(n, functions int) []byte {
		i := cat("wasi_snapshot_preview1", "sched_yield", KindFunc, 0)
		return sections(section(secType, vec(functype(nil, []byte{i32}))), section(secImport, vec(slices.Repeat([][]byte{i}, n)...)),
			section(secFunction, vec(slices.Repeat([][]byte{u32(0)}, functions)...)), section(secCode, vec(slices.Repeat([][]byte{code(nil, 0)}, functions)...)))
	}
	// passing is functions of type 5 to 5 which pass on 10 operands, and 10 more for
	// each block.
	passing := func(blocks ...int) []byte {
		var fs, cs [][]byte
		for _, n := range blocks {
			fs = append(fs, u32(0))
			cs = append(cs, code(nil, 0x00, repeat(n, opBlock, 0, 0x00, opEnd), 0x00))
		}
		return sections(section(secType, vec(functype(ints(5), ints(5)))), section(secFunction, vec(fs...)), section(secCode, vec(cs...)))
	}
	loops := func(n ...int) []byte {
		var cs [][]byte
		for _, n := range n {
			cs = append(cs, code(nil, repeat(n, opLoop, empty, opEnd)))
		}
		return sections(section(secType, vec(none)), section(secFunction, vec(slices.Repeat([][]byte{u32(0)}, len(n))...)), section(secCode, vec(cs...)))
	}
	const loop = 26 // bytes that a loop becomes

	return map[string][]CapCase{
		"ModuleBytes":       {{sections(section(secMemory, vec())), tables(1, 1), 11, 17, "bytes"}},
		"RewrittenBytes":    {{loops(1), loops(2, 3), 2 + loop, 2 + 2*loop + 2 + 3*loop, "bytes of rewritten code"}},
		"Types":             {{types(none, none), types(none, none, none, none), 2, 4, "types"}},
		"Values":            {{types(nine), types(functype(nil, ints(10)), functype(ints(12), nil)), 9, 12, "values of a type"}},
		"TypeValues":        {{types(five, five), types(five, nine, five), 10, 19, "values of all types"}},
		"Imports":           {{imports(2, 0), imports(5, 0), 2, 5, "imports"}},
		"Exports":           {{exports("a", "b"), exports("a", "b", "c"), 2, 3, "exports"}},
		"Tables":            {{tables(1, 1), tables(1, 1, 1), 2, 3, "tables"}},
		"Globals":           {{globals(2), globals(4), 2, 4, "globals"}},
		"Functions":         {{functionsOf(9), functionsOf(11), 9, 11, "functions"}, {imports(4, 5), imports(5, 6), 9, 11, "functions"}},
		"BodyBytes":         {{two(code(nil, 1), code(nil, 1)), two(code(nil, 1, 1), code(nil, 1, 1, 1, 1)), 3, 6, "bytes of a function"}},
		"LocalsPerFunction": {{one(nil, nil, groups(9, i32)), two(code(groups(5, i32, 5, i64)), code(groups(12, i32, 0, i32))), 9, 12, "locals of a function"}},
		"LocalsTotal":       {{two(code(groups(4, i32)), code(groups(5, i32))), two(code(groups(10, i32)), code(groups(5, i32))), 9, 15, "locals of all functions"}},
		"OperandsPerFunction": {
			{passing(1, 0), passing(2, 3), 20, 40, "operands of a function"},
			{labelled(3), labelled(5), 5, 7, "operands of a function"},
		},
		"OperandsTotal":   {{passing(1, 0), passing(2, 3), 30, 70, "operands of all functions"}},
		"Nesting":         {{blocks(9), deeper(10, 12), 9, 12, "blocks within blocks"}},
		"BrTable":         {{labels(9), two(code(nil, opI32Const, 0, 0x0e, 10, make([]byte, 11)), code(nil, opI32Const, 0, 0x0e, 15, make([]byte, 16))), 9, 15, "labels of a br_table"}},
		"Table":           {{tables(4, 5), tables(5, 5, 3), 9, 13, "elements in tables"}, {elements(2, 1), elements(2, 2, 3), 3, 7, "elements in segments"}},
		"DataSegments":    {{segments(secData, 1), segments(secData, 3), 1, 3, "data segments"}},
		"ElementSegments": {{segments(secElement, 1), segments(secElement, 3), 1, 3, "element segments"}},
	}
}

// labelled is a function whose br_table has n labels, and a default, of a block that
// gives a value.
func labelled(n int) []byte {
	return one(nil, nil, nil, opBlock, i32, opI32Const, 0, opI32Const, 0, 0x0e, n, make([]byte, n+1), opEnd, 0x1a)
}

func ints(n int) []byte { return slices.Repeat([]byte{i32}, n) }

// Announcing is a module that says that it has n types.
func Announcing(n uint32) []byte { return sections(section(secType, u32(n))) }
