package host

import (
	"testing"

	"github.com/forgeone/forgeone/internal/provider/tree"
	"github.com/forgeone/forgeone/internal/provider/treetest"
)

// TestTree: a host folder passes the tests that every tree has to pass.
func TestTree(t *testing.T) {
	inModes(t, func(t *testing.T, old bool) {
		treetest.Run(t, true, func(t *testing.T) tree.Dir {
			r, _ := open(t, t.TempDir(), old)
			return r.Dir()
		})
	})
}
