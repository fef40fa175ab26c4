package provider

import (
	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

// nameCost is what a new name in a granted mount counts for, beside what is
// written: a folder, an empty file and a link take room too.
const nameCost = 4096

// maxGrown bounds the files whose growth is remembered. What any further one
// has grown by is not given back when it is cut.
const maxGrown = 4096

// quota is how much the files in granted mounts may still grow. Sizes count, so
// a hole does; what is cut from a file is given back as far as this run had
// added it to that file. What is unlinked is not: somebody may hold it open, and
// then it still takes its room.
type quota struct {
	left  uint64
	none  bool // no limit
	grown map[fileID]uint64
}

// fileID tells the files of all mounts apart: devices are marked by mount.
type fileID struct{ dev, ino uint64 }

// counts tells whether what is done in m counts.
func (q *quota) counts(m *mount) bool { return !q.none && m != nil && m.grant > 0 }

// take takes n bytes, or says EDQUOT.
func (q *quota) take(n uint64) abi.Errno {
	if n > q.left {
		return abi.EDQUOT
	}
	q.left -= n
	return 0
}

// changed accounts for a file that was as st, marked, and has size bytes now.
func (q *quota) changed(st *abi.Filestat, size uint64) {
	id := fileID{st.Dev, st.Ino}
	switch {
	case size > st.Size:
		n := size - st.Size
		q.left -= min(n, q.left)
		if q.grown == nil {
			q.grown = map[fileID]uint64{}
		}
		if _, known := q.grown[id]; known || len(q.grown) < maxGrown {
			q.grown[id] += n
		}
	case size < st.Size:
		back := min(st.Size-size, q.grown[id])
		if back == 0 {
			return
		}
		q.left += back
		if q.grown[id] -= back; q.grown[id] == 0 {
			delete(q.grown, id)
		}
	}
}

// sized performs f, which makes d's file end bytes long if it is shorter, and if
// cut is set also if it is longer, within the quota.
func (w *World) sized(c *abi.Call, d *descriptor, end uint64, cut bool, f func() abi.Errno) abi.Errno {
	if !w.disk.counts(d.mnt) {
		return f()
	}
	st, e := d.stat()
	if e != 0 {
		return e
	}
	if end > st.Size && end-st.Size > w.disk.left {
		return w.overDisk(c)
	}
	if e = f(); e == 0 && (cut || end > st.Size) {
		w.disk.changed(&st, end)
	}
	return e
}

// writeAt writes p to d's file at off, as much as the quota has room for.
func (w *World) writeAt(c *abi.Call, d *descriptor, p []byte, off int64) (int, abi.Errno) {
	if !w.disk.counts(d.mnt) || len(p) == 0 {
		return d.file.Pwrite(p, off)
	}
	st, e := d.stat()
	if e != 0 {
		return 0, e
	}
	if reach := st.Size + w.disk.left; reach >= st.Size && uint64(off)+uint64(len(p)) > reach {
		if uint64(off) >= reach {
			return 0, w.overDisk(c)
		}
		p = p[:reach-uint64(off)]
	}
	n, e := d.file.Pwrite(p, off)
	if end := uint64(off) + uint64(n); e == 0 && n > 0 && end > st.Size {
		w.disk.changed(&st, end)
	}
	return n, e
}

// writeEnd appends p to d's file, as much as the quota has room for.
func (w *World) writeEnd(c *abi.Call, d *descriptor, p []byte) (n int, end int64, e abi.Errno) {
	if !w.disk.counts(d.mnt) || len(p) == 0 {
		return d.file.Append(p)
	}
	if w.disk.left == 0 {
		return 0, 0, w.overDisk(c)
	}
	if uint64(len(p)) > w.disk.left {
		p = p[:w.disk.left]
	}
	if n, end, e = d.file.Append(p); e == 0 {
		st, e := d.stat()
		if e != 0 {
			return n, end, e
		}
		st.Size = uint64(end) - uint64(n)
		w.disk.changed(&st, uint64(end))
	}
	return n, end, e
}

// named performs f, which is to make a new name in t's folder, within the quota.
func (w *World) named(c *abi.Call, t *target, f func() abi.Errno) abi.Errno {
	if !w.disk.counts(t.mnt) {
		return f()
	}
	if w.disk.take(nameCost) != 0 {
		return w.overDisk(c)
	}
	e := f()
	if e != 0 {
		w.disk.left += nameCost
	}
	return e
}

// cutOnOpen accounts for a file that was cut when it was opened.
func (w *World) cutOnOpen(t *target, how *tree.How) {
	if how.Truncate && t.exists && w.disk.counts(t.mnt) {
		w.disk.changed(&t.st, 0)
	}
}

func (w *World) overDisk(c *abi.Call) abi.Errno {
	c.Limit = abi.LimitDisk
	return abi.EDQUOT
}

// limitOf is the limit that the answer e to c comes from, where e tells.
func (w *World) limitOf(c *abi.Call, e abi.Errno) abi.Limit {
	switch e {
	case abi.EMFILE:
		return abi.LimitDescriptors
	case abi.ENFILE:
		return abi.LimitOpenFiles
	case abi.ENOSPC:
		m := w.held[0].mnt
		if c.Row.Num <= abi.FdWrite {
			if d := w.get(c.Args[0]); d != nil {
				m = d.mnt
			}
		}
		if m != nil {
			return m.full
		}
	}
	return 0
}
