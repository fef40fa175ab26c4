package host

import (
	"io"
	"time"

	"github.com/forgeone/forgeone/abi"
)

// Stream is standard input, output or error of a run: one direction of bytes
// without a position. It is safe for concurrent use; what concurrent calls read
// or write is theirs in no particular order.
//
// done, where a method takes it, is closed when the run is told to stop, and
// may be nil. A method that waits then returns within a few milliseconds.
type Stream struct{ end end }

// end is what is behind a stream; the methods are those of Stream.
type end interface {
	Read(p []byte, done <-chan struct{}) (int, abi.Errno)
	Write(p []byte, done <-chan struct{}) (int, abi.Errno)
	WaitReady(write bool, d time.Duration, done <-chan struct{}) bool
	Type() abi.Filetype
	Close()
}

// Read reads what there is into p, waiting for at least one byte. 0 with
// ESUCCESS is the end of the stream.
//
// Errors: EINTR, done is closed, and nothing was taken from the stream; EBADF,
// the stream is an output; else the host's.
func (s *Stream) Read(p []byte, done <-chan struct{}) (int, abi.Errno) { return s.end.Read(p, done) }

// Write writes all of p. Where something stops it midway it returns how much
// was taken, with ESUCCESS; the next call then answers why.
//
// Errors: EINTR, done is closed; EPIPE, nobody reads any more; EBADF, the stream
// is an input; else the host's.
func (s *Stream) Write(p []byte, done <-chan struct{}) (int, abi.Errno) { return s.end.Write(p, done) }

// Ready tells whether Read, or Write if write, would answer without waiting, be
// it with an error or the end.
func (s *Stream) Ready(write bool) bool { return s.end.WaitReady(write, 0, nil) }

// WaitReady waits until Ready(write), done is closed or d has passed (d < 0:
// forever), and tells whether it is ready.
func (s *Stream) WaitReady(write bool, d time.Duration, done <-chan struct{}) bool {
	return s.end.WaitReady(write, d, done)
}

// Type returns the kind of file behind the stream. A terminal is a character device;
// what has no position, whatever else it is, is unknown.
func (s *Stream) Type() abi.Filetype { return s.end.Type() }

// Placed tells whether the stream has a size and a position: it is a redirected file, or
// a device that is no terminal.
func (s *Stream) Placed() bool {
	p, ok := s.end.(*stdio)
	return ok && p.placed
}

// Stat describes what a placed stream is of: its kind, size and times.
func (s *Stream) Stat() (abi.Filestat, abi.Errno) {
	if p, ok := s.end.(*stdio); ok {
		return p.stat()
	}
	return abi.Filestat{}, abi.EBADF
}

// SeekTo moves the position of a placed stream by the rules of fd_seek, and returns it.
//
// Errors: EINVAL, it would lie before where the stream was made, or the file begins; else
// the host's.
func (s *Stream) SeekTo(off int64, whence uint8) (int64, abi.Errno) {
	if p, ok := s.end.(*stdio); ok && p.placed {
		return p.seek(off, whence)
	}
	return 0, abi.ESPIPE
}

// Close releases what the stream itself has opened, never the file, reader or
// writer it was made from. Nothing may be called during or after it. Forgetting
// it leaks nothing once the stream is garbage.
func (s *Stream) Close() { s.end.Close() }

// NewReader makes an input of r, for a program that embeds runs.
//
// The stream reads r in a goroutine of its own, one Read at a time and only
// when asked for bytes or readiness, up to 32 KiB ahead. r belongs to the
// stream until nothing waits for it: a Read of r that blocks when the run stops
// goes on until r returns, and its bytes go to the stream's next Read.
func NewReader(r io.Reader) *Stream { return &Stream{end: &source{r: r}} }

// NewWriter makes an output of w, for a program that embeds runs.
//
// The stream writes a copy to w in a goroutine of its own, one Write at a time,
// and waits for it. A Write to w that blocks when the run stops goes on until w
// returns; its bytes, at most 64 KiB, may still arrive then.
func NewWriter(w io.Writer) *Stream { return &Stream{end: &sink{w: w}} }

// stopped tells whether done is closed.
func stopped(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}
