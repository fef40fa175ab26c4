package rewrite

// instruction reads one instruction and writes it, or leaves it to be copied.
func (w *rewriter) instruction() {
	f, r := &w.function, w.r
	start := r.at
	op := r.byte()
	info := w.ops[op]
	f.spend(1)
	f.values += uint64(info.value)
	if info.nan != 0 {
		w.canonical(info.nan)
	}
	switch info.imm {
	case immNone:
	case immLocal:
		r.index("local", f.nlocals)
	case immGlobal:
		r.index("global", len(w.globals))
	case immI32:
		r.signed(32)
	case immI64:
		r.signed(64)
	case immF32:
		r.skip(4)
	case immF64:
		r.skip(8)
	case immMemArg:
		w.memArg()
	case immBlock:
		w.block(op)
	case immElse, immEnd:
		w.close(op, start)
	case immLabel:
		if label := r.index("label", len(f.frames)); r.err == nil {
			w.branch(label)
		}
		f.straight, f.dead = false, f.dead || op == opBr
	case immBrTable:
		w.brTable()
	case immUnreachable:
		f.straight, f.dead = false, true
	case immReturn:
		w.branch(uint32(len(f.frames) - 1))
		f.straight, f.dead = false, true
		f.replace(start, opBr, uint32(len(f.frames)-1))
	case immCall:
		w.call(start)
	case immCallIndirect:
		t := r.index("type", len(w.types))
		r.index("table", len(w.tables))
		if r.err == nil {
			w.called(w.types[t])
			f.inner = true
		}
	case immRefFunc:
		i := r.index("function", len(w.funcs))
		f.replace(start, opRefFunc, w.renumber(i))
	case immRefNull:
		r.refType()
	case immTable:
		r.index("table", len(w.tables))
	case immMemSize, immMemGrow:
		w.reserved(1)
		if info.imm == immMemGrow {
			w.beforeBulk(start)
			f.body = w.chargeGrow(f.body, 1<<16, pageCost)
			f.flush(r.at)
			f.body = appendU32(append(f.body, opCall), w.probeFunc)
		}
	case immSelect:
		if n := r.u32(); r.err == nil && n != 1 {
			r.malformed("select with %d types", n)
		}
		r.valueType()
	case immMisc:
		w.misc(start)
	case immVector:
		w.vector(start)
	default:
		r.at = start
		if name := feature(op); name != "" {
			r.unsupported(name)
		} else {
			r.malformed("no instruction has opcode %#02x", op)
		}
	}
}

// replace writes op with an index in place of the instruction that began at start.
func (f *function) replace(start int, op byte, index uint32) {
	f.flush(start)
	f.body = appendU32(append(f.body, op), index)
	f.copied = f.r.at
}

// block opens a block, loop or if. A loop charges for each of its rounds.
func (w *rewriter) block(op byte) {
	f, r := &w.function, w.r
	takes, gives := w.blockType()
	operands := takes + gives
	if deep := uint64(len(f.frames)); deep > w.needs[limitNesting] {
		w.use(r, limitNesting, deep)
	}
	if r.err != nil { // now, before its blocks take memory here
		return
	}
	f.joins++
	w.pass(operands)
	if op == opLoop {
		f.cur = len(f.regions)
		if f.straight {
			f.folded = f.cur
		}
		f.flush(r.at)
		g := region{longest: 1}
		f.body, g.at = w.tickPadded(f.body)
		f.regions = append(doubled(f.regions), g)
		gives = takes // a branch to a loop leads to its start
	}
	if op != opBlock {
		f.straight = false
	}
	f.spend(int64(operands))
	f.open(op, gives)
}

// close ends a block, or its first half.
func (w *rewriter) close(op byte, start int) {
	f := &w.function
	if op == opEnd {
		w.falls()
		f.shut()
		return
	}
	if f.frames[len(f.frames)-1].kind != opIf {
		w.r.at = start
		w.r.malformed("else without if")
		return
	}
	f.joins++
	w.falls()
	f.otherwise()
}

// blockType reads a block's type and returns how many values it takes and gives.
func (w *rewriter) blockType() (takes, gives int) {
	r := w.r
	if r.left() > 0 {
		switch c := r.b[r.at]; {
		case c == typeEmpty:
			r.at++
			return 0, 0
		case c&0xc0 == 0x40: // a negative number in one byte
			r.valueType()
			return 0, 1
		}
	}
	at := r.at
	i := r.signed(33)
	if r.err != nil {
		return 0, 0
	}
	if i < 0 || i >= int64(len(w.types)) {
		r.at = at
		r.malformed("type %d does not exist: there are %d", i, len(w.types))
		return 0, 0
	}
	return len(w.types[i].params), len(w.types[i].results)
}

// brTable reads the labels of a br_table.
func (w *rewriter) brTable() {
	f, r := &w.function, w.r
	n := w.count(r, limitBrTable, 0, 1)
	for range n + 1 {
		label := r.index("label", len(f.frames))
		if r.err != nil {
			return
		}
		w.branch(label)
	}
	f.straight, f.dead = false, true
}

// call reads a direct call and renumbers it.
func (w *rewriter) call(start int) {
	f, r := &w.function, w.r
	i := r.index("function", len(w.funcs))
	if r.err != nil {
		return
	}
	w.called(w.types[w.funcs[i]])
	if int(i) >= w.importedFuncs {
		f.inner = true
		f.replace(start, opCall, w.renumber(i))
	}
}

// called accounts for a call of a function of type t.
func (w *rewriter) called(t funcType) {
	f := &w.function
	f.calls++
	f.handed = max(f.handed, len(t.params)+len(t.results))
	w.pass(len(t.params) + len(t.results))
	f.straight = false
	f.spend(callCost + int64(len(t.params)+len(t.results)))
}

// reserved reads n bytes that must be zero: the place of memory indices to come.
func (w *rewriter) reserved(n int) {
	r := w.r
	for range n {
		at := r.at
		if c := r.byte(); r.err == nil && c != 0 {
			r.at = at
			r.unsupported(featMemories)
		}
	}
	w.needMemory()
}

func (w *rewriter) needMemory() {
	if w.r.err == nil && w.info.Memories == 0 {
		w.r.malformed("memory 0 does not exist: there are 0")
	}
}

// memArg reads the alignment and offset of an access.
func (w *rewriter) memArg() {
	r := w.r
	at := r.at
	if align := r.u32(); r.err == nil && align >= 32 {
		r.at = at
		if align&^0x1f == 0x40 {
			r.unsupported(featMemories)
		} else {
			r.malformed("alignment of 2^%d", align)
		}
	}
	r.u32()
	w.needMemory()
	w.values += accessBytes
}
