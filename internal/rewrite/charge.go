package rewrite

// Costs and rates. One unit of gas stands for one instruction.
const (
	// callCost is what a call costs besides its operands. It pays for the call
	// itself and for a small leaf, which charges nothing of its own.
	callCost = 8
	// leafFree is the cost up to which a function without calls, loops and bulk
	// operations charges nothing: it cannot repeat anything, so its work is at
	// most this much for each call, and each call is charged for.
	leafFree = 32
	// foldFree is the cost up to which the code around a function's first loop
	// is charged with that loop rather than by itself. It is added to each
	// round, so it must be small.
	foldFree = 24
	// A bulk operation costs a unit for 16 bytes: about the time of an
	// instruction.
	memoryShift = 4
	tableShift  = 1
	pageCost    = 1 << 16 >> memoryShift
)

// tick appends: charge cost, and call tick if that made the counter negative.
// The compiler keeps the counter's new value at hand between the set and the
// get, so this is one load, one subtraction, one store and one branch.
func (w *rewriter) tick(b []byte, cost int64) []byte {
	b = w.globalGet(b, w.gas)
	b = append(b, opI64Const)
	b = appendSigned(b, cost)
	return w.settle(b)
}

// tickPadded is tick with a cost that is not known yet, and the offset at which
// putPadded is to write it.
func (w *rewriter) tickPadded(b []byte) ([]byte, int) {
	b = w.globalGet(b, w.gas)
	b = append(b, opI64Const)
	at := len(b)
	b = append(b, make([]byte, paddedBytes)...)
	return w.settle(b), at
}

// settle appends: take the i64 on top from the i64 below it, which becomes the
// counter, and call tick if it is negative.
//
// The branch is taken where nothing is to be done. Of the forms that were
// measured (an if around the call, unreachable in its place, a counter in a
// local that is charged when it grows large) this was the fastest on most
// programs; on a loop of floats the local was.
func (w *rewriter) settle(b []byte) []byte {
	b = append(b, opI64Sub)
	b = w.globalSet(b, w.gas)
	b = append(b, opBlock, typeEmpty)
	b = w.globalGet(b, w.gas)
	b = append(b, opI64Const, 0, opI64GeS, opBrIf, 0, opCall)
	b = appendU32(b, w.tickFunc)
	return append(b, opEnd)
}

// chargeBulk appends: charge the i32 on top of the stack, which stays there, at
// a unit for 1<<shift of what it counts, and call tick if that made the counter
// negative.
func (w *rewriter) chargeBulk(b []byte, shift int64) []byte {
	return w.settle(w.priceBulk(b, shift))
}

// priceBulk appends: the counter, and above it what chargeBulk charges. The i32
// on top of the stack stays there, below those.
func (w *rewriter) priceBulk(b []byte, shift int64) []byte {
	scratch := uint32(w.nlocals + scratchI32)
	b = append(b, opLocalTee)
	b = appendU32(b, scratch)
	b = w.globalGet(b, w.gas)
	b = append(b, opLocalGet)
	b = appendU32(b, scratch)
	b = append(b, opI64ExtendU, opI64Const)
	b = appendSigned(b, shift)
	return append(b, opI64ShrU)
}

// chargeGrow appends: charge cost for each of the i32 on top of the stack, which
// stays there. More than limit cannot be granted, so no more is charged: asking
// for too much and being refused is cheap.
func (w *rewriter) chargeGrow(b []byte, limit uint32, cost int64) []byte {
	scratch := uint32(w.nlocals + scratchI32)
	both := func(b []byte) []byte {
		b = append(b, opLocalGet)
		b = appendU32(b, scratch)
		b = append(b, opI32Const)
		return appendSigned(b, int64(int32(limit)))
	}
	b = append(b, opLocalTee)
	b = appendU32(b, scratch)
	b = w.globalGet(b, w.gas)
	b = append(both(both(b)), opI32LtU, opSelect, opI64ExtendU, opI64Const)
	b = appendSigned(b, cost)
	b = append(b, opI64Mul)
	return w.settle(b)
}

func (w *rewriter) globalGet(b []byte, g uint32) []byte { return appendU32(append(b, opGlobalGet), g) }
func (w *rewriter) globalSet(b []byte, g uint32) []byte { return appendU32(append(b, opGlobalSet), g) }
