//go:build unix

package wasm

import "syscall"

// memory is a linear memory in one reservation of address space: it grows in
// place, is zero without being written, and costs what is touched.
type memory struct {
	all     []byte // reserved, PROT_NONE beyond size
	size    uint64
	refused bool // it was asked to grow beyond what is reserved
}

// newMemory reserves room for limit bytes.
func newMemory(limit uint64) *memory {
	m := &memory{}
	if limit > 0 {
		all, err := syscall.Mmap(-1, 0, int(limit), syscall.PROT_NONE, syscall.MAP_PRIVATE|syscall.MAP_ANON|mapNoReserve)
		if err == nil {
			m.all = all
		}
	}
	return m
}

// Reallocate grows the memory to size bytes, or returns nil: the guest's
// memory.grow then answers -1. Callers have compared the module's minimum with
// the limit before.
func (m *memory) Reallocate(size uint64) []byte {
	if size > uint64(len(m.all)) {
		m.refused = true
		return nil
	}
	if size > m.size {
		if err := syscall.Mprotect(m.all[m.size:size], syscall.PROT_READ|syscall.PROT_WRITE); err != nil {
			return nil
		}
		m.size = size
	}
	return m.all[:size]
}

// Free gives the memory back.
func (m *memory) Free() {
	if m.all != nil {
		syscall.Munmap(m.all) // it can only fail on a wrong address
		m.all = nil
	}
}
