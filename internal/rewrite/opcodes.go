package rewrite

// Value types of core 2.0, section 5.3.
const (
	typeI32       = 0x7f
	typeI64       = 0x7e
	typeF32       = 0x7d
	typeF64       = 0x7c
	typeV128      = 0x7b
	typeFuncref   = 0x70
	typeExternref = 0x6f
	typeFunc      = 0x60
	typeEmpty     = 0x40 // as a block type: no parameters, no results
)

// Instructions that the rewriting writes or must tell apart, section 5.4.
const (
	opBlock        = 0x02
	opLoop         = 0x03
	opIf           = 0x04
	opElse         = 0x05
	opEnd          = 0x0b
	opBr           = 0x0c
	opBrIf         = 0x0d
	opCall         = 0x10
	opLocalGet     = 0x20
	opLocalSet     = 0x21
	opLocalTee     = 0x22
	opGlobalGet    = 0x23
	opGlobalSet    = 0x24
	opI32Const     = 0x41
	opTableGet     = 0x25
	opI64Const     = 0x42
	opF32Const     = 0x43
	opF64Const     = 0x44
	opMemorySize   = 0x3f
	opI32Eqz       = 0x45
	opI32LtU       = 0x49
	opI32GtU       = 0x4b
	opI32LeU       = 0x4d
	opI64GtU       = 0x56
	opI64GeS       = 0x59
	opI32Add       = 0x6a
	opI32Sub       = 0x6b
	opI32And       = 0x71
	opI32Or        = 0x72
	opI32Xor       = 0x73
	opI64Add       = 0x7c
	opI64Sub       = 0x7d
	opI64Mul       = 0x7e
	opI64Shl       = 0x86
	opI64ShrU      = 0x88
	opI64ExtendU   = 0xad
	opDrop         = 0x1a
	opSelect       = 0x1b
	opRefNull      = 0xd0
	opRefFunc      = 0xd2
	opMisc         = 0xfc
	opVector       = 0xfd
	vectorConst    = 0x0c
	vectorShuffle  = 0x0d
	miscMemoryInit = 8
	miscDataDrop   = 9
	miscMemoryCopy = 10
	miscMemoryFill = 11
	miscTableInit  = 12
	miscElemDrop   = 13
	miscTableCopy  = 14
	miscTableGrow  = 15
	miscTableSize  = 16
	miscTableFill  = 17
	miscWideFirst  = 19 // i64.add128 and on
	miscWideLast   = 22
)

// imm says what follows an opcode.
type imm uint8

const (
	immBad imm = iota // no instruction of core 2.0
	immNone
	immUnreachable
	immBlock // also loop and if
	immElse
	immEnd
	immLabel // br and br_if
	immBrTable
	immReturn
	immCall
	immCallIndirect
	immLocal
	immGlobal
	immTable
	immMemArg
	immMemSize
	immMemGrow
	immI32
	immI64
	immF32
	immF64
	immSelect
	immRefNull
	immRefFunc
	immMisc
	immVector
)

// opInfo describes an opcode: its immediates, the bytes of the value it makes
// (constants but of vectors make none that need keeping, local.get passes one on), and, if
// the bits of a NaN it makes are the machine's choice, the type of that float or
// of a vector's lanes, else 0.
type opInfo struct {
	imm   imm
	value uint8
	nan   byte
}

// instructions is the table of one-byte opcodes. It is a function's value and
// not a variable so that nobody can change it.
func instructions() *[256]opInfo {
	var t [256]opInfo
	set := func(from, to int, i imm, value uint8) {
		for op := from; op <= to; op++ {
			t[op] = opInfo{imm: i, value: value}
		}
	}
	set(0x00, 0x00, immUnreachable, 0)
	set(0x01, 0x01, immNone, 0) // nop
	set(opBlock, opIf, immBlock, 0)
	set(opElse, opElse, immElse, 0)
	set(opEnd, opEnd, immEnd, 0)
	set(opBr, opBr, immLabel, 0)
	set(0x0d, 0x0d, immLabel, 0)
	set(0x0e, 0x0e, immBrTable, 0)
	set(0x0f, 0x0f, immReturn, 0)
	set(opCall, opCall, immCall, 0)
	set(0x11, 0x11, immCallIndirect, 0)
	set(0x1a, 0x1a, immNone, 0) // drop
	set(opSelect, opSelect, immNone, 16)
	set(0x1c, 0x1c, immSelect, 16)
	set(opLocalGet, opLocalTee, immLocal, 0)
	set(opGlobalGet, opGlobalGet, immGlobal, 16)
	set(opGlobalSet, opGlobalSet, immGlobal, 0)
	set(0x25, 0x25, immTable, 8) // table.get
	set(0x26, 0x26, immTable, 0) // table.set
	set(0x28, 0x35, immMemArg, 8)
	set(0x36, 0x3e, immMemArg, 0)
	set(0x3f, 0x3f, immMemSize, 8)
	set(0x40, 0x40, immMemGrow, 8)
	set(opI32Const, opI32Const, immI32, 0)
	set(opI64Const, opI64Const, immI64, 0)
	set(opF32Const, opF32Const, immF32, 0)
	set(opF64Const, opF64Const, immF64, 0)
	set(0x45, 0xc4, immNone, 8)
	set(opRefNull, opRefNull, immRefNull, 0)
	set(0xd1, 0xd1, immNone, 8) // ref.is_null
	set(opRefFunc, opRefFunc, immRefFunc, 8)
	set(opMisc, opMisc, immMisc, 0)
	set(opVector, opVector, immVector, 16)
	// ceil to sqrt and add to max; demote and promote.
	makesNaN(&t, typeF32, [][2]int{{0x8d, 0x97}, {0xb6, 0xb6}})
	makesNaN(&t, typeF64, [][2]int{{0x9b, 0xa5}, {0xbb, 0xbb}})
	return &t
}

// vectors is the table of opcodes behind opVector. None from 0x80 up has
// immediates.
func vectors() *[256]opInfo {
	var t [256]opInfo
	set := func(from, to int, i imm, value uint8) {
		for op := from; op <= to; op++ {
			t[op] = opInfo{imm: i, value: value}
		}
	}
	set(0x00, 0x0a, immVecMem, 16)
	set(0x0b, 0x0b, immVecMem, 0)
	set(vectorConst, vectorConst, immVecBytes, 16)
	set(vectorShuffle, vectorShuffle, immVecBytes, 16)
	set(0x0e, 0x14, immNone, 16)
	set(0x15, 0x22, immVecLane, 16)
	set(0x23, 0x53, immNone, 16)
	set(0x54, 0x57, immVecMemLane, 16)
	set(0x58, 0x5b, immVecMemLane, 0)
	set(0x5c, 0x5d, immVecMem, 16)
	set(0x5e, 0xff, immNone, 16)
	for _, hole := range []int{0x9a, 0xa2, 0xa5, 0xa6, 0xaf, 0xb0, 0xb2, 0xb3, 0xb4, 0xbb, 0xc2, 0xc5, 0xc6, 0xcf, 0xd0, 0xd2, 0xd3, 0xd4, 0xe2, 0xee} {
		t[hole] = opInfo{}
	}
	// demote and promote, rounding, sqrt to max.
	makesNaN(&t, typeF32, [][2]int{{0x5e, 0x5e}, {0x67, 0x6a}, {0xe3, 0xe9}})
	makesNaN(&t, typeF64, [][2]int{{0x5f, 0x5f}, {0x74, 0x75}, {0x7a, 0x7a}, {0x94, 0x94}, {0xef, 0xf5}})
	return &t
}

// makesNaN marks the opcodes in the ranges as making NaNs of a type.
func makesNaN(t *[256]opInfo, typ byte, ranges [][2]int) {
	for _, r := range ranges {
		for op := r[0]; op <= r[1]; op++ {
			t[op].nan = typ
		}
	}
}

// Immediates of vector instructions.
const (
	immVecMem     imm = immVector + 1 + iota // alignment and offset
	immVecMemLane                            // the same and a lane
	immVecLane                               // a lane
	immVecBytes                              // 16 bytes
)
