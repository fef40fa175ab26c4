package host

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

// file is an open regular file; fd is −1 once closed.
type file struct {
	root    *Root
	fd      int
	write   bool
	appendv bool // the file system is not known to lack RWF_APPEND
}

var _ interface {
	tree.File
	tree.Sparse
} = (*file)(nil)

func (f *file) Pread(p []byte, off int64) (int, abi.Errno) {
	for {
		n, err := unix.Pread(f.fd, p, off)
		if err == nil {
			return n, abi.ESUCCESS
		}
		if err != unix.EINTR {
			return 0, errnoOf(err)
		}
	}
}

func (f *file) Pwrite(p []byte, off int64) (int, abi.Errno) {
	if !f.write {
		return 0, abi.EBADF
	}
	for {
		n, err := unix.Pwrite(f.fd, p, off)
		if err == nil {
			return n, abi.ESUCCESS
		}
		if err != unix.EINTR {
			return 0, errnoOf(err)
		}
	}
}

// Append leaves the end to the kernel. With the offset −1, pwritev2 also moves
// the descriptor's own position behind what it wrote; nothing else uses that
// position, so it tells the end exactly, whoever else appends.
func (f *file) Append(p []byte) (int, int64, abi.Errno) {
	if !f.write {
		return 0, 0, abi.EBADF
	}
	n, err := f.appendOnce(p)
	if err != nil {
		return 0, 0, errnoOf(err)
	}
	// The kernel moves nothing, not even the position, for an empty write.
	whence := unix.SEEK_CUR
	if n == 0 {
		whence = unix.SEEK_END
	}
	end, err := unix.Seek(f.fd, 0, whence)
	if err != nil {
		return 0, 0, errnoOf(err)
	}
	return n, end, abi.ESUCCESS
}

func (f *file) appendOnce(p []byte) (int, error) {
	for f.appendv {
		n, err := unix.Pwritev2(f.fd, [][]byte{p}, -1, unix.RWF_APPEND)
		switch err {
		case unix.EINTR:
		case unix.ENOSYS, unix.EOPNOTSUPP:
			f.appendv = false
		default:
			return n, err
		}
	}
	return f.appendFlag(p)
}

// appendFlag is for kernels before 4.16: O_APPEND for the time of one write. It
// must not stay, since pwrite would append too. The open file description is
// this file's alone and a run makes one call at a time, so nobody sees it.
func (f *file) appendFlag(p []byte) (int, error) {
	flags, err := unix.FcntlInt(uintptr(f.fd), unix.F_GETFL, 0)
	if err != nil {
		return 0, err
	}
	if _, err := unix.FcntlInt(uintptr(f.fd), unix.F_SETFL, flags|unix.O_APPEND); err != nil {
		return 0, err
	}
	n, err := unix.Write(f.fd, p)
	for err == unix.EINTR {
		n, err = unix.Write(f.fd, p)
	}
	if _, back := unix.FcntlInt(uintptr(f.fd), unix.F_SETFL, flags); back != nil {
		return n, back
	}
	return n, err
}

// holeBlock is what room is given in, on most file systems.
const holeBlock = 4096

// Holes moves the descriptor's own position, which nothing relies on.
func (f *file) Holes(off, n int64, most int) (room uint64, looked int) {
	for end := off + n; off < end; {
		hole, err := unix.Seek(f.fd, off, unix.SEEK_HOLE)
		if err != nil || hole >= end { // ENXIO: behind the end; EINVAL: there are none here
			break
		}
		data, err := unix.Seek(f.fd, hole, unix.SEEK_DATA)
		if err != nil { // ENXIO: no data up to the end
			if data, err = unix.Seek(f.fd, 0, unix.SEEK_END); err != nil {
				break
			}
		}
		to := min(data, end)
		if looked++; looked == most {
			to = end
		}
		if to <= hole { // the end of the file is none
			break
		}
		room += uint64((to+holeBlock-1)&^(holeBlock-1) - hole&^(holeBlock-1)) // holes are of blocks
		off = to
	}
	return room, looked
}

func (f *file) Stat() (abi.Filestat, abi.Errno) {
	var st unix.Stat_t
	if err := fstat(f.fd, &st); err != nil {
		return abi.Filestat{}, errnoOf(err)
	}
	return f.root.filestat(&st), abi.ESUCCESS
}

func (f *file) SetTimes(t tree.Times) abi.Errno {
	if setsNothing(t) {
		_, e := f.Stat()
		return e
	}
	ts := timespecs(t)
	// A null path means the descriptor itself, which the wrapper can't say.
	_, _, n := unix.Syscall6(unix.SYS_UTIMENSAT, uintptr(f.fd), 0, uintptr(unsafe.Pointer(&ts)), 0, 0, 0)
	if n != 0 {
		return errnoOf(n)
	}
	return abi.ESUCCESS
}

func (f *file) Truncate(size int64) abi.Errno {
	if !f.write {
		return abi.EBADF
	}
	return errnoOf(ftruncate(f.fd, size))
}

// Allocate makes room, growing the file where it is shorter than off+n; the
// new part reads as zeros. ENOTSUP where the file system can't.
func (f *file) Allocate(off, n int64) abi.Errno {
	if !f.write {
		return abi.EBADF
	}
	for {
		if err := unix.Fallocate(f.fd, 0, off, n); err != unix.EINTR {
			return errnoOf(err)
		}
	}
}

// Advise passes preview 1's advice on; the numbers differ.
func (f *file) Advise(off, n int64, advice uint8) abi.Errno {
	host := [...]int{
		unix.FADV_NORMAL, unix.FADV_SEQUENTIAL, unix.FADV_RANDOM,
		unix.FADV_WILLNEED, unix.FADV_DONTNEED, unix.FADV_NOREUSE,
	}
	if off < 0 || n < 0 || int(advice) >= len(host) {
		return abi.EINVAL
	}
	return errnoOf(unix.Fadvise(f.fd, off, n, host[advice]))
}

func (f *file) Sync() abi.Errno { return errnoOf(fsync(f.fd)) }

func (f *file) Datasync() abi.Errno {
	for {
		if err := unix.Fdatasync(f.fd); err != unix.EINTR {
			return errnoOf(err)
		}
	}
}

// Close closes the file; EBADF if it is already closed. An error may come from
// an earlier write. Interrupted or not, Linux has then closed the descriptor.
func (f *file) Close() abi.Errno {
	if f.fd < 0 {
		return abi.EBADF
	}
	err := unix.Close(f.fd)
	f.fd = -1
	if err == unix.EINTR {
		return abi.ESUCCESS
	}
	return errnoOf(err)
}
