//go:build !unix

package wasm

// memory is a linear memory on the heap, for systems without mmap.
type memory struct {
	all     []byte
	limit   uint64
	refused bool // it was asked to grow beyond limit
}

func newMemory(limit uint64) *memory { return &memory{limit: limit} }

// Reallocate grows the memory to size bytes, or returns nil.
func (m *memory) Reallocate(size uint64) []byte {
	if size > m.limit {
		m.refused = true
		return nil
	}
	if grow := int(size) - len(m.all); grow > 0 {
		m.all = append(m.all, make([]byte, grow)...)
	}
	return m.all[:size]
}

// Free gives the memory back.
func (m *memory) Free() { m.all = nil }
