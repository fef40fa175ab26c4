package evidence

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/merkle"
	"github.com/forgeone/forgeone/internal/sys"
)

// exportLock is a file in an export's folder: whoever writes there holds it.
const exportLock = ".lock"

// ExportOptions say what an export is to be.
type ExportOptions struct {
	// Checkpoint, if not nil, is published instead of the log's head: a signed
	// note over an earlier size, to which others may have put cosignatures. The
	// log must have a commit over that size, with that root.
	Checkpoint []byte
	// Post are pins: ML-DSA-44 keys, as in VerifyOptions.
	Post []PostPublicKey
	// PostKey signs checkpoints of a term that has an ML-DSA-44 key. Nil: such a
	// checkpoint is published only if it carries that signature.
	PostKey PostKeys
	// Progress, if not nil, is called now and then with what was read of the log.
	Progress func(records, bytes uint64)
	// FS is the file system, for tests that inject faults; nil is the real one.
	FS sys.FS
}

// ExportReport is what is in the folder after an export.
type ExportReport struct {
	Origin     string
	Records    uint64
	Root       abi.Digest
	Checkpoint string
	Before     uint64 // records that the folder had
	Files      uint64 // files written
	Torn       uint64 // bytes behind the log's last commit: they are not records
}

// Exporter keeps a folder up to date that shows a log to everybody as C2SP
// tlog-tiles (docs/FORMATS.md "Export"). It is for one goroutine at a time;
// several, in many processes, may write to one folder.
type Exporter struct {
	log, dir string
	keys     []PublicKey
	o        ExportOptions
	patience time.Duration // with whoever else writes to the folder; 0: as long as it takes

	v     *verifier // nil: begin anew
	t     *merkle.Tiler
	goal  checkpoint   // size 0: the log's head
	seen  checkpoint   // what the folder's checkpoint says; size 0: there is none
	note  []byte       // that checkpoint
	old   *merkle.Tree // the tree up to seen, where it can't be had from the tiles
	files newFiles
	full  []merkle.Tile // filled since the last checkpoint
	terms []uint64      // indexes of the records that say who signs
}

// Export brings the folder tiles up to date with the log and returns what it
// holds then. It reads the log as Verify does, with the same checks and keys; but
// it continues where the folder ends: what is below its checkpoint is read again
// only as far as it has to be known.
//
// Tiles are made durable before the checkpoint that needs them, which takes the
// place of the older one at once. A crash leaves the older checkpoint, and the
// next Export goes on. Whatever exists is compared: other bytes in a tile, or a
// checkpoint that the log does not lead to, are CodeForeign and CodeAhead, and
// nothing is overwritten.
//
// Bytes that a crash left behind the log's last commit do not keep the rest from
// being exported: ExportReport.Torn counts them.
func Export(ctx context.Context, log, tiles string, keys []PublicKey, o ExportOptions) (ExportReport, error) {
	e, err := NewExporter(log, tiles, keys, o)
	if err != nil {
		return ExportReport{}, err
	}
	r, err := e.Update(ctx)
	return r, errors.Join(err, e.Close())
}

// NewExporter returns an Exporter; nothing is read or written yet.
func NewExporter(log, tiles string, keys []PublicKey, o ExportOptions) (*Exporter, error) {
	e := &Exporter{log: log, dir: tiles, keys: keys, o: o}
	if e.o.FS == nil {
		e.o.FS = sys.OS{}
	}
	if len(keys) == 0 {
		return nil, &abi.Error{Code: CodeUsage, What: "a log is exported with the public key that verifies it, and none is given", Where: log}
	}
	if o.Checkpoint != nil {
		var err error
		if e.goal, err = parsePublished(o.Checkpoint); err != nil {
			return nil, &abi.Error{Code: CodeUsage, What: "the checkpoint to publish is malformed", Where: log, Err: err}
		}
	}
	e.files = newFiles{fs: e.o.FS, dir: tiles}
	return e, nil
}

// Close lets go of the log.
func (e *Exporter) Close() error {
	if e.v == nil {
		return nil
	}
	err := e.v.release()
	e.v = nil
	return err
}

// Update does what Export does, as often as it is called: it costs little when
// nothing is new.
func (e *Exporter) Update(ctx context.Context) (ExportReport, error) {
	if err := os.MkdirAll(e.dir, 0o700); err != nil {
		return ExportReport{}, ioError("make the folder of the export", e.dir, err)
	}
	lock, err := e.lockFolder(ctx)
	if err != nil {
		return ExportReport{}, err
	}
	r, err := e.update(ctx)
	if err != nil {
		// What is in memory may be ahead of what is in the folder.
		err = errors.Join(publish(e.log, err), e.Close())
	}
	return r, errors.Join(err, lock.Unlock())
}

// lockFolder takes the lock on the export's folder, as long as the context lasts.
func (e *Exporter) lockFolder(ctx context.Context) (*sys.FileLock, error) {
	dir := e.dir
	if e.patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, e.patience)
		defer cancel()
	}
	for wait := time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		l, ok, err := sys.TryLock(filepath.Join(dir, exportLock))
		if err != nil {
			return nil, ioError("lock the folder of the export", dir, err)
		}
		if ok {
			return l, nil
		}
		select {
		case <-ctx.Done():
			return nil, publish(dir, ctx.Err())
		case <-time.After(wait):
		}
	}
}

func (e *Exporter) update(ctx context.Context) (r ExportReport, err error) {
	b, err := sys.ReadRegular(filepath.Join(e.dir, checkpointName), MaxCheckpoint)
	if err != nil && !isMissing(err) {
		return r, ioError("read the checkpoint of the export", filepath.Join(e.dir, checkpointName), err)
	}
	if e.v == nil || !bytes.Equal(b, e.note) {
		if err := e.begin(ctx, b); err != nil {
			return r, err
		}
	}
	r.Before = e.seen.size
	if e.goal.size != 0 && e.goal.size < e.seen.size {
		return r, e.ahead(fmt.Sprintf("the folder has a checkpoint over %d records already, the one to publish is over %d", e.seen.size, e.goal.size))
	}
	torn, err := e.read(ctx)
	if err != nil {
		return r, err
	}
	if e.t.N < e.seen.size {
		return r, e.ahead(fmt.Sprintf("the folder has a checkpoint over %d records, and the log has %d", e.seen.size, e.t.N))
	}
	if err := e.publish(); err != nil {
		return r, err
	}
	r.Files, e.files.count = e.files.count, 0
	r.Origin, r.Records, r.Root, r.Checkpoint, r.Torn = e.seen.origin, e.seen.size, e.seen.root, string(e.note), torn
	return r, nil
}

func (e *Exporter) ahead(what string) error {
	return &abi.Error{Code: CodeAhead, What: what, Where: e.dir}
}

// begin makes the exporter ready: it continues after the checkpoint b that the
// folder has, or begins with the log's first record if there is none. It does so
// also where the log has no commit over that size (one that was not the last of
// its segment may be gone), and compares what it makes with what is there.
func (e *Exporter) begin(ctx context.Context, b []byte) error {
	if err := e.Close(); err != nil {
		return err
	}
	e.seen, e.note, e.old, e.full, e.terms = checkpoint{}, b, nil, nil, nil
	v := e.verifier(ctx)
	if err := v.openLock(); err != nil {
		return err
	}
	e.v, e.t = v, merkle.NewTiler(e.put)
	if b == nil {
		return nil
	}
	c, err := parsePublished(b)
	if err != nil {
		return e.forked(checkpointName, err)
	}
	e.seen = c
	ok, err := e.resume(c)
	if err != nil || ok {
		return err
	}
	err = v.w.close()
	v.w, e.t, e.old, e.terms = e.verifier(ctx).w, merkle.NewTiler(e.put), new(merkle.Tree), nil
	return err
}

// verifier reads the log from its beginning and checks everything.
func (e *Exporter) verifier(ctx context.Context) *verifier {
	v := &verifier{ctx: ctx, o: VerifyOptions{Progress: e.o.Progress}, pins: e.keys, w: newWalker(e.o.FS, e.log)}
	v.w.c.checked = true
	v.took = e.took
	return v
}

// read reads what is new in the log, up to the goal if there is one, and returns
// how many bytes follow its last commit.
func (e *Exporter) read(ctx context.Context) (torn uint64, err error) {
	e.v.ctx = ctx
	if e.goal.size != 0 && e.t.N >= e.goal.size {
		err = errStop
	} else {
		if e.v.w.file != nil {
			e.v.w.again() // what was read ahead may be older than what is there now
		}
		err = e.v.run()
	}
	var d *damage
	switch {
	case e.v.w.file == nil && isMissing(err):
		return 0, missing(e.log, err)
	case errors.As(err, &d) && d.code == CodeTorn:
		torn = e.v.report.Torn
	case err != nil && !errors.Is(err, errStop):
		return 0, err
	}
	if e.goal.size != 0 && (e.t.N != e.goal.size || e.v.w.c.tree.N != e.goal.size) {
		return 0, noCommit(e.log, e.goal.size)
	}
	return torn, nil
}

// took takes in a batch.
func (e *Exporter) took(b *batch) error {
	if at := e.v.w.c.origin; e.seen.size > 0 && at != e.seen.origin {
		return e.forked(checkpointName, fmt.Errorf("the log is of %s, and the checkpoint of %s", at, e.seen.origin))
	}
	for _, entry := range b.entries {
		if err := e.again(entry); err != nil {
			return err
		}
		if kind, _, _ := peek(entry); kind == abi.KindGenesis || kind == abi.KindLogKey {
			e.terms = append(e.terms, e.t.N)
		}
		if err := e.t.Push(entry); err != nil {
			return err
		}
	}
	if e.goal.size != 0 && e.t.N >= e.goal.size {
		return errStop
	}
	return nil
}

// again checks, where everything is read again, that the log leads to the
// checkpoint of the folder.
func (e *Exporter) again(entry []byte) error {
	if e.old == nil {
		return nil
	}
	e.old.Push(e.t.Hasher, e.t.Hasher.Leaf(entry))
	if e.old.N < e.seen.size {
		return nil
	}
	root := e.old.Root(e.t.Hasher)
	if e.old = nil; root != e.seen.root {
		return e.forked(checkpointName, fmt.Errorf("over %d records the log has another root", e.seen.size))
	}
	if _, err := openPublished(e.note, []PublicKey{e.v.w.c.terms.signer(e.seen.size)}); err != nil {
		return e.forked(checkpointName, err)
	}
	return nil
}

func (e *Exporter) forked(name string, err error) error {
	return &abi.Error{Code: CodeForeign, What: "the folder holds the export of another log", Where: tileFolder(e.dir).path(name), Err: err}
}

// put writes a tile or bundle, unless it is there.
func (e *Exporter) put(t merkle.Tile, data []byte) error {
	if t.Width == merkle.TileWidth {
		e.full = append(e.full, t)
	}
	err := e.files.put(t.Path(), data)
	if errors.Is(err, errOther) {
		return e.forked(t.Path(), err)
	}
	return err
}

// publish puts the checkpoint over what was read into the folder.
func (e *Exporter) publish() error {
	at := &e.v.w.c
	b, c := at.note, checkpoint{origin: at.origin, size: e.t.N, root: at.root}
	if k := at.terms.lacks(e.keys); k != nil {
		return noTerm(e.log, k)
	}
	if err := at.terms.bound(e.o.Post, e.log); err != nil {
		return err
	}
	if e.goal.size != 0 {
		b = e.o.Checkpoint
		if e.goal.origin != c.origin || e.goal.root != c.root {
			return &abi.Error{Code: CodeTree, What: fmt.Sprintf("the checkpoint to publish is of another log: over %d records this one has another root", c.size), Where: e.log}
		}
		if _, err := openPublished(b, []PublicKey{at.terms.signer(c.size)}); err != nil {
			return &abi.Error{Code: CodeSignature, What: "the checkpoint to publish is not signed by the log's key", Where: e.log, Err: err}
		}
	} else if c.size == e.seen.size {
		b = e.note // who cosigned the one that is there stays
	}
	b, err := at.terms.publish(b, e.o.PostKey)
	if err != nil {
		return err
	}
	if bytes.Equal(b, e.note) {
		return nil
	}
	if err := e.t.Partial(); err != nil {
		return err
	}
	if err := e.files.replace(vkeyName, at.terms.vkeys(c.size)); err != nil {
		return err
	}
	if err := e.files.replace(termsName, writeTerms(e.terms)); err != nil {
		return err
	}
	if err := e.files.sync(); err != nil {
		return err
	}
	if err := e.files.replace(checkpointName, b); err != nil {
		return err
	}
	if err := e.files.sync(); err != nil {
		return err
	}
	e.note, e.seen = bytes.Clone(b), c
	for _, t := range e.full {
		if err := os.RemoveAll(tileFolder(e.dir).path(t.Partials())); err != nil {
			return ioError("remove partial tiles", e.dir, err)
		}
	}
	e.full = e.full[:0]
	return nil
}
