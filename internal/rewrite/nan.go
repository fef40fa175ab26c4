package rewrite

import "encoding/binary"

// The specification leaves the bits of a NaN that an instruction computes to the
// machine (section 4.3.3): 0/0 is negative on amd64 and positive on arm64, and the
// engine's interpreter keeps other payloads than its compiler. Everything else a
// module computes is the same everywhere. With Caps.CanonicalNaN each such
// instruction is followed by a selection: the value, if it equals itself, else the
// positive quiet NaN without payload. This is one of the results that the
// specification allows in each case, so no program can tell but by its bits. Loads,
// stores, constants, negations and reinterpretations pass on what they were given;
// they stay as they are, because programs move other data through them.

// Bits of the canonical NaN.
const (
	canonicalF32 = 0x7fc00000
	canonicalF64 = 0x7ff8000000000000
)

// Instructions that canonicalising writes.
const (
	opF32Eq         = 0x5b
	opF64Eq         = 0x61
	vectorF32Eq     = 0x41
	vectorF64Eq     = 0x47
	vectorBitselect = 0x52
)

// Scratch locals, in the order in which they follow the function's own.
const (
	scratchI32 = iota
	scratchF32
	scratchF64
	scratchV128
)

// scratchTypes are the types of the scratch locals. It is an array's value and
// not a variable so that nobody can change it.
func scratchTypes() [4]byte { return [4]byte{typeI32, typeF32, typeF64, typeV128} }

// nanValues is what the values of a canonicalised instruction need of the stack
// beyond its own.
const nanValues = 24

// canonical notes an instruction that made a float of type typ, and canonicalises
// it if that is asked for and somebody could see its bits.
func (w *rewriter) canonical(typ byte) {
	w.info.Floats = true
	if !w.caps.CanonicalNaN || w.r.err != nil || w.consumed() {
		return
	}
	f := &w.function
	f.flush(w.r.at)
	b, eq := f.body, byte(opF64Eq)
	local := uint32(f.nlocals + scratchF64)
	if typ == typeF32 {
		eq, local = opF32Eq, uint32(f.nlocals+scratchF32)
		b = appendU32(append(b, opLocalTee), local)
		b = binary.LittleEndian.AppendUint32(append(b, opF32Const), canonicalF32)
	} else {
		b = appendU32(append(b, opLocalTee), local)
		b = binary.LittleEndian.AppendUint64(append(b, opF64Const), canonicalF64)
	}
	b = appendU32(append(b, opLocalGet), local)
	b = appendU32(append(b, opLocalGet), local)
	f.body = append(b, eq, opSelect)
	f.grown(int(local) - f.nlocals)
}

// canonicalLanes is canonical for a vector with lanes of type typ.
func (w *rewriter) canonicalLanes(typ byte) {
	w.info.Floats = true
	if !w.caps.CanonicalNaN || w.r.err != nil {
		return
	}
	f := &w.function
	f.flush(w.r.at)
	local := uint32(f.nlocals + scratchV128)
	b := appendU32(append(f.body, opLocalTee), local)
	b = append(b, opVector, vectorConst)
	eq := byte(vectorF64Eq)
	if typ == typeF32 {
		eq = vectorF32Eq
		for range 4 {
			b = binary.LittleEndian.AppendUint32(b, canonicalF32)
		}
	} else {
		for range 2 {
			b = binary.LittleEndian.AppendUint64(b, canonicalF64)
		}
	}
	b = appendU32(append(b, opLocalGet), local)
	b = appendU32(append(b, opLocalGet), local)
	f.body = append(b, opVector, eq, opVector, vectorBitselect)
	f.grown(scratchV128)
}

// grown accounts for a canonicalised instruction that used a scratch local.
func (f *function) grown(scratch int) {
	f.scratch = max(f.scratch, scratch+1)
	f.values += nanValues
}

// consumed tells whether the next instruction takes the float on top of the stack
// without letting its bits be seen: a computation whose own result is
// canonicalised, a comparison, a truncation, a drop.
func (w *rewriter) consumed() bool {
	r := w.r
	if r.left() < 2 { // what follows is the function's end
		return false
	}
	switch op := r.b[r.at]; {
	case w.ops[op].nan != 0:
		return true
	case op >= opF32Eq && op <= 0x66: // comparisons
		return true
	case op >= 0xa8 && op <= 0xab, op >= 0xae && op <= 0xb1: // truncations
		return true
	case op == opDrop:
		return true
	case op == opMisc:
		return r.b[r.at+1] < miscMemoryInit // saturating truncations
	}
	return false
}
