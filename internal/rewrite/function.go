package rewrite

// rewriter rewrites the functions of a module that was scanned.
type rewriter struct {
	*module
	ops, vecs *[256]opInfo

	gas, depth          uint32 // injected globals
	refused             uint32 // one that is injected only if it is used
	refusing            bool   // it is
	tickFunc, probeFunc uint32 // injected functions

	full       [][]byte // the code section's first entries
	code       []byte   // those after them, so far
	keep       bool     // whether they are wanted
	extraTypes []byte
	extras     int
	addedTypes map[string]uint32 // see typeOf
	key        []byte            // of addedTypes, to be used again
	pieced     []byte            // what is done in pieces: the functions that are added, by their opcode
	piece      int64             // length of a piece

	mutable int // mutable globals

	locals, passed, size uint64 // against Caps.LocalsTotal, OperandsTotal and RewrittenBytes

	function
}

// function is the state of the function that is being rewritten. Its slices
// are used again for the next one.
type function struct {
	r          *reader
	typ        funcType
	nlocals    int    // parameters and declared locals
	localBytes uint64 // what they need of the stack
	body       []byte
	copied     int // the source up to here is in body
	frames     []frame
	regions    []region
	cur        int  // the region of the current instruction
	dead       bool // no path leads to the current instruction
	values     uint64
	operands   uint64 // values that blocks take and give, branches pass on, calls take and give
	calls      int    // calls of any kind
	handed     int    // the most that a call takes and gives
	inner      bool   // calls something that may call in turn
	bulk       bool   // has bulk operations
	scratch    int    // scratch locals that are used, with those before them: see scratchTypes
	joins      int    // places where control flow may meet
	// straight: control came here from the function's entry and nowhere else,
	// and no call was made. folded is the loop that was reached so, 0 for none.
	straight bool
	folded   int
}

// functions reads and rewrites every function.
func (w *rewriter) functions() *reader {
	sec := w.sections[secCode]
	if sec == nil {
		return &reader{}
	}
	r := *sec
	r.u32() // scan checked the count
	for i := range w.bodies {
		size := r.u32()
		if r.err == nil && uint64(size) > uint64(w.caps.BodyBytes) {
			size = r.largest(w.bodies-1-i, size)
		}
		w.use(&r, limitBody, uint64(size))
		b := r.sub(size)
		if r.err != nil {
			return &r
		}
		if w.rewrite(w.types[w.funcs[w.importedFuncs+i]], &b); b.err != nil {
			r.err = b.err
			return &r
		}
	}
	r.done()
	return &r
}

// largest returns the size of the largest body of the n that follow one of the size.
func (r *reader) largest(n int, size uint32) uint32 {
	rest, most := *r, size
	for range n {
		rest.skip(int(size))
		size = rest.u32()
		most = max(most, size)
	}
	return most
}

// rewrite reads one function's locals and code and appends it, rewritten.
func (w *rewriter) rewrite(t funcType, r *reader) {
	groups := r.vector("groups of locals", 2)
	from := r.at
	sum := uint64(0)
	local := uint64(0)
	for _, typ := range t.params {
		local += sizeOf(typ)
	}
	for range groups {
		n := uint64(r.u32())
		sum += n
		local += n * sizeOf(r.valueType())
	}
	if w.use(r, limitLocalsPerFunction, sum); r.err != nil {
		return
	}
	w.locals += sum
	if w.use(r, limitLocals, w.locals); r.err != nil {
		return
	}
	decls := r.b[from:r.at]

	f := &w.function
	*f = function{
		r: r, typ: t, nlocals: len(t.params) + int(sum), localBytes: local, copied: r.at, straight: true,
		body: f.body[:0], frames: append(f.frames[:0], frame{best: none, passes: len(t.results)}), regions: append(f.regions[:0], region{}),
	}
	for r.err == nil && len(f.frames) > 0 {
		w.instruction()
	}
	if r.done(); r.err != nil {
		return
	}
	f.flush(r.end)
	w.pass(len(t.params) + len(t.results))
	w.passed += f.operands
	w.use(r, limitOperandsPerFunction, f.operands)
	w.use(r, limitOperands, w.passed)
	if r.err == nil {
		w.assemble(groups, decls)
	}
}

// pass accounts for n operands that are passed on.
func (w *rewriter) pass(n int) {
	f := &w.function
	f.operands += uint64(n)
	f.values += passedBytes * uint64(n)
}

// assemble appends the function, if it is kept: its locals, what runs on entry, its code and,
// if it may call itself again, what runs on every way out.
//
// For the latter the code is wrapped in one block. A branch to the function's
// own label then ends at the block's end, with the same label number and the same
// operands; a return was written as such a branch.
func (w *rewriter) assemble(groups int, decls []byte) {
	f := &w.function
	entry := f.entryCost()
	for _, g := range f.regions[1:] {
		putPadded(f.body[g.at:], min(g.longest, maxCost))
	}

	var head, tail [96]byte
	h, t := head[:0], tail[:0]
	h = append(appendU32(h, uint32(groups+f.scratch)), decls...)
	types := scratchTypes()
	for _, typ := range types[:f.scratch] {
		h = append(h, 1, typ)
	}
	// A function that calls no other function of the module has no frame on top of
	// its own but that of a function of pieces: the host's functions never call
	// back. So at most two small frames go uncounted, on top of those that are.
	if f.inner {
		step := w.depthStep()
		h = w.enter(h, step)
		t = append(w.leave(t, step), opEnd)
	}
	if entry > 0 {
		h = w.tick(h, min(entry, maxCost))
	}
	if f.inner {
		h = w.appendBlockType(append(h, opBlock), f.typ.results)
	}
	n := len(h) + len(f.body) + len(t)
	w.size += uint64(n)
	if w.use(f.r, limitRewritten, w.size); !w.keep || f.r.err != nil {
		return
	}
	w.room(n + 5)
	w.code = appendU32(w.code, uint32(n))
	w.code = append(w.code, h...)
	w.code = append(w.code, f.body...)
	w.code = append(w.code, t...)
}

// room makes sure that code has room for n bytes more, without copying what is there:
// a module may become many times as long.
func (w *rewriter) room(n int) {
	if len(w.code)+n > cap(w.code) {
		w.full = append(w.full, w.code)
		w.code = make([]byte, 0, max(n, roomBytes))
	}
}

// roomBytes is what is asked for at least when there is no room.
const roomBytes = 4 << 20

// appendBlockType appends the type of a block without parameters.
func (w *rewriter) appendBlockType(b, results []byte) []byte {
	switch len(results) {
	case 0:
		return append(b, typeEmpty)
	case 1:
		return append(b, results[0])
	}
	return appendSigned(b, int64(w.typeOf(nil, results)))
}

// typeOf returns the index of a type that the rewriting needs, the module's own
// first one or one that is added.
func (w *rewriter) typeOf(params, results []byte) uint32 {
	key := func(params, results []byte) []byte {
		w.key = append(append(append(w.key[:0], params...), 0), results...)
		return w.key
	}
	if w.addedTypes == nil {
		w.addedTypes = make(map[string]uint32)
		for i, t := range w.types {
			if len(t.params) > 0 && (len(t.results) > 0 || string(t.params) != string(pieceParams())) {
				continue // never asked for
			}
			k := key(t.params, t.results)
			if _, ok := w.addedTypes[string(k)]; !ok {
				w.addedTypes[string(k)] = uint32(i)
			}
		}
	}
	k := key(params, results)
	i, ok := w.addedTypes[string(k)]
	if !ok {
		i = uint32(len(w.types) + w.extras)
		w.extras++
		w.extraTypes = appendString(append(w.extraTypes, typeFunc), string(params))
		w.extraTypes = appendString(w.extraTypes, string(results))
		w.addedTypes[string(k)] = i
	}
	return i
}

// flush copies the source up to the byte to, which may lie before what was
// copied already. Then there is room for what the rewriting writes.
func (f *function) flush(to int) {
	if more := max(0, to-f.copied) + writtenBytes; len(f.body)+more > cap(f.body) {
		f.body = append(make([]byte, 0, 2*len(f.body)+more), f.body...)
	}
	if to > f.copied {
		f.body = append(f.body, f.r.b[f.copied:to]...)
		f.copied = to
	}
}

// writtenBytes is more than the rewriting writes at one place.
const writtenBytes = 256
