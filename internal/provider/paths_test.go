package provider

import (
	"strings"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

func TestFolders(t *testing.T) {
	h := usual(t)
	if r := h.ok(abi.PathCreateDirectory, 3, "w/d"); r.Name != "/w/d" || r.Kind != abi.ObjFile || r.Dir || r.Grant != 1 {
		t.Errorf("%+v", r)
	}
	h.ok(abi.PathCreateDirectory, 3, "w/d/e/")
	if r := h.want(abi.EEXIST, abi.PathCreateDirectory, 3, "w/d"); !r.Dir || r.Kind != abi.ObjFile {
		t.Errorf("%+v", r)
	}
	h.want(abi.ENOENT, abi.PathCreateDirectory, 3, "w/x/y")
	h.want(abi.EEXIST, abi.PathCreateDirectory, 3, "w/d/.")
	h.want(abi.ENOTEMPTY, abi.PathRemoveDirectory, 3, "w/d")
	h.want(abi.EINVAL, abi.PathRemoveDirectory, 3, "w/d/e/.")
	h.want(abi.ENOTEMPTY, abi.PathRemoveDirectory, 3, "w/d/e/..")
	h.want(abi.ENOTEMPTY, abi.PathRemoveDirectory, 3, "w/d/e/..//")
	h.want(abi.ENOENT, abi.PathRemoveDirectory, 3, "w/none")
	h.write("w/f", "")
	h.want(abi.ENOTDIR, abi.PathRemoveDirectory, 3, "w/f")
	h.want(abi.ENOTDIR, abi.PathRemoveDirectory, 3, "w/f/")
	h.want(abi.EEXIST, abi.PathCreateDirectory, 3, "w/f")
	h.want(abi.EISDIR, abi.PathUnlinkFile, 3, "w/d")
	h.want(abi.EISDIR, abi.PathUnlinkFile, 3, "w/d/")
	h.want(abi.EISDIR, abi.PathUnlinkFile, 3, "w/d/.")
	h.want(abi.ENOTDIR, abi.PathUnlinkFile, 3, "w/f/")
	h.want(abi.ENOENT, abi.PathUnlinkFile, 3, "w/none")
	h.ok(abi.PathRemoveDirectory, 3, "w/d/e/")
	h.ok(abi.PathRemoveDirectory, 3, "w/d")
	h.ok(abi.PathUnlinkFile, 3, "w/f")
	h.lists("w")
}

// TestSkeleton changes names that lead to mount points: nothing can be done, so
// there is nothing to decide.
func TestSkeleton(t *testing.T) {
	h := usual(t)
	for _, c := range []struct {
		e    abi.Errno
		n    abi.Num
		args []any
	}{
		{abi.EEXIST, abi.PathCreateDirectory, []any{3, "in"}},
		{abi.EEXIST, abi.PathCreateDirectory, []any{3, "."}},
		{abi.EEXIST, abi.PathCreateDirectory, []any{3, "deep"}},
		{abi.EEXIST, abi.PathCreateDirectory, []any{3, "deep/er/"}},
		{abi.EEXIST, abi.PathCreateDirectory, []any{3, "in/nested"}},
		{abi.EEXIST, abi.PathSymlink, []any{"x", 3, "w"}},
		{abi.EBUSY, abi.PathRemoveDirectory, []any{3, "w"}},
		{abi.EBUSY, abi.PathRemoveDirectory, []any{3, "deep/er"}},
		{abi.EBUSY, abi.PathRemoveDirectory, []any{3, "in/nested"}},
		{abi.EBUSY, abi.PathUnlinkFile, []any{3, "w"}},
		{abi.EBUSY, abi.PathRename, []any{3, "w", 3, "w/x"}},
		{abi.EBUSY, abi.PathRename, []any{3, "in/nested/rw", 3, "in/nested/rw/x"}},
		{abi.EBUSY, abi.PathRename, []any{3, "w/f", 3, "deep/er/mount"}},
		{abi.EEXIST, abi.PathLink, []any{3, 0, "w/f", 3, "in"}},
	} {
		h.do(abi.PathOpen, 3, 0, "w/f", abi.OFlagCreat, 0, 0, 0)
		if r := h.want(c.e, c.n, c.args...); r.Kind != abi.ObjNone || r.Refused != 0 || r.performed {
			t.Errorf("%s%v: %+v", abi.Lookup(c.n).Name, c.args, r)
		}
	}
	// What is not there yet was not granted.
	for _, r := range []reply{
		h.do(abi.PathCreateDirectory, 3, "x"), h.do(abi.PathCreateDirectory, 3, "deep/x"), h.do(abi.PathUnlinkFile, 3, "x"),
		h.do(abi.PathOpen, 3, 0, "x", abi.OFlagCreat, abi.FileRights, all, 0), h.do(abi.PathSymlink, "w", 3, "x"),
		h.do(abi.PathRename, 3, "w/f", 3, "x"), h.do(abi.PathLink, 3, 0, "w/f", 3, "x"), h.do(abi.PathReadlink, 3, "x", room(1)),
		h.do(abi.PathRename, 3, "x", 3, "w/x"), h.do(abi.PathFilestatSetTimes, 3, 0, "x", 0, 0, 0),
	} {
		if r.Refused != abi.RefuseNoGrant || r.e != abi.ENOENT || r.performed {
			t.Errorf("%+v", r)
		}
	}
	h.refused(abi.RefuseNoGrant, abi.EROFS, "/deep/er", abi.PathFilestatSetTimes, 3, 0, "deep/er", 0, 0, 0)
	h.lists(".", "deep", "in", "w")
	h.lists("deep", "er")
	h.lists("deep/er", "mount")
}

func TestReadOnly(t *testing.T) {
	h := usual(t)
	const ro, e = abi.RefuseReadOnly, abi.EROFS
	for _, c := range []struct {
		name string
		n    abi.Num
		args []any
	}{
		{"/in/x", abi.PathCreateDirectory, []any{3, "in/x"}},
		{"/in/a.txt", abi.PathUnlinkFile, []any{3, "in/a.txt"}},
		{"/in/none", abi.PathUnlinkFile, []any{3, "in/none"}},
		{"/in/d", abi.PathRemoveDirectory, []any{3, "in/d"}},
		{"/in/x", abi.PathSymlink, []any{"a.txt", 3, "in/x"}},
		{"/in/a.txt", abi.PathFilestatSetTimes, []any{3, 0, "in/a.txt", 0, 0, 0}},
		{"/in", abi.PathFilestatSetTimes, []any{3, 0, "in", 0, 0, 0}},
		{"/in/a.txt", abi.PathRename, []any{3, "in/a.txt", 3, "in/x"}},
		{"/in/a.txt", abi.PathRename, []any{3, "in/a.txt", 3, "w/x"}},
		{"/w/f", abi.PathRename, []any{3, "w/f", 3, "in/x"}},
		{"/in/a.txt", abi.PathLink, []any{3, 0, "in/a.txt", 3, "in/x"}},
		{"/w/f", abi.PathLink, []any{3, 0, "w/f", 3, "in/x"}},
		{"/in/a.txt", abi.PathOpen, []any{3, 0, "in/a.txt", 0, abi.RightFDWrite, 0, 0}},
		{"/in/a.txt", abi.PathOpen, []any{3, 0, "in/a.txt", abi.OFlagTrunc, abi.RightFDRead, 0, 0}},
		{"/in/x", abi.PathOpen, []any{3, 0, "in/x", abi.OFlagCreat, abi.RightFDRead, 0, 0}},
		{"/in/x", abi.PathOpen, []any{3, 0, "in/x", 0, abi.RightFDWrite, 0, 0}},
	} {
		h.write("w/f", "")
		h.refused(ro, e, c.name, c.n, c.args...)
	}
	// What changes nothing is allowed, and what is there, or is not, is told.
	h.want(abi.ENOENT, abi.PathCreateDirectory, 3, "in/none/x")
	h.want(abi.ENOENT, abi.PathOpen, 3, 0, "in/none/x", abi.OFlagCreat, abi.RightFDRead, 0, 0)
	h.ok(abi.PathOpen, 3, 0, "in/a.txt", abi.OFlagCreat, readable, all, 0)
	h.want(abi.EEXIST, abi.PathOpen, 3, 0, "in/a.txt", abi.OFlagCreat|abi.OFlagExcl, abi.FileRights, all, 0)
	h.want(abi.EEXIST, abi.PathCreateDirectory, 3, "in/d")
	h.want(abi.EEXIST, abi.PathSymlink, "x", 3, "in/d")
	h.want(abi.EISDIR, abi.PathOpen, 3, 0, "in/d", 0, abi.FileRights, all, 0)
	h.want(abi.EXDEV, abi.PathLink, 3, 0, "in/a.txt", 3, "w/x")
	if h.read("in/a.txt") != "hello" {
		t.Error("changed")
	}
}

func TestRename(t *testing.T) {
	h := usual(t)
	h.write("w/f", "f")
	h.ok(abi.PathCreateDirectory, 3, "w/d")
	h.ok(abi.PathCreateDirectory, 3, "w/d/e")
	h.write("w/d/e/x", "x")
	r := h.ok(abi.PathRename, 3, "w/f", 3, "w/d/g")
	if r.Name != "/w/f" || r.Name2 != "/w/d/g" || r.Grant != 1 {
		t.Errorf("%+v", r)
	}
	fd, dir, file, other := h.folder("w/d"), h.folder("w/d/e"), h.open("w/d/e/x", 0, readable), h.open("w/d/g", 0, readable)
	h.ok(abi.FdRead, file, room(0)).Memo.By = "decided"
	h.ok(abi.PathRename, 3, "w/d/e", 3, "w/new/") // folder: the slash is fine
	near := func(path string) int {               // names that only begin alike
		h.ok(abi.PathCreateDirectory, 3, path)
		return h.folder(path)
	}
	nearer := near("w/d/e2")
	h.ok(abi.PathRename, 3, "w/new", 3, "w/d/e")
	h.ok(abi.PathRename, 3, "w/d/e", 3, "w/new")
	if r := h.ok(abi.FdFilestatGet, nearer); r.Name != "/w/d/e2" {
		t.Error(r.Name)
	}
	// Descriptors follow, and what was decided for the old name is forgotten.
	for d, name := range map[int]string{fd: "/w/d", dir: "/w/new", file: "/w/new/x", other: "/w/d/g"} {
		if r := h.ok(abi.FdFilestatGet, d); r.Name != name {
			t.Errorf("%q, want %q", r.Name, name)
		}
	}
	if h.ok(abi.FdRead, file, room(0)).Memo.By != nil {
		t.Error("the memo outlived the name")
	}
	if r := h.want(abi.ENOENT, abi.PathFilestatGet, dir, 0, "y"); r.Name != "/w/new/y" {
		t.Error(r.Name)
	}
	h.write("w/f", "f")
	h.want(abi.ENOTDIR, abi.PathRename, 3, "w/f", 3, "w/y/")
	h.want(abi.ENOTDIR, abi.PathRename, 3, "w/f/", 3, "w/y")
	h.want(abi.ENOTDIR, abi.PathRename, 3, "w/d", 3, "w/f")
	h.want(abi.EISDIR, abi.PathRename, 3, "w/f", 3, "w/d")
	h.want(abi.ENOTEMPTY, abi.PathRename, 3, "w/new", 3, "w/d")
	h.want(abi.EINVAL, abi.PathRename, 3, "w/d", 3, "w/d/sub")
	h.want(abi.EBUSY, abi.PathRename, 3, "w/d/.", 3, "w/y")
	h.want(abi.EBUSY, abi.PathRename, 3, "w/f", 3, "w/d/.")
	h.want(abi.ENOENT, abi.PathRename, 3, "w/none", 3, "w/y")
	h.want(abi.ENOENT, abi.PathRename, 3, "w/f", 3, "w/none/y")
	h.want(abi.EXDEV, abi.PathRename, 3, "w/f", 3, "in/nested/rw/f")
	h.want(abi.EXDEV, abi.PathRename, 3, "w/d", 3, "deep/er/mount/d")
	h.refused(abi.RefuseEscape, abi.ENOTCAPABLE, "/w/f", abi.PathRename, 3, "w/f", 3, "../x")
	h.ok(abi.PathRename, fd, "g", 3, "w/f")
	h.lists("w", "d", "f", "new")
}

// hows notes how files are opened.
type hows struct {
	tree.Dir
	seen *[]tree.How
}

func (h hows) Open(name string, how tree.How) (tree.File, abi.Errno) {
	*h.seen = append(*h.seen, how)
	return h.Dir.Open(name, how)
}

func TestHow(t *testing.T) {
	var seen []tree.How
	h := start(t, Config{Mounts: []Mount{{Guest: "/w", Root: hows{scratch(), &seen}, Grant: 1}}})
	const r, w = abi.RightFDRead, abi.RightFDWrite
	for _, c := range []struct {
		oflags  uint16
		rights  abi.Rights
		fdflags uint16
		want    tree.How
	}{
		{abi.OFlagCreat | abi.OFlagExcl, r | w, 0, tree.How{Read: true, Write: true, Create: true, Exclusive: true}},
		{abi.OFlagCreat, r, 0, tree.How{Read: true}}, // what is there is not made
		{0, 0, 0, tree.How{Read: true}},
		{0, w, abi.FDFlagAppend, tree.How{Write: true}},
		{abi.OFlagTrunc, r, 0, tree.How{Read: true, Write: true, Truncate: true}},
		{abi.OFlagTrunc, w, abi.FDFlagSync, tree.How{Write: true, Truncate: true, Sync: true}},
		{0, r, abi.FDFlagDsync, tree.How{Read: true, Dsync: true}},
		{0, r, abi.FDFlagRsync, tree.How{Read: true, Sync: true}},
	} {
		seen = nil
		h.ok(abi.PathOpen, 3, 0, "w/f", c.oflags, c.rights, all, c.fdflags)
		if len(seen) != 1 || seen[0] != c.want {
			t.Errorf("%+v: %+v", c, seen)
		}
	}
}

func TestLink(t *testing.T) {
	h := usual(t)
	h.write("w/f", "f")
	h.ok(abi.PathCreateDirectory, 3, "w/d")
	h.ok(abi.PathSymlink, "f", 3, "w/l")
	r := h.ok(abi.PathLink, 3, 0, "w/f", 3, "w/d/g")
	if r.Name != "/w/f" || r.Name2 != "/w/d/g" {
		t.Errorf("%+v", r)
	}
	if r := h.ok(abi.PathFilestatGet, 3, 0, "w/d/g"); r.u64(24) != 2 {
		t.Error(r.u64(24))
	}
	h.ok(abi.PathLink, 3, 0, "w/l", 3, "w/l2")
	if h.filetype("w/l2", 0) != abi.FiletypeSymbolicLink {
		t.Error("the link was followed")
	}
	if r := h.ok(abi.PathLink, 3, follow, "w/l", 3, "w/f2"); r.Name != "/w/f" || h.filetype("w/f2", 0) != abi.FiletypeRegularFile {
		t.Error("the link was not followed")
	}
	h.want(abi.EINVAL, abi.PathLink, 3, 2, "w/f", 3, "w/x")
	h.want(abi.EPERM, abi.PathLink, 3, 0, "w/d", 3, "w/x")
	h.want(abi.EEXIST, abi.PathLink, 3, 0, "w/f", 3, "w/d")
	h.want(abi.ENOENT, abi.PathLink, 3, 0, "w/none", 3, "w/x")
	h.want(abi.ENOENT, abi.PathLink, 3, 0, "w/f", 3, "w/x/")
	h.want(abi.ENOTDIR, abi.PathLink, 3, 0, "w/f/", 3, "w/x")
	h.want(abi.EXDEV, abi.PathLink, 3, 0, "w/f", 3, "in/nested/rw/f")
	// The second path is as good a refusal as the first.
	h.refused(abi.RefuseEscape, abi.ENOTCAPABLE, "/w/f", abi.PathLink, 3, 0, "w/f", 3, "/w/x")
	h.want(abi.EILSEQ, abi.PathLink, 3, 0, "w/f", 3, "w/\xff")
}

func TestSymlink(t *testing.T) {
	h := usual(t)
	if r := h.ok(abi.PathSymlink, "no where/é", 3, "w/l"); r.Name != "/w/l" {
		t.Error(r.Name)
	}
	for _, c := range []struct {
		room room
		want string
	}{{100, "no where/é"}, {5, "no wh"}, {0, ""}} {
		if r := h.ok(abi.PathReadlink, 3, "w/l", c.room); string(r.out) != c.want || r.u32(0) != uint32(len(c.want)) {
			t.Errorf("%q", r.out)
		}
	}
	h.want(abi.EINVAL, abi.PathReadlink, 3, "w", room(9))
	h.write("w/f", "")
	h.want(abi.EINVAL, abi.PathReadlink, 3, "w/f", room(9))
	h.want(abi.ENOENT, abi.PathReadlink, 3, "w/none", room(9))
	h.want(abi.EEXIST, abi.PathSymlink, "x", 3, "w/l")
	h.want(abi.EEXIST, abi.PathSymlink, "x", 3, "w/f/")
	h.want(abi.ENOENT, abi.PathSymlink, "x", 3, "w/new/")
	h.want(abi.ENOENT, abi.PathSymlink, "", 3, "w/new")
	h.want(abi.EINVAL, abi.PathSymlink, "a\x00b", 3, "w/new")
	h.want(abi.EILSEQ, abi.PathSymlink, "\xff", 3, "w/new")
	h.refused(abi.RefuseEscape, abi.ENOTCAPABLE, "/w/new", abi.PathSymlink, "/etc/passwd", 3, "w/new")
	h.refused(abi.RefuseNoGrant, abi.ENOENT, "/new", abi.PathSymlink, "/etc/passwd", 3, "new")
}

func TestStatAndTimes(t *testing.T) {
	h := usual(t)
	h.write("w/f", "12345")
	h.ok(abi.PathSymlink, "f", 3, "w/l")
	if r := h.ok(abi.PathFilestatGet, 3, follow, "w/l"); r.u64(32) != 5 || r.Name != "/w/f" {
		t.Errorf("%+v", r)
	}
	h.ok(abi.PathFilestatSetTimes, 3, follow, "w/l", 21, 22, abi.FstAtim|abi.FstMtim)
	h.ok(abi.PathFilestatSetTimes, 3, 0, "w/l", 31, 32, abi.FstAtim|abi.FstMtim)
	h.ok(abi.PathFilestatSetTimes, 3, 0, "w/.", 41, 42, abi.FstAtim|abi.FstMtim)
	for path, want := range map[string]uint64{"w/f": 21, "w/l": 31, "w": 41} {
		if r := h.ok(abi.PathFilestatGet, 3, 0, path); r.u64(40) != want || r.u64(48) != want+1 {
			t.Error(path, r.u64(40), r.u64(48))
		}
	}
	h.want(abi.EINVAL, abi.PathFilestatSetTimes, 3, 0, "w/f", 0, 0, abi.FstAtim|abi.FstAtimNow)
	h.want(abi.EINVAL, abi.PathFilestatSetTimes, 3, 2, "w/f", 0, 0, 0)
	h.want(abi.ENOENT, abi.PathFilestatSetTimes, 3, 0, "w/none", 0, 0, 0)
	h.want(abi.EINVAL, abi.PathFilestatGet, 3, 2, "w/f")
	// One mount's numbers are not another's; a folder's are the same every way.
	a, b, c := h.ok(abi.PathFilestatGet, 3, 0, "w"), h.ok(abi.PathFilestatGet, 3, 0, "in/nested/rw"), h.ok(abi.FdFilestatGet, h.folder("w"))
	if a.u64(0) == b.u64(0) || a.u64(0) != c.u64(0) || a.u64(8) != c.u64(8) {
		t.Error(a.u64(0), b.u64(0), c.u64(0))
	}
	d, e := h.ok(abi.PathFilestatGet, 3, 0, "."), h.ok(abi.PathFilestatGet, 3, 0, "deep")
	if d.u64(0) != e.u64(0) || d.u64(8) == e.u64(8) || d.ret[16] != byte(abi.FiletypeDirectory) || d.u64(24) != 5 {
		t.Error(d.ret[:32], e.ret[:32])
	}
}

func TestOpen(t *testing.T) {
	h := usual(t)
	h.write("w/f", "text")
	h.ok(abi.PathCreateDirectory, 3, "w/d")
	h.ok(abi.PathSymlink, "d/new", 3, "w/dangling")
	h.plant("w", "out", "../in/new")
	creat, excl, trunc, folder := abi.OFlagCreat, abi.OFlagExcl, abi.OFlagTrunc, abi.OFlagDirectory
	for _, c := range []struct {
		e      abi.Errno
		path   string
		oflags uint16
		rights abi.Rights
	}{
		{abi.ENOENT, "w/none", 0, readable},
		{abi.ENOENT, "w/none/", 0, readable},
		{abi.ENOENT, "w/dangling", 0, readable},
		{abi.EEXIST, "w/f", creat | excl, abi.FileRights},
		{abi.EEXIST, "w/d", creat | excl, abi.FileRights},
		{abi.EEXIST, "w/dangling", creat | excl, abi.FileRights},
		{abi.EEXIST, "w/f/", creat | excl, abi.FileRights},
		{abi.ENOTDIR, "w/f", folder, readable},
		{abi.ENOTDIR, "w/f/", 0, readable},
		{abi.ENOTDIR, "w/f/.", 0, readable},
		{abi.EISDIR, "w/d", 0, abi.FileRights},
		{abi.EISDIR, "w/d", trunc, readable},
		{abi.EISDIR, "w/d", creat, readable},
		{abi.EISDIR, ".", 0, abi.FileRights},
		{abi.EISDIR, "w/new/", creat, abi.FileRights},
		{abi.EINVAL, "w/d", creat | folder, readable},
		{abi.EINVAL, "w/d", trunc | folder, readable},
		{abi.EINVAL, "w/f", abi.OFlagsAll + 1, readable},
		{abi.ENOTCAPABLE, "w/out", creat, abi.FileRights},
		{abi.ENAMETOOLONG, "w/" + strings.Repeat("n", 256), creat, abi.FileRights},
		{0, "w/d", 0, readable},
		{0, "w/d/", folder, readable},
		{0, "w/d", folder, all &^ abi.RightFDWrite}, // libcs ask for too much of a folder
		{abi.EISDIR, "w/d", folder, all},
		{abi.EISDIR, "w/d/", folder, all},
		{abi.EISDIR, ".", 0, abi.RightFDWrite},
		{0, ".", folder, readable},
		{0, "w/..", 0, readable},
		{0, "deep/er", 0, readable},
		{0, "w", 0, readable},
		{0, "w/f", excl, abi.FileRights}, // means nothing by itself
	} {
		h.want(c.e, abi.PathOpen, 3, follow, c.path, c.oflags, c.rights, all, 0)
	}
	h.want(abi.EINVAL, abi.PathOpen, 3, 2, "w/f", 0, readable, all, 0)
	h.want(abi.EINVAL, abi.PathOpen, 3, 0, "w/f", 0, readable, all, abi.FDFlagsAll+1)
	if h.read("w/f") != "text" {
		t.Error("a failed open changed the file")
	}
	if r := h.ok(abi.PathOpen, 3, follow, "w/dangling", creat, abi.FileRights, all, 0); r.Name != "/w/d/new" {
		t.Error(r.Name)
	}
	h.lists("w/d", "new")
	h.open("w/f", trunc, abi.RightFDRead)
	if h.read("w/f") != "" {
		t.Error("not cut")
	}
	// One opened for neither reading nor writing can do neither.
	fd := int(h.ok(abi.PathOpen, 3, 0, "w/f", 0, abi.Rights(0), abi.Rights(0), 0).u32(0))
	h.refused(abi.RefuseRights, abi.ENOTCAPABLE, "/w/f", abi.FdRead, fd, room(1))
	// A folder that is removed while it is open is empty and stays so.
	fd = h.folder("w/d")
	h.ok(abi.PathUnlinkFile, 3, "w/d/new")
	h.ok(abi.PathRemoveDirectory, 3, "w/d")
	h.want(abi.ENOENT, abi.PathCreateDirectory, fd, "x")
}
