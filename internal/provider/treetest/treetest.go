// Package treetest holds the conformance tests of tree.Dir and tree.File, which
// every tree that can be mounted has to pass.
package treetest

import (
	"bytes"
	"io"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

// Files is what a read-only tree under test holds, and nothing else.
func Files() map[string][]byte {
	return map[string][]byte{
		"a.txt":     []byte("hello"),
		"d/b.txt":   []byte("bee"),
		"d/e/c.txt": []byte("sea"),
		"empty":     {},
	}
}

// Sections returns files as a tree of assets takes them.
func Sections(files map[string][]byte) map[string]*io.SectionReader {
	m := map[string]*io.SectionReader{}
	for name, data := range files {
		m[name] = io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data)))
	}
	return m
}

// Run runs the tests. make returns a handle of the root of a fresh tree for each:
// an empty one if writable, else one that holds Files. The tests close it.
func Run(t *testing.T, writable bool, make func(t *testing.T) tree.Dir) {
	cases := readOnlyCases()
	if writable {
		cases = append(folderCases(), fileCases()...)
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			root := make(t)
			defer root.Close()
			c.test(&tester{T: t}, root)
		})
	}
}

type testCase struct {
	name string
	test func(t *tester, root tree.Dir)
}

// tester adds checks of errnos to a test.
type tester struct{ *testing.T }

// want checks an errno; several are listed where systems differ.
func (t *tester) want(got abi.Errno, want ...abi.Errno) {
	t.Helper()
	for _, w := range want {
		if got == w {
			return
		}
	}
	t.Fatalf("got %v, want %v", got, want)
}

func (t *tester) ok(e abi.Errno) {
	t.Helper()
	t.want(e, 0)
}

func (t *tester) dir(d tree.Dir, rel string) tree.Dir {
	t.Helper()
	sub, e := d.Beneath(rel)
	if e != 0 {
		t.Fatalf("Beneath(%q): %v", rel, e)
	}
	t.Cleanup(sub.Close)
	return sub
}

func (t *tester) open(d tree.Dir, name string, how tree.How) tree.File {
	t.Helper()
	f, e := d.Open(name, how)
	if e != 0 {
		t.Fatalf("Open(%q, %+v): %v", name, how, e)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func (t *tester) openFails(d tree.Dir, name string, how tree.How, want ...abi.Errno) {
	t.Helper()
	f, e := d.Open(name, how)
	if e == 0 {
		f.Close()
	}
	t.want(e, want...)
}

// put makes the file name hold text.
func (t *tester) put(d tree.Dir, name, text string) {
	t.Helper()
	f, e := d.Open(name, tree.How{Write: true, Create: true, Truncate: true})
	t.ok(e)
	n, e := f.Pwrite([]byte(text), 0)
	t.ok(e)
	if n != len(text) {
		t.Fatalf("Pwrite: %d of %d bytes", n, len(text))
	}
	t.ok(f.Close())
}

// holds checks what the file name holds.
func (t *tester) holds(d tree.Dir, name, text string) {
	t.Helper()
	f, e := d.Open(name, tree.How{Read: true})
	if e != 0 {
		t.Fatalf("Open(%q): %v", name, e)
	}
	defer f.Close()
	if got := t.read(f, 0, len(text)+1); got != text {
		t.Fatalf("%s holds %q, want %q", name, got, text)
	}
}

func (t *tester) read(f tree.File, off int64, n int) string {
	t.Helper()
	p := make([]byte, n)
	n, e := f.Pread(p, off)
	t.ok(e)
	return string(p[:n])
}

func (t *tester) stat(d tree.Dir, name string) abi.Filestat {
	t.Helper()
	st, e := d.Lstat(name)
	if e != 0 {
		t.Fatalf("Lstat(%q): %v", name, e)
	}
	return st
}

func (t *tester) gone(d tree.Dir, name string) {
	t.Helper()
	_, e := d.Lstat(name)
	t.want(e, abi.ENOENT)
}

// lists checks the names in d, whatever their order, and that types and inode
// numbers are those that Lstat tells.
func (t *tester) lists(d tree.Dir, want ...string) {
	t.Helper()
	es, e := d.List()
	t.ok(e)
	got := map[string]bool{}
	for _, ent := range es {
		st := t.stat(d, ent.Name)
		if st.Ino != ent.Ino || st.Type != ent.Type || got[ent.Name] {
			t.Fatalf("entry %+v of %+v", ent, st)
		}
		got[ent.Name] = true
	}
	for _, w := range want {
		if !got[w] {
			t.Fatalf("%q is not listed in %v", w, es)
		}
	}
	if len(got) != len(want) {
		t.Fatalf("listed %v, want %q", es, want)
	}
	again, e := d.List()
	t.ok(e)
	for i := range es {
		if again[i] != es[i] {
			t.Fatalf("the order changed: %v, %v", es, again)
		}
	}
}

func readOnlyCases() []testCase {
	return []testCase{
		{"read", func(t *tester, root tree.Dir) {
			t.lists(root, "a.txt", "d", "empty")
			t.holds(root, "a.txt", "hello")
			t.holds(root, "empty", "")
			t.holds(t.dir(root, "d/e"), "c.txt", "sea")
			d, e := root.OpenDir("d")
			t.ok(e)
			defer d.Close()
			t.lists(d, "b.txt", "e")
			if st := t.stat(root, "a.txt"); st.Size != 5 || st.Type != abi.FiletypeRegularFile || st.Nlink != 1 {
				t.Fatalf("%+v", st)
			}
			_, e = root.OpenDir("a.txt")
			t.want(e, abi.ENOTDIR)
			_, e = root.OpenDir("none")
			t.want(e, abi.ENOENT)
			_, e = root.Beneath("a.txt/x")
			t.want(e, abi.ENOTDIR)
			_, e = root.Readlink("a.txt")
			t.want(e, abi.EINVAL)
			t.openFails(root, "d", tree.How{Read: true}, abi.EISDIR)
			t.openFails(root, "none", tree.How{Read: true}, abi.ENOENT)
		}},
		{"changes nothing", func(t *tester, root tree.Dir) {
			d := t.dir(root, "d")
			t.openFails(root, "a.txt", tree.How{Read: true, Write: true}, abi.EROFS)
			t.openFails(root, "a.txt", tree.How{Read: true, Write: true, Truncate: true}, abi.EROFS)
			t.openFails(root, "none", tree.How{Read: true, Create: true}, abi.EROFS)
			t.want(root.Mkdir("x"), abi.EROFS)
			t.want(root.Rmdir("d"), abi.EROFS)
			t.want(root.Unlink("a.txt"), abi.EROFS)
			t.want(root.Symlink("a.txt", "l"), abi.EROFS)
			t.want(root.Link("a.txt", d, "l"), abi.EROFS)
			t.want(root.Rename("a.txt", d, "l"), abi.EROFS)
			t.want(root.SetTimes("a.txt", tree.Times{SetMtim: true}), abi.EROFS)
			t.want(root.SetOwnTimes(tree.Times{SetMtim: true}), abi.EROFS)
			f := t.open(root, "a.txt", tree.How{Read: true})
			_, e := f.Pwrite([]byte("x"), 0)
			t.want(e, abi.EBADF)
			_, _, e = f.Append([]byte("x"))
			t.want(e, abi.EBADF)
			t.want(f.Truncate(1), abi.EROFS, abi.EINVAL)
			t.want(f.Allocate(0, 100), abi.EROFS, abi.EBADF)
			t.want(f.SetTimes(tree.Times{SetMtim: true}), abi.EROFS)
			t.ok(f.Sync())
			t.ok(root.Sync())
			t.lists(root, "a.txt", "d", "empty")
			t.lists(d, "b.txt", "e")
			t.holds(root, "a.txt", "hello")
		}},
	}
}
