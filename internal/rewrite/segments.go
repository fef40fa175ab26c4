package rewrite

// constExpr reads a constant expression of core 2.0: one instruction and end.
// If out is not nil, it is written there with functions renumbered.
func (m *module) constExpr(r *reader, out *[]byte) {
	from := r.at
	op := r.byte()
	switch op {
	case opI32Const:
		r.signed(32)
	case opI64Const:
		r.signed(64)
	case opF32Const:
		r.skip(4)
	case opF64Const:
		r.skip(8)
	case opVector:
		// One byte: the compiler reads one, and another spelling of the same
		// number would mean something else to it.
		if c := r.byte(); r.err == nil && c != vectorConst {
			r.malformed("a constant expression has vector instruction %#02x", c)
		}
		r.skip(16)
	case opGlobalGet:
		r.index("imported global", m.importedGlobals)
	case opRefNull:
		r.refType()
	case opRefFunc:
		f := r.index("function", len(m.funcs))
		if out != nil {
			*out = append(*out, opRefFunc)
			*out = appendU32(*out, m.renumber(f))
			from = r.at
		}
	default:
		r.at = from
		r.malformed("no constant expression begins with %#02x", op)
	}
	if c := r.byte(); r.err == nil && c != opEnd {
		r.at--
		if r.extends(op) {
			r.unsupported(featExtended)
			return
		}
		r.malformed("a constant expression has more than one instruction")
	}
	if out != nil && r.err == nil {
		*out = append(*out, r.b[from:r.at]...)
	}
}

// extends tells whether what follows the first instruction, op, of a constant
// expression makes it an extended one: another operand, and more than an end.
func (r *reader) extends(op byte) bool {
	rest := *r
	next := rest.byte()
	for _, c := range []byte{op, next} {
		if c != opI32Const && c != opI64Const && c != opGlobalGet {
			return false
		}
	}
	rest.signed(64)
	return rest.byte() != opEnd && rest.err == nil
}

// renumber returns a function's index in the rewritten module, where the
// injected imports follow the module's own.
func (m *module) renumber(f uint32) uint32 {
	if int(f) < m.importedFuncs {
		return f
	}
	return f + injectedFuncs
}

// elementSection reads the element segments, in the eight forms of section
// 5.5.12. If out is not nil, it is the second reading, which writes them there.
func (m *module) elementSection(r *reader, out *[]byte) {
	n := m.count(r, limitElementSegments, 0, 2)
	total := 0
	for range n {
		total += m.elementSegment(r, out, total)
		if r.err != nil {
			return
		}
	}
	m.elements = n
}

// elementSegment reads one segment and returns the number of its elements;
// before is the number of those in the segments before it.
func (m *module) elementSegment(r *reader, out *[]byte, before int) int {
	put := func(from int) {
		if out != nil && r.err == nil {
			*out = append(*out, r.b[from:r.at]...)
		}
	}
	from := r.at
	flags := r.u32()
	if r.err == nil && flags > 7 {
		r.at = from
		r.malformed("element segment of form %d", flags)
	}
	// Bit 0: not active. Bit 1: a table index, or declarative. Bit 2: expressions.
	active, explicit, exprs := flags&1 == 0, flags&2 != 0, flags&4 != 0
	to, offset := uint32(0), uint64(0)
	if active {
		if explicit {
			to = r.index("table", len(m.tables))
		} else if r.err == nil && len(m.tables) == 0 {
			r.malformed("table 0 does not exist: there are 0")
		}
		put(from)
		from = r.at
		m.constExpr(r, out)
		offset = constant(r.b[from:r.at])
		from = r.at
	}
	if flags&3 != 0 {
		if exprs {
			r.refType()
		} else if kind := r.byte(); r.err == nil && kind != 0 {
			r.at--
			r.malformed("no elements have kind %#02x", kind)
		}
	}
	k := m.count(r, limitElements, before, 1)
	if active && r.err == nil && int(to) >= m.importedTables && offset+uint64(k) > uint64(m.tables[to].min) && !m.hasOutside {
		m.hasOutside, m.outside = true, to
	}
	put(from)
	for range k {
		if exprs {
			m.constExpr(r, out)
		} else if f := r.index("function", len(m.funcs)); out != nil {
			*out = appendU32(*out, m.renumber(f))
		}
		if r.err != nil {
			return 0
		}
	}
	return k
}

// constant is the value of a constant expression of the form i32.const, 0 of another.
func constant(expr []byte) uint64 {
	r := reader{b: expr, end: len(expr)}
	if r.byte() != opI32Const {
		return 0
	}
	return uint64(uint32(r.signed(32)))
}

// dataSection reads the data segments.
func (m *module) dataSection(r *reader) {
	n := m.count(r, limitDataSegments, 0, 2)
	for range n {
		from := r.at
		switch form := r.u32(); form {
		case 0, 2:
			if form == 2 {
				r.index("memory", m.info.Memories)
			} else if r.err == nil && m.info.Memories == 0 {
				r.malformed("memory 0 does not exist: there are 0")
			}
			at := r.at
			if op := r.byte(); r.err == nil && op != opI32Const && op != opGlobalGet {
				r.at = at
				r.malformed("a data segment's offset begins with %#02x", op)
			}
			if r.err == nil {
				r.at = at
			}
			m.constExpr(r, nil)
		case 1:
		default:
			r.at = from
			r.malformed("data segment of form %d", form)
		}
		r.bytes(r.u32())
		if r.err != nil {
			return
		}
	}
	m.dataSegments = n
}
