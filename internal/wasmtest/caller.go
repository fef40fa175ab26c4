package wasmtest

import (
	"encoding/binary"

	"github.com/forgeone/forgeone/abi"
)

// Step is a call that a guest made by Caller makes, with constants for its core
// parameters.
type Step struct {
	Num  abi.Num
	Args []int64
}

// Caller is a guest of calls.
type Caller struct {
	Pages int
	Data  []Data
	// Setup is called once, then Many so many times, then Loop for ever.
	Setup, Many, Loop []Step
	Times             int
	// Counter, if not 0, is where four letters stand that count the turns of Many, and
	// then those of Loop: a name that is new each time, for 65,536 times.
	Counter int
}

// Bytes encodes the guest.
func (c Caller) Bytes() []byte {
	m := Module{MinPages: max(1, c.Pages), Data: c.Data}
	numbers := map[abi.Num]int{}
	for _, list := range [][]Step{c.Setup, c.Many, c.Loop} {
		for _, s := range list {
			if _, known := numbers[s.Num]; known {
				continue
			}
			numbers[s.Num] = len(m.Imports)
			r := abi.Lookup(s.Num)
			in := Import{Name: r.Name}
			for _, t := range r.Core() {
				in.Params = append(in.Params, map[rune]byte{'i': I32, 'l': I64}[t])
			}
			if r.Returns() {
				in.Results = []byte{I32}
			}
			m.Imports = append(m.Imports, in)
		}
	}
	calls := func(list []Step) (code []byte) {
		for _, s := range list {
			r := abi.Lookup(s.Num)
			for i, t := range r.Core() {
				if t == 'l' {
					code = append(code, Const64(s.Args[i])...)
				} else {
					code = append(code, Const(int32(s.Args[i]))...)
				}
			}
			if code = append(code, Call(numbers[s.Num])...); r.Returns() {
				code = append(code, Drop...)
			}
		}
		return code
	}
	body := Cat(calls(c.Setup), Const(0), LocalSet(0))
	if c.Times > 0 {
		body = Cat(body, Loop(c.count(), calls(c.Many), LocalGet(0), Const(int32(c.Times)), ltU, BrIf(0)))
	}
	m.Funcs = []Func{{Export: "_start", Locals: []byte{I32}, Body: Cat(body, Loop(c.count(), calls(c.Loop), Br(0)))}}
	return m.Bytes()
}

// count writes the number of the turn, in letters, and counts it.
func (c Caller) count() []byte {
	code := Cat(LocalGet(0), Const(1), Add, LocalSet(0))
	if c.Counter == 0 {
		return code
	}
	for i := range 4 {
		code = Cat(code, Const(int32(c.Counter+i)), LocalGet(0), Const(int32(4*i)), shrU, Const(15), and, Const('a'), Add, store8)
	}
	return code
}

var (
	ltU    = []byte{0x49}
	shrU   = []byte{0x76}
	and    = []byte{0x71}
	store8 = []byte{0x3a, 0, 0}
)

// Words are little-endian u32s, for iovecs and their like.
func Words(w ...uint32) (b []byte) {
	for _, v := range w {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}
