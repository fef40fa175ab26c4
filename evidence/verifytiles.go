package evidence

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/codec"
	"github.com/forgeone/forgeone/internal/merkle"
	"github.com/forgeone/forgeone/internal/signednote"
	"github.com/forgeone/forgeone/internal/sys"
)

// VerifyTiles checks the export in dir with the given keys and nothing else; the
// keys are pins, as for Verify. It reads every file that the checkpoint needs
// once, in little memory, and checks every entry bundle to the byte; that every
// hash of every tile is the one that the entries give, and the root the one that
// the checkpoint signs; the chain of log keys, and that the one of the last term
// signed the checkpoint, with its ML-DSA-44 key too if the newest term has one; that the file vkey names these keys; and of every record
// its version, its kind, that times do not go back, and the places of those that
// the log writes itself. Files that the checkpoint does not need are not looked
// at: they may be of a newer one.
//
// Each and Progress are as for Verify.
//
// # Errors
//
// CodeExport: a file is missing, has a wrong length, or is malformed. CodeTree:
// entries, tiles and checkpoint do not agree. CodeSignature, CodeRecord,
// CodeTerm, CodePin, CodeOrigin, CodeIO, CodeUsage: as for Verify. CodePost: the
// ML-DSA-44 signature is missing or wrong. Each names
// file and entry.
func VerifyTiles(ctx context.Context, dir string, keys []PublicKey, o VerifyOptions) (Report, error) {
	if len(keys)+len(o.Post) == 0 {
		return Report{}, &abi.Error{Code: CodeUsage, What: "an export is verified with a public key, and none is given", Where: dir}
	}
	v := &tilesVerifier{ctx: ctx, f: tileFolder(dir), o: o}
	v.t = merkle.NewTiler(v.compare)
	err := v.run(keys)
	if v.o.Progress != nil {
		v.o.Progress(v.report.Records, v.report.Bytes)
	}
	if err == nil || v.own != nil {
		return v.report, v.own
	}
	return v.report, publish(dir, err)
}

type tilesVerifier struct {
	ctx    context.Context
	f      tileFolder
	o      VerifyOptions
	t      *merkle.Tiler
	rules  rules
	heads  headCheck
	report Report
	told   uint64
	own    error // what Each answered
}

func (v *tilesVerifier) bad(code abi.Code, name, what string, args ...any) error {
	return &abi.Error{Code: code, What: fmt.Sprintf(what, args...), Where: v.f.path(name)}
}

func (v *tilesVerifier) run(keys []PublicKey) error {
	b, err := v.f.read(checkpointName, MaxCheckpoint)
	if err != nil {
		return err
	}
	c, err := parsePublished(b)
	switch {
	case err != nil:
		return v.bad(CodeExport, checkpointName, "the checkpoint is malformed")
	case v.o.Origin != "" && c.origin != v.o.Origin:
		return v.bad(CodeOrigin, checkpointName, "the log is of %s, not of %s", c.origin, v.o.Origin)
	}
	v.rules = rules{origin: c.origin, root: func() abi.Digest { return v.t.Root(v.t.Hasher) }}
	v.report = Report{Origin: c.origin, Root: c.root, Checkpoint: string(b), Commits: 1, Bytes: uint64(len(b))}
	v.report.Witnessed.State = Unwitnessed
	if err := v.heads.begin(string(v.f), &v.o); err != nil {
		return err
	}
	if v.heads.cosigned == nil { // the cosignatures are on the checkpoint itself
		if v.heads.cosigned, err = signednote.Parse(b); err != nil {
			return err
		}
	}
	for v.t.N < c.size {
		if err := v.ctx.Err(); err != nil {
			return err
		}
		if err := v.bundle(c.size); err != nil {
			return err
		}
	}
	if err := v.t.Partial(); err != nil {
		return err
	}
	if v.t.Root(v.t.Hasher) != c.root {
		return v.bad(CodeTree, checkpointName, "the %d records are not those of the checkpoint: the tree has another root", c.size)
	}
	if err := v.keys(b, c, keys); err != nil {
		return err
	}
	v.report.Witnessed, err = v.heads.end(string(v.f), &v.o, c.origin, c.size)
	var e *abi.Error
	if errors.As(err, &e) && e.Code == CodeQuorum {
		e.Hint = "forgeone log export --witnessed --tiles " + string(v.f)
	}
	return err
}

// keys checks who signed, and the file that tells others which keys to use: it
// proves nothing, but a wrong one would mislead them.
func (v *tilesVerifier) keys(n []byte, c checkpoint, pins []PublicKey) error {
	t := &v.rules.terms
	v.report.Terms = copyTerms(t.list)
	if _, err := openPublished(n, []PublicKey{t.signer(c.size)}); err != nil {
		return &abi.Error{Code: CodeSignature, What: "the checkpoint is not signed by the key of its term", Where: v.f.path(checkpointName), Err: err}
	}
	if k := t.lacks(pins); k != nil {
		return noTerm(string(v.f), k)
	}
	if err := t.bound(v.o.Post, string(v.f)); err != nil {
		return err
	}
	if post := t.post(c.size); post != nil {
		if err := checkPost(n, c, post); err != nil {
			return noPost(v.f.path(checkpointName), post, err)
		}
	}
	b, err := v.f.read(vkeyName, maxVkeys)
	if err != nil {
		return err
	}
	v.report.Bytes += uint64(len(b))
	if want := t.vkeys(c.size); !bytes.Equal(b, want) {
		return v.bad(CodeExport, vkeyName, "the file does not name the log's keys, the first of which is %s", VerifierKey(c.origin, t.signer(c.size)))
	}
	return nil
}

// bundle checks the next bundle.
func (v *tilesVerifier) bundle(size uint64) error {
	first := v.t.N
	t := merkle.Tile{Level: merkle.EntriesLevel, N: first / merkle.TileWidth, Width: int(min(size-first, merkle.TileWidth))}
	b, err := v.f.read(t.Path(), merkle.MaxBundle)
	if err != nil {
		return err
	}
	v.report.Bytes += uint64(len(b))
	return v.told16(merkle.SplitBundle(b, t.Width, func(i, off int, entry []byte) error {
		return v.entry(t, off, entry)
	}), t)
}

// told16 reports progress, and where a bundle is malformed.
func (v *tilesVerifier) told16(err error, t merkle.Tile) error {
	if errors.Is(err, merkle.ErrBundle) {
		return v.bad(CodeExport, t.Path(), "%v (record %d)", err, v.t.N)
	}
	v.report.Records = v.t.N
	if err == nil && v.o.Progress != nil && v.report.Bytes-v.told >= 16<<20 {
		v.told = v.report.Bytes
		v.o.Progress(v.report.Records, v.report.Bytes)
	}
	return err
}

// entry checks the next entry, which stands at off in the bundle t.
func (v *tilesVerifier) entry(t merkle.Tile, off int, entry []byte) error {
	index := v.t.N
	if err := v.rules.check(index, entry); err != nil {
		return &abi.Error{Code: CodeRecord, What: err.Error(), Where: fmt.Sprintf("%s at byte %d, record %d", v.f.path(t.Path()), off, index)}
	}
	if v.o.Each != nil {
		r, err := codec.DecodeRecord(entry)
		if err != nil {
			return &abi.Error{Code: CodeRecord, What: "a record cannot be decoded", Where: fmt.Sprintf("%s at byte %d, record %d", v.f.path(t.Path()), off, index), Err: err}
		}
		if v.own = v.o.Each(index, r); v.own != nil {
			return v.own
		}
	}
	if err := v.t.Push(entry); err != nil {
		return err
	}
	if !v.heads.at(&v.t.Tree, v.t.Hasher) {
		return v.bad(CodeForked, t.Path(), "the checkpoint over %d records that was given is of other records", v.t.N)
	}
	if kind, _, _ := peek(entry); kind == abi.KindWitnesses {
		r, err := codec.DecodeRecord(entry)
		if err != nil {
			return err
		}
		v.heads.set = *r.Body.(*abi.WitnessSet)
	}
	return nil
}

// compare holds a tile of the export against what the entries give.
func (v *tilesVerifier) compare(t merkle.Tile, data []byte) error {
	if t.Level == merkle.EntriesLevel {
		return nil // they are where data is from
	}
	b, err := v.f.read(t.Path(), int64(t.Width*merkle.HashSize))
	if err != nil {
		return err
	}
	v.report.Bytes += uint64(len(b))
	if len(b) != len(data) {
		return v.bad(CodeExport, t.Path(), "the tile has %d bytes and not %d", len(b), len(data))
	}
	for i := 0; i < len(b); i += merkle.HashSize {
		if bytes.Equal(b[i:i+merkle.HashSize], data[i:i+merkle.HashSize]) {
			continue
		}
		first := t.First() + uint64(i/merkle.HashSize)<<(merkle.TileHeight*t.Level)
		if t.Level == 0 {
			return v.bad(CodeTree, t.Path(), "hash %d of the tile is not that of record %d in its entry bundle: one of the two was changed", i/merkle.HashSize, first)
		}
		return v.bad(CodeTree, t.Path(), "hash %d of the tile is not that of the %d records from %d on", i/merkle.HashSize, uint64(1)<<(merkle.TileHeight*t.Level), first)
	}
	return nil
}

// rules are what the records of a log obey, as far as an export shows it.
type rules struct {
	origin string
	root   func() abi.Digest // of the tree over the records so far
	time   int64
	seals  uint64 // segments sealed so far
	terms  terms
}

// check checks the record at index, after those before it.
func (r *rules) check(index uint64, entry []byte) error {
	kind, when, ok := peek(entry)
	switch {
	case !ok:
		return errors.New("a record is malformed")
	case abi.NewBody(kind) == nil:
		return fmt.Errorf("a record is of an unknown kind: %v", kind)
	case index > 0 && when < r.time:
		return errors.New("a record is dated before the one ahead of it")
	case index == 0 && kind != abi.KindGenesis:
		return fmt.Errorf("the log begins with %v", kind)
	}
	r.time = when
	if err := r.terms.apply(kind, entry, index, r.root); err != nil {
		return err
	}
	if index == 0 && r.terms.origin != r.origin {
		return fmt.Errorf("the log began as %q, and its checkpoint says %q", r.terms.origin, r.origin)
	}
	if kind == abi.KindSegmentSealed {
		return r.sealed(index, entry)
	}
	return nil
}

// sealed checks the record of a seal. Whether the seal is right only the segment
// shows.
func (r *rules) sealed(index uint64, entry []byte) error {
	d, err := codec.DecodeRecord(entry)
	if err != nil {
		return err
	}
	if b := d.Body.(*abi.SegmentSealed); b.Segment != r.seals || b.Size != index {
		return fmt.Errorf("a record seals segment %d at %d records, where segment %d ends at %d", b.Segment, b.Size, r.seals, index)
	}
	r.seals++
	return nil
}

// Place is what a path holds of a log.
type Place int

// Places.
const (
	PlaceLog   Place = iota // the folder of a log, in use or a copy
	PlaceTiles              // an export
	PlaceProof              // the file of a proof
)

// Look tells what path holds, by its names and first bytes alone. A folder that
// is both a log and an export is refused: one would pass for the other.
func Look(path string) (Place, error) {
	i, err := sys.OS{}.Stat(path)
	if isMissing(err) {
		return 0, missing(path, err)
	} else if err != nil {
		return 0, ioError("look at", path, err)
	}
	if !i.IsDir() {
		b, err := sys.ReadRegular(path, maxProof)
		if err != nil {
			return 0, ioError("read", path, err)
		}
		if !IsProof(b) {
			return 0, &abi.Error{Code: CodeNoProof, What: "this file is neither a proof nor a folder of a log", Where: path}
		}
		return PlaceProof, nil
	}
	has := func(name string) bool {
		_, err := sys.OS{}.Stat(tileFolder(path).path(name))
		return err == nil
	}
	log, tiles := has(segmentName(0)), has(checkpointName) || has("tile")
	switch {
	case log && tiles:
		return 0, &abi.Error{Code: CodeExport, What: "the folder holds the segments of a log and the tiles of an export: one of them is a stranger", Where: path}
	case tiles:
		return PlaceTiles, nil
	}
	return PlaceLog, nil
}
