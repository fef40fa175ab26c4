package pure

import (
	"errors"
	"io"
	"math"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

// file is a handle of a regular file.
type file struct {
	n           *node
	read, write bool
	closed      bool
}

func (f *file) Pread(p []byte, off int64) (int, abi.Errno) {
	switch {
	case !f.read || f.closed:
		return 0, abi.EBADF
	case off < 0:
		return 0, abi.EINVAL
	}
	if a := f.n.asset; a != nil {
		n, err := a.ReadAt(p, off)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, abi.EIO
		}
		return n, 0
	}
	return f.n.data.read(p, off), 0
}

// Pwrite writes as much as the quota has room for, and answers ENOSPC if that is
// nothing.
func (f *file) Pwrite(p []byte, off int64) (int, abi.Errno) {
	switch {
	case !f.write || f.closed:
		return 0, abi.EBADF
	case off < 0:
		return 0, abi.EINVAL
	case len(p) == 0:
		return 0, 0
	case int64(len(p)) > math.MaxInt64-off:
		return 0, abi.EFBIG
	}
	if end := off + int64(len(p)); end > f.n.data.size {
		room := f.n.s.maxBytes - f.n.s.bytes
		if reach := uint64(f.n.data.size) + room; uint64(end) > reach {
			if reach <= uint64(off) {
				return 0, abi.ENOSPC
			}
			end = int64(reach)
			p = p[:end-off]
		}
		if e := f.n.resize(end); e != 0 {
			return 0, e
		}
	}
	f.n.data.write(p, off)
	f.n.touch()
	return len(p), 0
}

func (f *file) Append(p []byte) (int, int64, abi.Errno) {
	n, e := f.Pwrite(p, f.n.data.size)
	return n, f.n.data.size, e
}

func (f *file) Stat() (abi.Filestat, abi.Errno) { return f.n.stat(), 0 }

func (f *file) SetTimes(t tree.Times) abi.Errno { return f.n.setTimes(t) }

// change checks that f's tree and f can be written to.
func (f *file) change() abi.Errno {
	switch {
	case f.n.s.readOnly:
		return abi.EROFS
	case !f.write || f.closed:
		return abi.EBADF
	}
	return 0
}

func (f *file) Truncate(size int64) abi.Errno {
	if e := f.change(); e != 0 {
		return e
	}
	if size < 0 {
		return abi.EINVAL
	}
	if e := f.n.resize(size); e != 0 {
		return e
	}
	f.n.touch()
	return 0
}

// Allocate makes the file at least off+n bytes long; the quota counts sizes, so
// that is all the room there is to make.
func (f *file) Allocate(off, n int64) abi.Errno {
	if e := f.change(); e != 0 {
		return e
	}
	switch {
	case off < 0 || n <= 0:
		return abi.EINVAL
	case n > math.MaxInt64-off:
		return abi.EFBIG
	case off+n > f.n.data.size:
		return f.n.resize(off + n)
	}
	return 0
}

func (f *file) Advise(int64, int64, uint8) abi.Errno { return 0 }

func (f *file) Sync() abi.Errno { return 0 }

func (f *file) Datasync() abi.Errno { return 0 }

func (f *file) Close() abi.Errno {
	if f.closed {
		return abi.EBADF
	}
	f.closed = true
	f.n.opens--
	f.n.settle()
	return 0
}
