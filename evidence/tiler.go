package evidence

import "encoding/binary"

// tiler cuts a sequence of entries into the tiles and entry bundles of C2SP
// tlog-tiles. It holds one bundle and one tile of each level.
type tiler struct {
	tree   // over the entries so far
	h      *hasher
	bundle []byte // of the entries behind the last full bundle
	levels [topLevel + 1][]byte
	// put takes what is finished: full tiles as they fill, a bundle before its
	// tile. The bytes are the tiler's.
	put func(t tileName, data []byte) error
}

func newTiler(put func(tileName, []byte) error) *tiler {
	return &tiler{h: newHasher(), put: put}
}

// push takes in the next entry, of at most 65,535 bytes. The nodes that tiles
// hold come by on the way up the tree, every tileHeight levels.
func (t *tiler) push(entry []byte) error {
	t.bundle = binary.BigEndian.AppendUint16(t.bundle, uint16(len(entry)))
	t.bundle = append(t.bundle, entry...)
	node := t.h.leaf(entry)
	t.levels[0] = append(t.levels[0], node[:]...)
	height := 0
	for ; t.n>>height&1 == 1; height++ {
		node = t.h.node(&t.stack[height], &node)
		if l := (height + 1) / tileHeight; (height+1)%tileHeight == 0 {
			t.levels[l] = append(t.levels[l], node[:]...)
		}
	}
	t.stack[height] = node
	t.n++
	if t.n%tileWidth != 0 {
		return nil
	}
	return t.full()
}

// full puts what the last entry has filled.
func (t *tiler) full() error {
	last := t.n - 1
	if err := t.put(tileName{entriesLevel, last / tileWidth, tileWidth}, t.bundle); err != nil {
		return err
	}
	t.bundle = t.bundle[:0]
	for l, b := range t.levels {
		if len(b) < tileWidth*hashSize {
			break
		}
		last /= tileWidth
		if err := t.put(tileName{l, last, tileWidth}, b); err != nil {
			return err
		}
		t.levels[l] = b[:0]
	}
	return nil
}

// partial puts the tiles that are not full, as of now.
func (t *tiler) partial() error {
	for _, p := range partialTiles(t.n) {
		b := t.bundle
		if p.level >= 0 {
			b = t.levels[p.level]
		}
		if err := t.put(p, b); err != nil {
			return err
		}
	}
	return nil
}
