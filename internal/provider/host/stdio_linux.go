package host

import (
	"math"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/sock"
)

// pipeBuf is what a pipe that polls writable takes without waiting (PIPE_BUF).
const pipeBuf = 4096

// NewStdin makes an input of f. f must stay open as long as the stream is used;
// the stream reads from it directly and leaves its flags alone. A nil or closed
// f makes a stream whose every call answers EBADF.
func NewStdin(f *os.File) *Stream { return newStdio(f, false) }

// NewStdout makes an output of f, with the same terms as NewStdin. A reader
// that has gone away is the errno EPIPE and never a signal.
func NewStdout(f *os.File) *Stream { return newStdio(f, true) }

// stdio is one direction of a descriptor.
//
// The descriptor may be shared with other processes and must not become
// non-blocking, yet no call may block past the run's end. So pipes, sockets and
// devices are asked with RWF_NOWAIT, for this call only. What does not know that flag is
// polled first and then given no more than it is sure to take.
type stdio struct {
	file   *os.File // kept from being closed by the garbage collector
	fd     int
	out    bool
	typ    abi.Filetype
	plain  bool        // a regular file: it never makes wait
	placed bool        // it has a position
	start  int64       // which was this when the stream was made
	free   bool        // the descriptor is ours and non-blocking
	nowait atomic.Bool // RWF_NOWAIT is not known to be missing
	drop   runtime.Cleanup
}

func newStdio(f *os.File, out bool) *Stream {
	s := &stdio{file: f, fd: fdOf(f), out: out}
	var st unix.Stat_t
	if fstat(s.fd, &st) != nil {
		s.fd, s.plain = -1, true
		return &Stream{end: s}
	}
	typ := filetype(uint32(st.Mode))
	s.plain = typ == abi.FiletypeRegularFile || typ == abi.FiletypeDirectory
	s.nowait.Store(!s.plain)
	// What is neither a terminal nor has a position is unknown, as a pipe is: libc takes a
	// device without a position for a terminal, and a file without one for an empty one.
	switch typ {
	case abi.FiletypeRegularFile:
		s.place(typ)
	case abi.FiletypeSocketStream:
		s.typ = typ
		if t, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_TYPE); err == nil && t == unix.SOCK_DGRAM {
			s.typ = abi.FiletypeSocketDgram
		}
	case abi.FiletypeCharacterDevice:
		if _, err := unix.IoctlGetTermios(s.fd, unix.TCGETS); err != nil {
			s.place(typ)
			break
		}
		if s.typ = typ; !s.reopen() && out {
			// A stopped terminal can hold a write of any size, and only another
			// goroutine can wait for that in this one's place.
			return &Stream{end: &terminal{sink: sink{w: (*rawWriter)(s)}}}
		}
	}
	return &Stream{end: s}
}

// fdOf returns f's descriptor, −1 if there is none. f.Fd() could change f's mode.
func fdOf(f *os.File) int {
	fd := -1
	if f == nil {
		return fd
	}
	c, err := f.SyscallConn()
	if err != nil {
		return fd
	}
	if c.Control(func(n uintptr) { fd = int(n) }) != nil {
		return -1
	}
	return fd
}

// reopen opens the terminal once more, for this stream alone and non-blocking.
func (s *stdio) reopen() bool {
	flags := unix.O_RDONLY
	if s.out {
		flags = unix.O_WRONLY
	}
	fd, err := unix.Open("/proc/self/fd/"+strconv.Itoa(s.fd), flags|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	if _, err := unix.IoctlGetTermios(fd, unix.TCGETS); err != nil {
		unix.Close(fd)
		return false
	}
	s.fd, s.free = fd, true
	s.drop = runtime.AddCleanup(s, func(fd int) { unix.Close(fd) }, fd)
	return true
}

func (s *stdio) Read(p []byte, done <-chan struct{}) (int, abi.Errno) {
	if s.out || s.fd < 0 {
		return 0, abi.EBADF
	}
	if len(p) == 0 {
		return 0, abi.ESUCCESS
	}
	for turns := (sock.Turns{}); !stopped(done); {
		n, err := s.tryRead(p)
		switch err {
		case nil:
			return n, abi.ESUCCESS
		case unix.EINTR:
		case unix.EAGAIN:
			wait(s.fd, unix.POLLIN, -1, done)
			turns.Next(-1, done)
		default:
			return 0, errnoOf(err)
		}
	}
	return 0, abi.EINTR
}

// tryRead reads without waiting; EAGAIN if there is nothing yet.
func (s *stdio) tryRead(p []byte) (int, error) {
	if s.nowait.Load() {
		n, err := unix.Preadv2(s.fd, [][]byte{p}, -1, unix.RWF_NOWAIT)
		if !missing(err) {
			return n, err
		}
		s.nowait.Store(false)
	}
	if !s.plain && !pollNow(s.fd, unix.POLLIN) {
		return 0, unix.EAGAIN
	}
	return unix.Read(s.fd, p)
}

func (s *stdio) Write(p []byte, done <-chan struct{}) (int, abi.Errno) {
	if !s.out || s.fd < 0 {
		return 0, abi.EBADF
	}
	total, turns := 0, sock.Turns{}
	for total < len(p) {
		if stopped(done) {
			return partly(total, abi.EINTR)
		}
		n, err := s.tryWrite(p[total:])
		switch err {
		case nil:
			total, turns = total+n, sock.Turns{}
		case unix.EINTR:
		case unix.EAGAIN:
			wait(s.fd, unix.POLLOUT, -1, done)
			turns.Next(-1, done)
		default:
			return partly(total, errnoOf(err))
		}
	}
	return total, abi.ESUCCESS
}

// tryWrite writes what is taken without waiting; EAGAIN if that is nothing.
func (s *stdio) tryWrite(p []byte) (int, error) {
	if s.nowait.Load() {
		n, err := unix.Pwritev2(s.fd, [][]byte{p}, -1, unix.RWF_NOWAIT)
		if !missing(err) {
			return n, err
		}
		s.nowait.Store(false)
	}
	if !s.plain && !s.free {
		if !pollNow(s.fd, unix.POLLOUT) {
			return 0, unix.EAGAIN
		}
		p = p[:min(len(p), pipeBuf)]
	}
	return unix.Write(s.fd, p)
}

// missing tells that the kernel, or this kind of file, does not know RWF_NOWAIT.
func missing(err error) bool {
	return err == unix.EOPNOTSUPP || err == unix.ENOSYS || err == unix.EINVAL
}

func (s *stdio) WaitReady(write bool, d time.Duration, done <-chan struct{}) bool {
	switch {
	case s.plain, write != s.out:
		return true
	case write:
		return wait(s.fd, unix.POLLOUT, d, done)
	}
	return wait(s.fd, unix.POLLIN, d, done)
}

func (s *stdio) Type() abi.Filetype { return s.typ }

// place notes the position, if there is one, and says what kind of file has it.
func (s *stdio) place(typ abi.Filetype) {
	if at, err := unix.Seek(s.fd, 0, unix.SEEK_CUR); err == nil {
		s.typ, s.placed, s.start = typ, true, at
	}
}

// stat tells of the file no more than a guest needs that copies or measures it: not
// which file of the host it is.
func (s *stdio) stat() (abi.Filestat, abi.Errno) {
	var st unix.Stat_t
	if err := fstat(s.fd, &st); err != nil {
		return abi.Filestat{}, errnoOf(err)
	}
	return abi.Filestat{
		Type: s.typ, Nlink: 1, Size: uint64(max(st.Size, 0)),
		Atim: nanoseconds(st.Atim), Mtim: nanoseconds(st.Mtim), Ctim: nanoseconds(st.Ctim),
	}, abi.ESUCCESS
}

// seek never goes to before start: what lies there was read or written by others, who
// then gave the rest to the run.
func (s *stdio) seek(off int64, whence uint8) (int64, abi.Errno) {
	base := int64(0)
	switch whence {
	case abi.WhenceCur:
		at, err := unix.Seek(s.fd, 0, unix.SEEK_CUR)
		if err != nil || off == 0 {
			return max(at, 0), errnoOf(err)
		}
		base = at
	case abi.WhenceEnd:
		st, e := s.stat()
		if e != abi.ESUCCESS {
			return 0, e
		}
		base = int64(min(st.Size, math.MaxInt64))
	}
	if off > math.MaxInt64-base {
		return 0, abi.EOVERFLOW
	}
	if base+off < s.start {
		return 0, abi.EINVAL
	}
	at, err := unix.Seek(s.fd, base+off, unix.SEEK_SET)
	return max(at, 0), errnoOf(err)
}

func (s *stdio) Close() {
	if s.free {
		s.drop.Stop()
		unix.Close(s.fd)
		s.fd, s.free = -1, false
	}
}

// terminal is the output to a terminal that can't be opened anew.
type terminal struct{ sink }

func (*terminal) Type() abi.Filetype { return abi.FiletypeCharacterDevice }

// rawWriter writes with the system call alone, as os.File's Write ends the
// process when standard output is a broken pipe.
type rawWriter stdio

func (w *rawWriter) Write(p []byte) (int, error) {
	total := 0
	for total < len(p) {
		n, err := unix.Write(w.fd, p[total:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}
