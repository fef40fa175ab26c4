package host

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/forgeone/forgeone/internal/provider/tree"
)

// inModes runs f with all that the kernel offers and with the ways round it.
func inModes(t *testing.T, f func(t *testing.T, old bool)) {
	t.Run("new", func(t *testing.T) { f(t, false) })
	t.Run("old", func(t *testing.T) { f(t, true) })
}

// open opens path as a root whose handles are closed with the test.
func open(t testing.TB, path string, old bool) (*Root, tree.Dir) {
	t.Helper()
	r, err := OpenRoot(path, Keep{})
	if err != nil {
		t.Fatal(err)
	}
	if old {
		r.openat2, r.appendv, r.named = false, false, false
	}
	d := r.Dir()
	t.Cleanup(func() {
		d.Close()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r, d
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// zoo makes a folder with one of everything, beside a folder "outside" that
// must stay out of reach:
//
//	box/dir/sub/deep.txt  box/file  box/fifo  box/socket
//	box/{abs,rel,chain,loop,dangling,dirlink,up,magic}: symbolic links
//	outside/secret
func zoo(t testing.TB) (box, outside string) {
	t.Helper()
	base := t.TempDir()
	box, outside = filepath.Join(base, "box"), filepath.Join(base, "outside")
	check(t, os.MkdirAll(filepath.Join(box, "dir", "sub"), 0o755))
	check(t, os.Mkdir(outside, 0o755))
	write(t, filepath.Join(outside, "secret"), "SECRET")
	write(t, filepath.Join(box, "file"), "hello")
	write(t, filepath.Join(box, "dir", "sub", "deep.txt"), "deep")
	check(t, unix.Mkfifo(filepath.Join(box, "fifo"), 0o644))
	// A socket's address is short, so it is bound by a relative name.
	t.Chdir(box)
	l, err := net.Listen("unix", "socket")
	check(t, err)
	t.Cleanup(func() { l.Close() })
	for name, target := range map[string]string{
		"abs": filepath.Join(outside, "secret"), "rel": "../outside/secret", "chain": "rel", "loop": "loop",
		"dangling": "nowhere", "dirlink": "dir", "up": "..", "magic": "/proc/self/cwd",
	} {
		check(t, os.Symlink(target, filepath.Join(box, name)))
	}
	return box, outside
}
