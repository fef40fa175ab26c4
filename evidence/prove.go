package evidence

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/merkle"
	"github.com/forgeone/forgeone/internal/signednote"
	"github.com/forgeone/forgeone/internal/sys"
)

// ProveOptions say against which tree a record is proven.
type ProveOptions struct {
	// At is the size of the tree; 0: as many records as the newest checkpoint
	// counts. The log must have a commit over that size.
	At uint64
	// Post and PostKey are as in ExportOptions.
	Post    []PostPublicKey
	PostKey PostKeys
	// Progress, if not nil, is called now and then with what was read of the log.
	Progress func(records, bytes uint64)
}

// VerifyInclusion checks that the RFC 6962 tree of that size and root has entry
// at index. Its error is CodeProof.
func VerifyInclusion(root abi.Digest, size, index uint64, entry []byte, proof []abi.Digest) error {
	if size > signednote.MaxTree || index >= size {
		return doesNotHold(fmt.Errorf("record %d of %d", index, size))
	}
	leaf := merkle.NewHasher().Leaf(entry)
	return doesNotHold(tlog.CheckRecord(toTlog(proof), int64(size), tlog.Hash(root), int64(index), leaf))
}

// VerifyConsistency checks that the RFC 6962 tree of size records with that root
// continues the one of old records. Its error is CodeProof.
func VerifyConsistency(old uint64, oldRoot abi.Digest, size uint64, root abi.Digest, proof []abi.Digest) error {
	if size > signednote.MaxTree || old == 0 || old > size {
		return doesNotHold(fmt.Errorf("from %d to %d records", old, size))
	}
	return doesNotHold(tlog.CheckTree(toTlog(proof), int64(size), tlog.Hash(root), int64(old), tlog.Hash(oldRoot)))
}

func doesNotHold(err error) error {
	if err == nil {
		return nil
	}
	return &abi.Error{Code: CodeProof, What: "the proof does not hold", Err: err}
}

func toTlog(hs []abi.Digest) []tlog.Hash {
	out := make([]tlog.Hash, len(hs))
	for i, h := range hs {
		out[i] = tlog.Hash(h)
	}
	return out
}

func fromTlog(hs []tlog.Hash) []abi.Digest {
	out := make([]abi.Digest, len(hs))
	for i, h := range hs {
		out[i] = abi.Digest(h)
	}
	return out
}

// ProveInclusion returns the hashes that show the record index in the tree of
// the first size records, from the tiles in dir, which reach that far. The tiles
// are checked against the checkpoint in dir, whose signature is not.
func ProveInclusion(dir string, size, index uint64) ([]abi.Digest, error) {
	f, c, err := openTiles(dir)
	if err != nil {
		return nil, err
	}
	return f.inclusion(c, size, index)
}

// ProveConsistency returns the hashes that show that the tree of the first size
// records continues that of the first old ones; dir as for ProveInclusion.
func ProveConsistency(dir string, old, size uint64) ([]abi.Digest, error) {
	f, c, err := openTiles(dir)
	if err != nil {
		return nil, err
	}
	if old == 0 || old > size || size > c.size {
		return nil, tooShort(dir, "the tiles in the folder reach to record %d: they can't show how %d continues %d", c.size, size, old)
	}
	p, err := tlog.ProveTree(int64(size), int64(old), f.hashes(c))
	return fromTlog(p), f.publish(err)
}

func tooShort(where, what string, args ...any) error {
	return &abi.Error{Code: CodeTooShort, What: fmt.Sprintf(what, args...), Where: where}
}

// openTiles reads the checkpoint of an export; nobody's signature is checked.
func openTiles(dir string) (tileFolder, checkpoint, error) {
	f := tileFolder(dir)
	b, err := f.read(checkpointName, MaxCheckpoint)
	if err != nil {
		return f, checkpoint{}, err
	}
	c, err := parsePublished(b)
	if err != nil || c.size > signednote.MaxTree {
		err = &abi.Error{Code: CodeExport, What: "the checkpoint of the export is malformed", Where: f.path(checkpointName), Err: err}
	}
	return f, c, err
}

func (f tileFolder) inclusion(c checkpoint, size, index uint64) ([]abi.Digest, error) {
	if size > c.size || index >= size {
		return nil, tooShort(string(f), "the tiles in the folder reach to record %d: they can't show record %d among %d", c.size, index, size)
	}
	p, err := tlog.ProveRecord(int64(size), int64(index), f.hashes(c))
	return fromTlog(p), f.publish(err)
}

// Prove makes a proof of the record index of the log, with the record in it. If
// tiles is not empty it is the folder of an export of the log, from which the
// proof is made: it is brought up to date, and little of the log is read. Else
// the whole log is. Either way the log is checked as by Verify, with keys. The
// checkpoint of the proof is signed by the key of its term, which keys need not
// contain.
func Prove(ctx context.Context, log, tiles string, index uint64, keys []PublicKey, o ProveOptions) (*Proof, Proven, error) {
	if tiles == "" {
		return proveFromLog(ctx, log, index, keys, o)
	}
	e, err := NewExporter(log, tiles, keys, ExportOptions{Progress: o.Progress, Post: o.Post, PostKey: o.PostKey})
	if err != nil {
		return nil, Proven{}, err
	}
	r, err := e.Update(ctx)
	if err != nil {
		return nil, Proven{}, err
	}
	terms := e.v.w.c.terms
	if err := e.Close(); err != nil {
		return nil, Proven{}, err
	}
	p := &Proof{Index: index, Checkpoint: []byte(r.Checkpoint)}
	if o.At != 0 && o.At != r.Records {
		if p.Checkpoint, err = commitOver(log, o.At); err == nil {
			p.Checkpoint, err = terms.publish(p.Checkpoint, o.PostKey)
		}
		if err != nil {
			return nil, Proven{}, err
		}
		r.Records = o.At
	}
	shown, err := p.fill(tiles, r.Records, []PublicKey{terms.signer(r.Records)}, VerifyOptions{})
	return p, shown, err
}

// ProveFromTiles makes a proof of the record index from an export alone, against
// its checkpoint, which one of keys must have signed; o is as for Proof.Verify.
func ProveFromTiles(tiles string, index uint64, keys []PublicKey, o VerifyOptions) (*Proof, Proven, error) {
	f, c, err := openTiles(tiles)
	if err != nil {
		return nil, Proven{}, err
	}
	p := &Proof{Index: index}
	if p.Checkpoint, err = f.read(checkpointName, MaxCheckpoint); err != nil {
		return nil, Proven{}, err
	}
	shown, err := p.fill(tiles, c.size, keys, o)
	return p, shown, err
}

// fill takes record and hashes from the tiles in dir, for a tree of size records,
// and makes sure that the proof holds.
func (p *Proof) fill(dir string, size uint64, keys []PublicKey, o VerifyOptions) (r Proven, err error) {
	f, c, err := openTiles(dir)
	if err != nil {
		return r, err
	}
	if p.Hashes, err = f.inclusion(c, size, p.Index); err != nil {
		return r, err
	}
	if p.Entry, err = f.entry(p.Index, c.size); err != nil {
		return r, err
	}
	return p.Verify(keys, o)
}

// commitOver returns the commit of the log over size records, which is not
// checked.
func commitOver(log string, size uint64) ([]byte, error) {
	w := newWalker(sys.OS{}, log)
	defer func() { _ = w.close() }() // it was only read
	found, err := w.seek(size)
	if err != nil {
		return nil, publish(log, err)
	}
	if !found {
		return nil, noCommit(log, size)
	}
	return w.c.note, nil
}

func noCommit(log string, size uint64) error {
	return &abi.Error{Code: CodeNoCommit, What: fmt.Sprintf("the log has no commit over %d records", size), Where: log, Hint: "forgeone log prove N"}
}

// proveFromLog reads the log once: it keeps the roots of those subtrees that the
// proof is made of.
func proveFromLog(ctx context.Context, log string, index uint64, keys []PublicKey, o ProveOptions) (*Proof, Proven, error) {
	if o.At == 0 {
		// The size decides which subtrees: the head's, as of now.
		size, err := newestCommit(log)
		if err != nil {
			return nil, Proven{}, err
		}
		o.At = size
	}
	if index >= o.At {
		return nil, Proven{}, tooShort(log, "there are %d records, so record %d can't be shown among them", o.At, index)
	}
	s, err := merkle.NewSubtrees(o.At, index)
	if err != nil {
		return nil, Proven{}, err
	}
	p := &Proof{Index: index}
	v := &verifier{ctx: ctx, o: VerifyOptions{Progress: o.Progress}, pins: keys, w: newWalker(sys.OS{}, log)}
	v.w.c.checked = true
	v.took = func(b *batch) error {
		for _, e := range b.entries {
			if s.Seen() == index {
				p.Entry = append([]byte(nil), e...)
			}
			s.Push(e)
		}
		if s.Seen() < o.At {
			return nil
		}
		if s.Seen() == o.At {
			p.Checkpoint = append([]byte(nil), v.w.c.note...)
		}
		return errStop
	}
	err = v.openLock()
	if err == nil {
		err = v.run()
	}
	if e := v.release(); err == nil || errors.Is(err, errStop) {
		err = e
	}
	if err != nil {
		return nil, Proven{}, publish(log, err)
	}
	if p.Checkpoint == nil {
		return nil, Proven{}, noCommit(log, o.At)
	}
	hs, err := tlog.ProveRecord(int64(o.At), int64(index), s)
	if err != nil {
		return nil, Proven{}, publish(log, err)
	}
	p.Hashes = fromTlog(hs)
	if k := v.w.c.terms.lacks(keys); k != nil {
		return nil, Proven{}, noTerm(log, k)
	}
	if err := v.w.c.terms.bound(o.Post, log); err != nil {
		return nil, Proven{}, err
	}
	if p.Checkpoint, err = v.w.c.terms.publish(p.Checkpoint, o.PostKey); err != nil {
		return nil, Proven{}, err
	}
	shown, err := p.Verify([]PublicKey{v.w.c.terms.signer(o.At)}, VerifyOptions{})
	return p, shown, err
}
