package provider

import (
	"strings"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/sock"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

// firstFree is the lowest number that no standard descriptor has at the start:
// 0, 1 and 2 are the streams, 3 is the preopen "/".
const firstFree = 4

type kind uint8

const (
	kindStream kind = iota
	kindFile
	kindFolder
	kindListener
	kindConnection
)

// descriptor is one open descriptor.
type descriptor struct {
	kind    kind
	preopen bool // fd_prestat_get knows it
	counted bool // what is written to it counts as output
	flags   uint16
	// base may only shrink, and so may inheriting. withheld are the rights that
	// base lacks for no other reason than that the mount is read-only: their lack
	// is told as such, and they are no obstacle to a path that leads from a
	// read-only mount into a writable one.
	base, inheriting, withheld abi.Rights

	name   string // of a stream or a file, or the address listened on; a folder knows its own
	stream Stream
	placed Placed // the stream, if it has a place; else nil
	file   tree.File
	folder *folder
	mnt    *mount
	pos    int64
	list   []dirent // the listing that fd_readdir's cookies count in
	listed int      // its cost in bytes

	listener sock.Listener
	conn     sock.Connection
	grant    int // of a socket; a mount knows its own

	tracked *tracked // of a file, once the guest has written to it by d where a quota counts

	memo abi.Memo
}

// Rights of the streams. Without the right to seek, libc takes a character
// device for a terminal.
const (
	stdinRights  = abi.RightFDRead | abi.RightFDFdstatSetFlags | abi.RightFDFilestatGet | abi.RightPollFDReadwrite
	stdoutRights = abi.RightFDWrite | abi.RightFDFdstatSetFlags | abi.RightFDFilestatGet | abi.RightPollFDReadwrite |
		abi.RightFDSync | abi.RightFDDatasync
)

func newStream(name string, s Stream, out bool) *descriptor {
	if s == nil {
		s = nothing{}
	}
	d := &descriptor{kind: kindStream, name: name, stream: s, counted: out, base: stdinRights}
	if out {
		d.base = stdoutRights
	}
	if p, ok := s.(Placed); ok && p.Placed() {
		// Where output goes is for whoever redirected it to say: it can be asked for, and
		// what was written before by others is not written over.
		if d.placed, d.base = p, d.base|abi.RightFDTell; !out {
			d.base |= abi.RightFDSeek
		}
	}
	return d
}

// nothing is the stream of a Config that names none.
type nothing struct{}

func (nothing) Read([]byte, <-chan struct{}) (int, abi.Errno)       { return 0, 0 }
func (nothing) Write(p []byte, _ <-chan struct{}) (int, abi.Errno)  { return len(p), 0 }
func (nothing) Ready(bool) bool                                     { return true }
func (nothing) Type() abi.Filetype                                  { return abi.FiletypeUnknown }
func (nothing) WaitReady(bool, time.Duration, <-chan struct{}) bool { return true }

// get returns the open descriptor fd, or nil.
func (w *World) get(fd uint64) *descriptor {
	if fd < uint64(len(w.fds)) {
		return w.fds[fd]
	}
	return nil
}

// free returns the lowest free number, and whether there is one.
func (w *World) free() (int, bool) {
	for w.lowest < len(w.fds) && w.fds[w.lowest] != nil {
		w.lowest++
		w.looked++
	}
	return w.lowest, w.lowest < len(w.fds) || w.lowest < int(w.limit)
}

// vacate makes the number fd, whose descriptor was closed or moved, free.
func (w *World) vacate(fd int) {
	w.fds[fd] = nil
	w.lowest = min(w.lowest, fd)
}

// put makes d descriptor fd, a number that free returned.
func (w *World) put(fd int, d *descriptor) {
	if fd == len(w.fds) {
		w.fds = append(w.fds, d)
		return
	}
	w.fds[fd] = d
}

func (d *descriptor) close() abi.Errno {
	switch d.kind {
	case kindFile:
		return d.file.Close()
	case kindFolder:
		d.folder.drop()
	case kindListener, kindConnection:
		return d.socket().Close()
	}
	return 0
}

// path is the canonical name, for streams "stdin" and so on.
func (d *descriptor) path() string {
	if d.kind == kindFolder {
		return d.folder.name
	}
	return d.name
}

// describe makes d the object.
func (d *descriptor) describe(o *abi.Object) {
	o.Kind, o.Name, o.Dir, o.Memo = abi.ObjFile, d.path(), d.kind == kindFolder, &d.memo
	switch {
	case d.kind == kindStream:
		o.Kind = abi.ObjStream
	case d.isSocket():
		o.Kind, o.Grant = abi.ObjSocket, d.grant
	}
	if d.mnt != nil {
		o.Grant = d.mnt.grant
	}
}

// lack returns the refusal, if any, that d's lack of a right of need means, and
// its errno.
func (d *descriptor) lack(need abi.Rights) (abi.Refusal, abi.Errno) {
	switch miss := need &^ d.base; {
	case miss == 0:
		return abi.RefuseNone, 0
	case miss&^d.withheld == 0:
		return abi.RefuseReadOnly, abi.EROFS
	}
	return abi.RefuseRights, abi.ENOTCAPABLE
}

// renamed keeps the names of descriptors true after the guest has moved what
// was called from, and all beneath it, to the name to. What was decided for the
// old name no longer holds.
func (w *World) renamed(from, to string) {
	w.looked += len(w.fds)
	for _, d := range w.fds {
		if d == nil || d.kind != kindFile && d.kind != kindFolder {
			continue
		}
		rest, ok := strings.CutPrefix(d.path(), from)
		if !ok || rest != "" && rest[0] != '/' {
			continue
		}
		// A folder that descriptors share is renamed with the first of them and
		// found renamed by the others, whose memos must go all the same.
		if d.kind == kindFolder {
			d.folder.name = to + rest
		} else {
			d.name = to + rest
		}
		d.memo = abi.Memo{}
	}
}

// unfit is the errno of a call that makes no sense on what d is.
func (d *descriptor) unfit(n abi.Num) abi.Errno {
	switch d.kind {
	case kindStream:
		switch n {
		case abi.FdSeek, abi.FdTell:
			if d.placed == nil {
				return abi.ESPIPE
			}
		case abi.FdAdvise, abi.FdAllocate, abi.FdPread, abi.FdPwrite:
			return abi.ESPIPE
		case abi.FdDatasync, abi.FdSync, abi.FdFilestatSetSize, abi.FdFilestatSetTimes:
			return abi.EINVAL
		case abi.FdReaddir:
			return abi.ENOTDIR
		}
	case kindListener, kindConnection:
		if e := d.unfitSocket(n); e != 0 {
			return e
		}
	case kindFile:
		if n == abi.FdReaddir {
			return abi.ENOTDIR
		}
	case kindFolder:
		switch n {
		case abi.FdRead, abi.FdPread:
			return abi.EISDIR
		case abi.FdWrite, abi.FdPwrite, abi.FdAllocate, abi.FdFilestatSetSize, abi.FdSeek, abi.FdTell:
			return abi.EBADF
		}
	}
	if !d.preopen && (n == abi.FdPrestatGet || n == abi.FdPrestatDirName) {
		return abi.EBADF
	}
	return 0
}
