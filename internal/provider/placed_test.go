package provider

import (
	"testing"

	"github.com/forgeone/forgeone/abi"
)

// placedStream is a stream with a position.
type placedStream struct {
	*fakeStream
	at int64
}

func (s *placedStream) Placed() bool { return true }

func (s *placedStream) Stat() (abi.Filestat, abi.Errno) {
	return abi.Filestat{Type: abi.FiletypeRegularFile, Size: 99}, 0
}

func (s *placedStream) SeekTo(off int64, whence uint8) (int64, abi.Errno) {
	if whence == abi.WhenceSet {
		s.at = off
	} else {
		s.at += off
	}
	return s.at, 0
}

// TestPlacedStreams: a redirected input can be measured, told and moved in; of an output
// it can be told where it is, and nothing of what others wrote is written over.
func TestPlacedStreams(t *testing.T) {
	h := start(t, Config{})
	for fd, out := range []bool{false, true} {
		s := &placedStream{newFake(), 7}
		s.typ = abi.FiletypeRegularFile
		h.w.fds[fd] = newStream([]string{"stdin", "stdout"}[fd], s, out)
		if r := h.ok(abi.FdFilestatGet, fd); r.u64(32) != 99 {
			t.Errorf("%d: size %d", fd, r.u64(32))
		}
		if r := h.ok(abi.FdTell, fd); r.u64(0) != 7 {
			t.Errorf("%d: at %d", fd, r.u64(0))
		}
		if r := h.ok(abi.FdSeek, fd, int64(0), abi.WhenceCur); r.u64(0) != 7 {
			t.Errorf("%d: at %d", fd, r.u64(0))
		}
		h.want(abi.ESPIPE, abi.FdPread, fd, room(1), 0)
		if out {
			h.refused(abi.RefuseRights, abi.ENOTCAPABLE, "stdout", abi.FdSeek, fd, int64(1), abi.WhenceCur)
			h.refused(abi.RefuseRights, abi.ENOTCAPABLE, "stdout", abi.FdSeek, fd, int64(0), abi.WhenceSet)
			continue
		}
		if r := h.ok(abi.FdSeek, fd, int64(3), abi.WhenceSet); r.u64(0) != 3 {
			t.Errorf("at %d", r.u64(0))
		}
	}
	h.want(abi.ESPIPE, abi.FdTell, 2)
	h.want(abi.ESPIPE, abi.FdSeek, 2, int64(0), abi.WhenceCur)
}
