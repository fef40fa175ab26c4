package sys

import (
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// File is an open file. Reads and writes are at offsets; a file has no
// position of its own.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Truncate sets the file's length.
	Truncate(size int64) error
	// Datasync makes the file's contents durable, and its length.
	Datasync() error
	Stat() (fs.FileInfo, error)
}

// FS is the part of the operating system that durable data goes through. Errors
// are as package os gives them; what is there and no regular file is
// ErrNotRegular, and never waited for.
type FS interface {
	// Open opens a file for reading.
	Open(path string) (File, error)
	// OpenWrite opens a file that exists for reading and writing.
	OpenWrite(path string) (File, error)
	// Create makes a file, readable and writable by its owner only; it fails
	// with fs.ErrExist if there is something under that name.
	Create(path string) (File, error)
	// Rename gives a file another name, taking the place of what has it.
	Rename(from, to string) error
	Remove(path string) error
	// SyncDir makes the names in a folder durable.
	SyncDir(path string) error
	Stat(path string) (fs.FileInfo, error)
	ReadDir(path string) ([]fs.DirEntry, error)
}

// OS is the operating system itself.
type OS struct{}

type osFile struct{ *os.File }

func (f osFile) Datasync() error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); err != unix.EINTR {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}

// open opens a regular file. O_NONBLOCK: in place of a file there may be a FIFO,
// and opening one waits for whoever has the other end, beyond any signal.
func open(path string, flag int) (File, error) {
	f, err := os.OpenFile(path, flag|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	if err := regular(f, path); err != nil {
		_ = f.Close() // nothing was written to it
		return nil, err
	}
	return osFile{f}, nil
}

// regular checks that f is a regular file.
func regular(f *os.File, path string) error {
	i, err := f.Stat()
	if err == nil && !i.Mode().IsRegular() {
		err = fmt.Errorf("%s: %w", path, ErrNotRegular)
	}
	return err
}

// Open implements FS.
func (OS) Open(path string) (File, error) { return open(path, os.O_RDONLY) }

// OpenWrite implements FS.
func (OS) OpenWrite(path string) (File, error) { return open(path, os.O_RDWR) }

// Create implements FS.
func (OS) Create(path string) (File, error) { return open(path, os.O_RDWR|os.O_CREATE|os.O_EXCL) }

// Rename implements FS.
func (OS) Rename(from, to string) error { return os.Rename(from, to) }

// Remove implements FS.
func (OS) Remove(path string) error { return os.Remove(path) }

// SyncDir implements FS.
func (OS) SyncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Stat implements FS.
func (OS) Stat(path string) (fs.FileInfo, error) { return os.Stat(path) }

// ReadDir implements FS.
func (OS) ReadDir(path string) ([]fs.DirEntry, error) { return os.ReadDir(path) }

// zeros is what Preallocate writes; it is only ever read.
var zeros [64 << 10]byte

// Preallocate writes zeros to f from offset from up to offset to, so that
// later writes there need no new blocks: they can't fail for want of room, and
// syncing them costs no metadata (fallocate alone leaves extents that must be
// converted at the first sync). It returns how far it came.
func Preallocate(f File, from, to int64) (int64, error) {
	for from < to {
		n, err := f.WriteAt(zeros[:min(to-from, int64(len(zeros)))], from)
		from += int64(n)
		if err != nil {
			return from, err
		}
	}
	return from, nil
}
