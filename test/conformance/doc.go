// Package conformance runs real programs as guests, through the real binary,
// under policy and recording: the tests of Go's standard library, interpreters
// and tools. Each must do what it does on bare wazero, and replay identically.
// `make test` runs the quick part (go test -short), `make conformance` all.
package conformance
