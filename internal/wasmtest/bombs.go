package wasmtest

import (
	"bytes"
	"slices"
)

// Bombs are modules of some kilobytes to some megabytes that admission lets pass by
// its default limits, and whose compilation takes minutes or gigabytes or would with
// larger numbers, by name; each function makes one. Each is a product of two sizes
// that are harmless alone. The first function is _start and ends at once.
func Bombs() map[string]func() []byte {
	bombs := map[string]func() []byte{}
	for _, more := range []map[string]func() []byte{carried(), joined(), repeated()} {
		for name, f := range more {
			bombs[name] = f
		}
	}
	return bombs
}

// Code that the bombs are made of.
var (
	end    = []byte{0x0b}
	block  = []byte{0x02, 0x40}
	anIf   = []byte{0x04, 0x40}
	ifThen = Cat(Const(0), anIf, end)
	i32Eqz = []byte{0x45}
	brNot  = Cat(Const(0), BrIf(0))
)

func times(n int, code ...[]byte) []byte { return bytes.Repeat(Cat(code...), n) }

// armed is a module whose _start is followed by the functions.
func armed(funcs ...Func) []byte {
	return Module{MinPages: 1, Table: 2, Funcs: slices.Concat([]Func{{Export: "_start"}}, funcs)}.Bytes()
}

// brTable is a br_table of n labels and the default, all the same.
func brTable(n, label int) []byte {
	return Cat([]byte{0x0e}, U(uint64(n)), bytes.Repeat(U(uint64(label)), n+1))
}

func ints(n int) []byte { return bytes.Repeat([]byte{I32}, n) }

// carried pass values along control flow.
func carried() map[string]func() []byte {
	// over keeps n values on the operand stack over code.
	over := func(n int, code []byte) Func {
		if n == 0 {
			return Func{Params: []byte{I32}, Body: code}
		}
		return Func{Params: []byte{I32}, Body: Cat(Const(0), times(n, LocalGet(0), i32Eqz), code, times(n-1, Add), Store)}
	}
	tables := func(n, labels int) []byte {
		return Cat(block, times(n, block, LocalGet(0), brTable(labels, 1), end), end)
	}
	// thousand has a function of type 1 that takes and gives 1000 values, and nine
	// that make as many and go on with code: that is as much as is admitted.
	thousand := func(code ...[]byte) func() []byte {
		return func() []byte {
			f := Func{Body: Cat(times(1000, Const(0)), Cat(code...), Unreachable)}
			return armed(slices.Insert(slices.Repeat([]Func{f}, 9), 0, Func{Params: ints(1000), Results: ints(1000), Body: Unreachable})...)
		}
	}
	typed := func(op byte, code ...[]byte) []byte { return Cat([]byte{op, 1}, Cat(code...), end) }
	return map[string]func() []byte{
		"values over branches":    func() []byte { return armed(over(20_000, times(9000, brNot))) },
		"labels to one block":     func() []byte { return armed(over(0, tables(8, 49_000))) },
		"values over labels":      func() []byte { return armed(over(300, tables(8, 49_000))) },
		"operands through blocks": thousand(times(450, typed(0x02, Const(0), brNot, Drop))),
		"operands to labels":      thousand(typed(0x02, Const(0), brTable(1800, 0))),
		"operands past branches":  thousand(typed(0x02, times(1800, brNot))),
		"operands over calls":     thousand(times(900, Call(1))),
		"operands over indirect":  thousand(times(900, Const(0), []byte{0x11, 1, 0})),
		"operands from returns":   thousand(times(600, Const(0), typed(0x04, []byte{0x0f}))),
		"values over calls":       func() []byte { return armed(over(20_000, times(9000, Call(0)))) },
		"values over loops":       func() []byte { return armed(over(20_000, times(3000, Loop()))) },
		"values over accesses":    func() []byte { return armed(over(20_000, times(9000, Const(0), Load, Drop))) },
		"addresses kept at branches": func() []byte {
			return armed(Func{Body: Cat(times(20_000, Const(0), Load, Drop), times(10_000, brNot))})
		},
	}
}

// joined merge locals where control flow meets, or look for them along it.
func joined() map[string]func() []byte {
	increments := func(locals int) (b []byte) {
		for l := range locals {
			b = Cat(b, LocalGet(l), Const(1), Add, LocalSet(l))
		}
		return b
	}
	locals := func(n int, code ...[]byte) func() []byte {
		return func() []byte { return armed(Func{Locals: ints(n), Body: Cat(code...)}) }
	}
	return map[string]func() []byte{
		"locals merged in loops":    locals(3000, times(1000, []byte{0x03, 0x40}), increments(3000), times(1000, Const(0), BrIf(0), end)),
		"locals merged in ifs":      locals(1000, increments(1000), times(10_000, ifThen)),
		"locals in nested blocks":   locals(1000, times(4900, block), increments(1000), times(4900, brNot, end)),
		"locals looked for":         locals(500, block, times(5000, LocalGet(0), BrIf(0)), end),
		"a local looked for":        locals(1, times(15_000, brNot), times(300_000, LocalGet(0), Drop)),
		"blocks within blocks":      locals(0, times(99_000, block), times(99_000, brNot, end)),
		"loops in a row":            locals(0, times(100_000, Loop())),
		"branches in a row":         locals(0, times(500_000, brNot)),
		"many labels":               locals(0, times(40, block, Const(0), brTable(200_000, 0), end)),
		"globals loaded from calls": func() []byte { return globals(9_990, 9000) },
	}
}

// globals is a module of mutable globals and calls, after each of which those are
// loaded anew.
func globals(n, calls int) []byte {
	m := Module{MinPages: 1, MutableGlobals: n, Funcs: []Func{{Export: "_start"}, {Body: times(calls, Call(0))}}}
	return m.Bytes()
}

// repeated are few bytes, or few kinds of instruction, that become much.
func repeated() map[string]func() []byte {
	many := func(n int, f Func) func() []byte {
		return func() []byte { return armed(slices.Repeat([]Func{f}, n)...) }
	}
	body := func(n int, code ...[]byte) Func { return Func{Locals: []byte{I32, I64, F64}, Body: times(n, code...)} }
	min64 := Func{Params: []byte{F64, F64}, Results: []byte{F64}, Body: Cat(LocalGet(0), times(8000, LocalGet(1), []byte{0xa4}))}
	return map[string]func() []byte{
		// The first is one if NaNs are made canonical.
		"canonical NaNs":      many(700, min64),
		"conversions":         many(50, body(40_000, Const64(0), []byte{0xba}, Drop)),
		"truncations":         many(1, body(60_000, LocalGet(2), []byte{0xaa}, Drop)),
		"loads":               many(1, body(300_000, Const(0), Load, Drop)),
		"divisions":           many(1, body(300_000, LocalGet(0), LocalGet(0), DivS, Drop)),
		"indirect calls":      many(1, body(300_000, Const(0), []byte{0x11, 0, 0})),
		"fills":               many(1, body(20_000, Const(0), Const(0), Const(0), MemoryFill)),
		"copies":              many(1, body(20_000, Const(0), Const(0), Const(0), MemoryCopy)),
		"fills of tables":     many(1, body(8000, Const(0), RefNullFunc, Const(0), TableFill)),
		"growths":             many(1, body(20_000, Const(0), MemoryGrow, Drop)),
		"functions and types": many(99_000, Func{}),
	}
}
