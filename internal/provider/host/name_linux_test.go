package host

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/forgeone/forgeone/abi"
)

func TestCheckName(t *testing.T) {
	for name, e := range map[string]abi.Errno{
		"a": abi.ESUCCESS, "...": abi.ESUCCESS, "..a": abi.ESUCCESS, ".a": abi.ESUCCESS, "\xff\n\\": abi.ESUCCESS,
		strings.Repeat("x", 255): abi.ESUCCESS, strings.Repeat("x", 256): abi.ENAMETOOLONG,
		"": abi.EINVAL, ".": abi.EINVAL, "..": abi.EINVAL, "/": abi.EINVAL, "a/": abi.EINVAL, "/a": abi.EINVAL, "a/b": abi.EINVAL,
		"a\x00": abi.EINVAL, "\x00": abi.EINVAL, "../x": abi.EINVAL, strings.Repeat("x", 256) + "/": abi.EINVAL,
	} {
		want(t, name, checkName(name), e)
	}
}

func TestCheckRel(t *testing.T) {
	for rel, e := range map[string]abi.Errno{
		"a": abi.ESUCCESS, "a/b": abi.ESUCCESS, "a/.../b": abi.ESUCCESS, strings.Repeat("x/", 2000) + "x": abi.ESUCCESS,
		"": abi.EINVAL, "/a": abi.EINVAL, "a/": abi.EINVAL, "a//b": abi.EINVAL, "a/./b": abi.EINVAL, "a/..": abi.EINVAL, "../a": abi.EINVAL,
		"a/b\x00": abi.EINVAL, "a/" + strings.Repeat("x", 256): abi.ENAMETOOLONG, strings.Repeat("x/", 2047) + "xx": abi.ENAMETOOLONG,
		strings.Repeat("x/", 2047) + "x": abi.ESUCCESS,
	} {
		want(t, rel, checkRel(rel), e)
	}
}

// FuzzBeneath: whatever the text, both ways of resolving agree, and what is
// accepted is made of harmless components.
func FuzzBeneath(f *testing.F) {
	for _, s := range []string{"", ".", "..", "a/../b", "dir/sub", "dirlink/sub", "up/outside", "magic", "file/x", "dir//sub", "dir/sub/", "a\x00b", strings.Repeat("y", 300), "loop/x", "fifo/x"} {
		f.Add(s)
	}
	box, _ := zoo(f)
	_, fast := open(f, box, false)
	_, slow := open(f, box, true)
	f.Fuzz(func(t *testing.T, rel string) {
		a, ea := fast.Beneath(rel)
		b, eb := slow.Beneath(rel)
		if ea != eb {
			t.Fatalf("%q: openat2 says %v, walking %v", rel, ea, eb)
		}
		for _, part := range strings.Split(rel, "/") {
			if (part == "" || part == "." || part == ".." || strings.Contains(part, "\x00")) && ea != abi.EINVAL && ea != abi.ENAMETOOLONG {
				t.Fatalf("%q: %v", rel, ea)
			}
		}
		if ea == abi.ESUCCESS {
			sa, _ := a.Stat()
			sb, _ := b.Stat()
			if sa != sb {
				t.Fatalf("%q: two folders", rel)
			}
			a.Close()
			b.Close()
		}
	})
}

// TestBeneathAgrees builds paths of things that exist, so that deep ones are reached.
func TestBeneathAgrees(t *testing.T) {
	box, _ := zoo(t)
	_, fast := open(t, box, false)
	_, slow := open(t, box, true)
	names := rapid.SliceOfN(rapid.SampledFrom([]string{
		"dir", "sub", "deep.txt", "file", "fifo", "socket", "abs", "rel", "chain", "loop", "dangling", "dirlink", "up", "magic", "none", "..", ".", "",
	}), 1, 4)
	rapid.Check(t, func(t *rapid.T) {
		rel := strings.Join(names.Draw(t, "names"), "/")
		a, ea := fast.Beneath(rel)
		b, eb := slow.Beneath(rel)
		if ea != eb {
			t.Fatalf("%q: openat2 says %v, walking %v", rel, ea, eb)
		}
		if ea == abi.ESUCCESS {
			a.Close()
			b.Close()
		}
	})
}
