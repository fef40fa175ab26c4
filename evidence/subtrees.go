package evidence

import (
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// subtrees computes the roots of some full subtrees of a tree while its entries
// go by. It implements tlog.HashReader for these.
type subtrees struct {
	h    *hasher
	n    uint64 // entries so far
	want []subtree
	now  tree // over the entries of want[0] so far
	got  map[int64]tlog.Hash
}

type subtree struct {
	stored int64 // as package tlog counts hashes
	first  uint64
	height int
}

// newSubtrees returns those subtrees that prove record index in a tree of size
// records.
func newSubtrees(size, index uint64) (*subtrees, error) {
	s := &subtrees{h: newHasher(), got: map[int64]tlog.Hash{}}
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

// push takes in the next entry.
func (s *subtrees) push(entry []byte) {
	n := s.n
	s.n++
	if len(s.want) == 0 || n < s.want[0].first {
		return
	}
	s.now.push(s.h, s.h.leaf(entry))
	if w := s.want[0]; s.now.n == 1<<w.height {
		s.got[w.stored] = s.now.stack[w.height]
		s.want, s.now = s.want[1:], tree{}
	}
}

// ReadHashes implements tlog.HashReader.
func (s *subtrees) ReadHashes(list []int64) (out []tlog.Hash, err error) {
	for _, x := range list {
		h, ok := s.got[x]
		if !ok {
			return nil, fmt.Errorf("hash %d of the tree is not known", x)
		}
		out = append(out, h)
	}
	return out, nil
}
