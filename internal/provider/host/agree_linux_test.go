package host

import (
	"testing"

	"github.com/forgeone/forgeone/internal/provider/conform"
	"github.com/forgeone/forgeone/internal/provider/pure"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

// TestAgree: a host folder answers as scratch does, whatever is asked.
func TestAgree(t *testing.T) {
	inModes(t, func(t *testing.T, old bool) {
		scratch := conform.Tree{New: func(testing.TB) tree.Dir {
			return pure.NewScratch(func() uint64 { return 1 }, 1<<20, 1000)
		}}
		folder := conform.Tree{New: func(t testing.TB) tree.Dir {
			r, _ := open(t, t.TempDir(), old)
			return r.Dir()
		}}
		conform.Agree(t, scratch, folder, 20, 7)
	})
}
