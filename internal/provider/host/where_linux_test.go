package host

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider"
)

// TestFoldersThatOthersMove: names from a folder that somebody moves while the
// guest has it open are decided on as they are now; where the kernel does not tell
// them, they are refused.
func TestFoldersThatOthersMove(t *testing.T) {
	inModes(t, func(t *testing.T, old bool) {
		base := t.TempDir()
		box, outside := filepath.Join(base, "box"), filepath.Join(base, "outside")
		check(t, os.MkdirAll(filepath.Join(box, "a", "sub", "deep"), 0o755))
		check(t, os.MkdirAll(filepath.Join(box, "b", "in"), 0o755))
		check(t, os.Mkdir(outside, 0o755))
		write(t, filepath.Join(box, "a", "sub", "f"), "mine")
		write(t, filepath.Join(box, "a", "sub", "deep", "f"), "mine")
		_, d := open(t, box, old)
		g := newGuest(t, provider.Mount{Guest: "/m", Root: d}, provider.Mount{Guest: "/m/b/in", Root: scratch()})
		held := func(p string) int {
			fd, e := g.open(3, p, abi.OFlagDirectory, toList)
			must(t, e)
			return fd
		}
		sub, deep, own := held("m/a/sub"), held("m/a/sub/deep"), held("m")
		at := "a/sub"
		move := func(to string) {
			t.Helper()
			check(t, os.Rename(filepath.Join(box, at), filepath.Join(box, to)))
			at = to
		}
		named := func(what, name string, e abi.Errno) {
			t.Helper()
			switch {
			case !old && (e != 0 || g.obj.Name != name):
				t.Errorf("%s: %v on %q, want %q", what, e, g.obj.Name, name)
			case old && (e != abi.ENOTCAPABLE || g.obj.Refused != abi.RefuseEscape):
				t.Errorf("%s: %v %v, want an escape", what, e, g.obj.Refused)
			}
		}
		within := func(name string) {
			t.Helper()
			named("stat", name+"/f", g.do(abi.PathFilestatGet, sub, 0, "f"))
			named("itself", name, g.do(abi.FdFilestatGet, sub))
			named("list", name, g.do(abi.FdReaddir, sub))
			named("rename", name+"/f", g.do(abi.PathRename, sub, "f", sub, "f"))
			named("deep", name+"/deep/f", g.do(abi.PathFilestatGet, deep, 0, "f"))
		}
		out := func(what string) {
			t.Helper()
			for _, fd := range []int{sub, deep} {
				want(t, what+": create", second(g.open(fd, "new", abi.OFlagCreat, abi.RightFDWrite)), abi.ENOTCAPABLE)
				want(t, what+": read", second(g.open(fd, "f", 0, abi.RightFDRead)), abi.ENOTCAPABLE)
				want(t, what+": up", second(g.open(fd, "../x", 0, every)), abi.ENOTCAPABLE)
				want(t, what+": mkdir", g.do(abi.PathCreateDirectory, fd, "new"), abi.ENOTCAPABLE)
				want(t, what+": symlink", g.do(abi.PathSymlink, "f", fd, "new"), abi.ENOTCAPABLE)
				want(t, what+": unlink", g.do(abi.PathUnlinkFile, fd, "f"), abi.ENOTCAPABLE)
				want(t, what+": rename from", g.do(abi.PathRename, fd, "f", 3, "m/f"), abi.ENOTCAPABLE)
				want(t, what+": link from", g.do(abi.PathLink, fd, 0, "f", 3, "m/f"), abi.ENOTCAPABLE)
				want(t, what+": rename to", g.do(abi.PathRename, 3, "m/a", fd, "new"), abi.ENOTCAPABLE)
				want(t, what+": list", g.do(abi.FdReaddir, fd), abi.ENOTCAPABLE)
				want(t, what+": times", g.do(abi.FdFilestatSetTimes, fd, 0, 0, abi.FstMtimNow), abi.ENOTCAPABLE)
				want(t, what+": sync", g.do(abi.FdSync, fd), abi.ENOTCAPABLE)
				must(t, g.do(abi.FdFdstatGet, fd))
			}
		}
		move("b/sub")
		within("/m/b/sub")
		move("a/x (deleted)") // as the kernel calls what is removed
		within("/m/a/x (deleted)")
		check(t, os.Rename(filepath.Join(box, "a"), filepath.Join(box, "c"))) // what it lies in
		at = "c/x (deleted)"
		within("/m/c/x (deleted)")
		// What the guest moves itself has its name at once, others' moves or not.
		must(t, g.do(abi.PathRename, 3, "m/c", 3, "m/d"))
		at = "d/x (deleted)"
		within("/m/d/x (deleted)")

		move("../outside/sub")
		before := picture(t, outside)
		out("outside")
		if after := picture(t, outside); after != before {
			t.Errorf("outside was\n%s\nand is\n%s", before, after)
		}
		check(t, os.Remove(filepath.Join(box, "b", "in")))
		move("b/in")
		out("beneath another mount")
		move("d/\xff")
		out("a name that is none")
		move("a")
		check(t, os.Mkdir(filepath.Join(box, "a", "sub"), 0o755))
		check(t, os.Rename(filepath.Join(box, "a"), filepath.Join(box, "tmp")))
		check(t, os.Mkdir(filepath.Join(box, "a"), 0o755))
		at = "tmp"
		move("a/sub") // where it was opened: to it both ways lead
		check(t, os.Rename(box, box+"2"))
		box += "2"
		// The granted folder itself may go where it likes.
		want(t, "with the root", g.do(abi.PathFilestatGet, sub, 0, "f"), 0)
		if g.obj.Name != "/m/a/sub/f" {
			t.Errorf("with the root: %q", g.obj.Name)
		}
		must(t, g.do(abi.PathFilestatGet, own, 0, "a/sub/f"))
		check(t, os.RemoveAll(filepath.Join(box, "a", "sub")))
		want(t, "removed", g.do(abi.PathFilestatGet, sub, 0, "f"), abi.ENOENT)
		want(t, "make in what is removed", g.do(abi.PathCreateDirectory, sub, "new"), abi.ENOENT)
		must(t, g.do(abi.FdReaddir, sub))
	})
}

// TestWhereOfDeepFolders: names longer than the kernel tells are compared.
func TestWhereOfDeepFolders(t *testing.T) {
	inModes(t, func(t *testing.T, old bool) {
		_, d := open(t, t.TempDir(), old)
		name := strings.Repeat("deep", 50)
		rel, at := "", d
		for range 90 {
			must(t, at.Mkdir(name))
			next, e := at.OpenDir(name)
			must(t, e)
			defer next.Close()
			at, rel = next, filepath.Join(rel, name)
		}
		f := at.(*folder)
		if now, e := f.Where(rel); now != rel || e != 0 {
			t.Errorf("%d bytes, %v", len(now), e)
		}
		if _, e := f.Where(filepath.Dir(rel)); e != abi.ENOTCAPABLE {
			t.Errorf("its parent: %v", e)
		}
		if _, e := f.Where("../" + rel); e != abi.ENOTCAPABLE {
			t.Errorf("no path: %v", e)
		}
	})
}

// BenchmarkWhere is what a call on a path from an open folder pays for it.
func BenchmarkWhere(b *testing.B) {
	dir := b.TempDir()
	check(b, os.MkdirAll(filepath.Join(dir, "a/b/c/d/e"), 0o755))
	for _, mode := range []string{"openat2", "walk"} {
		for _, rel := range []string{"a", "a/b/c/d/e"} {
			b.Run(mode+"/"+rel, func(b *testing.B) {
				_, d := open(b, dir, mode == "walk")
				sub, e := d.Beneath(rel)
				must(b, e)
				defer sub.Close()
				b.ReportAllocs()
				for b.Loop() {
					if now, e := sub.(*folder).Where(rel); now != rel || e != 0 {
						b.Fatal(now, e)
					}
				}
			})
		}
	}
}
