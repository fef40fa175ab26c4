package host

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

// sparse makes a file of that size in which every other piece of 64 KiB is a hole,
// and returns its path and how much room it takes.
func sparse(t *testing.T, dir string, size int64) (path string, room int64) {
	t.Helper()
	path = filepath.Join(dir, "sparse")
	f, err := os.Create(path)
	check(t, err)
	defer f.Close()
	check(t, f.Truncate(size))
	for off := int64(0); off < size; off += 128 << 10 {
		_, err := f.WriteAt(make([]byte, 64<<10), off)
		check(t, err)
	}
	check(t, f.Sync())
	if room = roomOf(t, path); room > size*3/4 {
		t.Skip("this file system makes no holes")
	}
	return path, room
}

func roomOf(t *testing.T, path string) int64 {
	t.Helper()
	var st unix.Stat_t
	check(t, unix.Stat(path, &st))
	return st.Blocks * 512
}

func TestHoles(t *testing.T) {
	dir := t.TempDir()
	sparse(t, dir, 1<<20)
	_, root := open(t, dir, false)
	opened, e := root.Open("sparse", tree.How{Read: true, Write: true})
	must(t, e)
	f := opened.(*file)
	defer f.Close()
	for _, tc := range []struct {
		off, n int64
		want   uint64
	}{
		{0, 1 << 20, 512 << 10},
		{0, 64 << 10, 0},
		{64 << 10, 64 << 10, 64 << 10},
		{0, 128 << 10, 64 << 10},
		{64<<10 + 1, 1, 4096},
		{70 << 10, 4097, 8192},
		{128<<10 - 1, 2, 4096},
		{64<<10 - 1, 1, 0},
		{1 << 20, 1 << 20, 0},
		{1 << 30, 10, 0},
		{0, 0, 0},
		{1<<20 - 1, 1 << 20, 4096},
		{0, 1 << 40, 512 << 10},
	} {
		if got, _ := f.Holes(tc.off, tc.n, 100); got != tc.want {
			t.Errorf("Holes(%d, %d) = %d, want %d", tc.off, tc.n, got, tc.want)
		}
	}
	if room, looked := f.Holes(0, 1<<20, 1); looked != 1 || room < 512<<10 {
		t.Errorf("looking at one hole of eight: %d, %d", room, looked)
	}
}

// TestHolesCount: whatever a guest does to a file with holes, it takes no more room
// than its quota, but for what one block is rounded by.
func TestHolesCount(t *testing.T) {
	const size, quota, step = 4 << 20, 300 << 10, 10_000
	chunk := make([]byte, step)
	ways := map[string]func(g *guest, fd int) abi.Errno{
		"fill in order": func(g *guest, fd int) (e abi.Errno) {
			for off := 0; off < size && e == 0; off += step {
				e = g.do(abi.FdPwrite, fd, chunk, off)
			}
			return e
		},
		"fill at random": func(g *guest, fd int) (e abi.Errno) {
			for i := 0; i < 10_000 && e == 0; i++ {
				e = g.do(abi.FdPwrite, fd, chunk[:1+rand.N(step-1)], rand.N(size))
			}
			return e
		},
		"allocate": func(g *guest, fd int) (e abi.Errno) {
			for off := 0; off < size && e == 0; off += step {
				e = g.do(abi.FdAllocate, fd, off, step)
			}
			return e
		},
		"allocate all": func(g *guest, fd int) abi.Errno { return g.do(abi.FdAllocate, fd, 0, size) },
		"one write":    func(g *guest, fd int) abi.Errno { return g.do(abi.FdPwrite, fd, make([]byte, size), 0) },
		"grow, fill, cut, again": func(g *guest, fd int) (e abi.Errno) {
			for off := 0; off < size && e == 0; off += 64 << 10 {
				e = g.do(abi.FdFilestatSetSize, fd, size+64<<10)
				if e == 0 {
					e = g.do(abi.FdPwrite, fd, chunk, off+64<<10)
				}
				if e == 0 {
					e = g.do(abi.FdFilestatSetSize, fd, size)
				}
			}
			return e
		},
		"open, fill, close, again": func(g *guest, _ int) (e abi.Errno) {
			for off := 0; off < size && e == 0; off += step {
				fd, o := g.open(3, "out/sparse", 0, abi.RightFDWrite|abi.RightFDSeek)
				if e = o; e == 0 {
					e = g.do(abi.FdPwrite, fd, chunk, off)
					must(t, g.do(abi.FdClose, fd))
				}
			}
			return e
		},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path, before := sparse(t, dir, size)
			_, root := open(t, dir, false)
			w, err := provider.New(provider.Config{
				Mounts: []provider.Mount{{Guest: "/out", Root: root, Grant: 1}}, Clock: NewClock(), Random: Random, Disk: quota,
			})
			check(t, err)
			defer w.Close()
			g := &guest{w: w}
			fd, e := g.open(3, "out/sparse", 0, abi.RightFDWrite|abi.RightFDSeek|abi.RightFDAllocate|abi.RightFDFilestatSetSize)
			must(t, e)
			for range 3 { // who was told no tries again
				e = way(g, fd)
			}
			if name != "one write" { // which says how much it wrote
				want(t, "the last", e, abi.EDQUOT)
			}
			unix.Sync()
			if took := roomOf(t, path) - before; took > quota+2*holeBlock {
				t.Errorf("it took %d bytes of room, of %d", took, quota)
			} else {
				t.Logf("%d of %d bytes", took, quota)
			}
			// What is no hole can be written all the same.
			must(t, g.do(abi.FdPwrite, fd, chunk[:4096], 0))
		})
	}
}
