package rewrite

// Inspect admits a module without rewriting it.
//
// # Errors
//
// It returns an *abi.Error with a code of the area MOD, which says in which
// section and at which byte, when the module is malformed, exceeds a cap,
// imports what there is not, names what is reserved, or uses an unsupported
// feature. A module that Inspect admits may still be invalid: types are the
// compiler's to check.
func Inspect(module []byte, caps Caps) (*Info, error) {
	w, err := admit(module, caps, false, false)
	if err != nil {
		return nil, err
	}
	return &w.info, nil
}

// Rewrite admits a module and returns it rewritten, as the package comment
// says. The result does not alias module. It is valid if and only if module is.
//
// # Errors
//
// Those of Inspect.
func Rewrite(module []byte, caps Caps) ([]byte, *Info, error) {
	return rewrite(module, caps, false)
}

func rewrite(module []byte, caps Caps, anyImport bool) ([]byte, *Info, error) {
	w, err := admit(module, caps, anyImport, true)
	if err != nil {
		return nil, nil, err
	}
	return w.output(), &w.info, nil
}

// admit reads everything. If keep is set, the functions are kept for output.
func admit(src []byte, caps Caps, anyImport, keep bool) (*rewriter, error) {
	m := &module{caps: caps, anyImport: anyImport, src: src}
	w, err := m.admit(keep)
	if err != nil {
		return nil, m.measured(err)
	}
	return w, nil
}

func (m *module) admit(keep bool) (*rewriter, error) {
	if err := m.scan(); err != nil {
		return nil, err
	}
	w := newRewriter(m, keep)
	if err := w.functions().err; err != nil {
		return nil, err
	}
	return w, nil
}

func newRewriter(m *module, keep bool) *rewriter {
	w := &rewriter{
		module: m, ops: instructions(), vecs: vectors(), keep: keep,
		gas: uint32(len(m.globals)), depth: uint32(len(m.globals)) + 1, refused: uint32(len(m.globals)) + 2,
		tickFunc: uint32(m.importedFuncs), probeFunc: uint32(m.importedFuncs) + 1,
		mutable: injectedGlobals + 1, piece: pieceBytes,
	}
	for _, g := range m.globals {
		if g.mutable {
			w.mutable++
		}
	}
	if sec := m.sections[secCode]; keep && sec != nil {
		w.code = make([]byte, 0, sec.left()+sec.left()/4)
	}
	return w
}

// output puts the rewritten module together, in the order of section 5.5.16.
func (w *rewriter) output() []byte {
	tickType := w.typeOf(nil, nil) // before the type section is written
	b := make([]byte, 0, w.outputBytes())
	b = append(b, w.src[:8]...)

	// Each section below but the verbatim ones begins with its count.
	b = appendSection(b, secType, append(w.extended(secType, w.extras), w.extraTypes...))
	imports := w.extended(secImport, injectedFuncs)
	for _, name := range []string{TickName, ProbeName} {
		imports = appendString(appendString(imports, ReservedModule), name)
		imports = appendU32(append(imports, KindFunc), tickType)
	}
	b = appendSection(b, secImport, imports)
	if added := w.added(); w.sections[secFunction] != nil || added > 0 {
		functions := w.extended(secFunction, added)
		for range w.pieced {
			functions = appendU32(functions, w.typeOf(pieceParams(), nil))
		}
		if w.starts() {
			functions = appendU32(functions, tickType)
		}
		b = appendSection(b, secFunction, functions)
	}
	if len(w.tables) > w.importedTables {
		b = appendSection(b, secTable, w.tableOutput())
	}
	b = w.verbatim(b, secMemory)
	b = appendSection(b, secGlobal, w.globalOutput())
	b = appendSection(b, secExport, w.exportOutput())
	if sec := w.sections[secElement]; sec != nil {
		r, elements := *sec, appendU32(nil, uint32(w.elements))
		w.elementSection(&r, &elements)
		b = appendSection(b, secElement, elements)
	}
	b = w.verbatim(b, secDataCount)
	if all := w.bodies + w.added(); all > 0 {
		for _, op := range w.pieced {
			w.code = w.piecesOf(w.code, op)
		}
		if w.starts() {
			w.code = appendString(w.code, string(w.starting()))
		}
		w.full = append(w.full, w.code)
		n := appendU32(nil, uint32(all))
		size := len(n)
		for _, code := range w.full {
			size += len(code)
		}
		b = append(appendU32(append(b, secCode), uint32(size)), n...)
		for _, code := range w.full {
			b = append(b, code...)
		}
	}
	b = w.verbatim(b, secData)
	return w.appendNames(b)
}

// outputBytes is about how long the rewritten module will be, rather more than less.
func (w *rewriter) outputBytes() int {
	n := 4096 + len(w.src) + len(w.src)/64 + 24*len(w.info.Globals) + len(w.code)
	if sec := w.sections[secCode]; sec != nil {
		n -= sec.left()
	}
	for _, code := range w.full {
		n += len(code)
	}
	return n
}

// added is the number of functions that follow the module's own: those that do
// bulk operations in pieces, and one that calls the start function. That itself
// is not exported, since an export would allow references to it.
func (w *rewriter) added() int {
	if w.starts() {
		return len(w.pieced) + 1
	}
	return len(w.pieced)
}

// starts tells whether something is to be done before the guest's first function is
// called: the start function, or the trap that the engine leaves out.
func (w *rewriter) starts() bool { return w.hasStart || w.hasOutside }

// starting is the body of the function that does that. The engine leaves out elements
// that lie outside of their table, where instantiating must trap (section 4.5.4): so the
// trap comes here, before anything of the guest's runs.
func (w *rewriter) starting() []byte {
	b := []byte{0}
	if w.hasOutside {
		b = append(appendU32(append(b, opI32Const, 0x7f, opTableGet), w.outside), opDrop)
	}
	if w.hasStart {
		b = appendU32(append(b, opCall), w.renumber(w.start))
	}
	return append(b, opEnd)
}

// verbatim appends a section as it was, if it was there.
func (w *rewriter) verbatim(b []byte, id byte) []byte {
	if sec := w.sections[id]; sec != nil {
		b = appendSection(b, id, sec.b[sec.at:sec.end])
	}
	return b
}

// extended returns a section's contents with more entries announced than there
// are; the caller appends those.
func (w *rewriter) extended(id byte, more int) []byte {
	if sec := w.sections[id]; sec != nil {
		r := *sec
		n := r.u32()
		return append(appendU32(nil, n+uint32(more)), r.b[r.at:r.end]...)
	}
	return appendU32(nil, uint32(more))
}

// tableShare is by how much each table may grow.
func (w *rewriter) tableShare() uint32 {
	room := uint64(w.caps.Table) - w.tableElements
	return uint32(room / uint64(len(w.tables)))
}

// tableOutput returns the table section with a maximum in every table, such
// that all of them together stay within the cap however they grow.
func (w *rewriter) tableOutput() []byte {
	share := w.tableShare()
	own := w.tables[w.importedTables:]
	b := appendU32(nil, uint32(len(own)))
	for _, t := range own {
		limit := t.min + share
		if t.hasMax {
			limit = min(limit, t.max)
		}
		b = appendU32(appendU32(append(b, t.typ, 1), t.min), limit)
	}
	return b
}

// addedGlobals is the number of globals that follow the module's own.
func (w *rewriter) addedGlobals() int {
	if w.refusing {
		return injectedGlobals + 1
	}
	return injectedGlobals
}

// globalOutput returns the global section with the counters at its end.
func (w *rewriter) globalOutput() []byte {
	b := appendU32(nil, uint32(len(w.globals)-w.importedGlobals+w.addedGlobals()))
	if sec := w.sections[secGlobal]; sec != nil {
		r := *sec
		w.globalSection(&r, &b)
	}
	b = append(b, typeI64, 1, opI64Const, 0, opEnd)
	b = appendSigned(append(b, typeI32, 1, opI32Const), int64(w.depthStart()))
	b = append(b, opEnd)
	if w.refusing {
		b = append(b, typeI32, 1, opI32Const, 0, opEnd)
	}
	return b
}

// exportOutput returns the export section with functions renumbered, the
// counters and the mutable globals.
func (w *rewriter) exportOutput() []byte {
	n := len(w.info.Exports) + len(w.info.Globals) + w.addedGlobals()
	if w.starts() {
		n++
	}
	b := appendU32(nil, uint32(n))
	if sec := w.sections[secExport]; sec != nil {
		r := *sec
		for range r.u32() {
			name, kind, i := r.name(), r.byte(), r.u32()
			if kind == KindFunc {
				i = w.renumber(i)
			}
			b = appendU32(append(appendString(b, name), kind), i)
		}
	}
	b = appendU32(append(appendString(b, GasExport), KindGlobal), w.gas)
	b = appendU32(append(appendString(b, DepthExport), KindGlobal), w.depth)
	if w.refusing {
		b = appendU32(append(appendString(b, RefusedExport), KindGlobal), w.refused)
	}
	if w.starts() {
		b = appendU32(append(appendString(b, StartExport), KindFunc), w.renumber(uint32(len(w.funcs)+len(w.pieced))))
	}
	for i := w.importedGlobals; i < len(w.globals); i++ {
		if w.globals[i].mutable {
			b = appendU32(append(appendString(b, globalExport(i)), KindGlobal), uint32(i))
		}
	}
	return b
}
