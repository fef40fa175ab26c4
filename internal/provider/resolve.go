package provider

import (
	"path"
	"strings"

	"github.com/forgeone/forgeone/abi"
)

const (
	// maxLinks is how many symbolic links one path may lead through.
	maxLinks = 40
	// maxDepth is how many folders one walk holds at a time; a deeper path that
	// has to be walked answers ENAMETOOLONG. It bounds what a guest can make the
	// host hold open in one call.
	maxDepth = 512
)

// target is where a path leads: a held folder and a name in it.
type target struct {
	parent *folder // nil where the walk ended before the last name
	name   string  // "": the parent itself is what the path names
	full   string  // canonical; where it does not exist, the canonical prefix plus the rest
	mnt    *mount  // the mount that full lies in, nil for none
	exists bool
	slash  bool         // the path ended in a slash
	st     abi.Filestat // of name, if it exists and is not ""
	via    []abi.Place  // what the path led through, see abi.Place
	names  int          // bytes of the names in via

	refused abi.Refusal
	errno   abi.Errno
	// inert says that the call can do nothing at all: there is nothing to decide.
	inert bool
}

func (t *target) release() {
	if t.parent != nil {
		t.parent.drop()
	}
	*t = target{via: t.via[:0]}
}

// passed notes that the path led through the place name in the mount m. It
// answers false, with the reason in t, where that was one too many. What the
// path led through so far stays: it is decided on first, so that only who may
// know of all of it learns that it was too much.
func (t *target) passed(name string, m *mount) bool {
	for i := len(t.via) - 1; i >= 0; i-- {
		if t.via[i].Name == name {
			return true
		}
	}
	if t.names += len(name); len(t.via) == abi.MaxVia || t.names > abi.MaxViaNames {
		t.fail(abi.ENAMETOOLONG, name)
		return false
	}
	p := abi.Place{Name: name}
	if m != nil {
		p.Grant = m.grant
	}
	t.via = append(t.via, p)
	return true
}

func (t *target) isDir() bool {
	return t.exists && (t.name == "" || t.st.Type == abi.FiletypeDirectory)
}

func (t *target) grant() int {
	if t.mnt == nil {
		return 0
	}
	return t.mnt.grant
}

func (t *target) fail(e abi.Errno, name string) {
	t.errno, t.full = e, name
	if e == abi.ENOTCAPABLE { // the tree's: see package tree
		t.refused = abi.RefuseSystem
	}
}

func (t *target) refuse(r abi.Refusal, e abi.Errno, name string) {
	t.refused, t.errno, t.full = r, e, name
}

// lookup says what to do with a symbolic link as the last name.
type lookup struct {
	follow  bool // go on to its target
	through bool // do so if a slash follows it
}

// segment is a part of a path not walked yet: the path itself, or a link's target.
type segment struct {
	rest  string
	floor int // the lowest stack index that ".." in it may climb to
}

// walker finds targets. One is reused for every walk of a world.
type walker struct {
	stack []*folder // from the start to where the walk is, each held
	pend  []segment // the innermost last
	links int
	names int    // that were walked since the world took the number
	floor int    // of the component that next gave
	at    string // its segment, from it on
	// jumped says that the top of the stack is not the child of the one below.
	jumped bool
}

// find fills t, which is zero, with what p leads to from the folder start. It
// never leaves start, and a link never leads out of the mount it lies in.
func (k *walker) find(start *folder, p string, l lookup, t *target) {
	if p[0] == '/' {
		t.refuse(abi.RefuseEscape, abi.ENOTCAPABLE, path.Clean(p))
		return
	}
	if !k.attempt(start, p, l, true, t) {
		k.attempt(start, p, l, false, t)
	}
}

// attempt walks p. With fast set it opens what lies between the last mount point
// and the last name in one step where it can; it answers false if that led to a
// link, whose target may climb through the folders that were skipped.
func (k *walker) attempt(start *folder, p string, l lookup, fast bool, t *target) bool {
	k.stack = append(k.stack[:0], start.hold())
	k.pend = append(k.pend[:0], segment{rest: p})
	k.links, k.jumped = 0, false
	t.via, t.names = t.via[:0], 0
	defer k.unwind()
	for {
		comp, last, slash := k.next()
		top := k.stack[len(k.stack)-1]
		t.mnt = top.mnt
		switch comp {
		case "":
			t.parent, t.full, t.exists, t.slash = top.hold(), top.name, true, slash
			return true
		case ".":
			continue
		case "..":
			if len(k.stack)-1 <= k.floor {
				t.refuse(abi.RefuseEscape, abi.ENOTCAPABLE, path.Clean(top.name+"/../"+k.rest()))
				return true
			}
			// The skeleton of mounts is there whatever the trees hold.
			if top.node == nil && !t.passed(top.name, top.mnt) {
				return true
			}
			top.drop()
			k.stack = k.stack[:len(k.stack)-1]
			continue
		}
		if n := top.child(comp); n != nil {
			k.stack = append(k.stack, top.enter(n))
			continue
		}
		if top.dir == nil {
			t.refuse(abi.RefuseNoGrant, abi.ENOENT, join(top.name, lexical(comp+k.rest())))
			return true
		}
		if !last {
			if fast && len(k.pend) == 1 {
				if done, e := k.jump(top, comp); e == abi.ELOOP {
					fast = false
				} else if e != 0 {
					t.fail(e, join(top.name, lexical(comp+k.rest())))
					return true
				} else if done {
					continue
				}
			}
			d, e := top.dir.OpenDir(comp)
			switch {
			case e == 0 && len(k.stack) >= maxDepth:
				d.Close()
				t.fail(abi.ENAMETOOLONG, join(top.name, lexical(comp+k.rest())))
				return true
			case e == 0:
				k.stack = append(k.stack, &folder{name: join(top.name, comp), dir: d, mnt: top.mnt, refs: 1})
			case e == abi.ELOOP:
				if !k.follow(top, comp, t) {
					return true
				}
			default:
				t.fail(e, join(top.name, lexical(comp+k.rest())))
				return true
			}
			continue
		}
		st, e := top.dir.Lstat(comp)
		if e == 0 && st.Type == abi.FiletypeSymbolicLink && (l.follow || slash && l.through) {
			if k.jumped {
				t.mnt = nil
				return false
			}
			if !k.follow(top, comp, t) {
				return true
			}
			continue
		}
		t.parent, t.name, t.full = top.hold(), comp, join(top.name, comp)
		t.exists, t.slash, t.st = e == 0, slash, top.mnt.mark(st)
		if e != 0 && e != abi.ENOENT {
			t.fail(e, t.full)
		}
		return true
	}
}

// next takes the next component, "" at the end, and tells whether it is the last
// one and whether a slash follows it.
func (k *walker) next() (comp string, last, slash bool) {
	for len(k.pend) > 0 {
		s := &k.pend[len(k.pend)-1]
		rest := strings.TrimLeft(s.rest, "/")
		if rest == "" {
			k.pend = k.pend[:len(k.pend)-1]
			continue
		}
		k.at, comp, s.rest = rest, rest, ""
		k.names++
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			comp, s.rest = rest[:i], rest[i:]
		}
		k.floor = s.floor
		last = true
		for _, p := range k.pend {
			slash = slash || p.rest != ""
			last = last && strings.TrimLeft(p.rest, "/") == ""
		}
		return comp, last, slash
	}
	return "", true, false
}

// rest is everything after the component that next gave: empty or beginning
// with a slash.
func (k *walker) rest() string {
	r := ""
	for i := len(k.pend) - 1; i >= 0; i-- {
		r += k.pend[i].rest
	}
	return r
}

// jump opens everything from comp up to the last name in one step. It answers
// false if the path is not plain enough.
func (k *walker) jump(top *folder, comp string) (bool, abi.Errno) {
	s := &k.pend[0]
	rest := strings.TrimRight(s.rest, "/")
	if comp[0] == '.' || strings.Contains(rest, "//") || strings.Contains(rest, "/.") {
		return false, 0
	}
	i := strings.LastIndexByte(rest, '/')
	between := k.at[:len(comp)+i]
	k.names += strings.Count(between, "/")
	d, e := top.dir.Beneath(between)
	if e != 0 {
		return false, e
	}
	k.stack = append(k.stack, &folder{name: join(top.name, between), dir: d, mnt: top.mnt, refs: 1})
	s.rest = s.rest[i:]
	k.jumped = true
	return true, 0
}

// follow goes on with the target of the link name in top. It answers false if
// the walk ends here, with the reason in t.
func (k *walker) follow(top *folder, name string, t *target) bool {
	full := join(top.name, name)
	rest := k.rest()
	k.names += len(rest) / textPerName
	// Were it missing, the call would be on this name.
	if !t.passed(join(top.name, lexical(name+rest)), top.mnt) {
		return false
	}
	if k.links++; k.links > maxLinks {
		t.fail(abi.ELOOP, full)
		return false
	}
	to, e := top.dir.Readlink(name)
	if e == 0 {
		e = wellFormed(to)
	}
	if e != 0 {
		t.fail(e, full)
		return false
	}
	if to[0] == '/' {
		t.refuse(abi.RefuseEscape, abi.ENOTCAPABLE, full)
		return false
	}
	k.names += len(to) / textPerName
	floor := len(k.stack) - 1
	for floor > 0 && k.stack[floor-1].mnt == top.mnt {
		floor--
	}
	k.pend = append(k.pend, segment{rest: squeeze(to), floor: floor})
	return true
}

// textPerName is how much text of links is gone through for what a name that is walked
// costs.
const textPerName = 128

// squeeze returns a link's text without what says nothing: slashes upon slashes, and dots
// between them. Each component of the walk looks at what is left of all.
func squeeze(to string) string {
	if !strings.Contains(to, "//") && !strings.Contains(to, "/./") {
		return to
	}
	b := make([]byte, 0, len(to))
	for i := 0; i < len(to); {
		begins := len(b) > 0 && b[len(b)-1] == '/' // a component
		switch {
		case to[i] == '/' && begins:
			i++
		case to[i] == '/':
			b = append(b, '/')
			i++
		case begins && strings.HasPrefix(to[i:], "./"):
			i += 2
		default:
			n := strings.IndexByte(to[i:], '/')
			if n < 0 {
				n = len(to) - i
			}
			b = append(b, to[i:i+n]...)
			i += n
		}
	}
	return string(b)
}

// unwind drops what the walk holds.
func (k *walker) unwind() {
	for i, f := range k.stack {
		f.drop()
		k.stack[i] = nil
	}
	k.stack, k.pend = k.stack[:0], k.pend[:0]
}

// lexical is the name of what does not exist: rest without ".", doubled slashes
// and "..". Its first component is the one that is missing, and nothing after it
// can be known: ".." that would climb over it ends the name.
func lexical(rest string) string {
	var names []string
	for _, c := range strings.Split(rest, "/") {
		switch c {
		case "", ".":
		case "..":
			if len(names) == 1 {
				return names[0]
			}
			names = names[:len(names)-1]
		default:
			names = append(names, c)
		}
	}
	return strings.Join(names, "/")
}
