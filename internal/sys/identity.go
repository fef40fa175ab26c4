package sys

import (
	"os"

	"golang.org/x/sys/unix"
)

// Identity is what tells a file or folder from all others, whatever names lead to
// it. Numbers of inodes are given again once their files are gone; the time of birth
// tells those apart.
type Identity struct {
	Dev   uint64 // may be another after a reboot or a mount
	Ino   uint64
	Birth int64 // nanoseconds since 1970; 0: the file system does not tell
	Dir   bool
}

// Same tells whether a and b are one: by inode and birth, on whatever device they
// were seen, where both have a birth, else by device and inode.
func (a Identity) Same(b Identity) bool {
	if a.Birth != 0 && b.Birth != 0 {
		return a.Ino == b.Ino && a.Birth == b.Birth
	}
	return a.Ino == b.Ino && a.Dev == b.Dev
}

// Identify returns the identity of what path leads to, links followed.
func Identify(path string) (Identity, error) {
	var st unix.Statx_t
	for {
		err := unix.Statx(unix.AT_FDCWD, path, unix.AT_NO_AUTOMOUNT, unix.STATX_INO|unix.STATX_TYPE|unix.STATX_BTIME, &st)
		switch err {
		case nil:
			return identityOf(&st), nil
		case unix.EINTR:
		case unix.ENOSYS, unix.EPERM: // an old kernel, or a filter that does not know statx
			return identifyOld(path)
		default:
			return Identity{}, &os.PathError{Op: "statx", Path: path, Err: err}
		}
	}
}

func identityOf(st *unix.Statx_t) Identity {
	id := Identity{Dev: unix.Mkdev(st.Dev_major, st.Dev_minor), Ino: st.Ino, Dir: st.Mode&unix.S_IFMT == unix.S_IFDIR}
	if st.Mask&unix.STATX_BTIME != 0 {
		id.Birth = st.Btime.Sec*1e9 + int64(st.Btime.Nsec)
	}
	return id
}

func identifyOld(path string) (Identity, error) {
	var st unix.Stat_t
	for {
		err := unix.Stat(path, &st)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return Identity{}, &os.PathError{Op: "stat", Path: path, Err: err}
		}
		return Identity{Dev: uint64(st.Dev), Ino: st.Ino, Dir: st.Mode&unix.S_IFMT == unix.S_IFDIR}, nil
	}
}
