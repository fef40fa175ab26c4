// Package merkle holds the trees of logs: RFC 6962 hashes and frontiers, and the
// tiles and entry bundles of C2SP tlog-tiles that a tree is published in. It
// computes and names; files are its callers'.
package merkle

import (
	"hash"
	"math/bits"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
)

// Hasher computes RFC 6962 hashes without allocating. It is for one goroutine.
type Hasher struct {
	h   hash.Hash
	b   [65]byte
	out [32]byte
}

// NewHasher returns a hasher.
func NewHasher() *Hasher { return &Hasher{h: seal.NewSHA256()} }

// Leaf returns SHA-256(0x00 ‖ entry).
func (h *Hasher) Leaf(entry []byte) [32]byte {
	h.b[0] = 0
	h.h.Reset()
	h.h.Write(h.b[:1])
	h.h.Write(entry)
	h.h.Sum(h.out[:0])
	return h.out
}

// Node returns SHA-256(0x01 ‖ left ‖ right).
func (h *Hasher) Node(left, right *[32]byte) [32]byte {
	h.b[0] = 1
	copy(h.b[1:], left[:])
	copy(h.b[33:], right[:])
	h.h.Reset()
	h.h.Write(h.b[:])
	h.h.Sum(h.out[:0])
	return h.out
}

// Tree is the frontier of an RFC 6962 tree: for every bit set in N the root of
// a full subtree of that many leaves. It is a value: a copy is a snapshot.
type Tree struct {
	N     uint64 // leaves
	Stack [64][32]byte
}

// Push adds the leaf.
func (t *Tree) Push(h *Hasher, leaf [32]byte) {
	i := 0
	for ; t.N>>i&1 == 1; i++ {
		leaf = h.Node(&t.Stack[i], &leaf)
	}
	t.Stack[i] = leaf
	t.N++
}

// Root returns the hash of the whole tree; of no leaves it is SHA-256("").
func (t *Tree) Root(h *Hasher) abi.Digest {
	if t.N == 0 {
		return seal.SHA256()
	}
	i := bits.TrailingZeros64(t.N)
	r := t.Stack[i]
	for i++; i < bits.Len64(t.N); i++ {
		if t.N>>i&1 == 1 {
			r = h.Node(&t.Stack[i], &r)
		}
	}
	return r
}
