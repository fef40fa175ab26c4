package provider

import (
	"math"

	"github.com/forgeone/forgeone/abi"
)

// resolveFD resolves the calls on a descriptor, Params[0].
func (w *World) resolveFD(c *abi.Call, o *abi.Object) {
	d := w.get(c.Args[0])
	if d == nil {
		o.Errno = abi.EBADF
		return
	}
	n := c.Row.Num
	if n == abi.FdRenumber && w.get(c.Args[1]) == nil {
		o.Errno = abi.EBADF
		return
	}
	stray, strayed := abi.RefuseNone, abi.ESUCCESS
	if d.kind == kindFolder && n != abi.FdClose {
		if stray, strayed = w.whereabouts(d.folder); c.Row.Class == abi.IPC {
			stray, strayed = abi.RefuseNone, abi.ESUCCESS // on the descriptor, not on what it stands for
		}
	}
	d.describe(o)
	o.H = int(c.Args[0])
	if o.Errno = d.unfit(n); o.Errno != 0 {
		return
	}
	if o.Refused, o.Errno = stray, strayed; o.Refused != 0 {
		return
	}
	need := c.Row.Needs
	switch n {
	case abi.FdTell:
		need = d.tell()
	case abi.FdSeek:
		need = abi.RightFDSeek
		if c.Args[1] == 0 && uint8(c.Args[2]) == abi.WhenceCur {
			need = d.tell()
		}
	}
	if o.Refused, o.Errno = d.lack(need); o.Refused != 0 {
		return
	}
	if n == abi.FdFdstatSetRights && (abi.Rights(c.Args[1])&^d.base != 0 || abi.Rights(c.Args[2])&^d.inheriting != 0) {
		o.Refused, o.Errno = abi.RefuseRights, abi.ENOTCAPABLE
		return
	}
	if n == abi.FdFilestatSetTimes && d.kind == kindFolder {
		if o.Refused, o.Errno = d.mnt.refuses(); o.Refused != 0 {
			return
		}
	}
	o.Errno = invalid(c, d)
}

// tell is the right to know the position: the right to seek implies it.
func (d *descriptor) tell() abi.Rights {
	if d.base&abi.RightFDSeek != 0 {
		return 0
	}
	return abi.RightFDTell
}

// invalid checks those arguments of a call on d that have nothing to do with
// what is performed.
func invalid(c *abi.Call, d *descriptor) abi.Errno {
	ok := true
	switch c.Row.Num {
	case abi.FdAdvise:
		ok = extent(c.Args[1], c.Args[2]) && c.Args[3] <= adviceNoReuse
	case abi.FdAllocate:
		ok = c.Args[2] != 0
		if ok && !extent(c.Args[1], c.Args[2]) {
			return abi.EFBIG
		}
	case abi.FdFdstatSetFlags:
		flags := uint16(c.Args[1])
		ok = flags&^abi.FDFlagsAll == 0
		if ok && (flags^d.flags)&(abi.FDFlagDsync|abi.FDFlagRsync|abi.FDFlagSync) != 0 {
			return abi.ENOTSUP
		}
	case abi.FdFilestatSetSize:
		ok = c.Args[1] <= math.MaxInt64
	case abi.FdFilestatSetTimes:
		_, ok = times(c.Args[1], c.Args[2], uint16(c.Args[3]))
	case abi.FdPread, abi.FdPwrite:
		ok = c.Args[2] <= math.MaxInt64
	case abi.FdSeek:
		ok = uint8(c.Args[2]) <= abi.WhenceEnd
	}
	if !ok {
		return abi.EINVAL
	}
	return 0
}

// adviceNoReuse is the highest advice that preview 1 defines.
const adviceNoReuse = 5

// extent tells whether n bytes from off on are within a file's reach.
func extent(off, n uint64) bool {
	return off <= math.MaxInt64 && n <= math.MaxInt64-off
}

func (w *World) performFD(c *abi.Call, o *abi.Object) abi.Errno {
	d := w.fds[o.H]
	if (c.Row.Num == abi.FdWrite || c.Row.Num == abi.FdPwrite) && d.file != nil && d.flags&(abi.FDFlagSync|abi.FDFlagDsync|abi.FDFlagRsync) != 0 {
		w.looked += syncedWrite
	}
	switch c.Row.Num {
	case abi.FdRead:
		return w.read(c, d)
	case abi.FdWrite:
		return w.write(c, d)
	case abi.FdPread:
		return d.pread(c, int64(c.Args[2]))
	case abi.FdPwrite:
		return w.pwrite(c, d)
	case abi.FdSeek:
		return d.seek(c)
	case abi.FdTell:
		pos, e := d.pos, abi.ESUCCESS
		if d.placed != nil {
			pos, e = d.placed.SeekTo(0, abi.WhenceCur)
		}
		c.SetU64(0, uint64(pos))
		return e
	case abi.FdClose:
		w.settleDisk(d)
		w.vacate(o.H)
		return d.close()
	case abi.FdRenumber:
		return w.renumber(o.H, int(c.Args[1]))
	case abi.FdFdstatGet:
		abi.Fdstat{Type: d.filetype(), Flags: d.flags, Base: d.base, Inheriting: d.inheriting}.Put(c.Ret[:])
		return 0
	case abi.FdFdstatSetFlags:
		d.flags = uint16(c.Args[1])
		return 0
	case abi.FdFdstatSetRights:
		d.base, d.inheriting, d.withheld = abi.Rights(c.Args[1]), abi.Rights(c.Args[2]), 0
		return 0
	case abi.FdFilestatGet:
		st, e := d.stat()
		st.Put(c.Ret[:])
		return e
	case abi.FdPrestatGet:
		clear(c.Ret[:abi.PrestatSize]) // tag 0: a folder
		c.SetU32(4, uint32(len(preopenName)))
		return 0
	case abi.FdPrestatDirName:
		if len(c.Out) < len(preopenName) {
			return abi.ENAMETOOLONG
		}
		c.OutLen = copy(c.Out, preopenName)
		return 0
	case abi.FdReaddir:
		return w.readdir(c, d)
	}
	return w.attributes(c, d)
}

// preopenName is the one preopen's.
const preopenName = "/"

// renumber makes fd be to, which is closed first.
func (w *World) renumber(fd, to int) abi.Errno {
	if fd == to {
		return 0
	}
	w.settleDisk(w.fds[to])
	e := w.fds[to].close()
	w.fds[to] = w.fds[fd]
	w.vacate(fd)
	return e
}

func (d *descriptor) filetype() abi.Filetype {
	switch d.kind {
	case kindFile:
		return abi.FiletypeRegularFile
	case kindFolder:
		return abi.FiletypeDirectory
	case kindListener, kindConnection:
		return abi.FiletypeSocketStream
	}
	return d.stream.Type()
}

func (d *descriptor) stat() (abi.Filestat, abi.Errno) {
	switch d.kind {
	case kindFile:
		st, e := d.file.Stat()
		return d.mnt.mark(st), e
	case kindFolder:
		return d.folder.stat()
	case kindStream:
		if d.placed != nil {
			return d.placed.Stat()
		}
	}
	return abi.Filestat{Type: d.filetype(), Nlink: 1}, 0
}
