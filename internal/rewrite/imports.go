package rewrite

import (
	"github.com/forgeone/forgeone/abi"
)

// importSection reads the imports and holds them against the syscall table.
func (m *module) importSection(r *reader) {
	n := r.count("imports", m.caps.Imports, 4)
	m.info.Imports = make([]Import, 0, n)
	for range n {
		at := r.at
		i := Import{Module: r.name(), Name: r.name(), Kind: r.byte()}
		if r.err != nil {
			return
		}
		if i.Module == ReservedModule {
			r.at = at
			r.reserved("import", i.Module+"."+i.Name)
			return
		}
		if i.Kind != KindFunc && !m.anyImport {
			r.at = at
			m.refuseKind(r, i)
			return
		}
		m.importDesc(r, i, at)
		if r.err != nil {
			return
		}
		m.info.Imports = append(m.info.Imports, i)
	}
}

// reserved refuses a name that belongs to the kernel.
func (r *reader) reserved(what, name string) {
	r.fail(abi.CodeModuleReserved, "rename it: names of \"forgeone\" belong to the kernel", "%s %q is reserved", what, name)
}

// importDesc reads what is imported and adds it to its index space.
func (m *module) importDesc(r *reader, i Import, at int) {
	switch i.Kind {
	case KindFunc:
		t := r.index("type", len(m.types))
		if r.err != nil {
			return
		}
		if !m.anyImport {
			m.checkImport(r, i, m.types[t], at)
		}
		m.funcs = append(m.funcs, t)
		m.importedFuncs++
	case KindTable:
		m.tableType(r)
		m.importedTables++
	case KindMemory:
		m.memoryType(r)
	case KindGlobal:
		m.globals = append(m.globals, m.globalType(r))
		m.importedGlobals++
	}
}

// refuseKind refuses an import that is not a function.
func (m *module) refuseKind(r *reader, i Import) {
	kinds := map[byte]string{KindTable: "table", KindMemory: "memory", KindGlobal: "global"}
	switch kind, ok := kinds[i.Kind]; {
	case ok:
		r.fail(abi.CodeModuleImportKind, "link the module as a program of its own: a guest owns its memory, tables and globals",
			"import %q.%q is a %s; only functions may be imported", i.Module, i.Name, kind)
	case i.Kind == 4:
		r.unsupported("exception handling")
	default:
		r.malformed("no import has kind %#02x", i.Kind)
	}
}

// checkImport holds an imported function against the table.
func (m *module) checkImport(r *reader, i Import, t funcType, at int) {
	const build = "build for WASI preview 1: GOOS=wasip1 GOARCH=wasm go build, or cargo build --target wasm32-wasip1"
	if i.Module == "wasi_unstable" {
		r.at = at
		// Its functions have preview 1's names and types, so taking them for those
		// would seem to work until a file's size is read where its links are counted.
		r.fail(abi.CodeModuleOldWASI, build+", or wasi-sdk 8 or later", "import %q.%q: wasi_unstable is the ABI before WASI preview 1; its file status has 56 bytes, not 64, and fd_seek's whence another order", i.Module, i.Name)
		return
	}
	var row *abi.Row
	if i.Module == abi.WASIPreview1.Module() {
		row = abi.ByName(abi.WASIPreview1, i.Name)
	}
	if row == nil {
		r.at = at
		r.fail(abi.CodeModuleImport, "see the functions there are: forgeone syscalls", "unknown import %q.%q", i.Module, i.Name)
		return
	}
	if !fits(row, t) {
		r.at = at
		r.fail(abi.CodeModuleSignature, "see the type it must have: forgeone syscalls "+row.Name, "import %q.%q has another type than WASI preview 1 gives it", i.Module, i.Name)
	}
}

// fits tells whether t is exactly the row's core type.
func fits(row *abi.Row, t funcType) bool {
	want := row.Core()
	if len(want) != len(t.params) {
		return false
	}
	for k, c := range t.params {
		if (want[k] == 'i') != (c == typeI32) || (want[k] == 'l') != (c == typeI64) {
			return false
		}
	}
	if row.Returns() {
		return len(t.results) == 1 && t.results[0] == typeI32
	}
	return len(t.results) == 0
}
