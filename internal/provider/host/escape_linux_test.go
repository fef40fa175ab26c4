package host

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider"
	"github.com/forgeone/forgeone/internal/provider/pure"
	"github.com/forgeone/forgeone/internal/provider/tree"
	"github.com/forgeone/forgeone/internal/provider/treetest"
)

// yard is where escapes are attempted: a world whose folder "m" holds
//
//	f dir/g dir/sub/deep and, in what can be planted on, the links of plants
//
// beside a folder "outside" on the host with a secret in it.
type yard struct {
	*guest
	fd      int  // of "m"
	planted bool // links
	host    bool // devices, FIFOs, sockets
	joined  bool // "m/nested" is another mount, "m/assets" a read-only one
}

// plants are links that somebody else made, by name.
func plants(outside string) map[string]string {
	m := map[string]string{
		"abs": outside + "/secret", "absdir": outside, "rel": "../outside/secret", "reldir": "../outside", "up": "..", "upup": "../..",
		"over": "dir/../../outside/secret", "root": "/", "absnew": outside + "/new", "relnew": "../outside/new", "loop": "loop", "a": "b", "b": "a",
		"self": "/proc/self/cwd", "selfroot": "/proc/self/root", "fdlink": "/proc/self/fd/0", "c0": "f", "todir": "dir", "dir/back": "..", "dir/sub/out": "../../../outside",
	}
	for i := 1; i <= 41; i++ {
		m[fmt.Sprint("c", i)] = fmt.Sprint("c", i-1)
	}
	return m
}

// grounds are the kinds of yards.
var grounds = map[string]func(t *testing.T, box, outside string) *yard{
	"openat2": func(t *testing.T, box, outside string) *yard { return hostYard(t, box, outside, false) },
	"walk":    func(t *testing.T, box, outside string) *yard { return hostYard(t, box, outside, true) },
	"scratch": func(t *testing.T, _, outside string) *yard {
		d := scratch()
		fill(t, d, outside)
		return &yard{guest: newGuest(t, provider.Mount{Guest: "/m", Root: d}), planted: true}
	},
	"assets": func(t *testing.T, _, _ string) *yard {
		d, err := pure.NewAssets(treetest.Sections(map[string][]byte{"f": []byte("mine"), "dir/g": []byte("mine"), "dir/sub/deep": []byte("mine")}))
		check(t, err)
		return &yard{guest: newGuest(t, provider.Mount{Guest: "/m", Root: d, ReadOnly: true})}
	},
	"joined": func(t *testing.T, box, outside string) *yard {
		y := hostYard(t, box, outside, false)
		_, d := open(t, box, false)
		assets, err := pure.NewAssets(treetest.Sections(map[string][]byte{"f": []byte("mine")}))
		check(t, err)
		root := scratch()
		y.guest = newGuest(t, provider.Mount{Guest: "/", Root: root}, provider.Mount{Guest: "/m", Root: d},
			provider.Mount{Guest: "/m/nested", Root: scratch()}, provider.Mount{Guest: "/m/assets", Root: assets, ReadOnly: true})
		y.joined = true
		return y
	},
}

func hostYard(t *testing.T, box, outside string, old bool) *yard {
	_, d := open(t, box, old)
	fill(t, d, outside)
	check(t, unix.Mkfifo(filepath.Join(box, "fifo"), 0o644))
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	check(t, err)
	t.Chdir(box)
	check(t, unix.Bind(fd, &unix.SockaddrUnix{Name: "socket"}))
	check(t, unix.Close(fd))
	return &yard{guest: newGuest(t, provider.Mount{Guest: "/m", Root: d}), planted: true, host: true}
}

func fill(t *testing.T, d tree.Dir, outside string) {
	must(t, d.Mkdir("dir"))
	dir, e := d.OpenDir("dir")
	must(t, e)
	must(t, dir.Mkdir("sub"))
	sub, e := dir.OpenDir("sub")
	must(t, e)
	at := map[string]tree.Dir{".": d, "dir": dir, "dir/sub": sub}
	for _, name := range []string{"f", "dir/g", "dir/sub/deep"} {
		f, e := at[filepath.Dir(name)].Open(filepath.Base(name), tree.How{Write: true, Create: true})
		must(t, e)
		_, e = f.Pwrite([]byte("mine"), 0)
		must(t, e)
		f.Close()
	}
	for name, text := range plants(outside) {
		must(t, at[filepath.Dir(name)].Symlink(text, filepath.Base(name)))
	}
	dir.Close()
	sub.Close()
}

// climbing are paths that lead out of "m", by its own descriptor; with a link in
// them where that is said.
var climbing = []string{
	"..", "../", "../..", "./..", "dir/../..", "dir/sub/../../..", "../outside", "../outside/secret", "dir/../../outside/secret", "dir//.././/..//outside/secret",
	"/", "/m", "/m/f", "/etc/passwd", "//etc/passwd", "../m/f", "../../../../../../../../etc/passwd",
}

var climbingLinks = []string{
	"abs", "absdir", "absdir/", "absdir/secret", "rel", "reldir/secret", "reldir/.", "up/.", "up/outside/secret", "upup/x", "over", "root/etc/passwd", "root/.",
	"self/.", "self/environ", "selfroot/etc/passwd", "fdlink", "absnew", "relnew", "reldir/new", "absdir/new", "dir/sub/out/secret", "todir/../../outside/secret",
	"todir/sub/out/new", "dir/back/../outside/secret", "todir/back/../..",
}

// plain are names that an encoding game would have lead out, and that are just
// names, which nothing has.
var plain = []string{
	"..\\outside\\secret", "..\\..\\etc", "%2e%2e/outside/secret", "%2e%2e%2foutside", ".%2e/outside/secret", "\u2025/outside/secret", "\uff0e\uff0e/outside/secret",
	"\u3002\u3002/outside", ".\u200d./outside", "\u202e../outside", ".. /outside/secret", " ../outside/secret", "..\t/outside", "...", ".../outside", "..\r/x", "..\n/outside/secret",
	"..;/outside/secret", "~/x", "~root", "f ", "f.", "F", "f::$DATA", "f\u0301", "\u2215etc\u2215passwd", "\uff0fetc\uff0fpasswd", "$HOME", "C:\\x", "\\\\host\\x", "dir\\g",
}

// TestEscapes attempts everything that could lead out of a mount, over each kind of
// tree and over mounts in mounts. Nothing outside is read, listed or changed, and
// each attempt is answered by what refuses it.
func TestEscapes(t *testing.T) {
	for name, build := range grounds {
		t.Run(name, func(t *testing.T) {
			base := t.TempDir()
			box, outside := filepath.Join(base, "box"), filepath.Join(base, "outside")
			check(t, os.Mkdir(box, 0o755))
			check(t, os.MkdirAll(filepath.Join(outside, "empty"), 0o755))
			write(t, filepath.Join(outside, "secret"), "SECRET")
			before := picture(t, outside)
			y := build(t, box, outside)
			var e abi.Errno
			y.fd, e = y.open(3, "m", abi.OFlagDirectory, toList)
			must(t, e)

			for _, p := range climbing {
				y.attempt(t, p, abi.ENOTCAPABLE)
			}
			if y.planted {
				for _, p := range climbingLinks {
					y.attempt(t, p, abi.ENOTCAPABLE)
				}
				for _, p := range []string{"loop", "loop/x", "a", "b/x", "c41"} {
					y.attempt(t, p, abi.ELOOP)
				}
				if text, e := y.read(y.fd, "c39"); text != "mine" || e != 0 { // forty links
					t.Errorf("forty links: %q %v", text, e)
				}
			}
			for _, p := range plain {
				y.attempt(t, p, abi.ENOENT)
			}
			for _, p := range []string{"\xc0\xae\xc0\xae/outside/secret", "\xe0\x80\xae\xe0\x80\xae/x", "..\xc0\xafoutside", "\xff", "f\xed\xa0\x80"} {
				y.attempt(t, p, abi.EILSEQ)
			}
			for _, p := range []string{"f\x00", "\x00", "dir\x00/../../outside/secret", "..\x00/outside"} {
				y.attempt(t, p, abi.EINVAL)
			}
			y.ownLinks(t, outside)
			y.special(t)
			y.across(t)
			if after := picture(t, outside); after != before {
				t.Errorf("outside was\n%s\nand is\n%s", before, after)
			}
		})
	}
}

// attempt makes every call that takes a path with p, which has to be refused by
// want where links are followed on the way, and changes nothing in any case.
func (y *yard) attempt(t *testing.T, p string, want abi.Errno) {
	t.Helper()
	is := func(what string, e abi.Errno) {
		t.Helper()
		if e == want || e == abi.EROFS && !y.planted { // nothing can be changed there, whatever its name
			return
		}
		t.Errorf("%s %q: %v (%s), want %v", what, p, e, y.obj.Name, want)
	}
	text, e := y.read(y.fd, p)
	is("read", e)
	if strings.Contains(text, "SECRET") {
		t.Fatalf("%q: the secret was read", p)
	}
	// Where the last name is a link, calls that do not follow it are on the link.
	self := want != abi.ENOENT && want != abi.EILSEQ && want != abi.EINVAL && !strings.Contains(strings.TrimSuffix(p, "/"), "/") && !strings.HasPrefix(p, "..")
	is("stat", y.do(abi.PathFilestatGet, y.fd, follow, p))
	is("times", y.do(abi.PathFilestatSetTimes, y.fd, follow, p, 0, 0, abi.FstMtimNow))
	is("cut", second(y.open(y.fd, p, abi.OFlagTrunc, abi.RightFDWrite)))
	is("list", second(y.open(y.fd, p, abi.OFlagDirectory, toList)))
	if want != abi.ENOENT {
		is("create", second(y.open(y.fd, p, abi.OFlagCreat, abi.RightFDWrite)))
		is("link from", y.do(abi.PathLink, y.fd, follow, p, y.fd, "got"))
		if !self {
			is("mkdir", y.do(abi.PathCreateDirectory, y.fd, p))
			is("symlink", y.do(abi.PathSymlink, "f", y.fd, p))
			is("rename to", y.do(abi.PathRename, y.fd, "f", y.fd, p))
			is("link to", y.do(abi.PathLink, y.fd, 0, "f", y.fd, p))
			is("create anew", second(y.open(y.fd, p, abi.OFlagCreat|abi.OFlagExcl, abi.RightFDWrite)))
		}
	}
	if !self && !strings.HasSuffix(p, "/.") && !strings.HasSuffix(p, "/") {
		is("unlink", y.do(abi.PathUnlinkFile, y.fd, p))
		is("rmdir", y.do(abi.PathRemoveDirectory, y.fd, p))
		is("rename from", y.do(abi.PathRename, y.fd, p, y.fd, "got"))
		is("readlink", y.do(abi.PathReadlink, y.fd, p))
	}
}

func second(_ int, e abi.Errno) abi.Errno { return e }

// ownLinks has the guest make links, and folders of them, that lead out.
func (y *yard) ownLinks(t *testing.T, outside string) {
	for _, text := range []string{"..", "../outside", "../outside/secret", outside, "/", "/proc/self/environ", "dir/../..", "./../x", "f/..", "../../../../../etc/passwd"} {
		if e := y.do(abi.PathSymlink, text, y.fd, "mine"); e != abi.ENOTCAPABLE && (y.planted || e != abi.EROFS) {
			t.Errorf("symlink to %q: %v", text, e)
		}
	}
	if !y.planted {
		return
	}
	must(t, y.do(abi.PathSymlink, "../f", y.fd, "dir/mine"))
	if text, e := y.read(y.fd, "dir/mine"); text != "mine" || e != 0 {
		t.Errorf("a link of the guest's own: %q %v", text, e)
	}
	want(t, "rename the link up", y.do(abi.PathRename, y.fd, "dir/mine", y.fd, "mine"), abi.EXDEV)
	want(t, "link the link up", y.do(abi.PathLink, y.fd, 0, "dir/mine", y.fd, "mine"), abi.EXDEV)
	must(t, y.do(abi.PathCreateDirectory, y.fd, "dir/sub/lift"))
	must(t, y.do(abi.PathSymlink, "../../../f", y.fd, "dir/sub/lift/mine"))
	want(t, "lift the folder", y.do(abi.PathRename, y.fd, "dir/sub/lift", y.fd, "lift"), abi.EXDEV)
	// A folder may be swapped for a link, and what is beneath is the link's then.
	must(t, y.do(abi.PathCreateDirectory, y.fd, "swap"))
	must(t, y.do(abi.PathRemoveDirectory, y.fd, "swap"))
	must(t, y.do(abi.PathSymlink, "dir", y.fd, "swap"))
	if text, e := y.read(y.fd, "swap/g"); text != "mine" || y.obj.Name != "" && e != 0 {
		t.Errorf("swapped: %q %v", text, e)
	}
}

// special tries what is neither file nor folder: nothing waits for it.
func (y *yard) special(t *testing.T) {
	if !y.host {
		return
	}
	for _, p := range []string{"fifo", "socket"} {
		for _, rights := range []abi.Rights{abi.RightFDRead, abi.RightFDWrite, abi.RightFDRead | abi.RightFDWrite} {
			for _, oflags := range []uint16{0, abi.OFlagCreat, abi.OFlagTrunc} {
				_, e := y.open(y.fd, p, oflags, rights)
				want(t, "open "+p, e, abi.ENOTSUP)
			}
		}
		must(t, y.do(abi.PathFilestatGet, y.fd, 0, p))
		must(t, y.do(abi.PathRename, y.fd, p, y.fd, p+"2"))
		must(t, y.do(abi.PathUnlinkFile, y.fd, p+"2"))
	}
}

// across tries to move and link between mounts.
func (y *yard) across(t *testing.T) {
	if !y.joined {
		return
	}
	for _, c := range []struct {
		from, to string
		want     abi.Errno
	}{
		{"m/f", "m/nested/f", abi.EXDEV},
		{"m/f", "f", abi.EXDEV},
		{"m/assets/f", "m/nested/f", abi.EXDEV},
		{"m/f", "m/assets/x", abi.EROFS},
		{"m/assets/f", "m/got", abi.EXDEV},
		{"m/nested", "m/elsewhere", abi.EBUSY},
		{"m", "n", abi.EBUSY},
		{"m/dir", "m/nested", abi.EBUSY},
	} {
		e := y.do(abi.PathRename, 3, c.from, 3, c.to)
		if e != c.want && (c.want != abi.EXDEV || e != abi.EROFS) {
			t.Errorf("rename %s to %s: %v, want %v", c.from, c.to, e, c.want)
		}
		if c.want != abi.EBUSY {
			want(t, "link "+c.from+" to "+c.to, y.do(abi.PathLink, 3, 0, c.from, 3, c.to), c.want)
		}
	}
	// The guest's own ".." leads from mount to mount, a link's does not.
	if text, e := y.read(3, "m/nested/../f"); text != "mine" || e != 0 {
		t.Errorf("%q %v", text, e)
	}
	must(t, y.do(abi.PathCreateDirectory, 3, "m/nested/d"))
	want(t, "a link out of the inner mount", y.do(abi.PathSymlink, "../../f", 3, "m/nested/d/l"), abi.ENOTCAPABLE)
	want(t, "the inner mount is removed", y.do(abi.PathRemoveDirectory, 3, "m/nested"), abi.EBUSY)
}
