package wasmtest

import "bytes"

// Slow is a module whose compilation takes some 300 ms for each of its functions
// on one processor: every function has 1,000 loops, one after the other. It ends at once when it runs.
func Slow(functions int) []byte {
	m := Module{MinPages: 1, Funcs: make([]Func, functions)}
	for i := range m.Funcs {
		m.Funcs[i].Body = bytes.Repeat(Loop(), 1000)
	}
	m.Funcs[0] = Func{Export: "_start"}
	return m.Bytes()
}
