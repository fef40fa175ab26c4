package wasmtest

// Endless are modules that end from outside only, by name: each keeps away from
// calls in a way of its own.
func Endless() map[string][]byte {
	const pages = 16384 // 1 GiB
	start := func(m Module, body ...[]byte) []byte {
		m.Funcs = append([]Func{{Export: "_start", Body: Cat(body...)}}, m.Funcs...)
		return m.Bytes()
	}
	// Each function calls the next one twice.
	const levels = 60
	var tree []Func
	for i := range levels {
		tree = append(tree, Func{Body: Cat(Call(i+2), Call(i+2))})
	}
	return map[string][]byte{
		// bulkfill and bulkcopy work on all but a page of a gigabyte at a time.
		"bulkfill": start(Module{MinPages: pages}, Loop(Const(0), Const(1), Const((pages-1)<<16), MemoryFill, Br(0))),
		"bulkcopy": start(Module{MinPages: pages}, Loop(Const(65536), Const(0), Const((pages-1)<<16), MemoryCopy, Br(0))),
		// tablefill fills a table of 900,000 elements.
		"tablefill": start(Module{MinPages: 1, Table: 900_000}, Loop(Const(0), RefNullFunc, Const(900_000), TableFill, Br(0))),
		// start computes in its start section.
		"start": start(Module{MinPages: 1, Start: 2, Funcs: []Func{{Body: Loop(Br(0))}}}),
		// calltree has no loop and no recursion, and 2 to the 60th calls.
		"calltree": start(Module{MinPages: 1, Funcs: append(tree, Func{})}, Call(1)),
	}
}
