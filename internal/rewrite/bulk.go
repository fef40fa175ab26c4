package rewrite

// beforeBulk makes ready to write before the instruction that began at start,
// which itself is copied after that.
func (w *rewriter) beforeBulk(start int) {
	f := &w.function
	f.flush(start)
	f.bulk = true
	f.values += 3 * accessBytes
	f.scratch = max(f.scratch, scratchI32+1)
	f.calls++ // the charge's
	f.joins++ // the block around it
}

// misc reads an instruction behind opMisc. Bulk operations are charged by the
// length on top of the stack before they run. Only memory.fill and memory.copy
// may be so long that they must be stopped on the way: memory.init is bounded by
// its segment, so by Caps.ModuleBytes, and operations on tables by Caps.Table.
func (w *rewriter) misc(start int) {
	f, r := &w.function, w.r
	at := r.at
	op := r.u32()
	after := r.at
	var table uint32
	switch {
	case op < miscMemoryInit: // saturating conversions
		f.values += 8
	case op == miscMemoryInit:
		w.dataIndex()
		w.reserved(1)
		w.bulk(start, memoryShift)
	case op == miscDataDrop:
		w.dataIndex()
	case op == miscMemoryCopy:
		w.reserved(2)
		w.pieceable(start, miscMemoryCopy)
		return
	case op == miscMemoryFill:
		w.reserved(1)
		w.pieceable(start, miscMemoryFill)
		f.joins += 2 // the compiler makes a loop of it
		return
	case op == miscTableInit:
		r.index("element segment", w.elements)
		r.index("table", len(w.tables))
		w.bulk(start, tableShift)
	case op == miscElemDrop:
		r.index("element segment", w.elements)
	case op == miscTableCopy:
		r.index("table", len(w.tables))
		r.index("table", len(w.tables))
		w.bulk(start, tableShift)
	case op == miscTableGrow:
		table = r.index("table", len(w.tables))
		f.values += 8
		w.beforeBulk(start)
		f.body = w.chargeGrow(f.body, uint32(w.caps.Table), 1)
	case op == miscTableSize:
		r.index("table", len(w.tables))
		f.values += 8
	case op == miscTableFill:
		r.index("table", len(w.tables))
		w.bulk(start, tableShift)
		f.joins += 2 // the compiler makes a loop of it
	case op >= miscWideFirst && op <= miscWideLast:
		r.at = at
		r.unsupported(featWide)
	default:
		r.at = at
		r.malformed("no instruction has opcode %#02x %d", opMisc, op)
	}
	if after-at > 1 && r.err == nil {
		// The number may be spelled longer than it need be; write it short.
		f.flush(start)
		f.body = append(f.body, opMisc, byte(op))
		f.copied = after
	}
	if op == miscTableGrow && r.err == nil {
		w.afterGrow(table)
	}
}

// afterGrow writes, behind a table.grow that leaves its result on the stack, what
// remembers that it was refused, if that would be for the cap and not for the
// table's own maximum.
func (w *rewriter) afterGrow(table uint32) {
	f, t := &w.function, w.tables[table]
	if t.hasMax && uint64(t.max) <= uint64(t.min)+uint64(w.tableShare()) {
		return
	}
	w.refusing = true
	scratch := uint32(w.nlocals + scratchI32)
	f.flush(w.r.at)
	b := appendU32(append(f.body, opLocalTee), scratch)
	b = w.globalGet(b, w.refused)
	b = appendU32(append(b, opLocalGet), scratch)
	b = append(b, opI32Const)
	b = appendSigned(b, -1)
	f.body = w.globalSet(append(b, opI32Xor, opI32Eqz, opI32Or), w.refused)
}

// bulk charges for the bulk operation that began at start.
func (w *rewriter) bulk(start int, shift int64) {
	w.beforeBulk(start)
	w.body = w.chargeBulk(w.body, shift)
}

// dataIndex reads the index of a data segment, which needs the data count section.
func (w *rewriter) dataIndex() {
	if !w.hasDataCount {
		w.r.malformed("an instruction names a data segment, but there is no data count section")
		return
	}
	w.r.index("data segment", w.dataCount)
}

// vector reads an instruction behind opVector.
//
// The number that follows is LEB128, but the compiler reads one byte, takes it
// for the opcode and goes on with the next. That agrees for 0x00 to 0x7f, and for
// 0x80 to 0xff, whose second byte 0x01 it takes for a nop. It would not agree for a
// longer spelling: the compiler would run as code what passes for immediates
// here. So only the shortest is admitted.
func (w *rewriter) vector(start int) {
	f, r := &w.function, w.r
	op := r.byte()
	if op >= 0x80 {
		if c := r.byte(); r.err == nil && c != 1 {
			r.at = start
			if c == 2 {
				r.unsupported(featRelaxedSIMD)
			} else {
				r.malformed("opcode %#02x is followed by an overlong or unknown number", opVector)
			}
			return
		}
	}
	w.info.SIMD = true
	info := w.vecs[op]
	f.values += uint64(info.value)
	if info.nan != 0 {
		w.canonicalLanes(info.nan)
	}
	switch info.imm {
	case immNone:
	case immVecMem:
		w.memArg()
	case immVecMemLane:
		w.memArg()
		r.skip(1)
	case immVecLane:
		r.skip(1)
	case immVecBytes:
		r.skip(16)
	default:
		r.at = start
		r.malformed("no instruction has opcode %#02x %d", opVector, op)
	}
}
