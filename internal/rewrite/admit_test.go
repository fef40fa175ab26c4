package rewrite

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/forgeone/forgeone/abi"
)

// importing is a module with one import of type (params) -> results.
func importing(module, name string, params, results []byte) []byte {
	return sections(
		section(secType, vec(functype(params, results))),
		section(secImport, vec(cat(module, name, KindFunc, 0))),
	)
}

func refused(t *testing.T, module []byte, caps Caps, code abi.Code, words ...string) {
	t.Helper()
	_, _, err := Rewrite(module, caps)
	var e *abi.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Fatalf("got %v, want %s", err, code)
	}
	if info, ok := abi.LookupCode(code); !ok || info.Exit != 1 {
		t.Errorf("%s is not registered as a clean no", code)
	}
	if e.Where == "" {
		t.Errorf("%v does not say where", err)
	}
	for _, w := range words {
		if !strings.Contains(e.Error()+" "+e.Hint, w) {
			t.Errorf("%v does not say %q", err, w)
		}
	}
	if _, err2 := Inspect(module, caps); err2 == nil || err2.Error() != err.Error() {
		t.Errorf("Inspect says %v, Rewrite %v", err2, err)
	}
}

func TestRefusals(t *testing.T) {
	const wasi = "wasi_snapshot_preview1"
	nop := one(nil, nil, nil)
	iiii := []byte{i32, i32, i32, i32}
	body := func(instrs ...any) []byte { return one(nil, nil, nil, instrs...) }
	for name, c := range map[string]struct {
		module []byte
		code   abi.Code
		words  []string
	}{
		"version 2":        {[]byte("\x00asm\x02\x00\x00\x00"), abi.CodeModuleNotWasm, nil},
		"component":        {[]byte("\x00asm\x0d\x00\x01\x00"), abi.CodeModuleComponent, []string{"GOOS=wasip1 GOARCH=wasm", "--target wasm32-wasip1"}},
		"unknown module":   {importing("env", "abort", nil, nil), abi.CodeModuleImport, []string{`"env"."abort"`}},
		"unknown function": {importing(wasi, "fd_teleport", nil, nil), abi.CodeModuleImport, []string{"fd_teleport"}},
		"other type":       {importing(wasi, "fd_write", []byte{i32, i32, i32}, []byte{i32}), abi.CodeModuleSignature, []string{"fd_write"}},
		"i64 for i32":      {importing(wasi, "fd_write", []byte{i64, i32, i32, i32}, []byte{i32}), abi.CodeModuleSignature, nil},
		"no result":        {importing(wasi, "fd_write", iiii, nil), abi.CodeModuleSignature, nil},
		"two results":      {importing(wasi, "fd_write", iiii, []byte{i32, i32}), abi.CodeModuleSignature, nil},
		"proc_exit result": {importing(wasi, "proc_exit", []byte{i32}, []byte{i32}), abi.CodeModuleSignature, nil},
		"old WASI":         {importing("wasi_unstable", "fd_write", iiii, []byte{i32}), abi.CodeModuleOldWASI, []string{`"wasi_unstable"."fd_write"`, "56 bytes, not 64", "whence", "GOOS=wasip1", "wasi-sdk 8"}},
		"old WASI, no row": {importing("wasi_unstable", "no_such", iiii, []byte{i32}), abi.CodeModuleOldWASI, []string{"wasi_unstable"}},
		"reserved import":  {importing("forgeone", "tick", nil, nil), abi.CodeModuleReserved, []string{"forgeone.tick"}},
		"memory import":    {sections(section(secImport, vec(cat("env", "memory", KindMemory, 0, 1)))), abi.CodeModuleImportKind, []string{"memory"}},
		"table import":     {sections(section(secImport, vec(cat("env", "t", KindTable, typeFuncref, 0, 1)))), abi.CodeModuleImportKind, nil},
		"global import":    {sections(section(secImport, vec(cat("env", "g", KindGlobal, i32, 0)))), abi.CodeModuleImportKind, nil},
		"tag import":       {sections(section(secImport, vec(cat("env", "t", 4, 0, 0)))), abi.CodeModuleUnsupported, []string{"exception"}},
		"reserved export": {
			sections(section(secMemory, vec(cat(0, 1))), section(secExport, vec(export("forgeone:gas", KindMemory, 0)))),
			abi.CodeModuleReserved,
			[]string{"forgeone:gas"},
		},
		"export twice": {
			sections(section(secMemory, vec(cat(0, 1))), section(secExport, vec(export("m", KindMemory, 0), export("m", KindMemory, 0)))),
			abi.CodeModuleMalformed, nil,
		},

		"overlong SIMD":      {body(opVector, 0x8c, 0, make([]byte, 16), 0x1a), abi.CodeModuleMalformed, nil},
		"SIMD hole":          {body(opVector, 0xe2, 1), abi.CodeModuleMalformed, nil},
		"misc hole":          {body(opMisc, 18), abi.CodeModuleMalformed, nil},
		"opcode hole":        {body(0x27), abi.CodeModuleMalformed, []string{"0x27"}},
		"trailing byte":      {append(slices.Clone(nop), 0), abi.CodeModuleMalformed, nil},
		"section 14":         {append(slices.Clone(nop), 14, 0), abi.CodeModuleMalformed, []string{"14"}},
		"section twice":      {sections(section(secMemory, vec(cat(0, 1))), section(secMemory, vec())), abi.CodeModuleMalformed, []string{"repeated"}},
		"code without types": {sections(section(secCode, vec(code(nil)))), abi.CodeModuleMalformed, nil},
		"missing code":       {sections(section(secType, vec(functype(nil, nil))), section(secFunction, vec(u32(0)))), abi.CodeModuleMalformed, nil},
		"data count":         {sections(section(secMemory, vec(cat(0, 1))), section(secDataCount, 1)), abi.CodeModuleMalformed, nil},
		"huge count":         {sections(section(secType, u32(90_000))), abi.CodeModuleMalformed, []string{"announced"}},
		"overlong integer":   {sections(section(secType, 0x80, 0x80, 0x80, 0x80, 0x80, 0)), abi.CodeModuleMalformed, []string{"32 bits"}},
		"integer too large":  {sections(section(secType, 0xff, 0xff, 0xff, 0xff, 0x1f)), abi.CodeModuleMalformed, []string{"32 bits"}},
		"i32 too large":      {body(opI32Const, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x1a), abi.CodeModuleMalformed, []string{"32 bits"}},
		"name not UTF-8":     {sections(section(secExport, vec(cat([]byte{1, 0xff}, 0, 0)))), abi.CodeModuleMalformed, []string{"UTF-8"}},
		"table max below":    {sections(section(secTable, vec(cat(typeFuncref, 1, 2, 1)))), abi.CodeModuleMalformed, []string{"below"}},
		"two constants":      {sections(section(secGlobal, vec(cat(i32, 0, opI32Const, 1, opI32Const, 2, opEnd)))), abi.CodeModuleMalformed, nil},
		"constant operator":  {sections(section(secGlobal, vec(cat(i32, 0, opI32Const, 1, opI32Add, opEnd)))), abi.CodeModuleMalformed, nil},
		"else without if":    {body(opBlock, empty, opElse, opEnd), abi.CodeModuleMalformed, []string{"else"}},
		"code after end":     {body(opEnd, 1), abi.CodeModuleMalformed, nil},
		"no end":             {sections(section(secType, vec(functype(nil, nil))), section(secFunction, vec(u32(0))), section(secCode, 1, 3, 0, 1, 1)), abi.CodeModuleMalformed, nil},
		"memory.init without data count": {sections(section(secType, vec(functype(nil, nil))), section(secFunction, vec(u32(0))), section(secMemory, vec(cat(0, 1))),
			section(secCode, vec(code(nil, opMisc, miscDataDrop, 0))), section(secData, vec(cat(1, 0)))), abi.CodeModuleMalformed, nil},

		// Each index is one past the original's: after the rewriting it would exist.
		"gas by index":         {body(opI64Const, 0, opGlobalSet, 2), abi.CodeModuleMalformed, []string{"global 2"}},
		"depth by index":       {body(opI32Const, 0, opGlobalSet, 3), abi.CodeModuleMalformed, []string{"global 3"}},
		"tick by index":        {body(opCall, 1), abi.CodeModuleMalformed, []string{"function 1"}},
		"ref.func of tick":     {body(opRefFunc, 1, 0x1a), abi.CodeModuleMalformed, []string{"function 1"}},
		"scratch local":        {body(opI32Const, 0, 0x40, 0, opLocalTee, 0, 0x1a), abi.CodeModuleMalformed, []string{"local 0"}},
		"label of the wrapper": {body(opCall, 0, opBr, 1), abi.CodeModuleMalformed, []string{"label 1"}},
		"br_table's last":      {body(opI32Const, 0, 0x0e, 1, 0, 1), abi.CodeModuleMalformed, []string{"label 1"}},
		"added type":           {body(opI32Const, 0, 0x11, 1, 0), abi.CodeModuleMalformed, []string{"type 1"}},
		"block type":           {body(opBlock, 1, opEnd), abi.CodeModuleMalformed, []string{"type 1"}},
		"table":                {body(opI32Const, 0, 0x25, 1, 0x1a), abi.CodeModuleMalformed, []string{"table 1"}},
		"element segment":      {body(opMisc, miscElemDrop, 1), abi.CodeModuleMalformed, []string{"element segment 1"}},
		"start":                {sections(section(secStart, 0)), abi.CodeModuleMalformed, []string{"function 0"}},
		"exported gas":         {sections(section(secExport, vec(export("g", KindGlobal, 0)))), abi.CodeModuleMalformed, []string{"global 0"}},
		"exported tick":        {sections(section(secExport, vec(export("f", KindFunc, 0)))), abi.CodeModuleMalformed, []string{"function 0"}},
		"constant of a global": {sections(section(secGlobal, vec(cat(i32, 0, opI32Const, 1, opEnd), cat(i32, 0, opGlobalGet, 0, opEnd)))), abi.CodeModuleMalformed, []string{"imported global"}},
		"element of tick":      {sections(section(secTable, vec(cat(typeFuncref, 0, 2))), section(secElement, vec(cat(0, opI32Const, 0, opEnd, vec(u32(0)))))), abi.CodeModuleMalformed, []string{"function 0"}},
		"no memory":            {sections(section(secType, vec(functype(nil, nil))), section(secFunction, vec(u32(0))), section(secCode, vec(code(nil, 0x3f, 0, 0x1a)))), abi.CodeModuleMalformed, []string{"memory 0"}},
	} {
		t.Run(name, func(t *testing.T) { refused(t, c.module, DefaultCaps(), c.code, c.words...) })
	}
}

// TestEveryImport admits each row of the syscall table with its own type.
func TestEveryImport(t *testing.T) {
	for _, row := range abi.Rows() {
		var params, results []byte
		for _, c := range row.Core() {
			params = append(params, map[rune]byte{'i': i32, 'l': i64}[c])
		}
		if row.Returns() {
			results = []byte{i32}
		}
		m := importing(row.Iface.Module(), row.Name, params, results)
		out, info, err := Rewrite(m, DefaultCaps())
		if err != nil {
			t.Errorf("%s: %v", row.Name, err)
			continue
		}
		if want := []Import{{row.Iface.Module(), row.Name, KindFunc}}; !slices.Equal(info.Imports, want) {
			t.Errorf("imports are %v", info.Imports)
		}
		validates(t, out)
	}
}

// functionsOf is a module with n empty functions.
func functionsOf(n int) []byte {
	return sections(
		section(secType, vec(functype(nil, nil))),
		section(secFunction, vec(slices.Repeat([][]byte{u32(0)}, n)...)),
		section(secCode, vec(slices.Repeat([][]byte{code(nil)}, n)...)),
	)
}
