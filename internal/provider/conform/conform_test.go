package conform

import (
	"slices"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/pure"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

// TestScratch: a world of scratch trees is preview 1.
func TestScratch(t *testing.T) { Run(t, scratchTree()) }

func scratchTree() Tree {
	now := uint64(1_700_000_000_000_000_000)
	return Tree{Quota: true, New: func(testing.TB) tree.Dir {
		return pure.NewScratch(func() uint64 { now++; return now }, QuotaBytes-1, QuotaNodes-1)
	}}
}

// TestComplete: the table has a call for each function, and for each errno that
// the function may answer, and none for another.
func TestComplete(t *testing.T) {
	has := map[abi.Num]map[abi.Errno]bool{}
	names := map[string]bool{}
	for _, c := range Cases() {
		if names[c.String()] {
			t.Errorf("%s twice", c)
		}
		names[c.String()] = true
		if has[c.Num] == nil {
			has[c.Num] = map[abi.Errno]bool{}
		}
		has[c.Num][c.Errno] = true
		if c.Errno != 0 && !slices.Contains(abi.Lookup(c.Num).Errnos(), c.Errno) {
			t.Errorf("%s: the table does not say that it may answer this", c)
		}
	}
	for _, r := range abi.Rows() {
		if !has[r.Num][0] && r.Provided {
			t.Errorf("%s: no call that succeeds", r.Name)
		}
		if !slices.IsSorted(r.Errnos()) || len(has[r.Num]) == 0 {
			t.Errorf("%s: errnos %v, %d cases", r.Name, r.Errnos(), len(has[r.Num]))
		}
		for _, e := range r.Errnos() {
			if e != abi.EFAULT && !has[r.Num][e] {
				t.Errorf("%s: no call that answers %v", r.Name, e)
			}
		}
	}
}
