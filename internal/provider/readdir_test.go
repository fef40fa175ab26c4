package provider

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

func TestReaddir(t *testing.T) {
	h := usual(t)
	h.lists(".", "deep", "in", "w")
	h.lists("in", "a.txt", "d", "nested")
	h.lists("in/nested", "hidden", "rw") // once, though the tree has an "rw" too
	h.lists("in/nested/rw")
	h.lists("deep", "er")
	fd := h.folder("in")
	if got := h.list(fd); got[0] != "." || got[1] != ".." {
		t.Errorf("%q", got)
	}
}

func TestEntries(t *testing.T) {
	h := usual(t)
	h.write("w/f", "")
	h.ok(abi.PathSymlink, "f", 3, "w/l")
	h.ok(abi.PathCreateDirectory, 3, "w/d")
	for _, folder := range []string{"w", ".", "in/nested", "deep"} {
		out := h.ok(abi.FdReaddir, h.folder(folder), room(1<<16), 0).out
		for next := uint64(1); len(out) > 0; next++ {
			name := string(out[24 : 24+binary.LittleEndian.Uint32(out[16:])])
			if got := binary.LittleEndian.Uint64(out); got != next {
				t.Errorf("%s: cookie %d, want %d", name, got, next)
			}
			if name != ".." {
				st := h.ok(abi.PathFilestatGet, 3, 0, folder+"/"+name)
				if ino := binary.LittleEndian.Uint64(out[8:]); ino != st.u64(8) {
					t.Errorf("%s/%s: inode %d, want %d", folder, name, ino, st.u64(8))
				}
				if out[20] != st.ret[16] {
					t.Errorf("%s/%s: type %d, want %d", folder, name, out[20], st.ret[16])
				}
			}
			out = out[24+len(name):]
		}
	}
}

func TestReaddirBuffers(t *testing.T) {
	h := usual(t)
	var want []string
	for i := range 50 {
		n := fmt.Sprintf("file-%02d", i)
		h.write("w/"+n, "")
		want = append(want, n)
	}
	fd := h.folder("w")
	whole := h.ok(abi.FdReaddir, fd, room(1<<16), 0)
	if int(whole.u32(0)) != len(whole.out) {
		t.Error(whole.u32(0), len(whole.out))
	}
	// However small the buffer, it is filled, and a full one means more.
	for n := range 200 {
		r := h.ok(abi.FdReaddir, fd, room(n), 0)
		if string(r.out) != string(whole.out[:n]) || int(r.u32(0)) != n {
			t.Fatalf("room for %d: %d bytes", n, r.u32(0))
		}
	}
	if got := h.list(fd)[2:]; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	for _, cookie := range []uint64{52, 53, 1 << 40, ^uint64(0)} {
		if r := h.ok(abi.FdReaddir, fd, room(100), cookie); len(r.out) != 0 {
			t.Errorf("cookie %d: %q", cookie, r.out)
		}
	}
	r := h.ok(abi.FdReaddir, h.folder("w"), room(32), 51) // a descriptor that never saw cookie 0
	if string(r.out[24:]) != "file-49" {
		t.Errorf("%q", r.out)
	}
}

func TestReaddirWhileChanging(t *testing.T) {
	h := usual(t)
	for _, n := range []string{"a", "b", "c"} {
		h.write("w/"+n, "")
	}
	fd := h.folder("w")
	h.ok(abi.FdReaddir, fd, room(24+1+24+2+24+1), 0) // ".", "..", "a"
	h.ok(abi.PathUnlinkFile, 3, "w/a")
	h.write("w/0", "")
	h.write("w/d", "")
	r := h.ok(abi.FdReaddir, fd, room(1000), 3)
	if len(r.out) != 2*25 || r.out[24] != 'b' || r.out[49] != 'c' {
		t.Errorf("%q", r.out)
	}
	if got := h.list(fd); !slices.Equal(got, []string{".", "..", "0", "b", "c", "d"}) {
		t.Errorf("%q", got)
	}
}

// vast is a tree with many entries; a removed one has none.
type vast struct {
	tree.Dir
	removed bool
}

func (v vast) List() ([]tree.Entry, abi.Errno) {
	if v.removed {
		return nil, abi.ENOENT
	}
	return make([]tree.Entry, maxListed/direntCost*2/3), 0
}

func TestListingsAreBounded(t *testing.T) {
	h := start(t, Config{Mounts: []Mount{{Guest: "/v", Root: vast{Dir: scratch()}, Grant: 1}, {Guest: "/gone", Root: vast{Dir: scratch(), removed: true}, Grant: 2}}})
	a, b := h.folder("v"), h.folder("v")
	h.ok(abi.FdReaddir, a, room(100), 0)
	if h.w.fds[a].listed <= maxListed/2 {
		t.Fatal("nothing kept")
	}
	h.ok(abi.FdReaddir, b, room(100), 0)
	if h.w.fds[a].list != nil || h.w.fds[a].listed != 0 || h.w.fds[b].list == nil {
		t.Error("the older listing is kept")
	}
	if r := h.ok(abi.FdReaddir, a, room(24), 5); binary.LittleEndian.Uint64(r.out) != 6 {
		t.Errorf("%x", r.out)
	}
	h.lists("gone")
}

// oddNames is a tree whose listing has a name that no guest can ask for.
type oddNames struct{ tree.Dir }

func (oddNames) List() ([]tree.Entry, abi.Errno) {
	return []tree.Entry{{Name: "\xff"}, {Name: "ok", Type: abi.FiletypeRegularFile}}, 0
}

func TestReaddirOddNames(t *testing.T) {
	h := start(t, Config{Mounts: []Mount{{Guest: "/", Root: oddNames{scratch()}, Grant: 1}}})
	if got := h.list(3); !slices.Equal(got, []string{".", "..", "ok"}) {
		t.Errorf("%q", got)
	}
}

func TestRootMount(t *testing.T) {
	h := start(t, Config{Mounts: []Mount{
		{Guest: "/", Root: assets(t, "usr/lib/x=lib", "tmp/shadowed=", "opt=a file"), ReadOnly: true, Grant: 1},
		{Guest: "/tmp", Root: scratch(), Grant: 2},
		{Guest: "/usr/local/lib", Root: scratch(), Grant: 3},
		{Guest: "/opt/new", Root: scratch(), Grant: 4},
	}})
	h.lists(".", "usr", "tmp", "opt")
	h.lists("usr", "lib", "local")
	h.lists("usr/local", "lib")
	h.lists("opt", "new") // a folder, though the tree has a file of that name
	h.lists("tmp")
	h.write("tmp/x", "y")
	h.write("opt/new/x", "y")
	if h.read("usr/lib/x") != "lib" || h.read("usr/local/lib/../../lib/x") != "lib" {
		t.Error("root mount")
	}
	h.refused(abi.RefuseReadOnly, abi.EROFS, "/etc", abi.PathCreateDirectory, 3, "etc")
	h.refused(abi.RefuseNoGrant, abi.ENOENT, "/opt/etc", abi.PathCreateDirectory, 3, "opt/etc")
	if r := h.want(abi.ENOENT, abi.PathFilestatGet, 3, 0, "etc/passwd"); r.Grant != 1 || r.Refused != 0 {
		t.Errorf("%+v", r)
	}
	h.want(abi.EBUSY, abi.PathRemoveDirectory, 3, "usr")
	if r := h.ok(abi.FdFilestatGet, 3); r.Grant != 1 {
		t.Error(r.Grant)
	}
	h.refused(abi.RefuseReadOnly, abi.EROFS, "/", abi.FdFilestatSetTimes, 3, 0, 0, abi.FstMtimNow)
	h.refused(abi.RefuseReadOnly, abi.EROFS, "/usr", abi.PathFilestatSetTimes, 3, 0, "usr", 0, 0, 0)
}
