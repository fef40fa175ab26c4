package host

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/forgeone/forgeone/abi"
)

func TestReader(t *testing.T) {
	text := strings.Repeat("all of this text ", 10_000)
	for what, r := range map[string]io.Reader{
		"plain": strings.NewReader(text), "one byte": iotest.OneByteReader(strings.NewReader(text[:500])),
		"data with error": iotest.DataErrReader(strings.NewReader(text)), "half": iotest.HalfReader(strings.NewReader(text)),
	} {
		s := NewReader(r)
		var got bytes.Buffer
		p := make([]byte, 777)
		for {
			n, e := s.Read(p, make(chan struct{}))
			must(t, e)
			if n == 0 {
				break
			}
			got.Write(p[:n])
		}
		if !strings.HasPrefix(text, got.String()) || (what != "one byte" && got.Len() != len(text)) || got.Len() < 500 {
			t.Errorf("%s: %d bytes", what, got.Len())
		}
		if n, e := s.Read(p, nil); n != 0 || e != 0 || !s.Ready(false) {
			t.Errorf("%s: after the end: %d %v", what, n, e)
		}
		if _, e := s.Write(p, nil); e != abi.EBADF || s.Type() != abi.FiletypeUnknown || !s.Ready(true) {
			t.Errorf("%s: %v", what, e)
		}
		s.Close()
	}
}

// never returns nothing at all, always.
type never struct{}

func (never) Read([]byte) (int, error) { return 0, nil }

func TestReaderErrors(t *testing.T) {
	for what, c := range map[string]struct {
		r io.Reader
		e abi.Errno
	}{
		"other":     {iotest.ErrReader(errors.New("x")), abi.EIO},
		"closed":    {iotest.ErrReader(fmt.Errorf("wrapped: %w", fs.ErrClosed)), abi.EBADF},
		"pipe":      {iotest.ErrReader(io.ErrClosedPipe), abi.EPIPE},
		"system":    {iotest.ErrReader(&fs.PathError{Op: "read", Path: "x", Err: syscall.EIO}), abi.EIO},
		"truncated": {iotest.ErrReader(io.ErrUnexpectedEOF), abi.EIO},
		"never":     {never{}, abi.EIO},
		"end":       {iotest.ErrReader(io.EOF), 0},
	} {
		s := NewReader(c.r)
		for range 2 {
			n, e := s.Read(make([]byte, 9), nil)
			want(t, what, e, c.e)
			if n != 0 {
				t.Errorf("%s: %d bytes", what, n)
			}
		}
	}
	// An error after bytes comes after the bytes.
	s := NewReader(io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(errors.New("x"))))
	p := make([]byte, 9)
	if n, e := s.Read(p, nil); n != 3 || e != 0 {
		t.Error(n, e)
	}
	if n, e := s.Read(p, nil); n != 0 || e != abi.EIO {
		t.Error(n, e)
	}
}

func TestReaderCancelled(t *testing.T) {
	r, w := io.Pipe()
	s := NewReader(r)
	p := make([]byte, 9)
	if n, e := s.Read(p, pumpDelay()); n != 0 || e != abi.EINTR {
		t.Error(n, e)
	}
	if s.Ready(false) || s.WaitReady(false, -1, pumpDelay()) || s.WaitReady(false, time.Millisecond, nil) {
		t.Error("ready")
	}
	go w.Write([]byte("late"))
	if !s.WaitReady(false, -1, make(chan struct{})) || !s.Ready(false) {
		t.Error("not ready")
	}
	// What the abandoned read got is not lost.
	if n, e := s.Read(p[:2], nil); string(p[:n]) != "la" || e != 0 {
		t.Errorf("%q %v", p[:n], e)
	}
	if n, e := s.Read(p, nil); string(p[:n]) != "te" || e != 0 {
		t.Errorf("%q %v", p[:n], e)
	}
	if n, e := s.Read(nil, nil); n != 0 || e != 0 {
		t.Error(n, e)
	}
	stopped := make(chan struct{})
	close(stopped)
	if _, e := s.Read(p, stopped); e != abi.EINTR {
		t.Error(e)
	}
	w.Close()
	if n, e := s.Read(p, nil); n != 0 || e != 0 {
		t.Error(n, e)
	}
}

func pumpDelay() <-chan struct{} {
	done := make(chan struct{})
	time.AfterFunc(10*time.Millisecond, func() { close(done) })
	return done
}

// gate is a writer that waits for leave.
type gate struct {
	mu    sync.Mutex
	got   bytes.Buffer
	leave chan struct{}
}

func (g *gate) Write(p []byte) (int, error) {
	<-g.leave
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.got.Write(p)
}

func TestWriter(t *testing.T) {
	var buf bytes.Buffer
	s := NewWriter(&buf)
	text := strings.Repeat("0123456789", 20_000)
	if n, e := s.Write([]byte(text), make(chan struct{})); n != len(text) || e != 0 {
		t.Error(n, e)
	}
	if n, e := s.Write(nil, nil); n != 0 || e != 0 {
		t.Error(n, e)
	}
	if buf.String() != text {
		t.Errorf("%d bytes", buf.Len())
	}
	if _, e := s.Read(make([]byte, 1), nil); e != abi.EBADF || !s.Ready(true) || !s.Ready(false) || s.Type() != abi.FiletypeUnknown {
		t.Error(e)
	}
	s.Close()

	g := &gate{leave: make(chan struct{})}
	s = NewWriter(g)
	if n, e := s.Write([]byte("first "), pumpDelay()); n != 0 || e != abi.EINTR {
		t.Error(n, e)
	}
	if s.Ready(true) || s.WaitReady(true, time.Millisecond, nil) || s.WaitReady(true, -1, pumpDelay()) {
		t.Error("ready while a write is under way")
	}
	if n, e := s.Write([]byte("never "), pumpDelay()); n != 0 || e != abi.EINTR {
		t.Error(n, e)
	}
	close(g.leave)
	p := []byte("second")
	if n, e := s.Write(p, make(chan struct{})); n != 6 || e != 0 {
		t.Error(n, e)
	}
	if !s.WaitReady(true, -1, nil) {
		t.Error("not ready")
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.got.String() != "first second" {
		t.Errorf("%q", g.got.String())
	}
}

// writer answers what it is told to.
type writer struct {
	n   int
	err error
}

func (w writer) Write([]byte) (int, error) { return w.n, w.err }

func TestWriterErrors(t *testing.T) {
	for what, c := range map[string]struct {
		w writer
		n int
		e abi.Errno
	}{
		"closed pipe": {writer{0, io.ErrClosedPipe}, 0, abi.EPIPE},
		"partly":      {writer{2, errors.New("x")}, 2, 0},
		"short":       {writer{2, nil}, 2, 0},
		"nothing":     {writer{0, nil}, 0, abi.EIO},
		"negative":    {writer{-1, nil}, 0, abi.EIO},
		"too much":    {writer{99, nil}, 0, abi.EIO},
		"all":         {writer{4, nil}, 4, 0},
	} {
		n, e := NewWriter(c.w).Write([]byte("four"), nil)
		want(t, what, e, c.e)
		if n != c.n {
			t.Errorf("%s: %d", what, n)
		}
	}
}
