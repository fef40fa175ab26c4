package wasmtest

import "encoding/binary"

// Signatures of imports that the guests use.
var (
	FdWrite  = Import{"fd_write", []byte{I32, I32, I32, I32}, []byte{I32}}
	FdRead   = Import{"fd_read", []byte{I32, I32, I32, I32}, []byte{I32}}
	ProcExit = Import{"proc_exit", []byte{I32}, nil}
	PathOpen = Import{"path_open", []byte{I32, I32, I32, I32, I32, I64, I64, I32, I32}, []byte{I32}}
	Poll     = Import{"poll_oneoff", []byte{I32, I32, I32, I32}, []byte{I32}}
	Random   = Import{"random_get", []byte{I32, I32}, []byte{I32}}
	Yield    = Import{"sched_yield", nil, []byte{I32}}
)

// Guests are modules for the edges, by name. Each exports _start and memory.
func Guests() map[string][]byte {
	start := func(m Module, body ...[]byte) []byte {
		if m.MinPages == 0 {
			m.MinPages = 1
		}
		m.Funcs = append([]Func{{Export: "_start", Locals: []byte{I32, I32}, Body: Cat(body...)}}, m.Funcs...)
		return m.Bytes()
	}
	return map[string][]byte{
		// hello writes a line, reads a kilobyte of randomness into memory, ends.
		"hello": start(Module{Imports: []Import{FdWrite, Random}, Data: text("hello by hand\n"), MutableGlobals: 1},
			write(0, 1, 14), Const(4096), Const(64), Call(1), Drop, Const64(42), GlobalSet(0)),
		"loop":    start(Module{}, Loop(Br(0))),
		"recurse": start(Module{Funcs: []Func{{Body: Call(1)}}}, Call(1)),
		"trap":    start(Module{}, Unreachable),
		"divide":  start(Module{}, Const(1), Const(0), DivS, Drop),
		"bounds":  start(Module{}, Const(-4), Load, Drop),
		"exit":    start(Module{Imports: []Import{ProcExit}}, Const(7), Call(0)),
		"exit200": start(Module{Imports: []Import{ProcExit}}, Const(200), Call(0)),
		// grow asks for a page until it gets none, then ends with their number.
		"grow": start(Module{Imports: []Import{ProcExit}},
			Loop(Const(1), MemoryGrow, LocalSet(0), LocalGet(0), Const(-1), []byte{0x47}, BrIf(0)), // i32.ne
			Const(0), MemoryGrow, Call(0)),
		// growtable asks for two million elements in vain, then for five, and exits
		// with how many there were before: 10.
		"growtable": start(Module{Imports: []Import{ProcExit}, Table: 10},
			RefNullFunc, Const(2_000_000), TableGrow, LocalSet(0), RefNullFunc, Const(5), TableGrow, Call(0)),
		// fill fills 64 KiB for ever: bulk operations must cost fuel.
		"fill": start(Module{}, Loop(Const(0), Const(1), Const(65536), MemoryFill, Br(0))),
		// deny opens /secret a hundred times.
		"deny": start(Module{Imports: []Import{PathOpen}, Data: []Data{{256, []byte("secret")}}},
			Const(100), LocalSet(0),
			Loop(Const(3), Const(0), Const(256), Const(6), Const(0), Const64(2), Const64(0), Const(0), Const(512), Call(0), Drop,
				LocalGet(0), Const(1), Sub, LocalSet(0), LocalGet(0), BrIf(0))),
		// sleep polls for a day.
		"sleep": start(Module{Imports: []Import{Poll}, Data: []Data{{0, subscription(24 * 3600e9)}}},
			Const(0), Const(256), Const(1), Const(512), Call(0), Drop),
		// stdin reads until it gets something.
		"stdin": start(Module{Imports: []Import{FdRead}, Data: []Data{{0, iovec(1024, 16)}}},
			Const(0), Const(0), Const(1), Const(512), Call(0), Drop),
		// yield makes calls for ever.
		"yield": start(Module{Imports: []Import{Yield}}, Loop(Call(0), Drop, Br(0))),
		// flood writes for ever.
		"flood": start(Module{Imports: []Import{FdWrite}, Data: text("x")},
			Loop(Const(0), Const(1024), Store, Const(4), Const(60000), Store, write(0, 1, 60000), Br(0))),
		// nomem has no memory; it yields and ends with 7.
		"nomem": Module{
			Imports: []Import{ProcExit, Yield},
			Funcs:   []Func{{Export: "_start", Body: Cat(Call(1), Drop, Const(7), Call(0))}},
		}.Bytes(),
		// nomem-random points into a memory that it does not have.
		"nomem-random": Module{
			Imports: []Import{ProcExit, Random},
			Funcs:   []Func{{Export: "_start", Body: Cat(Const(0), Const(8), Call(1), Call(0))}},
		}.Bytes(),
		// segment has a data segment that lies out of bounds.
		"segment": start(Module{Data: []Data{{65530, make([]byte, 100)}}}),
		// library exports no _start.
		"library": Module{Funcs: []Func{{Export: "run"}}}.Bytes(),
		// huge wants more memory than it is given.
		"huge": start(Module{MinPages: 8192}),
	}
}

// text puts an iovec at 0 that names the text, which lies at 1024.
func text(s string) []Data { return []Data{{0, iovec(1024, len(s))}, {1024, []byte(s)}} }

func iovec(ptr, n int) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(ptr))
	return binary.LittleEndian.AppendUint32(b, uint32(n))
}

// write calls fd_write, import number fn, with the iovec at 0, after setting
// its length to n.
func write(fn, fd, n int) []byte {
	return Cat(Const(4), Const(int32(n)), Store, Const(int32(fd)), Const(0), Const(1), Const(512), Call(fn), Drop)
}

// subscription is one to the monotonic clock, ns from now.
func subscription(ns uint64) []byte {
	b := make([]byte, 48)
	binary.LittleEndian.PutUint32(b[16:], 1)
	binary.LittleEndian.PutUint64(b[24:], ns)
	return b
}
