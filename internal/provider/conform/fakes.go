package conform

import (
	"errors"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/sock"
)

var errDry = errors.New("dry")

// clock stands still, and has the two clocks that a host has.
type clock struct{}

func (clock) Now(id uint32) (uint64, abi.Errno) {
	if id > abi.ClockMonotonic {
		return 0, abi.EINVAL
	}
	return 1_000_000_000, 0
}

func (clock) Resolution(id uint32) (uint64, abi.Errno) {
	if id > abi.ClockMonotonic {
		return 0, abi.EINVAL
	}
	return 1, 0
}

// stream is stdin, on which nothing ever comes, or stdout.
type stream struct {
	f       *Fixture
	blocked bool
}

func (s *stream) Ready(bool) bool    { return !s.blocked && !s.f.Full }
func (s *stream) Type() abi.Filetype { return abi.FiletypeCharacterDevice }

func (s *stream) Read(p []byte, done <-chan struct{}) (int, abi.Errno) { return s.Write(p, done) }

func (s *stream) Write(p []byte, done <-chan struct{}) (int, abi.Errno) {
	if !s.Ready(true) {
		<-done
		return 0, abi.EINTR
	}
	return len(p), 0
}

func (s *stream) WaitReady(_ bool, d time.Duration, done <-chan struct{}) bool {
	if s.Ready(true) {
		return true
	}
	var timer <-chan time.Time
	if d >= 0 {
		timer = time.After(d)
	}
	select {
	case <-timer:
	case <-done:
	}
	return false
}

// Peer is what the other ends of connections do.
type Peer int

// Peers.
const (
	Talkative Peer = iota // always sends, takes all, and another connects at once
	Silent                // does nothing at all
	Reset                 // has reset the connection
	Gone                  // has closed it
)

// socket is what listeners and connections have in common.
type socket struct{ f *Fixture }

func (s socket) Ready(bool) sock.Readiness { return sock.Readiness{Ready: s.f.Peer != Silent} }
func (s socket) Close() abi.Errno          { return 0 }

type listener socket

func (l listener) Ready(write bool) sock.Readiness { return socket(l).Ready(write) }
func (l listener) Close() abi.Errno                { return 0 }
func (l listener) Addr() string                    { return "127.0.0.1:1" }

func (l listener) Accept() (sock.Connection, abi.Errno) {
	if l.f.Peer == Silent {
		return nil, abi.EAGAIN
	}
	return connection{socket(l)}, 0
}

type connection struct{ socket }

func (c connection) Receive(p []byte, _ bool) (int, abi.Errno) {
	switch c.f.Peer {
	case Silent:
		return 0, abi.EAGAIN
	case Reset:
		return 0, abi.ECONNRESET
	case Gone:
		return 0, 0
	}
	return copy(p, "some"), 0
}

func (c connection) Send(p []byte) (int, abi.Errno) {
	switch c.f.Peer {
	case Silent:
		return 0, abi.EAGAIN
	case Reset:
		return 0, abi.ECONNRESET
	case Gone:
		return 0, abi.EPIPE
	}
	return len(p), 0
}

func (c connection) Shutdown(bool, bool) abi.Errno {
	if c.f.Peer != Talkative {
		return abi.ENOTCONN
	}
	return 0
}

func waitSockets(_ []sock.Interest, d time.Duration, done <-chan struct{}) {
	if d < 0 {
		<-done
	}
}
