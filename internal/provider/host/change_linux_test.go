package host

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

func TestChanges(t *testing.T) {
	inModes(t, func(t *testing.T, old bool) {
		box, outside := zoo(t)
		_, d := open(t, box, old)
		_, other := open(t, outside, old)
		sub, e := d.Beneath("dir/sub")
		must(t, e)
		defer sub.Close()
		ops := []struct {
			what string
			got  func() abi.Errno
			want abi.Errno
		}{
			{"mkdir", func() abi.Errno { return d.Mkdir("new") }, 0},
			{"mkdir again", func() abi.Errno { return d.Mkdir("new") }, abi.EEXIST},
			{"mkdir on a link", func() abi.Errno { return d.Mkdir("dangling") }, abi.EEXIST},
			{"mkdir ..", func() abi.Errno { return d.Mkdir("..") }, abi.EINVAL},
			{"rmdir a file", func() abi.Errno { return d.Rmdir("file") }, abi.ENOTDIR},
			{"rmdir a full folder", func() abi.Errno { return d.Rmdir("dir") }, abi.ENOTEMPTY},
			{"rmdir a link to a folder", func() abi.Errno { return d.Rmdir("dirlink") }, abi.ENOTDIR},
			{"rmdir .", func() abi.Errno { return d.Rmdir(".") }, abi.EINVAL},
			{"rmdir", func() abi.Errno { return d.Rmdir("new") }, 0},
			{"rmdir again", func() abi.Errno { return d.Rmdir("new") }, abi.ENOENT},
			{"unlink a folder", func() abi.Errno { return d.Unlink("dir") }, abi.EISDIR},
			{"unlink nothing", func() abi.Errno { return d.Unlink("none") }, abi.ENOENT},
			{"unlink with a slash", func() abi.Errno { return d.Unlink("dir/sub/deep.txt") }, abi.EINVAL},
			{"unlink a link", func() abi.Errno { return d.Unlink("abs") }, 0},
			{"unlink a fifo", func() abi.Errno { return d.Unlink("fifo") }, 0},
			{"symlink", func() abi.Errno { return d.Symlink("../../x", "sl") }, 0},
			{"symlink again", func() abi.Errno { return d.Symlink("y", "sl") }, abi.EEXIST},
			{"symlink to nothing", func() abi.Errno { return d.Symlink("", "sl2") }, abi.ENOENT},
			{"symlink with NUL", func() abi.Errno { return d.Symlink("a\x00b", "sl2") }, abi.EINVAL},
			{"symlink too long", func() abi.Errno { return d.Symlink(strings.Repeat("x", 5000), "sl2") }, abi.ENAMETOOLONG},
			{"symlink long", func() abi.Errno { return d.Symlink(strings.Repeat("x", 4095), "long") }, 0},
			{"symlink bad name", func() abi.Errno { return d.Symlink("a", "a/b") }, abi.EINVAL},
			{"link", func() abi.Errno { return d.Link("file", sub, "hard") }, 0},
			{"link over", func() abi.Errno { return d.Link("file", sub, "hard") }, abi.EEXIST},
			{"link a folder", func() abi.Errno { return d.Link("dir", d, "dir2") }, abi.EPERM},
			{"link nothing", func() abi.Errno { return d.Link("none", d, "x") }, abi.ENOENT},
			{"link a link", func() abi.Errno { return d.Link("rel", d, "rel2") }, 0},
			{"link to another tree", func() abi.Errno { return d.Link("file", other, "x") }, abi.EXDEV},
			{"link from another tree", func() abi.Errno { return other.Link("secret", d, "x") }, abi.EXDEV},
			{"link bad name", func() abi.Errno { return d.Link("..", d, "x") }, abi.EINVAL},
			{"link bad new name", func() abi.Errno { return d.Link("file", d, "../x") }, abi.EINVAL},
			{"rename", func() abi.Errno { return sub.Rename("hard", d, "moved") }, 0},
			{"rename nothing", func() abi.Errno { return sub.Rename("hard", d, "moved") }, abi.ENOENT},
			{"rename to another tree", func() abi.Errno { return d.Rename("moved", other, "x") }, abi.EXDEV},
			{"rename from another tree", func() abi.Errno { return other.Rename("secret", d, "x") }, abi.EXDEV},
			{"rename bad name", func() abi.Errno { return d.Rename(".", d, "x") }, abi.EINVAL},
			{"rename bad new name", func() abi.Errno { return d.Rename("file", d, "..") }, abi.EINVAL},
			{"rename a file over a folder", func() abi.Errno { return d.Rename("file", d, "dir") }, abi.EISDIR},
			{"rename a folder over a file", func() abi.Errno { return d.Rename("dir", d, "file") }, abi.ENOTDIR},
			{"rename a folder into itself", func() abi.Errno { return d.Rename("dir", sub, "x") }, abi.EINVAL},
			{"mkdir empty", func() abi.Errno { return d.Mkdir("empty") }, 0},
			{"rename a folder over an empty one", func() abi.Errno { return d.Rename("dir", d, "empty") }, 0},
			{"mkdir dir", func() abi.Errno { return d.Mkdir("dir") }, 0},
			{"rename a folder over a full one", func() abi.Errno { return d.Rename("dir", d, "empty") }, abi.ENOTEMPTY},
			{"rename over a link", func() abi.Errno { return d.Rename("moved", d, "chain") }, 0},
		}
		for _, op := range ops {
			want(t, op.what, op.got(), op.want)
		}
		if _, err := os.Lstat(filepath.Join(box, "empty", "sub", "deep.txt")); err != nil {
			t.Error(err)
		}
		if st, e := d.Lstat("rel2"); e != abi.ESUCCESS || st.Type != abi.FiletypeSymbolicLink || st.Nlink != 2 {
			t.Errorf("linking followed: %+v %v", st, e)
		}
		if target, e := d.Readlink("long"); e != abi.ESUCCESS || len(target) != 4095 {
			t.Errorf("%d %v", len(target), e)
		}
		if read(t, filepath.Join(outside, "secret")) != "SECRET" {
			t.Error("outside was changed")
		}
		if fi, err := os.Stat(filepath.Join(box, "dir")); err != nil || fi.Mode()&(os.ModeSetuid|os.ModeSetgid|os.ModeSticky) != 0 {
			t.Errorf("%v %v", fi, err)
		}
		// A folder that was moved away is still the one that was held.
		f, e := sub.Open("deep.txt", tree.How{Read: true})
		must(t, e)
		must(t, f.Close())
		// One that was removed can't take anything.
		must(t, d.Mkdir("gone"))
		gone, e := d.OpenDir("gone")
		must(t, e)
		defer gone.Close()
		must(t, d.Rmdir("gone"))
		want(t, "mkdir in a removed folder", gone.Mkdir("x"), abi.ENOENT)
		_, e = gone.Open("x", tree.How{Write: true, Create: true})
		want(t, "create in a removed folder", e, abi.ENOENT)
	})
}
