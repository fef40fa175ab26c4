package provider

import (
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/forgeone/forgeone/abi"
)

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
