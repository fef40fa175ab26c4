package rewrite

import "github.com/forgeone/forgeone/abi"

// The features beyond core 2.0, as messages name them. The engine has some of
// them as options; recordings, the tick and the depth are not made for them.
const (
	featThreads     = "threads"
	featExceptions  = "exception handling"
	featTailCalls   = "tail calls"
	featRelaxedSIMD = "relaxed SIMD"
	featMemory64    = "memory64"
	featMemories    = "several memories"
	featExtended    = "extended constant expressions"
	featGC          = "garbage collection"
	featFuncRefs    = "typed function references"
	featPageSizes   = "custom page sizes"
	featWide        = "wide arithmetic"
	featStacks      = "stack switching"
)

// without is how compilers are told to leave the feature out.
func without(feature string) string {
	switch feature {
	case featThreads:
		return "turn it off in the compiler: clang without -pthread, with -mno-atomics; rustc -C target-feature=-atomics, target wasm32-wasip1 and not wasm32-wasip1-threads"
	case featExceptions:
		return "turn it off in the compiler: clang -fno-exceptions -mno-exception-handling; rustc -C panic=abort; emcc -fno-exceptions -sSUPPORT_LONGJMP=0"
	case featTailCalls:
		return "turn it off in the compiler: clang -mno-tail-call; rustc -C target-feature=-tail-call"
	case featRelaxedSIMD:
		return "turn it off in the compiler: clang -mno-relaxed-simd; rustc -C target-feature=-relaxed-simd"
	case featMemory64:
		return "build for 32 bits: clang --target=wasm32-wasip1; cargo build --target wasm32-wasip1"
	case featMemories:
		return "turn it off in the compiler: clang -mno-multimemory; wasm-opt --multi-memory-lowering"
	case featExtended:
		return "turn it off in the compiler: clang -mno-extended-const; rustc -C target-feature=-extended-const"
	case featGC:
		return "use a compiler that keeps its objects in linear memory: Kotlin, Dart, Java and Scheme compilers for WasmGC have no flag to turn it off"
	case featFuncRefs:
		return "turn it off in the compiler: wasm-opt --disable-gc; clang and rustc do not use it"
	case featWide:
		return "turn it off in the compiler: clang -mno-wide-arithmetic; rustc -C target-feature=-wide-arithmetic"
	}
	return "build the module without " + feature
}

// unsupported fails for a feature beyond core 2.0.
func (r *reader) unsupported(feature string) {
	r.fail(abi.CodeModuleUnsupported, without(feature), "unsupported WebAssembly feature: %s", feature)
}

// feature names the proposal that an opcode outside core 2.0 belongs to, or "".
func feature(op byte) string {
	switch op {
	case 0x06, 0x07, 0x08, 0x09, 0x0a, 0x18, 0x19, 0x1f:
		return featExceptions
	case 0x12, 0x13:
		return featTailCalls
	case 0x14, 0x15, 0xd3, 0xd4, 0xd5, 0xd6:
		return featFuncRefs
	case 0xe0, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6:
		return featStacks
	case 0xfb:
		return featGC
	case 0xfe:
		return featThreads
	}
	return ""
}
