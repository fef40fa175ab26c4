// Package provider is the world of a run: one namespace of mounts behind one
// preopen, "/", descriptors with rights that only shrink, and the dispatch of
// every syscall to the trees, streams, clock and randomness that its Config
// brings. It reaches nothing by itself.
//
// A call comes in three steps. Resolve says what the call is on, by canonical
// name, and holds it, without any effect. Perform does the work on exactly what
// Resolve held. Release lets go of it. Between the first two the gate decides.
//
// Preview 1 as its witx specifies it is the measure
// (github.com/WebAssembly/WASI, legacy/preview1); where it is silent, POSIX is.
package provider
