package wasm

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/forgeone/forgeone/internal/provider/conform"
	"github.com/forgeone/forgeone/internal/provider/host"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

// TestShadowHost: TestShadow, on folders of the host.
func TestShadowHost(t *testing.T) {
	k := conform.Tree{Fifo: true, New: func(t testing.TB) tree.Dir {
		dir := t.TempDir()
		if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
			t.Fatal(err)
		}
		root, err := host.OpenRoot(dir, host.Keep{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { root.Close() })
		return root.Dir()
	}}
	newRig(t).shadow(t, k, func(layout string) bool { return layout == "over" })
}
