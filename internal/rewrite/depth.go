package rewrite

// The compiler keeps a guest's frames in a Go slice that it doubles and copies,
// and that it refuses to grow only beyond 50,000,000 bytes. How large a frame is
// depends on the architecture and on what its register allocator does: from some
// 50 bytes to tens of thousands, and a function can be written to need millions.
// No estimate made here is both safe and just to real programs, whose largest
// functions need a fiftieth of what they might.
//
// So two things are counted on every call of a function that calls in turn, both
// in one i32. Nested calls, exactly: their limit is the same on every machine.
// And a bound on the bytes of stack, not to limit anything, but to know when to
// look: wherever the sum passes a multiple of probeBytes, up only, the guest calls
// probe, and the host, which can measure the stack, decides. Between two looks the
// stack grows by probeBytes and one frame at most. It calls probe after memory.grow
// too, so that the host can hold stack and memory against one limit.
//
//	bits  0–17  nested calls, from 1<<18-1-limit up, so that
//	bit     18  is set by the first call too many
//	bits 19–31  the sum of the frames' bounds in units of frameUnit; bit 31 changes
//	            at each multiple of probeBytes
const (
	depthBits = 18
	depthFlag = 1 << depthBits
	// maxNested is the most that nested calls can be limited to. Go guests need the
	// limit high: each of their calls is one call here, and nothing else bounds
	// recursion in Go but their own stack in linear memory (a JSON document nested
	// 10,000 levels deep takes more than 20,000 calls).
	maxNested    = depthFlag - 1
	defaultDepth = 240_000

	frameUnit  = 512
	probeBytes = 2 << 20
	probeFlag  = 1 << 31
	// frameBytes is what every frame has: return address, frame pointer, what the
	// compiler keeps of its own.
	frameBytes = 128
)

// TooDeep tells from a guest's depth counter, whose probe was called, whether its
// calls nest too deep.
func TooDeep(depth uint32) bool { return depth&depthFlag != 0 }

// depthStart is where the depth counter begins.
func (w *rewriter) depthStart() int32 {
	return int32(maxNested - min(w.caps.Depth, maxNested))
}

// depthStep is what a call of the function adds to the depth counter. A frame
// keeps at most each value that an instruction makes, with the address if it
// accesses memory, each variable once, and once more wherever control flow meets,
// what each call may have changed, and room for what one call takes and gives. A
// place in it is never used twice.
func (w *rewriter) depthStep() int32 {
	changed := 8 * uint64(w.mutable+2) // globals, the address and the length of memory
	bytes := frameBytes + w.values + (w.localBytes+2*changed)*uint64(1+w.joins) + changed*uint64(w.calls+len(w.regions)) + callBytes*uint64(w.handed)
	return int32(uint32(1 + min(1+bytes/frameUnit, probeBytes/frameUnit)<<(depthBits+1)))
}

const (
	// callBytes is what a call may need of the stack for each value that it hands
	// over: a vector's bytes.
	callBytes = 16
	// passedBytes is what an operand that is passed on needs of it.
	passedBytes = 16
	// accessBytes is what an access to memory makes besides its value, and keeps for
	// the next to the same place: an address, and what it is made of.
	accessBytes = 24
)

// sizeOf is what a value of a type needs of the stack.
func sizeOf(typ byte) uint64 {
	if typ == typeV128 {
		return 16
	}
	return 8
}

// enter appends: count the call, and call probe if it is one too many, or if the
// sum of the frames passed a multiple of probeBytes.
func (w *rewriter) enter(b []byte, step int32) []byte {
	b = w.globalSet(w.counted(b, step, opI32Add), w.depth)
	b = append(b, opBlock, typeEmpty)
	b = w.globalGet(w.counted(b, step, opI32Sub), w.depth)
	b = append(b, opI32Xor, opI32Const)
	b = appendSigned(b, int64(probeMask))
	b = append(b, opI32And, opI32Eqz, opBrIf, 0, opCall)
	b = appendU32(b, w.probeFunc)
	return append(b, opEnd)
}

// probeMask has the bits that a call changes when it is to be looked at.
const probeMask = -probeFlag | depthFlag

// leave appends: count the call as done.
func (w *rewriter) leave(b []byte, step int32) []byte {
	return w.globalSet(w.counted(b, step, opI32Sub), w.depth)
}

// counted appends: the depth counter and step, joined by op.
func (w *rewriter) counted(b []byte, step int32, op byte) []byte {
	b = append(w.globalGet(b, w.depth), opI32Const)
	return append(appendSigned(b, int64(step)), op)
}
