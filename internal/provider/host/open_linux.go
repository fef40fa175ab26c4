package host

import (
	"golang.org/x/sys/unix"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

// Files are made with these permissions less the process's umask.
const fileMode = 0o666

// Open looks before it opens, so that a device is not even touched, and looks
// again at what it opened, in case the name was given to something else
// meanwhile. O_NONBLOCK keeps a FIFO put there from being waited for. The file
// is cut only once it is known to be a regular one.
func (d *folder) Open(name string, how tree.How) (tree.File, abi.Errno) {
	if e := checkName(name); e != abi.ESUCCESS {
		return nil, e
	}
	fresh := how.Create && how.Exclusive
	if !fresh {
		var st unix.Stat_t
		switch err := fstatat(d.fd, name, &st); {
		case err == nil:
			if e := openable(&st); e != abi.ESUCCESS {
				return nil, e
			}
			if e := d.reach(name, &st); e != abi.ESUCCESS {
				return nil, e
			}
			if e := d.spelt(name); e != abi.ESUCCESS {
				if e == abi.ENOENT && how.Create {
					e = abi.EEXIST
				}
				return nil, e
			}
		case err != unix.ENOENT || !how.Create:
			return nil, errnoOf(err)
		default:
			// Whatever else is found by this name by now is not opened as if it were new.
			how.Exclusive = d.folds
		}
	}
	if how.Create && d.scarce() {
		return nil, abi.ENFILE // before anything is made
	}
	fd, err := openat(d.fd, name, openFlags(how))
	if err == unix.ENXIO { // a FIFO without reader, a socket, a device without driver
		return nil, abi.ENOTSUP
	}
	if err != nil {
		return nil, errnoOf(err)
	}
	if how.Create && how.Exclusive {
		if e := d.made(name, nil, func() { _ = unix.Unlinkat(d.fd, name, 0) }); e != abi.ESUCCESS {
			unix.Close(fd)
			return nil, e
		}
	}
	e := abi.ENFILE
	if !scarce(fd) {
		e = settle(fd, d.dev, &d.root.kept, how.Truncate && !fresh)
	}
	if e != abi.ESUCCESS {
		unix.Close(fd)
		return nil, e
	}
	return &file{root: d.root, fd: fd, write: how.Write, appendv: d.root.appendv}, abi.ESUCCESS
}

// openFlags translates how. Cutting needs a writable descriptor even if the
// guest may not write; file.write keeps that from it.
func openFlags(how tree.How) int {
	flags := unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC | unix.O_NOCTTY
	switch write := how.Write || how.Truncate; {
	case how.Read && write:
		flags |= unix.O_RDWR
	case write:
		flags |= unix.O_WRONLY
	default:
		flags |= unix.O_RDONLY
	}
	if how.Create {
		flags |= unix.O_CREAT
		if how.Exclusive {
			flags |= unix.O_EXCL
		}
	}
	if how.Sync {
		flags |= unix.O_SYNC
	}
	if how.Dsync {
		flags |= unix.O_DSYNC
	}
	return flags
}

// openable says what stands in the way of opening st.
func openable(st *unix.Stat_t) abi.Errno {
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return abi.ESUCCESS
	case unix.S_IFDIR:
		return abi.EISDIR
	case unix.S_IFLNK:
		return abi.ELOOP
	}
	return abi.ENOTSUP
}

// settle checks what was opened in a folder on the device dev, and cuts it if
// asked to.
func settle(fd int, dev uint64, k *kept, cut bool) abi.Errno {
	var st unix.Stat_t
	if err := fstat(fd, &st); err != nil {
		return errnoOf(err)
	}
	if e := openable(&st); e != abi.ESUCCESS {
		return e
	}
	if e := k.within(fd, "", &st); e != abi.ESUCCESS {
		return e
	}
	if e := storage(fd, uint64(st.Dev), dev, nil); e != abi.ESUCCESS {
		return e
	}
	if cut {
		return errnoOf(ftruncate(fd, 0))
	}
	return abi.ESUCCESS
}

func openat(dir int, name string, flags int) (int, error) {
	for {
		fd, err := unix.Openat(dir, name, flags, fileMode)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

func ftruncate(fd int, size int64) error {
	for {
		if err := unix.Ftruncate(fd, size); err != unix.EINTR {
			return err
		}
	}
}
