package provider

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/forgeone/forgeone/abi"
)

func TestPreopen(t *testing.T) {
	h := usual(t)
	r := h.ok(abi.FdPrestatGet, 3)
	if r.ret[0] != 0 || r.u32(4) != 1 || r.Name != "/" || !r.Dir || r.Grant != 0 {
		t.Errorf("%+v", r)
	}
	if r := h.ok(abi.FdPrestatDirName, 3, room(1)); string(r.out) != "/" {
		t.Errorf("%q", r.out)
	}
	if r := h.ok(abi.FdPrestatDirName, 3, room(9)); string(r.out) != "/" {
		t.Errorf("%q", r.out)
	}
	h.want(abi.ENAMETOOLONG, abi.FdPrestatDirName, 3, room(0))
	h.want(abi.EBADF, abi.FdPrestatGet, 4)
	fd := h.folder("w")
	h.want(abi.EBADF, abi.FdPrestatGet, fd)
	h.want(abi.EBADF, abi.FdPrestatDirName, fd, room(9))
	r = h.ok(abi.FdFdstatGet, 3)
	if r.ret[0] != byte(abi.FiletypeDirectory) || abi.Rights(r.u64(8)) != abi.DirRights || abi.Rights(r.u64(16)) != all {
		t.Errorf("%x", r.ret[:24])
	}
	h.ok(abi.FdClose, 3)
	h.want(abi.EBADF, abi.FdPrestatGet, 3)
	h.want(abi.EBADF, abi.PathFilestatGet, 3, 0, "w")
	h.ok(abi.PathFilestatGet, fd, 0, ".")
}

// TestPreopenMoves: what a preopen is moves with it, and goes when another
// descriptor takes its number.
func TestPreopenMoves(t *testing.T) {
	h := usual(t)
	a, b := h.folder("w"), h.folder("in")
	h.ok(abi.FdRenumber, 3, a)
	h.want(abi.EBADF, abi.FdPrestatGet, 3)
	if r := h.ok(abi.FdPrestatDirName, a, room(9)); string(r.out) != "/" {
		t.Errorf("%q", r.out)
	}
	if r := h.ok(abi.PathFilestatGet, a, 0, "in/a.txt"); r.Name != "/in/a.txt" {
		t.Error(r.Name)
	}
	h.ok(abi.FdRenumber, b, a)
	h.want(abi.EBADF, abi.FdPrestatGet, a)
	if r := h.ok(abi.PathFilestatGet, a, 0, "a.txt"); r.Name != "/in/a.txt" {
		t.Error(r.Name)
	}
	h.want(abi.EBADF, abi.PathFilestatGet, 3, 0, "in/a.txt")
}

func TestNumbers(t *testing.T) {
	h := start(t, Config{Descriptors: 6, Mounts: []Mount{{Guest: "/w", Root: scratch(), Grant: 1}}})
	h.write("w/f", "one")
	h.write("w/g", "two")
	a, b := h.open("w/f", 0, readable), h.open("w/g", 0, readable)
	if a != 4 || b != 5 {
		t.Fatal(a, b)
	}
	h.want(abi.EMFILE, abi.PathOpen, 3, 0, "w/f", 0, readable, 0, 0)
	h.want(abi.EMFILE, abi.PathOpen, 3, 0, "w/new", abi.OFlagCreat, readable, 0, 0)
	h.want(abi.ENOENT, abi.PathFilestatGet, 3, 0, "w/new") // nothing was made
	h.ok(abi.FdRenumber, a, a)
	h.ok(abi.FdRead, a, room(1))
	if r := h.ok(abi.FdRenumber, a, b); r.Name != "/w/f" {
		t.Error(r.Name)
	}
	if r := h.ok(abi.FdRead, b, room(9)); string(r.out) != "ne" || r.Name != "/w/f" { // the position moves along
		t.Errorf("%q %q", r.out, r.Name)
	}
	h.want(abi.EBADF, abi.FdRead, a, room(9))
	h.want(abi.EBADF, abi.FdRenumber, a, b)
	h.want(abi.EBADF, abi.FdRenumber, b, a)
	h.ok(abi.FdClose, 0)
	if fd := h.open("w/f", 0, readable); fd != 0 {
		t.Error(fd)
	}
	h.ok(abi.FdRenumber, 1, 2)
	if r := h.ok(abi.FdWrite, 2, "x"); r.Name != "stdout" {
		t.Error(r.Name)
	}
	h.ok(abi.FdClose, b)
	h.want(abi.EBADF, abi.FdClose, b)
}

func TestRightsShrink(t *testing.T) {
	h := usual(t)
	fd := h.open("w/f", abi.OFlagCreat, abi.FileRights)
	stat := func(fd int) (abi.Rights, abi.Rights) {
		r := h.ok(abi.FdFdstatGet, fd)
		return abi.Rights(r.u64(8)), abi.Rights(r.u64(16))
	}
	if base, _ := stat(fd); base != abi.FileRights {
		t.Errorf("%b", base)
	}
	h.ok(abi.FdFdstatSetRights, fd, abi.RightFDRead|abi.RightFDTell, abi.Rights(0))
	if base, inh := stat(fd); base != abi.RightFDRead|abi.RightFDTell || inh != 0 {
		t.Errorf("%b %b", base, inh)
	}
	for n, args := range map[abi.Num][]any{
		abi.FdWrite: {"x"}, abi.FdSeek: {1, abi.WhenceCur}, abi.FdAdvise: {0, 0, 0}, abi.FdAllocate: {0, 1}, abi.FdSync: {}, abi.FdDatasync: {},
		abi.FdFdstatSetFlags: {0}, abi.FdFilestatGet: {}, abi.FdFilestatSetSize: {0}, abi.FdFilestatSetTimes: {0, 0, 0},
		abi.FdPread: {room(1), 0}, abi.FdPwrite: {"x", 0}, abi.FdFdstatSetRights: {abi.RightFDRead | abi.RightFDWrite, abi.Rights(0)},
	} {
		h.refused(abi.RefuseRights, abi.ENOTCAPABLE, "/w/f", n, append([]any{fd}, args...)...)
	}
	h.refused(abi.RefuseRights, abi.ENOTCAPABLE, "/w/f", abi.FdFdstatSetRights, fd, abi.RightFDRead, abi.RightFDRead)
	h.ok(abi.FdTell, fd)
	h.ok(abi.FdSeek, fd, 0, abi.WhenceCur) // a tell
	h.ok(abi.FdFdstatSetRights, fd, abi.Rights(0), abi.Rights(0))
	h.refused(abi.RefuseRights, abi.ENOTCAPABLE, "/w/f", abi.FdTell, fd)
	h.refused(abi.RefuseRights, abi.ENOTCAPABLE, "/w/f", abi.FdRead, fd, room(1))
	h.ok(abi.FdFdstatGet, fd)
	h.ok(abi.FdClose, fd)
	fd = h.open("w/f", 0, abi.RightFDSeek)
	h.ok(abi.FdTell, fd) // implied
}

func TestFolderRights(t *testing.T) {
	h := usual(t)
	h.write("w/f", "text")
	h.ok(abi.PathCreateDirectory, 3, "w/d")
	h.ok(abi.PathSymlink, "f", 3, "w/l")
	bare := int(h.ok(abi.PathOpen, 3, 0, "w", abi.OFlagDirectory, abi.Rights(0), abi.Rights(0), 0).u32(0))
	full := h.folder("w")
	for _, c := range []struct {
		n    abi.Num
		name string
		args []any
	}{
		{abi.PathCreateDirectory, "/w/x", []any{bare, "x"}},
		{abi.PathFilestatGet, "/w/f", []any{bare, 0, "f"}},
		{abi.PathFilestatSetTimes, "/w/f", []any{bare, 0, "f", 0, 0, 0}},
		{abi.PathOpen, "/w/f", []any{bare, 0, "f", 0, 0, 0, 0}},
		{abi.PathReadlink, "/w/l", []any{bare, "l", room(9)}},
		{abi.PathRemoveDirectory, "/w/d", []any{bare, "d"}},
		{abi.PathUnlinkFile, "/w/f", []any{bare, "f"}},
		{abi.PathSymlink, "/w/x", []any{"f", bare, "x"}},
		{abi.PathRename, "/w/f", []any{bare, "f", full, "g"}},
		{abi.PathRename, "/w/f", []any{full, "f", bare, "g"}},
		{abi.PathLink, "/w/f", []any{bare, 0, "f", full, "g"}},
		{abi.PathLink, "/w/f", []any{full, 0, "f", bare, "g"}},
		{abi.FdReaddir, "/w", []any{bare, room(100), 0}},
		{abi.FdFilestatGet, "/w", []any{bare}},
		{abi.FdSync, "/w", []any{bare}},
	} {
		r := h.refused(abi.RefuseRights, abi.ENOTCAPABLE, c.name, c.n, c.args...)
		if (c.n == abi.PathRename || c.n == abi.PathLink) && r.Name2 != "/w/g" {
			t.Error(r.Name2)
		}
	}
	h.lists("w", "d", "f", "l")

	drop := func(base, inh abi.Rights) int {
		fd := h.folder("w")
		h.ok(abi.FdFdstatSetRights, fd, abi.DirRights&^base, all&^inh)
		return fd
	}
	h.refused(abi.RefuseRights, abi.ENOTCAPABLE, "/w/n", abi.PathOpen, drop(abi.RightPathCreateFile, 0), 0, "n", abi.OFlagCreat, readable, 0, 0)
	// To cut takes the right that names it, or all that it takes in two calls.
	for _, inh := range []abi.Rights{abi.RightFDFilestatSetSize, abi.RightFDWrite} {
		h.refused(abi.RefuseRights, abi.ENOTCAPABLE, "/w/f", abi.PathOpen, drop(abi.RightPathFilestatSetSize, inh), 0, "f", abi.OFlagTrunc, readable, 0, 0)
	}
	h.ok(abi.PathOpen, drop(abi.RightPathFilestatSetSize, 0), 0, "f", abi.OFlagTrunc, readable, 0, 0)
	h.ok(abi.PathOpen, drop(0, abi.RightFDFilestatSetSize), 0, "f", abi.OFlagTrunc, readable, 0, 0)
	noWrite := drop(0, abi.RightFDWrite)
	h.refused(abi.RefuseRights, abi.ENOTCAPABLE, "/w/f", abi.PathOpen, noWrite, 0, "f", 0, abi.RightFDWrite, 0, 0)
	h.refused(abi.RefuseRights, abi.ENOTCAPABLE, "/w/n", abi.PathOpen, noWrite, 0, "n", abi.OFlagCreat, abi.RightFDWrite, 0, 0)
	h.refused(abi.RefuseRights, abi.ENOTCAPABLE, "/w/f", abi.PathOpen, drop(0, abi.RightFDRead), 0, "f", 0, abi.RightFDRead, 0, 0)
	// Rights that are not the folder's to give are refused, base and inheriting;
	// those that make no sense on what is opened are left out.
	noSeek := drop(0, abi.RightFDSeek|abi.RightFDWrite)
	h.refused(abi.RefuseRights, abi.ENOTCAPABLE, "/w/f", abi.PathOpen, noSeek, 0, "f", 0, abi.RightFDRead|abi.RightFDSeek, 0, 0)
	h.refused(abi.RefuseRights, abi.ENOTCAPABLE, "/w/d", abi.PathOpen, noSeek, 0, "d", 0, 0, abi.RightFDSeek, 0)
	h.refused(abi.RefuseRights, abi.ENOTCAPABLE, "/w/d", abi.PathOpen, drop(0, abi.RightFDReaddir), 0, "d", 0, abi.RightFDReaddir, 0, 0)
	fd := int(h.ok(abi.PathOpen, noSeek, 0, "f", 0, ^(abi.RightFDWrite | abi.RightFDSeek), ^abi.Rights(0), 0).u32(0))
	r := h.ok(abi.FdFdstatGet, fd)
	if got := abi.Rights(r.u64(8)); got != abi.FileRights&^(abi.RightFDSeek|abi.RightFDWrite) {
		t.Errorf("%b", got)
	}
	// A folder hands down no more than it was handed.
	d := int(h.ok(abi.PathOpen, noWrite, 0, "d", abi.OFlagDirectory, ^abi.RightFDWrite, ^abi.RightFDWrite, 0).u32(0))
	r = h.ok(abi.FdFdstatGet, d)
	if abi.Rights(r.u64(8)) != abi.DirRights || abi.Rights(r.u64(16)) != all&^abi.RightFDWrite {
		t.Errorf("%b %b", r.u64(8), r.u64(16))
	}
	h.refused(abi.RefuseRights, abi.ENOTCAPABLE, "/w/d/n", abi.PathOpen, d, 0, "n", abi.OFlagCreat, abi.RightFDWrite, 0, 0)
}

// TestSyncRights: what makes a file wait for the disk needs a folder that hands down the
// right to sync, whether it has that right itself or not.
func TestSyncRights(t *testing.T) {
	h := usual(t)
	h.write("w/f", "text")
	const data, sync = abi.RightFDDatasync, abi.RightFDSync
	for _, c := range []struct {
		gone abi.Rights // from what the folder hands down
		ok   uint16     // the flags that are still allowed
	}{
		{0, abi.FDFlagDsync | abi.FDFlagRsync | abi.FDFlagSync},
		{data, abi.FDFlagDsync | abi.FDFlagRsync | abi.FDFlagSync}, // the right to sync holds it
		{sync, abi.FDFlagDsync},
		{data | sync, 0},
	} {
		fd := h.folder("w")
		h.ok(abi.FdFdstatSetRights, fd, abi.DirRights&^(data|sync), all&^c.gone)
		for _, flag := range []uint16{abi.FDFlagDsync, abi.FDFlagRsync, abi.FDFlagSync} {
			want := abi.ESUCCESS
			if c.ok&flag == 0 {
				want = abi.ENOTCAPABLE
			}
			h.want(want, abi.PathOpen, fd, 0, "f", 0, abi.RightFDRead, 0, flag)
		}
	}
}

func TestReadOnlyRights(t *testing.T) {
	h := usual(t)
	fd := h.open("in/a.txt", 0, readable)
	r := h.ok(abi.FdFdstatGet, fd)
	if got := abi.Rights(r.u64(8)); got&abi.MutatingRights != 0 {
		t.Errorf("%b", got)
	}
	h.refused(abi.RefuseReadOnly, abi.EROFS, "/in/a.txt", abi.FdFilestatSetTimes, fd, 0, 0, 0)
	h.refused(abi.RefuseRights, abi.ENOTCAPABLE, "/in/a.txt", abi.FdWrite, fd, "x") // never asked for
	dir := h.folder("in")
	r = h.ok(abi.FdFdstatGet, dir)
	if got := abi.Rights(r.u64(8)); got != abi.DirRights&^abi.MutatingRights {
		t.Errorf("%b", got)
	}
	h.refused(abi.RefuseReadOnly, abi.EROFS, "/in/x", abi.PathCreateDirectory, dir, "x")
	// The writable mount inside is not held back by the read-only one around it,
	h.ok(abi.PathCreateDirectory, dir, "nested/rw/x")
	h.ok(abi.PathOpen, dir, 0, "nested/rw/f", abi.OFlagCreat, abi.FileRights, all, 0)
	// unless the guest gave the right up.
	h.ok(abi.FdFdstatSetRights, dir, abi.DirRights&^abi.MutatingRights, all)
	h.refused(abi.RefuseRights, abi.ENOTCAPABLE, "/in/nested/rw/y", abi.PathCreateDirectory, dir, "nested/rw/y")
}

func TestMemo(t *testing.T) {
	h := usual(t)
	h.write("w/f", "x")
	fd, dir := h.open("w/f", 0, readable), h.folder("w")
	a := h.ok(abi.FdRead, fd, room(1)).Memo
	if a == nil || h.ok(abi.FdTell, fd).Memo != a || h.ok(abi.FdFilestatGet, dir).Memo == a {
		t.Error("a descriptor has one memo of its own")
	}
	if h.ok(abi.PathFilestatGet, 3, 0, "w/f").Memo != nil {
		t.Error("a path has none")
	}
	a.By = "someone"
	h.ok(abi.FdRenumber, fd, dir)
	if h.ok(abi.FdTell, dir).Memo.By != "someone" {
		t.Error("the memo does not move with the descriptor")
	}
}

// TestLowestNumber: a descriptor gets the lowest number that is free, as POSIX has
// it, whatever was closed and moved before.
func TestLowestNumber(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := usual(t)
		h.write("w/f", "")
		taken := map[int]bool{0: true, 1: true, 2: true, 3: true}
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			fd := rapid.IntRange(0, 12).Draw(rt, "fd")
			to := rapid.IntRange(0, 12).Draw(rt, "to")
			switch {
			case rapid.IntRange(0, 2).Draw(rt, "open") > 0 && taken[3]:
				want := 0
				for taken[want] {
					want++
				}
				if got := h.open("w/f", 0, readable); got != want {
					rt.Fatalf("%d, the lowest is %d", got, want)
				}
				taken[want] = true
			case fd == 3 || to == 3 || !taken[fd]: // the folder that files are opened from stays
			case taken[to] && to != fd:
				h.ok(abi.FdRenumber, fd, to)
				delete(taken, fd)
			default:
				h.ok(abi.FdClose, fd)
				delete(taken, fd)
			}
		}
	})
}
