package provider

import (
	"math"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

// moved answers a call that read n bytes into c.Out.
func moved(c *abi.Call, n int, e abi.Errno) abi.Errno {
	if e != 0 {
		return e
	}
	c.OutLen = n
	c.SetU32(0, uint32(n))
	return 0
}

func (w *World) read(c *abi.Call, d *descriptor) abi.Errno {
	if d.kind == kindFile {
		e := d.pread(c, d.pos)
		if e == 0 {
			d.pos += int64(c.OutLen)
		}
		return e
	}
	if d.kind == kindConnection {
		return w.receive(c, d, false, false)
	}
	switch {
	case len(c.Out) == 0:
		return moved(c, 0, 0)
	case d.flags&abi.FDFlagNonblock != 0 && !d.stream.Ready(false):
		return abi.EAGAIN
	}
	n, e := d.stream.Read(c.Out, w.done)
	return moved(c, n, e)
}

// pread reads from off on. No file reaches past the largest offset, and hosts
// refuse to be asked for what would lie there.
func (d *descriptor) pread(c *abi.Call, off int64) abi.Errno {
	n, e := d.file.Pread(c.Out[:min(int64(len(c.Out)), math.MaxInt64-off)], off)
	return moved(c, n, e)
}

// write writes c.In. A short write is an answer; a run that would go over its
// output limit ends before it writes.
func (w *World) write(c *abi.Call, d *descriptor) abi.Errno {
	if d.kind == kindConnection {
		return w.send(c, d)
	}
	n, e := 0, abi.ESUCCESS
	switch {
	case d.kind == kindFile && d.flags&abi.FDFlagAppend != 0:
		var end int64
		if n, end, e = w.writeEnd(c, d, c.In); e == 0 {
			d.pos = end
		}
	case d.kind == kindFile:
		if !extent(uint64(d.pos), uint64(len(c.In))) {
			return abi.EFBIG
		}
		if n, e = w.writeAt(c, d, c.In, d.pos); e == 0 {
			d.pos += int64(n)
		}
	case len(c.In) == 0:
	case d.counted && !w.unlimited && uint64(len(c.In)) > w.output:
		c.Stop = abi.OutcomeOutput
		return abi.ENOSPC
	case d.flags&abi.FDFlagNonblock != 0 && !d.stream.Ready(true):
		return abi.EAGAIN
	default:
		if n, e = d.stream.Write(c.In, w.done); e == 0 && d.counted && !w.unlimited {
			w.output -= uint64(n)
		}
	}
	if e == 0 {
		c.SetU32(0, uint32(n))
	}
	return e
}

// pwrite honours the offset on an append descriptor too, as POSIX and preview 1
// say and Linux does not.
func (w *World) pwrite(c *abi.Call, d *descriptor) abi.Errno {
	if !extent(c.Args[2], uint64(len(c.In))) {
		return abi.EFBIG
	}
	n, e := w.writeAt(c, d, c.In, int64(c.Args[2]))
	if e == 0 {
		c.SetU32(0, uint32(n))
	}
	return e
}

func (d *descriptor) seek(c *abi.Call) abi.Errno {
	if d.placed != nil {
		pos, e := d.placed.SeekTo(int64(c.Args[1]), uint8(c.Args[2]))
		c.SetU64(0, uint64(pos))
		return e
	}
	off, base := int64(c.Args[1]), int64(0)
	switch uint8(c.Args[2]) {
	case abi.WhenceCur:
		base = d.pos
	case abi.WhenceEnd:
		st, e := d.file.Stat()
		if e != 0 {
			return e
		}
		base = int64(min(st.Size, math.MaxInt64))
	}
	if off > math.MaxInt64-base {
		return abi.EOVERFLOW
	}
	if base+off < 0 {
		return abi.EINVAL
	}
	d.pos = base + off
	c.SetU64(0, uint64(d.pos))
	return 0
}

// allocated is how many bytes of room are made for what an entry costs.
const allocated = 4096

// syncedWrite is how many entries a write costs that waits for the disk.
const syncedWrite = 25

// attributes performs what sets or syncs a file or folder through a descriptor.
func (w *World) attributes(c *abi.Call, d *descriptor) abi.Errno {
	n := c.Row.Num
	if d.kind == kindFolder {
		switch {
		case n == abi.FdAdvise || d.folder.dir == nil:
			return 0
		case n == abi.FdFilestatSetTimes:
			t, _ := times(c.Args[1], c.Args[2], uint16(c.Args[3]))
			return d.folder.dir.SetOwnTimes(t)
		}
		return d.folder.dir.Sync()
	}
	switch n {
	case abi.FdAdvise:
		return d.file.Advise(int64(c.Args[1]), int64(c.Args[2]), uint8(c.Args[3]))
	case abi.FdAllocate:
		w.looked += int(min(c.Args[2]/allocated, math.MaxInt32)) // some file systems write zeros into each
		return w.sized(c, d, c.Args[1], c.Args[1]+c.Args[2], false, func() abi.Errno {
			return d.file.Allocate(int64(c.Args[1]), int64(c.Args[2]))
		})
	case abi.FdFilestatSetSize:
		return w.sized(c, d, c.Args[1], c.Args[1], true, func() abi.Errno { return d.file.Truncate(int64(c.Args[1])) })
	case abi.FdFilestatSetTimes:
		t, _ := times(c.Args[1], c.Args[2], uint16(c.Args[3]))
		return d.file.SetTimes(t)
	case abi.FdDatasync:
		return d.file.Datasync()
	case abi.FdSync:
		return d.file.Sync()
	}
	return abi.ENOSYS
}

// times reads the arguments of the *_filestat_set_times calls, and tells whether
// they make sense.
func times(atim, mtim uint64, flags uint16) (tree.Times, bool) {
	t := tree.Times{
		SetAtim: flags&(abi.FstAtim|abi.FstAtimNow) != 0, AtimNow: flags&abi.FstAtimNow != 0,
		SetMtim: flags&(abi.FstMtim|abi.FstMtimNow) != 0, MtimNow: flags&abi.FstMtimNow != 0,
	}
	both := func(a, b uint16) bool { return flags&a != 0 && flags&b != 0 }
	if flags&^abi.FstAll != 0 || both(abi.FstAtim, abi.FstAtimNow) || both(abi.FstMtim, abi.FstMtimNow) {
		return t, false
	}
	if flags&abi.FstAtim != 0 {
		t.Atim = atim
	}
	if flags&abi.FstMtim != 0 {
		t.Mtim = mtim
	}
	return t, true
}
