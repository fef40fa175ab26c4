package rewrite

import (
	"bytes"

	"github.com/forgeone/forgeone/abi"
)

// Kinds of imports and exports, section 5.5.
const (
	KindFunc   byte = 0
	KindTable  byte = 1
	KindMemory byte = 2
	KindGlobal byte = 3
)

// Import is an import of the original module.
type Import struct {
	Module, Name string
	Kind         byte
}

// Info is what a module says about itself.
type Info struct {
	Imports []Import
	// Exports are the names of the original's exports, in order.
	Exports []string
	// Memories is 0 or 1.
	Memories int
	// MemoryMin and MemoryMax are in pages of 64 KiB; MemoryMax is 0 if the
	// module names none.
	MemoryMin, MemoryMax uint64
	// Functions is the number of functions that the module defines.
	Functions int
	// Floats tells whether an instruction may make a NaN whose bits are the
	// machine's choice; then a replay holds on the same architecture only.
	Floats bool
	// SIMD tells whether the module has vector instructions.
	SIMD bool
	// Start tells whether the module has a start function.
	Start bool
	// Globals are the reserved export names of the module's own mutable
	// globals, in order of index. Those of a reference type hold engine
	// pointers, which no digest may include.
	Globals []string
}

// Section ids, section 5.5.2.
const (
	secCustom = iota
	secType
	secImport
	secFunction
	secTable
	secMemory
	secGlobal
	secExport
	secStart
	secElement
	secCode
	secData
	secDataCount
	secEnd
)

func sectionName(id byte) string {
	names := [secEnd]string{
		"custom section", "type section", "import section", "function section", "table section", "memory section", "global section",
		"export section", "start section", "element section", "code section", "data section", "data count section",
	}
	if int(id) < len(names) {
		return names[id]
	}
	return "section"
}

// sectionRank is the place of a section in a module: the data count section
// comes before the code, whose instructions it serves.
func sectionRank(id byte) int {
	switch id {
	case secDataCount:
		return secCode
	case secCode:
		return secData
	case secData:
		return secDataCount
	}
	return int(id)
}

// funcType is a function type; params and results alias the module.
type funcType struct{ params, results []byte }

// global is a global's type.
type global struct {
	typ     byte
	mutable bool
}

// table is a table's type. max is meaningful only if hasMax.
type table struct {
	typ      byte
	min, max uint32
	hasMax   bool
}

// module is what the sections before the code said.
type module struct {
	caps Caps
	// anyImport admits imports of every kind, type and name. Only tests set it,
	// to run modules written for a test host.
	anyImport bool

	src  []byte
	info Info

	needs    needs
	exceeded limit // the one that the module was refused for, if it was for one

	types   []funcType
	funcs   []uint32 // type index of each function, imported ones first
	globals []global
	tables  []table
	names   []byte // contents of the name section

	importedFuncs, importedGlobals, importedTables int

	tableElements uint64 // of all tables at the start

	elements     int
	dataSegments int
	hasDataCount bool
	dataCount    int
	bodies       int // entries of the code section
	hasStart     bool
	start        uint32
	hasOutside   bool   // an active element segment does not fit into its table:
	outside      uint32 // instantiating ends with a trap, and it is this table's

	// sections are the contents of the original's sections, nil if absent.
	sections [secEnd]*reader
}

// header checks the magic number and the version.
func (m *module) header() *abi.Error {
	whole := reader{section: "module"}
	if m.use(&whole, limitModule, uint64(len(m.src))); whole.err != nil {
		return whole.err
	}
	r := reader{b: m.src, end: len(m.src), section: "header"}
	if err := Foreign(m.src); err != nil {
		if err.Where == "" {
			err.Where = "header at byte 0"
		}
		return err
	}
	const magic = "\x00asm\x01\x00\x00\x00"
	switch {
	case len(m.src) < len(magic) && bytes.HasPrefix([]byte(magic), m.src):
		r.cut(len(magic) - len(m.src))
	case !bytes.HasPrefix(m.src, []byte(magic[:4])):
		r.fail(abi.CodeModuleNotWasm, buildHint, "not a WebAssembly module")
	case !bytes.HasPrefix(m.src, []byte(magic)):
		r.at = 4
		r.fail(abi.CodeModuleNotWasm, buildHint, "not a WebAssembly module of version 1")
	}
	return r.err
}

// cut fails for a file that ends before the module does.
func (r *reader) cut(missing int) {
	r.at = r.end
	r.fail(abi.CodeModuleTruncated, "get or build the file again, and compare its size", "the module breaks off: %d bytes of it are missing", missing)
}

// scan reads every section but the code and checks what they say.
func (m *module) scan() *abi.Error {
	if err := m.header(); err != nil {
		return err
	}
	r := reader{b: m.src, at: 8, end: len(m.src), section: "module"}
	last := 0
	for r.err == nil && r.left() > 0 {
		at := r.at
		id := r.byte()
		r.section = sectionName(id)
		size := r.u32()
		if r.err == nil && int64(size) > int64(r.left()) {
			r.cut(int(int64(size) - int64(r.left())))
		}
		s := r.sub(size)
		if r.err != nil {
			break
		}
		if id == secCustom {
			m.custom(&s)
			r.err = s.err
			continue
		}
		rank := sectionRank(id)
		switch {
		case id == 13:
			r.unsupported(featExceptions)
		case id >= secEnd:
			r.at = at
			r.malformed("no section has id %d", id)
		case rank <= last:
			r.at = at
			r.malformed("the %s is out of order or repeated", sectionName(id))
		default:
			last = rank
			m.sections[id] = &reader{b: s.b, at: s.at, end: s.end, section: s.section}
			m.section(id, &s)
			r.err = s.err
		}
	}
	if r.err == nil {
		m.agree(&r)
	}
	return r.err
}

// section reads the contents of one section.
func (m *module) section(id byte, r *reader) {
	switch id {
	case secType:
		m.typeSection(r)
	case secImport:
		m.importSection(r)
	case secFunction:
		m.functionSection(r)
	case secTable:
		m.tableSection(r)
	case secMemory:
		m.memorySection(r)
	case secGlobal:
		m.globalSection(r, nil)
	case secExport:
		m.exportSection(r)
	case secStart:
		m.start, m.hasStart = r.index("function", len(m.funcs)), true
	case secElement:
		m.elementSection(r, nil)
	case secDataCount:
		m.dataCount, m.hasDataCount = int(r.u32()), true
	case secCode:
		m.bodies = m.count(r, limitFunctions, m.importedFuncs, 3)
		r.at = r.end // the bodies are read by the rewriting
	case secData:
		m.dataSection(r)
	}
	r.done()
}

// agree checks what two sections say about the same thing.
func (m *module) agree(r *reader) {
	if defined := len(m.funcs) - m.importedFuncs; m.bodies != defined {
		r.malformed("%d functions are declared, %d have code", defined, m.bodies)
	}
	if m.hasDataCount && m.dataCount != m.dataSegments {
		r.malformed("%d data segments are announced, %d are there", m.dataCount, m.dataSegments)
	}
	m.info.Functions = m.bodies
	m.info.Start = m.hasStart
}

// custom keeps the first name section that stands where it may, and skips the rest.
func (m *module) custom(r *reader) {
	if name := r.nameBytes(); r.err == nil && string(name) == "name" && m.names == nil {
		m.names = r.b[r.at:r.end]
	}
}
