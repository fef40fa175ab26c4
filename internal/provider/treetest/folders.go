package treetest

import (
	"strings"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

func folderCases() []testCase {
	return []testCase{
		{"folders", func(t *tester, root tree.Dir) {
			t.lists(root)
			t.ok(root.Mkdir("a"))
			t.want(root.Mkdir("a"), abi.EEXIST)
			a := t.dir(root, "a")
			t.ok(a.Mkdir("b"))
			b := t.dir(root, "a/b")
			t.put(b, "f", "x")
			t.lists(root, "a")
			t.lists(a, "b")
			t.want(root.Rmdir("a"), abi.ENOTEMPTY)
			t.want(b.Rmdir("f"), abi.ENOTDIR)
			t.want(a.Unlink("b"), abi.EISDIR, abi.EPERM)
			t.want(root.Rmdir("none"), abi.ENOENT)
			t.want(root.Unlink("none"), abi.ENOENT)
			t.want(b.Mkdir("f"), abi.EEXIST)
			st, e := a.Stat()
			t.ok(e)
			if st != t.stat(root, "a") || st.Type != abi.FiletypeDirectory {
				t.Fatalf("%+v", st)
			}
			t.ok(b.Unlink("f"))
			t.ok(a.Rmdir("b"))
			t.ok(root.Rmdir("a"))
			t.lists(root)
		}},
		{"a removed folder that is held", func(t *tester, root tree.Dir) {
			t.ok(root.Mkdir("a"))
			a := t.dir(root, "a")
			t.ok(root.Rmdir("a"))
			empty := func() {
				es, e := a.List()
				t.want(e, 0, abi.ENOENT)
				if len(es) > 0 {
					t.Fatalf("%v", es)
				}
			}
			empty()
			t.want(a.Mkdir("x"), abi.ENOENT)
			t.want(a.Symlink("x", "y"), abi.ENOENT)
			t.openFails(a, "x", tree.How{Write: true, Create: true}, abi.ENOENT)
			t.put(root, "f", "")
			t.want(root.Rename("f", a, "f"), abi.ENOENT)
			t.want(root.Link("f", a, "f"), abi.ENOENT)
			t.ok(root.Mkdir("a")) // another one
			t.put(t.dir(root, "a"), "x", "")
			empty()
		}},
		{"names", func(t *tester, root tree.Dir) {
			long := strings.Repeat("n", 256)
			t.want(root.Mkdir(long), abi.ENAMETOOLONG)
			t.openFails(root, long, tree.How{Write: true, Create: true}, abi.ENAMETOOLONG)
			_, e := root.Lstat(long)
			t.want(e, abi.ENAMETOOLONG)
			t.ok(root.Mkdir(long[:255]))
			for _, n := range []string{"sp ace", "*", "ünï", "...", "-", "a\nb", "\\", "a:b"} {
				t.put(root, n, n)
				t.holds(root, n, n)
			}
			t.lists(root, long[:255], "sp ace", "*", "ünï", "...", "-", "a\nb", "\\", "a:b")
		}},
		{"symbolic links", func(t *tester, root tree.Dir) {
			t.ok(root.Mkdir("d"))
			t.put(root, "f", "text")
			t.ok(root.Symlink("f", "to-f"))
			t.ok(root.Symlink("d", "to-d"))
			t.ok(root.Symlink("../nowhere/é", "dangling"))
			t.want(root.Symlink("x", "to-f"), abi.EEXIST)
			t.want(root.Symlink("x", "d"), abi.EEXIST)
			to, e := root.Readlink("dangling")
			t.ok(e)
			if to != "../nowhere/é" {
				t.Fatalf("target %q", to)
			}
			_, e = root.Readlink("d")
			t.want(e, abi.EINVAL)
			_, e = root.Readlink("none")
			t.want(e, abi.ENOENT)
			if st := t.stat(root, "to-f"); st.Type != abi.FiletypeSymbolicLink || st.Size != 1 {
				t.Fatalf("%+v", st)
			}
			t.openFails(root, "to-f", tree.How{Read: true}, abi.ELOOP)
			t.openFails(root, "to-f", tree.How{Write: true, Create: true}, abi.ELOOP)
			t.openFails(root, "dangling", tree.How{Write: true, Create: true}, abi.ELOOP)
			t.openFails(root, "to-f", tree.How{Write: true, Create: true, Exclusive: true}, abi.EEXIST)
			_, e = root.OpenDir("to-d")
			t.want(e, abi.ELOOP)
			t.ok(t.dir(root, "d").Mkdir("e"))
			_, e = root.Beneath("to-d/e")
			t.want(e, abi.ELOOP)
			_, e = root.Beneath("to-d")
			t.want(e, abi.ELOOP)
			t.want(root.Mkdir("dangling"), abi.EEXIST)
			t.want(root.Rmdir("to-d"), abi.ENOTDIR)
			t.ok(root.Unlink("to-d"))
			t.lists(root, "d", "f", "to-f", "dangling")
			t.holds(root, "f", "text")
		}},
		{"hard links", func(t *tester, root tree.Dir) {
			t.ok(root.Mkdir("d"))
			d := t.dir(root, "d")
			t.put(root, "f", "one")
			t.ok(root.Link("f", d, "g"))
			a, b := t.stat(root, "f"), t.stat(d, "g")
			if a.Ino != b.Ino || a.Nlink != 2 || b.Nlink != 2 {
				t.Fatalf("%+v %+v", a, b)
			}
			t.put(d, "g", "two")
			t.holds(root, "f", "two")
			t.want(root.Link("f", d, "g"), abi.EEXIST)
			t.want(root.Link("none", d, "h"), abi.ENOENT)
			t.want(root.Link("d", root, "h"), abi.EPERM)
			t.ok(root.Symlink("f", "l"))
			t.ok(root.Link("l", root, "m")) // the link itself
			if st := t.stat(root, "m"); st.Type != abi.FiletypeSymbolicLink || st.Ino != t.stat(root, "l").Ino {
				t.Fatalf("%+v", st)
			}
			t.ok(root.Unlink("f"))
			if st := t.stat(d, "g"); st.Nlink != 1 {
				t.Fatalf("%+v", st)
			}
			t.holds(d, "g", "two")
		}},
		{"rename", func(t *tester, root tree.Dir) {
			t.ok(root.Mkdir("d"))
			d := t.dir(root, "d")
			t.put(root, "f", "f")
			t.put(root, "g", "g")
			ino := t.stat(root, "f").Ino
			t.ok(root.Rename("f", d, "h"))
			t.gone(root, "f")
			if st := t.stat(d, "h"); st.Ino != ino {
				t.Fatalf("%+v", st)
			}
			t.ok(d.Rename("h", root, "g")) // over a file
			t.holds(root, "g", "f")
			t.lists(d)
			t.ok(root.Rename("g", root, "g"))
			t.want(root.Rename("none", root, "x"), abi.ENOENT)
			t.want(root.Rename("g", root, strings.Repeat("n", 256)), abi.ENAMETOOLONG)
			t.ok(root.Symlink("g", "l"))
			t.ok(root.Rename("l", d, "l"))
			if st := t.stat(d, "l"); st.Type != abi.FiletypeSymbolicLink {
				t.Fatalf("%+v", st)
			}
			t.ok(root.Link("g", root, "g2"))
			t.ok(root.Rename("g", root, "g2")) // two names of one file: nothing happens
			t.lists(root, "d", "g", "g2")
		}},
		{"rename folders", func(t *tester, root tree.Dir) {
			for _, n := range []string{"a", "empty", "full"} {
				t.ok(root.Mkdir(n))
			}
			a := t.dir(root, "a")
			t.ok(a.Mkdir("b"))
			t.put(t.dir(root, "full"), "x", "")
			t.put(root, "f", "")
			t.want(root.Rename("a", root, "full"), abi.ENOTEMPTY, abi.EEXIST)
			t.want(root.Rename("a", root, "f"), abi.ENOTDIR)
			t.want(root.Rename("f", root, "a"), abi.EISDIR)
			t.want(root.Rename("a", a, "c"), abi.EINVAL)
			t.want(root.Rename("a", t.dir(root, "a/b"), "c"), abi.EINVAL)
			t.want(a.Rename("b", root, "a"), abi.ENOTEMPTY, abi.EEXIST)
			t.ok(root.Rename("a", root, "empty")) // over an empty one
			t.lists(root, "empty", "full", "f")
			t.lists(t.dir(root, "empty"), "b")
			t.ok(a.Mkdir("still")) // the handle follows the folder
			t.lists(t.dir(root, "empty"), "b", "still")
			t.ok(root.Rename("empty", t.dir(root, "full"), "moved"))
			t.lists(t.dir(root, "full/moved"), "b", "still")
		}},
		{"times", func(t *tester, root tree.Dir) {
			t.put(root, "f", "")
			t.ok(root.Symlink("f", "l"))
			t.ok(root.Mkdir("d"))
			before := t.stat(root, "f")
			set := tree.Times{SetAtim: true, Atim: 1_000_000_007, SetMtim: true, Mtim: 2_000_000_009}
			t.ok(root.SetTimes("l", set))
			if st := t.stat(root, "l"); st.Atim != 1_000_000_007 || st.Mtim != 2_000_000_009 {
				t.Fatalf("%+v", st)
			}
			if st := t.stat(root, "f"); st.Mtim != before.Mtim {
				t.Fatal("the times of the target changed")
			}
			t.ok(root.SetTimes("f", tree.Times{SetMtim: true, Mtim: 5}))
			if st := t.stat(root, "f"); st.Mtim != 5 || st.Atim != before.Atim {
				t.Fatalf("%+v", st)
			}
			t.ok(root.SetTimes("f", tree.Times{SetMtim: true, MtimNow: true, Mtim: 5}))
			if st := t.stat(root, "f"); st.Mtim == 5 {
				t.Fatal("now is not now")
			}
			d := t.dir(root, "d")
			t.ok(d.SetOwnTimes(set))
			if st := t.stat(root, "d"); st.Mtim != 2_000_000_009 {
				t.Fatalf("%+v", st)
			}
			t.ok(d.Mkdir("x"))
			if st := t.stat(root, "d"); st.Mtim == 2_000_000_009 {
				t.Fatal("a change of the folder left its time")
			}
			t.want(root.SetTimes("none", set), abi.ENOENT)
		}},
	}
}
