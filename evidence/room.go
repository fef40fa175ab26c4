package evidence

import (
	"errors"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/codec"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/signednote"
	"github.com/forgeone/forgeone/internal/sys"
)

// fullError says that there is no room. Nothing was written, and the log goes
// on.
type fullError struct{ err error }

func (e *fullError) Error() string { return "no room for the evidence log: " + e.err.Error() }
func (e *fullError) Unwrap() error { return e.err }

func (e *fullError) public(dir string) *abi.Error {
	return &abi.Error{Code: CodeFull, What: "there is no room for the evidence log", Where: dir, Hint: "df -h " + abi.Shell(dir), Err: e.err}
}

// allocate makes sure that n bytes fit behind the last commit, and the reserve
// behind them. Last words may use the reserve.
func (l *Log) allocate(n int64, last bool) error {
	off := l.w.c.off
	if l.alloc >= off+n+l.o.reserve() {
		return nil
	}
	to := off + n + l.o.reserve() + l.o.chunk()
	to -= to % 4096
	at, err := sys.Preallocate(l.w.file, max(l.alloc, off), to)
	l.alloc = max(l.alloc, at)
	switch {
	case err == nil, last && l.alloc >= off+n:
		return nil
	case isFull(err):
		return &fullError{err}
	}
	return ioError("preallocate the evidence log", l.w.path(l.w.c.seg), err)
}

// rollIfFull begins a new segment when the largest transaction would not fit
// into this one any more.
func (l *Log) rollIfFull(last bool) error {
	need := int64(len(l.tx.buf)) + l.o.transaction() + commitSpace
	if l.w.c.off+need <= l.o.SegmentBytes {
		return nil
	}
	if err := l.flush(); err != nil {
		return err
	}
	err := l.roll()
	if isFull(err) && !errors.Is(err, errCut) {
		if last {
			return nil // the segment grows a little beyond its size, into the reserve
		}
		return &fullError{err}
	}
	return err
}

// errCut marks errors of rolling from the point on where the old segment was
// cut to its length.
var errCut = errors.New("while changing segments")

// roll seals the segment and begins the next one. The new one is complete,
// with its first commit, before it has its name; a crash at any moment leaves
// either the old segment as the last one or both.
func (l *Log) roll() error {
	old := &l.w.c
	head, rec := old.next(), abi.Record{Body: old.sealed()}
	c := *old // shares the hasher only
	c.sum, c.note = seal.NewSHA256(), nil
	c.seg, c.first, c.prev, c.off = head.Number, head.First, head.Prev, headerSize
	rec.Kind, rec.Time = abi.KindSegmentSealed, max(l.o.Now().UnixNano(), old.time)
	raw := head.encode()
	c.sum.Write(raw)
	b, err := c.opening(rec, l.signer)
	if err != nil {
		return err
	}
	path := l.w.path(head.Number)
	f, err := newSegment(l.o.FS, path, append(raw, b...), l.o.chunk())
	l.stats.syncs.Add(1)
	if err != nil {
		return err
	}
	if err := l.swap(f, path, c.off); err != nil {
		return errors.Join(errCut, err, f.Close())
	}
	_ = l.w.file.Close() // it is synced
	l.w.c, l.w.file = c, f
	l.w.sc.reset(f, c.off)
	l.stats.records.Add(1)
	l.stats.batches.Add(1)
	l.publishHead()
	l.begin()
	return l.tell(rec)
}

// tell gives the follower the log's own record r, which is the last one.
func (l *Log) tell(r abi.Record) error {
	if err := l.follow(l.w.c.tree.N-1, []abi.Record{r}); err != nil {
		return &abi.Error{Code: CodeRefused, What: "a record of the log itself does not follow from those before it", Where: l.o.Dir, Err: err}
	}
	return nil
}

// swap cuts the full segment to its length and gives the new one, at path+".tmp"
// and open as f, its name. end is where its first commit ends.
func (l *Log) swap(f sys.File, path string, end int64) error {
	if err := l.w.file.Truncate(l.w.c.off); err != nil {
		return ioError("cut the full segment", l.w.path(l.w.c.seg), err)
	}
	l.stats.syncs.Add(1)
	if err := l.w.file.Datasync(); err != nil {
		return ioError("make the full segment durable", l.w.path(l.w.c.seg), err)
	}
	if err := l.o.FS.Rename(path+tmpSuffix, path); err != nil {
		return ioError("name the new segment", path, err)
	}
	if err := l.o.FS.SyncDir(l.o.Dir); err != nil {
		return ioError("make the new segment durable", path, err)
	}
	i, err := f.Stat()
	if err != nil {
		return ioError("read the new segment", path, err)
	}
	l.alloc = max(i.Size(), end)
	return nil
}

// tmpSuffix ends the name of a segment that is being made.
const tmpSuffix = ".tmp"

// opening makes the batch of one record that begins a segment, and moves c past it.
func (c *chain) opening(r abi.Record, s *signednote.Signer) ([]byte, error) {
	e, err := codec.EncodeRecord(r)
	if err != nil {
		return nil, err
	}
	t := c.tree
	t.Push(c.h, c.h.Leaf(e))
	root := t.Root(c.h)
	note, err := s.Note(signednote.AppendText(nil, c.origin, t.N, root))
	if err != nil {
		return nil, err
	}
	raw := appendFrame(appendFrame(nil, frameRecord, e), frameCommit, note)
	terms := c.terms
	if err := terms.apply(r.Kind, e, c.tree.N, func() abi.Digest { return c.root }); err != nil {
		return nil, err
	}
	c.move(raw, t, root, r.Time, note)
	c.terms = terms
	return raw, nil
}

// newSegment makes path+".tmp" with b and zeros up to room bytes behind it,
// durable, and returns it open. On an error nothing is left.
func newSegment(fs sys.FS, path string, b []byte, room int64) (sys.File, error) {
	tmp := path + tmpSuffix
	if err := fs.Remove(tmp); err != nil && !isMissing(err) {
		return nil, ioError("remove an unfinished segment", tmp, err)
	}
	f, err := fs.Create(tmp)
	if err != nil {
		return nil, ioError("make a segment", tmp, err)
	}
	end := int64(len(b))
	if _, err = f.WriteAt(b, 0); err == nil {
		if _, err = sys.Preallocate(f, end, end+room); err == nil {
			err = f.Datasync()
		}
	}
	if err != nil {
		return nil, errors.Join(ioError("write a segment", tmp, err), f.Close(), fs.Remove(tmp))
	}
	return f, nil
}
