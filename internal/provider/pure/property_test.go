package pure

import (
	"bytes"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/tree"
	"pgregory.net/rapid"
)

// TestContentAgainstBytes compares a file with a slice of bytes.
func TestContentAgainstBytes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		const most = 5 * pageSize
		d := NewScratch(ticking(), most, 1)
		f, _ := d.Open("f", tree.How{Read: true, Write: true, Create: true})
		near := rapid.Custom(func(t *rapid.T) int {
			return max(0, rapid.IntRange(0, 4).Draw(t, "page")*pageSize+rapid.IntRange(-3, 70).Draw(t, "offset"))
		})
		var want []byte
		grow := func(n int) {
			if n > len(want) {
				want = append(want, make([]byte, n-len(want))...)
			}
		}
		for range rapid.IntRange(1, 20).Draw(rt, "steps") {
			switch rapid.IntRange(0, 3).Draw(rt, "step") {
			case 0:
				off, n := near.Draw(rt, "at"), rapid.IntRange(1, pageSize+100).Draw(rt, "length")
				p := bytes.Repeat([]byte{byte(n) | 1}, n)
				got, e := f.Pwrite(p, int64(off))
				fit := min(n, most-off)
				if e != 0 || got != fit {
					rt.Fatal(got, e, fit)
				}
				grow(off + fit)
				copy(want[off:], p[:fit])
			case 1:
				n := near.Draw(rt, "size")
				if e := f.Truncate(int64(n)); e != 0 {
					rt.Fatal(e)
				}
				want = want[:min(n, len(want))]
				grow(n)
			case 2:
				p := []byte("append")
				n, end, e := f.Append(p)
				if len(want) == most {
					if e != abi.ENOSPC {
						rt.Fatal(e)
					}
					break
				}
				want = append(want, p[:n]...)
				if e != 0 || int(end) != len(want) {
					rt.Fatal(e, end)
				}
			case 3:
				off, p := near.Draw(rt, "at"), make([]byte, rapid.IntRange(0, 2*pageSize).Draw(rt, "length"))
				n, e := f.Pread(p, int64(off))
				if e != 0 || !bytes.Equal(p[:n], want[min(off, len(want)):min(off+len(p), len(want))]) {
					rt.Fatalf("read %d at %d: %v", n, off, e)
				}
			}
		}
		got := make([]byte, most+1)
		if n, e := f.Pread(got, 0); e != 0 || !bytes.Equal(got[:n], want) {
			rt.Fatal("contents differ")
		}
	})
}

// weigh counts what lies beneath n: names by node, bytes by node, and folders.
func weigh(t *rapid.T, n *node, seen map[*node]int) {
	folders := 0
	for _, c := range n.children {
		seen[c]++
		if c.typ == abi.FiletypeDirectory {
			folders++
			if c.parent != n || seen[c] > 1 {
				t.Fatal("a folder with two parents, or a wrong one")
			}
			weigh(t, c, seen)
		}
	}
	if folders != n.folders {
		t.Fatal("folders miscounted")
	}
}

// TestAccounts makes random changes with handles open here and there and checks
// that the quota counts what there is.
func TestAccounts(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		root := NewScratch(ticking(), 1000, 12).(*dir)
		s := root.n.s
		dirs, files := []tree.Dir{root}, []tree.File(nil)
		name := rapid.SampledFrom([]string{"a", "b", "c"})
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			d, to := rapid.SampledFrom(dirs).Draw(rt, "folder"), rapid.SampledFrom(dirs).Draw(rt, "to")
			n, m := name.Draw(rt, "name"), name.Draw(rt, "new name")
			switch rapid.IntRange(0, 9).Draw(rt, "step") {
			case 0, 1:
				d.Mkdir(n)
			case 2:
				d.Rmdir(n)
			case 3:
				d.Unlink(n)
			case 4:
				d.Symlink("some target", n)
			case 5:
				d.Link(n, to, m)
			case 6:
				d.Rename(n, to, m)
			case 7:
				if sub, e := d.OpenDir(n); e == 0 {
					dirs = append(dirs, sub)
				}
			case 8:
				if f, e := d.Open(n, tree.How{Write: true, Create: true}); e == 0 {
					f.Append(make([]byte, rapid.IntRange(0, 200).Draw(rt, "length")))
					files = append(files, f)
				}
			case 9:
				if len(files) > 0 {
					files[0].Close()
					files = files[1:]
				}
			}
			if s.nodes > 12 || s.bytes > 1000 {
				rt.Fatal("over the quota")
			}
		}
		for _, f := range files {
			f.Close()
		}
		for _, d := range dirs[1:] {
			d.Close()
		}
		seen, size := map[*node]int{}, uint64(0)
		weigh(rt, root.n, seen)
		for c, names := range seen {
			if c.links != names || c.opens != 0 {
				rt.Fatalf("%d names, %d links, %d handles", names, c.links, c.opens)
			}
			size += uint64(c.data.size) + uint64(len(c.target))
		}
		if s.nodes != len(seen) || s.bytes != size {
			rt.Fatalf("%d nodes and %d bytes counted, there are %d and %d", s.nodes, s.bytes, len(seen), size)
		}
	})
}
