// Package sock is the one interface between a run's world and the sockets it
// was given: what listens, what is connected, and one way to wait for any of
// them. Nothing in it blocks but Waiter.
package sock

import (
	"time"

	"github.com/forgeone/forgeone/abi"
)

// Socket is what listeners and connections have in common. It belongs to the
// thread that runs the guest.
type Socket interface {
	// Ready tells whether accepting or receiving (write: sending) would answer at
	// once, be it with an error or the end.
	Ready(write bool) Readiness
	// Close closes the socket and never waits for a peer: what was sent is still
	// delivered.
	Close() abi.Errno
}

// Readiness is what is known of a socket without waiting.
type Readiness struct {
	Ready bool
	// Hangup says that the peer has closed or is gone.
	Hangup bool
	// Bytes is how many can be received; where sending is asked for, and for a
	// listener, at least that many things can be done.
	Bytes uint64
}

// Listener accepts connections.
type Listener interface {
	Socket
	// Addr is what it listens on, with the port that was chosen: "127.0.0.1:8080",
	// "[::1]:8080".
	Addr() string
	// Accept takes a connection that waits. Errors: EAGAIN, there is none; EMFILE,
	// ENFILE, ENOBUFS, ENOMEM, the host has no room; else the host's.
	Accept() (Connection, abi.Errno)
}

// Connection is a connected stream of bytes in both directions.
type Connection interface {
	Socket
	// Receive reads what there is into p, at least one byte; with peek it stays
	// there. 0 with ESUCCESS is the end, or p is empty. Errors: EAGAIN, there is
	// nothing yet; ECONNRESET; else the host's.
	Receive(p []byte, peek bool) (int, abi.Errno)
	// Send takes as much of p as there is room for, at least one byte. Errors:
	// EAGAIN, there is no room; EPIPE, the way is shut; ECONNRESET; else the host's.
	Send(p []byte) (int, abi.Errno)
	// Shutdown shuts one or both ways. Errors: ENOTCONN, the peer is gone.
	Shutdown(read, write bool) abi.Errno
}

// Interest is one thing to wait for.
type Interest struct {
	Socket Socket
	Write  bool
}

// Waiter waits until one of those in what is ready, d has passed (d < 0: for
// ever) or done is closed; it may return early. All sockets are of one provider.
type Waiter func(what []Interest, d time.Duration, done <-chan struct{})
