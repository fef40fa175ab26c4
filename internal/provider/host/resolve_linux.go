package host

import (
	"strings"

	"golang.org/x/sys/unix"

	"github.com/forgeone/forgeone/abi"
)

const (
	pathFlags = unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC
	beneath   = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_SYMLINKS
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

// beneath opens the folder rel, which checkRel has passed, beneath dir. ELOOP:
// a symbolic link is on the way.
func (r *Root) beneath(dir int, rel string) (int, abi.Errno) {
	if !r.openat2 {
		return walk(dir, rel)
	}
	how := unix.OpenHow{Flags: pathFlags, Resolve: beneath}
	for {
		fd, err := unix.Openat2(dir, rel, &how)
		switch err {
		case nil:
			return fd, abi.ESUCCESS
		case unix.EINTR:
		case unix.EAGAIN, unix.EXDEV:
			// The kernel could not tell whether a race led outside.
			return walk(dir, rel)
		default:
			return -1, errnoOf(err)
		}
	}
}

// walk does what openat2 does, one name at a time. As no name is "..", no step
// can leave the folder before it.
func walk(dir int, rel string) (int, abi.Errno) {
	at := dir
	for rest, more := rel, true; more; {
		var name string
		name, rest, more = strings.Cut(rest, "/")
		fd, e := step(at, name)
		if at != dir {
			unix.Close(at)
		}
		if e != abi.ESUCCESS {
			return -1, e
		}
		at = fd
	}
	return at, abi.ESUCCESS
}

// step opens the folder name of dir. With O_DIRECTORY and O_NOFOLLOW a symbolic
// link answers ENOTDIR, as a file does, so it is looked at to tell them apart.
func step(dir int, name string) (int, abi.Errno) {
	fd, err := openPath(dir, name, unix.O_NOFOLLOW)
	if err == nil {
		return fd, abi.ESUCCESS
	}
	if err == unix.ENOTDIR {
		var st unix.Stat_t
		if fstatat(dir, name, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFLNK {
			return -1, abi.ELOOP
		}
	}
	return -1, errnoOf(err)
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
