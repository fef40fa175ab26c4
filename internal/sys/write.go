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
func WriteParts(path string, perm os.FileMode, parts ...[]byte) error {
	return WriteWith(path, perm, func(f *os.File) error {
		for _, p := range parts {
			if _, err := f.Write(p); err != nil {
				return err
			}
		}
		return nil
	})
}

// WriteWith is WriteFile of what fill writes, whose errors come back as they are.
func WriteWith(path string, perm os.FileMode, fill func(*os.File) error) (err error) {
	f, err := CreateTemp(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // synced
	placed := false
	defer func() {
		if !placed {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := f.Chmod(perm); err != nil {
		return err
	}
	if err := fill(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	placed = true // a folder that can't be synced is told, and nothing is taken back
	if e := (OS{}).SyncDir(filepath.Dir(path)); e != nil {
		return &os.PathError{Op: "sync folder of", Path: path, Err: e}
	}
	return nil
}
