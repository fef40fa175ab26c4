package provider

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/forgeone/forgeone/abi"
)

func TestNewRefuses(t *testing.T) {
	good := Config{Clock: &fakeClock{}, Random: func([]byte) error { return nil }}
	for name, change := range map[string]func(*Config){
		"no clock":     func(c *Config) { c.Clock = nil },
		"no random":    func(c *Config) { c.Random = nil },
		"NUL in args":  func(c *Config) { c.Args = []string{"a\x00b"} },
		"NUL in env":   func(c *Config) { c.Env = []string{"a=\x00"} },
		"descriptors":  func(c *Config) { c.Descriptors = 3 },
		"relative":     func(c *Config) { c.Mounts = []Mount{{Guest: "in", Root: scratch()}} },
		"empty":        func(c *Config) { c.Mounts = []Mount{{Guest: "", Root: scratch()}} },
		"not clean":    func(c *Config) { c.Mounts = []Mount{{Guest: "/in/../x", Root: scratch()}} },
		"slash at end": func(c *Config) { c.Mounts = []Mount{{Guest: "/in/", Root: scratch()}} },
		"NUL":          func(c *Config) { c.Mounts = []Mount{{Guest: "/i\x00n", Root: scratch()}} },
		"not UTF-8":    func(c *Config) { c.Mounts = []Mount{{Guest: "/\xff", Root: scratch()}} },
		"no root":      func(c *Config) { c.Mounts = []Mount{{Guest: "/in"}} },
		"twice":        func(c *Config) { c.Mounts = []Mount{{Guest: "/in", Root: scratch()}, {Guest: "/in", Root: scratch()}} },
	} {
		c := good
		change(&c)
		if _, err := New(c); !errors.Is(err, &abi.Error{Code: CodeWorld}) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w, err := New(good)
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
}

// TestNames resolves paths with path_filestat_get and compares the canonical
// name, the grant and the answer.
func TestNames(t *testing.T) {
	h := usual(t)
	h.ok(abi.PathCreateDirectory, 3, "w/d")
	h.ok(abi.PathCreateDirectory, 3, "w/d/e")
	h.write("w/d/f", "f")
	for name, to := range map[string]string{
		"w/to-d": "d", "w/to-f": "d/f", "w/d/up": "../d/f", "w/loop": "loop", "w/chain": "to-d/up", "w/d/e/two": "../../d/./e/two2",
	} {
		h.ok(abi.PathSymlink, to, 3, name)
	}
	h.plant("w", "out", "../in/a.txt")
	h.plant("w", "far", "d/../../in")
	h.plant("w", "none", "gone/x/../y")
	h.plant("w", "abs", "/in/a.txt")
	h.plant("w/d/e", "two2", "../../to-d/./e/..//f")
	deep := strings.Repeat("x/", 2000)

	const no, rights, escape = abi.RefuseNoGrant, abi.RefuseRights, abi.RefuseEscape
	_ = rights
	for _, c := range []struct {
		path    string
		name    string
		e       abi.Errno
		refused abi.Refusal
		grant   int
		dir     bool
	}{
		{".", "/", 0, 0, 0, true},
		{"././/.", "/", 0, 0, 0, true},
		{"in", "/in", 0, 0, 2, true},
		{"in/", "/in", 0, 0, 2, true},
		{"in/.", "/in", 0, 0, 2, true},
		{"in/..", "/", 0, 0, 0, true},
		{"in/a.txt", "/in/a.txt", 0, 0, 2, false},
		{"in//./d/.././a.txt", "/in/a.txt", 0, 0, 2, false},
		{"w/../in/d/b.txt", "/in/d/b.txt", 0, 0, 2, false},
		{"in/d/b.txt", "/in/d/b.txt", 0, 0, 2, false},
		{"in/d/b.txt/", "/in/d/b.txt", abi.ENOTDIR, 0, 2, false},
		{"in/d/b.txt/x", "/in/d/b.txt/x", abi.ENOTDIR, 0, 2, false},
		{"in/d/b.txt/..", "/in/d/b.txt", abi.ENOTDIR, 0, 2, false},
		{"in/d/b.txt/.", "/in/d/b.txt", abi.ENOTDIR, 0, 2, false},
		{"in/none", "/in/none", abi.ENOENT, 0, 2, false},
		{"in/none/", "/in/none", abi.ENOENT, 0, 2, false},
		{"in/none/x/../y/./z", "/in/none/y/z", abi.ENOENT, 0, 2, false},
		{"in/none/../a.txt", "/in/none", abi.ENOENT, 0, 2, false},
		{"in/none/../../../etc", "/in/none", abi.ENOENT, 0, 2, false},
		{"in/nested/hidden", "/in/nested/hidden", 0, 0, 2, false},
		{"in/nested", "/in/nested", 0, 0, 2, true},
		{"in/nested/rw", "/in/nested/rw", 0, 0, 3, true},
		{"in/nested/rw/shadowed", "/in/nested/rw/shadowed", abi.ENOENT, 0, 3, false},
		{"in/nested/rw/../hidden", "/in/nested/hidden", 0, 0, 2, false},
		{"in/nested/rw/../../../w", "/w", 0, 0, 1, true},
		{"deep", "/deep", 0, 0, 0, true},
		{"deep/er", "/deep/er", 0, 0, 0, true},
		{"deep/er/mount", "/deep/er/mount", 0, 0, 0, true},
		{"deep/er/mount/x", "/deep/er/mount/x", abi.ENOENT, 0, 0, false},
		{"input", "/input", abi.ENOENT, no, 0, false},
		{"input/a.txt", "/input/a.txt", abi.ENOENT, no, 0, false},
		{"in.txt", "/in.txt", abi.ENOENT, no, 0, false},
		{"i", "/i", abi.ENOENT, no, 0, false},
		{"etc/passwd", "/etc/passwd", abi.ENOENT, no, 0, false},
		{"etc/./x/..//passwd/", "/etc/passwd", abi.ENOENT, no, 0, false},
		{"etc/../in/a.txt", "/etc", abi.ENOENT, no, 0, false},
		{"deep/er/mountain", "/deep/er/mountain", abi.ENOENT, no, 0, false},
		{"deep/../in/../etc/passwd", "/etc/passwd", abi.ENOENT, no, 0, false},
		{"/in/a.txt", "/in/a.txt", abi.ENOTCAPABLE, escape, 0, false},
		{"/", "/", abi.ENOTCAPABLE, escape, 0, false},
		{"..", "/", abi.ENOTCAPABLE, escape, 0, false},
		{"../etc/passwd", "/etc/passwd", abi.ENOTCAPABLE, escape, 0, false},
		{"in/../../etc/passwd", "/etc/passwd", abi.ENOTCAPABLE, escape, 0, false},
		{"w/to-d", "/w/d", 0, 0, 1, true},
		{"w/to-d/f", "/w/d/f", 0, 0, 1, false},
		{"w/to-d/../to-f", "/w/d/f", 0, 0, 1, false},
		{"w/to-f", "/w/d/f", 0, 0, 1, false},
		{"w/to-f/", "/w/d/f", abi.ENOTDIR, 0, 1, false},
		{"w/d/up", "/w/d/f", 0, 0, 1, false},
		{"w/chain", "/w/d/f", 0, 0, 1, false},
		{"w/d/e/two", "/w/d/f", 0, 0, 1, false},
		{"w/d/e/../e/two", "/w/d/f", 0, 0, 1, false},
		{"w/to-d/../../in", "/in", 0, 0, 2, true}, // the guest's own ".." may cross
		{"w/out", "/in/a.txt", abi.ENOTCAPABLE, escape, 1, false},
		{"w/far", "/in", abi.ENOTCAPABLE, escape, 1, false},
		{"w/far/x", "/in/x", abi.ENOTCAPABLE, escape, 1, false},
		{"w/abs", "/w/abs", abi.ENOTCAPABLE, escape, 1, false},
		{"w/loop", "/w/loop", abi.ELOOP, 0, 1, false},
		{"w/none", "/w/gone/y", abi.ENOENT, 0, 1, false},
		{"w/" + deep + "y", "/w/" + deep + "y", abi.ENOENT, 0, 1, false},
		{"", "/", abi.ENOENT, 0, 0, false},
		{"in/\xff", "/", abi.EILSEQ, 0, 0, false},
		{"in/a.txt\x00", "/", abi.EINVAL, 0, 0, false},
		{strings.Repeat("x", abi.MaxPath+1), "/", abi.ENAMETOOLONG, 0, 0, false},
		{"w/" + strings.Repeat("x", 256), "/w/" + strings.Repeat("x", 256), abi.ENAMETOOLONG, 0, 1, false},
	} {
		r := h.do(abi.PathFilestatGet, 3, follow, c.path)
		if r.Name != c.name || r.e != c.e || r.Refused != c.refused || r.Grant != c.grant || r.Dir != c.dir {
			t.Errorf("%.60q: %q %v refused %d grant %d dir %v, want %q %v %d %d %v", c.path,
				r.Name, r.e, r.Refused, r.Grant, r.Dir, c.name, c.e, c.refused, c.grant, c.dir)
		}
		inert := c.path == "" || len(c.path) > abi.MaxPath || strings.ContainsAny(c.path, "\x00") || c.path == "in/\xff"
		if (r.Kind == abi.ObjNone) != inert || !inert && r.Kind != abi.ObjFile {
			t.Errorf("%.60q: kind %v", c.path, r.Kind)
		}
	}
}

func TestLastLinkIsNotFollowed(t *testing.T) {
	h := usual(t)
	h.write("w/f", "x")
	h.ok(abi.PathCreateDirectory, 3, "w/d")
	h.ok(abi.PathSymlink, "f", 3, "w/l")
	h.ok(abi.PathSymlink, "d", 3, "w/ld")
	if r := h.ok(abi.PathFilestatGet, 3, 0, "w/l"); r.Name != "/w/l" || r.ret[16] != byte(abi.FiletypeSymbolicLink) {
		t.Error(r.Name)
	}
	// A slash after it follows it all the same.
	if r := h.ok(abi.PathFilestatGet, 3, 0, "w/ld/"); r.Name != "/w/d" {
		t.Error(r.Name)
	}
	h.want(abi.ELOOP, abi.PathOpen, 3, 0, "w/l", 0, readable, all, 0)
	h.want(abi.ELOOP, abi.PathOpen, 3, 0, "w/l", abi.OFlagCreat, abi.FileRights, all, 0)
	h.want(abi.EEXIST, abi.PathOpen, 3, follow, "w/l", abi.OFlagCreat|abi.OFlagExcl, abi.FileRights, all, 0)
	// No change goes through a link, slash or not.
	h.want(abi.ENOTDIR, abi.PathRemoveDirectory, 3, "w/ld/")
	h.want(abi.ENOTDIR, abi.PathRemoveDirectory, 3, "w/ld")
	h.want(abi.ENOTDIR, abi.PathRename, 3, "w/ld/", 3, "w/x")
	h.want(abi.EEXIST, abi.PathCreateDirectory, 3, "w/ld/")
	h.lists("w", "d", "f", "l", "ld")
}

func TestLinksInAll(t *testing.T) {
	h := usual(t)
	h.write("w/l0", "end")
	for i := 1; i <= maxLinks+1; i++ {
		h.ok(abi.PathSymlink, "l"+itoa(i-1), 3, "w/l"+itoa(i))
	}
	if r := h.ok(abi.PathFilestatGet, 3, follow, "w/l"+itoa(maxLinks)); r.Name != "/w/l0" {
		t.Error(r.Name)
	}
	h.want(abi.ELOOP, abi.PathFilestatGet, 3, follow, "w/l"+itoa(maxLinks+1))
	// Many short links do not add up to unbounded work either.
	h.ok(abi.PathSymlink, ".", 3, "w/dot")
	h.ok(abi.PathFilestatGet, 3, follow, "w/"+strings.Repeat("dot/", maxLinks)+"l0")
	h.want(abi.ELOOP, abi.PathFilestatGet, 3, follow, "w/"+strings.Repeat("dot/", maxLinks+1)+"l0")
	// Nor does a link that makes the path longer each time it is followed.
	h.ok(abi.PathSymlink, "more/"+strings.Repeat("name/", 99), 3, "w/more")
	h.want(abi.ENAMETOOLONG, abi.PathFilestatGet, 3, follow, "w/more")
}

func TestDepth(t *testing.T) {
	h := usual(t)
	fd := h.folder("w")
	for range maxDepth + 5 {
		h.ok(abi.PathCreateDirectory, fd, "x")
		next := int(h.ok(abi.PathOpen, fd, 0, "x", abi.OFlagDirectory, abi.DirRights, all, 0).u32(0))
		h.ok(abi.FdRenumber, next, fd)
	}
	plain := "w" + strings.Repeat("/x", maxDepth+5)
	h.ok(abi.PathFilestatGet, 3, 0, plain)
	h.want(abi.ENAMETOOLONG, abi.PathFilestatGet, 3, 0, plain+"/.")
	h.ok(abi.PathFilestatGet, 3, 0, "w"+strings.Repeat("/x/..", 800))
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + itoa(n%10)
}

func TestFromAFolder(t *testing.T) {
	h := usual(t)
	h.ok(abi.PathCreateDirectory, 3, "w/d")
	h.write("w/f", "f")
	h.write("w/d/g", "g")
	h.ok(abi.PathSymlink, "../f", 3, "w/d/up")
	fd := h.folder("w/d")
	if r := h.ok(abi.PathFilestatGet, fd, 0, "g"); r.Name != "/w/d/g" || r.Grant != 1 {
		t.Error(r.Name, r.Grant)
	}
	// A path may not climb above the descriptor it starts from, nor may a link.
	h.refused(abi.RefuseEscape, abi.ENOTCAPABLE, "/w/f", abi.PathFilestatGet, fd, 0, "../f")
	h.refused(abi.RefuseEscape, abi.ENOTCAPABLE, "/in", abi.PathFilestatGet, fd, 0, "./../../../in/../in")
	h.refused(abi.RefuseEscape, abi.ENOTCAPABLE, "/w/f", abi.PathFilestatGet, fd, follow, "up")
	h.want(abi.ENOTDIR, abi.PathFilestatGet, h.open("w/f", 0, readable), 0, "x")
	h.want(abi.EBADF, abi.PathFilestatGet, 77, 0, "x")
	h.want(abi.ENOTDIR, abi.PathFilestatGet, 0, 0, "x")
}

// TestPlaces: what a path led through is told, once each, and bounded.
func TestPlaces(t *testing.T) {
	h := usual(t)
	h.ok(abi.PathCreateDirectory, 3, "w/d")
	h.ok(abi.PathCreateDirectory, 3, "w/d/e")
	h.write("w/f", "f")
	h.ok(abi.PathSymlink, "../f", 3, "w/d/up")
	h.ok(abi.PathSymlink, "d", 3, "w/to-d")
	for p, want := range map[string][]abi.Place{
		"w/f":                     nil,
		"w/d/e":                   nil,
		"in/../w/f":               nil, // mount points are no secret
		"deep/er/../../w/f":       nil,
		"w/d/../f":                {{Name: "/w/d", Grant: 1}},
		"w/d/e/../../../in/a.txt": {{Name: "/w/d/e", Grant: 1}, {Name: "/w/d", Grant: 1}},
		"in/d/../../w/d/../f":     {{Name: "/in/d", Grant: 2}, {Name: "/w/d", Grant: 1}},
		"w/d/../d/../d":           {{Name: "/w/d", Grant: 1}},
		"w/to-d/e":                {{Name: "/w/to-d/e", Grant: 1}},
		"w/to-d/e/../../f":        {{Name: "/w/to-d", Grant: 1}, {Name: "/w/d/e", Grant: 1}, {Name: "/w/d", Grant: 1}},
		"w/d/up":                  {{Name: "/w/d/up", Grant: 1}, {Name: "/w/d", Grant: 1}},
		"w/d/../../none":          {{Name: "/w/d", Grant: 1}},
		"w/d/../../../etc":        {{Name: "/w/d", Grant: 1}},
		"w/d/../none/../d/..":     {{Name: "/w/d", Grant: 1}},
	} {
		if r := h.do(abi.PathFilestatGet, 3, follow, p); !slices.Equal(r.Via, want) {
			t.Errorf("%s: %+v, want %+v", p, r.Via, want)
		}
	}
	// Two paths have theirs each, and what is refused for the second's sake has the first.
	r := h.do(abi.PathRename, 3, "w/d/../f", 3, "w/d/e/../g")
	if want := []abi.Place{{Name: "/w/d", Grant: 1}, {Name: "/w/d/e", Grant: 1}}; r.e != 0 || !slices.Equal(r.Via, want) {
		t.Errorf("%v %+v", r.e, r.Via)
	}
	r = h.do(abi.PathRename, 3, "w/g", 3, "none/g")
	if want := []abi.Place{{Name: "/w/g", Grant: 1}}; r.Refused != abi.RefuseNoGrant || !slices.Equal(r.Via, want) {
		t.Errorf("%v %+v", r.e, r.Via)
	}

	many := "w"
	for i := range abi.MaxVia + 1 {
		h.ok(abi.PathCreateDirectory, 3, "w/n"+itoa(i))
		many += "/n" + itoa(i) + "/.."
		want := abi.ESUCCESS
		if i == abi.MaxVia {
			want = abi.ENAMETOOLONG
		}
		if r := h.want(want, abi.PathFilestatGet, 3, 0, many+"/d/g"); len(r.Via) != min(i+1, abi.MaxVia) {
			t.Fatal(len(r.Via))
		}
	}
}
