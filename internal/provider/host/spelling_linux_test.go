package host

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider"
	"github.com/forgeone/forgeone/internal/provider/tree"
	"github.com/forgeone/forgeone/internal/provider/treetest"
)

// folded opens a folder as one in which names may be spelt in more ways than one.
// It behaves as if no entry had capitals in its name: what is found by such a name
// is another spelling of something else, and so is what is made by it.
func folded(t *testing.T, box string, old bool) tree.Dir {
	r, _ := open(t, box, old)
	r.folds = true
	r.spelt = func(dir int, name string) abi.Errno {
		if name != strings.ToLower(name) {
			return abi.ENOENT
		}
		return listed(dir, name)
	}
	d := r.Dir()
	t.Cleanup(d.Close)
	return d
}

// TestSpelling: where the file system knows a name by more spellings than one,
// only the entry's own is a name, for every operation; nothing is made by another.
func TestSpelling(t *testing.T) {
	inModes(t, func(t *testing.T, old bool) {
		box := t.TempDir()
		for _, dir := range []string{"d", "d/sub", "D", "D/sub", "d/SUB"} { // the capitals stand for other spellings
			check(t, os.Mkdir(filepath.Join(box, dir), 0o755))
		}
		write(t, filepath.Join(box, "secret"), "text")
		check(t, os.Link(filepath.Join(box, "secret"), filepath.Join(box, "SECRET")))
		check(t, os.Symlink("secret", filepath.Join(box, "l")))
		check(t, os.Symlink("secret", filepath.Join(box, "L")))
		before := picture(t, box)
		d := folded(t, box, old)

		for _, rel := range []string{"D", "D/sub", "d/SUB", "L", "SECRET", "L/x"} {
			_, e := d.Beneath(rel)
			want(t, "beneath "+rel, e, abi.ENOENT)
		}
		_, e := d.OpenDir("D")
		want(t, "opendir", e, abi.ENOENT)
		_, e = d.Readlink("L")
		want(t, "readlink", e, abi.ENOENT)
		for _, name := range []string{"SECRET", "L", "D"} {
			_, e = d.Lstat(name)
			want(t, "lstat "+name, e, abi.ENOENT)
			want(t, "unlink "+name, d.Unlink(name), abi.ENOENT)
			want(t, "rmdir "+name, d.Rmdir(name), abi.ENOENT)
			want(t, "rename "+name, d.Rename(name, d, "other"), abi.ENOENT)
			want(t, "link "+name, d.Link(name, d, "other"), abi.ENOENT)
			want(t, "times "+name, d.SetTimes(name, tree.Times{MtimNow: true}), abi.ENOENT)
			// What would be made by a name is already there by another.
			want(t, "mkdir "+name, d.Mkdir(name), abi.EEXIST)
			want(t, "symlink "+name, d.Symlink("x", name), abi.EEXIST)
			want(t, "rename to "+name, d.Rename("secret", d, name), abi.EEXIST)
			want(t, "link to "+name, d.Link("secret", d, name), abi.EEXIST)
		}
		for _, how := range []tree.How{{Read: true}, {Write: true}, {Write: true, Truncate: true}} {
			_, e = d.Open("SECRET", how)
			want(t, "open", e, abi.ENOENT)
			how.Create = true
			_, e = d.Open("SECRET", how)
			want(t, "open to create", e, abi.EEXIST)
			how.Exclusive = true
			_, e = d.Open("SECRET", how)
			want(t, "open to create anew", e, abi.EEXIST)
		}
		// What comes out under another spelling is undone.
		want(t, "mkdir anew", d.Mkdir("NEW"), abi.EINVAL)
		want(t, "symlink anew", d.Symlink("x", "NEW"), abi.EINVAL)
		want(t, "link anew", d.Link("secret", d, "NEW"), abi.EINVAL)
		want(t, "rename anew", d.Rename("secret", d, "NEW"), abi.EINVAL)
		_, e = d.Open("NEW", tree.How{Write: true, Create: true})
		want(t, "create anew", e, abi.EINVAL)
		if after := picture(t, box); listing(after) != listing(before) {
			t.Errorf("changed: was\n%s\nis\n%s", before, after)
		}

		// By their own names all is there.
		sub, e := d.Beneath("d/sub")
		must(t, e)
		must(t, sub.Mkdir("new"))
		sub.Close()
		f, e := d.Open("secret", tree.How{Read: true})
		must(t, e)
		f.Close()
	})
}

// listing is a picture without its times.
func listing(picture string) string {
	var b strings.Builder
	for l := range strings.Lines(picture) {
		f := strings.Fields(l)
		b.WriteString(f[0] + f[1] + f[len(f)-1][:min(len(f[len(f)-1]), 4)] + "\n")
	}
	return b.String()
}

// TestFoldedTree: a folder of such a file system is as good a tree as another.
func TestFoldedTree(t *testing.T) {
	inModes(t, func(t *testing.T, old bool) {
		treetest.Run(t, true, func(t *testing.T) tree.Dir {
			r, _ := open(t, t.TempDir(), old)
			r.folds = true
			return r.Dir()
		})
	})
}

// TestSpellingOfAGuest: a rule is on the entry's own name, since no other leads there.
func TestSpellingOfAGuest(t *testing.T) {
	box := t.TempDir()
	check(t, os.Mkdir(filepath.Join(box, "d"), 0o755))
	check(t, os.Mkdir(filepath.Join(box, "D"), 0o755))
	write(t, filepath.Join(box, "D", "f"), "SECRET")
	g := newGuest(t, provider.Mount{Guest: "/m", Root: folded(t, box, false)})
	for _, p := range []string{"m/D/f", "m/D/../D/f", "m/d/../D/f", "m/D/."} {
		if text, e := g.read(3, p); text != "" || e != abi.ENOENT {
			t.Errorf("%s: %q %v", p, text, e)
		}
	}
}

func TestWhatMaySpell(t *testing.T) {
	for _, magic := range []uint32{unix.MSDOS_SUPER_MAGIC, unix.EXFAT_SUPER_MAGIC, ntfs3Magic, hfsPlus, unix.SMB2_SUPER_MAGIC, unix.FUSE_SUPER_MAGIC, unix.V9FS_MAGIC} {
		if !maySpell(magic) {
			t.Errorf("%#x", magic)
		}
	}
	for _, magic := range []uint32{unix.EXT4_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.TMPFS_MAGIC, unix.OVERLAYFS_SUPER_MAGIC, unix.PROC_SUPER_MAGIC} {
		if maySpell(magic) {
			t.Errorf("%#x", magic)
		}
	}
	r, _ := open(t, t.TempDir(), false)
	if folding(r.fd, unix.EXT4_SUPER_MAGIC) || !folding(r.fd, unix.MSDOS_SUPER_MAGIC) || folding(-1, unix.EXT4_SUPER_MAGIC) {
		t.Error("folding")
	}
}
