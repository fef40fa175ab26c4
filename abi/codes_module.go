package abi

// Codes of modules that are not admitted.
const (
	CodeModuleNotWasm     Code = "F1-MOD-001"
	CodeModuleComponent   Code = "F1-MOD-002"
	CodeModuleMalformed   Code = "F1-MOD-003"
	CodeModuleCap         Code = "F1-MOD-004"
	CodeModuleImport      Code = "F1-MOD-005"
	CodeModuleSignature   Code = "F1-MOD-006"
	CodeModuleImportKind  Code = "F1-MOD-007"
	CodeModuleOldWASI     Code = "F1-MOD-008"
	CodeModuleReserved    Code = "F1-MOD-009"
	CodeModuleUnsupported Code = "F1-MOD-010"
	CodeCompileDeadline   Code = "F1-MOD-011"
	CodeCompileFailed     Code = "F1-MOD-012"
	CodeModuleText        Code = "F1-MOD-013"
	CodeModulePacked      Code = "F1-MOD-014"
	CodeModuleNative      Code = "F1-MOD-015"
	CodeModuleEmpty       Code = "F1-MOD-016"
	CodeModuleTruncated   Code = "F1-MOD-017"
	CodeCompileMemory     Code = "F1-MOD-018"
	CodeEngineDepth       Code = "F1-MOD-030"
	CodeNotPortable       Code = "F1-MOD-031"
)

// moduleCodes are the codes of the area MOD.
var moduleCodes = []CodeInfo{
	{
		CodeModuleNotWasm, "not a WebAssembly module",
		"The file does not begin with a WebAssembly module's magic number and version 1. Build for WASI preview 1: GOOS=wasip1 GOARCH=wasm go build, cargo build --target wasm32-wasip1, or clang --target=wasm32-wasi.", 1,
	},
	{
		CodeModuleComponent, "a component, not a core module",
		"The file is a WebAssembly component (WASI preview 2 or later); ForgeOne runs core modules. Build for WASI preview 1. Rust: cargo build --target wasm32-wasip1. Go: GOOS=wasip1 GOARCH=wasm go build. TinyGo: tinygo build -target=wasip1. C and C++: clang --target=wasm32-wasip1 with wasi-libc. JavaScript: javy build, or a JavaScript engine for WASI preview 1 that the script is mounted for. Python: CPython for WASI preview 1. A component that was made of a module for preview 1 (wasm-tools component new --adapt) still holds it: wasm-tools component unbundle takes it out.", 1,
	},
	{
		CodeModuleMalformed, "malformed module",
		"The module breaks the WebAssembly binary format, or names something that it does not have. The message says in which section and at which byte. Build it anew; a module that a current toolchain wrote is never malformed.", 1,
	},
	{
		CodeModuleCap, "a module limit is exceeded",
		"The module has more of something than the configuration admits; limits are checked before anything is compiled, because a small module can ask for much. The hint is what to put in the configuration if the module is trustworthy: the field, and the value that the module needs. It is added to what the configuration says now (`forgeone config show`), and put in force with `forgeone init --config FILE`.", 1,
	},
	{
		CodeModuleImport, "unknown import",
		"The module imports a function that no host provides here. `forgeone syscalls` lists those there are. Build for WASI preview 1, without bindings to a browser or another host.", 1,
	},
	{
		CodeModuleSignature, "an import of the wrong type",
		"The module imports a function of WASI preview 1 with other parameters or results than the specification's. Build it with a current toolchain; `forgeone syscalls NAME` shows the type.", 1,
	},
	{
		CodeModuleImportKind, "an import that is not a function",
		"Modules may import functions only: a guest owns its memory, tables and globals. Link the module as a program of its own (without --import-memory and the like).", 1,
	},
	{
		CodeModuleOldWASI, "an import of wasi_unstable",
		"The module was built for WASI's first snapshot, wasi_unstable. Its functions have the names of preview 1's, but its structures differ: a file's status has 56 bytes with a link count of 32 bits, and fd_seek counts whence as current, end, start. Run as preview 1 it would read and write its own memory in the wrong places. Build it anew: GOOS=wasip1 GOARCH=wasm go build, cargo build --target wasm32-wasip1, or clang --target=wasm32-wasi with wasi-sdk 8 or later.", 1,
	},
	{
		CodeModuleReserved, "a reserved name",
		"The module imports from \"forgeone\" or exports a name that begins with \"forgeone:\". These names belong to the kernel, which adds them itself. Rename the import or export.", 1,
	},
	{
		CodeModuleUnsupported, "an unsupported WebAssembly feature",
		"The module uses a feature beyond WebAssembly 2.0: threads, exception handling, tail calls, relaxed SIMD, memory64, several memories, extended constant expressions, garbage collection, typed function references, wide arithmetic, custom page sizes or stack switching. The message names it, and the hint says how compilers are told to leave it out. For clang: -mno-atomics, -fno-exceptions, -mno-tail-call, -mno-relaxed-simd, -mno-multimemory, -mno-extended-const.", 1,
	},
	{
		CodeCompileDeadline, "compiling took too long",
		"Compiling the module took longer than admission.compile_deadline in the configuration, or twice that in processor time, and was ended. The time for which it was paused, so that shorter compilations need not wait, is not counted. Compiled code is kept, so that only the first run pays. If the module is trustworthy, raise the deadline in a copy of the configuration and put it in force with `forgeone init --config FILE`. Until the configuration changes the module is refused at once, unless the machine was too busy to tell.", 3,
	},
	{
		CodeCompileFailed, "the compiler failed",
		"The module passed admission, but the engine's compiler broke off with a fault of its own, or answered with something that is not code of the module, or tried what no compilation does. It has a process of its own that can do nothing else, and ended with it. The module can't run, and is refused at once until the configuration changes. Please tell ForgeOne's maintainers, with the module.", 1,
	},
	{
		CodeCompileMemory, "compiling needs too much memory",
		"The process that compiles a module is given the memory that admission.compile_memory in the configuration says, at most half of what the machine or its control group has, and the module needs more: for the compilation, or for the machine code that comes of it, which may have a quarter of that. Few real programs do; those that are made to take a compiler's memory do. If the module is trustworthy, raise the field in a copy of the configuration and put it in force with `forgeone init --config FILE`. Until then the module is refused at once.", 1,
	},
	{
		CodeModuleText, "WebAssembly text",
		"The file is in WebAssembly's text format, for people to read. ForgeOne runs the binary format: `wat2wasm MODULE.wat -o MODULE.wasm` (of wabt) or `wasm-tools parse MODULE.wat -o MODULE.wasm` makes it.", 1,
	},
	{
		CodeModulePacked, "a compressed file",
		"The file is compressed, or an archive. Nothing is unpacked here, because a small archive can hold a huge file: unpack it, and run what comes out.", 1,
	},
	{
		CodeModuleNative, "a program of another kind",
		"The file is a program, library or script for a machine or an interpreter, and no WebAssembly module. Build for WASI preview 1: GOOS=wasip1 GOARCH=wasm go build, cargo build --target wasm32-wasip1, or clang --target=wasm32-wasi.", 1,
	},
	{
		CodeModuleEmpty, "an empty file",
		"The file has no bytes at all. A build that failed, or a disk that was full, leaves such files behind. Build the module again.", 1,
	},
	{
		CodeModuleTruncated, "the module breaks off",
		"A section of the module announces more bytes than the file has left: the file was cut off, by a download or a copy that did not end, or the length is wrong. Get or build the file again.", 1,
	},
	{
		CodeEngineDepth, "calls nest deeper than an engine allows",
		"The run was recorded on one kind of engine or processor and replayed on another, and its calls nest deeper than one of the two allows: the interpreter ends a run at 2,000 nested calls, the compiler at the configured depth or where their frames, whose size depends on the processor, take too much stack. The replay says nothing about what comes after. Replay it where it was recorded: `forgeone replay RUN` without --engine, on the processor that the message names.", 3,
	},
	{
		CodeNotPortable, "the recording is bound to its machine",
		"The module computes with floats, and the bits of the NaNs that it computes depend on the processor and on the kind of engine, so a replay elsewhere might differ without anybody having lied. Replay it where it was recorded; or with --force, and then only an identical replay says anything. Runs with --canonical-nan, or with admission.canonical_nan in the configuration, replay everywhere.", 3,
	},
}
