package host

import (
	"golang.org/x/sys/unix"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

// folder is a held folder: an O_PATH descriptor, −1 once closed.
type folder struct {
	place
	root   *Root
	shared bool     // fd is the root's, counted there
	self   identity // zero until it is asked for
	asked  *Known   // that it is none of; nil until it is asked
}

var _ tree.Dir = (*folder)(nil)

func (d *folder) OpenDir(name string) (tree.Dir, abi.Errno) {
	if e := checkName(name); e != abi.ESUCCESS {
		return nil, e
	}
	return d.open(name)
}

func (d *folder) Beneath(rel string) (tree.Dir, abi.Errno) {
	if e := checkRel(rel); e != abi.ESUCCESS {
		return nil, e
	}
	return d.open(rel)
}

func (d *folder) open(rel string) (tree.Dir, abi.Errno) {
	at, e := d.root.beneath(d.place, rel)
	if e != abi.ESUCCESS {
		return nil, e
	}
	if scarce(at.fd) {
		unix.Close(at.fd)
		return nil, abi.ENFILE
	}
	return &folder{place: at, root: d.root}, abi.ESUCCESS
}

func (d *folder) Lstat(name string) (abi.Filestat, abi.Errno) {
	if e := checkName(name); e != abi.ESUCCESS {
		return abi.Filestat{}, e
	}
	var st unix.Stat_t
	if err := fstatat(d.fd, name, &st); err != nil {
		return abi.Filestat{}, errnoOf(err)
	}
	e := d.reach(name, &st)
	if e == abi.ESUCCESS {
		e = d.spelt(name)
	}
	if e != abi.ESUCCESS {
		return abi.Filestat{}, e
	}
	return d.root.filestat(&st), abi.ESUCCESS
}

func (d *folder) Stat() (abi.Filestat, abi.Errno) {
	var st unix.Stat_t
	if err := fstat(d.fd, &st); err != nil {
		return abi.Filestat{}, errnoOf(err)
	}
	return d.root.filestat(&st), abi.ESUCCESS
}

func (d *folder) Readlink(name string) (string, abi.Errno) {
	if e := checkName(name); e != abi.ESUCCESS {
		return "", e
	}
	if e := d.spelt(name); e != abi.ESUCCESS {
		return "", e
	}
	for size := 256; ; size *= 4 {
		buf := make([]byte, size)
		n, err := unix.Readlinkat(d.fd, name, buf)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return "", errnoOf(err)
		case n < size:
			return string(buf[:n]), abi.ESUCCESS
		case size > maxPath:
			return "", abi.ENAMETOOLONG
		}
	}
}

// Sync opens the folder anew: a held folder is for reference only.
func (d *folder) Sync() abi.Errno {
	fd, e := d.readable()
	if e != abi.ESUCCESS {
		return e
	}
	defer unix.Close(fd)
	return errnoOf(fsync(fd))
}

// readable opens the folder itself for reading.
func (d *folder) readable() (int, abi.Errno) {
	for {
		fd, err := unix.Openat(d.fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
		if err != unix.EINTR {
			return fd, errnoOf(err)
		}
	}
}

func (d *folder) Close() {
	switch {
	case d.fd < 0:
	case d.shared:
		_ = d.root.release()
	default:
		unix.Close(d.fd)
	}
	d.fd = -1
}

func fstat(fd int, st *unix.Stat_t) error {
	for {
		if err := unix.Fstat(fd, st); err != unix.EINTR {
			return err
		}
	}
}

func fsync(fd int) error {
	for {
		if err := unix.Fsync(fd); err != unix.EINTR {
			return err
		}
	}
}
