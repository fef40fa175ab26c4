package host

import (
	"golang.org/x/sys/unix"
)

// part tells whether what st describes, by name in dir or dir itself if that is
// empty, is one of k. Numbers are given again to others: where one is met, birth
// tells, or else what lies at the path.
func (k *Known) part(dir int, name string, st *unix.Stat_t) bool {
	if k.all {
		return true
	}
	found := like(k.items, st.Ino)
	if len(found) == 0 {
		return false
	}
	birth := birthOf(dir, name)
	for i := range found {
		if n := &found[i]; n.birth != 0 && birth != 0 {
			if n.birth == birth {
				return true
			}
		} else if n.isAt(st) {
			return true
		}
	}
	return false
}

// leads tells whether what st describes is a folder that one of k lies in now.
func (k *Known) leads(st *unix.Stat_t) bool {
	if k.all {
		return true
	}
	for _, n := range like(k.above, st.Ino) {
		if n.isAt(st) && n.holds.stays() {
			return true
		}
	}
	return false
}

// isAt tells whether what st describes is found at n's path.
func (n *numbered) isAt(st *unix.Stat_t) bool {
	var now unix.Stat_t
	return stat(n.path, &now) == nil && now.Ino == st.Ino && now.Dev == st.Dev
}

// stays tells whether n is where it was.
func (n *numbered) stays() bool {
	var now unix.Stat_t
	if stat(n.path, &now) != nil || now.Ino != n.ino {
		return false
	}
	birth := birthAt(unix.AT_FDCWD, n.path, 0)
	return n.birth == 0 || birth == 0 || birth == n.birth
}

func stat(path string, st *unix.Stat_t) error {
	for {
		if err := unix.Fstatat(unix.AT_FDCWD, path, st, unix.AT_NO_AUTOMOUNT); err != unix.EINTR {
			return err
		}
	}
}

// birthOf is the time of birth of name in dir, or of dir if name is empty.
func birthOf(dir int, name string) int64 {
	flags := unix.AT_SYMLINK_NOFOLLOW
	if name == "" {
		flags |= unix.AT_EMPTY_PATH
	}
	return birthAt(dir, name, flags)
}

func birthAt(dir int, name string, flags int) int64 {
	var st unix.Statx_t
	for {
		switch err := unix.Statx(dir, name, flags|unix.AT_NO_AUTOMOUNT, unix.STATX_BTIME, &st); {
		case err == unix.EINTR:
			continue
		case err != nil || st.Mask&unix.STATX_BTIME == 0:
			return 0
		}
		return st.Btime.Sec*1e9 + int64(st.Btime.Nsec)
	}
}
