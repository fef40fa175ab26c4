package evidence

import "encoding/binary"

// tiler cuts a sequence of entries into the tiles and entry bundles of C2SP
// tlog-tiles. It holds one bundle and one tile of each level.
type tiler struct {
	h      *hasher
	n      uint64 // entries so far
	bundle []byte // of the entries behind the last full bundle
	levels [topLevel + 1][]byte
	// put takes what is finished: full tiles as they fill, a bundle before its
	// tile. The bytes are the tiler's.
	put func(t tileName, data []byte) error
}

func newTiler(put func(tileName, []byte) error) *tiler {
	return &tiler{h: newHasher(), put: put}
}

// push takes in the next entry, of at most 65,535 bytes.
func (t *tiler) push(entry []byte) error {
	t.bundle = binary.BigEndian.AppendUint16(t.bundle, uint16(len(entry)))
	t.bundle = append(t.bundle, entry...)
	leaf := t.h.leaf(entry)
	n := t.n
	t.n++
	if t.n%tileWidth == 0 {
		if err := t.put(tileName{entriesLevel, n / tileWidth, tileWidth}, t.bundle); err != nil {
			return err
		}
		t.bundle = t.bundle[:0]
	}
	for l := range t.levels {
		b := append(t.levels[l], leaf[:]...)
		if len(b) < tileWidth*hashSize {
			t.levels[l] = b
			return nil
		}
		if err := t.put(tileName{l, n / tileWidth, tileWidth}, b); err != nil {
			return err
		}
		t.levels[l] = b[:0]
		leaf = t.subtree(b)
		n /= tileWidth
	}
	return nil
}

// subtree returns the root over the hashes of a full tile.
func (t *tiler) subtree(b []byte) [hashSize]byte {
	var s tree
	for ; len(b) > 0; b = b[hashSize:] {
		s.push(t.h, [hashSize]byte(b))
	}
	return s.stack[tileHeight]
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
