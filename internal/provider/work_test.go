package provider

import (
	"fmt"
	"strings"
	"testing"

	"github.com/forgeone/forgeone/abi"
)

// TestWork: what calls do is counted, whoever is to do it and whatever comes of it.
func TestWork(t *testing.T) {
	h := usual(t)
	for i := range 100 {
		h.ok(abi.PathCreateDirectory, 3, fmt.Sprint("w/d", i))
	}
	h.ok(abi.PathCreateDirectory, 3, "w/a")
	h.ok(abi.PathCreateDirectory, 3, "w/a/b")
	for i := range 50 {
		h.ok(abi.PathCreateDirectory, 3, fmt.Sprint("w/a/b/d", i))
	}
	h.ok(abi.PathSymlink, "a/b", 3, "w/l")
	fd := h.folder("w")
	file := h.open("w/file", abi.OFlagCreat, abi.FileRights)
	synced := int(h.ok(abi.PathOpen, 3, follow, "w/file", 0, abi.FileRights, abi.Rights(0), abi.FDFlagSync).u32(0))
	many := strings.Repeat("a/../", 200)
	poll := make([]byte, 7*abi.SubscriptionSize)
	for i := range 7 {
		poll[i*abi.SubscriptionSize+8] = abi.EventFDWrite
		poll[i*abi.SubscriptionSize+16] = 1
	}
	for _, tc := range []struct {
		what string
		r    reply
		work abi.Work
		want uint32 // at least, and at most twice that
	}{
		{"a rewind lists all", h.ok(abi.FdReaddir, fd, room(24), 0), abi.WorkEntry, 102},
		{"again", h.ok(abi.FdReaddir, fd, room(24), 0), abi.WorkEntry, 102},
		{"going on lists nothing", h.ok(abi.FdReaddir, fd, room(24), 1), abi.WorkEntry, 0},
		{"a listing has bytes", h.ok(abi.FdReaddir, fd, room(1000), 1), abi.WorkByte, 1000},
		{"a path is walked", h.ok(abi.PathFilestatGet, 3, 0, "w/"+many+"a/b/d1"), abi.WorkName, 404},
		{"where nothing is too", h.want(abi.ENOENT, abi.PathFilestatGet, 3, 0, "w/"+many+"none"), abi.WorkName, 402},
		{"and in one step", h.ok(abi.PathFilestatGet, 3, 0, "w/a/b/d1"), abi.WorkName, 4},
		{"a link's names too", h.ok(abi.PathFilestatGet, 3, 0, "w/l/d1"), abi.WorkName, 5},
		{"a name has bytes", h.ok(abi.PathFilestatGet, 3, 0, "w/a/b/d1"), abi.WorkByte, 17},
		{"a move up looks through it", h.ok(abi.PathRename, 3, "w/a/b", 3, "w/b"), abi.WorkEntry, 50},
		{"and opens what is in it", h.ok(abi.PathRename, 3, "w/b", 3, "w/c"), abi.WorkName, 4},
		{"subscriptions", h.ok(abi.PollOneoff, poll, 7), abi.WorkWait, 7},
		{"bytes in", h.ok(abi.FdWrite, 1, "0123456789"), abi.WorkByte, 10},
		{"room that is made", h.ok(abi.FdAllocate, file, 0, 400<<10), abi.WorkEntry, 100},
		{"a write that waits for the disk", h.ok(abi.FdWrite, synced, "x"), abi.WorkEntry, syncedWrite},
		{"at an offset too", h.ok(abi.FdPwrite, synced, "x", 0), abi.WorkEntry, syncedWrite},
		{"one that does not", h.ok(abi.FdWrite, file, "x"), abi.WorkEntry, 0},
		{"bytes out", h.ok(abi.RandomGet, room(33)), abi.WorkByte, 33},
	} {
		got := tc.r.work[tc.work]
		if got < tc.want || got > 2*tc.want+4 {
			t.Errorf("%s: %d × %v, want %d", tc.what, got, tc.work, tc.want)
		}
		if tc.r.charge < uint64(got)*4 && tc.work != abi.WorkByte || tc.r.charge == 0 {
			t.Errorf("%s: charged %d", tc.what, tc.r.charge)
		}
	}
}

// TestFullTable: who has the table of descriptors searched pays for it.
func TestFullTable(t *testing.T) {
	h := usual(t)
	h.write("w/f", "")
	open := func() reply {
		return h.ok(abi.PathOpen, 3, 0, "w/f", uint16(0), abi.RightFDRead, abi.Rights(0), uint16(0))
	}
	for range 300 {
		open()
	}
	h.ok(abi.FdClose, 5)
	open()
	if r := open(); r.work[abi.WorkEntry] < 290 {
		t.Errorf("%v", r.work)
	}
}

// TestWorkIsChargedOnce: a call that does not get as far as Resolve, since something of
// it can't be read, is not charged for the work of the one before.
func TestWorkIsChargedOnce(t *testing.T) {
	h := usual(t)
	for i := range 100 {
		h.ok(abi.PathCreateDirectory, 3, fmt.Sprint("w/d", i))
	}
	if r := h.ok(abi.FdReaddir, h.folder("w"), room(24), 0); r.work[abi.WorkEntry] < 100 {
		t.Fatalf("%v", r.work)
	}
	c, o := call(abi.ClockTimeGet, uint64(0), uint64(0)), abi.Object{}
	if got := h.w.Charge(c, &o); got != uint64(c.Row.Price[abi.WorkCall]) {
		t.Errorf("charged %d", got)
	}
}
