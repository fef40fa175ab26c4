package cli

import (
	"runtime"
	"runtime/debug"
)

// The heap of a run: what it may take beside the files in /tmp, at least, and
// beyond what the process has taken when the guest begins.
const (
	heapFloor = 40 << 20
	heapGrows = 24 << 20
)

// boundHeap has the collector keep the garbage of a run small, where else it lets
// the heap double: a run is to take no more memory than its guest's, its files in
// /tmp and 64 MiB. It is called when the module is compiled. What is in use may
// pass the bound; the collector then works harder, at most half of the time.
func boundHeap(scratch uint64) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	bound := int64(max(heapFloor, m.Sys-m.HeapReleased+heapGrows) + scratch)
	if bound < debug.SetMemoryLimit(-1) { // GOMEMLIMIT may be lower
		debug.SetMemoryLimit(bound)
	}
}
