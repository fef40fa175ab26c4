package rewrite

import (
	"bytes"

	"github.com/forgeone/forgeone/abi"
)

// buildHint is what makes most programs fit to run here.
const buildHint = "build for WASI preview 1: GOOS=wasip1 GOARCH=wasm go build, or cargo build --target wasm32-wasip1"

// Foreign tells what a file is that is no core module, by the bytes that it
// begins with: text, an archive, a program for a processor, a component. It
// returns nil where it does not know, and for a module. head may be cut short;
// the whole file lets a message say more.
//
// # Errors
//
// An *abi.Error with a code of the area MOD and the way to a module.
func Foreign(head []byte) *abi.Error {
	refuse := func(code abi.Code, hint, what string) *abi.Error {
		return &abi.Error{Code: code, What: what, Hint: hint}
	}
	if len(head) == 0 {
		return refuse(abi.CodeModuleEmpty, "build the module again, and look at what the compiler says", "the file is empty")
	}
	if len(head) >= 8 && bytes.Equal(head[:4], []byte("\x00asm")) && bytes.Equal(head[6:8], []byte{1, 0}) {
		return component(head)
	}
	if text := bytes.TrimLeft(head, " \t\r\n"); bytes.HasPrefix(text, []byte("(module")) || bytes.HasPrefix(text, []byte("(component")) || bytes.HasPrefix(text, []byte(";;")) || bytes.HasPrefix(text, []byte("(;")) {
		return refuse(abi.CodeModuleText, "wat2wasm MODULE.wat -o MODULE.wasm", "this is WebAssembly text; ForgeOne runs the binary format")
	}
	for _, f := range []struct {
		magic, name, hint string
		code              abi.Code
	}{
		{"\x1f\x8b", "compressed by gzip", "gzip -dc MODULE.wasm.gz > MODULE.wasm", abi.CodeModulePacked},
		{"\x28\xb5\x2f\xfd", "compressed by zstd", "zstd -d MODULE.wasm.zst", abi.CodeModulePacked},
		{"\xfd7zXZ\x00", "compressed by xz", "xz -d MODULE.wasm.xz", abi.CodeModulePacked},
		{"BZh", "compressed by bzip2", "bzip2 -d MODULE.wasm.bz2", abi.CodeModulePacked},
		{"PK\x03\x04", "a zip archive", "unzip ARCHIVE.zip", abi.CodeModulePacked},
		{"\x7fELF", "a program for this kind of machine (ELF)", buildHint, abi.CodeModuleNative},
		{"MZ", "a program for Windows", buildHint, abi.CodeModuleNative},
		{"\xcf\xfa\xed\xfe", "a program for macOS (Mach-O)", buildHint, abi.CodeModuleNative},
		{"\xca\xfe\xba\xbe", "a program for macOS, or a Java class", buildHint, abi.CodeModuleNative},
		{"BC\xc0\xde", "LLVM bitcode", "link it to a program: clang --target=wasm32-wasi INPUT -o MODULE.wasm", abi.CodeModuleNative},
		{"!<arch>\n", "a static library", "link it to a program: clang --target=wasm32-wasi MAIN.c LIBRARY.a -o MODULE.wasm", abi.CodeModuleNative},
		{"#!", "a script", "run it by its interpreter, built for WASI preview 1, with the script mounted", abi.CodeModuleNative},
	} {
		if bytes.HasPrefix(head, []byte(f.magic)) {
			return refuse(f.code, f.hint, "this is "+f.name+", not a WebAssembly module")
		}
	}
	return nil
}

// componentModule is the section of a component that holds a core module
// (Component Model, Binary.md).
const componentModule = 1

// component says what can be done about a component: which depends on what it
// was made with, and whether it holds a module for preview 1. What it says of
// itself only chooses a hint.
func component(src []byte) *abi.Error {
	e := &abi.Error{Code: abi.CodeModuleComponent, Where: "header at byte 4", What: "this is a WebAssembly component; ForgeOne runs core modules", Hint: buildHint}
	r := reader{b: src, at: 8, end: len(src)}
	modules, preview1 := 0, false
	for r.err == nil && r.left() > 0 {
		id := r.byte()
		s := r.sub(r.u32())
		if r.err != nil {
			break
		}
		if id == componentModule {
			modules++
			preview1 = preview1 || bytes.Contains(s.b[s.at:s.end], []byte(abi.WASIPreview1.Module()))
		}
	}
	switch made := func(by string) bool { return bytes.Contains(src, []byte(by)) }; {
	case made("componentize-py"):
		e.Hint = "run the Python program by CPython, built for WASI preview 1: componentize-py makes components only"
	case made("StarlingMonkey"), made("componentize-js"), made("ComponentizeJS"):
		e.Hint = "compile the JavaScript to a core module: javy build MODULE.js -o MODULE.wasm"
	case made("TinyGo"):
		e.Hint = "tinygo build -target=wasip1 -o MODULE.wasm ."
	case made("rustc"), made("cargo-component"):
		e.Hint = "cargo build --target wasm32-wasip1"
	case made("Go cmd/compile"):
		e.Hint = "GOOS=wasip1 GOARCH=wasm go build -o MODULE.wasm ."
	case made("clang"):
		e.Hint = "clang --target=wasm32-wasip1 MAIN.c -o MODULE.wasm"
	case preview1:
		// Built for preview 1 and wrapped afterwards, with an adapter.
		e.Hint = "wasm-tools component unbundle COMPONENT.wasm --module-dir ."
	}
	if modules > 0 {
		e.What = "this is a WebAssembly component, around core modules; ForgeOne runs core modules"
	}
	return e
}
