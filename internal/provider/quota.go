package provider

import (
	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

// nameCost is what a new name in a granted mount counts for, beside what is
// written: a folder, an empty file and a link take room too.
const nameCost = 4096

const (
	// maxTracked bounds the files whose growth is remembered together with their
	// names. What any further one has grown by is not given back when it is cut.
	maxTracked = 4096
	// unseenMost is how much a guest writes to a file before its size is looked at
	// again: looking costs as much as a small write, and makes the next one dearer.
	unseenMost = 64 << 10
)

// quota is how much room the files in granted mounts may still take. Sizes count, so
// a hole that the run makes does; what is cut from a file is given back as far as this
// run had added it to that file. A hole that was there before counts as far as it is
// filled, in whole blocks, which nothing gives back. Neither does unlinking: somebody
// may hold the file open, and then it still takes its room.
type quota struct {
	left  uint64
	none  bool // no limit
	files map[fileID]*tracked
}

// fileID tells the files of all mounts apart: devices are marked by mount.
type fileID struct{ dev, ino uint64 }

// tracked is what is known of a file. Descriptors of one file share it.
type tracked struct {
	size  uint64 // when it was looked at last, or more since
	grown uint64 // by this run, and not given back
	// unseen is what was written since then without making the file larger than
	// size. If somebody else cut it meanwhile, that much grew it all the same.
	unseen uint64
	// old is how much of it, from the beginning, this run has not made: what holes
	// there are in that nobody has paid for. holed tells whether there are any.
	old   uint64
	holed bool
}

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

// of returns what is tracked of the file st.
func (q *quota) of(st *abi.Filestat) *tracked {
	id := fileID{st.Dev, st.Ino}
	if x := q.files[id]; x != nil {
		return x
	}
	if len(q.files) >= maxTracked {
		q.forget()
	}
	x := &tracked{size: st.Size, old: st.Size}
	if q.files == nil {
		q.files = map[fileID]*tracked{}
	}
	if len(q.files) < maxTracked {
		q.files[id] = x
	}
	return x
}

// forget makes room for a file: one that has nothing to give back is looked for
// among a few.
func (q *quota) forget() {
	probes := 16
	for id, x := range q.files {
		if x.grown == 0 {
			delete(q.files, id)
			return
		}
		if probes--; probes == 0 {
			return
		}
	}
}

// add accounts for n bytes by which x's file grew.
func (q *quota) add(x *tracked, n uint64) {
	q.left -= min(n, q.left)
	x.grown += n
}

// changed accounts for a file that was as st, marked, and has size bytes now.
func (q *quota) changed(st *abi.Filestat, size uint64) {
	x := q.of(st)
	if size > st.Size {
		q.add(x, size-st.Size)
	} else {
		back := min(st.Size-size, x.grown)
		q.left += back
		x.grown -= back
	}
	x.size, x.unseen, x.old = size, 0, min(x.old, size)
}

// look finds out how large x's file is. What was written to a part that
// somebody else had cut off is accounted for now.
func (q *quota) look(x *tracked, size uint64) {
	switch {
	case size < x.size:
		q.add(x, min(x.unseen, size))
		x.old = min(x.old, size)
	case size > x.size: // by others
		x.old = size
	}
	x.size, x.unseen = size, 0
}

// fill accounts for n bytes of holes that were filled.
func (q *quota) fill(n uint64) { q.left -= min(n, q.left) }

// track returns what is known of d's file, looking at it if that is not
// recent, or anew is set.
func (w *World) track(d *descriptor, anew bool) (*tracked, abi.Errno) {
	if d.tracked != nil && !anew && d.tracked.unseen < unseenMost {
		return d.tracked, 0
	}
	st, e := d.stat()
	if e != 0 {
		return nil, e
	}
	if d.tracked == nil {
		d.tracked = w.disk.of(&st)
	}
	x := d.tracked
	w.disk.look(x, st.Size)
	if s, ok := d.file.(tree.Sparse); ok {
		room, looked := s.Holes(0, int64(x.old), 1)
		x.holed = room > 0
		w.looked += looked
	}
	return x, 0
}

// manyHoles is how many holes are looked at one by one for one call.
const manyHoles = 64

// blank is what it takes to fill the old holes of d's file from off to end.
func (w *World) blank(d *descriptor, x *tracked, off, end uint64) uint64 {
	if end = min(end, x.old); !x.holed || off >= end {
		return 0
	}
	s, ok := d.file.(tree.Sparse)
	if !ok {
		return 0
	}
	room, looked := s.Holes(int64(off), int64(end-off), manyHoles)
	w.looked += looked
	return room
}

// settleDisk accounts for what d wrote before it is closed.
func (w *World) settleDisk(d *descriptor) {
	if d.tracked != nil && d.tracked.unseen > 0 {
		_, _ = w.track(d, true) // a file that can't be looked at can't be written to
	}
}

// sized performs f, which makes d's file end bytes long if it is shorter, and if
// cut is set also if it is longer, within the quota. From off to end it has no holes
// then.
func (w *World) sized(c *abi.Call, d *descriptor, off, end uint64, cut bool, f func() abi.Errno) abi.Errno {
	if !w.disk.counts(d.mnt) {
		return f()
	}
	w.settleDisk(d)
	st, e := d.stat()
	if e != 0 {
		return e
	}
	fill := uint64(0)
	if off < end {
		x, e := w.track(d, true)
		if e != 0 {
			return e
		}
		fill = w.blank(d, x, off, end)
	}
	if fill > w.disk.left || end > st.Size && end-st.Size > w.disk.left-fill {
		return w.overDisk(c)
	}
	if e = f(); e != 0 {
		return e
	}
	w.disk.fill(fill)
	if cut || end > st.Size {
		w.disk.changed(&st, end)
	}
	return 0
}

// writeAt writes p to d's file at off, as much as the quota has room for.
func (w *World) writeAt(c *abi.Call, d *descriptor, p []byte, off int64) (int, abi.Errno) {
	if !w.disk.counts(d.mnt) || len(p) == 0 {
		return d.file.Pwrite(p, off)
	}
	begin, end := uint64(off), uint64(off)+uint64(len(p))
	x, e := w.track(d, false)
	if e == 0 && end > x.size && end-x.size > w.disk.left {
		x, e = w.track(d, true) // others may have made it longer
	}
	if e != 0 {
		return 0, e
	}
	fill := w.blank(d, x, begin, end)
	if fill > w.disk.left { // then what is left is for the first of it
		if w.disk.left == 0 {
			return 0, w.overDisk(c)
		}
		p = p[:min(uint64(len(p)), w.disk.left)]
		end = begin + uint64(len(p))
		fill = w.blank(d, x, begin, end)
	}
	if reach := x.size + w.disk.left - min(fill, w.disk.left); reach >= x.size && end > reach {
		if begin >= reach {
			return 0, w.overDisk(c)
		}
		p = p[:reach-begin]
	}
	n, e := d.file.Pwrite(p, off)
	if e != 0 || n == 0 {
		return n, e
	}
	w.disk.fill(fill)
	unseen := uint64(n)
	if end := begin + unseen; end > x.size {
		w.disk.add(x, end-x.size)
		unseen -= min(unseen, end-x.size)
		x.size = end
	}
	x.unseen += unseen
	return n, 0
}

// writeEnd appends p to d's file, as much as the quota has room for. What is
// appended makes the file larger, however large it is.
func (w *World) writeEnd(c *abi.Call, d *descriptor, p []byte) (n int, end int64, e abi.Errno) {
	if !w.disk.counts(d.mnt) || len(p) == 0 {
		return d.file.Append(p)
	}
	x, e := w.track(d, false)
	if e != 0 {
		return 0, 0, e
	}
	if w.disk.left == 0 {
		return 0, 0, w.overDisk(c)
	}
	p = p[:min(uint64(len(p)), w.disk.left)]
	if n, end, e = d.file.Append(p); e == 0 {
		w.disk.add(x, uint64(n))
		x.size = max(x.size, uint64(end))
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
