package sys

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// tempMark stands in the name of each temporary file, between the name of what it
// becomes and a number.
const tempMark = ".tmp"

// CreateTemp makes a file (0600, open for reading and writing) in the folder of path,
// which is to become path: by a rename or a link. It is locked as long as it is open,
// so that Sweep tells what somebody fills from what a process that died has left. Who
// makes it removes it, if it was not renamed.
func CreateTemp(path string) (*os.File, error) {
	dir, name := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	for {
		f, err := os.CreateTemp(dir, "."+name+tempMark+"*") // O_EXCL
		if err != nil {
			return nil, err
		}
		// Somebody who sweeps may have come in between: then it is his.
		// Where there are no locks nobody sweeps.
		if err := flock(f, unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) && stands(f, f.Name()) {
			return f, nil
		}
		_ = f.Close() // nothing was written to it
	}
}

// TempOf is a name for the file path while it goes, which Sweep takes for that of a
// temporary one.
func TempOf(path string) string {
	dir, name := filepath.Split(path)
	return filepath.Join(dir, "."+name+tempMark)
}

// IsTemp tells whether the name is that of a temporary file.
func IsTemp(path string) bool {
	name := filepath.Base(path)
	return strings.HasPrefix(name, ".") && strings.Contains(name, tempMark)
}

// stands tells whether the file has that name.
func stands(f *os.File, path string) bool {
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(path)
	return err == nil && os.SameFile(mine, there)
}

// Sweep calls remove with each temporary file in the folder dir that nobody has open:
// of processes that died before they put it in its place. It holds the file's lock
// meanwhile, so nobody else takes it. A folder that is not there has none.
func Sweep(dir string, remove func(path string) error) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || !IsTemp(e.Name()) {
			continue
		}
		if err := sweep(filepath.Join(dir, e.Name()), remove); err != nil {
			return err
		}
	}
	return nil
}

func sweep(path string, remove func(path string) error) error {
	l, ok, err := TryLockFile(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !ok {
		return nil // in its place by now, or under way
	}
	if err != nil {
		return err
	}
	defer func() { _ = l.Unlock() }()
	if !stands(l.f, path) {
		return nil
	}
	return remove(path)
}
