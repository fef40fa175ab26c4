package provider

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/host"
)

// listening has descriptors 4 and 5 listen, and returns their addresses.
func listening(t testing.TB, c Config) (*harness, []string) {
	t.Helper()
	var addrs []string
	for i := range 2 {
		l, err := host.Listen("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addrs = append(addrs, l.Addr())
		c.Listeners = append(c.Listeners, Listener{Socket: l, Grant: 7 + i})
	}
	c.WaitSockets = host.WaitSockets
	return start(t, c), addrs
}

func dial(t testing.TB, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

// pair returns a peer, and the guest's descriptor of its connection, which blocks.
func (h *harness) pair(addr string) (*net.TCPConn, int) {
	h.Helper()
	h.ok(abi.FdFdstatSetFlags, 4, 0)
	c := dial(h, addr)
	return c, int(h.ok(abi.SockAccept, 4, 0).u32(0))
}

func (h *harness) readAll(fd int) string {
	h.Helper()
	var b strings.Builder
	for {
		r := h.ok(abi.SockRecv, fd, room(100), 0)
		if len(r.out) == 0 {
			return b.String()
		}
		b.Write(r.out)
	}
}

func send(t testing.TB, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// TestNoSockets: a run that was given none is told what would be one.
func TestNoSockets(t *testing.T) {
	h := start(t, Config{})
	for _, fd := range []int{0, 1, 3, 4} {
		e, name := abi.ENOTSOCK, "descriptor 0"
		switch fd {
		case 4:
			e, name = abi.EBADF, "descriptor 4"
		case 1, 3:
			name = "descriptor " + string(rune('0'+fd))
		}
		for _, r := range []reply{
			h.refused(abi.RefuseNoGrant, e, name, abi.SockAccept, fd, 0),
			h.refused(abi.RefuseNoGrant, e, name, abi.SockRecv, fd, room(1), 0),
			h.refused(abi.RefuseNoGrant, e, name, abi.SockSend, fd, "x", 0),
			h.refused(abi.RefuseNoGrant, e, name, abi.SockShutdown, fd, 1),
		} {
			if r.Kind != abi.ObjSocket {
				t.Error(r.Kind)
			}
		}
	}
	for name, c := range map[string]Config{
		"no waiter":       {Listeners: []Listener{{}}},
		"too few numbers": {Listeners: []Listener{{}}, WaitSockets: host.WaitSockets, Descriptors: 4},
	} {
		c.Clock, c.Random = &fakeClock{}, func([]byte) error { return nil }
		if _, err := New(c); abi.CodeOf(err) != CodeWorld {
			t.Error(name, err)
		}
	}
}

func TestListenerDescriptor(t *testing.T) {
	h, addrs := listening(t, Config{})
	for i, addr := range addrs {
		r := h.ok(abi.FdFdstatGet, 4+i)
		if r.Kind != abi.ObjSocket || r.Name != addr || r.Grant != 7+i {
			t.Errorf("%v %q grant %d, want %q", r.Kind, r.Name, r.Grant, addr)
		}
		if abi.Filetype(r.ret[0]) != abi.FiletypeSocketStream || r.ret[2] != byte(abi.FDFlagNonblock) ||
			abi.Rights(r.u64(8)) != abi.ListenerRights || abi.Rights(r.u64(16)) != abi.ConnectionRights {
			t.Errorf("%v", r.ret[:abi.FdstatSize])
		}
	}
	h.want(abi.EBADF, abi.FdPrestatGet, 4)
	h.want(abi.EBADF, abi.FdPrestatDirName, 4, room(10))
	if r := h.ok(abi.FdFilestatGet, 4); abi.Filetype(r.ret[16]) != abi.FiletypeSocketStream {
		t.Error(r.ret[16])
	}
}

// TestSocketErrnos: each function on each kind of descriptor, and each flag.
func TestSocketErrnos(t *testing.T) {
	h, addrs := listening(t, Config{Mounts: []Mount{{Guest: "/w", Root: scratch()}}})
	_, conn := h.pair(addrs[0])
	for _, fd := range []int{0, 3} {
		if r := h.want(abi.ENOTSOCK, abi.SockAccept, fd, 0); r.Kind != abi.ObjNone || r.Refused != 0 {
			t.Error(r.Kind, r.Refused)
		}
		h.want(abi.ENOTSOCK, abi.SockRecv, fd, room(1), 0)
		h.want(abi.ENOTSOCK, abi.SockSend, fd, "x", 0)
		h.want(abi.ENOTSOCK, abi.SockShutdown, fd, 1)
	}
	h.want(abi.EBADF, abi.SockAccept, 99, 0)
	h.want(abi.EBADF, abi.SockRecv, 99, room(1), 0)
	h.want(abi.EBADF, abi.SockSend, 99, "x", 0)
	h.want(abi.EBADF, abi.SockShutdown, 99, 1)
	// What listens is not connected, what is connected does not listen.
	h.want(abi.ENOTCONN, abi.SockRecv, 4, room(1), 0)
	h.want(abi.ENOTCONN, abi.SockSend, 4, "x", 0)
	h.want(abi.ENOTCONN, abi.SockShutdown, 4, 1)
	h.want(abi.ENOTCONN, abi.FdRead, 4, room(1))
	h.want(abi.ENOTCONN, abi.FdWrite, 4, "x")
	h.want(abi.EINVAL, abi.SockAccept, conn, 0)
	h.want(abi.EINVAL, abi.SockAccept, 4, 1<<5)
	h.want(abi.ENOTSUP, abi.SockAccept, 4, abi.FDFlagAppend)
	h.want(abi.ENOTSUP, abi.SockAccept, 4, abi.FDFlagSync|abi.FDFlagNonblock)
	h.want(abi.EINVAL, abi.SockRecv, conn, room(1), 4)
	h.want(abi.EINVAL, abi.SockSend, conn, "x", 1)
	for _, how := range []int{0, 4, 255} {
		h.want(abi.EINVAL, abi.SockShutdown, conn, how)
	}
	// Nothing of a file is on a socket.
	for _, fd := range []int{4, conn} {
		h.want(abi.ESPIPE, abi.FdSeek, fd, 0, abi.WhenceCur)
		h.want(abi.ESPIPE, abi.FdTell, fd)
		h.want(abi.ESPIPE, abi.FdPread, fd, room(1), 0)
		h.want(abi.ESPIPE, abi.FdPwrite, fd, "x", 0)
		h.want(abi.ESPIPE, abi.FdAllocate, fd, 0, 1)
		h.want(abi.ESPIPE, abi.FdAdvise, fd, 0, 1, 0)
		h.want(abi.EINVAL, abi.FdSync, fd)
		h.want(abi.EINVAL, abi.FdDatasync, fd)
		h.want(abi.EINVAL, abi.FdFilestatSetSize, fd, 1)
		h.want(abi.EINVAL, abi.FdFilestatSetTimes, fd, 0, 0, 0)
		h.want(abi.ENOTDIR, abi.FdReaddir, fd, room(10), 0)
		h.want(abi.ENOTDIR, abi.PathOpen, fd, follow, "w", 0, readable, all, 0)
		h.want(abi.ENOTDIR, abi.PathUnlinkFile, fd, "w")
		h.want(abi.ENOTSUP, abi.FdFdstatSetFlags, fd, abi.FDFlagSync)
	}
}

// TestSocketFlow: what a connection is for.
func TestSocketFlow(t *testing.T) {
	h, addrs := listening(t, Config{})
	h.want(abi.EAGAIN, abi.SockAccept, 4, 0)
	peer, fd := h.pair(addrs[0])
	r := h.ok(abi.FdFdstatGet, fd)
	if fd != 6 || r.Name != addrs[0] || r.Kind != abi.ObjSocket || r.Grant != 7 || abi.Rights(r.u64(8)) != abi.ConnectionRights || r.u64(16) != 0 || r.ret[2] != 0 {
		t.Errorf("%d %v %q %v", fd, r.Kind, r.Name, r.ret[:abi.FdstatSize])
	}
	send(t, peer, "hello")
	// With RECV_WAITALL a peek still answers at once: nothing is taken.
	for _, flags := range []uint16{abi.RecvPeek, abi.RecvPeek | abi.RecvWaitall} {
		h.poll(fdSub(1, abi.EventFDRead, uint32(fd)))
		if r := h.ok(abi.SockRecv, fd, room(100), flags); string(r.out) != "hello" || r.u32(0) != 5 || r.ret[4] != 0 || r.ret[5] != 0 {
			t.Errorf("%q %v", r.out, r.ret[:6])
		}
	}
	if got := h.poll(fdSub(1, abi.EventFDRead, uint32(fd)))[0]; got.NBytes != 5 || got.Flags != 0 || got.Errno != 0 {
		t.Errorf("%+v", got)
	}
	if r := h.ok(abi.FdRead, fd, room(2)); string(r.out) != "he" {
		t.Errorf("%q", r.out)
	}
	if r := h.ok(abi.SockRecv, fd, room(0), 0); len(r.out) != 0 {
		t.Error(r.out)
	}
	writing := peer
	time.AfterFunc(20*time.Millisecond, func() { writing.Write([]byte("wo")); writing.Write([]byte("rld")) })
	if r := h.ok(abi.SockRecv, fd, room(8), abi.RecvWaitall); string(r.out) != "lloworld" {
		t.Errorf("%q", r.out)
	}
	if n := h.ok(abi.SockSend, fd, "ab", 0).u32(0) + h.ok(abi.FdWrite, fd, "cd").u32(0) + h.ok(abi.SockSend, fd, "", 0).u32(0); n != 4 {
		t.Error(n)
	}
	// Half closed: the peer still reads, then the guest reads the end.
	h.ok(abi.SockShutdown, fd, abi.ShutWrite)
	h.want(abi.EPIPE, abi.SockSend, fd, "x", 0)
	h.want(abi.EPIPE, abi.FdWrite, fd, "x")
	if b, err := io.ReadAll(peer); string(b) != "abcd" || err != nil {
		t.Errorf("%q %v", b, err)
	}
	send(t, peer, "last")
	peer.CloseWrite()
	if got := h.readAll(fd); got != "last" {
		t.Errorf("%q", got)
	}
	if got := h.poll(fdSub(1, abi.EventFDRead, uint32(fd)))[0]; got.Flags != abi.EventFDHangup || got.NBytes != 0 {
		t.Errorf("%+v", got)
	}
	// Not all of what is asked for comes: the end answers what there is.
	peer, fd = h.pair(addrs[0])
	send(t, peer, "part")
	peer.CloseWrite()
	if r := h.ok(abi.SockRecv, fd, room(10), abi.RecvWaitall); string(r.out) != "part" {
		t.Errorf("%q", r.out)
	}
	h.ok(abi.SockShutdown, fd, abi.ShutRead|abi.ShutWrite)
	h.ok(abi.FdClose, fd)
	h.want(abi.EBADF, abi.SockRecv, fd, room(1), 0)
	h.ok(abi.FdClose, 4)
	if c, err := net.Dial("tcp", addrs[0]); err == nil {
		c.Close()
		t.Error("a closed listener takes connections")
	}
}

func TestSocketNonblock(t *testing.T) {
	h, addrs := listening(t, Config{})
	peer := dial(t, addrs[0])
	h.poll(fdSub(1, abi.EventFDRead, 4))
	r := h.ok(abi.SockAccept, 4, abi.FDFlagNonblock)
	fd := int(r.u32(0))
	if h.ok(abi.FdFdstatGet, fd).ret[2] != byte(abi.FDFlagNonblock) {
		t.Error("it blocks")
	}
	h.want(abi.EAGAIN, abi.SockRecv, fd, room(1), 0)
	h.want(abi.EAGAIN, abi.FdRead, fd, room(1))
	h.want(abi.EAGAIN, abi.SockRecv, fd, room(1), abi.RecvPeek)
	h.want(abi.EAGAIN, abi.SockRecv, fd, room(9), abi.RecvWaitall)
	// A peer that does not read: what there is room for, then EAGAIN.
	big := strings.Repeat("x", abi.MaxTransfer)
	total, partial := 0, false
	for {
		r := h.do(abi.SockSend, fd, big, 0)
		if r.e == abi.EAGAIN {
			break
		}
		if r.e != 0 || r.u32(0) == 0 {
			t.Fatal(r.e, r.u32(0))
		}
		partial = partial || r.u32(0) < uint32(len(big))
		if total += int(r.u32(0)); total > 1<<30 {
			t.Fatal("no bound on what is buffered")
		}
	}
	if !partial {
		t.Error("no send was partial")
	}
	if got := h.poll(fdSub(1, abi.EventFDWrite, uint32(fd)), clockSub(2, abi.ClockMonotonic, 20*ms, 0)); len(got) != 1 || got[0].Userdata != 2 {
		t.Errorf("a full one is ready: %+v", got)
	}
	go io.Copy(io.Discard, peer)
	if got := h.poll(fdSub(1, abi.EventFDWrite, uint32(fd)))[0]; got.NBytes == 0 || got.Flags != 0 {
		t.Errorf("%+v", got)
	}
	h.ok(abi.SockSend, fd, "x", 0)
}
