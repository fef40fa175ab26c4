package host

import (
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

// TestScarce: a guest that opens whatever it can leaves the process files to open.
func TestScarce(t *testing.T) {
	var was unix.Rlimit
	check(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &was))
	low := was
	low.Cur = min(was.Cur, 300)
	check(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &low))
	t.Cleanup(func() { check(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &was)) })
	box := t.TempDir()
	write(t, filepath.Join(box, "f"), "")
	_, d := open(t, box, false)
	must(t, d.Mkdir("d"))
	for name, take := range map[string]func() (any, abi.Errno){
		"file":   func() (any, abi.Errno) { return d.Open("f", tree.How{Read: true}) },
		"folder": func() (any, abi.Errno) { return d.OpenDir("d") },
	} {
		t.Run(name, func(t *testing.T) {
			n, e := 0, abi.ESUCCESS
			for ; n < 1000; n++ {
				var h any
				if h, e = take(); e != abi.ESUCCESS {
					break
				}
				t.Cleanup(func() {
					switch h := h.(type) {
					case tree.File:
						h.Close()
					case tree.Dir:
						h.Close()
					}
				})
			}
			want(t, "full", e, abi.ENFILE)
			if n < 50 {
				t.Errorf("only %d were opened", n)
			}
			// What can't be opened is not made either.
			_, e = d.Open(name+"-new", tree.How{Write: true, Create: true})
			want(t, "create", e, abi.ENFILE)
			_, e = d.Lstat(name + "-new")
			want(t, "not made", e, abi.ENOENT)
			// The rest is there for the kernel.
			for i := range reserve - 1 {
				fd, err := unix.Open("/dev/null", unix.O_RDONLY, 0)
				if err != nil {
					t.Fatalf("file %d of the kernel: %v", i, err)
				}
				defer unix.Close(fd)
			}
		})
	}
}
