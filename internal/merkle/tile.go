package merkle

import (
	"fmt"
	"strconv"
	"strings"
)

// Sizes of C2SP tlog-tiles.
const (
	TileHeight = 8
	TileWidth  = 1 << TileHeight
	HashSize   = 32

	EntriesLevel = -1 // the level of a Tile that names an entry bundle
	topLevel     = 7  // a tree of 2^63 records has no tile above
)

// Tile names a tile, or an entry bundle, of C2SP tlog-tiles.
type Tile struct {
	Level int // entriesLevel: an entry bundle
	N     uint64
	Width int // 1 to 256; less than 256: partial
}

// Path returns the name relative to the folder of an export, with slashes:
// tile/0/x001/234.p/17.
func (t Tile) Path() string {
	p := t.folder() + fmt.Sprintf("%03d", t.N%1000)
	if t.Width != TileWidth {
		p += ".p/" + strconv.Itoa(t.Width)
	}
	return p
}

// folder is what comes before the last three digits, ending in a slash.
func (t Tile) folder() string {
	s := ""
	for n := t.N / 1000; n > 0; n /= 1000 {
		s = fmt.Sprintf("x%03d/", n%1000) + s
	}
	if t.Level == EntriesLevel {
		return "tile/entries/" + s
	}
	return "tile/" + strconv.Itoa(t.Level) + "/" + s
}

// Partials is the folder of the partial tiles in t's place.
func (t Tile) Partials() string {
	t.Width = TileWidth
	return t.Path() + ".p"
}

// First is the index of the First record that t spans.
func (t Tile) First() uint64 {
	return t.N << (TileHeight * (max(t.Level, 0) + 1))
}

// ParseTile reads what Path wrote, and nothing else.
func ParseTile(s string) (t Tile, ok bool) {
	f := strings.Split(s, "/")
	// A number of 64 bits has at most seven groups of three digits.
	if len(f) < 3 || len(f) > 2+7+1 || f[0] != "tile" {
		return t, false
	}
	t.Width, t.Level = TileWidth, EntriesLevel
	if f[1] != "entries" {
		l, err := strconv.ParseUint(f[1], 10, 8)
		if err != nil || l > 63 {
			return t, false
		}
		t.Level = int(l)
	}
	last := len(f) - 1
	if n, partial := strings.CutSuffix(f[last-1], ".p"); partial && last > 2 {
		w, err := strconv.ParseUint(f[last], 10, 8)
		if err != nil || w == 0 {
			return t, false
		}
		t.Width = int(w)
		f[last-1] = n
		f = f[:last]
	}
	for _, d := range f[2:] {
		n, err := strconv.ParseUint(strings.TrimPrefix(d, "x"), 10, 16)
		if err != nil || n > 999 || t.N > (1<<63)/1000 {
			return t, false
		}
		t.N = t.N*1000 + n
	}
	return t, t.Path() == s
}

// PartialTiles are the tiles of a tree of that many records which are not full,
// its entry bundle first.
func PartialTiles(size uint64) (list []Tile) {
	if w := int(size % TileWidth); w > 0 {
		list = append(list, Tile{EntriesLevel, size / TileWidth, w})
	}
	for l := 0; size > 0; l++ {
		if w := int(size % TileWidth); w > 0 {
			list = append(list, Tile{l, size / TileWidth, w})
		}
		size /= TileWidth
	}
	return list
}
