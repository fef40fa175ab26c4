package host

import (
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider"
)

// numberOf is the number of what lies at path.
func numberOf(t testing.TB, path string) Number {
	t.Helper()
	var st unix.Stat_t
	check(t, stat(path, &st))
	return Number{st.Ino, birthAt(unix.AT_FDCWD, path, 0)}
}

// know adds what lies at path, with its parts, as a register has it.
func know(t testing.TB, k *Known, path string, parts ...string) {
	t.Helper()
	var above []Number
	for p := path; p != "/"; {
		p = filepath.Dir(p)
		above = append(above, numberOf(t, p))
	}
	k.Add(path, numberOf(t, path), above)
	for _, p := range parts {
		k.Add(filepath.Join(path, p), numberOf(t, filepath.Join(path, p)), nil)
	}
}

// nodes makes a state folder of another process in box, and returns its path.
func nodes(t testing.TB, box string) string {
	t.Helper()
	home := filepath.Join(box, "a", "b", "home")
	check(t, os.MkdirAll(filepath.Join(home, "keys", "deep"), 0o755))
	check(t, os.MkdirAll(filepath.Join(box, "a", "other"), 0o755))
	write(t, filepath.Join(home, "keys", "key"), "SECRET")
	write(t, filepath.Join(home, "config"), "SECRET")
	return home
}

// grantOf opens box with what known answers, and makes a guest that has it as /m.
func grantOf(t testing.TB, box string, old bool, known func() *Known, paths ...string) *guest {
	t.Helper()
	r, err := OpenRoot(box, Keep{Paths: paths, Known: known})
	check(t, err)
	t.Cleanup(func() { check(t, r.Close()) })
	if old {
		r.openat2, r.named = false, false
	}
	return newGuest(t, provider.Mount{Guest: "/m", Root: r.Dir()})
}

// TestKnownIsTold from what got its number later, and what was moved away from what
// it lay in.
func TestKnownIsTold(t *testing.T) {
	inModes(t, func(t *testing.T, old bool) {
		box := t.TempDir()
		home := nodes(t, box)
		k := new(Known)
		for _, p := range []string{"ordinary", "ordinary-by-path"} {
			p = filepath.Join(box, p)
			check(t, os.Mkdir(p, 0o755))
			write(t, filepath.Join(p, "f"), "text")
		}
		n := numberOf(t, filepath.Join(box, "ordinary"))
		k.Add(filepath.Join(box, "removed", "home"), Number{n.Ino, n.Birth + 1}, nil)
		n = numberOf(t, filepath.Join(box, "ordinary-by-path"))
		k.Add(filepath.Join(box, "removed", "home"), Number{n.Ino, 0}, nil)
		know(t, k, home, "keys")
		unborn := filepath.Join(box, "unborn")
		check(t, os.Mkdir(unborn, 0o755))
		k.Add(unborn, Number{numberOf(t, unborn).Ino, 0}, nil)
		k.Settle()
		if n.Birth == 0 {
			t.Skip("the file system tells no birth")
		}
		g := grantOf(t, box, old, func() *Known { return k })
		must(t, second(g.open(3, "m/ordinary/f", 0, abi.RightFDRead)))
		must(t, second(g.open(3, "m/ordinary-by-path/f", 0, abi.RightFDRead)))
		want(t, "by path alone", second(g.open(3, "m/unborn", abi.OFlagDirectory, toList)), abi.ENOTCAPABLE)

		check(t, os.Rename(home, filepath.Join(box, "moved")))
		for _, p := range []string{"m/moved", "m/moved/config", "m/moved/keys", "m/moved/keys/key"} {
			want(t, "moved", second(g.open(3, p, 0, abi.RightFDRead)), abi.ENOTCAPABLE)
		}
		must(t, g.do(abi.PathRename, 3, "m/a/b", 3, "m/a/c"))
	})
}

// TestKnownLater: what becomes known while a grant is open is out of reach from then
// on, also in a folder that the guest has open.
func TestKnownLater(t *testing.T) {
	inModes(t, func(t *testing.T, old bool) {
		box := t.TempDir()
		home := nodes(t, box)
		var now atomic.Pointer[Known]
		now.Store(new(Known))
		g := grantOf(t, box, old, now.Load)
		at, e := g.open(3, "m/a/b/home", abi.OFlagDirectory, toList)
		must(t, e)
		must(t, second(g.open(at, "config", 0, abi.RightFDRead)))
		check(t, os.MkdirAll(filepath.Join(home, "others", "deep"), 0o755)) // which nobody notes
		must(t, second(g.open(3, "m/a/b/home/others/deep/f", abi.OFlagCreat, abi.RightFDWrite)))
		k := new(Known)
		know(t, k, home, "keys")
		now.Store(k.Settle())
		for _, p := range []string{"config", "keys", "keys/key", "keys/deep", "others/deep/f", "new"} {
			if e := second(g.open(at, p, 0, abi.RightFDRead)); e != abi.ENOTCAPABLE {
				t.Errorf("%s from the open folder: %v", p, e)
			}
			if e := second(g.open(3, "m/a/b/home/"+p, 0, abi.RightFDRead)); e != abi.ENOTCAPABLE {
				t.Errorf("%s: %v", p, e)
			}
		}
		if e := second(g.open(at, "new", abi.OFlagCreat, abi.RightFDWrite)); e != abi.ENOTCAPABLE {
			t.Errorf("a new file in the open folder: %v", e)
		}
		want(t, "rename", g.do(abi.PathRename, 3, "m/a/b", 3, "m/a/c"), abi.EBUSY)
	})
}

// TestKeptFiles: so is a file that is held, by each of its names, and what leads to it
// stays where it is.
func TestKeptFiles(t *testing.T) {
	inModes(t, func(t *testing.T, old bool) {
		box := t.TempDir()
		check(t, os.MkdirAll(filepath.Join(box, "usr", "bin"), 0o755))
		exe := filepath.Join(box, "usr", "bin", "program")
		write(t, exe, "PROGRAM")
		check(t, os.Link(exe, filepath.Join(box, "hard")))
		check(t, os.Symlink("usr/bin/program", filepath.Join(box, "link")))
		g := grantOf(t, box, old, nil, filepath.Join(box, "link"), filepath.Join(box, "none"))
		for _, p := range []string{"m/usr/bin/program", "m/hard"} {
			want(t, "read", second(g.open(3, p, 0, abi.RightFDRead)), abi.ENOTCAPABLE)
			want(t, "write", second(g.open(3, p, 0, abi.RightFDWrite)), abi.ENOTCAPABLE)
			want(t, "unlink", g.do(abi.PathUnlinkFile, 3, p), abi.ENOTCAPABLE)
			want(t, "rename", g.do(abi.PathRename, 3, p, 3, "m/got"), abi.ENOTCAPABLE)
			want(t, "link", g.do(abi.PathLink, 3, 0, p, 3, "m/got"), abi.ENOTCAPABLE)
			must(t, second(g.open(3, "m/mine", abi.OFlagCreat, abi.RightFDWrite)))
			want(t, "rename over", g.do(abi.PathRename, 3, "m/mine", 3, p), abi.ENOTCAPABLE)
		}
		want(t, "what it lies in", g.do(abi.PathRename, 3, "m/usr/bin", 3, "m/away"), abi.EBUSY)
		want(t, "what that lies in", g.do(abi.PathRename, 3, "m/usr", 3, "m/away"), abi.EBUSY)
		must(t, second(g.open(3, "m/usr/bin/another", abi.OFlagCreat, abi.RightFDWrite)))
		if got := read(t, exe); got != "PROGRAM" {
			t.Errorf("the program is %q", got)
		}
	})
}

// TestKnownMovesIn: it is known too where it lies only since the grant was opened.
func TestKnownMovesIn(t *testing.T) {
	inModes(t, func(t *testing.T, old bool) {
		base := t.TempDir()
		home, box := nodes(t, base), filepath.Join(base, "box")
		check(t, os.MkdirAll(filepath.Join(box, "in"), 0o755))
		k := new(Known)
		know(t, k, home, "keys")
		k.Settle()
		if numberOf(t, home).Birth == 0 {
			t.Skip("the file system tells no birth")
		}
		g := grantOf(t, box, old, func() *Known { return k })
		must(t, second(g.open(3, "m/in/f", abi.OFlagCreat, abi.RightFDWrite)))
		check(t, os.Rename(home, filepath.Join(box, "in", "moved")))
		for _, p := range []string{"m/in/moved", "m/in/moved/config", "m/in/moved/keys", "m/in/moved/keys/key"} {
			want(t, p, second(g.open(3, p, 0, abi.RightFDRead)), abi.ENOTCAPABLE)
		}
	})
}

// TestKnownIsBoundElsewhere: a mount of a part of it is no way to it.
func TestKnownIsBoundElsewhere(t *testing.T) {
	inModes(t, func(t *testing.T, old bool) {
		base := t.TempDir()
		home, box := nodes(t, base), filepath.Join(base, "box")
		check(t, os.MkdirAll(filepath.Join(box, "bound"), 0o755))
		check(t, os.MkdirAll(filepath.Join(box, "up"), 0o755))
		k := new(Known)
		know(t, k, home, "keys")
		k.Settle()
		mounted(t, func(mount func(source, target, kind string, flags uintptr)) {
			mount(filepath.Join(home, "keys"), filepath.Join(box, "bound"), "", unix.MS_BIND)
			mount(filepath.Join(base, "a"), filepath.Join(box, "up"), "", unix.MS_BIND)
			g := grantOf(t, box, old, func() *Known { return k })
			for _, p := range []string{"m/bound", "m/bound/key", "m/bound/deep/x", "m/up/b/home", "m/up/b/home/config", "m/up/b/home/keys/key", "m/up/b/home/keys/deep/x"} {
				want(t, p, second(g.open(3, p, 0, abi.RightFDRead)), abi.ENOTCAPABLE)
			}
			want(t, "what it lies in", g.do(abi.PathRename, 3, "m/up/b", 3, "m/up/c"), abi.EBUSY)
		})
	})
}

func BenchmarkOpenRoot(b *testing.B) {
	for _, n := range []int{-1, 0, 100, 1000} {
		box := b.TempDir()
		own := nodes(b, box)
		k := new(Known)
		for i := range n {
			dir := filepath.Join(box, fmt.Sprint(i), "home")
			check(b, os.MkdirAll(filepath.Join(dir, "keys"), 0o755))
			know(b, k, dir, "keys", "keys", "keys", "keys", "keys", "keys", "keys", "keys")
		}
		k.Settle()
		keep := Keep{Paths: []string{own, filepath.Join(own, "keys")}, Known: func() *Known { return k }}
		if n < 0 {
			keep.Known = nil
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				r, err := OpenRoot(box, keep)
				check(b, err)
				check(b, r.Close())
			}
		})
		r, err := OpenRoot(filepath.Join(box, "a", "other"), keep)
		check(b, err)
		write(b, filepath.Join(box, "a", "other", "f"), "x")
		check(b, os.MkdirAll(filepath.Join(box, "a", "other", "sub", "sub"), 0o755))
		d := r.Dir()
		b.Run(fmt.Sprint("Lstat/", n), func(b *testing.B) {
			for b.Loop() {
				_, e := d.Lstat("f")
				must(b, e)
			}
		})
		b.Run(fmt.Sprint("Beneath/", n), func(b *testing.B) {
			for b.Loop() {
				s, e := d.Beneath("sub/sub")
				must(b, e)
				s.Close()
			}
		})
		d.Close()
		check(b, r.Close())
	}
}
