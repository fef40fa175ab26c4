// Package faultfs is a sys.FS whose operations fail when a test says so.
package faultfs

import (
	"io/fs"

	"github.com/forgeone/forgeone/internal/sys"
)

// Op is a kind of operation.
type Op string

// Operations that a Hook is asked about.
const (
	OpOpen     Op = "open"
	OpCreate   Op = "create"
	OpRename   Op = "rename"
	OpRemove   Op = "remove"
	OpSyncDir  Op = "syncdir"
	OpStat     Op = "stat"
	OpReadDir  Op = "readdir"
	OpRead     Op = "read"
	OpWrite    Op = "write"
	OpTruncate Op = "truncate"
	OpSync     Op = "sync"
)

// Fault is what goes wrong with one operation. The zero Fault: nothing.
type Fault struct {
	Err error
	// Short is how many bytes a failing write still writes.
	Short int
	// After performs the operation and then reports Err all the same.
	After bool
}

// Hook says what goes wrong with an operation on path; size is the number of
// bytes of a read or write. It is called on the goroutine of the operation.
type Hook func(op Op, path string, size int) Fault

type faulty struct {
	in   sys.FS
	hook Hook
}

// New returns in with faults.
func New(in sys.FS, h Hook) sys.FS { return &faulty{in, h} }

// do runs f with the fault of op on path.
func (x *faulty) do(op Op, path string, f func() error) error {
	ft := x.hook(op, path, 0)
	if ft.Err != nil && !ft.After {
		return ft.Err
	}
	if err := f(); err != nil {
		return err
	}
	return ft.Err
}

func (x *faulty) open(op Op, path string, open func(string) (sys.File, error)) (f sys.File, err error) {
	err = x.do(op, path, func() (e error) { f, e = open(path); return e })
	if err != nil {
		return nil, err
	}
	return &file{f, x, path}, nil
}

func (x *faulty) Open(path string) (sys.File, error) { return x.open(OpOpen, path, x.in.Open) }

func (x *faulty) OpenWrite(path string) (sys.File, error) {
	return x.open(OpOpen, path, x.in.OpenWrite)
}

func (x *faulty) Create(path string) (sys.File, error) { return x.open(OpCreate, path, x.in.Create) }

func (x *faulty) Rename(from, to string) error {
	return x.do(OpRename, to, func() error { return x.in.Rename(from, to) })
}

func (x *faulty) Remove(path string) error {
	return x.do(OpRemove, path, func() error { return x.in.Remove(path) })
}

func (x *faulty) SyncDir(path string) error {
	return x.do(OpSyncDir, path, func() error { return x.in.SyncDir(path) })
}

func (x *faulty) Stat(path string) (i fs.FileInfo, err error) {
	err = x.do(OpStat, path, func() (e error) { i, e = x.in.Stat(path); return e })
	return i, err
}

func (x *faulty) ReadDir(path string) (l []fs.DirEntry, err error) {
	err = x.do(OpReadDir, path, func() (e error) { l, e = x.in.ReadDir(path); return e })
	return l, err
}

type file struct {
	sys.File
	x    *faulty
	path string
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	if ft := f.x.hook(OpRead, f.path, len(p)); ft.Err != nil {
		return 0, ft.Err
	}
	return f.File.ReadAt(p, off)
}

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	ft := f.x.hook(OpWrite, f.path, len(p))
	if ft.Err == nil {
		return f.File.WriteAt(p, off)
	}
	if ft.After {
		ft.Short = len(p)
	}
	n, err := f.File.WriteAt(p[:min(ft.Short, len(p))], off)
	if err != nil {
		return n, err
	}
	return n, ft.Err
}

func (f *file) Truncate(size int64) error {
	return f.x.do(OpTruncate, f.path, func() error { return f.File.Truncate(size) })
}

func (f *file) Datasync() error {
	return f.x.do(OpSync, f.path, f.File.Datasync)
}
