package rewrite

// rewriter rewrites the functions of a module that was scanned.
type rewriter struct {
	*module
	ops, vecs *[256]opInfo

	gas, depth          uint32 // injected globals
	refused             uint32 // one that is injected only if it is used
	refusing            bool   // it is
	tickFunc, probeFunc uint32 // injected functions

	code       []byte // the code section's entries so far
	keep       bool   // whether they are wanted
	extraTypes []byte
	extras     int
	addedTypes map[string]uint32 // see typeOf
	pieced     []byte            // what is done in pieces: the functions that are added, by their opcode
	piece      int64             // length of a piece

	locals  int   // against Caps.LocalsTotal
	spent   int64 // against Caps.Work
	native  int64 // against Caps.Native
	mutable int   // mutable globals

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
	calls      int  // calls of any kind
	handed     int  // the most that a call takes and gives
	inner      bool // calls something that may call in turn
	bulk       bool // has bulk operations
	scratch    int  // scratch locals that are used, with those before them: see scratchTypes
	joins      int  // places where control flow may meet
	depths     int  // the sum of the depths of all blocks
	labels     int  // of all br_tables
	space      int64
	// straight: control came here from the function's entry and nowhere else,
	// and no call was made. folded is the loop that was reached so, 0 for none.
	straight bool
	folded   int

	flow
	spread
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
			r.over("bytes of a function", uint64(size), int64(w.caps.BodyBytes))
		}
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

// rewrite reads one function's locals and code and appends it, rewritten.
func (w *rewriter) rewrite(t funcType, r *reader) {
	groups := r.count("groups of locals", w.caps.LocalsPerFunction, 2)
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
		if sum > uint64(w.caps.LocalsPerFunction) {
			r.over("locals of a function", sum, int64(w.caps.LocalsPerFunction))
		}
		if r.err != nil {
			return
		}
	}
	if w.locals += int(sum); w.locals > w.caps.LocalsTotal {
		r.over("locals of all functions", uint64(w.locals), int64(w.caps.LocalsTotal))
		return
	}
	decls := r.b[from:r.at]

	f := &w.function
	*f = function{
		r: r, typ: t, nlocals: len(t.params) + int(sum), localBytes: local, copied: r.at, straight: true,
		body: f.body[:0], frames: append(f.frames[:0], frame{best: none, label: label{passes: len(t.results)}}), regions: append(f.regions[:0], region{}),
	}
	for r.err == nil && len(f.frames) > 0 {
		w.instruction()
	}
	if r.done(); r.err != nil {
		return
	}
	f.flush(r.end)
	if f.space > w.caps.Space {
		r.over("memory for the compiler", uint64(f.space), w.caps.Space)
		return
	}
	if f.overworked(w.mutable, w.caps.FunctionWork) {
		return
	}
	if w.spent += f.work(w.mutable) + workType*int64(len(w.types)); w.spent > w.caps.Work {
		r.over("work for the compiler", uint64(w.spent), w.caps.Work)
		return
	}
	w.pass(len(t.params) + len(t.results))
	w.native += nativeFunction
	if w.native > w.caps.Native {
		r.over("machine code", uint64(w.native), w.caps.Native)
	}
	if w.keep && r.err == nil {
		w.assemble(groups, decls)
	}
}

// assemble appends the function: its locals, what runs on entry, its code and,
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
	w.code = appendU32(w.code, uint32(len(h)+len(f.body)+len(t)))
	w.code = append(w.code, h...)
	w.code = append(w.code, f.body...)
	w.code = append(w.code, t...)
}

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
	key := func(params, results []byte) string { return string(params) + "\x00" + string(results) }
	if w.addedTypes == nil {
		w.addedTypes = make(map[string]uint32)
		for i, t := range w.types {
			if len(t.params) > 0 && (len(t.results) > 0 || string(t.params) != string(pieceParams())) {
				continue // never asked for
			}
			k := key(t.params, t.results)
			if _, ok := w.addedTypes[k]; !ok {
				w.addedTypes[k] = uint32(i)
			}
		}
	}
	k := key(params, results)
	i, ok := w.addedTypes[k]
	if !ok {
		i = uint32(len(w.types) + w.extras)
		w.extras++
		w.extraTypes = appendString(append(w.extraTypes, typeFunc), string(params))
		w.extraTypes = appendString(w.extraTypes, string(results))
		w.addedTypes[k] = i
	}
	return i
}

// flush copies the source up to the byte to, which may lie before what was
// copied already.
func (f *function) flush(to int) {
	if to > f.copied {
		f.body = append(f.body, f.r.b[f.copied:to]...)
		f.copied = to
	}
}
