package wasmtest

import (
	"bytes"
)

// Deep are modules that recurse and are written to take much of the engine's stack
// with each call, by name: each fills 16 MiB of memory, and then keeps values over the
// call in a way of its own.
func Deep() map[string][]byte {
	start := func(m Module, call int) []byte {
		m.MinPages = 250
		fill := Cat(Const(0), Const(1), Const(250<<16), MemoryFill)
		m.Funcs = append(m.Funcs, Func{Export: "_start", Body: Cat(fill, Call(call))})
		return m.Bytes()
	}
	load := func(i int) []byte { return Cat(Const(int32(4*i%(1<<16))), Load) }
	each := func(n int, f func(i int) []byte) (b []byte) {
		for i := range n {
			b = append(b, f(i)...)
		}
		return b
	}
	// operands keeps n operands over a call of function f.
	operands := func(n, f int) []byte {
		return Cat(Const(0), each(n, load), Call(f), bytes.Repeat(Add, n-1), Store)
	}
	// locals keeps n locals over a call of function f.
	locals := func(n, f int) []byte {
		return Cat(each(n, func(i int) []byte { return Cat(load(i), LocalSet(i)) }), Call(f),
			each(n, func(i int) []byte { return Cat(Const(int32(4*i)), LocalGet(i), Store) }))
	}
	// addresses stores through each of n locals twice, m times with other values: the
	// engine keeps the address from the first to the second.
	addresses := func(n, m, f int) []byte {
		set := func(i int) []byte { return Cat(Const(int32(4*i)), LocalSet(i)) }
		store := func(i int) []byte { return Cat(LocalGet(i), Const(1), Store) }
		return Cat(each(m, func(int) []byte { return Cat(each(n, set), each(n, store), each(n, store)) }), Call(f), store(0))
	}
	ints := func(n int) []byte { return bytes.Repeat([]byte{I32}, n) }
	// joins gives each of n locals another value on one of two ways, m times, and
	// keeps all that is so joined over the call: each is used after it.
	joins := func(n, m, f int) []byte {
		ifs := each(m, func(int) []byte {
			return Cat(load(0), []byte{0x04, 0x40}, each(n, func(i int) []byte { return Cat(load(i), LocalSet(i)) }), []byte{0x0b}, each(n, LocalGet))
		})
		return Cat(Const(0), ifs, Call(f), bytes.Repeat(Add, n*m-1), Store)
	}
	// light is a call of function f in a frame that is as small as can be.
	light := func(f int) Func { return Func{Body: Call(f)} }
	vectors := Cat(Const(0), each(1500, func(i int) []byte { return Cat(Const(int32(16*i)), []byte{0xfd, 0, 2, 0}) }), Call(0), bytes.Repeat([]byte{0xfd, 0xae, 1}, 1499), []byte{0xfd, 11, 2, 0})
	// borrower takes 22 MB of stack, and only then 56 MiB of memory.
	borrower := Module{MinPages: 1, Funcs: []Func{
		{Export: "_start", Body: Cat(Const(1800), Call(1))},
		{Params: []byte{I32}, Body: Cat(Const(0), each(3000, load), LocalGet(0), []byte{0x04, 0x40}, LocalGet(0), Const(1), Sub, Call(1), []byte{0x05},
			Const(900), MemoryGrow, Drop, Const(65536), Const(1), Const(900<<16), MemoryFill, []byte{0x0b}, bytes.Repeat(Add, 2999), Store)},
	}}
	many := ints(500)
	between := []Func{{Body: operands(2000, 1)}}
	for i := range 60 {
		between = append(between, light(i+2))
	}
	return map[string][]byte{
		"operands":  start(Module{Funcs: []Func{{Body: operands(3000, 0)}}}, 0),
		"locals":    start(Module{Funcs: []Func{{Locals: ints(1000), Body: locals(1000, 0)}}}, 0),
		"joins":     start(Module{Funcs: []Func{{Locals: ints(50), Body: joins(50, 50, 0)}}}, 0),
		"addresses": start(Module{Funcs: []Func{{Locals: ints(100), Body: addresses(100, 100, 0)}}}, 0),
		"vectors":   start(Module{Funcs: []Func{{Body: vectors}}}, 0),
		// handed gives and takes 500 values.
		"handed": start(Module{Funcs: []Func{
			{Params: many, Results: many, Body: Cat(each(500, LocalGet), Call(0))},
			{Body: Cat(each(500, load), Call(0), bytes.Repeat(Drop, 500))},
		}}, 1),
		// between has frames that are small pile up between large ones.
		"between":  start(Module{Funcs: append(between, light(0))}, 0),
		"borrower": borrower.Bytes(),
		// wide keeps ten times as many.
		"wide": start(Module{Funcs: []Func{{Body: operands(20_000, 0)}}}, 0),
	}
}
