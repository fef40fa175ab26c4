package treetest

import (
	"math"
	"strings"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

func fileCases() []testCase {
	both := tree.How{Read: true, Write: true, Create: true}
	return []testCase{
		{"open", func(t *tester, root tree.Dir) {
			t.openFails(root, "f", tree.How{Read: true}, abi.ENOENT)
			t.openFails(root, "f", tree.How{Write: true, Truncate: true}, abi.ENOENT)
			t.open(root, "f", tree.How{Write: true, Create: true, Exclusive: true})
			t.openFails(root, "f", tree.How{Write: true, Create: true, Exclusive: true}, abi.EEXIST)
			t.put(root, "f", "text")
			t.open(root, "f", both)
			t.holds(root, "f", "text")
			t.open(root, "f", tree.How{Write: true, Truncate: true})
			t.holds(root, "f", "")
			t.ok(root.Mkdir("d"))
			t.openFails(root, "d", tree.How{Read: true}, abi.EISDIR)
			t.openFails(root, "d", both, abi.EISDIR)
		}},
		{"read and write", func(t *tester, root tree.Dir) {
			f := t.open(root, "f", both)
			n, e := f.Pwrite([]byte("hello"), 3)
			t.ok(e)
			if n != 5 {
				t.Fatal(n)
			}
			for _, c := range []struct {
				off  int64
				n    int
				want string
			}{{0, 100, "\x00\x00\x00hello"}, {3, 2, "he"}, {6, 9, "lo"}, {8, 5, ""}, {1 << 40, 5, ""}, {0, 0, ""}} {
				if got := t.read(f, c.off, c.n); got != c.want {
					t.Fatalf("at %d: %q, want %q", c.off, got, c.want)
				}
			}
			n, end, e := f.Append([]byte("!!"))
			t.ok(e)
			if n != 2 || end != 10 {
				t.Fatal(n, end)
			}
			n, e = f.Pwrite([]byte("J"), 3)
			t.ok(e)
			if n != 1 {
				t.Fatal(n)
			}
			t.holds(root, "f", "\x00\x00\x00Jello!!")
			if st, e := f.Stat(); e != 0 || st.Size != 10 || st != t.stat(root, "f") {
				t.Fatalf("%+v", st)
			}
			t.ok(f.Sync())
			t.ok(f.Datasync())
			t.ok(f.Advise(0, 10, 0))
		}},
		{"large", func(t *tester, root tree.Dir) {
			f := t.open(root, "f", both)
			text := strings.Repeat("0123456789abcdef", 10<<10) // 160 KiB
			for off := 0; off < len(text); off += 50_000 {
				part := text[off:min(len(text), off+50_000)]
				n, e := f.Pwrite([]byte(part), int64(off))
				t.ok(e)
				if n != len(part) {
					t.Fatal(n)
				}
			}
			t.holds(root, "f", text)
			if got := t.read(f, 65_530, 20); got != text[65_530:65_550] {
				t.Fatalf("%q", got)
			}
			t.ok(f.Truncate(70_000))
			t.holds(root, "f", text[:70_000])
			t.ok(f.Truncate(100_000))
			t.holds(root, "f", text[:70_000]+strings.Repeat("\x00", 30_000))
		}},
		{"mode", func(t *tester, root tree.Dir) {
			t.put(root, "f", "text")
			r := t.open(root, "f", tree.How{Read: true})
			w := t.open(root, "f", tree.How{Write: true})
			_, e := r.Pwrite([]byte("x"), 0)
			t.want(e, abi.EBADF)
			_, _, e = r.Append([]byte("x"))
			t.want(e, abi.EBADF)
			t.want(r.Truncate(0), abi.EINVAL, abi.EBADF)
			t.want(r.Allocate(0, 100), abi.EBADF)
			_, e = w.Pread(make([]byte, 1), 0)
			t.want(e, abi.EBADF)
			t.holds(root, "f", "text")
		}},
		{"truncate and allocate", func(t *tester, root tree.Dir) {
			f := t.open(root, "f", both)
			t.ok(f.Truncate(4))
			t.holds(root, "f", "\x00\x00\x00\x00")
			_, e := f.Pwrite([]byte("abcd"), 0)
			t.ok(e)
			t.ok(f.Truncate(2))
			t.ok(f.Truncate(4)) // what was cut off does not come back
			t.holds(root, "f", "ab\x00\x00")
			t.want(f.Truncate(-1), abi.EINVAL)
			t.want(f.Allocate(0, math.MaxInt64), abi.EFBIG, abi.ENOSPC, abi.ENOTSUP)
			switch e := f.Allocate(2, 6); e {
			case 0:
				t.holds(root, "f", "ab\x00\x00\x00\x00\x00\x00")
				t.ok(f.Allocate(0, 3)) // never shorter
				t.holds(root, "f", "ab\x00\x00\x00\x00\x00\x00")
			default: // some file systems can't
				t.want(e, abi.ENOTSUP)
			}
		}},
		{"unlinked and open", func(t *tester, root tree.Dir) {
			f := t.open(root, "f", both)
			_, e := f.Pwrite([]byte("text"), 0)
			t.ok(e)
			t.ok(root.Unlink("f"))
			t.gone(root, "f")
			if got := t.read(f, 0, 9); got != "text" {
				t.Fatalf("%q", got)
			}
			_, _, e = f.Append([]byte("!"))
			t.ok(e)
			st, e := f.Stat()
			t.ok(e)
			if st.Nlink != 0 || st.Size != 5 {
				t.Fatalf("%+v", st)
			}
			t.put(root, "f", "another")
			if got := t.read(f, 0, 9); got != "text!" {
				t.Fatalf("%q", got)
			}
			g := t.open(root, "f", tree.How{Read: true})
			t.put(root, "h", "h")
			t.ok(root.Rename("h", root, "f")) // over an open file
			if got := t.read(g, 0, 9); got != "another" {
				t.Fatalf("%q", got)
			}
		}},
		{"file times", func(t *tester, root tree.Dir) {
			f := t.open(root, "f", both)
			t.ok(f.SetTimes(tree.Times{SetAtim: true, Atim: 3_000_000_000, SetMtim: true, Mtim: 4_000_000_001}))
			if st := t.stat(root, "f"); st.Atim != 3_000_000_000 || st.Mtim != 4_000_000_001 {
				t.Fatalf("%+v", st)
			}
			_, e := f.Pwrite([]byte("x"), 0)
			t.ok(e)
			if st := t.stat(root, "f"); st.Mtim == 4_000_000_001 {
				t.Fatal("a write left the time")
			}
		}},
	}
}
