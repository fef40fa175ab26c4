package provider

import (
	"testing"

	"github.com/forgeone/forgeone/abi"
)

func TestClimbs(t *testing.T) {
	for _, c := range []struct {
		text  string
		depth int
		want  bool
	}{
		{"a", 0, false},
		{".", 0, false},
		{"./a/./b", 0, false},
		{"..", 0, true},
		{"..", 1, false},
		{"../", 1, false},
		{"../..", 1, true},
		{".././/../a", 2, false},
		{"./../a", 0, true},
		{"a/..", 5, true}, // a may become a link
		{"a/../../..", 1, true},
		{"../a/..", 2, true},
		{"...", 0, false},
		{"..a/b..", 0, false},
		{"//etc", 0, false}, // refused for another reason
	} {
		if climbs(c.text, c.depth) != c.want {
			t.Errorf("%q at depth %d: %v", c.text, c.depth, !c.want)
		}
	}
}

// TestLinksThatClimb: no guest makes a link that leads a program outside above the
// mount, by no way.
func TestLinksThatClimb(t *testing.T) {
	h := usual(t)
	for _, d := range []string{"w/a", "w/a/b", "w/a/b/c", "w/a/d", "w/other", "w/other/deep", "deep/er/mount/x"} {
		h.ok(abi.PathCreateDirectory, 3, d)
	}
	climbing := func(text, name string) {
		t.Helper()
		h.refused(abi.RefuseEscape, abi.ENOTCAPABLE, "/"+name, abi.PathSymlink, text, 3, name)
	}
	climbing("..", "w/l")
	climbing("../../etc/passwd", "w/a/l")
	climbing("../../../etc", "w/a/b/l")
	climbing("../b/../../../x", "w/a/b/l") // b may become a link
	climbing("../..", "deep/er/mount/x/l")
	climbing("..", "in/nested/rw/l") // the mount's own root, however deep it lies
	h.ok(abi.PathSymlink, "..", 3, "w/a/one")
	h.ok(abi.PathSymlink, "../../a", 3, "w/a/b/two")
	h.ok(abi.PathSymlink, "..", 3, "deep/er/mount/x/l")
	if r := h.ok(abi.PathFilestatGet, 3, follow, "w/a/b/two/one"); r.Name != "/w" {
		t.Error(r.Name)
	}

	// A link is neither moved nor linked to where it would climb.
	h.want(abi.EXDEV, abi.PathRename, 3, "w/a/one", 3, "w/one")
	h.want(abi.EXDEV, abi.PathLink, 3, 0, "w/a/one", 3, "w/one")
	h.want(abi.EXDEV, abi.PathRename, 3, "w/a/b/two", 3, "w/a/two")
	h.ok(abi.PathRename, 3, "w/a/one", 3, "w/other/one")
	h.ok(abi.PathRename, 3, "w/other/one", 3, "w/a/b/one")
	h.ok(abi.PathRename, 3, "w/a/b/one", 3, "w/a/one")
	h.ok(abi.PathLink, 3, 0, "w/a/one", 3, "w/a/b/one")

	// Nor is a folder with such a link in it, however deep.
	h.ok(abi.PathSymlink, "../../..", 3, "w/a/b/c/three")
	h.want(abi.EXDEV, abi.PathRename, 3, "w/a/b", 3, "w/b")
	h.want(abi.EXDEV, abi.PathRename, 3, "w/a/b/c", 3, "w/a/c")
	h.ok(abi.PathRename, 3, "w/a/b", 3, "w/other/b") // as deep as before
	h.want(abi.EXDEV, abi.PathRename, 3, "w/other/b", 3, "w/a/../b")
	h.ok(abi.PathUnlinkFile, 3, "w/other/b/c/three")
	h.want(abi.EXDEV, abi.PathRename, 3, "w/other/b", 3, "w/b")
	h.ok(abi.PathUnlinkFile, 3, "w/other/b/two")
	h.ok(abi.PathRename, 3, "w/other/b", 3, "w/b") // "one" is as deep in as it says

	// What somebody else planted stays, and may go deeper.
	h.plant("w/a", "planted", "../../etc")
	h.ok(abi.PathRename, 3, "w/a/planted", 3, "w/a/d/planted")
	h.want(abi.EXDEV, abi.PathRename, 3, "w/a/d/planted", 3, "w/a/planted")
	h.plant("w/other", "abs", "/etc")
	h.ok(abi.PathRename, 3, "w/other/abs", 3, "w/abs")
}

// TestFoldersTooLargeToMoveUp: where not every link can be looked at, none may be moved.
func TestFoldersTooLargeToMoveUp(t *testing.T) {
	h := usual(t)
	h.ok(abi.PathCreateDirectory, 3, "w/a")
	path := "w/a/n"
	h.ok(abi.PathCreateDirectory, 3, path)
	for range maxScanDepth - 1 {
		path += "/n"
		h.ok(abi.PathCreateDirectory, 3, path)
	}
	h.ok(abi.PathRename, 3, "w/a/n", 3, "w/n")
	h.ok(abi.PathRename, 3, "w/n", 3, "w/a/n")
	h.ok(abi.PathCreateDirectory, 3, path+"/n")
	h.want(abi.EXDEV, abi.PathRename, 3, "w/a/n", 3, "w/n")

	d := h.w.get(3).folder.node.children["w"].fixed.dir
	at, e := d.Beneath("a")
	if e != 0 {
		t.Fatal(e)
	}
	defer at.Close()
	for left, want := range map[int]bool{1: true, maxScanDepth: true, maxScanDepth + 1: true, 1000: true} {
		if got := new(World).holdsClimbing(at, 1, maxScanDepth, &left); got != want {
			t.Error(left, got)
		}
	}
	for left, want := range map[int]bool{1: true, maxScanDepth: true, maxScanDepth + 1: false} {
		if got := new(World).holdsClimbing(at, 1, maxScanDepth+5, &left); got != want {
			t.Error(left, got)
		}
	}
}
