package provider

import (
	"path"
	"slices"
	"strings"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

// thing is a file, folder or link of the reference model.
type thing struct {
	folder map[string]*thing // nil: not a folder
	link   string            // "": not a link
}

// model resolves names by the book: on lists of names, one component at a time,
// each looked up from the root.
type model struct {
	mounts map[string]*thing // by mount point
	links  int
}

func nameOf(at []string) string { return "/" + strings.Join(at, "/") }

// mountOf is the mount point that at lies in or at, and whether there is one.
func (m *model) mountOf(at []string) (int, bool) {
	for n := len(at); n >= 0; n-- {
		if m.mounts[nameOf(at[:n])] != nil {
			return n, true
		}
	}
	return 0, false
}

// leads tells whether a mount point lies at or beneath at.
func (m *model) leads(at []string) bool {
	for p := range m.mounts {
		if p == nameOf(at) || strings.HasPrefix(p, strings.TrimSuffix(nameOf(at), "/")+"/") {
			return true
		}
	}
	return false
}

// look finds what is called at, which has no links in it but for the last name.
// Found without a thing: a synthetic folder.
func (m *model) look(at []string) (t *thing, granted bool) {
	n, ok := m.mountOf(at)
	if !ok {
		return nil, false
	}
	t = m.mounts[nameOf(at[:n])]
	for i, name := range at[n:] {
		next := t.folder[name]
		if m.leads(at[:n+i+1]) && (next == nil || next.folder == nil) {
			return nil, false // synthetic, and what it shadows is out of reach
		}
		if t = next; t == nil {
			return nil, true
		}
	}
	return t, true
}

type found struct {
	name    string
	e       abi.Errno
	refused abi.Refusal
}

// resolve is the reference for walker.find with path_filestat_get's checks.
func (m *model) resolve(start []string, p string, follow bool) found {
	f := m.walk(start, p, follow)
	if len(f.name) > maxName {
		return found{"", abi.ENAMETOOLONG, 0}
	}
	return f
}

// passed is the places that a path led through, each counted once.
type passed map[string]bool

// add answers false where name is one too many.
func (p passed) add(name string) bool {
	p[name] = true
	bytes := 0
	for n := range p {
		bytes += len(n)
	}
	return len(p) <= abi.MaxVia && bytes <= abi.MaxViaNames
}

func (m *model) walk(start []string, p string, follow bool) found {
	via := passed{}
	if p[0] == '/' {
		return found{path.Clean(p), abi.ENOTCAPABLE, abi.RefuseEscape}
	}
	m.links = 0
	type piece struct {
		name  string
		floor int
		slash bool // a slash follows
	}
	split := func(s string, floor int) (ps []piece) {
		for i, c := range strings.Split(s, "/") {
			if i > 0 && len(ps) > 0 {
				ps[len(ps)-1].slash = true
			}
			if c != "" {
				ps = append(ps, piece{name: c, floor: floor})
			}
		}
		return ps
	}
	at, todo := slices.Clone(start), split(p, len(start))
	rest := func() string {
		s := ""
		for _, t := range todo {
			s += "/" + t.name
		}
		return s
	}
	missing := func() string {
		names := []string{}
		for _, t := range todo {
			switch t.name {
			case ".":
			case "..":
				if len(names) == 1 {
					return nameOf(append(slices.Clone(at), names...))
				}
				names = names[:len(names)-1]
			default:
				names = append(names, t.name)
			}
		}
		return nameOf(append(slices.Clone(at), names...))
	}
	for len(todo) > 0 {
		c := todo[0]
		switch c.name {
		case ".":
			todo = todo[1:]
			continue
		case "..":
			if len(at) <= c.floor {
				return found{path.Clean(nameOf(at) + rest()), abi.ENOTCAPABLE, abi.RefuseEscape}
			}
			if !m.leads(at) && !via.add(nameOf(at)) {
				return found{nameOf(at), abi.ENAMETOOLONG, 0}
			}
			at, todo = at[:len(at)-1], todo[1:]
			continue
		}
		next := append(slices.Clone(at), c.name)
		t, granted := m.look(next)
		last := len(todo) == 1
		switch {
		case m.leads(next):
			at, todo = next, todo[1:]
		case !granted:
			return found{missing(), abi.ENOENT, abi.RefuseNoGrant}
		case t == nil:
			return found{missing(), abi.ENOENT, 0}
		case t.link != "" && (!last || follow || c.slash):
			if name := missing(); !via.add(name) {
				return found{name, abi.ENAMETOOLONG, 0}
			}
			if m.links++; m.links > maxLinks {
				return found{nameOf(next), abi.ELOOP, 0}
			}
			if t.link[0] == '/' {
				return found{nameOf(next), abi.ENOTCAPABLE, abi.RefuseEscape}
			}
			n, _ := m.mountOf(at)
			to := split(t.link, max(n, len(start)))
			if len(to) > 0 && c.slash {
				to[len(to)-1].slash = true
			}
			todo = append(to, todo[1:]...)
		case t.folder != nil:
			at, todo = next, todo[1:]
		case !last || c.slash:
			if last {
				return found{nameOf(next), abi.ENOTDIR, 0}
			}
			return found{missing(), abi.ENOTDIR, 0}
		default:
			return found{nameOf(next), 0, 0}
		}
	}
	return found{nameOf(at), 0, 0}
}

// build makes t's content in d. A file holds its canonical name.
func (t *thing) build(d tree.Dir, name string) {
	for n, c := range t.folder {
		switch {
		case c.folder != nil:
			d.Mkdir(n)
			sub, _ := d.OpenDir(n)
			c.build(sub, join(name, n))
			sub.Close()
		case c.link != "":
			d.Symlink(c.link, n)
		default:
			f, _ := d.Open(n, tree.How{Write: true, Create: true})
			f.Pwrite([]byte(join(name, n)), 0)
			f.Close()
		}
	}
}

// counted is a folder that counts how many handles of its tree are open.
type counted struct {
	tree.Dir
	open *int
}

func count(d tree.Dir, open *int) tree.Dir {
	*open++
	return counted{d, open}
}

func (c counted) wrap(d tree.Dir, e abi.Errno) (tree.Dir, abi.Errno) {
	if e != 0 {
		return nil, e
	}
	return count(d, c.open), 0
}

func (c counted) OpenDir(name string) (tree.Dir, abi.Errno) { return c.wrap(c.Dir.OpenDir(name)) }
func (c counted) Beneath(rel string) (tree.Dir, abi.Errno)  { return c.wrap(c.Dir.Beneath(rel)) }

func (c counted) Link(name string, to tree.Dir, newName string) abi.Errno {
	return c.Dir.Link(name, to.(counted).Dir, newName)
}

func (c counted) Rename(name string, to tree.Dir, newName string) abi.Errno {
	return c.Dir.Rename(name, to.(counted).Dir, newName)
}

func (c counted) Close() {
	*c.open--
	c.Dir.Close()
}

// dump is everything that can be seen of d, times and numbers included.
func dump(d tree.Dir, b *strings.Builder) {
	es, _ := d.List()
	for _, e := range es {
		st, _ := d.Lstat(e.Name)
		to, _ := d.Readlink(e.Name)
		b.WriteString(e.Name + " " + to + " ")
		var p [abi.FilestatSize]byte
		st.Put(p[:])
		b.Write(p[:])
		if sub, e := d.OpenDir(e.Name); e == 0 {
			dump(sub, b)
			sub.Close()
		}
		b.WriteByte('\n')
	}
}
