package forgepkg

import (
	"errors"
	"io"
	"sync"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
)

const (
	chunkSize  = 64 << 10
	chunksHeld = 16 // verified and in memory
)

// chunkTable takes the digests of a blob's chunks while it is verified. It stays
// in this process: nobody else reads it.
type chunkTable struct {
	digests [][32]byte
	buf     []byte
}

// Write adds p. It never fails.
func (t *chunkTable) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		if t.buf == nil {
			t.buf = make([]byte, 0, chunkSize)
		}
		k := min(len(p), chunkSize-len(t.buf))
		if t.buf, p = append(t.buf, p[:k]...), p[k:]; len(t.buf) == chunkSize {
			t.end()
		}
	}
	return n, nil
}

// end closes the last chunk, if one was begun.
func (t *chunkTable) end() {
	if len(t.buf) > 0 {
		t.digests = append(t.digests, seal.SHA256(t.buf))
		t.buf = t.buf[:0]
	}
}

// chunks reads a blob that was verified, and checks each chunk again when it is
// read: what it returns is what was verified, whatever has become of the file.
// It is safe for concurrent use.
type chunks struct {
	p       *Package
	blob    int
	size    int64
	digests [][32]byte

	mu   sync.Mutex
	held map[int64][]byte // by number
	age  []int64          // of those, the longest held first
}

// ReadAt implements io.ReaderAt. What is no longer what was verified is
// F1-PKG-008.
func (c *chunks) ReadAt(b []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, errors.New("negative offset")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for n < len(b) && off < c.size {
		chunk, err := c.chunk(off / chunkSize)
		if err != nil {
			return n, err
		}
		k := copy(b[n:], chunk[off%chunkSize:])
		n, off = n+k, off+int64(k)
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// chunk returns chunk i, verified; it is good until the next call. The caller
// holds mu.
func (c *chunks) chunk(i int64) ([]byte, error) {
	if b, ok := c.held[i]; ok {
		return b, nil
	}
	var b []byte
	if len(c.age) < chunksHeld {
		b = make([]byte, chunkSize)
	} else { // the longest held makes room
		b = c.held[c.age[0]][:chunkSize]
		delete(c.held, c.age[0])
		c.age = c.age[1:]
	}
	b = b[:min(chunkSize, c.size-i*chunkSize)]
	at := c.p.offsets[c.blob] + i*chunkSize
	if n, err := c.p.r.ReadAt(b, at); n < len(b) {
		return nil, c.p.at(readFault(err, "blob "+string(RoleAssets), at+int64(n)))
	}
	if seal.SHA256(b) != c.digests[i] {
		return nil, c.p.at(fault(abi.CodePkgBlob, section("blob "+string(RoleAssets), at), "%d bytes of the assets are not those that were verified", len(b)))
	}
	c.held[i] = b
	c.age = append(c.age, i)
	return b, nil
}
