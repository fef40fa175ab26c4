package pure

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/tree"
	"github.com/forgeone/forgeone/internal/provider/treetest"
)

// ticking is a clock that never shows one time twice.
func ticking() func() uint64 {
	t := uint64(1_700_000_000_000_000_000)
	return func() uint64 { t += 1000; return t }
}

func TestScratchConforms(t *testing.T) {
	treetest.Run(t, true, func(*testing.T) tree.Dir { return NewScratch(ticking(), 1<<24, 1000) })
}

func TestAssetsConform(t *testing.T) {
	treetest.Run(t, false, func(t *testing.T) tree.Dir {
		d, err := NewAssets(treetest.Sections(treetest.Files()))
		if err != nil {
			t.Fatal(err)
		}
		return d
	})
}

func TestAssetNames(t *testing.T) {
	for _, name := range []string{"", "/a", "a/", "a//b", "./a", "a/../b", "..", "../a", ".", "a\x00b", "\xff", strings.Repeat("n", 256), "d/" + strings.Repeat("n", 256), strings.Repeat("n/", 3000) + "n"} {
		if _, err := NewAssets(treetest.Sections(map[string][]byte{name: nil})); !errors.Is(err, &abi.Error{Code: CodeAssets}) {
			t.Errorf("%.20q: %v", name, err)
		}
	}
	if _, err := NewAssets(treetest.Sections(map[string][]byte{"a": nil, "a/b": nil})); err == nil {
		t.Error("a file and a folder of one name")
	}
	d, err := NewAssets(treetest.Sections(map[string][]byte{"..a": nil, "...": nil}))
	if err != nil {
		t.Fatal(err)
	}
	d.Close()
}

// quota makes a tree of 100 bytes and 3 nodes and returns it with its store.
func quota() (*dir, *store) {
	d := NewScratch(ticking(), 100, 3).(*dir)
	return d, d.n.s
}

func TestByteQuota(t *testing.T) {
	d, s := quota()
	defer d.Close()
	f, e := d.Open("f", tree.How{Read: true, Write: true, Create: true})
	if e != 0 {
		t.Fatal(e)
	}
	p := make([]byte, 80)
	if n, e := f.Pwrite(p, 0); n != 80 || e != 0 {
		t.Fatal(n, e)
	}
	if n, e := f.Pwrite(p, 60); n != 40 || e != 0 { // what there is room for
		t.Fatal(n, e)
	}
	for name, e := range map[string]abi.Errno{
		"append":   func() abi.Errno { _, _, e := f.Append(p); return e }(),
		"hole":     func() abi.Errno { _, e := f.Pwrite(p, 1000); return e }(),
		"truncate": f.Truncate(101),
		"allocate": f.Allocate(50, 51),
		"symlink":  d.Symlink("x", "l"),
	} {
		if e != abi.ENOSPC {
			t.Errorf("%s: %v", name, e)
		}
	}
	if e := f.Truncate(10); e != 0 || s.bytes != 10 {
		t.Fatal(e, s.bytes)
	}
	if e := d.Symlink("target", "l"); e != 0 || s.bytes != 16 {
		t.Fatal(e, s.bytes)
	}
	if e := d.Unlink("l"); e != 0 || s.bytes != 10 {
		t.Fatal(e, s.bytes)
	}
	// An unlinked file counts until it is closed.
	if e := d.Unlink("f"); e != 0 || s.bytes != 10 || s.nodes != 1 {
		t.Fatal(e, s.bytes, s.nodes)
	}
	f.Close()
	if s.bytes != 0 || s.nodes != 0 {
		t.Fatal(s.bytes, s.nodes)
	}
	if f.Close() != abi.EBADF || s.nodes != 0 {
		t.Fatal("closed twice")
	}
}

func TestNodeQuota(t *testing.T) {
	d, s := quota()
	defer d.Close()
	for _, n := range []string{"a", "b", "c"} {
		if e := d.Mkdir(n); e != 0 {
			t.Fatal(e)
		}
	}
	if e := d.Mkdir("d"); e != abi.ENOSPC {
		t.Fatal(e)
	}
	if e := d.Symlink("x", "d"); e != abi.ENOSPC {
		t.Fatal(e)
	}
	if _, e := d.Open("d", tree.How{Write: true, Create: true}); e != abi.ENOSPC {
		t.Fatal(e)
	}
	a, _ := d.OpenDir("a")
	if e := d.Rename("b", d, "a"); e != 0 || s.nodes != 3 { // the old a is held
		t.Fatal(e, s.nodes)
	}
	a.Close()
	a.Close()
	if s.nodes != 2 {
		t.Fatal(s.nodes)
	}
	if e := d.Mkdir("d"); e != 0 {
		t.Fatal(e)
	}
}

func TestTreesDoNotMix(t *testing.T) {
	a, _ := quota()
	b, _ := quota()
	if e := a.Mkdir("x"); e != 0 {
		t.Fatal(e)
	}
	if e := a.Rename("x", b, "x"); e != abi.EXDEV {
		t.Error(e)
	}
	if e := a.Link("x", b, "x"); e != abi.EXDEV {
		t.Error(e)
	}
}

func TestFolderLinks(t *testing.T) {
	d, _ := quota()
	for _, n := range []string{"a", "b"} {
		d.Mkdir(n)
	}
	if st, _ := d.Stat(); st.Nlink != 4 {
		t.Error(st.Nlink)
	}
	a, _ := d.OpenDir("a")
	d.Rename("b", a, "b")
	if st, _ := d.Stat(); st.Nlink != 3 {
		t.Error(st.Nlink)
	}
	if st, _ := a.Stat(); st.Nlink != 3 {
		t.Error(st.Nlink)
	}
}

// failing is a disk that fails from byte 4 on.
type failing struct{}

func (failing) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > 4 {
		return 0, errors.New("not what was verified")
	}
	return len(p), nil
}

// TestAssetsFail: an asset that can't be read any more is EIO to its reader.
func TestAssetsFail(t *testing.T) {
	d, err := NewAssets(map[string]*io.SectionReader{"a": io.NewSectionReader(failing{}, 0, 8)})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	f, e := d.Open("a", tree.How{Read: true})
	if e != 0 {
		t.Fatal(e)
	}
	defer f.Close()
	p := make([]byte, 4)
	if n, e := f.Pread(p, 0); n != 4 || e != 0 {
		t.Errorf("%d, %v", n, e)
	}
	if n, e := f.Pread(p, 4); n != 0 || e != abi.EIO {
		t.Errorf("%d, %v", n, e)
	}
	if n, e := f.Pread(p, 8); n != 0 || e != 0 {
		t.Errorf("behind the end: %d, %v", n, e)
	}
	if st, e := f.Stat(); e != 0 || st.Size != 8 {
		t.Errorf("%+v, %v", st, e)
	}
}
