package rewrite

import (
	"strings"

	"github.com/forgeone/forgeone/abi"
)

// importSection reads the imports and holds them against the syscall table.
func (m *module) importSection(r *reader) {
	n := m.count(r, limitImports, 0, 4)
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
	r.fail(abi.CodeModuleReserved, "rename it: names of \"forgeone\" belong to the kernel", "%s %s is reserved", what, quoted(name))
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
			"import %s is a %s; only functions may be imported", i.quoted(), kind)
	case i.Kind == 4:
		r.unsupported(featExceptions)
	default:
		r.malformed("no import has kind %#02x", i.Kind)
	}
}

// checkImport holds an imported function against the table.
func (m *module) checkImport(r *reader, i Import, t funcType, at int) {
	if i.Module == "wasi_unstable" {
		r.at = at
		// Its functions have preview 1's names and types, so taking them for those
		// would seem to work until a file's size is read where its links are counted.
		r.fail(abi.CodeModuleOldWASI, buildHint+", or wasi-sdk 8 or later", "import %s: wasi_unstable is the ABI before WASI preview 1; its file status has 56 bytes, not 64, and fd_seek's whence another order", i.quoted())
		return
	}
	var row *abi.Row
	if i.Module == abi.WASIPreview1.Module() {
		row = abi.ByName(abi.WASIPreview1, i.Name)
	}
	if row == nil {
		r.at = at
		r.fail(abi.CodeModuleImport, i.wayOut(), "unknown import %s", i.quoted())
		return
	}
	if !fits(row, t) {
		r.at = at
		r.fail(abi.CodeModuleSignature, "see the type it must have: forgeone syscalls "+row.Name, "import %s has another type than WASI preview 1 gives it", i.quoted())
	}
}

// quoted is the import as messages show it.
func (i Import) quoted() string { return quoted(i.Module) + "." + quoted(i.Name) }

// wayOut says what to do about an import that nobody provides: the module tells
// what it was built for.
func (i Import) wayOut() string {
	switch {
	case i.Module == abi.WASIPreview1.Module():
		return "see the functions there are: forgeone syscalls"
	case i.Module == "env" || i.Module == "GOT.func" || i.Module == "GOT.mem":
		return "link what defines it, without --allow-undefined: an import of \"env\" is most often a function that the linker did not find"
	case i.Module == "go" || i.Module == "gojs":
		return "build for WASI preview 1, not for a browser: GOOS=wasip1 GOARCH=wasm go build"
	case strings.HasPrefix(i.Module, "__wbindgen") || i.Module == "wbg":
		return "build without wasm-bindgen, which needs a browser: cargo build --target wasm32-wasip1"
	case strings.HasPrefix(i.Module, "wasi:"), strings.HasPrefix(i.Module, "wasi_snapshot_preview2"):
		return buildHint
	}
	return "build for WASI preview 1, without bindings to another host; see the functions there are: forgeone syscalls"
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
