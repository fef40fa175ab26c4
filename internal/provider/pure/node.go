package pure

import (
	"io"
	"math"
	"slices"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

// nameMax is the longest name in bytes, as on common file systems.
const nameMax = 255

// store is what the handles of one tree share.
type store struct {
	now      func() uint64 // unix nanoseconds
	readOnly bool
	maxBytes uint64
	bytes    uint64 // sizes of files and lengths of link targets
	maxNodes int
	nodes    int
	lastIno  uint64
}

// node is a file, folder or symbolic link.
type node struct {
	s                *store
	ino              uint64
	typ              abi.Filetype
	atim, mtim, ctim uint64

	// links counts the names of a file or link. A folder's is 1, or 0 once it is
	// removed; what preview 1 calls nlink is computed.
	links int
	opens int // open handles; a file without names lives as long as it has any

	children map[string]*node  // of a folder
	folders  int               // how many of them are folders
	parent   *node             // of a folder; the root is its own
	target   string            // of a symbolic link
	data     content           // of a file
	asset    *io.SectionReader // of an asset, in place of data
}

// make returns a new node without a name. ENOSPC: the quota is used up.
func (s *store) make(typ abi.Filetype) (*node, abi.Errno) {
	if s.nodes >= s.maxNodes {
		return nil, abi.ENOSPC
	}
	s.nodes++
	s.lastIno++
	t := s.now()
	return &node{s: s, ino: s.lastIno, typ: typ, atim: t, mtim: t, ctim: t}, 0
}

// charge takes n bytes of the quota.
func (s *store) charge(n uint64) abi.Errno {
	if n > s.maxBytes-s.bytes {
		return abi.ENOSPC
	}
	s.bytes += n
	return 0
}

// settle frees n if nothing names it and nothing holds it.
func (n *node) settle() {
	if n.links > 0 || n.opens > 0 || n.typ == abi.FiletypeUnknown {
		return
	}
	n.s.nodes--
	n.s.bytes -= uint64(n.data.size) + uint64(len(n.target))
	n.data, n.children, n.typ = content{}, nil, abi.FiletypeUnknown
}

func (n *node) stat() abi.Filestat {
	st := abi.Filestat{Dev: 1, Ino: n.ino, Type: n.typ, Nlink: uint64(n.links), Atim: n.atim, Mtim: n.mtim, Ctim: n.ctim}
	switch n.typ {
	case abi.FiletypeDirectory:
		if n.links > 0 {
			st.Nlink = uint64(2 + n.folders)
		}
	case abi.FiletypeSymbolicLink:
		st.Size = uint64(len(n.target))
	default:
		st.Size = uint64(n.data.size)
		if n.asset != nil {
			st.Size = uint64(n.asset.Size())
		}
	}
	return st
}

func (n *node) setTimes(t tree.Times) abi.Errno {
	if n.s.readOnly {
		return abi.EROFS
	}
	now := n.s.now()
	set := func(to *uint64, want, toNow bool, v uint64) {
		switch {
		case toNow && want:
			*to = now
		case want:
			*to = v
		}
	}
	set(&n.atim, t.SetAtim, t.AtimNow, t.Atim)
	set(&n.mtim, t.SetMtim, t.MtimNow, t.Mtim)
	n.ctim = now
	return 0
}

// touch notes a change of n's content.
func (n *node) touch() {
	n.mtim = n.s.now()
	n.ctim = n.mtim
}

// put gives c the name name in the folder n, which has no such name.
func (n *node) put(name string, c *node) {
	n.children[name] = c
	c.links++
	if c.typ == abi.FiletypeDirectory {
		c.parent = n
		n.folders++
	}
	n.touch()
	c.ctim = n.ctim
}

// take removes the name name, which n has. The node is not freed yet.
func (n *node) take(name string) *node {
	c := n.children[name]
	delete(n.children, name)
	c.links--
	if c.typ == abi.FiletypeDirectory {
		n.folders--
	}
	n.touch()
	c.ctim = n.ctim
	return c
}

// within tells whether the folder n is a or lies beneath it.
func (n *node) within(a *node) bool {
	for ; n != a; n = n.parent {
		if n == n.parent {
			return false
		}
	}
	return true
}

func (n *node) list() []tree.Entry {
	es := make([]tree.Entry, 0, len(n.children))
	for name, c := range n.children {
		es = append(es, tree.Entry{Name: name, Type: c.typ, Ino: c.ino})
	}
	slices.SortFunc(es, func(a, b tree.Entry) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return es
}

// pageSize is how much of a file one page holds. A page that nothing was written
// to is nil and reads as zeros.
const pageSize = 64 << 10

// content is a file's bytes. A page may be shorter than pageSize: what it lacks
// is zeros.
type content struct {
	size  int64
	pages [][]byte
}

func (c *content) read(p []byte, off int64) int {
	if off >= c.size {
		return 0
	}
	p = p[:min(int64(len(p)), c.size-off)]
	for done := 0; done < len(p); {
		at := off + int64(done)
		i, o := at/pageSize, int(at%pageSize)
		part := p[done:min(len(p), done+pageSize-o)]
		n := 0
		if i < int64(len(c.pages)) && o < len(c.pages[i]) {
			n = copy(part, c.pages[i][o:])
		}
		clear(part[n:])
		done += len(part)
	}
	return len(p)
}

// write stores p at off; the size must cover it.
func (c *content) write(p []byte, off int64) {
	for len(p) > 0 {
		i, o := int(off/pageSize), int(off%pageSize)
		part := p[:min(len(p), pageSize-o)]
		for len(c.pages) <= i {
			c.pages = append(c.pages, nil)
		}
		if end := o + len(part); end > len(c.pages[i]) {
			old := len(c.pages[i])
			c.pages[i] = slices.Grow(c.pages[i], end-old)[:end]
			clear(c.pages[i][old:])
		}
		copy(c.pages[i][o:], part)
		p, off = p[len(part):], off+int64(len(part))
	}
}

// cut drops what lies beyond size.
func (c *content) cut(size int64) {
	c.size = size
	n := int((size + pageSize - 1) / pageSize)
	if n < len(c.pages) {
		clear(c.pages[n:])
		c.pages = c.pages[:n]
	}
	if o := int(size % pageSize); o != 0 && n > 0 && n == len(c.pages) && len(c.pages[n-1]) > o {
		clear(c.pages[n-1][o:])
		c.pages[n-1] = c.pages[n-1][:o]
	}
}

// resize makes the file n size bytes long, within the quota.
func (n *node) resize(size int64) abi.Errno {
	if size > n.data.size {
		if e := n.s.charge(uint64(size - n.data.size)); e != 0 {
			return e
		}
		n.data.size = size
		return 0
	}
	n.s.bytes -= uint64(n.data.size - size)
	n.data.cut(size)
	return 0
}

// unlimited is the quota of a tree that is only built, not written to.
const unlimited = math.MaxInt64
