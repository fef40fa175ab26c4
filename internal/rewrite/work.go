package rewrite

// What the compiler spends beyond time linear in a function's size, in units of
// some 15 ns. Each was measured on functions written to cost the most: a few
// kilobytes that nest blocks, merge many locals, follow one another in thousands,
// pass many operands on, or call among thousands of globals would otherwise compile
// for minutes, and a compilation cannot be stopped within a function. Real programs
// (CPython, Ruby, PHP, goja) stay below half of the default caps, compilers (clang,
// wasm-ld) within them.
const (
	workJoins  = 2   // for each pair of joins
	workLoops  = 12  // for each pair of loops
	workDepth  = 32  // for each block, times its depth
	workLabel  = 650 // for each label of a br_table
	workReload = 50  // for each mutable global, at each call
	workPass   = 150 // for each operand that is passed on
	workWalk   = 1   // for each block that a variable is looked for in
	workKept   = 2   // for each address that is kept
	workType   = 1   // for each type of the module, at each function: all are looked through
)

// work estimates those costs for the function; mutable is the number of mutable
// globals, which the compiler plans to load anew after each call, injected ones
// included.
func (f *function) work(mutable int) int64 {
	joins, locals, loops := int64(f.joins), int64(f.nlocals), int64(len(f.regions)-1+f.fills)
	forks := joins + int64(f.splits)/2           // measured: a branch costs half as much
	calls := int64(f.calls + len(f.regions) + 1) // one more for depth
	return joins*locals*locals + workJoins*forks*forks + workLoops*loops*loops +
		workDepth*int64(f.depths) + workLabel*int64(f.labels) + workReload*calls*int64(mutable) +
		workPass*f.passed + workWalk*f.walked + workKept*f.kept
}

// overworked refuses the function once its work passes the cap.
func (f *function) overworked(mutable int, limit int64) bool {
	work := f.work(mutable)
	if work > limit {
		f.r.over("work for the compiler in one function", uint64(work), limit)
	}
	return work > limit
}

// spaceOf estimates the memory, in bytes, that the compiler takes for an
// instruction while it compiles the function it is in. It lays each out anew as
// several of its own, and one that may trap gets a block and an exit of its
// own, so a function of nothing else takes thousands of times its size. Measured
// on functions of one kind of instruction; the largest functions of real
// programs (CPython, Ruby, PHP) stay below a quarter of the default cap.
func spaceOf(op byte, kind imm) int {
	switch {
	case kind == immMemArg:
		return 4_800
	case op >= 0xa8 && op <= 0xb1: // truncations and conversions
		return 7_400
	case op >= 0x6d && op <= 0x70, op >= 0x7f && op <= 0x82: // divisions
		return 7_400
	case kind == immCall, kind == immCallIndirect:
		return 4_800
	case kind == immTable, kind == immMemGrow, kind == immMisc:
		return 7_400
	case kind == immVector:
		return 2_400
	}
	return 200
}

// nativeOf estimates the machine code, in bytes, that an instruction becomes.
// Few bytes of a module can become forty times as many, which the compiler holds
// twice before the last function is done. Measured on functions of one kind of
// instruction on amd64, with room for operands that are kept on the stack. The
// code of real programs is a third of the estimate.
func nativeOf(op byte, kind imm) int {
	switch {
	case kind == immMemArg:
		return 88
	case op >= 0xa8 && op <= 0xbf: // truncations, conversions
		return 240
	case op >= 0x6d && op <= 0x70, op >= 0x7f && op <= 0x82: // divisions
		return 144
	case kind == immCall:
		return 48
	case kind == immCallIndirect:
		return 264
	case kind == immTable:
		return 72
	case kind == immMemGrow:
		return 128
	case kind == immMisc:
		return 352
	case kind == immVector:
		return 96
	case op == opLoop:
		return 96
	}
	return 24
}

const (
	nativeFunction = 192 // for each function: what it does on entry and on return
	nativeValue    = 20  // for each operand that is passed on
	nativeRefusal  = 96  // for what remembers that a table was not let grow
	nativeLabel    = 8   // for each label of a br_table
)

// Memory, in bytes, that the compiler takes for each operand that is passed on, and
// for each address that is kept; passedBytes is what one may take of a frame.
const (
	spacePassed = 400
	spaceKept   = 32
	passedBytes = 16
)
