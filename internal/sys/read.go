package sys

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// ErrNotRegular says that a path names a folder, a FIFO or a device where a
// file is wanted; ErrTooLarge that the file is larger than its purpose allows.
var (
	ErrNotRegular = errors.New("not a regular file")
	ErrTooLarge   = errors.New("too large")
)

// ReadRegular reads the regular file path, of at most limit bytes. It never
// waits for a FIFO's writer, and what is checked is what is read. Of a file that
// is too large nothing is read; one that grows meanwhile is read up to limit.
// It allocates little more than the file's size.
func ReadRegular(path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := regular(f, path); err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	tooLarge := fmt.Errorf("%s: %w: more than %d bytes", path, ErrTooLarge, limit)
	if st.Size() > limit {
		return nil, tooLarge
	}
	b := bytes.NewBuffer(make([]byte, 0, int(st.Size())+bytes.MinRead)) // ReadFrom looks for the end with that much room
	n, err := b.ReadFrom(io.LimitReader(f, limit+1))
	if err == nil && n > limit {
		err = tooLarge
	}
	return b.Bytes(), err
}
