package conform

import (
	"errors"
	"time"

	"github.com/forgeone/forgeone/abi"
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
