package host

import (
	"encoding/binary"
	"time"

	"golang.org/x/sys/unix"

	"github.com/forgeone/forgeone/internal/provider/sock"
)

// waitSlice bounds one poll where nothing can wake it: then done is looked at
// this often.
const waitSlice = 10 * time.Millisecond

// ppoll is the one call that waits for descriptors; tests have it fail.
type ppoll func(fds []unix.PollFd, timeout *unix.Timespec) (int, error)

func system(fds []unix.PollFd, timeout *unix.Timespec) (int, error) {
	return unix.Ppoll(fds, timeout, nil)
}

// pollNow tells whether fd has one of events, an error, or a hangup.
func pollNow(fd int, events int16) bool { return pollOne(fd, events) != 0 }

// pollOne returns which of events fd has, with errors and hangups.
func pollOne(fd int, events int16) int16 {
	fds := [1]unix.PollFd{{Fd: int32(fd), Events: events}}
	for range 10 { // more signals than that are no accident
		if _, err := unix.Poll(fds[:], 0); err != unix.EINTR {
			break
		}
	}
	return fds[0].Revents
}

// wait waits until pollNow, d has passed (d < 0: never) or done is closed, and
// tells whether it is the first.
func wait(fd int, events int16, d time.Duration, done <-chan struct{}) bool {
	if pollNow(fd, events) {
		return true
	}
	if d == 0 {
		return false
	}
	return waitAny([]unix.PollFd{{Fd: int32(fd), Events: events}}, d, done)
}

// waitAny waits likewise until one of fds has what is asked for. A wait that the system
// refuses, because they are too many or memory is short, is made of pauses.
func waitAny(fds []unix.PollFd, d time.Duration, done <-chan struct{}) bool {
	return ppoll(system).any(fds, d, done)
}

func (poll ppoll) any(fds []unix.PollFd, d time.Duration, done <-chan struct{}) bool {
	if d == 0 || stopped(done) {
		return false
	}
	start := time.Now()
	w := newWaker(done)
	defer w.close()
	fds = append(merged(fds), unix.PollFd{Fd: int32(w.fd), Events: unix.POLLIN})
	n := len(fds) - 1
	var interrupted sock.Turns
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
		_, err := poll(fds, timeout)
		for i := range fds[:n] {
			got := fds[i].Revents
			if err != nil {
				got = pollOne(int(fds[i].Fd), fds[i].Events)
			}
			if got != 0 {
				return true
			}
		}
		switch err {
		case nil:
		case unix.EINTR:
			interrupted.Next(left, done)
		default:
			pause(left, done)
		}
		if stopped(done) || left == 0 {
			return false
		}
	}
}

// pause pauses for a slice, or for d if that is shorter (d < 0: never), or until done is
// closed.
func pause(d time.Duration, done <-chan struct{}) {
	if d < 0 || d > waitSlice {
		d = waitSlice
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-done:
	}
}

// merged returns fds with each descriptor once: the system takes only so many.
func merged(fds []unix.PollFd) []unix.PollFd {
	if len(fds) == 1 {
		return append(make([]unix.PollFd, 0, 2), fds[0])
	}
	at := make(map[int32]int, len(fds))
	out := make([]unix.PollFd, 0, len(fds)+1)
	for _, f := range fds {
		if i, known := at[f.Fd]; known {
			out[i].Events |= f.Events
			continue
		}
		at[f.Fd] = len(out)
		out = append(out, f)
	}
	return out
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
