package evidence

import (
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/merkle"
	"github.com/forgeone/forgeone/internal/signednote"
	"github.com/forgeone/forgeone/internal/sys"
)

// Names in an export beside tile/.
const (
	checkpointName = "checkpoint"
	vkeyName       = "vkey"
)

// maxVkeys bounds the file vkey, in bytes.
const maxVkeys = maxTerms*(signednote.MaxName+64) + 2<<10

// IsTilePath tells whether s names a hash tile or an entry bundle as C2SP
// tlog-tiles writes it, without a prefix: tile/0/x001/234.p/17.
func IsTilePath(s string) bool {
	_, ok := merkle.ParseTile(s)
	return ok
}

// tileFolder reads an export.
type tileFolder string

func (f tileFolder) path(name string) string {
	return filepath.Join(string(f), filepath.FromSlash(name))
}

// read reads one file of the export, of at most limit bytes.
func (f tileFolder) read(name string, limit int64) ([]byte, error) {
	b, err := sys.ReadRegular(f.path(name), limit)
	switch {
	case err == nil:
		return b, nil
	case isMissing(err):
		return nil, &abi.Error{Code: CodeExport, What: "a file of the export is missing", Where: f.path(name), Err: err}
	case errors.Is(err, sys.ErrNotRegular), errors.Is(err, sys.ErrTooLarge):
		return nil, &abi.Error{Code: CodeExport, What: "this can't be a file of an export", Where: f.path(name), Err: err}
	}
	return nil, ioError("read the export", f.path(name), err)
}

// tile reads a hash tile. Where a partial one is gone the full one may stand
// for it.
func (f tileFolder) tile(t merkle.Tile) ([]byte, error) {
	want := t.Width * merkle.HashSize
	b, err := f.read(t.Path(), int64(want))
	if isMissing(err) && t.Width < merkle.TileWidth {
		full := t
		full.Width = merkle.TileWidth
		if b, e := f.read(full.Path(), merkle.TileWidth*merkle.HashSize); e == nil && len(b) == merkle.TileWidth*merkle.HashSize {
			return b[:want], nil
		}
	}
	if err == nil && len(b) != want {
		err = &abi.Error{Code: CodeExport, What: fmt.Sprintf("a tile has %d bytes and not %d", len(b), want), Where: f.path(t.Path())}
	}
	return b, err
}

// bundle reads an entry bundle and returns its entries. A full one may stand
// for a partial one that is gone.
func (f tileFolder) bundle(t merkle.Tile) (entries [][]byte, err error) {
	b, err := f.read(t.Path(), merkle.MaxBundle)
	width := t.Width
	if isMissing(err) && width < merkle.TileWidth {
		full := t
		full.Width = merkle.TileWidth
		if fb, e := f.read(full.Path(), merkle.MaxBundle); e == nil {
			b, err, width = fb, nil, merkle.TileWidth
		}
	}
	if err != nil {
		return nil, err
	}
	err = merkle.SplitBundle(b, width, func(_, _ int, e []byte) error {
		entries = append(entries, e)
		return nil
	})
	if err != nil {
		return nil, &abi.Error{Code: CodeExport, What: err.Error(), Where: f.path(t.Path())}
	}
	return entries[:t.Width], nil
}

// entry returns the entry with that index of a tree of that size, not checked
// against the tiles.
func (f tileFolder) entry(index, size uint64) ([]byte, error) {
	t := merkle.Tile{Level: merkle.EntriesLevel, N: index / merkle.TileWidth, Width: merkle.TileWidth}
	if t.N == size/merkle.TileWidth {
		t.Width = int(size % merkle.TileWidth)
	}
	list, err := f.bundle(t)
	if err != nil {
		return nil, err
	}
	return list[index%merkle.TileWidth], nil
}

// Height implements tlog.TileReader.
func (f tileFolder) Height() int { return merkle.TileHeight }

// ReadTiles implements tlog.TileReader.
func (f tileFolder) ReadTiles(tiles []tlog.Tile) (data [][]byte, err error) {
	for _, t := range tiles {
		b, err := f.tile(merkle.Tile{Level: t.L, N: uint64(t.N), Width: t.W})
		if err != nil {
			return nil, err
		}
		data = append(data, b)
	}
	return data, nil
}

// SaveTiles implements tlog.TileReader.
func (f tileFolder) SaveTiles([]tlog.Tile, [][]byte) {}

// hashes reads hashes of the tree that c is over: what it returns is in that
// tree.
func (f tileFolder) hashes(c checkpoint) tlog.HashReader {
	return tlog.TileHashReader(tlog.Tree{N: int64(c.size), Hash: tlog.Hash(c.root)}, f)
}

// publish makes an error of reading tiles one that callers see.
func (f tileFolder) publish(err error) error {
	var e *abi.Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	return &abi.Error{Code: CodeTree, What: "the tiles are not those of the checkpoint", Where: string(f), Err: err}
}
