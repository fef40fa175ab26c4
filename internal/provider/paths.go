package provider

import (
	"path"
	"strings"

	"github.com/forgeone/forgeone/abi"
)

// resolvePath resolves the calls that name a path from a folder's descriptor.
func (w *World) resolvePath(c *abi.Call, o *abi.Object) {
	o.Held = &w.held
	t := &w.held[0]
	switch c.Row.Num {
	case abi.PathOpen:
		w.resolveOpen(c, t)
	case abi.PathCreateDirectory:
		w.locate(c.Args[0], c.Path[0], c.Row.Needs, lookup{}, t)
		t.create(true)
	case abi.PathSymlink:
		w.locate(c.Args[1], c.Path[1], abi.RightPathSymlink, lookup{}, t)
		t.linkTo(c.Path[0])
		t.create(false)
	case abi.PathUnlinkFile, abi.PathRemoveDirectory:
		w.locate(c.Args[0], c.Path[0], c.Row.Needs, lookup{}, t)
		t.remove(c.Row.Num)
		if t.errno == abi.EINVAL && strings.HasSuffix(strings.TrimRight(c.Path[0], "/"), "..") {
			t.errno = abi.ENOTEMPTY // it holds what the path came through
		}
	case abi.PathRename, abi.PathLink:
		w.resolveTwo(c, o)
		return
	case abi.PathReadlink:
		w.locate(c.Args[0], c.Path[0], c.Row.Needs, lookup{through: true}, t)
		t.existing()
		if t.name == "" || t.st.Type != abi.FiletypeSymbolicLink {
			t.wrong(abi.EINVAL)
		}
	case abi.PathFilestatGet, abi.PathFilestatSetTimes:
		w.locate(c.Args[0], c.Path[0], c.Row.Needs, lookup{follow: c.Args[1]&uint64(abi.LookupSymlinkFollow) != 0, through: true}, t)
		if c.Row.Num == abi.PathFilestatSetTimes {
			t.change()
			if _, ok := times(c.Args[3], c.Args[4], uint16(c.Args[5])); !ok {
				t.wrong(abi.EINVAL)
			}
		}
		if uint32(c.Args[1])&^abi.LookupSymlinkFollow != 0 {
			t.wrong(abi.EINVAL)
		}
		t.existing()
	}
	t.settle(o)
}

// resolveTwo resolves rename and link. On a refusal that is the destination's,
// Grant is still the source's.
func (w *World) resolveTwo(c *abi.Call, o *abi.Object) {
	from, to := &w.held[0], &w.held[1]
	if c.Row.Num == abi.PathRename {
		w.locate(c.Args[0], c.Path[0], c.Row.Needs, lookup{}, from)
		w.locate(c.Args[2], c.Path[1], abi.RightPathRenameTarget, lookup{}, to)
		from.remove(abi.PathRename)
		to.replace(from)
	} else {
		w.locate(c.Args[0], c.Path[0], c.Row.Needs, lookup{follow: c.Args[1]&uint64(abi.LookupSymlinkFollow) != 0, through: true}, from)
		w.locate(c.Args[3], c.Path[1], abi.RightPathLinkTarget, lookup{}, to)
		from.existing()
		if from.isDir() {
			from.wrong(abi.EPERM)
		}
		if uint32(c.Args[1])&^abi.LookupSymlinkFollow != 0 {
			from.wrong(abi.EINVAL)
		}
		to.create(false)
	}
	from.settle(o)
	if o.Kind == abi.ObjNone || o.Refused == abi.RefuseNoGrant || o.Refused == abi.RefuseEscape {
		return // whatever the destination is
	}
	if o.Refused == 0 && (to.refused != 0 || to.inert) {
		from.own()
	}
	from.via = append(from.via, to.via...)
	o.Via = from.via
	if o.Name2 = to.full; len(to.full) > maxName {
		o.Kind, o.Refused, o.Errno, o.Name2 = abi.ObjNone, abi.RefuseNone, abi.ENAMETOOLONG, ""
		return
	}
	switch {
	case o.Refused != 0:
	case to.refused != 0:
		o.Kind, o.Refused, o.Errno = abi.ObjFile, to.refused, to.errno
	case to.inert:
		o.Kind = abi.ObjNone
		fallthrough
	default:
		if o.Errno == 0 {
			o.Errno = to.errno
		}
		if o.Errno == 0 && from.mnt != to.mnt {
			o.Errno = abi.EXDEV
		}
	}
}

// locate finds the path p from the descriptor fd, which needs the rights need.
func (w *World) locate(fd uint64, p string, need abi.Rights, l lookup, t *target) {
	d := w.get(fd)
	switch {
	case d == nil:
		t.inert, t.errno = true, abi.EBADF
		return
	case d.kind != kindFolder:
		t.inert, t.errno = true, abi.ENOTDIR
		return
	}
	if e := wellFormed(p); e != 0 {
		t.inert, t.errno, t.full = true, e, d.folder.name
		return
	}
	if r, e := w.whereabouts(d.folder); r != 0 {
		t.refuse(r, e, path.Clean(d.folder.name+"/"+p))
		t.mnt = d.folder.mnt
	} else {
		w.walker.names = 0
		w.walker.find(d.folder, p, l, t)
		w.walked += w.walker.names
	}
	if need&^(d.base|d.withheld) != 0 {
		t.refused, t.errno = abi.RefuseRights, abi.ENOTCAPABLE
	}
}

// maxName bounds a canonical name. A guest can nest folders without end, each
// named from the one before; without a bound every call would cost more.
const maxName = 4 * abi.MaxPath

// settle makes t the object.
func (t *target) settle(o *abi.Object) {
	if len(t.full) > maxName {
		t.inert, t.refused, t.errno, t.full = true, abi.RefuseNone, abi.ENAMETOOLONG, ""
	}
	o.Name, o.Dir, o.Grant, o.Refused, o.Errno = t.full, t.isDir(), t.grant(), t.refused, t.errno
	o.Via = t.via
	o.Kind = abi.ObjFile
	if t.inert {
		o.Kind = abi.ObjNone
	}
}

// own has t itself decided on before anything else: for what is refused, or can't
// be, for a reason that is told whatever policy says of t.
func (t *target) own() {
	t.via = append(t.via, abi.Place{Name: t.full, Grant: t.grant()})
}

// wrong notes what stands in the way of an allowed call; what was noted first
// and what is refused come before it.
func (t *target) wrong(e abi.Errno) {
	if t.refused == 0 && t.errno == 0 {
		t.errno = e
	}
}

// skeleton tells that t is a mount point or a name that leads to one. Such a
// name is nobody's to make, move or remove: there is nothing to decide.
func (t *target) skeleton() bool { return t.parent != nil && t.name == "" && t.parent.node != nil }

// change refuses a change of t where nothing was granted for writing. Where the
// walk ended before t, nothing could be changed anywhere.
func (t *target) change() {
	if t.refused == 0 && !t.inert && t.parent != nil {
		if r, e := t.mnt.refuses(); r != 0 {
			t.refused, t.errno = r, e
		}
	}
}

// existing is for calls on something that is there.
func (t *target) existing() {
	switch {
	case t.inert:
	case t.parent != nil && !t.exists:
		t.wrong(abi.ENOENT)
	case t.slash && !t.isDir():
		t.wrong(abi.ENOTDIR)
	}
}

// create is for calls that make t anew. That it is there already is told before
// that it could not be made: guests make folders to be sure that they are there.
func (t *target) create(folder bool) {
	if t.exists {
		t.inert = t.inert || t.refused == 0 && t.skeleton()
		t.wrong(abi.EEXIST)
		return
	}
	t.change()
	if t.slash && !folder {
		t.wrong(abi.ENOENT)
	}
}

// linkTo checks the text of a symbolic link. An absolute one, or one that climbs,
// leads nowhere in here: it could only serve to mislead a program outside.
func (t *target) linkTo(text string) {
	if t.refused != 0 || t.inert {
		return
	}
	if e := wellFormed(text); e != 0 {
		t.wrong(e)
	} else if text[0] == '/' || climbs(text, t.depth()) {
		t.own()
		t.refused, t.errno = abi.RefuseEscape, abi.ENOTCAPABLE
	}
}

// remove is for calls that take the name t away: unlink, rmdir, rename.
func (t *target) remove(n abi.Num) {
	if t.refused == 0 && t.skeleton() {
		t.inert = true
		t.wrong(abi.EBUSY)
		return
	}
	t.change()
	own := t.name == "" && t.parent != nil // the path ended in "." or ".."
	switch n {
	case abi.PathUnlinkFile:
		if t.isDir() {
			t.wrong(abi.EISDIR)
		}
	case abi.PathRemoveDirectory:
		if own {
			t.wrong(abi.EINVAL)
		} else if t.exists && !t.isDir() {
			t.wrong(abi.ENOTDIR)
		}
	default:
		if own {
			t.wrong(abi.EBUSY)
		}
	}
	t.existing()
}

// replace is for the destination of a rename of from.
func (t *target) replace(from *target) {
	if t.refused == 0 && t.skeleton() {
		t.inert = true
		t.wrong(abi.EBUSY)
		return
	}
	t.change()
	switch {
	case t.name == "" && t.parent != nil:
		t.wrong(abi.EBUSY)
	case t.slash && (t.exists && !t.isDir() || !from.isDir()):
		t.wrong(abi.ENOTDIR)
	case t.isDir() && from.exists && !from.isDir() && t.mnt == from.mnt:
		t.wrong(abi.EISDIR) // as POSIX has it: Linux says ENOTEMPTY of a folder that from lies in
	}
}

func (w *World) performPath(c *abi.Call) abi.Errno {
	t := &w.held[0]
	switch c.Row.Num {
	case abi.PathOpen:
		return w.open(c, t)
	case abi.PathCreateDirectory:
		return w.named(c, t, func() abi.Errno { return t.parent.dir.Mkdir(t.name) })
	case abi.PathSymlink:
		return w.linking(false, func() abi.Errno {
			return w.named(c, t, func() abi.Errno { return t.parent.dir.Symlink(c.Path[0], t.name) })
		}, t)
	case abi.PathUnlinkFile:
		return t.parent.dir.Unlink(t.name)
	case abi.PathRemoveDirectory:
		return t.parent.dir.Rmdir(t.name)
	case abi.PathReadlink:
		to, e := t.parent.dir.Readlink(t.name)
		return moved(c, copy(c.Out, to), e)
	case abi.PathFilestatGet:
		st, e := t.st, abi.ESUCCESS
		if t.name == "" {
			st, e = t.parent.stat()
		}
		st.Put(c.Ret[:])
		return e
	case abi.PathFilestatSetTimes:
		when, _ := times(c.Args[3], c.Args[4], uint16(c.Args[5]))
		if t.name == "" {
			return t.parent.dir.SetOwnTimes(when)
		}
		return t.parent.dir.SetTimes(t.name, when)
	case abi.PathLink:
		to := &w.held[1]
		return w.linking(to.depth() < t.depth(), func() abi.Errno {
			if e := w.staysBeneath(t, to); e != 0 {
				return e
			}
			return w.named(c, to, func() abi.Errno { return t.parent.dir.Link(t.name, to.parent.dir, to.name) })
		}, t, to)
	case abi.PathRename:
		to := &w.held[1]
		return w.linking(t.isDir() || to.depth() < t.depth(), func() abi.Errno {
			e := w.staysBeneath(t, to)
			if e == 0 {
				e = t.parent.dir.Rename(t.name, to.parent.dir, to.name)
			}
			if e == 0 {
				w.renamed(t.full, to.full)
			}
			return e
		}, t, to)
	}
	return abi.ENOSYS
}
