package conform

import "github.com/forgeone/forgeone/abi"

// peer makes the other ends do what p says.
func peer(p Peer) func(*Fixture) { return func(f *Fixture) { f.Peer = p } }

// silent has the other ends do nothing, and says so of fd: nonblocking, or with
// the run told to stop.
func silent(fd int, stop bool) func(*Fixture) {
	return func(f *Fixture) {
		f.Peer = Silent
		flags := abi.FDFlagNonblock
		if stop {
			flags = 0
			close(f.Done)
		}
		f.OK(abi.FdFdstatSetFlags, fd, flags)
	}
}

func socketCases() []Case {
	full := func(f *Fixture) {
		for f.Call(abi.SockAccept, Listener, 0).Errno == 0 {
		}
	}
	const all = abi.ShutRead | abi.ShutWrite
	return []Case{
		{Num: abi.FdClose, Name: "listener", Args: args{Listener}},
		{Num: abi.FdFdstatGet, Name: "connection", Args: args{Conn}},
		{Num: abi.FdFdstatSetFlags, Name: "connection", Args: args{Conn, abi.FDFlagNonblock}},
		{Num: abi.FdFdstatSetFlags, Errno: abi.ENOTSUP, Name: "listener", Args: args{Listener, abi.FDFlagSync}},
		{Num: abi.FdFilestatGet, Name: "listener", Args: args{Listener}},
		{Num: abi.FdRenumber, Name: "connection", Args: args{Conn, Listener}},
		{Num: abi.FdSeek, Errno: abi.ESPIPE, Name: "connection", Args: args{Conn, 0, 0}},
		{Num: abi.FdPrestatGet, Errno: abi.EBADF, Name: "listener", Args: args{Listener}},
		{Num: abi.FdReaddir, Errno: abi.ENOTDIR, Name: "connection", Args: args{Conn, Room(99), 0}},

		{Num: abi.FdRead, Name: "connection", Args: args{Conn, Room(20)}},
		{Num: abi.FdRead, Errno: abi.EAGAIN, Name: "connection", Args: args{Conn, Room(20)}, Setup: silent(Conn, false)},
		{Num: abi.FdRead, Errno: abi.ECONNRESET, Name: "connection", Args: args{Conn, Room(20)}, Setup: peer(Reset)},
		{Num: abi.FdRead, Errno: abi.ENOTCONN, Name: "listener", Args: args{Listener, Room(20)}},
		{Num: abi.FdRead, Errno: abi.ENOTCAPABLE, Name: "connection", Args: args{MuteConn, Room(20)}},
		{Num: abi.FdWrite, Name: "connection", Args: args{Conn, "x"}},
		{Num: abi.FdWrite, Errno: abi.EAGAIN, Name: "connection", Args: args{Conn, "x"}, Setup: silent(Conn, false)},
		{Num: abi.FdWrite, Errno: abi.ECONNRESET, Name: "connection", Args: args{Conn, "x"}, Setup: peer(Reset)},
		{Num: abi.FdWrite, Errno: abi.EPIPE, Name: "connection", Args: args{Conn, "x"}, Setup: peer(Gone)},
		{Num: abi.FdWrite, Errno: abi.ENOTCONN, Name: "listener", Args: args{Listener, "x"}},
		{Num: abi.FdWrite, Errno: abi.ENOTCAPABLE, Name: "connection", Args: args{MuteConn, "x"}},

		{Num: abi.SockAccept, Name: "connection", Args: args{Listener, 0}},
		{Num: abi.SockAccept, Name: "nonblocking", Args: args{Listener, abi.FDFlagNonblock}},
		{Num: abi.SockAccept, Errno: abi.EAGAIN, Name: "none there", Args: args{Listener, 0}, Setup: peer(Silent)},
		{Num: abi.SockAccept, Errno: abi.EBADF, Name: "none", Args: args{None, 0}},
		{Num: abi.SockAccept, Errno: abi.EINTR, Name: "stopped", Args: args{Listener, 0}, Setup: silent(Listener, true)},
		{Num: abi.SockAccept, Errno: abi.EINVAL, Name: "flags", Args: args{Listener, 1 << 5}},
		{Num: abi.SockAccept, Errno: abi.EINVAL, Name: "connection", Args: args{Conn, 0}},
		{Num: abi.SockAccept, Errno: abi.EMFILE, Name: "full", Args: args{Listener, 0}, Setup: full},
		{Num: abi.SockAccept, Errno: abi.ENOTSOCK, Name: "file", Args: args{File, 0}},
		{Num: abi.SockAccept, Errno: abi.ENOTSUP, Name: "flags", Args: args{Listener, abi.FDFlagSync}},
		{Num: abi.SockAccept, Errno: abi.ENOTCAPABLE, Name: "no right", Args: args{MuteListener, 0}},

		{Num: abi.SockRecv, Name: "some", Args: args{Conn, Room(9), 0}},
		{Num: abi.SockRecv, Name: "peek", Args: args{Conn, Room(9), abi.RecvPeek}},
		{Num: abi.SockRecv, Name: "all", Args: args{Conn, Room(9), abi.RecvWaitall}},
		{Num: abi.SockRecv, Name: "the end", Args: args{Conn, Room(9), abi.RecvWaitall}, Setup: peer(Gone)},
		{Num: abi.SockRecv, Errno: abi.EAGAIN, Name: "nothing", Args: args{Conn, Room(9), 0}, Setup: silent(Conn, false)},
		{Num: abi.SockRecv, Errno: abi.EBADF, Name: "none", Args: args{None, Room(9), 0}},
		{Num: abi.SockRecv, Errno: abi.ECONNRESET, Name: "reset", Args: args{Conn, Room(9), 0}, Setup: peer(Reset)},
		{Num: abi.SockRecv, Errno: abi.EINTR, Name: "stopped", Args: args{Conn, Room(9), abi.RecvPeek}, Setup: silent(Conn, true)},
		{Num: abi.SockRecv, Errno: abi.EINVAL, Name: "flags", Args: args{Conn, Room(9), 4}},
		{Num: abi.SockRecv, Errno: abi.ENOTCONN, Name: "listener", Args: args{Listener, Room(9), 0}},
		{Num: abi.SockRecv, Errno: abi.ENOTSOCK, Name: "file", Args: args{File, Room(9), 0}},
		{Num: abi.SockRecv, Errno: abi.ENOTCAPABLE, Name: "no right", Args: args{MuteConn, Room(9), 0}},

		{Num: abi.SockSend, Name: "some", Args: args{Conn, "x", 0}},
		{Num: abi.SockSend, Errno: abi.EAGAIN, Name: "no room", Args: args{Conn, "x", 0}, Setup: silent(Conn, false)},
		{Num: abi.SockSend, Errno: abi.EBADF, Name: "none", Args: args{None, "x", 0}},
		{Num: abi.SockSend, Errno: abi.ECONNRESET, Name: "reset", Args: args{Conn, "x", 0}, Setup: peer(Reset)},
		{Num: abi.SockSend, Errno: abi.EINTR, Name: "stopped", Args: args{Conn, "x", 0}, Setup: silent(Conn, true)},
		{Num: abi.SockSend, Errno: abi.EINVAL, Name: "flags", Args: args{Conn, "x", 1}},
		{Num: abi.SockSend, Errno: abi.ENOTCONN, Name: "listener", Args: args{Listener, "x", 0}},
		{Num: abi.SockSend, Errno: abi.ENOTSOCK, Name: "stream", Args: args{Stdout, "x", 0}},
		{Num: abi.SockSend, Errno: abi.EPIPE, Name: "gone", Args: args{Conn, "x", 0}, Setup: peer(Gone)},
		{Num: abi.SockSend, Errno: abi.ENOTCAPABLE, Name: "no right", Args: args{MuteConn, "x", 0}},

		{Num: abi.SockShutdown, Name: "both ways", Args: args{Conn, all}},
		{Num: abi.SockShutdown, Errno: abi.EBADF, Name: "none", Args: args{None, 1}},
		{Num: abi.SockShutdown, Errno: abi.EINVAL, Name: "neither way", Args: args{Conn, 0}},
		{Num: abi.SockShutdown, Errno: abi.EINVAL, Name: "unknown way", Args: args{Conn, all + 1}},
		{Num: abi.SockShutdown, Errno: abi.ENOTCONN, Name: "gone", Args: args{Conn, all}, Setup: peer(Gone)},
		{Num: abi.SockShutdown, Errno: abi.ENOTCONN, Name: "listener", Args: args{Listener, all}},
		{Num: abi.SockShutdown, Errno: abi.ENOTSOCK, Name: "folder", Args: args{Dir, 1}},
		{Num: abi.SockShutdown, Errno: abi.ENOTCAPABLE, Name: "no right", Args: args{MuteConn, 1}},
	}
}
