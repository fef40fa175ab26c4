package rewrite

// Subsections of the name section, core specification 2.0, section 7.4.1.
const (
	namesModule   = 0
	namesFunction = 1
)

// appendNames appends a name section with the names of the module and of its
// functions, renumbered, so that a trap can say where it happened. As the
// specification demands, a malformed name section makes no module malformed; it
// is left out.
func (w *rewriter) appendNames(b []byte) []byte {
	content := appendString(nil, "name")
	bare := len(content)
	r := reader{b: w.names, end: len(w.names)}
	for last := -1; r.left() > 0; {
		id := r.byte()
		s := r.sub(r.u32())
		if s.err != nil || int(id) <= last {
			return b
		}
		last = int(id)
		switch id {
		case namesModule:
			from := s.at
			s.shortName()
			s.done()
			content = appendSection(content, id, s.b[from:s.end])
		case namesFunction:
			content = appendSection(content, id, w.functionNames(&s))
		}
		if s.err != nil {
			return b
		}
	}
	if len(content) == bare {
		return b
	}
	return appendSection(b, secCustom, content)
}

// maxName bounds a name that is kept for messages, in bytes.
const maxName = 100_000

// shortName reads a name that is kept.
func (r *reader) shortName() string {
	rest := *r
	if n := rest.u32(); n > maxName {
		r.malformed("a name of %d bytes", n)
	}
	return r.name()
}

// functionNames returns the name map of functions, renumbered.
func (w *rewriter) functionNames(r *reader) []byte {
	n := r.vector("names", 2)
	if n > len(w.funcs) {
		r.malformed("more names than functions")
		return nil
	}
	b := make([]byte, 0, r.left()+n+8)
	b = appendU32(b, uint32(n))
	for last := -1; n > 0; n-- {
		i := r.index("function", len(w.funcs))
		if int(i) <= last {
			r.malformed("names are not in order of function")
		}
		last = int(i)
		b = appendString(appendU32(b, w.renumber(i)), r.shortName())
		if r.err != nil {
			return nil
		}
	}
	r.done()
	return b
}
