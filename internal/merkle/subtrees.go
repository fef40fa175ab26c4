package merkle

import (
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// Subtrees computes the roots of some full Subtrees of a tree while its entries
// go by. It implements tlog.HashReader for these.
type Subtrees struct {
	h    *Hasher
	n    uint64 // entries so far
	want []subtree
	now  Tree // over the entries of want[0] so far
	got  map[int64]tlog.Hash
}

type subtree struct {
	stored int64 // as package tlog counts hashes
	first  uint64
	height int
}

// NewSubtrees returns those subtrees that prove record index in a tree of size
// records.
func NewSubtrees(size, index uint64) (*Subtrees, error) {
	s := &Subtrees{h: NewHasher(), got: map[int64]tlog.Hash{}}
	// Package tlog asks for them: what it is answered does not matter here.
	_, err := tlog.ProveRecord(int64(size), int64(index), tlog.HashReaderFunc(func(list []int64) ([]tlog.Hash, error) {
		for _, x := range list {
			level, n := tlog.SplitStoredHashIndex(x)
			s.want = append(s.want, subtree{x, uint64(n) << level, level})
		}
		return make([]tlog.Hash, len(list)), nil
	}))
	slices.SortFunc(s.want, func(a, b subtree) int {
		if a.first < b.first {
			return -1
		}
		return 1
	})
	return s, err
}

// Seen is the number of entries that were pushed.
func (s *Subtrees) Seen() uint64 { return s.n }

// Push takes in the next entry.
func (s *Subtrees) Push(entry []byte) {
	n := s.n
	s.n++
	if len(s.want) == 0 || n < s.want[0].first {
		return
	}
	s.now.Push(s.h, s.h.Leaf(entry))
	if w := s.want[0]; s.now.N == 1<<w.height {
		s.got[w.stored] = s.now.Stack[w.height]
		s.want, s.now = s.want[1:], Tree{}
	}
}

// ReadHashes implements tlog.HashReader.
func (s *Subtrees) ReadHashes(list []int64) (out []tlog.Hash, err error) {
	for _, x := range list {
		h, ok := s.got[x]
		if !ok {
			return nil, fmt.Errorf("hash %d of the tree is not known", x)
		}
		out = append(out, h)
	}
	return out, nil
}
