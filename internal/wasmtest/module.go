// Package wasmtest writes small WebAssembly modules by hand, for tests of the
// edges that compilers don't make. Nothing but tests imports it.
package wasmtest

import "slices"

// Value types.
const (
	I32 byte = 0x7f
	I64 byte = 0x7e
	F64 byte = 0x7c
)

// Import is an imported function of WASI preview 1.
type Import struct {
	Name            string
	Params, Results []byte
}

// Func is a defined function. Body has no final end.
type Func struct {
	Params, Results []byte
	Locals          []byte // one type a local
	Body            []byte
	Export          string
}

// Module is a module under construction. Functions are numbered imports first.
type Module struct {
	Imports        []Import
	Funcs          []Func
	MinPages       int // 0: no memory
	MaxPages       int // 0: none
	Data           []Data
	MutableGlobals int // i64 globals, initially 0
	Table          int // elements of a table of functions, 0: no table
	Elements       int // so many of Funcs, from the first on, are in the table
	Start          int // the function, numbered from 1, that the start section names; 0: none
}

// Data is an active data segment.
type Data struct {
	Offset int
	Bytes  []byte
}

// U is an unsigned LEB128 number, S a signed one.
func U(v uint64) (b []byte) {
	for {
		c := byte(v & 0x7f)
		if v >>= 7; v == 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

// S is a signed LEB128 number.
func S(v int64) (b []byte) {
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if (v == 0 && c&0x40 == 0) || (v == -1 && c&0x40 != 0) {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

// Cat joins pieces of code.
func Cat(parts ...[]byte) []byte { return slices.Concat(parts...) }

// Instructions.
func Const(v int32) []byte       { return Cat([]byte{0x41}, S(int64(v))) }
func Const64(v int64) []byte     { return Cat([]byte{0x42}, S(v)) }
func Call(f int) []byte          { return Cat([]byte{0x10}, U(uint64(f))) }
func LocalGet(i int) []byte      { return Cat([]byte{0x20}, U(uint64(i))) }
func LocalSet(i int) []byte      { return Cat([]byte{0x21}, U(uint64(i))) }
func GlobalSet(i int) []byte     { return Cat([]byte{0x24}, U(uint64(i))) }
func Br(depth int) []byte        { return Cat([]byte{0x0c}, U(uint64(depth))) }
func BrIf(depth int) []byte      { return Cat([]byte{0x0d}, U(uint64(depth))) }
func Loop(body ...[]byte) []byte { return Cat([]byte{0x03, 0x40}, Cat(body...), []byte{0x0b}) }

// Instructions without immediates.
var (
	Drop        = []byte{0x1a}
	Add         = []byte{0x6a}
	Sub         = []byte{0x6b}
	Unreachable = []byte{0x00}
	MemoryGrow  = []byte{0x40, 0x00}
	MemoryFill  = []byte{0xfc, 0x0b, 0x00}
	MemoryCopy  = []byte{0xfc, 0x0a, 0x00, 0x00}
	TableGrow   = []byte{0xfc, 0x0f, 0x00}
	TableFill   = []byte{0xfc, 0x11, 0x00}
	RefNullFunc = []byte{0xd0, 0x70}
	Load        = []byte{0x28, 2, 0}
	Store       = []byte{0x36, 2, 0}
	DivS        = []byte{0x6d}
)

func vec(items [][]byte) []byte { return Cat(U(uint64(len(items))), Cat(items...)) }

func str(s string) []byte { return Cat(U(uint64(len(s))), []byte(s)) }

func section(id byte, b []byte) []byte { return Cat([]byte{id}, U(uint64(len(b))), b) }

// Bytes encodes the module. Memory, if there is one, is exported as "memory".
func (m Module) Bytes() []byte {
	var types, imports, funcs, exports, code, data, globals [][]byte
	sig := func(params, results []byte) []byte {
		types = append(types, Cat([]byte{0x60}, U(uint64(len(params))), params, U(uint64(len(results))), results))
		return U(uint64(len(types) - 1))
	}
	for _, i := range m.Imports {
		imports = append(imports, Cat(str("wasi_snapshot_preview1"), str(i.Name), []byte{0}, sig(i.Params, i.Results)))
	}
	for n, f := range m.Funcs {
		funcs = append(funcs, sig(f.Params, f.Results))
		if f.Export != "" {
			exports = append(exports, Cat(str(f.Export), []byte{0}, U(uint64(len(m.Imports)+n))))
		}
		var locals [][]byte
		for _, t := range f.Locals {
			locals = append(locals, []byte{1, t})
		}
		body := Cat(vec(locals), f.Body, []byte{0x0b})
		code = append(code, Cat(U(uint64(len(body))), body))
	}
	out := []byte("\x00asm\x01\x00\x00\x00")
	out = append(out, section(1, vec(types))...)
	out = append(out, section(2, vec(imports))...)
	out = append(out, section(3, vec(funcs))...)
	if m.Table > 0 {
		out = append(out, section(4, vec([][]byte{Cat([]byte{0x70, 0}, U(uint64(m.Table)))}))...)
	}
	if m.MinPages > 0 {
		mem := Cat([]byte{0}, U(uint64(m.MinPages)))
		if m.MaxPages > 0 {
			mem = Cat([]byte{1}, U(uint64(m.MinPages)), U(uint64(m.MaxPages)))
		}
		out = append(out, section(5, vec([][]byte{mem}))...)
		exports = append(exports, Cat(str("memory"), []byte{2, 0}))
	}
	for range m.MutableGlobals {
		globals = append(globals, []byte{I64, 1, 0x42, 0, 0x0b})
	}
	out = append(out, section(6, vec(globals))...)
	out = append(out, section(7, vec(exports))...)
	if m.Start > 0 {
		out = append(out, section(8, U(uint64(len(m.Imports)+m.Start-1)))...)
	}
	if m.Elements > 0 {
		elements := make([][]byte, m.Elements)
		for n := range elements {
			elements[n] = U(uint64(len(m.Imports) + n))
		}
		out = append(out, section(9, vec([][]byte{Cat([]byte{0}, Const(0), []byte{0x0b}, vec(elements))}))...)
	}
	out = append(out, section(10, vec(code))...)
	for _, d := range m.Data {
		data = append(data, Cat([]byte{0}, Const(int32(d.Offset)), []byte{0x0b}, U(uint64(len(d.Bytes))), d.Bytes))
	}
	return append(out, section(11, vec(data))...)
}
