package evidence

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math/bits"
	"slices"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/merkle"
	"github.com/forgeone/forgeone/internal/sys"
)

// LogConsistency returns the proof (RFC 6962, section 2.1.2) that the first size
// records of the log in dir begin with the first old ones. It reads the log up to
// there once, checked as by Read, and keeps no more than a path of the tree.
// CodeRecord says that the log has not so many records.
func LogConsistency(ctx context.Context, dir string, old, size uint64) ([]abi.Digest, error) {
	if old > size {
		return nil, &abi.Error{Code: CodeUsage, What: fmt.Sprintf("%d records can't begin with %d", size, old), Where: dir}
	}
	if old == 0 || old == size {
		return nil, nil
	}
	g := growth{spans: spans(nil, old, 0, size, true), h: merkle.NewHasher()}
	g.order = make([]int, len(g.spans))
	for i := range g.order {
		g.order[i] = i
	}
	slices.SortFunc(g.order, func(a, b int) int { return cmp.Compare(g.spans[a].lo, g.spans[b].lo) })
	g.proof = make([]abi.Digest, len(g.spans))
	w := newWalker(sys.OS{}, dir)
	defer func() { _ = w.close() }() // it was only read
	for w.c.tree.N < size {
		if err := ctx.Err(); err != nil {
			return nil, publish(dir, err)
		}
		first := w.c.tree.N
		b, err := w.next()
		if err == io.EOF {
			return nil, &abi.Error{Code: CodeRecord, What: fmt.Sprintf("the log has %d records, not %d", first, size), Where: dir}
		} else if err != nil {
			return nil, publish(dir, err)
		}
		for i, e := range b.entries {
			g.push(first+uint64(i), e)
		}
	}
	return g.proof, nil
}

// leaves is a range of leaves.
type leaves struct{ lo, hi uint64 }

// spans appends the ranges whose hashes are the proof that the tree over [lo, hi)
// begins with its first n leaves. whole: the verifier knows the hash of those.
func spans(to []leaves, n, lo, hi uint64, whole bool) []leaves {
	size := hi - lo
	if n == size {
		if !whole {
			to = append(to, leaves{lo, hi})
		}
		return to
	}
	k := uint64(1) << (bits.Len64(size-1) - 1) // the largest power of two below size
	if n <= k {
		return append(spans(to, n, lo, lo+k, whole), leaves{lo + k, hi})
	}
	return append(spans(to, n-k, lo+k, hi, false), leaves{lo, lo + k})
}

// growth hashes spans, which don't overlap, from leaves that come in order.
type growth struct {
	spans []leaves
	order []int // of spans, by where they begin
	proof []abi.Digest
	h     *merkle.Hasher
	t     merkle.Tree // of the first span in order
}

func (g *growth) push(index uint64, entry []byte) {
	if len(g.order) == 0 || index < g.spans[g.order[0]].lo {
		return
	}
	i := g.order[0]
	g.t.Push(g.h, g.h.Leaf(entry))
	if index+1 == g.spans[i].hi {
		g.proof[i] = g.t.Root(g.h)
		g.t, g.order = merkle.Tree{}, g.order[1:]
	}
}
