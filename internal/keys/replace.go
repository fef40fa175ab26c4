package keys

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/forgeone/forgeone/internal/sys"
)

// NextLogFile is the log's key to come, while LogFile is being replaced by it.
const NextLogFile = "log.next"

// The log's ML-DSA-44 key, of a log that has one, and the one to come.
const (
	PostLogFile     = "log-post.key"
	NextPostLogFile = "log-post.next"
)

// Replace puts the key file next, whole and durable, in the place of the key file
// path, and erases the key that was there. After a crash at any moment path holds
// one of the two, whole.
func Replace(next, path string) error {
	// Held open: after the renaming it has no name any more.
	old, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return wrote(path, err)
	}
	err = os.Rename(next, path)
	if err == nil {
		err = syncFolder(filepath.Dir(path))
	}
	if old != nil {
		if err == nil {
			_ = zero(old) // it has no name, and more can't be done
		}
		_ = old.Close() // synced
	}
	if err != nil {
		return wrote(path, err)
	}
	return nil
}

// Erase overwrites the key file path with zeros, as far as the file system
// writes in place, and removes it. It is no error if there is none. The file has
// a name that Sweep knows before it is overwritten: nobody ever finds half of it.
func Erase(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		gone := path
		if !sys.IsTemp(path) {
			gone = sys.TempOf(path)
			err = os.Rename(path, gone)
		}
		if err == nil {
			_ = zero(f) // it goes in any case
			err = os.Remove(gone)
		}
		_ = f.Close() // synced
	}
	if err == nil {
		err = syncFolder(filepath.Dir(path))
	}
	if err != nil {
		return wrote(path, err)
	}
	return nil
}

// zero makes zeros of what is in f, durably.
func zero(f *os.File) error {
	i, err := f.Stat()
	if err != nil {
		return err
	}
	if _, err := f.WriteAt(make([]byte, min(i.Size(), maxFile)), 0); err != nil {
		return err
	}
	return f.Sync()
}
