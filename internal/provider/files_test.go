package provider

import (
	"math"
	"testing"
	"time"

	"github.com/forgeone/forgeone/abi"
)

func TestReadWrite(t *testing.T) {
	h := usual(t)
	fd := h.open("w/f", abi.OFlagCreat, abi.FileRights)
	if r := h.ok(abi.FdWrite, fd, "hello world"); r.u32(0) != 11 || r.Name != "/w/f" || r.Kind != abi.ObjFile || r.Grant != 1 || r.Memo == nil {
		t.Errorf("%+v", r)
	}
	if r := h.ok(abi.FdRead, fd, room(5)); len(r.out) != 0 || r.u32(0) != 0 {
		t.Errorf("%q at the end", r.out)
	}
	if r := h.ok(abi.FdSeek, fd, -5, abi.WhenceEnd); r.u64(0) != 6 {
		t.Error(r.u64(0))
	}
	if r := h.ok(abi.FdRead, fd, room(3)); string(r.out) != "wor" || r.u32(0) != 3 {
		t.Errorf("%q", r.out)
	}
	if r := h.ok(abi.FdTell, fd); r.u64(0) != 9 {
		t.Error(r.u64(0))
	}
	if r := h.ok(abi.FdPread, fd, room(5), 0); string(r.out) != "hello" || r.u32(0) != 5 {
		t.Errorf("%q", r.out)
	}
	if r := h.ok(abi.FdPwrite, fd, "J", 0); r.u32(0) != 1 {
		t.Error(r.u32(0))
	}
	if r := h.ok(abi.FdSeek, fd, -2, abi.WhenceCur); r.u64(0) != 7 {
		t.Error("pread or pwrite moved the position", r.u64(0))
	}
	h.ok(abi.FdSeek, fd, 13, abi.WhenceSet)
	h.ok(abi.FdWrite, fd, "!")
	if got := h.read("w/f"); got != "Jello world\x00\x00!" {
		t.Errorf("%q", got)
	}
	h.want(abi.EINVAL, abi.FdSeek, fd, -1, abi.WhenceSet)
	h.want(abi.EINVAL, abi.FdSeek, fd, -100, abi.WhenceEnd)
	h.want(abi.EINVAL, abi.FdSeek, fd, 0, 3)
	h.want(abi.EOVERFLOW, abi.FdSeek, fd, int64(math.MaxInt64), abi.WhenceCur)
	h.want(abi.EINVAL, abi.FdPread, fd, room(1), uint64(1)<<63)
	h.want(abi.EINVAL, abi.FdPwrite, fd, "x", uint64(math.MaxUint64))
	h.want(abi.EFBIG, abi.FdPwrite, fd, "xx", uint64(math.MaxInt64-1))
	h.ok(abi.FdSeek, fd, int64(math.MaxInt64), abi.WhenceSet)
	h.want(abi.EFBIG, abi.FdWrite, fd, "x")
	if r := h.ok(abi.FdRead, fd, room(1)); len(r.out) != 0 {
		t.Errorf("%q", r.out)
	}
}

func TestAppend(t *testing.T) {
	h := usual(t)
	h.write("w/f", "one")
	fd := int(h.ok(abi.PathOpen, 3, 0, "w/f", 0, abi.FileRights, all, abi.FDFlagAppend).u32(0))
	h.ok(abi.FdWrite, fd, "two")
	if r := h.ok(abi.FdTell, fd); r.u64(0) != 6 {
		t.Error(r.u64(0))
	}
	h.ok(abi.FdPwrite, fd, "O", 0)
	h.ok(abi.FdSeek, fd, 0, abi.WhenceSet)
	h.ok(abi.FdWrite, fd, "three")
	if got := h.read("w/f"); got != "Onetwothree" {
		t.Errorf("%q", got)
	}
	h.ok(abi.FdFdstatSetFlags, fd, 0)
	h.ok(abi.FdSeek, fd, 0, abi.WhenceSet)
	h.ok(abi.FdWrite, fd, "X")
	if got := h.read("w/f"); got != "Xnetwothree" {
		t.Errorf("%q", got)
	}
}

func TestStreams(t *testing.T) {
	h := start(t, Config{})
	h.stdin.in = []string{"ab", "c"}
	for _, want := range []string{"a", "b", "c", ""} {
		if r := h.ok(abi.FdRead, 0, room(1)); string(r.out) != want || r.Kind != abi.ObjStream || r.Name != "stdin" || r.Memo == nil {
			t.Errorf("%+v", r)
		}
	}
	h.stdout.at = 3
	if r := h.ok(abi.FdWrite, 1, "hello"); r.u32(0) != 3 || r.Name != "stdout" {
		t.Errorf("%+v", r)
	}
	h.ok(abi.FdWrite, 2, "err")
	if h.stdout.out.String() != "hel" || h.stderr.out.String() != "err" {
		t.Errorf("%q %q", h.stdout.out.String(), h.stderr.out.String())
	}
	for _, fd := range []int{0, 1, 2} {
		h.want(abi.ESPIPE, abi.FdSeek, fd, 0, abi.WhenceCur)
		h.want(abi.ESPIPE, abi.FdTell, fd)
		h.want(abi.ESPIPE, abi.FdPread, fd, room(1), 0)
		h.want(abi.ESPIPE, abi.FdPwrite, fd, "x", 0)
		h.want(abi.ESPIPE, abi.FdAdvise, fd, 0, 0, 0)
		h.want(abi.ESPIPE, abi.FdAllocate, fd, 0, 1)
		h.want(abi.EINVAL, abi.FdFilestatSetSize, fd, 0)
		h.want(abi.EINVAL, abi.FdFilestatSetTimes, fd, 0, 0, 0)
		h.want(abi.EINVAL, abi.FdSync, fd)
		h.want(abi.EINVAL, abi.FdDatasync, fd)
		h.want(abi.ENOTDIR, abi.FdReaddir, fd, room(10), 0)
		h.want(abi.EBADF, abi.FdPrestatGet, fd)
		h.want(abi.ENOTDIR, abi.PathOpen, fd, 0, "x", 0, 0, 0, 0)
		if r := h.ok(abi.FdFilestatGet, fd); r.ret[16] != byte(abi.FiletypeCharacterDevice) {
			t.Error(r.ret[16])
		}
	}
	h.refused(abi.RefuseRights, abi.ENOTCAPABLE, "stdin", abi.FdWrite, 0, "x")
	h.refused(abi.RefuseRights, abi.ENOTCAPABLE, "stdout", abi.FdRead, 1, room(1))
	h.ok(abi.FdRead, 0, room(0))
}

func TestStreamsOfNothing(t *testing.T) {
	w, err := New(Config{Clock: &fakeClock{}, Random: func([]byte) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	h := &harness{TB: t, w: w}
	if r := h.ok(abi.FdRead, 0, room(1)); len(r.out) != 0 {
		t.Error(r.out)
	}
	if r := h.ok(abi.FdWrite, 1, "x"); r.u32(0) != 1 {
		t.Error(r.u32(0))
	}
}

func TestBlockedStreams(t *testing.T) {
	h := start(t, Config{})
	h.stdin.end, h.stdout.full = false, true
	h.ok(abi.FdFdstatSetFlags, 0, abi.FDFlagNonblock)
	h.ok(abi.FdFdstatSetFlags, 1, abi.FDFlagNonblock)
	h.want(abi.EAGAIN, abi.FdRead, 0, room(1))
	h.want(abi.EAGAIN, abi.FdWrite, 1, "x")
	h.ok(abi.FdFdstatSetFlags, 0, 0)
	h.ok(abi.FdFdstatSetFlags, 1, 0)
	time.AfterFunc(10*time.Millisecond, func() { h.stdin.change(func() { h.stdin.in = []string{"late"} }) })
	if r := h.ok(abi.FdRead, 0, room(9)); string(r.out) != "late" {
		t.Errorf("%q", r.out)
	}
	time.AfterFunc(10*time.Millisecond, func() { close(h.done) })
	h.want(abi.EINTR, abi.FdRead, 0, room(1))
	h.want(abi.EINTR, abi.FdWrite, 1, "x")
}

func TestOutputLimit(t *testing.T) {
	h := start(t, Config{Output: 10, Mounts: []Mount{{Guest: "/w", Root: scratch(), Grant: 1}}})
	h.ok(abi.FdWrite, 1, "12345")
	h.stderr.at = 2
	h.ok(abi.FdWrite, 2, "678") // two of them written, two counted
	h.write("w/f", "files do not count")
	if r := h.do(abi.FdWrite, 1, "890a"); r.stop != abi.OutcomeOutput || r.e == 0 {
		t.Errorf("%+v", r)
	}
	if r := h.ok(abi.FdWrite, 1, "890"); r.stop != 0 {
		t.Error(r.stop)
	}
	if r := h.do(abi.FdWrite, 2, "x"); r.stop != abi.OutcomeOutput {
		t.Errorf("%+v", r)
	}
	if got := h.stdout.out.String() + "," + h.stderr.out.String(); got != "12345890,67" {
		t.Errorf("%q", got)
	}
}

func TestAttributes(t *testing.T) {
	h := usual(t)
	fd := h.open("w/f", abi.OFlagCreat, abi.FileRights)
	dir := h.folder("w")
	h.ok(abi.FdWrite, fd, "hello")
	h.ok(abi.FdAdvise, fd, 0, 10, 5)
	h.ok(abi.FdAdvise, dir, 0, 10, 5)
	h.want(abi.EINVAL, abi.FdAdvise, fd, 0, 10, 6)
	h.want(abi.EINVAL, abi.FdAdvise, fd, uint64(math.MaxInt64), 10, 0)
	h.want(abi.EINVAL, abi.FdAdvise, fd, 0, uint64(math.MaxUint64), 0)
	h.ok(abi.FdAllocate, fd, 3, 7)
	h.want(abi.EINVAL, abi.FdAllocate, fd, 0, 0)
	h.want(abi.EFBIG, abi.FdAllocate, fd, uint64(math.MaxInt64), 1)
	h.want(abi.ENOSPC, abi.FdAllocate, fd, 0, uint64(1)<<40)
	if r := h.ok(abi.FdFilestatGet, fd); r.u64(32) != 10 || r.ret[16] != byte(abi.FiletypeRegularFile) {
		t.Error(r.u64(32))
	}
	h.ok(abi.FdFilestatSetSize, fd, 2)
	h.want(abi.EINVAL, abi.FdFilestatSetSize, fd, uint64(1)<<63)
	if got := h.read("w/f"); got != "he" {
		t.Errorf("%q", got)
	}
	for _, d := range []int{fd, dir, 3} {
		h.ok(abi.FdSync, d)
		h.ok(abi.FdDatasync, d)
	}
	for _, d := range []int{fd, dir} {
		h.ok(abi.FdFilestatSetTimes, d, 11, 12, abi.FstAtim|abi.FstMtim)
		if r := h.ok(abi.FdFilestatGet, d); r.u64(40) != 11 || r.u64(48) != 12 {
			t.Error(r.u64(40), r.u64(48))
		}
		h.ok(abi.FdFilestatSetTimes, d, 99, 99, abi.FstMtimNow)
		if r := h.ok(abi.FdFilestatGet, d); r.u64(40) != 11 || r.u64(48) < 1000 {
			t.Error(r.u64(40), r.u64(48))
		}
		h.ok(abi.FdFilestatSetTimes, d, uint64(math.MaxUint64), 0, 0) // nothing to set
		h.want(abi.EINVAL, abi.FdFilestatSetTimes, d, 0, 0, abi.FstAtim|abi.FstAtimNow)
		h.want(abi.EINVAL, abi.FdFilestatSetTimes, d, 0, 0, abi.FstMtim|abi.FstMtimNow)
		h.want(abi.EINVAL, abi.FdFilestatSetTimes, d, 0, 0, abi.FstAll+1)
		h.ok(abi.FdFilestatSetTimes, d, uint64(math.MaxUint64), uint64(1<<63), abi.FstAtim|abi.FstMtim)
		if r := h.ok(abi.FdFilestatGet, d); r.u64(40) != math.MaxUint64 || r.u64(48) != 1<<63 {
			t.Error(r.u64(40), r.u64(48))
		}
	}
	h.refused(abi.RefuseNoGrant, abi.EROFS, "/", abi.FdFilestatSetTimes, 3, 0, 0, abi.FstMtimNow)

	h.want(abi.EISDIR, abi.FdRead, dir, room(1))
	h.want(abi.EISDIR, abi.FdPread, dir, room(1), 0)
	for _, d := range []int{dir, 3} {
		h.want(abi.EBADF, abi.FdWrite, d, "x")
		h.want(abi.EBADF, abi.FdPwrite, d, "x", 0)
		h.want(abi.EBADF, abi.FdAllocate, d, 0, 1)
		h.want(abi.EBADF, abi.FdFilestatSetSize, d, 0)
		h.want(abi.EBADF, abi.FdSeek, d, 0, abi.WhenceCur)
		h.want(abi.EBADF, abi.FdTell, d)
	}
	h.want(abi.ENOTDIR, abi.FdReaddir, fd, room(10), 0)
}

func TestFlags(t *testing.T) {
	h := usual(t)
	fd := int(h.ok(abi.PathOpen, 3, 0, "w/f", abi.OFlagCreat, abi.FileRights, all, abi.FDFlagDsync|abi.FDFlagAppend).u32(0))
	flags := func() uint32 { return h.ok(abi.FdFdstatGet, fd).u32(0) >> 16 }
	if flags() != uint32(abi.FDFlagDsync|abi.FDFlagAppend) {
		t.Error(flags())
	}
	h.ok(abi.FdFdstatSetFlags, fd, abi.FDFlagDsync|abi.FDFlagNonblock)
	if flags() != uint32(abi.FDFlagDsync|abi.FDFlagNonblock) {
		t.Error(flags())
	}
	h.want(abi.ENOTSUP, abi.FdFdstatSetFlags, fd, 0)
	h.want(abi.ENOTSUP, abi.FdFdstatSetFlags, fd, abi.FDFlagDsync|abi.FDFlagSync)
	h.want(abi.EINVAL, abi.FdFdstatSetFlags, fd, abi.FDFlagsAll+1)
	h.ok(abi.FdFdstatSetFlags, 3, abi.FDFlagNonblock)
}

func TestBadDescriptors(t *testing.T) {
	h := usual(t)
	for n, args := range map[abi.Num][]any{
		abi.FdAdvise: {0, 0, 0}, abi.FdAllocate: {0, 1}, abi.FdClose: {}, abi.FdDatasync: {}, abi.FdFdstatGet: {},
		abi.FdFdstatSetFlags: {0}, abi.FdFdstatSetRights: {0, 0}, abi.FdFilestatGet: {}, abi.FdFilestatSetSize: {0},
		abi.FdFilestatSetTimes: {0, 0, 0}, abi.FdPread: {room(1), 0}, abi.FdPrestatGet: {}, abi.FdPrestatDirName: {room(1)},
		abi.FdPwrite: {"x", 0}, abi.FdRead: {room(1)}, abi.FdReaddir: {room(1), 0}, abi.FdRenumber: {3}, abi.FdSeek: {0, 0},
		abi.FdSync: {}, abi.FdTell: {}, abi.FdWrite: {"x"}, abi.PathCreateDirectory: {"x"}, abi.PathFilestatGet: {0, "x"},
		abi.PathFilestatSetTimes: {0, "x", 0, 0, 0}, abi.PathOpen: {0, "x", 0, 0, 0, 0}, abi.PathReadlink: {"x", room(1)},
		abi.PathRemoveDirectory: {"x"}, abi.PathUnlinkFile: {"x"}, abi.PathRename: {"w/x", 3, "w/y"}, abi.PathLink: {0, "x", 3, "w/y"},
	} {
		for _, fd := range []any{4, uint32(math.MaxUint32)} {
			if r := h.want(abi.EBADF, n, append([]any{fd}, args...)...); r.Kind != abi.ObjNone {
				t.Errorf("%v: %v", n, r.Kind)
			}
		}
	}
	h.want(abi.EBADF, abi.PathSymlink, "x", 9, "y")
	h.write("w/x", "")
	h.want(abi.EBADF, abi.PathRename, 3, "w/x", 9, "w/y")
	h.want(abi.EBADF, abi.PathLink, 3, 0, "w/x", 9, "w/y")
	h.want(abi.EBADF, abi.FdRenumber, 3, 9)
}
