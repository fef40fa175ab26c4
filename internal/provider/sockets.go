package provider

import (
	"strconv"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/sock"
)

// Listener is a socket that the run was given.
type Listener struct {
	// Socket is the world's to close.
	Socket sock.Listener
	// Grant is the index, from 1, of the grant that brought it.
	Grant int
}

// newListener makes the descriptor of a listener. It does not block to begin
// with: a guest that is its own scheduler, as Go's runtime is, would stand still
// in an accept that waits, and one that wants to wait can say so.
func newListener(l Listener) *descriptor {
	return &descriptor{
		kind: kindListener, name: l.Socket.Addr(), listener: l.Socket, grant: l.Grant, flags: abi.FDFlagNonblock,
		base: abi.ListenerRights, inheriting: abi.ConnectionRights,
	}
}

func (d *descriptor) isSocket() bool { return d.kind == kindListener || d.kind == kindConnection }

// socket is what d stands for, which is one.
func (d *descriptor) socket() sock.Socket {
	if d.kind == kindListener {
		return d.listener
	}
	return d.conn
}

// unfitSocket is the errno of a call that makes no sense on the socket d.
func (d *descriptor) unfitSocket(n abi.Num) abi.Errno {
	switch n {
	case abi.FdAdvise, abi.FdAllocate, abi.FdPread, abi.FdPwrite, abi.FdSeek, abi.FdTell:
		return abi.ESPIPE
	case abi.FdDatasync, abi.FdSync, abi.FdFilestatSetSize, abi.FdFilestatSetTimes:
		return abi.EINVAL
	case abi.FdReaddir:
		return abi.ENOTDIR
	case abi.FdRead, abi.FdWrite, abi.SockRecv, abi.SockSend, abi.SockShutdown:
		if d.kind == kindListener {
			return abi.ENOTCONN
		}
	case abi.SockAccept:
		if d.kind == kindConnection {
			return abi.EINVAL
		}
	}
	return 0
}

// resolveSock resolves the sock_ calls. In a run that was given no socket they
// are refused for that, so that people learn what to grant.
func (w *World) resolveSock(c *abi.Call, o *abi.Object) {
	d := w.get(c.Args[0])
	e := abi.ESUCCESS
	switch {
	case d == nil:
		e = abi.EBADF
	case !d.isSocket():
		e = abi.ENOTSOCK
	}
	if e != 0 {
		if o.Errno = e; !w.listens {
			o.Kind, o.Name, o.Refused = abi.ObjSocket, "descriptor "+strconv.FormatUint(c.Args[0], 10), abi.RefuseNoGrant
		}
		return
	}
	d.describe(o)
	o.H = int(c.Args[0])
	if o.Errno = d.unfit(c.Row.Num); o.Errno != 0 {
		return
	}
	if o.Refused, o.Errno = d.lack(c.Row.Needs); o.Refused != 0 {
		return
	}
	switch c.Row.Num {
	case abi.SockAccept:
		flags := uint16(c.Args[1])
		switch {
		case flags&^abi.FDFlagsAll != 0:
			o.Errno = abi.EINVAL
		case flags&^abi.FDFlagNonblock != 0:
			o.Errno = abi.ENOTSUP
		}
		if _, ok := w.free(); !ok && o.Errno == 0 {
			o.Errno = abi.EMFILE
		}
	case abi.SockRecv:
		if uint16(c.Args[2])&^abi.RecvAll != 0 {
			o.Errno = abi.EINVAL
		}
	case abi.SockSend:
		if c.Args[2] != 0 {
			o.Errno = abi.EINVAL
		}
	case abi.SockShutdown:
		if how := uint8(c.Args[1]); how == 0 || how&^abi.ShutAll != 0 {
			o.Errno = abi.EINVAL
		}
	}
}

func (w *World) performSock(c *abi.Call, o *abi.Object) abi.Errno {
	d := w.fds[o.H]
	switch c.Row.Num {
	case abi.SockAccept:
		return w.accept(c, d)
	case abi.SockRecv:
		flags := uint16(c.Args[2])
		// A stream is never cut: ro_flags, behind the length, stays 0.
		return w.receive(c, d, flags&abi.RecvPeek != 0, flags&abi.RecvWaitall != 0)
	case abi.SockSend:
		return w.send(c, d)
	}
	how := uint8(c.Args[1])
	return d.conn.Shutdown(how&abi.ShutRead != 0, how&abi.ShutWrite != 0)
}

// retry calls try until it answers otherwise than EAGAIN, waiting in between
// where d may wait.
func (w *World) retry(d *descriptor, write bool, try func() abi.Errno) abi.Errno {
	for turns := (sock.Turns{}); ; turns.Next(-1, w.done) {
		e := try()
		if e != abi.EAGAIN || d.flags&abi.FDFlagNonblock != 0 {
			return e
		}
		if w.stopped() {
			return abi.EINTR
		}
		w.wait([]sock.Interest{{Socket: d.socket(), Write: write}}, -1, w.done)
	}
}

func (w *World) stopped() bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}

func (w *World) accept(c *abi.Call, d *descriptor) abi.Errno {
	fd, ok := w.free()
	if !ok {
		return abi.EMFILE
	}
	var conn sock.Connection
	e := w.retry(d, false, func() (e abi.Errno) {
		conn, e = d.listener.Accept()
		return e
	})
	if e != 0 {
		return e
	}
	w.put(fd, &descriptor{
		kind: kindConnection, name: d.name, conn: conn, grant: d.grant, flags: uint16(c.Args[1]),
		base: d.inheriting & abi.ConnectionRights,
	})
	w.accepted, w.accepting = fd, c
	c.SetU32(0, uint32(fd))
	return 0
}

// settleAccept closes the connection of an accept that was allowed when it
// began to wait and is not any more: the guest never learns of it.
func (w *World) settleAccept() {
	if c := w.accepting; c != nil && c.Errno != 0 {
		w.fds[w.accepted].close()
		w.vacate(w.accepted)
	}
	w.accepting = nil
}

// receive answers at the first bytes, or with all set once c.Out is full or
// nothing more will come. What is only peeked at can't be waited for further.
func (w *World) receive(c *abi.Call, d *descriptor, peek, all bool) abi.Errno {
	total := 0
	for {
		n := 0
		e := w.retry(d, false, func() (e abi.Errno) {
			n, e = d.conn.Receive(c.Out[total:], peek)
			return e
		})
		total += n
		switch {
		case e != 0 && total == 0:
			return e
		case e != 0, n == 0, total == len(c.Out), peek, !all:
			// An error after the first bytes is the next call's to answer.
			return moved(c, total, 0)
		}
	}
}

// send answers when all of c.In is taken, or with what was taken where d may
// not wait.
func (w *World) send(c *abi.Call, d *descriptor) abi.Errno {
	total := 0
	for {
		n := 0
		e := w.retry(d, true, func() (e abi.Errno) {
			n, e = d.conn.Send(c.In[total:])
			return e
		})
		total += n
		if e != 0 && total == 0 {
			return e
		}
		if e != 0 || total >= len(c.In) {
			c.SetU32(0, uint32(total))
			return 0
		}
	}
}

// socketWait makes one waiter of all the sockets of a poll: they are waited for
// together, however many there are.
type socketWait struct {
	wait sock.Waiter
	what []sock.Interest
}

// WaitReady waits until one of them may be ready; asking them tells.
func (s *socketWait) WaitReady(_ bool, d time.Duration, done <-chan struct{}) bool {
	s.wait(s.what, d, done)
	return true
}
