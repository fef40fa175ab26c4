package host

import (
	"strings"

	"golang.org/x/sys/unix"

	"github.com/forgeone/forgeone/abi"
)

const (
	pathFlags = unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC
	beneath   = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV
)

// hasOpenat2 tries openat2 on the folder itself. A kernel before 5.6 and many
// sandboxes' filters refuse it, with various errnos.
func hasOpenat2(fd int) bool {
	n, err := unix.Openat2(fd, ".", &unix.OpenHow{Flags: pathFlags, Resolve: beneath})
	if err != nil {
		return false
	}
	unix.Close(n)
	return true
}

// openPath opens the folder name of dir for reference only.
func openPath(dir int, name string, flags int) (int, error) {
	for {
		fd, err := unix.Openat(dir, name, pathFlags|flags, 0)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// place is a folder that was opened.
type place struct {
	fd    int
	dev   uint64 // the device it lies on, known to hold storage
	folds bool   // names in it may be spelt in more ways than one
	steps bool   // beneath it one name is opened at a time
}

// beneath opens the folder rel, which checkRel has passed, beneath dir. ELOOP:
// a symbolic link is on the way. ENOTCAPABLE: a file system that is no storage.
func (r *Root) beneath(dir place, rel string) (place, abi.Errno) {
	if !r.openat2 || dir.folds || dir.steps || r.kept.stepped(r.place().fd) {
		return r.walk(dir, rel)
	}
	how := unix.OpenHow{Flags: pathFlags, Resolve: beneath}
	for {
		fd, err := unix.Openat2(dir.fd, rel, &how)
		switch err {
		case nil:
			if e := r.kept.inside(fd); e != abi.ESUCCESS {
				unix.Close(fd)
				return place{fd: -1}, e
			}
			return place{fd, dir.dev, false, false}, abi.ESUCCESS
		case unix.EINTR:
		case unix.EAGAIN, unix.EXDEV:
			// A mount is crossed, or the kernel could not tell whether a race led outside.
			dir.steps = !r.kept.none() // what is kept may be mounted there too
			return r.walk(dir, rel)
		default:
			return place{fd: -1}, errnoOf(err)
		}
	}
}

// walk does what openat2 does, one name at a time. As no name is "..", no step
// can leave the folder before it.
func (r *Root) walk(dir place, rel string) (place, abi.Errno) {
	at := dir
	for rest, more := rel, true; more; {
		var name string
		name, rest, more = strings.Cut(rest, "/")
		next, e := r.step(at, name)
		if at.fd != dir.fd {
			unix.Close(at.fd)
		}
		if e != abi.ESUCCESS {
			return place{fd: -1}, e
		}
		at = next
	}
	return at, abi.ESUCCESS
}

// step opens the folder name of dir. With O_DIRECTORY and O_NOFOLLOW a symbolic
// link answers ENOTDIR, as a file does, so it is looked at to tell them apart.
func (r *Root) step(dir place, name string) (place, abi.Errno) {
	fd, err := openPath(dir.fd, name, unix.O_NOFOLLOW)
	var st unix.Stat_t
	if err == nil {
		if err = fstat(fd, &st); err == nil {
			folds := dir.folds
			e := r.kept.within(fd, "", &st)
			if e == abi.ESUCCESS {
				e = storage(fd, uint64(st.Dev), dir.dev, &folds)
			}
			if e == abi.ESUCCESS && dir.folds {
				e = r.spelt(dir.fd, name)
			}
			if e == abi.ESUCCESS {
				return place{fd, uint64(st.Dev), folds, dir.steps}, e
			}
			unix.Close(fd)
			return place{fd: -1}, e
		}
		unix.Close(fd)
	}
	if err == unix.ENOTDIR {
		if dir.folds && r.spelt(dir.fd, name) != abi.ESUCCESS {
			return place{fd: -1}, abi.ENOENT
		}
		if fstatat(dir.fd, name, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFLNK {
			return place{fd: -1}, abi.ELOOP
		}
	}
	return place{fd: -1}, errnoOf(err)
}

// fstatat describes name itself, waiting for no automount.
func fstatat(dir int, name string, st *unix.Stat_t) error {
	for {
		err := unix.Fstatat(dir, name, st, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT)
		if err != unix.EINTR {
			return err
		}
	}
}
