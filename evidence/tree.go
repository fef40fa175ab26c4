package evidence

import (
	"hash"
	"math/bits"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
)

// hasher computes RFC 6962 hashes without allocating. It is for one goroutine.
type hasher struct {
	h   hash.Hash
	b   [65]byte
	out [32]byte
}

func newHasher() *hasher { return &hasher{h: seal.NewSHA256()} }

// leaf returns SHA-256(0x00 ‖ entry).
func (h *hasher) leaf(entry []byte) [32]byte {
	h.b[0] = 0
	h.h.Reset()
	h.h.Write(h.b[:1])
	h.h.Write(entry)
	h.h.Sum(h.out[:0])
	return h.out
}

// node returns SHA-256(0x01 ‖ left ‖ right).
func (h *hasher) node(left, right *[32]byte) [32]byte {
	h.b[0] = 1
	copy(h.b[1:], left[:])
	copy(h.b[33:], right[:])
	h.h.Reset()
	h.h.Write(h.b[:])
	h.h.Sum(h.out[:0])
	return h.out
}

// tree is the frontier of an RFC 6962 tree: for every bit set in n the root of
// a full subtree of that many leaves. It is a value: a copy is a snapshot.
type tree struct {
	n     uint64
	stack [64][32]byte
}

func (t *tree) push(h *hasher, leaf [32]byte) {
	i := 0
	for ; t.n>>i&1 == 1; i++ {
		leaf = h.node(&t.stack[i], &leaf)
	}
	t.stack[i] = leaf
	t.n++
}

// root returns the hash of the whole tree; of no leaves it is SHA-256("").
func (t *tree) root(h *hasher) abi.Digest {
	if t.n == 0 {
		return seal.SHA256()
	}
	i := bits.TrailingZeros64(t.n)
	r := t.stack[i]
	for i++; i < bits.Len64(t.n); i++ {
		if t.n>>i&1 == 1 {
			r = h.node(&t.stack[i], &r)
		}
	}
	return r
}
