package provider

import (
	"strings"
	"testing"

	"github.com/forgeone/forgeone/abi"
)

// TestDiskQuota: whatever makes a file of a granted mount larger counts, and each
// new name; what is cut is given back as far as the run had added it to that
// file, and no further; what is there without a grant does not count.
func TestDiskQuota(t *testing.T) {
	const room = 3 * nameCost
	h := start(t, Config{Disk: room, Mounts: []Mount{
		{Guest: "/out", Root: scratch(), Grant: 1},
		{Guest: "/tmp", Root: scratch(), Base: true, Full: abi.LimitScratch},
	}})
	left := func(want uint64) {
		t.Helper()
		if h.w.disk.left != want {
			t.Fatalf("%d bytes are left, want %d", h.w.disk.left, want)
		}
	}
	full := func(n abi.Num, args ...any) {
		t.Helper()
		before := h.w.disk.left
		if r := h.want(abi.EDQUOT, n, args...); r.limit != abi.LimitDisk {
			t.Fatalf("limit %q", r.limit)
		}
		left(before)
	}
	bytes := func(n int) string { return strings.Repeat("x", n) }
	fd := h.open("out/a", abi.OFlagCreat, all)
	left(room - nameCost)
	h.ok(abi.FdPwrite, fd, bytes(100), 0)
	h.ok(abi.FdPwrite, fd, bytes(100), 0) // no longer than before
	left(room - nameCost - 100)
	h.ok(abi.FdPwrite, fd, bytes(100), 1000) // a hole counts
	left(room - nameCost - 1100)
	full(abi.FdFilestatSetSize, fd, 1101+2*nameCost)
	full(abi.FdAllocate, fd, 0, 1101+2*nameCost)
	full(abi.FdPwrite, fd, "x", 1<<40)
	h.ok(abi.FdAllocate, fd, 0, 1200)
	h.ok(abi.FdAllocate, fd, 0, 1)
	left(room - nameCost - 1200)
	h.ok(abi.FdFilestatSetSize, fd, 0)
	left(room - nameCost)
	// A write that does not fit is cut short; then there is no room at all.
	if r := h.ok(abi.FdPwrite, fd, bytes(room), 0); r.u32(0) != room-nameCost {
		t.Errorf("%d bytes written", r.u32(0))
	}
	left(0)
	full(abi.FdPwrite, fd, "x", room)
	full(abi.PathCreateDirectory, 3, "out/d")
	full(abi.PathSymlink, "a", 3, "out/l")
	full(abi.PathLink, 3, 0, "out/a", 3, "out/b")
	full(abi.PathOpen, 3, follow, "out/new", abi.OFlagCreat, all, all, 0)
	h.ok(abi.FdPwrite, fd, bytes(10), 0)
	h.ok(abi.PathCreateDirectory, 3, "tmp/d") // nobody's grant
	h.write("tmp/f", bytes(room))
	// A name that could not be made costs nothing.
	h.w.disk.left = nameCost
	h.want(abi.EEXIST, abi.PathCreateDirectory, 3, "out/a")
	left(nameCost)
	// What another run had put there is not given back to this one.
	h.w.disk = quota{left: 10}
	h.ok(abi.FdFilestatSetSize, fd, 5)
	left(10)
	// Appending counts, by descriptors of their own too; cutting by opening gives back.
	end := int(h.ok(abi.PathOpen, 3, follow, "out/a", 0, all, all, abi.FDFlagAppend).u32(0))
	if r := h.ok(abi.FdWrite, end, bytes(30)); r.u32(0) != 10 {
		t.Errorf("%d bytes appended", r.u32(0))
	}
	full(abi.FdWrite, end, "x")
	h.open("out/a", abi.OFlagTrunc, all)
	left(10)
	// Without a limit nothing is counted.
	h.w.disk = quota{none: true}
	h.ok(abi.FdPwrite, fd, "x", 1<<20)
}

// TestDiskQuotaIsNotDodged: a file that somebody else cuts while the guest writes
// within its size grows again at the guest's cost.
func TestDiskQuotaIsNotDodged(t *testing.T) {
	const size, room = 4 * unseenMost, 2 << 20
	tree := scratch()
	h := start(t, Config{Disk: room, Mounts: []Mount{{Guest: "/out", Root: tree, Grant: 1}}})
	other := start(t, Config{Disk: room, Mounts: []Mount{{Guest: "/out", Root: tree, Grant: 1}}})
	fd := h.open("out/a", abi.OFlagCreat, all)
	h.ok(abi.FdPwrite, fd, strings.Repeat("x", size), 0)
	before := h.w.disk.left
	theirs := other.open("out/a", 0, all)
	for range 3 {
		other.ok(abi.FdFilestatSetSize, theirs, 0)
		for off := 0; off < size; off += 1024 {
			h.ok(abi.FdPwrite, fd, strings.Repeat("y", 1024), off)
		}
	}
	h.ok(abi.FdClose, fd)
	if took := before - h.w.disk.left; took < 3*size || took > 4*size {
		t.Errorf("%d bytes were taken for %d", took, 3*size)
	}
	if other.w.disk.left != room {
		t.Errorf("another run was given %d bytes", other.w.disk.left-room)
	}
}

// TestScratchIsFull: the answer of a full scratch names its limit, that of any
// other full tree none.
func TestScratchIsFull(t *testing.T) {
	h := start(t, Config{Mounts: []Mount{
		{Guest: "/out", Root: scratch(), Grant: 1}, {Guest: "/tmp", Root: scratch(), Base: true, Full: abi.LimitScratch},
	}})
	for path, limit := range map[string]abi.Limit{"out/f": 0, "tmp/f": abi.LimitScratch} {
		fd := h.open(path, abi.OFlagCreat, all)
		if r := h.want(abi.ENOSPC, abi.FdFilestatSetSize, fd, 1<<30); r.limit != limit {
			t.Errorf("%s: limit %q, want %q", path, r.limit, limit)
		}
	}
}
