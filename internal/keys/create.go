package keys

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// create makes the file path (0600) with content, durably: when it returns nil
// the file is complete on disk and, on file systems with hard links, no reader
// ever saw less of it. If path exists the error is fs.ErrExist, and of several
// processes that create it at once exactly one succeeds.
func create(path string, content []byte) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*.new") // O_EXCL, 0600
	if err != nil {
		return err
	}
	tmp := f.Name()
	defer func() { err = errors.Join(err, os.Remove(tmp)) }()
	if err := writeOut(f, content); err != nil {
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
	if err := writeOut(f, content); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// writeOut fills f, makes it durable and closes it.
func writeOut(f *os.File, content []byte) error {
	_, err := f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// syncFolder makes the folder's entries durable.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
