package evidence

import (
	"fmt"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/codec"
	"github.com/forgeone/forgeone/internal/merkle"
)

// ReadTiles is Read for the export in dir: it calls each with every record from
// index from on, checked against the tiles and these against the checkpoint, whose
// signature it does not check. An error of each comes back as it is.
func ReadTiles(dir string, from uint64, each func(index uint64, r abi.Record) error) error {
	f, c, err := openTiles(dir)
	if err != nil {
		return err
	}
	h := merkle.NewHasher()
	for at := from - from%merkle.TileWidth; at < c.size; at += merkle.TileWidth {
		t := merkle.Tile{Level: merkle.EntriesLevel, N: at / merkle.TileWidth, Width: int(min(c.size-at, merkle.TileWidth))}
		entries, err := f.bundle(t)
		if err != nil {
			return err
		}
		if err := f.leaves(c, h, at, entries); err != nil {
			return f.publish(err)
		}
		for i, e := range entries {
			index := at + uint64(i)
			if index < from {
				continue
			}
			r, err := codec.DecodeRecord(e)
			if err != nil {
				return &abi.Error{Code: CodeRecord, What: "a record cannot be decoded", Where: fmt.Sprintf("%s, record %d", f.path(t.Path()), index), Err: err}
			}
			if err := each(index, r); err != nil {
				return err
			}
		}
	}
	return nil
}
