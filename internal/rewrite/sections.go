package rewrite

import (
	"fmt"
	"strings"
)

// typeSection reads the function types.
func (m *module) typeSection(r *reader) {
	n := m.count(r, limitTypes, 0, 3)
	m.types = make([]funcType, 0, n)
	values := uint64(0)
	for range n {
		if c := r.byte(); r.err == nil && c != typeFunc {
			r.at--
			if c == 0x4e || c == 0x4f || c == 0x50 || c == 0x5e || c == 0x5f {
				r.unsupported(featGC)
			} else {
				r.malformed("a type begins with %#02x, not 0x60", c)
			}
		}
		t := funcType{params: m.valueTypes(r), results: m.valueTypes(r)}
		values += uint64(len(t.params) + len(t.results))
		if m.use(r, limitTypeValues, values); r.err != nil {
			return
		}
		m.types = append(m.types, t)
	}
}

// valueTypes reads a vector of value types.
func (m *module) valueTypes(r *reader) []byte {
	n := m.count(r, limitValues, 0, 1)
	from := r.at
	for range n {
		r.valueType()
	}
	if r.err != nil {
		return nil
	}
	return r.b[from:r.at]
}

// functionSection reads the types of the functions that have code here.
func (m *module) functionSection(r *reader) {
	n := m.count(r, limitFunctions, m.importedFuncs, 1)
	funcs := make([]uint32, m.importedFuncs, m.importedFuncs+n)
	copy(funcs, m.funcs)
	for range n {
		funcs = append(funcs, r.index("type", len(m.types)))
		if r.err != nil {
			return
		}
	}
	m.funcs = funcs
}

// limits reads a minimum and perhaps a maximum.
func (m *module) limits(r *reader, what string) (lo, hi uint32, hasMax bool) {
	flags := r.byte()
	if r.err != nil {
		return 0, 0, false
	}
	switch flags {
	case 0, 1:
	case 2, 3:
		r.unsupported(featThreads)
	case 4, 5, 6, 7:
		r.unsupported(featMemory64)
	case 8, 9, 10, 11, 12, 13, 14, 15:
		r.unsupported(featPageSizes)
	default:
		r.at--
		r.malformed("limits begin with %#02x", flags)
	}
	lo = r.u32()
	if hasMax = flags == 1; hasMax {
		hi = r.u32()
		if r.err == nil && hi < lo {
			r.malformed("a %s's maximum of %d is below its minimum of %d", what, hi, lo)
		}
	}
	return lo, hi, hasMax
}

// tableType reads a table's type and counts its elements against the cap.
func (m *module) tableType(r *reader) {
	if r.left() > 0 && r.b[r.at] == 0x40 {
		r.unsupported(featFuncRefs)
	}
	t := table{typ: r.refType()}
	t.min, t.max, t.hasMax = m.limits(r, "table")
	m.tables = append(m.tables, t)
	if m.tableElements += uint64(t.min); r.err == nil {
		m.use(r, limitTable, m.tableElements)
	}
}

// tableSection reads the tables.
func (m *module) tableSection(r *reader) {
	n := m.count(r, limitTables, m.importedTables, 3)
	for range n {
		if m.tableType(r); r.err != nil {
			return
		}
	}
}

// memoryType reads a memory's type. The page limit of a run is the engine's to
// enforce; here the specification's own must hold.
func (m *module) memoryType(r *reader) {
	if m.info.Memories++; m.info.Memories > 1 {
		r.unsupported(featMemories)
		return
	}
	lo, hi, hasMax := m.limits(r, "memory")
	const pages = 1 << 16
	if r.err == nil && (lo > pages || hi > pages) {
		r.malformed("a memory has at most %d pages", pages)
	}
	m.info.MemoryMin = uint64(lo)
	if hasMax {
		m.info.MemoryMax = uint64(hi)
	}
}

// memorySection reads the memory.
func (m *module) memorySection(r *reader) {
	n := r.u32()
	if n > 1 {
		r.unsupported(featMemories)
	}
	for range min(n, 1) {
		m.memoryType(r)
	}
}

// globalType reads a global's type.
func (m *module) globalType(r *reader) global {
	g := global{typ: r.valueType()}
	c := r.byte()
	if c > 1 {
		r.at--
		r.malformed("mutability is %#02x, neither 0 nor 1", c)
	}
	g.mutable = c == 1
	return g
}

// globalSection reads the globals. If out is not nil, it is the second reading,
// which writes them there with functions renumbered.
func (m *module) globalSection(r *reader, out *[]byte) {
	n := m.count(r, limitGlobals, m.importedGlobals, 4)
	for range n {
		from := r.at
		g := m.globalType(r)
		if out == nil {
			m.globals = append(m.globals, g)
		} else {
			*out = append(*out, r.b[from:r.at]...)
		}
		if m.constExpr(r, out); r.err != nil {
			return
		}
	}
	if out == nil {
		for i := m.importedGlobals; i < len(m.globals); i++ {
			if m.globals[i].mutable {
				m.info.Globals = append(m.info.Globals, globalExport(i))
			}
		}
	}
}

// globalExport is the reserved export name of the global with index i.
func globalExport(i int) string { return fmt.Sprintf("%sg%d", ReservedPrefix, i) }

// exportSection reads the exports.
func (m *module) exportSection(r *reader) {
	n := m.count(r, limitExports, 0, 3)
	seen := make(map[string]bool, n)
	m.info.Exports = make([]string, 0, n)
	for range n {
		at := r.at
		name := r.name()
		kind := r.byte()
		switch kind {
		case KindFunc:
			r.index("function", len(m.funcs))
		case KindTable:
			r.index("table", len(m.tables))
		case KindMemory:
			r.index("memory", m.info.Memories)
		case KindGlobal:
			r.index("global", len(m.globals))
		case 4:
			r.unsupported(featExceptions)
		default:
			r.malformed("no export has kind %#02x", kind)
		}
		if r.err != nil {
			return
		}
		if strings.HasPrefix(name, ReservedPrefix) {
			r.at = at
			r.reserved("export", name)
		} else if seen[name] {
			r.at = at
			r.malformed("the export %s is there twice", quoted(name))
		}
		seen[name] = true
		m.info.Exports = append(m.info.Exports, name)
	}
}
