package wasm

import (
	"runtime"
	"strings"
)

// release is the engine's, as recordings name it.
const release = "wazero v1.12.1-0.20260829084255-f4779551afb4"

// Kind is one of the engine's two ways to run a module. They give the same
// results, but for the bits of NaNs that were not made canonical, and for how
// deep calls may nest: see Module.Run.
type Kind uint8

const (
	// Compiler runs machine code. It is there on amd64 and arm64.
	Compiler Kind = iota
	// Interpreter runs everywhere, many times slower.
	Interpreter
)

func (k Kind) String() string {
	if k == Interpreter {
		return "interpreter"
	}
	return "compiler"
}

// ID names the engine and its kind. A recording keeps it.
func (k Kind) ID() string { return release + " " + k.String() }

// Native is the kind that guests run on here.
func Native() Kind { return nativeOn(runtime.GOARCH) }

func nativeOn(arch string) Kind {
	if arch == "amd64" || arch == "arm64" {
		return Compiler
	}
	return Interpreter
}

// KindOf returns the kind of the engine that a recording names.
func KindOf(id string) Kind {
	if strings.HasSuffix(id, " "+Interpreter.String()) {
		return Interpreter
	}
	return Compiler
}
