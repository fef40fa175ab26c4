package pure

import (
	"strings"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

// dir is a handle of a folder.
type dir struct {
	n      *node
	closed bool
}

func hold(n *node) *dir {
	n.opens++
	return &dir{n: n}
}

func (d *dir) Close() {
	if !d.closed {
		d.closed = true
		d.n.opens--
		d.n.settle()
	}
}

// child returns the node called name.
func (d *dir) child(name string) (*node, abi.Errno) {
	if len(name) > nameMax {
		return nil, abi.ENAMETOOLONG
	}
	if c := d.n.children[name]; c != nil {
		return c, 0
	}
	return nil, abi.ENOENT
}

// vacant checks that name can be made in d.
func (d *dir) vacant(name string) abi.Errno {
	switch c, e := d.child(name); {
	case d.n.s.readOnly:
		return abi.EROFS
	case c != nil:
		return abi.EEXIST
	case e != abi.ENOENT:
		return e
	case d.n.links == 0: // removed
		return abi.ENOENT
	}
	return 0
}

func asFolder(n *node) abi.Errno {
	switch n.typ {
	case abi.FiletypeDirectory:
		return 0
	case abi.FiletypeSymbolicLink:
		return abi.ELOOP
	}
	return abi.ENOTDIR
}

func (d *dir) OpenDir(name string) (tree.Dir, abi.Errno) {
	c, e := d.child(name)
	if e == 0 {
		e = asFolder(c)
	}
	if e != 0 {
		return nil, e
	}
	return hold(c), 0
}

func (d *dir) Beneath(rel string) (tree.Dir, abi.Errno) {
	at := dir{n: d.n}
	for name := range strings.SplitSeq(rel, "/") {
		c, e := at.child(name)
		if e == 0 {
			e = asFolder(c)
		}
		if e != 0 {
			return nil, e
		}
		at.n = c
	}
	return hold(at.n), 0
}

func (d *dir) Lstat(name string) (abi.Filestat, abi.Errno) {
	c, e := d.child(name)
	if e != 0 {
		return abi.Filestat{}, e
	}
	return c.stat(), 0
}

func (d *dir) Stat() (abi.Filestat, abi.Errno) { return d.n.stat(), 0 }

func (d *dir) Readlink(name string) (string, abi.Errno) {
	c, e := d.child(name)
	switch {
	case e != 0:
		return "", e
	case c.typ != abi.FiletypeSymbolicLink:
		return "", abi.EINVAL
	}
	return c.target, 0
}

func (d *dir) Open(name string, how tree.How) (tree.File, abi.Errno) {
	c, e := d.child(name)
	switch {
	case e == abi.ENOENT && how.Create:
		if e = d.vacant(name); e != 0 {
			return nil, e
		}
		if c, e = d.n.s.make(abi.FiletypeRegularFile); e != 0 {
			return nil, e
		}
		d.n.put(name, c)
	case e != 0:
		return nil, e
	case how.Create && how.Exclusive:
		return nil, abi.EEXIST
	case c.typ == abi.FiletypeSymbolicLink:
		return nil, abi.ELOOP
	case c.typ == abi.FiletypeDirectory:
		return nil, abi.EISDIR
	case d.n.s.readOnly && (how.Write || how.Truncate):
		return nil, abi.EROFS
	case how.Truncate:
		if e = c.resize(0); e != 0 {
			return nil, e
		}
		c.touch()
	}
	c.opens++
	return &file{n: c, read: how.Read, write: how.Write}, 0
}

func (d *dir) Mkdir(name string) abi.Errno {
	if e := d.vacant(name); e != 0 {
		return e
	}
	c, e := d.n.s.make(abi.FiletypeDirectory)
	if e != 0 {
		return e
	}
	c.children = map[string]*node{}
	d.n.put(name, c)
	return 0
}

func (d *dir) Rmdir(name string) abi.Errno {
	c, e := d.child(name)
	switch {
	case d.n.s.readOnly:
		return abi.EROFS
	case e != 0:
		return e
	case c.typ != abi.FiletypeDirectory:
		return abi.ENOTDIR
	case len(c.children) > 0:
		return abi.ENOTEMPTY
	}
	d.n.take(name).settle()
	return 0
}

func (d *dir) Unlink(name string) abi.Errno {
	c, e := d.child(name)
	switch {
	case d.n.s.readOnly:
		return abi.EROFS
	case e != 0:
		return e
	case c.typ == abi.FiletypeDirectory:
		return abi.EISDIR
	}
	d.n.take(name).settle()
	return 0
}

func (d *dir) Symlink(target, name string) abi.Errno {
	if e := d.vacant(name); e != 0 {
		return e
	}
	c, e := d.n.s.make(abi.FiletypeSymbolicLink)
	if e != 0 {
		return e
	}
	if e = d.n.s.charge(uint64(len(target))); e != 0 {
		c.settle()
		return e
	}
	c.target = target
	d.n.put(name, c)
	return 0
}

// peer returns the handle to as one of d's tree.
func (d *dir) peer(to tree.Dir) (*dir, abi.Errno) {
	if t, ok := to.(*dir); ok && t.n.s == d.n.s {
		return t, 0
	}
	return nil, abi.EXDEV
}

func (d *dir) Link(name string, to tree.Dir, newName string) abi.Errno {
	t, e := d.peer(to)
	if e != 0 {
		return e
	}
	c, e := d.child(name)
	switch {
	case d.n.s.readOnly:
		return abi.EROFS
	case e != 0:
		return e
	case c.typ == abi.FiletypeDirectory:
		return abi.EPERM
	}
	if e = t.vacant(newName); e != 0 {
		return e
	}
	t.n.put(newName, c)
	return 0
}

// Rename follows POSIX: two names of one file stay as they are; a folder
// replaces an empty folder only, anything else anything but a folder.
func (d *dir) Rename(name string, to tree.Dir, newName string) abi.Errno {
	t, e := d.peer(to)
	if e != 0 {
		return e
	}
	c, e := d.child(name)
	if d.n.s.readOnly {
		return abi.EROFS
	}
	if e != 0 {
		return e
	}
	old, e := t.child(newName)
	folder := c.typ == abi.FiletypeDirectory
	switch {
	case e != 0 && e != abi.ENOENT:
		return e
	case t.n.links == 0:
		return abi.ENOENT
	case old == c:
		return 0
	case folder && t.n.within(c):
		return abi.EINVAL
	case old == nil:
	case folder && old.typ != abi.FiletypeDirectory:
		return abi.ENOTDIR
	case !folder && old.typ == abi.FiletypeDirectory:
		return abi.EISDIR
	case len(old.children) > 0:
		return abi.ENOTEMPTY
	}
	if old != nil {
		t.n.take(newName).settle()
	}
	t.n.put(newName, d.n.take(name))
	return 0
}

func (d *dir) SetTimes(name string, t tree.Times) abi.Errno {
	c, e := d.child(name)
	switch {
	case d.n.s.readOnly:
		return abi.EROFS
	case e != 0:
		return e
	}
	return c.setTimes(t)
}

func (d *dir) SetOwnTimes(t tree.Times) abi.Errno { return d.n.setTimes(t) }

func (d *dir) List() ([]tree.Entry, abi.Errno) { return d.n.list(), 0 }

func (d *dir) Sync() abi.Errno { return 0 }
