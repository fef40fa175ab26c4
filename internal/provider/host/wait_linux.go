package host

import (
	"encoding/binary"
	"time"

	"golang.org/x/sys/unix"
)

// waitSlice bounds one poll where nothing can wake it: then done is looked at
// this often.
const waitSlice = 10 * time.Millisecond

// pollNow tells whether fd has one of events, an error, or a hangup.
func pollNow(fd int, events int16) bool { return pollOne(fd, events) != 0 }

// pollOne returns which of events fd has, with errors and hangups.
func pollOne(fd int, events int16) int16 {
	fds := [1]unix.PollFd{{Fd: int32(fd), Events: events}}
	for {
		_, err := unix.Poll(fds[:], 0)
		if err != unix.EINTR {
			return fds[0].Revents
		}
	}
}

// wait waits until pollNow, d has passed (d < 0: never) or done is closed, and
// tells whether it is the first. Should poll itself fail it returns at once.
func wait(fd int, events int16, d time.Duration, done <-chan struct{}) bool {
	if pollNow(fd, events) {
		return true
	}
	return waitAny([]unix.PollFd{{Fd: int32(fd), Events: events}}, d, done)
}

// waitAny waits likewise until one of fds, to which it appends, has what is asked for.
func waitAny(fds []unix.PollFd, d time.Duration, done <-chan struct{}) bool {
	if d == 0 || stopped(done) {
		return false
	}
	start := time.Now()
	w := newWaker(done)
	defer w.close()
	n := len(fds)
	fds = append(fds, unix.PollFd{Fd: int32(w.fd), Events: unix.POLLIN})
	for {
		left := time.Duration(-1)
		if d > 0 {
			left = max(d-time.Since(start), 0)
		}
		slice := left
		if w.blind && (slice < 0 || slice > waitSlice) {
			slice = waitSlice
		}
		var timeout *unix.Timespec
		if slice >= 0 {
			t := unix.NsecToTimespec(int64(slice))
			timeout = &t
		}
		_, err := unix.Ppoll(fds, timeout, nil)
		if err != nil && err != unix.EINTR {
			return false
		}
		for i := range fds[:n] {
			if err == nil && fds[i].Revents != 0 {
				return true
			}
		}
		if stopped(done) || left == 0 {
			return false
		}
	}
}

// waker makes a descriptor readable when done is closed. It lives for one wait,
// so that nothing is left behind by a stream that is dropped.
type waker struct {
	fd    int  // −1: there is nothing to poll
	blind bool // done is to be watched, and can't be
	quit  chan struct{}
	gone  chan struct{}
}

func newWaker(done <-chan struct{}) *waker {
	if done == nil {
		return &waker{fd: -1}
	}
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return &waker{fd: -1, blind: true}
	}
	w := &waker{fd: fd, quit: make(chan struct{}), gone: make(chan struct{})}
	go func() {
		defer close(w.gone)
		select {
		case <-done:
			var one [8]byte
			binary.NativeEndian.PutUint64(one[:], 1)
			// A fresh eventfd takes a 1 without waiting.
			_, _ = unix.Write(w.fd, one[:])
		case <-w.quit:
		}
	}()
	return w
}

func (w *waker) close() {
	if w.fd < 0 {
		return
	}
	close(w.quit)
	<-w.gone
	unix.Close(w.fd)
}
