package evidence

import (
	"fmt"
	"strconv"
	"strings"
)

// Sizes of C2SP tlog-tiles.
const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
	hashSize   = 32

	entriesLevel = -1 // the level of a tileName that names an entry bundle
	topLevel     = 7  // a tree of 2^63 records has no tile above
)

// tileName names a tile, or an entry bundle, of C2SP tlog-tiles.
type tileName struct {
	level int // entriesLevel: an entry bundle
	n     uint64
	width int // 1 to 256; less than 256: partial
}

// path returns the name relative to the folder of an export, with slashes:
// tile/0/x001/234.p/17.
func (t tileName) path() string {
	p := t.folder() + fmt.Sprintf("%03d", t.n%1000)
	if t.width != tileWidth {
		p += ".p/" + strconv.Itoa(t.width)
	}
	return p
}

// folder is what comes before the last three digits, ending in a slash.
func (t tileName) folder() string {
	s := ""
	for n := t.n / 1000; n > 0; n /= 1000 {
		s = fmt.Sprintf("x%03d/", n%1000) + s
	}
	if t.level == entriesLevel {
		return "tile/entries/" + s
	}
	return "tile/" + strconv.Itoa(t.level) + "/" + s
}

// partials is the folder of the partial tiles in t's place.
func (t tileName) partials() string {
	t.width = tileWidth
	return t.path() + ".p"
}

// first is the index of the first record that t spans.
func (t tileName) first() uint64 {
	return t.n << (tileHeight * (max(t.level, 0) + 1))
}

// parseTileName reads what path wrote, and nothing else.
func parseTileName(s string) (t tileName, ok bool) {
	f := strings.Split(s, "/")
	// A number of 64 bits has at most seven groups of three digits.
	if len(f) < 3 || len(f) > 2+7+1 || f[0] != "tile" {
		return t, false
	}
	t.width, t.level = tileWidth, entriesLevel
	if f[1] != "entries" {
		l, err := strconv.ParseUint(f[1], 10, 8)
		if err != nil || l > 63 {
			return t, false
		}
		t.level = int(l)
	}
	last := len(f) - 1
	if n, partial := strings.CutSuffix(f[last-1], ".p"); partial && last > 2 {
		w, err := strconv.ParseUint(f[last], 10, 8)
		if err != nil || w == 0 {
			return t, false
		}
		t.width = int(w)
		f[last-1] = n
		f = f[:last]
	}
	for _, d := range f[2:] {
		n, err := strconv.ParseUint(strings.TrimPrefix(d, "x"), 10, 16)
		if err != nil || n > 999 || t.n > (1<<63)/1000 {
			return t, false
		}
		t.n = t.n*1000 + n
	}
	return t, t.path() == s
}

// IsTilePath tells whether s names a hash tile or an entry bundle as C2SP
// tlog-tiles writes it, without a prefix: tile/0/x001/234.p/17.
func IsTilePath(s string) bool {
	_, ok := parseTileName(s)
	return ok
}

// partialTiles are the tiles of a tree of that many records which are not full,
// its entry bundle first.
func partialTiles(size uint64) (list []tileName) {
	if w := int(size % tileWidth); w > 0 {
		list = append(list, tileName{entriesLevel, size / tileWidth, w})
	}
	for l := 0; size > 0; l++ {
		if w := int(size % tileWidth); w > 0 {
			list = append(list, tileName{l, size / tileWidth, w})
		}
		size /= tileWidth
	}
	return list
}
