package merkle

import (
	"encoding/binary"

	"golang.org/x/mod/sumdb/tlog"
)

// Tiler cuts a sequence of entries into the tiles and entry bundles of C2SP
// tlog-tiles. It holds one bundle and one tile of each level.
type Tiler struct {
	Tree           // over the entries so far
	Hasher *Hasher // lent to who hashes between two calls
	bundle []byte  // of the entries behind the last full bundle
	levels [topLevel + 1][]byte
	// put takes what is finished: full tiles as they fill, a bundle before its
	// tile. The bytes are the tiler's.
	put func(t Tile, data []byte) error
}

// NewTiler returns a tiler of no entries. put is called while others of its
// methods run, and must not keep the bytes.
func NewTiler(put func(Tile, []byte) error) *Tiler {
	return &Tiler{Hasher: NewHasher(), put: put}
}

// Push takes in the next entry, of at most 65,535 bytes. The nodes that tiles
// hold come by on the way up the tree, every TileHeight levels.
func (t *Tiler) Push(entry []byte) error {
	t.entry(entry)
	node := t.Hasher.Leaf(entry)
	t.levels[0] = append(t.levels[0], node[:]...)
	height := 0
	for ; t.N>>height&1 == 1; height++ {
		node = t.Hasher.Node(&t.Stack[height], &node)
		if l := (height + 1) / TileHeight; (height+1)%TileHeight == 0 {
			t.levels[l] = append(t.levels[l], node[:]...)
		}
	}
	t.Stack[height] = node
	t.N++
	if t.N%TileWidth != 0 {
		return nil
	}
	return t.full()
}

// full puts what the last entry has filled.
func (t *Tiler) full() error {
	last := t.N - 1
	if err := t.put(Tile{EntriesLevel, last / TileWidth, TileWidth}, t.bundle); err != nil {
		return err
	}
	t.bundle = t.bundle[:0]
	for l, b := range t.levels {
		if len(b) < TileWidth*HashSize {
			break
		}
		last /= TileWidth
		if err := t.put(Tile{l, last, TileWidth}, b); err != nil {
			return err
		}
		t.levels[l] = b[:0]
	}
	return nil
}

// Partial puts the tiles that are not full, as of now.
func (t *Tiler) Partial() error {
	for _, p := range PartialTiles(t.N) {
		b := t.bundle
		if p.Level >= 0 {
			b = t.levels[p.Level]
		}
		if err := t.put(p, b); err != nil {
			return err
		}
	}
	return nil
}

// Resume puts t, which is new, where it was after the entries of tree. hashes
// reads that tree; last are the entries of its last bundle.
func (t *Tiler) Resume(tree Tree, hashes tlog.HashReader, last [][]byte) error {
	t.Tree = tree
	for _, p := range PartialTiles(tree.N) {
		if p.Level == EntriesLevel {
			for _, e := range last {
				t.entry(e)
			}
			continue
		}
		var want []int64
		for i := range p.Width {
			want = append(want, tlog.StoredHashIndex(p.Level*TileHeight, int64(p.N)*TileWidth+int64(i)))
		}
		got, err := hashes.ReadHashes(want)
		if err != nil {
			return err
		}
		for _, h := range got {
			t.levels[p.Level] = append(t.levels[p.Level], h[:]...)
		}
	}
	return nil
}

// entry adds an entry to the bundle.
func (t *Tiler) entry(e []byte) {
	t.bundle = append(binary.BigEndian.AppendUint16(t.bundle, uint16(len(e))), e...)
}
