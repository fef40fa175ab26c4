package host

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider"
)

// TestKeptFolders: what is kept can't be granted, is out of reach in a grant of
// what it lies in, by whatever name, and stays where it is.
func TestKeptFolders(t *testing.T) {
	for how, keep := range map[string]func(t testing.TB, home string) Keep{
		"held":  func(_ testing.TB, home string) Keep { return Keep{Paths: []string{filepath.Join(home, "none"), home}} },
		"known": func(t testing.TB, home string) Keep { return knownOf(t, home, "keys") },
	} {
		t.Run(how, func(t *testing.T) { keptFolders(t, keep) })
	}
}

// knownOf is what is known of a folder or file that another process uses.
func knownOf(t testing.TB, home string, parts ...string) Keep {
	t.Helper()
	k := new(Known)
	know(t, k, home, parts...)
	k.Settle()
	return Keep{Known: func() *Known { return k }}
}

// TestKnownFiles: a file that another process believes is out of reach by any name, a
// hard link too, and can't be replaced; what is no longer it, is not kept.
func TestKnownFiles(t *testing.T) {
	inModes(t, func(t *testing.T, old bool) {
		box := t.TempDir()
		check(t, os.Mkdir(filepath.Join(box, "bin"), 0o755))
		file := filepath.Join(box, "bin", "program")
		write(t, file, "PROGRAM")
		check(t, os.Link(file, filepath.Join(box, "hard")))
		write(t, filepath.Join(box, "mine"), "mine")
		r, err := OpenRoot(box, knownOf(t, file))
		check(t, err)
		if old {
			r.openat2, r.named = false, false
		}
		g := newGuest(t, provider.Mount{Guest: "/m", Root: r.Dir()})
		t.Cleanup(func() { check(t, r.Close()) })
		for _, p := range []string{"m/bin/program", "m/hard"} {
			for what, e := range map[string]abi.Errno{
				"read": second(g.open(3, p, 0, abi.RightFDRead)), "write": second(g.open(3, p, 0, abi.RightFDWrite)),
				"cut": second(g.open(3, p, abi.OFlagTrunc, abi.RightFDWrite)), "unlink": g.do(abi.PathUnlinkFile, 3, p),
				"rename": g.do(abi.PathRename, 3, p, 3, "m/got"), "replace": g.do(abi.PathRename, 3, "m/mine", 3, p), "link": g.do(abi.PathLink, 3, 0, p, 3, "m/got"),
			} {
				if e != abi.ENOTCAPABLE {
					t.Errorf("%s %s: %v", what, p, e)
				}
			}
		}
		want(t, "move what it lies in", g.do(abi.PathRename, 3, "m/bin", 3, "m/bin2"), abi.EBUSY)
		if text := read(t, file); text != "PROGRAM" {
			t.Errorf("it is %q", text)
		}
		// Somebody outside puts another file there: nobody has noted that one.
		check(t, os.Remove(file))
		check(t, os.Remove(filepath.Join(box, "hard")))
		write(t, file, "another")
		if birthAt(unix.AT_FDCWD, file, 0) != 0 {
			must(t, second(g.open(3, "m/bin/program", 0, abi.RightFDRead)))
			must(t, g.do(abi.PathRename, 3, "m/bin", 3, "m/bin2"))
		}
	})
}

// TestAllKept: where it can't be found out what is kept, everything is.
func TestAllKept(t *testing.T) {
	box := t.TempDir()
	write(t, filepath.Join(box, "file"), "x")
	known := new(Known).Settle()
	r, err := OpenRoot(box, Keep{Known: func() *Known { return known }})
	check(t, err)
	g := newGuest(t, provider.Mount{Guest: "/m", Root: r.Dir()})
	t.Cleanup(func() { check(t, r.Close()) })
	must(t, second(g.open(3, "m/file", 0, abi.RightFDRead)))
	known = AllKept()
	if e := second(g.open(3, "m/file", 0, abi.RightFDRead)); e != abi.ENOTCAPABLE {
		t.Errorf("%v", e)
	}
}

func keptFolders(t *testing.T, keep func(t testing.TB, home string) Keep) {
	inModes(t, func(t *testing.T, old bool) {
		box := t.TempDir()
		home := filepath.Join(box, "a", "b", "home")
		check(t, os.MkdirAll(filepath.Join(home, "keys", "deep"), 0o755))
		check(t, os.MkdirAll(filepath.Join(box, "a", "other"), 0o755))
		write(t, filepath.Join(home, "keys", "key"), "SECRET")
		for name, text := range map[string]string{"link": "a/b/home", "to-keys": "a/b/home/keys", "a/other/up": "../b/home", "to-b": "a/b"} {
			check(t, os.Symlink(text, filepath.Join(box, name)))
		}
		for _, p := range []string{"a/b/home", "a/b/home/keys", "a/b/home/keys/deep", "link", "to-keys"} {
			if _, err := OpenRoot(filepath.Join(box, p), keep(t, home)); !errors.Is(err, &abi.Error{Code: "F1-FIL-012"}) {
				t.Errorf("%s is granted: %v", p, err)
			}
		}
		r, err := OpenRoot(box, keep(t, home))
		check(t, err)
		if old {
			r.openat2, r.named = false, false
		}
		g := newGuest(t, provider.Mount{Guest: "/m", Root: r.Dir()})
		t.Cleanup(func() { check(t, r.Close()) })
		must(t, second(g.open(3, "m/a/other", abi.OFlagDirectory, toList)))
		b, e := g.open(3, "m/a/b", abi.OFlagDirectory, toList)
		must(t, e)
		before := picture(t, home)
		for _, p := range []string{
			"m/a/b/home", "m/a/b/home/", "m/a/b/home/keys", "m/a/b/home/keys/key", "m/a/b/home/new", "m/a/b/home/.", "m/a/b/home/..", "m/link/", "m/link/keys/key", "m/to-keys/key",
			"m/to-b/home/keys/key", "m/a/other/up/keys/key", "m/a/other/../b/home/keys/key",
		} {
			refused := func(what string, e abi.Errno) {
				t.Helper()
				if e != abi.ENOTCAPABLE || g.obj.Refused != abi.RefuseSystem {
					t.Errorf("%s %s: %v %v", what, p, e, g.obj.Refused)
				}
			}
			refused("read", second(g.open(3, p, 0, abi.RightFDRead)))
			refused("list", second(g.open(3, p, abi.OFlagDirectory, toList)))
			refused("create", second(g.open(3, p, abi.OFlagCreat, abi.RightFDWrite)))
			refused("stat", g.do(abi.PathFilestatGet, 3, follow, p))
			refused("times", g.do(abi.PathFilestatSetTimes, 3, follow, p, 0, 0, abi.FstMtimNow))
			if p == "m/link/" { // of the link itself
				continue
			}
			refused("mkdir", g.do(abi.PathCreateDirectory, 3, p))
			refused("symlink", g.do(abi.PathSymlink, "x", 3, p))
			refused("unlink", g.do(abi.PathUnlinkFile, 3, p))
			refused("rmdir", g.do(abi.PathRemoveDirectory, 3, p))
			refused("rename", g.do(abi.PathRename, 3, p, 3, "m/got"))
			refused("link", g.do(abi.PathLink, 3, 0, p, 3, "m/got"))
			if e := g.do(abi.PathRename, 3, "m/a/other", 3, p); e != abi.ENOTCAPABLE {
				t.Errorf("rename to %s: %v", p, e)
			}
		}
		want(t, "from where it lies", second(g.open(b, "home/keys/key", 0, abi.RightFDRead)), abi.ENOTCAPABLE)
		for _, p := range []string{"m/a/b", "m/a", "m/to-b/../b"} {
			want(t, "rename "+p, g.do(abi.PathRename, 3, p, 3, p+"2"), abi.EBUSY)
		}
		want(t, "move up", g.do(abi.PathRename, 3, "m/a/b", 3, "m/b"), abi.EXDEV)
		must(t, g.do(abi.PathRename, 3, "m/a/other", 3, "m/moved"))
		if after := picture(t, home); after != before {
			t.Errorf("what is kept was\n%s\nand is\n%s", before, after)
		}
	})
}

// TestKeptIsHeldOnlyByItsRoot: nothing is left open.
func TestKeptIsHeldOnlyByItsRoot(t *testing.T) {
	box := t.TempDir()
	home := filepath.Join(box, "home")
	check(t, os.Mkdir(home, 0o755))
	lowest := func() int {
		fd, err := unix.Open(box, unix.O_PATH|unix.O_CLOEXEC, 0)
		check(t, err)
		check(t, unix.Close(fd))
		return fd
	}
	before := lowest()
	for range 10 {
		r, err := OpenRoot(box, Keep{Paths: []string{home}})
		check(t, err)
		check(t, r.Close())
		if _, err := OpenRoot(home, Keep{Paths: []string{home}}); err == nil {
			t.Fatal("it is granted")
		}
	}
	if after := lowest(); after != before {
		t.Errorf("the next descriptor was %d, and is %d", before, after)
	}
}

// TestKeptBeneathWhatMayNotBeSearched: a folder is granted where those above it are
// closed to this process.
func TestKeptBeneathWhatMayNotBeSearched(t *testing.T) {
	closed := filepath.Join(t.TempDir(), "closed")
	check(t, os.MkdirAll(filepath.Join(closed, "in"), 0o755))
	t.Chdir(filepath.Join(closed, "in"))
	check(t, os.Chmod(closed, 0))
	t.Cleanup(func() { check(t, os.Chmod(closed, 0o755)) })
	done := make(chan error)
	go func() { // on a thread that ends with it, and with its permissions
		runtime.LockOSThread()
		if os.Getuid() == 0 {
			if err := unix.Setfsuid(65534); err != nil {
				done <- err
				return
			}
		}
		r, err := OpenRoot(".", Keep{Paths: []string{"/usr"}})
		if err == nil {
			err = r.Close()
		}
		done <- err
	}()
	check(t, <-done)
}

// TestKeptIsBoundElsewhere: a second mount of what is kept, or of what it lies in,
// is no way to it.
func TestKeptIsBoundElsewhere(t *testing.T) {
	inModes(t, func(t *testing.T, old bool) {
		base := t.TempDir()
		box, home := filepath.Join(base, "box"), filepath.Join(base, "top", "mid", "home")
		for _, p := range []string{filepath.Join(home, "keys"), filepath.Join(box, "bound"), filepath.Join(box, "above"), filepath.Join(base, "top", "mid", "beside")} {
			check(t, os.MkdirAll(p, 0o755))
		}
		mounted(t, func(mount func(source, target, kind string, flags uintptr)) {
			mount(home, filepath.Join(box, "bound"), "", unix.MS_BIND)
			mount(filepath.Join(base, "top"), filepath.Join(box, "above"), "", unix.MS_BIND)
			r, err := OpenRoot(box, Keep{Paths: []string{home}})
			check(t, err)
			if old {
				r.openat2, r.named = false, false
			}
			g := newGuest(t, provider.Mount{Guest: "/m", Root: r.Dir()})
			defer func() { check(t, r.Close()) }()
			above, e := g.open(3, "m/above", abi.OFlagDirectory, toList)
			must(t, e)
			mid, e := g.open(above, "mid", abi.OFlagDirectory, toList)
			must(t, e)
			for _, c := range []struct {
				fd int
				p  string
			}{{3, "m/bound"}, {3, "m/bound/keys/x"}, {3, "m/above/mid/home/keys"}, {above, "mid/home/keys"}, {above, "mid/home/keys/x"}, {mid, "home"}, {mid, "home/keys/x"}, {mid, "home/keys"}} {
				want(t, "list "+c.p, second(g.open(c.fd, c.p, abi.OFlagDirectory, toList)), abi.ENOTCAPABLE)
				want(t, "create "+c.p, second(g.open(c.fd, c.p, abi.OFlagCreat, abi.RightFDWrite)), abi.ENOTCAPABLE)
				want(t, "stat "+c.p, g.do(abi.PathFilestatGet, c.fd, 0, c.p), abi.ENOTCAPABLE)
			}
			must(t, second(g.open(mid, "beside/f", abi.OFlagCreat, abi.RightFDWrite)))
			must(t, g.do(abi.PathFilestatGet, above, 0, "mid/beside/f"))
			want(t, "move what it lies in", g.do(abi.PathRename, above, "mid", above, "away"), abi.EBUSY)
		})
	})
}

// TestKeptIsBoundFromTheGrant: what is kept is named by a mount of a part of what is
// granted, as a volume of a container is, and is out of reach by its other name too.
func TestKeptIsBoundFromTheGrant(t *testing.T) {
	inModes(t, func(t *testing.T, old bool) {
		base := t.TempDir()
		disk, home := filepath.Join(base, "disk"), filepath.Join(base, "home")
		for _, p := range []string{filepath.Join(disk, "mid", "state", "keys"), filepath.Join(disk, "mid", "beside"), home} {
			check(t, os.MkdirAll(p, 0o755))
		}
		write(t, filepath.Join(disk, "mid", "state", "keys", "key"), "SECRET")
		mounted(t, func(mount func(source, target, kind string, flags uintptr)) {
			mount(filepath.Join(disk, "mid", "state"), home, "", unix.MS_BIND)
			r, err := OpenRoot(disk, Keep{Paths: []string{home}})
			check(t, err)
			if old {
				r.openat2, r.named = false, false
			}
			g := newGuest(t, provider.Mount{Guest: "/m", Root: r.Dir()})
			defer func() { check(t, r.Close()) }()
			for _, p := range []string{"m/mid/state", "m/mid/state/keys", "m/mid/state/keys/key", "m/mid/beside/../state/keys/key"} {
				want(t, "read "+p, second(g.open(3, p, 0, abi.RightFDRead)), abi.ENOTCAPABLE)
				want(t, "stat "+p, g.do(abi.PathFilestatGet, 3, 0, p), abi.ENOTCAPABLE)
			}
			want(t, "move", g.do(abi.PathRename, 3, "m/mid/state", 3, "m/got"), abi.ENOTCAPABLE)
			must(t, second(g.open(3, "m/mid/beside/f", abi.OFlagCreat, abi.RightFDWrite)))
		})
	})
}

// TestKeptPartsLieElsewhere: a link in the state folder to where a part of it lies
// makes that no less a part.
func TestKeptPartsLieElsewhere(t *testing.T) {
	inModes(t, func(t *testing.T, old bool) {
		base := t.TempDir()
		stick, home := filepath.Join(base, "stick"), filepath.Join(base, "home")
		check(t, os.MkdirAll(filepath.Join(stick, "in", "keys"), 0o755))
		check(t, os.MkdirAll(filepath.Join(home, "log"), 0o755))
		write(t, filepath.Join(stick, "in", "keys", "key"), "SECRET")
		keys, log := filepath.Join(home, "keys"), filepath.Join(home, "log")
		check(t, os.Symlink("../stick/in/keys", keys))
		for _, p := range []string{keys, filepath.Join(stick, "in", "keys"), home, log} {
			if _, err := OpenRoot(p, Keep{Paths: []string{home, keys, log}}); !errors.Is(err, &abi.Error{Code: "F1-FIL-012"}) {
				t.Errorf("%s is granted: %v", p, err)
			}
		}
		r, err := OpenRoot(stick, Keep{Paths: []string{home, keys, log}})
		check(t, err)
		if old {
			r.openat2, r.named = false, false
		}
		g := newGuest(t, provider.Mount{Guest: "/m", Root: r.Dir()})
		t.Cleanup(func() { check(t, r.Close()) })
		want(t, "read", second(g.open(3, "m/in/keys/key", 0, abi.RightFDRead)), abi.ENOTCAPABLE)
		want(t, "list", second(g.open(3, "m/in/keys", abi.OFlagDirectory, toList)), abi.ENOTCAPABLE)
		want(t, "move what it lies in", g.do(abi.PathRename, 3, "m/in", 3, "m/got"), abi.EBUSY)
	})
}
