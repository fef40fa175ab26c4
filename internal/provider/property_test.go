package provider

import (
	"strings"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/tree"
	"pgregory.net/rapid"
)

var (
	genName  = rapid.SampledFrom([]string{"a", "b", "in", "c"})
	genComp  = rapid.SampledFrom([]string{"a", "b", "in", "c", "a", "b", "input", "..", "..", ".", "", "zz"})
	genPoint = rapid.SampledFrom([]string{"/", "/in", "/a", "/a/b", "/in/a", "/a/b/c", "/b/in", "/c/c/c"})
)

var genPath = rapid.Custom(func(t *rapid.T) string {
	p := strings.Join(rapid.SliceOfN(genComp, 1, 8).Draw(t, "components"), "/")
	if rapid.IntRange(0, 20).Draw(t, "absolute") != 0 {
		p = strings.TrimLeft(p, "/")
	}
	if p == "" {
		return "."
	}
	return p
})

func genThing(t *rapid.T, depth int) *thing {
	switch k := rapid.IntRange(0, 9).Draw(t, "kind"); {
	case k < 2 || depth == 0:
		return &thing{}
	case k < 5:
		return &thing{link: genPath.Draw(t, "target")}
	}
	f := &thing{folder: map[string]*thing{}}
	for range rapid.IntRange(0, 3).Draw(t, "entries") {
		f.folder[genName.Draw(t, "name")] = genThing(t, depth-1)
	}
	return f
}

// scene is a random namespace, as a world and as a model.
type scene struct {
	*harness
	model *model
	trees []tree.Dir
	open  int
	ro    map[int]bool // by grant
}

func genScene(t *testing.T, rt *rapid.T) *scene {
	s := &scene{model: &model{mounts: map[string]*thing{}}, ro: map[int]bool{}}
	var c Config
	for i, point := range rapid.SliceOfNDistinct(genPoint, 0, 4, rapid.ID).Draw(rt, "mounts") {
		root := &thing{folder: map[string]*thing{}}
		for range rapid.IntRange(0, 4).Draw(rt, "entries") {
			root.folder[genName.Draw(rt, "name")] = genThing(rt, 3)
		}
		d := scratch()
		root.build(d, point)
		s.model.mounts[point] = root
		s.trees = append(s.trees, d)
		ro := rapid.Bool().Draw(rt, "read-only")
		s.ro[i+1] = ro
		c.Mounts = append(c.Mounts, Mount{Guest: point, Root: count(d, &s.open), ReadOnly: ro, Grant: i + 1})
	}
	s.harness = start(t, c)
	return s
}

func (s *scene) dump() string {
	var b strings.Builder
	for _, d := range s.trees {
		dump(d, &b)
	}
	return b.String()
}

// TestResolveAgainstModel compares the resolver with the reference, on random
// paths over random trees, links and mounts, from "/" and from folders.
func TestResolveAgainstModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := genScene(t, rt)
		open := s.open
		fd, at := 3, []string(nil)
		for range rapid.IntRange(1, 12).Draw(rt, "paths") {
			p, fl := genPath.Draw(rt, "path"), rapid.Bool().Draw(rt, "follow")
			flags := uint32(0)
			if fl {
				flags = follow
			}
			want := s.model.resolve(at, p, fl)
			r := s.do(abi.PathFilestatGet, fd, flags, p)
			if (found{r.Name, r.e, r.Refused}) != want {
				rt.Fatalf("%q from %s (follow %v): %q %v refused %d, want %+v", p, nameOf(at), fl, r.Name, r.e, r.Refused, want)
			}
			if r.e != 0 {
				continue
			}
			// The canonical name leads straight to the same thing.
			if r.Name != "/" {
				if q := s.do(abi.PathFilestatGet, 3, 0, r.Name[1:]); q.Name != r.Name || q.e != 0 || string(q.ret) != string(r.ret) {
					rt.Fatalf("%q: again %q %v", r.Name, q.Name, q.e)
				}
			}
			if !r.Dir && abi.Filetype(r.ret[16]) == abi.FiletypeRegularFile {
				f := int(s.ok(abi.PathOpen, fd, flags, p, 0, readable, all, 0).u32(0))
				if got := string(s.ok(abi.FdRead, f, room(999)).out); got != r.Name {
					rt.Fatalf("%q led to %q", r.Name, got)
				}
				s.ok(abi.FdClose, f)
			}
			if s.open != open {
				rt.Fatalf("%q: %d folders stayed open", p, s.open-open)
			}
			if r.Dir && rapid.IntRange(0, 3).Draw(rt, "go there") == 0 {
				f := int(s.ok(abi.PathOpen, fd, flags, p, 0, abi.DirRights, all, 0).u32(0))
				if fd != 3 {
					s.ok(abi.FdClose, fd)
				}
				fd, at, open = f, strings.FieldsFunc(r.Name, func(r rune) bool { return r == '/' }), s.open
				s.list(fd)
			}
		}
		s.w.Close()
		if s.open != 0 {
			rt.Fatalf("%d folders open after the end", s.open)
		}
	})
}

// genCall is a random call on paths.
var pathCalls = []abi.Num{
	abi.PathCreateDirectory, abi.PathFilestatGet, abi.PathFilestatSetTimes, abi.PathLink, abi.PathOpen, abi.PathOpen, abi.PathOpen,
	abi.PathReadlink, abi.PathRemoveDirectory, abi.PathRename, abi.PathRename, abi.PathSymlink, abi.PathUnlinkFile,
}

func genCall(t *rapid.T, fds int) *abi.Call {
	n := rapid.SampledFrom(pathCalls).Draw(t, "call")
	c := &abi.Call{}
	c.Reset(abi.Lookup(n), 0)
	paths := 0
	for i, p := range c.Row.Params {
		switch {
		case p.Type == abi.Handle:
			c.Args[i] = uint64(rapid.IntRange(3, fds).Draw(t, "fd"))
		case p.Type == abi.Path:
			c.Path[paths] = genPath.Draw(t, "path")
			paths++
		case p.Words == "lookupflags":
			c.Args[i] = uint64(rapid.IntRange(0, 1).Draw(t, "lookup"))
		case p.Words == "oflags":
			c.Args[i] = uint64(rapid.SampledFrom([]uint16{0, 0, abi.OFlagCreat, abi.OFlagCreat | abi.OFlagExcl, abi.OFlagTrunc, abi.OFlagDirectory}).Draw(t, "oflags"))
		case p.Words == "rights":
			c.Args[i] = uint64(rapid.SampledFrom([]abi.Rights{0, readable, abi.FileRights, all, abi.DirRights, ^abi.Rights(0)}).Draw(t, "rights"))
		case p.Type == abi.BufferOut:
			c.OutCap, c.Args[i] = 64, 64
		}
	}
	return c
}

// TestRandomCalls makes random calls and checks after each: Resolve had no
// effect, a call that is not performed neither; nothing changes in a read-only
// mount; rights never grow; nothing stays held.
func TestRandomCalls(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := genScene(t, rt)
		for range rapid.IntRange(1, 25).Draw(rt, "calls") {
			c := genCall(rt, len(s.w.fds))
			before, open, fds := s.dump(), s.open, len(s.w.fds)
			var o abi.Object
			s.w.Resolve(c, &o)
			if s.dump() != before || len(s.w.fds) != fds {
				rt.Fatalf("%s %q: Resolve had an effect", c.Row.Name, c.Path)
			}
			if o.Refused == 0 && o.Errno == 0 {
				c.Out = make([]byte, c.OutCap)
				s.w.Perform(c, &o)
				if c.Action() == abi.Action(abi.PathOpen) || c.Errno != 0 || s.ro[o.Grant] {
					if s.dump() != before {
						rt.Fatalf("%s %q on %q: %v changed something", c.Row.Name, c.Path, o.Name, c.Errno)
					}
				}
				if c.Errno == 0 && c.Row.Num == abi.PathOpen {
					parent, d := s.w.fds[c.Args[0]], s.w.fds[c.Ret[0]]
					if d.base&^(parent.inheriting&abi.Rights(c.Args[4])) != 0 || d.inheriting&^(parent.inheriting&abi.Rights(c.Args[5])) != 0 {
						rt.Fatal("rights grew")
					}
					if d.mnt != nil && d.mnt.readOnly && d.base&abi.MutatingRights != 0 {
						rt.Fatal("rights to change what is read-only")
					}
					if d.path() != o.Name {
						rt.Fatalf("%q opened as %q", o.Name, d.path())
					}
				}
			}
			s.w.Release(&o)
			s.idle()
			if added := len(s.w.fds) - fds; s.open != open && (c.Row.Num != abi.PathOpen || s.open-open > added) {
				rt.Fatalf("%s %q: %d folders stayed open", c.Row.Name, c.Path, s.open-open)
			}
			// The names of folders' descriptors stay true.
			for fd, d := range s.w.fds {
				if d == nil || d.kind != kindFolder || d.folder.name == "/" {
					continue
				}
				a, _ := d.folder.stat()
				if a.Nlink == 0 {
					continue // removed
				}
				if b := s.do(abi.PathFilestatGet, 3, 0, d.folder.name[1:]); b.e != 0 || b.u64(0) != a.Dev || b.u64(8) != a.Ino {
					rt.Fatalf("descriptor %d is no longer %q: %v", fd, d.folder.name, b.e)
				}
			}
		}
		s.w.Close()
		if s.open != 0 {
			rt.Fatalf("%d folders open after the end", s.open)
		}
	})
}

func TestRightsNeverGrow(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := usual(t)
		fd := h.open("w/f", abi.OFlagCreat, abi.FileRights)
		bits := rapid.Uint64Range(0, uint64(abi.AllRights))
		for range rapid.IntRange(1, 10).Draw(rt, "steps") {
			d := *h.w.fds[fd]
			base, inh := abi.Rights(bits.Draw(rt, "base")), abi.Rights(bits.Draw(rt, "inheriting"))
			if rapid.Bool().Draw(rt, "less") {
				base, inh = base&d.base, inh&d.inheriting
			}
			r := h.do(abi.FdFdstatSetRights, fd, base, inh)
			now := h.w.fds[fd]
			fits := base&^d.base == 0 && inh&^d.inheriting == 0
			if fits != (r.e == 0) || !fits && r.Refused != abi.RefuseRights {
				rt.Fatalf("%b of %b: %v", base, d.base, r.e)
			}
			if now.base&^d.base != 0 || now.inheriting&^d.inheriting != 0 || fits && now.base != base {
				rt.Fatal("rights grew")
			}
		}
	})
}

// TestInputBesideIn is the case that guests' own prefix matching got wrong.
func TestInputBesideIn(t *testing.T) {
	h := start(t, Config{Mounts: []Mount{{Guest: "/in", Root: assets(t, "put=wrong", "x=in"), ReadOnly: true, Grant: 1}}})
	h.refused(abi.RefuseNoGrant, abi.ENOENT, "/input", abi.PathOpen, 3, follow, "input", 0, readable, all, 0)
	h = start(t, Config{Mounts: []Mount{
		{Guest: "/in", Root: assets(t, "put=wrong", "x=in"), Grant: 1}, {Guest: "/input", Root: assets(t, "x=input"), Grant: 2},
	}})
	if h.read("in/x") != "in" || h.read("input/x") != "input" || h.read("input/../in/x") != "in" {
		t.Error("mixed up")
	}
}
