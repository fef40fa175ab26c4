package rewrite

import (
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/forgeone/forgeone/abi"
)

// quoted is a name of the module for a message: escaped, and cut where it is long.
func quoted(name string) string {
	const most = 80
	if len(name) <= most {
		return strconv.Quote(name)
	}
	cut := most
	for !utf8.RuneStart(name[cut]) {
		cut--
	}
	return fmt.Sprintf("%q and %d bytes more", name[:cut], len(name)-cut)
}

// reader reads a module's bytes between at and end. The first failure sticks:
// it moves at to end, and every later read answers zero, so that callers check
// err once per item rather than once per byte.
type reader struct {
	b       []byte
	at, end int
	section string
	err     *abi.Error
}

// sub returns a reader of the next n bytes, which r then skips.
func (r *reader) sub(n uint32) reader {
	s := reader{b: r.b, at: r.at, end: r.at, section: r.section}
	if r.has(uint64(n)) {
		s.end += int(n)
		r.at = s.end
	}
	s.err = r.err
	return s
}

func (r *reader) left() int { return r.end - r.at }

// has fails unless n more bytes are there.
func (r *reader) has(n uint64) bool {
	if uint64(r.end-r.at) < n {
		r.malformed("unexpected end: %d more bytes needed, %d left", n, r.end-r.at)
		return false
	}
	return true
}

// fail records the first failure, found before the byte at.
func (r *reader) fail(code abi.Code, hint, format string, args ...any) {
	if r.err == nil {
		r.err = &abi.Error{Code: code, What: fmt.Sprintf(format, args...), Where: fmt.Sprintf("%s at byte %d", r.section, r.at), Hint: hint}
	}
	r.at = r.end
}

func (r *reader) malformed(format string, args ...any) {
	r.fail(abi.CodeModuleMalformed, "get the module again, or build it with a current toolchain: wasm-tools validate MODULE.wasm tells more", "malformed module: "+format, args...)
}

func (r *reader) byte() byte {
	if r.at >= r.end {
		r.has(1)
		return 0
	}
	c := r.b[r.at]
	r.at++
	return c
}

func (r *reader) skip(n int) {
	if r.has(uint64(n)) {
		r.at += n
	}
}

// bytes returns the next n bytes; they alias the module.
func (r *reader) bytes(n uint32) []byte {
	if !r.has(uint64(n)) {
		return nil
	}
	p := r.b[r.at : r.at+int(n)]
	r.at += int(n)
	return p
}

// u32 reads an unsigned LEB128 of 32 bits: at most 5 bytes, no bits beyond 32.
func (r *reader) u32() uint32 {
	if r.at < r.end && r.b[r.at] < 0x80 {
		v := r.b[r.at]
		r.at++
		return uint32(v)
	}
	var v uint32
	for shift := 0; shift < 35; shift += 7 {
		c := r.byte()
		if r.err != nil {
			return 0
		}
		if shift == 28 && c > 0x0f {
			break
		}
		v |= uint32(c&0x7f) << shift
		if c < 0x80 {
			return v
		}
	}
	r.malformed("integer does not fit 32 bits")
	return 0
}

// signed reads a signed LEB128 of the given width: no more bytes than it
// needs at most, unused bits equal to the sign.
func (r *reader) signed(bits int) int64 {
	var v int64
	for shift := 0; shift < bits; shift += 7 {
		c := r.byte()
		if r.err != nil {
			return 0
		}
		v |= int64(c&0x7f) << shift
		if rest := bits - shift; rest < 7 {
			// The last byte: bits beyond the width repeat the sign bit.
			top := int8(c<<1) >> rest
			if c >= 0x80 || (top != 0 && top != -1) {
				break
			}
		}
		if c < 0x80 {
			if shift+7 < 64 && c&0x40 != 0 {
				v |= -1 << (shift + 7)
			}
			return v
		}
	}
	r.malformed("integer does not fit %d bits", bits)
	return 0
}

// name reads a UTF-8 name.
func (r *reader) name() string { return string(r.nameBytes()) }

// nameBytes reads a UTF-8 name; it aliases the module.
func (r *reader) nameBytes() []byte {
	p := r.bytes(r.u32())
	if !utf8.Valid(p) {
		r.malformed("name is not UTF-8")
		return nil
	}
	return p
}

// count reads a vector's length: with the before that were read elsewhere at most
// what the limit admits, and no more than the bytes left can hold at size bytes an
// entry.
func (m *module) count(r *reader, l limit, before, size int) int {
	n := r.u32()
	if r.err == nil {
		m.use(r, l, uint64(n)+uint64(before))
	}
	if !r.fit(n, size) {
		r.malformed("%d %s announced, %d bytes left", n, bounds()[l].what, r.left())
		return 0
	}
	return int(n)
}

// vector reads the length of a vector that no limit counts: no more than the bytes
// left can hold at size bytes an entry.
func (r *reader) vector(what string, size int) int {
	n := r.u32()
	if !r.fit(n, size) {
		r.malformed("%d %s announced, %d bytes left", n, what, r.left())
		return 0
	}
	return int(n)
}

// fit tells whether nothing failed and the bytes left can hold n entries of size
// bytes each.
func (r *reader) fit(n uint32, size int) bool {
	return r.err == nil && uint64(n)*uint64(size) <= uint64(r.left())
}

// index reads an index into a space of n entries.
func (r *reader) index(what string, n int) uint32 {
	at := r.at
	i := r.u32()
	if r.err == nil && uint64(i) >= uint64(n) {
		r.at = at
		r.malformed("%s %d does not exist: there are %d", what, i, n)
		return 0
	}
	return i
}

// done fails unless everything was read.
func (r *reader) done() {
	if r.err == nil && r.at != r.end {
		r.malformed("%d bytes too many", r.end-r.at)
	}
}

// isValueType tells whether c is a value type of core 2.0.
func isValueType(c byte) bool {
	switch c {
	case typeI32, typeI64, typeF32, typeF64, typeV128, typeFuncref, typeExternref:
		return true
	}
	return false
}

// valueType reads a value type.
func (r *reader) valueType() byte {
	c := r.byte()
	if r.err != nil || isValueType(c) {
		return c
	}
	r.at--
	r.badType(c)
	return 0
}

// refType reads a reference type.
func (r *reader) refType() byte {
	c := r.byte()
	if r.err != nil || c == typeFuncref || c == typeExternref {
		return c
	}
	r.at--
	r.badType(c)
	return 0
}

// badType refuses a byte that is no type, and says so where a proposal has one.
func (r *reader) badType(c byte) {
	switch c {
	case 0x63, 0x64:
		r.unsupported(featFuncRefs)
	case 0x69:
		r.unsupported(featExceptions)
	case 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x71, 0x72, 0x73:
		r.unsupported(featGC)
	default:
		r.malformed("no type of values is %#02x", c)
	}
}
