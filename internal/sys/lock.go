package sys

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// FileLock is a lock on a file (flock), exclusive where nothing else is said. It
// falls with its holder. It is not fair: see Turnstile for that.
type FileLock struct{ f *os.File }

// Lock takes the exclusive lock on the file path, making the file if it is not
// there, and waits for it as long as it takes.
func Lock(path string) (*FileLock, error) {
	l, _, err := lock(path, unix.LOCK_EX)
	return l, err
}

// Share takes the shared lock on the file path, as Lock takes the exclusive one.
func Share(path string) (*FileLock, error) {
	l, _, err := lock(path, unix.LOCK_SH)
	return l, err
}

// TryLock is Lock without waiting: false says that somebody has it.
func TryLock(path string) (*FileLock, bool, error) { return lock(path, unix.LOCK_EX|unix.LOCK_NB) }

// TryShare is Share without waiting: false says that somebody has the exclusive lock.
func TryShare(path string) (*FileLock, bool, error) { return lock(path, unix.LOCK_SH|unix.LOCK_NB) }

// TryLockFile is TryLock of a file that must be there.
func TryLockFile(path string) (*FileLock, bool, error) {
	return lockAs(path, os.O_RDONLY, unix.LOCK_EX|unix.LOCK_NB)
}

// TryShareFile takes the shared lock on a file that must be there: many may have
// it, while nobody has the exclusive one. It does not wait.
func TryShareFile(path string) (*FileLock, bool, error) {
	return lockAs(path, os.O_RDONLY, unix.LOCK_SH|unix.LOCK_NB)
}

func lock(path string, how int) (*FileLock, bool, error) {
	return lockAs(path, os.O_RDWR|os.O_CREATE, how)
}

func lockAs(path string, flag, how int) (*FileLock, bool, error) {
	f, err := os.OpenFile(path, flag|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, false, err
	}
	switch err := flock(f, how); {
	case err == nil:
		return &FileLock{f}, true, nil
	case errors.Is(err, unix.EWOULDBLOCK):
		return nil, false, f.Close()
	default:
		_ = f.Close() // nothing was written to it
		return nil, false, err
	}
}

// flock is flock(2), which a signal does not end.
func flock(f *os.File, how int) error {
	for {
		switch err := unix.Flock(int(f.Fd()), how); err {
		case nil:
			return nil
		case unix.EINTR:
		default:
			return &os.PathError{Op: "flock", Path: f.Name(), Err: err}
		}
	}
}

// Unlock lets go. The file stays: removing it would let two hold "the" lock.
func (l *FileLock) Unlock() error { return l.f.Close() }
