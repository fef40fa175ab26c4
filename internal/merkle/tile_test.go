package merkle

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

// TestTileNames: the names of C2SP tlog-tiles, and no others.
func TestTileNames(t *testing.T) {
	for name, want := range map[string]Tile{
		"tile/0/000":                     {0, 0, 256},
		"tile/0/x001/x234/067":           {0, 1234067, 256},
		"tile/entries/x001/x234/067.p/7": {EntriesLevel, 1234067, 7},
		"tile/63/001.p/255":              {63, 1, 255},
	} {
		if got, ok := ParseTile(name); !ok || got != want || want.Path() != name {
			t.Errorf("%s is %v, %v; %s", name, got, ok, want.Path())
		}
	}
	for range 1000 {
		n := Tile{rand.IntN(65) - 1, rand.Uint64() >> (1 + rand.IntN(63)), 1 + rand.IntN(256)}
		if got, ok := ParseTile(n.Path()); !ok || got != n {
			t.Errorf("%s is %v, %v", n.Path(), got, ok)
		}
	}
	for _, name := range []string{
		"", "tile", "tile/", "tile/0", "tile/0/", "tile/0/0", "tile/0/00", "tile/0/0000", "tile/0/x000/000", "tile/0/x001", "tile/0/001/002", "tile/00/000", "tile/64/000",
		"tile/-1/000", "tile/+1/000", "tile/data/000", "tile/entries", "tile/entries/000.p", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/000.p/+1", "/tile/0/000",
		"tile/0/000/", "tile//000", "tile/0/../0/000", "tile/0/x001/x999/x999/x999/x999/x999/x999/999", "tile/0/000.p/1/2", "tile/0/x1/001", "checkpoint", "tile/0/\x00", "tile/0/٠٠٠",
	} {
		if n, ok := ParseTile(name); ok {
			t.Errorf("%q is taken for %v", name, n)
		}
	}
	// The example of the specification.
	widths := map[int]int{}
	for _, p := range PartialTiles(70_000) {
		widths[p.Level] = p.Width
	}
	if widths[0] != 112 || widths[1] != 17 || widths[2] != 1 || len(PartialTiles(256)) != 1 {
		t.Errorf("partial tiles of 70000: %v, of 256: %v", widths, PartialTiles(256))
	}
}

func FuzzTileName(f *testing.F) {
	for _, s := range []string{"tile/0/000", "tile/entries/x001/x234/067.p/7", "tile/0/x999/x999/x999/x999/x999/x999/999", "tile/63/001.p/255", "tile/0/../000"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, ok := ParseTile(s)
		if ok && (n.Path() != s || n.Width < 1 || n.Width > TileWidth || n.Level < EntriesLevel || n.Level > 63) {
			t.Errorf("%q is %v", s, n)
		}
	})
}

func FuzzBundle(f *testing.F) {
	f.Add([]byte{0, 1, 7, 0, 2, 8, 9}, 2)
	f.Add([]byte{0xff, 0xff, 1}, 1)
	f.Add([]byte{0, 0}, 1)
	f.Add([]byte{0, 1, 7, 0}, 1)
	f.Fuzz(func(t *testing.T, b []byte, width int) {
		if width < 1 || width > TileWidth {
			return
		}
		w := NewTiler(func(Tile, []byte) error { return nil })
		n := 0
		err := SplitBundle(b, width, func(i, off int, e []byte) error {
			if i != n || !bytes.Equal(b[off:off+len(e)], e) {
				t.Errorf("entry %d comes as %d", n, i)
			}
			n++
			if n < TileWidth {
				return w.Push(e)
			}
			return nil
		})
		if err == nil && (n != width || n < TileWidth && !bytes.Equal(w.bundle, b)) {
			t.Errorf("%d of %d entries; they make %x of %x", n, width, w.bundle, b)
		}
	})
}

// TestResume: a tiler that goes on from the tiles of another writes what that
// would have written.
func TestResume(t *testing.T) {
	entry := func(i int) []byte { return fmt.Appendf(nil, "entry %d", i) }
	for _, at := range []int{1, 2, 255, 256, 257, 700, 1024, 70_000} {
		files := map[string][]byte{}
		put := func(n Tile, data []byte) error { files[n.Path()] = bytes.Clone(data); return nil }
		one := NewTiler(put)
		for i := range at {
			must(t, one.Push(entry(i)))
		}
		must(t, one.Partial())
		tree := one.Tree
		other := map[string][]byte{}
		two := NewTiler(func(n Tile, data []byte) error { other[n.Path()] = bytes.Clone(data); return nil })
		var last [][]byte
		for i := (at - 1) / TileWidth * TileWidth; i < at; i++ {
			last = append(last, entry(i))
		}
		must(t, two.Resume(tree, reader(files), last))
		for i := at; i < at+600; i++ {
			must(t, one.Push(entry(i)))
			must(t, two.Push(entry(i)))
		}
		must(t, one.Partial())
		must(t, two.Partial())
		if one.Root(one.Hasher) != two.Root(two.Hasher) {
			t.Errorf("after %d entries the roots differ", at)
		}
		for name, b := range other {
			if !bytes.Equal(files[name], b) {
				t.Errorf("after %d entries %s differs", at, name)
			}
		}
	}
}

// reader reads the stored hashes of a tree from its tiles.
func reader(files map[string][]byte) tlog.HashReader {
	return tlog.HashReaderFunc(func(list []int64) (out []tlog.Hash, err error) {
		for _, x := range list {
			tile := tlog.TileForIndex(TileHeight, x)
			n := Tile{tile.L, uint64(tile.N), TileWidth}
			b := files[n.Path()]
			for w := TileWidth; b == nil && w > 0; w-- {
				n.Width = w
				b = files[n.Path()]
			}
			h, err := tlog.HashFromTile(tlog.Tile{H: TileHeight, L: n.Level, N: tile.N, W: n.Width}, b, x)
			if err != nil {
				return nil, err
			}
			out = append(out, h)
		}
		return out, nil
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
