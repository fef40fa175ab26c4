package host

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/sock"
)

// backlog is how many connections may wait to be accepted. The system's own
// limit may be lower.
const backlog = 128

// Listen begins to listen on addr, which ParseAddress reads. The listener is the
// caller's to close.
//
// Errors: F1-RUN-160, addr is malformed or names a host; F1-RUN-161, it can't be
// listened on.
func Listen(addr string) (sock.Listener, error) {
	a, err := ParseAddress(addr)
	if err != nil {
		return nil, err
	}
	l, err := listen(a)
	if err == nil {
		return l, nil
	}
	e := &abi.Error{Code: CodeListen, What: "the run can't listen there", Where: addr, Hint: "--listen 127.0.0.1:0", Err: err}
	switch err {
	case unix.EADDRINUSE:
		e.What += ": another program listens on this address"
		e.Hint = "ss -ltnp"
	case unix.EADDRNOTAVAIL:
		e.What += ": this machine does not have that address"
		e.Hint = "ip addr"
	case unix.EACCES:
		e.What += ": ports below 1024 need a privilege"
		e.Hint = "--listen " + netip.AddrPortFrom(a.Addr(), 8080).String()
	}
	return nil, e
}

func listen(a netip.AddrPort) (_ *listener, err error) {
	family := unix.AF_INET6
	var sa unix.Sockaddr = &unix.SockaddrInet6{Addr: a.Addr().As16(), Port: int(a.Port())}
	if a.Addr().Is4() {
		family, sa = unix.AF_INET, &unix.SockaddrInet4{Addr: a.Addr().As4(), Port: int(a.Port())}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			unix.Close(fd)
		}
	}()
	// What the last listener of this address left in TIME_WAIT is no obstacle.
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return nil, err
	}
	if family == unix.AF_INET6 { // the address that was named, not the IPv4 ones behind it
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1); err != nil {
			return nil, err
		}
	}
	if err := unix.Bind(fd, sa); err != nil {
		return nil, err
	}
	if err := unix.Listen(fd, backlog); err != nil {
		return nil, err
	}
	if sa, err = unix.Getsockname(fd); err != nil {
		return nil, err
	}
	port := 0
	switch s := sa.(type) {
	case *unix.SockaddrInet4:
		port = s.Port
	case *unix.SockaddrInet6:
		port = s.Port
	}
	return &listener{socket{fd}, netip.AddrPortFrom(a.Addr(), uint16(port)).String()}, nil
}

// WaitSockets is the sock.Waiter of the sockets that Listen and Accept give.
func WaitSockets(what []sock.Interest, d time.Duration, done <-chan struct{}) {
	fds := make([]unix.PollFd, 0, len(what)+1)
	for _, w := range what {
		if s, ok := w.Socket.(interface{ descriptor() int }); ok {
			fds = append(fds, unix.PollFd{Fd: int32(s.descriptor()), Events: events(w.Write)})
		}
	}
	waitAny(fds, d, done)
}

func events(write bool) int16 {
	if write {
		return unix.POLLOUT
	}
	return unix.POLLIN | unix.POLLRDHUP
}

// socket is a descriptor of our own, non-blocking and shared with nobody.
type socket struct{ fd int }

func (s *socket) descriptor() int { return s.fd }

func (s *socket) Close() abi.Errno {
	fd := s.fd
	s.fd = -1 // closed once, also when the descriptor's number is taken again
	if fd < 0 {
		return abi.EBADF
	}
	return errnoOf(unix.Close(fd))
}

// listener implements sock.Listener.
type listener struct {
	socket
	addr string
}

func (l *listener) Addr() string { return l.addr }

func (l *listener) Ready(write bool) sock.Readiness {
	if write { // nothing is ever sent on it: to say so takes no waiting
		return sock.Readiness{Ready: true}
	}
	ready := pollNow(l.fd, unix.POLLIN)
	return sock.Readiness{Ready: ready, Bytes: 1}
}

func (l *listener) Accept() (sock.Connection, abi.Errno) {
	for {
		fd, _, err := unix.Accept4(l.fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		switch err {
		case nil:
			if scarce(fd) {
				unix.Close(fd)
				return nil, abi.ENFILE
			}
			// As every TCP server wants it, and no guest can ask for it.
			_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
			return &connection{socket{fd}}, abi.ESUCCESS
		case unix.EINTR, unix.ECONNABORTED, unix.EPROTO, unix.ENETDOWN, unix.ENETUNREACH, unix.EHOSTUNREACH, unix.EHOSTDOWN, unix.ENONET, unix.ENOPROTOOPT:
			// The connection is gone before it was taken (accept(2)): on to the next.
		default:
			return nil, errnoOf(err)
		}
	}
}

// connection implements sock.Connection.
type connection struct{ socket }

func (c *connection) Ready(write bool) sock.Readiness {
	got := pollOne(c.fd, events(write))
	r := sock.Readiness{Ready: got != 0, Hangup: got&(unix.POLLHUP|unix.POLLERR|unix.POLLRDHUP) != 0}
	switch {
	case write:
		r.Bytes = 1
	case r.Ready:
		if n, err := unix.IoctlGetInt(c.fd, unix.TIOCINQ); err == nil && n > 0 {
			r.Bytes = uint64(n)
		}
	}
	return r
}

func (c *connection) Receive(p []byte, peek bool) (int, abi.Errno) {
	if len(p) == 0 {
		return 0, abi.ESUCCESS
	}
	for {
		var n int
		var err error
		if peek {
			n, _, err = unix.Recvfrom(c.fd, p, unix.MSG_PEEK)
		} else {
			n, err = unix.Read(c.fd, p)
		}
		if err != unix.EINTR {
			return max(n, 0), errnoOf(err)
		}
	}
}

func (c *connection) Send(p []byte) (int, abi.Errno) {
	if len(p) == 0 {
		return 0, abi.ESUCCESS
	}
	for {
		n, err := unix.SendmsgN(c.fd, p, nil, nil, unix.MSG_NOSIGNAL)
		if err != unix.EINTR {
			return max(n, 0), errnoOf(err)
		}
	}
}

func (c *connection) Shutdown(read, write bool) abi.Errno {
	how := unix.SHUT_RDWR
	switch {
	case !write:
		how = unix.SHUT_RD
	case !read:
		how = unix.SHUT_WR
	}
	return errnoOf(unix.Shutdown(c.fd, how))
}
