package provider

import (
	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

// opening is a path_open that Resolve has worked out.
type opening struct {
	base, inheriting, withheld abi.Rights
	how                        tree.How
}

// resolveOpen resolves path_open. The new descriptor gets of the rights asked
// for those that make sense on what is opened: libcs ask for more than that. One
// that would, and that the folder's descriptor does not hand down, is refused.
func (w *World) resolveOpen(c *abi.Call, t *target) {
	oflags, fdflags := uint16(c.Args[3]), uint16(c.Args[6])
	has := func(f uint16) bool { return oflags&f != 0 }
	creat := has(abi.OFlagCreat)
	excl := creat && has(abi.OFlagExcl)
	need := c.Row.Needs
	if creat {
		need |= abi.RightPathCreateFile
	}
	if has(abi.OFlagTrunc) && !w.mayCut(c.Args[0]) {
		need |= abi.RightPathFilestatSetSize
	}
	follow := c.Args[1]&uint64(abi.LookupSymlinkFollow) != 0
	w.locate(c.Args[0], c.Path[0], need, lookup{follow: follow && !excl, through: !excl}, t)
	if t.refused != 0 || t.inert {
		return
	}
	d := w.get(c.Args[0])
	asked := abi.Rights(c.Args[4])
	write := asked&abi.RightFDWrite != 0
	fits, pass := abi.FileRights, abi.Rights(0)
	if t.isDir() {
		fits, pass = abi.DirRights, abi.DirRights|abi.FileRights
	}
	if !(excl && t.exists) {
		if !t.isDir() && (write || has(abi.OFlagTrunc) || creat && !t.exists) {
			t.change()
		}
		if (asked&fits|abi.Rights(c.Args[5])&pass|syncing(d.inheriting, fdflags))&^d.inheriting != 0 && t.refused == 0 {
			t.refused, t.errno = abi.RefuseRights, abi.ENOTCAPABLE
		}
	}
	if uint32(c.Args[1])&^abi.LookupSymlinkFollow != 0 || oflags&^abi.OFlagsAll != 0 || fdflags&^abi.FDFlagsAll != 0 ||
		has(abi.OFlagDirectory) && (creat || has(abi.OFlagTrunc)) {
		t.wrong(abi.EINVAL)
	}
	t.openable(has(abi.OFlagDirectory), creat, excl, write || has(abi.OFlagTrunc))
	if _, ok := w.free(); !ok {
		t.wrong(abi.EMFILE)
	}

	w.opening = opening{inheriting: abi.Rights(c.Args[5]) & d.inheriting, how: tree.How{
		// A file opened for neither is opened for reading: its descriptor lacks the
		// right all the same. One to be cut has to be opened for writing.
		Read: asked&abi.RightFDRead != 0 || !write, Write: write || has(abi.OFlagTrunc),
		// What is there is not made: nothing in a read-only mount could be, were it
		// to go away meanwhile.
		Create: creat && !t.exists, Exclusive: excl, Truncate: has(abi.OFlagTrunc),
		Sync:  fdflags&(abi.FDFlagSync|abi.FDFlagRsync) != 0,
		Dsync: fdflags&abi.FDFlagDsync != 0,
	}}
	op := &w.opening
	op.base = asked & d.inheriting & fits
	if t.mnt != nil && t.mnt.readOnly {
		op.withheld = op.base & abi.MutatingRights
		op.base &^= op.withheld
	}
}

// mayCut says that what is opened from folder fd can be cut without the right
// that names O_TRUNC, path_filestat_set_size: the folder hands down what it takes
// to open a file for writing and then cut it, so that refusing both in one call
// withholds nothing. Go's os.Root opens its folder without that right, and makes
// files with O_TRUNC.
func (w *World) mayCut(fd uint64) bool {
	const cut = abi.RightFDWrite | abi.RightFDFilestatSetSize
	d := w.get(fd)
	return d != nil && d.inheriting&cut == cut
}

// syncing is what a folder must hand down, which hands down granted, for what is opened
// with those of fdflags that make writes or reads wait for the disk. The right to sync
// is also that to sync data only.
func syncing(granted abi.Rights, fdflags uint16) abi.Rights {
	switch {
	case fdflags&(abi.FDFlagSync|abi.FDFlagRsync) != 0:
		return abi.RightFDSync
	case fdflags&abi.FDFlagDsync != 0 && granted&abi.RightFDSync == 0:
		return abi.RightFDDatasync
	}
	return 0
}

// openable notes why what t is can't be opened so.
func (t *target) openable(folder, creat, excl, write bool) {
	switch {
	case t.parent == nil:
	case !t.exists && !creat:
		t.wrong(abi.ENOENT)
	case !t.exists && t.slash:
		t.wrong(abi.EISDIR)
	case !t.exists:
	case excl:
		t.wrong(abi.EEXIST)
	case t.isDir() && (write || creat):
		t.wrong(abi.EISDIR)
	case t.isDir():
	case t.st.Type == abi.FiletypeSymbolicLink:
		t.wrong(abi.ELOOP)
	case folder || t.slash:
		t.wrong(abi.ENOTDIR)
	case t.st.Type != abi.FiletypeRegularFile:
		t.wrong(abi.ENOTSUP)
	}
}

// open performs path_open on what resolveOpen left in t and w.opening.
func (w *World) open(c *abi.Call, t *target) abi.Errno {
	fd, ok := w.free()
	if !ok {
		return abi.EMFILE
	}
	op := &w.opening
	d := &descriptor{base: op.base, inheriting: op.inheriting, withheld: op.withheld, flags: uint16(c.Args[6]), mnt: t.mnt}
	switch {
	case t.name == "":
		d.kind, d.folder = kindFolder, t.parent.hold()
	case t.isDir():
		dir, e := t.parent.dir.OpenDir(t.name)
		if e != 0 {
			return e
		}
		d.kind, d.folder = kindFolder, &folder{name: t.full, dir: dir, mnt: t.mnt, refs: 1}
	default:
		f, e := w.openFile(c, t)
		if e != 0 {
			return e
		}
		d.kind, d.file, d.name = kindFile, f, t.full
	}
	w.put(fd, d)
	c.SetU32(0, uint32(fd))
	return 0
}

// openFile opens or makes the file t, within the quota of what it lies in.
func (w *World) openFile(c *abi.Call, t *target) (f tree.File, e abi.Errno) {
	how := w.opening.how
	open := func() abi.Errno {
		f, e = t.parent.dir.Open(t.name, how)
		return e
	}
	if how.Create {
		e = w.named(c, t, open)
	} else if e = open(); e == 0 {
		w.cutOnOpen(t, &how)
	}
	return f, e
}
