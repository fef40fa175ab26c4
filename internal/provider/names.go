package provider

import (
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

// mount is a Mount in use.
type mount struct {
	point    string // canonical
	readOnly bool
	grant    int
	// device sets the device numbers of mounts apart, so that no two files of
	// the namespace look like one.
	device uint64
	full   abi.Limit // what ENOSPC in it comes from
}

// deviceShift leaves a tree's own device numbers whole: Linux's fit beneath.
const deviceShift = 56

// node is a name that a mount point lies at or beneath. The nodes are the
// skeleton of the namespace; what hangs on them are the trees.
type node struct {
	name     string // canonical
	children map[string]*node
	order    []string // the children's names, sorted
	mounted  bool
	// fixed is the mount's root or, where nothing is mounted, the synthetic
	// folder that is here if no folder of an enclosing mount is.
	fixed *folder
	ino   uint64
}

// folder is a held folder of the namespace. Descriptors and walks share it and
// count their holds; the nodes keep theirs for the world's lifetime.
type folder struct {
	name string   // canonical
	dir  tree.Dir // nil: synthetic, read-only, holding mount points only
	node *node    // nil where no mount point lies at or beneath
	mnt  *mount   // nil: in no mount
	refs int
}

func (f *folder) hold() *folder {
	f.refs++
	return f
}

func (f *folder) drop() {
	if f.refs--; f.refs == 0 && f.dir != nil {
		f.dir.Close()
	}
}

// child is the node of name in f, nil if name is none of the skeleton's.
func (f *folder) child(name string) *node {
	if f.node == nil {
		return nil
	}
	return f.node.children[name]
}

// enter holds the folder at n, a child of f's node. What lies beneath a mount
// point is shadowed by it, and so is anything but a folder beneath a name that
// leads to one.
func (f *folder) enter(n *node) *folder {
	if !n.mounted && f.dir != nil {
		if d, e := f.dir.OpenDir(path.Base(n.name)); e == 0 {
			return &folder{name: n.name, dir: d, node: n, mnt: f.mnt, refs: 1}
		}
	}
	return n.fixed.hold()
}

// stat describes f.
func (f *folder) stat() (abi.Filestat, abi.Errno) {
	if f.dir == nil {
		return abi.Filestat{Dev: 1, Ino: f.node.ino, Type: abi.FiletypeDirectory, Nlink: 2 + uint64(len(f.node.order))}, 0
	}
	st, e := f.dir.Stat()
	return f.mnt.mark(st), e
}

// refuses tells why nothing in m may be changed, if so. No mount (nil) is no
// grant.
func (m *mount) refuses() (abi.Refusal, abi.Errno) {
	switch {
	case m == nil:
		return abi.RefuseNoGrant, abi.EROFS
	case m.readOnly:
		return abi.RefuseReadOnly, abi.EROFS
	}
	return abi.RefuseNone, 0
}

// mark makes st's device number one of the mount's.
func (m *mount) mark(st abi.Filestat) abi.Filestat {
	st.Dev ^= m.device
	return st
}

// join builds the namespace.
func (w *World) join(mounts []Mount) error {
	w.root = w.newNode("/")
	for i, m := range mounts {
		switch {
		case m.Root == nil:
			return bad("a mount without a tree", m.Guest, "")
		case m.Guest == "" || m.Guest[0] != '/' || path.Clean(m.Guest) != m.Guest || len(m.Guest) > abi.MaxPath ||
			strings.IndexByte(m.Guest, 0) >= 0 || !utf8.ValidString(m.Guest):
			return bad("a mount point must be an absolute path without \".\", \"..\" or doubled slashes", m.Guest, "--mount ./in:/in:ro")
		}
		n := w.root
		for _, name := range strings.FieldsFunc(m.Guest, func(r rune) bool { return r == '/' }) {
			next := n.children[name]
			if next == nil {
				next = w.newNode(join(n.name, name))
				n.children[name] = next
				n.order = append(n.order, name)
				slices.Sort(n.order)
			}
			n = next
		}
		if n.mounted {
			return bad("two mounts at one mount point", m.Guest, "")
		}
		mnt := &mount{point: m.Guest, readOnly: m.ReadOnly, device: uint64(i+1) << deviceShift, full: m.Full}
		if !m.Base {
			mnt.grant = m.Grant
		}
		n.mounted = true
		n.fixed.dir, n.fixed.mnt = m.Root, mnt
	}
	return nil
}

func (w *World) newNode(name string) *node {
	w.inodes++
	n := &node{name: name, children: map[string]*node{}, ino: w.inodes}
	n.fixed = &folder{name: name, node: n, refs: 1}
	return n
}

// close drops the holds of n and of all beneath.
func (n *node) close() {
	for _, c := range n.children {
		c.close()
	}
	n.fixed.drop()
}

// join appends name, or names joined by slashes, to the canonical name dir.
func join(dir, name string) string {
	if dir == "/" {
		return "/" + name
	}
	return dir + "/" + name
}

// wellFormed checks a path as the guest gave it.
func wellFormed(p string) abi.Errno {
	switch {
	case p == "":
		return abi.ENOENT
	case len(p) > abi.MaxPath:
		return abi.ENAMETOOLONG
	case strings.IndexByte(p, 0) >= 0:
		return abi.EINVAL
	case !utf8.ValidString(p):
		return abi.EILSEQ
	}
	return 0
}
