package rewrite

// One memory.fill or memory.copy over 4 GiB takes seconds, during which no tick
// would come. So a length that the gas at hand pays for is done at once, and any
// other in pieces by a function that is added behind all of the module's own: it
// charges each piece before it is done, and ticks where that made the counter
// negative. What a guest is stopped in is then partly done. A length that is done
// at once costs no more branches than a charge does.
//
// No operand is renumbered for the added functions, and nothing of the original
// can name them: its indices are checked against its own functions. They have no
// name and are exported nowhere.

// pieceBytes is the length of a piece, a multiple of what a unit of gas pays for,
// so that the pieces cost together what the whole would.
const pieceBytes = 1 << 20

// pieceParams are the parameters of the added functions: those of the instruction.
func pieceParams() []byte { return []byte{typeI32, typeI32, typeI32} }

// Locals of the added functions.
const (
	pieceTo    = iota // first byte of the destination
	pieceFrom         // the value, or the first byte of the source
	pieceLeft         // how many bytes are left
	pieceLen          // of the piece that comes
	pieceCount        // how many there are
)

// pieceable writes memory.fill or memory.copy, which began at start.
func (w *rewriter) pieceable(start int, op byte) {
	w.beforeBulk(start)
	f := &w.function
	f.joins++ // an if with an else, in place of a block
	b := w.priceBulk(f.body, memoryShift)
	b = w.globalSet(append(b, opI64Sub), w.gas)
	b = w.globalGet(b, w.gas)
	b = append(b, opI64Const, 0, opI64GeS, opIf)
	b = appendSigned(b, int64(w.typeOf(pieceParams(), nil)))
	b = append(appendBulk(b, op), opElse, opCall)
	f.body = append(appendU32(b, w.pieceFunc(op)), opEnd)
	f.copied = w.r.at
}

// appendBulk appends the instruction itself.
func appendBulk(b []byte, op byte) []byte {
	if b = append(b, opMisc, op, 0); op == miscMemoryCopy {
		b = append(b, 0)
	}
	return b
}

// pieceFunc returns the index of the function that does op in pieces.
func (w *rewriter) pieceFunc(op byte) uint32 {
	first := w.renumber(uint32(len(w.funcs)))
	for i, p := range w.pieced {
		if p == op {
			return first + uint32(i)
		}
	}
	w.pieced = append(w.pieced, op)
	return first + uint32(len(w.pieced)-1)
}

// piecesOf appends the code entry of the function that does op in pieces. It is
// called with the operands of op and a negative counter, from which the whole
// length was taken.
func (w *rewriter) piecesOf(code []byte, op byte) []byte {
	b := []byte{1, pieceCount - pieceLen, typeI32}

	// What lies out of bounds does nothing but trap; until then the charge stands.
	b = outOfBounds(b, pieceTo)
	if op == miscMemoryCopy {
		b = append(outOfBounds(b, pieceFrom), opI32Or)
	}
	b = append(b, opIf, typeEmpty, opCall)
	b = appendU32(b, w.tickFunc)
	b = append(b, opLocalGet, pieceTo, opLocalGet, pieceFrom, opLocalGet, pieceLeft)
	b = append(appendBulk(b, op), opEnd)

	// The charge is given back, to be made piece by piece.
	b = w.globalGet(b, w.gas)
	b = append(b, opLocalGet, pieceLeft, opI64ExtendU, opI64Const, memoryShift, opI64ShrU, opI64Add)
	b = w.globalSet(b, w.gas)

	if op == miscMemoryFill {
		b = append(w.loopPieces(b, fillPiece), opEnd)
	} else {
		// A copy to higher addresses begins at the end, so that no piece writes over
		// what a later one reads; one to lower addresses at the start.
		b = append(b, opLocalGet, pieceTo, opLocalGet, pieceFrom, opI32GtU, opIf, typeEmpty)
		b = w.loopPieces(b, copyPieceBack)
		b = w.loopPieces(append(b, opElse), copyPiece)
		b = append(b, opEnd, opEnd)
	}
	return append(appendU32(code, uint32(len(b))), b...)
}

// outOfBounds appends: whether the operand's bytes reach beyond the memory, as an i32.
func outOfBounds(b []byte, operand byte) []byte {
	b = append(b, opLocalGet, operand, opI64ExtendU, opLocalGet, pieceLeft, opI64ExtendU, opI64Add)
	return append(b, opMemorySize, 0, opI64ExtendU, opI64Const, 16, opI64Shl, opI64GtU)
}

// loopPieces appends a loop that charges for the next piece and does it, until
// none is left. do takes the piece off what is left.
func (w *rewriter) loopPieces(b []byte, do func([]byte) []byte) []byte {
	size := func(b []byte) []byte { return appendSigned(append(b, opI32Const), w.piece) }
	b = append(b, opLoop, typeEmpty)
	b = size(append(b, opLocalGet, pieceLeft))
	b = size(append(b, opLocalGet, pieceLeft))
	b = append(b, opI32LtU, opSelect, opLocalSet, pieceLen)
	b = w.globalGet(b, w.gas)
	b = append(b, opLocalGet, pieceLen, opI64ExtendU, opI64Const, memoryShift, opI64ShrU)
	b = do(w.settle(b))
	return append(b, opLocalGet, pieceLeft, opBrIf, 0, opEnd)
}

// fillPiece appends: fill the next piece.
func fillPiece(b []byte) []byte {
	b = append(b, opLocalGet, pieceTo, opLocalGet, pieceFrom, opLocalGet, pieceLen)
	b = advance(appendBulk(b, miscMemoryFill), pieceTo)
	return shorten(b)
}

// copyPiece appends: copy the piece at the start.
func copyPiece(b []byte) []byte {
	b = append(b, opLocalGet, pieceTo, opLocalGet, pieceFrom, opLocalGet, pieceLen)
	b = advance(appendBulk(b, miscMemoryCopy), pieceTo)
	return shorten(advance(b, pieceFrom))
}

// copyPieceBack appends: copy the piece at the end.
func copyPieceBack(b []byte) []byte {
	b = shorten(b)
	for _, operand := range []byte{pieceTo, pieceFrom} {
		b = append(b, opLocalGet, operand, opLocalGet, pieceLeft, opI32Add)
	}
	return appendBulk(append(b, opLocalGet, pieceLen), miscMemoryCopy)
}

func advance(b []byte, operand byte) []byte {
	return append(b, opLocalGet, operand, opLocalGet, pieceLen, opI32Add, opLocalSet, operand)
}

func shorten(b []byte) []byte {
	return append(b, opLocalGet, pieceLeft, opLocalGet, pieceLen, opI32Sub, opLocalSet, pieceLeft)
}
