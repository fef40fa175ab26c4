package keys

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/forgeone/forgeone/internal/sys"
)

// create makes the file path (0600) with content, durably: when it returns nil
// the file is complete on disk and, on file systems with hard links, no reader
// ever saw less of it. If path exists the error is fs.ErrExist, and of several
// processes that create it at once exactly one succeeds.
func create(path string, content []byte) (err error) {
	dir := filepath.Dir(path)
	f, err := sys.CreateTemp(path) // O_EXCL, 0600
	if err != nil {
		return err
	}
	tmp := f.Name()
	defer func() { err = errors.Join(err, os.Remove(tmp), f.Close()) }()
	if err := fill(f, content); err != nil {
		return err
	}
	// A hard link puts the complete file in its place unless one is there.
	// Where there are none the name is made exclusively, then filled.
	switch err := os.Link(tmp, path); {
	case errors.Is(err, fs.ErrExist):
		return fs.ErrExist
	case errors.Is(err, syscall.EPERM) || errors.Is(err, errors.ErrUnsupported):
		if err := createDirectly(path, content); err != nil {
			return err
		}
	case err != nil:
		return err
	}
	return syncFolder(dir)
}

func createDirectly(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(fill(f, content), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// fill writes content into f and makes it durable.
func fill(f *os.File, content []byte) error {
	if _, err := f.Write(content); err != nil {
		return err
	}
	return f.Sync()
}

// Sweep removes from the folder dir what processes that died left there while they
// made key files.
func Sweep(dir string) error {
	if err := sys.Sweep(dir, EraseTemp); err != nil {
		return wrote(dir, err)
	}
	if absent(dir, IdentityFile) { // of keys that are in the clear, all of them
		return Erase(filepath.Join(dir, MixedFile))
	}
	return nil
}

// EraseTemp removes a temporary file of a key, and overwrites it first if it is not
// the key file itself, by another name.
func EraseTemp(path string) error {
	i, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if st, ok := i.Sys().(*syscall.Stat_t); ok && st.Nlink > 1 {
		return os.Remove(path)
	}
	return Erase(path)
}

// syncFolder makes the folder's entries durable.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
