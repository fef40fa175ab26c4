package host

import (
	"errors"
	"io"
	"io/fs"
	"sync"
	"syscall"
	"time"

	"github.com/forgeone/forgeone/abi"
)

const (
	sourceBuffer = 32 << 10
	sinkBuffer   = 64 << 10
	// emptyReads is how often in a row a reader may return nothing at all.
	emptyReads = 100
)

// source is an input over an io.Reader.
type source struct {
	r io.Reader

	mu    sync.Mutex
	buf   []byte        // the fetch's, then data's
	data  []byte        // read ahead, not yet taken
	err   error         // what ended r; stays
	fetch chan struct{} // closed when the fetch under way ends; nil if there is none
}

// Read takes from what was fetched, fetching more where nothing is left.
func (s *source) Read(p []byte, done <-chan struct{}) (int, abi.Errno) {
	if len(p) == 0 {
		return 0, abi.ESUCCESS
	}
	for !stopped(done) {
		s.mu.Lock()
		switch {
		case len(s.data) > 0:
			n := copy(p, s.data)
			s.data = s.data[n:]
			s.mu.Unlock()
			return n, abi.ESUCCESS
		case s.err != nil:
			s.mu.Unlock()
			return 0, errnoOfIO(s.err)
		}
		fetched := s.start()
		s.mu.Unlock()
		select {
		case <-fetched:
		case <-done:
		}
	}
	return 0, abi.EINTR
}

// start begins a fetch unless one is under way. The caller holds mu and has
// found no data and no error.
func (s *source) start() <-chan struct{} {
	if s.fetch == nil {
		s.fetch = make(chan struct{})
		if s.buf == nil {
			s.buf = make([]byte, sourceBuffer)
		}
		go s.run(s.buf, s.fetch)
	}
	return s.fetch
}

func (s *source) run(buf []byte, fetched chan struct{}) {
	n, err := 0, error(nil)
	for range emptyReads {
		if n, err = s.r.Read(buf); n != 0 || err != nil {
			break
		}
	}
	if n == 0 && err == nil {
		err = io.ErrNoProgress
	}
	s.mu.Lock()
	s.data, s.err, s.fetch = buf[:n], err, nil
	s.mu.Unlock()
	close(fetched)
}

// WaitReady starts a fetch where nothing is known, so that asking again finds out.
func (s *source) WaitReady(write bool, d time.Duration, done <-chan struct{}) bool {
	if write {
		return true
	}
	s.mu.Lock()
	if len(s.data) > 0 || s.err != nil {
		s.mu.Unlock()
		return true
	}
	fetched := s.start()
	s.mu.Unlock()
	return await(fetched, d, done)
}

func (s *source) Write([]byte, <-chan struct{}) (int, abi.Errno) { return 0, abi.EBADF }
func (s *source) Type() abi.Filetype                             { return abi.FiletypeUnknown }
func (s *source) Close()                                         {}

// sink is an output over an io.Writer.
type sink struct {
	w io.Writer

	mu  sync.Mutex
	buf []byte // the running job's
	job *job   // the running one, or nil
}

// job is one Write of w. n and err are set before finished is closed.
type job struct {
	finished chan struct{}
	n        int
	err      error
}

func (s *sink) Write(p []byte, done <-chan struct{}) (int, abi.Errno) {
	total := 0
	for total < len(p) {
		j := s.begin(p[total:min(len(p), total+sinkBuffer)], done)
		if j == nil {
			break
		}
		select {
		case <-j.finished:
		case <-done:
			return partly(total, abi.EINTR)
		}
		total += j.n
		if j.err != nil {
			return partly(total, errnoOfIO(j.err))
		}
	}
	if total < len(p) {
		return partly(total, abi.EINTR)
	}
	return total, abi.ESUCCESS
}

// begin starts writing p, once the job before, if it outlived its call, has
// ended. It returns nil when done is closed.
func (s *sink) begin(p []byte, done <-chan struct{}) *job {
	for !stopped(done) {
		s.mu.Lock()
		before := s.job
		if before == nil {
			s.buf = append(s.buf[:0], p...)
			s.job = &job{finished: make(chan struct{})}
			go s.run(s.job, s.buf)
			j := s.job
			s.mu.Unlock()
			return j
		}
		s.mu.Unlock()
		select {
		case <-before.finished:
		case <-done:
		}
	}
	return nil
}

func (s *sink) run(j *job, p []byte) {
	n, err := s.w.Write(p)
	if n < 0 || n > len(p) {
		n, err = 0, io.ErrShortWrite
	}
	if n < len(p) && err == nil {
		err = io.ErrShortWrite
	}
	j.n, j.err = n, err
	s.mu.Lock()
	s.job = nil
	s.mu.Unlock()
	close(j.finished)
}

func (s *sink) WaitReady(write bool, d time.Duration, done <-chan struct{}) bool {
	s.mu.Lock()
	j := s.job
	s.mu.Unlock()
	return !write || j == nil || await(j.finished, d, done)
}

func (s *sink) Read([]byte, <-chan struct{}) (int, abi.Errno) { return 0, abi.EBADF }
func (s *sink) Type() abi.Filetype                            { return abi.FiletypeUnknown }
func (s *sink) Close()                                        {}

// partly is the answer of a write that took n bytes before e.
func partly(n int, e abi.Errno) (int, abi.Errno) {
	if n > 0 {
		return n, abi.ESUCCESS
	}
	return 0, e
}

// await waits for c, done or d, and tells whether it was c.
func await(c <-chan struct{}, d time.Duration, done <-chan struct{}) bool {
	var timeout <-chan time.Time
	if d >= 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		timeout = t.C
	}
	select {
	case <-c:
	case <-done:
	case <-timeout:
	}
	return stopped(c)
}

// errnoOfIO translates what a reader or writer returned. The end of a reader is
// no error.
func errnoOfIO(err error) abi.Errno {
	var n syscall.Errno
	switch {
	case errors.Is(err, io.EOF):
		return abi.ESUCCESS
	case errors.As(err, &n):
		return errnoOf(n)
	case errors.Is(err, io.ErrClosedPipe):
		return abi.EPIPE
	case errors.Is(err, fs.ErrClosed):
		return abi.EBADF
	}
	return abi.EIO
}
