package rewrite

import "slices"

// A tiny assembler: modules byte by byte.

const (
	i32   = typeI32
	i64   = typeI64
	f64   = typeF64
	v128  = typeV128
	empty = typeEmpty
)

func u32(n uint32) []byte { return appendU32(nil, n) }

// cat joins bytes given as byte, int (one byte), string (a name) or []byte.
func cat(parts ...any) []byte {
	var b []byte
	for _, p := range parts {
		switch p := p.(type) {
		case byte:
			b = append(b, p)
		case int:
			if p < 0 || p > 255 {
				panic("not a byte")
			}
			b = append(b, byte(p))
		case string:
			b = appendString(b, p)
		case []byte:
			b = append(b, p...)
		default:
			panic("cat: unknown part")
		}
	}
	return b
}

// vec is a vector: the count, then the entries.
func vec(entries ...[]byte) []byte {
	return append(u32(uint32(len(entries))), slices.Concat(entries...)...)
}

func section(id byte, content ...any) []byte { return appendSection(nil, id, cat(content...)) }

func sections(s ...[]byte) []byte {
	return append([]byte("\x00asm\x01\x00\x00\x00"), slices.Concat(s...)...)
}

func functype(params, results []byte) []byte {
	return cat(typeFunc, u32(uint32(len(params))), params, u32(uint32(len(results))), results)
}

// code is an entry of the code section: groups of locals (count, type), code.
func code(locals [][]byte, instrs ...any) []byte {
	b := append(vec(locals...), append(cat(instrs...), opEnd)...)
	return append(u32(uint32(len(b))), b...)
}

func groups(pairs ...byte) [][]byte {
	var g [][]byte
	for i := 0; i < len(pairs); i += 2 {
		g = append(g, pairs[i:i+2])
	}
	return g
}

func export(name string, kind byte, index uint32) []byte { return cat(name, kind, u32(index)) }

// one is a module with a single function "f" of the given type, a memory of two
// pages, a table of two functions and two globals.
func one(params, results []byte, locals [][]byte, instrs ...any) []byte {
	return sections(
		section(secType, vec(functype(params, results))),
		section(secFunction, vec(u32(0))),
		section(secTable, vec(cat(typeFuncref, 0, 2))),
		section(secMemory, vec(cat(1, 2, 16))),
		section(secGlobal, vec(cat(i32, 1, opI32Const, 7, opEnd), cat(i64, 0, opI64Const, 9, opEnd))),
		section(secExport, vec(export("f", KindFunc, 0), export("memory", KindMemory, 0))),
		section(secElement, vec(cat(0, opI32Const, 0, opEnd, vec(u32(0))))),
		section(secCode, vec(code(locals, instrs...))),
	)
}
