package sys

import (
	"errors"
	"os"
	"path/filepath"
)

// WriteFile writes data to path so that after a crash at any moment path holds
// either what it held or data, whole: into a temporary file in the same
// folder, synced, renamed over path, the folder synced. The file has exactly
// the permissions perm.
func WriteFile(path string, data []byte, perm os.FileMode) error {
	return WriteParts(path, perm, data)
}

// WriteParts is WriteFile of data that lies in several places.
func WriteParts(path string, perm os.FileMode, parts ...[]byte) (err error) {
	f, err := CreateTemp(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // synced
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := fill(f, parts, perm); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	// From here on the file is in place: a folder that can't be synced is
	// reported, but there is nothing to take back.
	if e := (OS{}).SyncDir(filepath.Dir(path)); e != nil {
		return &os.PathError{Op: "sync folder of", Path: path, Err: e}
	}
	return nil
}

func fill(f *os.File, parts [][]byte, perm os.FileMode) error {
	if err := f.Chmod(perm); err != nil {
		return err
	}
	for _, p := range parts {
		if _, err := f.Write(p); err != nil {
			return err
		}
	}
	return f.Sync()
}
