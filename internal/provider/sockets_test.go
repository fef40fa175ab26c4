package provider

import (
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

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

// TestSocketPeers: what a hostile peer can do to a guest is an errno.
func TestSocketPeers(t *testing.T) {
	h, addrs := listening(t, Config{})
	reset := func(c *net.TCPConn) { c.SetLinger(0); c.Close() }
	peer, fd := h.pair(addrs[0])
	reset(peer)
	got := h.poll(fdSub(1, abi.EventFDRead, uint32(fd)))[0]
	if got.Flags != abi.EventFDHangup {
		t.Errorf("%+v", got)
	}
	h.want(abi.ECONNRESET, abi.SockRecv, fd, room(1), 0)
	h.want(abi.ENOTCONN, abi.SockShutdown, fd, abi.ShutWrite)
	h.want(abi.EPIPE, abi.SockSend, fd, "x", 0)
	h.ok(abi.FdClose, fd)

	// Bytes before a reset are lost with it; those taken before are kept.
	peer, fd = h.pair(addrs[0])
	send(t, peer, "some")
	resetting := peer
	time.AfterFunc(20*time.Millisecond, func() { reset(resetting) })
	if r := h.ok(abi.SockRecv, fd, room(8), abi.RecvWaitall); string(r.out) != "some" {
		t.Errorf("%q", r.out)
	}
	// One that closes with bytes unread.
	peer, fd = h.pair(addrs[0])
	h.ok(abi.SockSend, fd, "unread", 0)
	closing := peer
	time.AfterFunc(20*time.Millisecond, func() { closing.Close() })
	if r := h.do(abi.SockRecv, fd, room(1), 0); r.e != abi.ECONNRESET && (r.e != 0 || len(r.out) != 0) {
		t.Error(r.e, r.out)
	}
	// One that resets before it was accepted: it is accepted, or never was there.
	reset(dial(t, addrs[0]))
	dial(t, addrs[0])
	r := h.ok(abi.SockAccept, 4, 0)
	h.ok(abi.FdClose, int(r.u32(0)))
}

// TestSocketRights: they shrink, and hand down no more than they hold.
func TestSocketRights(t *testing.T) {
	h, addrs := listening(t, Config{})
	const down = abi.RightFDRead | abi.RightPollFDReadwrite
	h.want(abi.ENOTCAPABLE, abi.FdFdstatSetRights, 4, abi.ListenerRights|abi.RightFDRead, abi.ConnectionRights)
	h.want(abi.ENOTCAPABLE, abi.FdFdstatSetRights, 4, abi.ListenerRights, abi.ConnectionRights|abi.RightSockAccept)
	h.ok(abi.FdFdstatSetRights, 4, abi.ListenerRights, down)
	_, fd := h.pair(addrs[0])
	if r := h.ok(abi.FdFdstatGet, fd); abi.Rights(r.u64(8)) != down || r.u64(16) != 0 {
		t.Errorf("%v", abi.RightsNames(abi.Rights(r.u64(8))))
	}
	h.refused(abi.RefuseRights, abi.ENOTCAPABLE, addrs[0], abi.SockSend, fd, "x", 0)
	h.refused(abi.RefuseRights, abi.ENOTCAPABLE, addrs[0], abi.FdWrite, fd, "x")
	h.refused(abi.RefuseRights, abi.ENOTCAPABLE, addrs[0], abi.SockShutdown, fd, 1)
	h.refused(abi.RefuseRights, abi.ENOTCAPABLE, addrs[0], abi.FdFdstatSetFlags, fd, abi.FDFlagNonblock)
	h.refused(abi.RefuseRights, abi.ENOTCAPABLE, addrs[0], abi.FdFilestatGet, fd)
	if got := h.poll(fdSub(1, abi.EventFDWrite, uint32(fd)))[0]; got.Errno != abi.ENOTCAPABLE {
		t.Errorf("%+v", got)
	}
	h.ok(abi.FdFdstatSetRights, fd, 0, 0)
	h.refused(abi.RefuseRights, abi.ENOTCAPABLE, addrs[0], abi.SockRecv, fd, room(1), 0)
	h.ok(abi.FdFdstatSetRights, 4, abi.RightPollFDReadwrite, 0)
	h.refused(abi.RefuseRights, abi.ENOTCAPABLE, addrs[0], abi.SockAccept, 4, 0)
	if got := h.poll(fdSub(1, abi.EventFDRead, 4))[0]; got.Errno != abi.ENOTCAPABLE {
		t.Errorf("%+v", got)
	}
	if got := h.poll(fdSub(1, abi.EventFDWrite, 5))[0]; got.Errno != abi.ENOTCAPABLE {
		t.Errorf("%+v", got)
	}
}

// TestSocketPoll: many sockets and a stream are waited for at once.
func TestSocketPoll(t *testing.T) {
	h, addrs := listening(t, Config{})
	h.stdin.end = false
	_, a := h.pair(addrs[0])
	peer, b := h.pair(addrs[0])
	list := []abi.Subscription{
		fdSub(1, abi.EventFDRead, 0), fdSub(2, abi.EventFDRead, 4), fdSub(3, abi.EventFDRead, 5), fdSub(4, abi.EventFDRead, uint32(a)),
		fdSub(5, abi.EventFDRead, uint32(b)), fdSub(5, abi.EventFDRead, uint32(b)), clockSub(9, abi.ClockMonotonic, 60_000*ms, 0),
	}
	time.AfterFunc(20*time.Millisecond, func() { peer.Write([]byte("xyz")) })
	want := abi.Event{Userdata: 5, Type: abi.EventFDRead, NBytes: 3}
	if got := h.poll(list...); !slices.Equal(got, []abi.Event{want, want}) {
		t.Errorf("%+v", got)
	}
	h.ok(abi.SockRecv, b, room(9), 0)
	dialled := make(chan struct{})
	time.AfterFunc(20*time.Millisecond, func() { defer close(dialled); dial(t, addrs[1]) })
	got := h.poll(list...)
	<-dialled
	if len(got) != 1 || got[0].Userdata != 3 || got[0].NBytes == 0 {
		t.Errorf("%+v", got)
	}
	h.ok(abi.FdFdstatSetFlags, 4, abi.FDFlagNonblock)
	h.want(abi.EAGAIN, abi.SockAccept, 4, 0) // still none on the other
}

// TestSocketsAreCancelled: whatever waits ends with the run, and leaves nothing.
func TestSocketsAreCancelled(t *testing.T) {
	for name, f := range map[string]func(h *harness, fd int) reply{
		"accept": func(h *harness, _ int) reply { return h.do(abi.SockAccept, 4, 0) },
		"recv":   func(h *harness, fd int) reply { return h.do(abi.SockRecv, fd, room(1), 0) },
		"peek":   func(h *harness, fd int) reply { return h.do(abi.SockRecv, fd, room(1), abi.RecvPeek) },
		"read":   func(h *harness, fd int) reply { return h.do(abi.FdRead, fd, room(1)) },
		"poll": func(h *harness, fd int) reply {
			return h.do(abi.PollOneoff, subs(fdSub(1, abi.EventFDRead, 4), fdSub(1, abi.EventFDRead, uint32(fd)), fdSub(1, abi.EventFDRead, 0)), 3)
		},
		"send": func(h *harness, fd int) reply {
			for {
				if r := h.do(abi.SockSend, fd, strings.Repeat("x", abi.MaxTransfer), 0); r.e != 0 {
					return r
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, addrs := listening(t, Config{})
			h.stdin.end = false
			_, fd := h.pair(addrs[0])
			time.AfterFunc(100*time.Millisecond, func() { close(h.done) })
			if r := f(h, fd); r.e != abi.EINTR {
				t.Error(r.e)
			}
		})
	}
}

// TestSocketRenumber: a connection takes the place of a listener, which closes.
func TestSocketRenumber(t *testing.T) {
	h, addrs := listening(t, Config{})
	peer, fd := h.pair(addrs[0])
	h.ok(abi.FdRenumber, fd, 4)
	h.want(abi.EBADF, abi.SockRecv, fd, room(1), 0)
	send(t, peer, "moved")
	if r := h.ok(abi.SockRecv, 4, room(9), 0); string(r.out) != "moved" {
		t.Errorf("%q", r.out)
	}
	if c, err := net.Dial("tcp", addrs[0]); err == nil {
		c.Close()
		t.Error("the listener is still there")
	}
	h.ok(abi.FdRenumber, 5, 0) // a listener in the place of stdin
	h.want(abi.EAGAIN, abi.SockAccept, 0, 0)
}

// TestAcceptDenied: a connection that was taken by an accept that policy then
// denied is closed, and its number is free.
func TestAcceptDenied(t *testing.T) {
	h, addrs := listening(t, Config{})
	peer := dial(t, addrs[0])
	h.poll(fdSub(1, abi.EventFDRead, 4))
	c := call(abi.SockAccept, 4, 0)
	var o abi.Object
	h.w.Resolve(c, &o)
	h.w.Perform(c, &o)
	if c.Errno != 0 {
		t.Fatal(c.Errno)
	}
	c.Errno = abi.EACCES // as the gate answers after its recheck
	h.w.Release(&o)
	h.want(abi.EBADF, abi.FdFdstatGet, 6)
	peer.SetReadDeadline(time.Now().Add(20 * time.Second))
	if n, err := peer.Read(make([]byte, 1)); n != 0 || err == nil || os.IsTimeout(err) {
		t.Error(n, err)
	}
}

// TestThousandConnections: they come and go, no more at a time than there are
// descriptors, and leave nothing behind.
func TestThousandConnections(t *testing.T) {
	const most = 20
	count := func() int {
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("no /proc")
		}
		return len(fds)
	}
	h, addrs := listening(t, Config{Descriptors: most})
	h.ok(abi.FdFdstatSetFlags, 4, 0)
	before, routines := count(), runtime.NumGoroutine()
	for range 1000 {
		peer := dial(t, addrs[0])
		fd := int(h.ok(abi.SockAccept, 4, 0).u32(0))
		send(t, peer, "ping")
		if r := h.ok(abi.SockRecv, fd, room(4), abi.RecvWaitall); string(r.out) != "ping" {
			t.Fatalf("%q", r.out)
		}
		h.ok(abi.FdClose, fd)
		peer.Close()
	}
	// Up to the limit, and then the next waits for its turn.
	var fds []int
	var peers []*net.TCPConn
	for range most - 6 {
		peers = append(peers, dial(t, addrs[0]))
		fds = append(fds, int(h.ok(abi.SockAccept, 4, 0).u32(0)))
	}
	peers = append(peers, dial(t, addrs[0]))
	h.want(abi.EMFILE, abi.SockAccept, 4, 0)
	h.ok(abi.FdClose, fds[3])
	if fd := int(h.ok(abi.SockAccept, 4, 0).u32(0)); fd != fds[3] {
		t.Error(fd)
	}
	for _, p := range peers {
		p.Close()
	}
	h.w.Close()
	h.w.fds = nil
	for range 200 {
		if count() <= before-2 && runtime.NumGoroutine() <= routines {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d descriptors, %d before with two listeners; %d goroutines, %d before", count(), before, runtime.NumGoroutine(), routines)
}

// TestRandomSocketCalls: whatever is asked of sockets, nothing panics, no
// connection has more rights than its listener hands down, and descriptors stay
// within their limit. The run is already told to stop, so that nothing waits.
func TestRandomSocketCalls(t *testing.T) {
	nums := []abi.Num{
		abi.SockAccept, abi.SockAccept, abi.SockRecv, abi.SockSend, abi.SockShutdown, abi.FdRead, abi.FdWrite, abi.FdFdstatSetFlags,
		abi.FdFdstatSetRights, abi.FdRenumber, abi.FdClose, abi.FdFdstatGet, abi.FdFilestatGet, abi.FdSeek, abi.FdPread, abi.FdReaddir,
	}
	rapid.Check(t, func(rt *rapid.T) {
		const most = 12
		h, addrs := listening(t, Config{Descriptors: most})
		defer h.w.Close()
		close(h.done)
		var peers []net.Conn
		defer func() {
			for _, p := range peers {
				p.Close()
			}
		}()
		for range rapid.IntRange(0, 4).Draw(rt, "peers") {
			p, err := net.Dial("tcp", addrs[0])
			if err != nil {
				rt.Fatal(err)
			}
			peers = append(peers, p)
		}
		for range rapid.IntRange(1, 40).Draw(rt, "calls") {
			c := &abi.Call{}
			c.Reset(abi.Lookup(rapid.SampledFrom(nums).Draw(rt, "call")), 0)
			for i, p := range c.Row.Params {
				switch p.Type {
				case abi.Handle:
					c.Args[i] = rapid.Uint64Range(0, most).Draw(rt, "fd")
				case abi.BytesIn:
					c.In = make([]byte, rapid.IntRange(0, 9).Draw(rt, "in"))
				case abi.BytesOut, abi.BufferOut:
					c.OutCap = rapid.IntRange(0, 9).Draw(rt, "room")
				case abi.U64, abi.S64:
					c.Args[i] = rapid.Uint64().Draw(rt, "long")
				case abi.U8, abi.U16:
					c.Args[i] = rapid.Uint64Range(0, 9).Draw(rt, "flags")
				}
			}
			var o abi.Object
			h.w.Resolve(c, &o)
			var handed abi.Rights
			if d := h.w.get(c.Args[0]); d != nil {
				handed = d.inheriting
			}
			if o.Refused == 0 && o.Errno == 0 {
				c.Out = make([]byte, c.OutCap)
				h.w.Perform(c, &o)
			}
			h.w.Release(&o)
			if !c.Errno.Valid() || c.OutLen > c.OutCap || len(h.w.fds) > most {
				rt.Fatalf("%s: %v, %d of %d bytes, %d descriptors", c.Row.Name, c.Errno, c.OutLen, c.OutCap, len(h.w.fds))
			}
			if c.Row.Num == abi.SockAccept && o.Refused == 0 && o.Errno == 0 && c.Errno == 0 {
				if d := h.w.fds[c.Ret[0]]; d.base&^handed != 0 || d.inheriting != 0 {
					rt.Fatal("rights grew")
				}
			}
		}
	})
}
