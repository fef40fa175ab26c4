package host

import "golang.org/x/sys/unix"

// reserve is how many of the files that the process may have open are kept from
// guests, for the log and the recordings of all runs; at most a quarter of them.
const reserve = 64

// scarce tells whether the descriptor fd, which was just opened for a guest, is
// among those kept from guests. Linux gives the lowest number that is free, so
// all below it are in use.
func scarce(fd int) bool {
	var l unix.Rlimit
	if fd < reserve/2 || unix.Getrlimit(unix.RLIMIT_NOFILE, &l) != nil {
		return false
	}
	return uint64(fd) >= l.Cur-min(reserve, l.Cur/4)
}

// scarce tells whether the next descriptor would be among those.
func (d *folder) scarce() bool {
	fd, err := unix.FcntlInt(uintptr(d.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return err == unix.EMFILE
	}
	unix.Close(fd)
	return scarce(fd)
}
