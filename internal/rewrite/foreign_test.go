package rewrite

import (
	"bytes"
	"compress/gzip"
	"slices"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/forgeone/forgeone/abi"
)

// TestForeign: a file that is no core module is told for what it is, with the
// way to a module.
func TestForeign(t *testing.T) {
	const header = "\x00asm\x0d\x00\x01\x00"
	core := importing("wasi_snapshot_preview1", "proc_exit", []byte{i32}, nil)
	wrap := func(parts ...[]byte) []byte { return append([]byte(header), slices.Concat(parts...)...) }
	made := func(by string) []byte { return section(secCustom, "producers", 1, "processed-by", 1, by, "1.0") }
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write(functionsOf(1)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	module := one(nil, nil, nil, opI32Const, 0, 0x1a)
	for name, c := range map[string]struct {
		file  []byte
		code  abi.Code
		words []string
	}{
		"nothing":               {nil, abi.CodeModuleEmpty, []string{"empty"}},
		"text":                  {[]byte("\n  (module (func))"), abi.CodeModuleText, []string{"wat2wasm"}},
		"text of a component":   {[]byte("(component)"), abi.CodeModuleText, nil},
		"text with a comment":   {[]byte(";; a module\n(module)"), abi.CodeModuleText, nil},
		"text, block comment":   {[]byte("(; x ;) (module)"), abi.CodeModuleText, nil},
		"gzip":                  {zipped.Bytes(), abi.CodeModulePacked, []string{"gzip -dc"}},
		"zip":                   {[]byte("PK\x03\x04rest"), abi.CodeModulePacked, []string{"unzip"}},
		"zstd":                  {[]byte("\x28\xb5\x2f\xfdrest"), abi.CodeModulePacked, []string{"zstd -d"}},
		"xz":                    {[]byte("\xfd7zXZ\x00rest"), abi.CodeModulePacked, []string{"xz -d"}},
		"ELF":                   {[]byte("\x7fELF\x02\x01\x01\x00\x00"), abi.CodeModuleNative, []string{"wasip1"}},
		"PE":                    {[]byte("MZ\x90\x00\x03\x00\x00\x00"), abi.CodeModuleNative, []string{"Windows"}},
		"Mach-O":                {[]byte("\xcf\xfa\xed\xfe\x0c\x00\x00\x01"), abi.CodeModuleNative, []string{"macOS"}},
		"script":                {[]byte("#!/usr/bin/env python3\n"), abi.CodeModuleNative, []string{"interpreter"}},
		"bitcode":               {[]byte("BC\xc0\xde\x35\x14\x00\x00"), abi.CodeModuleNative, []string{"link"}},
		"library":               {[]byte("!<arch>\n/      "), abi.CodeModuleNative, []string{"link"}},
		"prose":                 {[]byte("no module at all"), abi.CodeModuleNotWasm, []string{"wasip1"}},
		"magic only":            {[]byte("\x00asm"), abi.CodeModuleTruncated, []string{"4 bytes"}},
		"half a version":        {[]byte("\x00asm\x01\x00"), abi.CodeModuleTruncated, []string{"2 bytes"}},
		"half a module":         {module[:len(module)-2], abi.CodeModuleTruncated, []string{"2 bytes of it are missing"}},
		"a section of 4 GiB":    {append(sections(), secCustom, 0xff, 0xff, 0xff, 0xff, 0x0f), abi.CodeModuleTruncated, []string{"4294967295 bytes"}},
		"component":             {[]byte(header), abi.CodeModuleComponent, []string{"GOOS=wasip1 GOARCH=wasm", "--target wasm32-wasip1"}},
		"older component":       {[]byte("\x00asm\x0c\x00\x01\x00"), abi.CodeModuleComponent, nil},
		"around a core module":  {wrap(section(componentModule, core)), abi.CodeModuleComponent, []string{"around core modules", "unbundle"}},
		"around two":            {wrap(section(componentModule, functionsOf(1)), section(componentModule, core), section(7, 0)), abi.CodeModuleComponent, []string{"unbundle"}},
		"around another":        {wrap(section(4, []byte(header))), abi.CodeModuleComponent, nil},
		"cut component":         {wrap(section(componentModule, core))[:20], abi.CodeModuleComponent, nil},
		"by Rust":               {wrap(section(componentModule, core), made("rustc")), abi.CodeModuleComponent, []string{"cargo build --target wasm32-wasip1"}},
		"by TinyGo":             {wrap(made("TinyGo")), abi.CodeModuleComponent, []string{"tinygo build -target=wasip1"}},
		"by C":                  {wrap(made("clang")), abi.CodeModuleComponent, []string{"clang --target=wasm32-wasip1"}},
		"by componentize-py":    {wrap(made("componentize-py")), abi.CodeModuleComponent, []string{"CPython"}},
		"by componentize-js":    {wrap(made("componentize-js")), abi.CodeModuleComponent, []string{"javy build"}},
		"a version to come":     {[]byte("\x00asm\x02\x00\x00\x00"), abi.CodeModuleNotWasm, []string{"version 1"}},
		"a layer that is none":  {[]byte("\x00asm\x01\x00\x02\x00"), abi.CodeModuleNotWasm, nil},
		"a name that is a lie":  {append(sections(), secCustom, 2, 0x7f, 'x'), abi.CodeModuleMalformed, []string{"127 more bytes"}},
		"a section that is cut": {append(sections(), secType), abi.CodeModuleMalformed, []string{"unexpected end"}},
	} {
		t.Run(name, func(t *testing.T) { refused(t, c.file, DefaultCaps(), c.code, c.words...) })
	}
	for _, text := range []abi.Code{abi.CodeModuleComponent} {
		info, _ := abi.LookupCode(text)
		for _, toolchain := range []string{"Rust", "Go:", "TinyGo", "clang", "JavaScript", "Python"} {
			if !strings.Contains(info.Text, toolchain) {
				t.Errorf("explain %s does not tell of %s", text, toolchain)
			}
		}
	}
}

// TestFeatures: each feature beyond core 2.0 is refused by its name, with the
// compiler's flag that turns it off; and nothing is refused so that the engine,
// set to core 2.0, would take, but for what it reads without asking its settings.
func TestFeatures(t *testing.T) {
	lax := map[string]bool{"exnref": true, "rec": true, "table": true}
	rt := wazero.NewRuntimeWithConfig(t.Context(), wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(api.CoreFeaturesV2))
	body := func(instrs ...any) []byte { return one(nil, nil, nil, instrs...) }
	global := func(instrs ...any) []byte { return sections(section(secGlobal, vec(cat(i32, 0, cat(instrs...))))) }
	cases := []struct {
		feature, flag string
		modules       map[string][]byte
	}{
		{featThreads, "-mno-atomics", map[string][]byte{
			"atomic.fence":    body(0xfe, 3, 0),
			"i32.atomic.load": body(opI32Const, 0, 0xfe, 0x10, 2, 0, 0x1a),
			"shared memory":   sections(section(secMemory, vec(cat(3, 1, 1)))),
			"shared, no max":  sections(section(secMemory, vec(cat(2, 1)))),
		}},
		{featExceptions, "-fno-exceptions", map[string][]byte{
			"tag section": sections(section(13, vec())),
			"tag import":  sections(section(secImport, vec(cat("env", "t", 4, 0, 0)))),
			"tag export":  sections(section(secExport, vec(export("t", 4, 0)))),
			"try":         body(0x06, empty, opEnd),
			"throw":       body(0x08, 0),
			"try_table":   body(0x1f, empty, 0, opEnd),
			"exnref":      sections(section(secType, vec(functype([]byte{0x69}, nil)))),
		}},
		{featRelaxedSIMD, "-mno-relaxed-simd", map[string][]byte{
			"i8x16.relaxed_swizzle": body(opVector, 0x80, 2),
			"i32x4.relaxed_dot":     body(opVector, 0x93, 2),
		}},
		{featMemory64, "wasm32", map[string][]byte{
			"memory":          sections(section(secMemory, vec(cat(4, 1)))),
			"memory with max": sections(section(secMemory, vec(cat(5, 1, 2)))),
			"table64":         sections(section(secTable, vec(cat(typeFuncref, 4, 1)))),
		}},
		{featMemories, "-mno-multimemory", map[string][]byte{
			"two memories":   sections(section(secMemory, vec(cat(0, 1), cat(0, 1)))),
			"load of 1":      body(opI32Const, 0, 0x28, 0x42, 1, 0, 0x1a),
			"memory.size 1":  body(0x3f, 1, 0x1a),
			"memory.fill 1":  body(opI32Const, 0, opI32Const, 0, opI32Const, 0, opMisc, miscMemoryFill, 1),
			"memory.copy 01": body(opI32Const, 0, opI32Const, 0, opI32Const, 0, opMisc, miscMemoryCopy, 0, 1),
		}},
		{featTailCalls, "-mno-tail-call", map[string][]byte{
			"return_call":          body(0x12, 0),
			"return_call_indirect": body(opI32Const, 0, 0x13, 0, 0),
		}},
		{featExtended, "-mno-extended-const", map[string][]byte{
			"i32.add":    global(opI32Const, 1, opI32Const, 2, opI32Add, opEnd),
			"i64.mul":    sections(section(secGlobal, vec(cat(i64, 0, opI64Const, 1, opI64Const, 2, opI64Mul, opEnd)))),
			"three":      global(opI32Const, 1, opI32Const, 2, opI32Const, 3, opI32Add, opI32Add, opEnd),
			"of segment": sections(section(secMemory, vec(cat(0, 1))), section(secData, vec(cat(0, opI32Const, 1, opI32Const, 2, opI32Sub, opEnd, 0)))),
		}},
		{featGC, "linear memory", map[string][]byte{
			"struct type": sections(section(secType, vec(cat(0x5f, 0, 0)))),
			"array type":  sections(section(secType, vec(cat(0x5e, i32, 0)))),
			"rec":         sections(section(secType, vec(cat(0x4e, 1, functype(nil, nil))))),
			"anyref":      sections(section(secType, vec(functype([]byte{0x6e}, nil)))),
			"struct.new":  body(0xfb, 0, 0),
		}},
		{featFuncRefs, "--disable-gc", map[string][]byte{
			"ref type": sections(section(secType, vec(functype([]byte{0x64, 0}, nil)))),
			"call_ref": body(0x14, 0),
			"table":    sections(section(secTable, vec(cat(0x40, 0, typeFuncref, 0, 1, opRefNull, typeFuncref, opEnd)))),
		}},
		{featWide, "-mno-wide-arithmetic", map[string][]byte{"i64.add128": body(opMisc, 19), "i64.mul_wide_u": body(opMisc, 22)}},
		{featPageSizes, "without", map[string][]byte{"of a byte": sections(section(secMemory, vec(cat(8, 1, 0))))}},
		{featStacks, "without", map[string][]byte{"cont.new": body(0xe0, 0)}},
	}
	for _, c := range cases {
		for name, m := range c.modules {
			t.Run(c.feature+"/"+name, func(t *testing.T) {
				refused(t, m, DefaultCaps(), abi.CodeModuleUnsupported, c.feature, c.flag)
				if (compile(rt, m) == nil) != lax[name] {
					t.Errorf("that the engine takes it is %v", !lax[name])
				}
			})
		}
		if info, _ := abi.LookupCode(abi.CodeModuleUnsupported); !strings.Contains(info.Text, c.feature) {
			t.Errorf("explain does not tell of %s", c.feature)
		}
	}
}

// TestImportNames: names in messages are escaped and short, whatever the module
// calls its imports; the same import may be there many times.
func TestImportNames(t *testing.T) {
	refused(t, importing("env\x1b[2J", "a\nb\x00", nil, nil), DefaultCaps(), abi.CodeModuleImport, `"env\x1b[2J"."a\nb\x00"`)
	long := strings.Repeat("é", 40_000)
	_, err := Inspect(importing(long, long, nil, nil), DefaultCaps())
	if abi.CodeOf(err) != abi.CodeModuleImport || len(err.Error()) > 1000 || !strings.Contains(err.Error(), "79920 bytes more") {
		t.Errorf("%d bytes of message: %.300v", len(err.Error()), err)
	}
	refused(t, importing("env", strings.Repeat("x", 1<<20), nil, nil), DefaultCaps(), abi.CodeModuleImport, "1048496 bytes more")
	for module, word := range map[string]string{
		"env": "--allow-undefined", "go": "GOOS=wasip1", "gojs": "GOOS=wasip1", "wbg": "wasm-bindgen", "__wbindgen_placeholder__": "wasm-bindgen",
		"wasi:cli/environment@0.2.0": "wasip1", "other": "forgeone syscalls",
	} {
		refused(t, importing(module, "f", nil, nil), DefaultCaps(), abi.CodeModuleImport, word)
	}
	same := func(n int) []byte {
		return sections(section(secType, vec(functype([]byte{i32}, nil))),
			section(secImport, vec(slices.Repeat([][]byte{cat("wasi_snapshot_preview1", "proc_exit", KindFunc, 0)}, n)...)))
	}
	caps := DefaultCaps()
	out, info, err := Rewrite(same(caps.Imports), caps)
	if err != nil || len(info.Imports) != caps.Imports {
		t.Fatalf("%d times the same import: %v", caps.Imports, err)
	}
	validates(t, out)
	refused(t, same(caps.Imports+1), caps, abi.CodeModuleCap, "imports")
	refused(t, same(50_000), caps, abi.CodeModuleCap, "imports")
}
