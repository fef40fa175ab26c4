package host

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider"
)

// What got through other hosts, tried on ours.

// both grants one folder twice: for reading as /ro, for writing as /rw.
func both(t *testing.T, box string) *guest {
	t.Helper()
	_, ro := open(t, box, false)
	_, rw := open(t, box, false)
	return newGuest(t, provider.Mount{Guest: "/ro", Root: ro, ReadOnly: true}, provider.Mount{Guest: "/rw", Root: rw})
}

// TestRightsOfTwoMounts: a file that was granted for reading is not to be written by a
// name that the guest gives it where it may write (GHSA-4ch3-9j33-3pmj).
func TestRightsOfTwoMounts(t *testing.T) {
	box, other := t.TempDir(), t.TempDir()
	write(t, filepath.Join(box, "file"), "as it was")
	check(t, os.Mkdir(filepath.Join(box, "dir"), 0o755))
	write(t, filepath.Join(box, "dir", "file"), "as it was")
	_, ro := open(t, box, false)
	_, rw := open(t, other, false)
	apart := newGuest(t, provider.Mount{Guest: "/ro", Root: ro, ReadOnly: true}, provider.Mount{Guest: "/rw", Root: rw})
	for name, g := range map[string]*guest{"two folders": apart, "one folder twice": both(t, box)} {
		from, e := g.open(3, "ro", abi.OFlagDirectory, toList)
		must(t, e)
		to, e := g.open(3, "rw", abi.OFlagDirectory, toList)
		must(t, e)
		for _, tc := range []struct {
			what string
			e    abi.Errno
		}{
			{"link", g.do(abi.PathLink, 3, 0, "ro/file", 3, "rw/mine")},
			{"link of folders", g.do(abi.PathLink, from, 0, "file", to, "mine")},
			{"link deeper", g.do(abi.PathLink, 3, 0, "ro/dir/file", 3, "rw/mine")},
			{"rename", g.do(abi.PathRename, 3, "ro/file", 3, "rw/mine")},
			{"rename of folders", g.do(abi.PathRename, from, "file", to, "mine")},
			{"rename a folder", g.do(abi.PathRename, 3, "ro/dir", 3, "rw/mine")},
			{"rename over it", g.do(abi.PathRename, 3, "rw/mine", 3, "ro/file")},
			{"link within", g.do(abi.PathLink, from, 0, "file", from, "mine")},
			{"rename within", g.do(abi.PathRename, from, "file", from, "mine")},
			{"write", second(g.open(from, "file", 0, abi.RightFDWrite))},
			{"cut", second(g.open(from, "file", abi.OFlagTrunc, abi.RightFDRead))},
			{"up and down", second(g.open(from, "dir/../file", 0, abi.RightFDWrite))},
		} {
			if tc.e == abi.ESUCCESS {
				t.Errorf("%s: %s succeeds", name, tc.what)
			}
		}
		for _, p := range []string{"rw/mine", "ro/mine"} {
			want(t, name+" "+p, second(g.open(3, p, 0, abi.RightFDRead)), abi.ENOENT)
		}
		if b, err := os.ReadFile(filepath.Join(box, "file")); err != nil || string(b) != "as it was" {
			t.Errorf("%s: %q %v", name, b, err)
		}
	}
}

// TestTrailingSlashes: a slash behind a name makes nothing of it that it is not: no file
// a folder, no link one that may be followed out (GHSA-vqjp-4c8c-hfgg).
func TestTrailingSlashes(t *testing.T) {
	base := t.TempDir()
	box, outside := filepath.Join(base, "box"), filepath.Join(base, "outside")
	check(t, os.MkdirAll(filepath.Join(outside, "empty"), 0o755))
	write(t, filepath.Join(outside, "secret"), "SECRET")
	check(t, os.Mkdir(box, 0o755))
	write(t, filepath.Join(box, "file"), "text")
	for name, to := range map[string]string{"out": "../outside", "secret": "../outside/secret", "empty": "../outside/empty", "to file": "file", "dangling": "none", "abs": outside} {
		check(t, os.Symlink(to, filepath.Join(box, name)))
	}
	before := picture(t, outside)
	inModes(t, func(t *testing.T, old bool) {
		r, d := open(t, box, old)
		_ = r
		g := newGuest(t, provider.Mount{Guest: "/m", Root: d})
		for _, name := range []string{"file", "out", "secret", "empty", "to file", "dangling", "abs"} {
			for _, tail := range []string{"/", "//", "/.", "/./", "/..", "/../file/"} {
				p := "m/" + name + tail
				if tail == "/.." && name == "file" || tail == "/../file/" && name == "file" {
					p = "m/file/" + tail[1:]
				}
				for what, e := range map[string]abi.Errno{
					"open":     second(g.open(3, p, 0, abi.RightFDRead)),
					"write":    second(g.open(3, p, 0, abi.RightFDWrite)),
					"create":   second(g.open(3, p, abi.OFlagCreat, abi.RightFDWrite)),
					"as one":   second(g.open(3, p, abi.OFlagDirectory, toList)),
					"unlink":   g.do(abi.PathUnlinkFile, 3, p),
					"rmdir":    g.do(abi.PathRemoveDirectory, 3, p),
					"mkdir":    g.do(abi.PathCreateDirectory, 3, p),
					"symlink":  g.do(abi.PathSymlink, "x", 3, p),
					"link":     g.do(abi.PathLink, 3, follow, p, 3, "m/mine"),
					"link to":  g.do(abi.PathLink, 3, 0, "m/file", 3, p),
					"rename":   g.do(abi.PathRename, 3, p, 3, "m/mine"),
					"readlink": g.do(abi.PathReadlink, 3, p),
					"stat":     g.do(abi.PathFilestatGet, 3, follow, p),
					"times":    g.do(abi.PathFilestatSetTimes, 3, follow, p, 1, 1, 5),
				} {
					if e == abi.ESUCCESS {
						t.Errorf("%s of %s succeeds", what, p)
					}
				}
			}
		}
		if b, err := os.ReadFile(filepath.Join(box, "file")); err != nil || string(b) != "text" {
			t.Errorf("%q %v", b, err)
		}
	})
	if after := picture(t, outside); after != before {
		t.Errorf("outside was\n%s\nis\n%s", before, after)
	}
}
