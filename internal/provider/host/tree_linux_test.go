package host

import (
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/forgeone/forgeone/internal/provider/conform"
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

// TestPreview1: a world of host folders is preview 1.
func TestPreview1(t *testing.T) {
	inModes(t, func(t *testing.T, old bool) {
		conform.Run(t, conform.Tree{Fifo: true, New: func(t testing.TB) tree.Dir {
			dir := t.TempDir()
			if err := unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
				t.Fatal(err)
			}
			r, _ := open(t, dir, old)
			return r.Dir()
		}})
	})
}
