package host

import (
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

// TestSwappedNames runs every kind of operation on a name that somebody else
// keeps giving to a file, a folder, links out of the root, a FIFO and a socket. Nothing outside may be read or changed, and nothing may block.
func TestSwappedNames(t *testing.T) {
	inModes(t, func(t *testing.T, old bool) {
		box, outside := zoo(t)
		for _, dir := range []string{outside, box} {
			text := "inside"
			if dir == outside {
				text = "SECRET"
			}
			check(t, os.MkdirAll(filepath.Join(dir, "d", "sub"), 0o755))
			write(t, filepath.Join(dir, "d", "f"), text)
			write(t, filepath.Join(dir, "d", "sub", "f"), text)
		}
		write(t, filepath.Join(box, "x"), "inside")
		write(t, filepath.Join(box, "y"), "inside")
		check(t, os.Symlink(filepath.Join(outside, "d"), filepath.Join(box, "out")))
		check(t, os.Symlink("../outside/d", filepath.Join(box, "out2")))
		before := picture(t, outside)

		_, d := open(t, box, old)
		stop := make(chan struct{})
		var wg sync.WaitGroup
		swaps := 0
		wg.Go(func() {
			fd, err := unix.Open(box, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
			if err != nil {
				t.Error(err)
				return
			}
			defer unix.Close(fd)
			others := []string{"d", "out", "out2", "rel", "abs", "fifo", "y", "socket", "d", "out"}
			for ; !stopped(stop); swaps++ {
				if err := unix.Renameat2(fd, "x", fd, others[rand.IntN(len(others))], unix.RENAME_EXCHANGE); err != nil {
					t.Error(err)
					return
				}
			}
		})
		answers := map[abi.Errno]int{}
		tries := 0
		for end := time.Now().Add(1500 * time.Millisecond); time.Now().Before(end) && tries < 120_000 && !t.Failed(); {
			tries += attempt(t, d, answers)
		}
		close(stop)
		wg.Wait()
		t.Logf("%d tries, %d swaps, answers %v", tries, swaps, answers)
		if after := picture(t, outside); after != before {
			t.Errorf("outside was\n%s\nand is\n%s", before, after)
		}
		for _, e := range []abi.Errno{abi.ESUCCESS, abi.ELOOP, abi.ENOTDIR, abi.EISDIR, abi.ENOTSUP} {
			if answers[e] == 0 {
				t.Errorf("%v was never answered: the test does not reach what it is for", e)
			}
		}
	})
}

// attempt tries each kind of operation once and returns how many it tried.
func attempt(t *testing.T, d tree.Dir, answers map[abi.Errno]int) int {
	tries := 0
	note := func(e abi.Errno) bool {
		tries++
		answers[e]++
		return e == abi.ESUCCESS
	}
	use := func(d tree.Dir, name string) {
		for _, how := range []tree.How{
			{Read: true}, {Read: true, Write: true}, {Read: true, Write: true, Create: true, Truncate: true},
		} {
			f, e := d.Open(name, how)
			if !note(e) {
				continue
			}
			var buf [16]byte
			n, _ := f.Pread(buf[:], 0)
			if strings.Contains(string(buf[:n]), "SECRET") {
				t.Errorf("%s: the secret was read", name)
			}
			if how.Write {
				f.Pwrite([]byte("inside"), 0)
				f.SetTimes(tree.Times{MtimNow: true})
			}
			f.Close()
		}
	}
	use(d, "x")
	note(d.SetTimes("x", tree.Times{AtimNow: true, MtimNow: true}))
	for _, rel := range []string{"x", "x/sub"} {
		sub, e := d.Beneath(rel)
		if !note(e) {
			continue
		}
		use(sub, "f")
		note(sub.Mkdir("made"))
		note(sub.Symlink("x", "link"))
		note(sub.Link("f", d, "hard"))
		note(sub.SetOwnTimes(tree.Times{MtimNow: true}))
		note(sub.Unlink("link"))
		note(sub.Rmdir("made"))
		note(d.Unlink("hard"))
		sub.Close()
	}
	if sub, e := d.OpenDir("x"); note(e) {
		note(sub.Rename("f", sub, "g"))
		note(sub.Rename("g", sub, "f"))
		all, e := sub.List()
		note(e)
		for _, entry := range all {
			if entry.Name == "secret" {
				t.Error("outside was listed")
			}
		}
		sub.Close()
	}
	return tries
}

// picture describes everything beneath dir: names, modes, times, contents.
func picture(t *testing.T, dir string) string {
	var b strings.Builder
	check(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := e.Info()
		if err != nil {
			return err
		}
		b.WriteString(path + " " + fi.Mode().String() + " " + fi.ModTime().String())
		if fi.Mode().IsRegular() {
			b.WriteString(" " + read(t, path))
		}
		b.WriteString("\n")
		return nil
	}))
	return b.String()
}
