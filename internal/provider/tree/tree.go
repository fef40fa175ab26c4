// Package tree is the one interface of everything that can be mounted into a
// run's namespace: host folders, package assets, scratch. A name is always one
// component, never "", "." or "..", never with a slash or NUL in it; no
// operation follows a symbolic link. Implementations answer with preview 1
// errnos and are safe for use by one run, which makes one call at a time.
// ENOTCAPABLE from OpenDir, Beneath, Lstat and Open says that what is there, a part
// of the kernel's own file systems or of its state, is out of reach for every guest.
package tree

import "github.com/forgeone/forgeone/abi"

// Dir is a held folder. Whoever received it closes it.
type Dir interface {
	// OpenDir opens the folder name. ELOOP says that name is a symbolic link.
	OpenDir(name string) (Dir, abi.Errno)
	// Beneath opens the folder rel, one or more components joined by single
	// slashes, in one step. ELOOP says that one of them is a symbolic link and
	// the caller has to walk.
	Beneath(rel string) (Dir, abi.Errno)
	// Lstat describes name itself.
	Lstat(name string) (abi.Filestat, abi.Errno)
	// Stat describes the folder itself.
	Stat() (abi.Filestat, abi.Errno)
	// Readlink returns the target of the symbolic link name.
	Readlink(name string) (string, abi.Errno)
	// Open opens or makes the regular file name. ELOOP: a symbolic link.
	// EISDIR: a folder. ENOTSUP: a device, FIFO or socket, which is never
	// opened and never waited for.
	Open(name string, how How) (File, abi.Errno)
	Mkdir(name string) abi.Errno
	Rmdir(name string) abi.Errno
	Unlink(name string) abi.Errno
	Symlink(target, name string) abi.Errno
	// Link makes a hard link of name in to, which is of the same tree (else EXDEV).
	Link(name string, to Dir, newName string) abi.Errno
	// Rename moves name into to, which is of the same tree (else EXDEV).
	Rename(name string, to Dir, newName string) abi.Errno
	// SetTimes sets the times of name itself.
	SetTimes(name string, t Times) abi.Errno
	// SetOwnTimes sets the times of the folder itself.
	SetOwnTimes(t Times) abi.Errno
	// List returns the folder's entries at this moment, "." and ".." excluded,
	// in an order that is stable while the folder does not change. EOVERFLOW: they
	// are too many to hold.
	List() ([]Entry, abi.Errno)
	Sync() abi.Errno
	Close()
}

// Movable is a Dir that others than the run may move to elsewhere while it is held.
type Movable interface {
	// Where returns the path from the root of the tree to the folder as it is now,
	// components joined by single slashes; "" is the root itself. was is where the
	// folder was before. A handle of the root must be open. ENOENT: the folder has
	// been removed. Another errno: it does not lie beneath the root any more, or
	// nobody can tell where.
	Where(was string) (now string, e abi.Errno)
}

// File is an open regular file. It has no position: descriptors keep theirs.
type File interface {
	// Pread reads at off; 0 at the end of the file.
	Pread(p []byte, off int64) (int, abi.Errno)
	Pwrite(p []byte, off int64) (int, abi.Errno)
	// Append writes at the end, atomically, and returns the offset after it.
	Append(p []byte) (n int, end int64, e abi.Errno)
	Stat() (abi.Filestat, abi.Errno)
	SetTimes(t Times) abi.Errno
	Truncate(size int64) abi.Errno
	Allocate(off, n int64) abi.Errno
	Advise(off, n int64, advice uint8) abi.Errno
	Sync() abi.Errno
	Datasync() abi.Errno
	Close() abi.Errno
}

// Sparse is a File that may have holes: parts that take no room and read as zeros.
type Sparse interface {
	// Holes returns how many bytes of room writing n bytes at off takes for holes in
	// them, in whole blocks, and how many holes it looked at: at most so many, and the
	// rest counts as one. What lies behind the end of the file is none. 0 where nobody
	// can tell.
	Holes(off, n int64, most int) (room uint64, looked int)
}

// How says how to open a file.
type How struct {
	Read, Write                 bool
	Create, Exclusive, Truncate bool
	Sync, Dsync                 bool
}

// Times says which times to set. Now wins over the value.
type Times struct {
	SetAtim, SetMtim bool
	AtimNow, MtimNow bool
	Atim, Mtim       uint64 // unix nanoseconds
}

// Entry is one entry of a folder.
type Entry struct {
	Name string
	Type abi.Filetype
	Ino  uint64
}

// Cost is about how many bytes of memory a listing takes for e, the copy of who
// passes it on included. What is listed is bounded by it: guests make names as
// long and as many as they like.
func (e *Entry) Cost() int { return len(e.Name) + 64 }
