package evidence

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/forgeone/forgeone/abi"
)

// attach lets l begin where the state file was made, if there is one to use.
func (l *Log) attach() error {
	o := l.o.Snapshot
	if o == nil {
		return nil
	}
	k, err := readState(l.o.FS, o.Path, o.Key)
	if isMissing(err) {
		return nil
	}
	var c chain
	if err == nil {
		c, err = k.head.chain()
	}
	if err == nil && l.o.Origin != "" && l.o.Origin != c.origin {
		err = fmt.Errorf("%w: it is of the log %q", errState, c.origin)
	}
	if err != nil {
		l.opening.Unusable = o.unusable(err)
		return nil
	}
	k.pages.remake = func() ([][]byte, error) { return l.remake(k.head) }
	k.pages.spoiled = func(err error) {
		_ = o.warn(CodeState, "the state file changed while it was in use, and is rebuilt from the evidence log", err)
	}
	var away *awayError
	switch err := l.w.resume(c); {
	case errors.As(err, &away):
		return rolledBack(l.o.Dir, o.Path, k.head.Size, away.err)
	case err != nil:
		return err
	}
	if err := k.restore(l.o.Follower.(Snapshotter)); err != nil {
		err = errors.Join(err, l.w.close())
		l.w.c = newChain()
		l.opening.Unusable = o.unusable(err)
		return nil
	}
	l.kept, l.control = k, k.head.Control
	l.opening.Snapshot, l.keeper.last = k.head.Size, k.head.Size
	if l.o.Key != nil {
		return l.raise(l.control, 0)
	}
	return nil
}

// restore gives f the state of k.
func (k *kept) restore(f Snapshotter) error {
	size, err := f.Restore(k.head.Follower, k.pages)
	if err == nil && size != k.head.Size {
		f.Reset()
		err = fmt.Errorf("%w: its state is that of %d records, not of %d", errState, size, k.head.Size)
	}
	return err
}

// awayError says that a commit is not where it was.
type awayError struct{ err error }

func (e *awayError) Error() string { return e.err.Error() }

// resume moves w, which has not begun, behind a commit where c stands, if the log
// has that very commit at that place, signed by the key of its term, and all the
// segments before. Otherwise it returns an *awayError, and nothing has changed.
func (w *walker) resume(c chain) error {
	list, err := w.fs.ReadDir(w.dir)
	if err != nil {
		return err
	}
	before := uint64(0)
	for _, e := range list {
		if n, ok := parseSegmentName(e.Name()); ok && n < c.seg {
			before++
		}
	}
	if before != c.seg {
		return &awayError{fmt.Errorf("of the %d segments before %s there are %d", c.seg, segmentName(c.seg), before)}
	}
	f, err := w.open(w.path(c.seg))
	if isMissing(err) {
		return &awayError{err}
	} else if err != nil {
		return err
	}
	if err := c.stands(f); err != nil {
		return closing(f, err)
	}
	w.c, w.file = c, f
	w.again()
	return nil
}

// stands checks that the segment r is the chain's, as far as a look tells.
func (c *chain) stands(r io.ReaderAt) error {
	away := func(format string, args ...any) error {
		return &awayError{fmt.Errorf("%s: %w", segmentName(c.seg), fmt.Errorf(format, args...))}
	}
	b := make([]byte, headerSize)
	n, err := r.ReadAt(b, 0)
	if err != nil && err != io.EOF {
		return err
	}
	h, err := parseHeader(b[:n])
	if err != nil {
		return away("%w", err)
	}
	if h != (header{Number: c.seg, First: c.first, Prev: c.prev, Origin: c.origin}) {
		return away("it is another segment")
	}
	want := appendFrame(nil, frameCommit, c.note)
	got := make([]byte, len(want))
	if n, err = r.ReadAt(got, c.off-int64(len(want))); err != nil && err != io.EOF {
		return err
	}
	if !bytes.Equal(got[:n], want) {
		return away("there is another commit at byte %d, or none", c.off-int64(len(want)))
	}
	list := c.terms.list
	key := list[len(list)-1].Key
	if len(list) > 1 && list[len(list)-1].From == c.tree.N {
		key = list[len(list)-2].Key // a commit over a hand-over
	}
	if err := c.signed(c.note, key); err != nil {
		return away("its commit is not signed by the key of its term: %w", err)
	}
	return nil
}

// remake makes the pages of the snapshot at h again, out of the log. It uses
// nothing of l that changes: any goroutine may call it.
func (l *Log) remake(h *stateHead) (pages [][]byte, err error) {
	f := l.o.Follower.(Snapshotter).Fresh()
	w := newWalker(l.o.FS, l.o.Dir)
	defer func() { _ = w.close() }() // it was only read
	if err := w.feed(h.Size, f); err != nil {
		return nil, err
	}
	if w.c.tree.N != h.Size || w.c.root != h.Root {
		return nil, rolledBack(l.o.Dir, l.o.Snapshot.Path, h.Size, nil)
	}
	s, err := f.Snapshot()
	if err != nil {
		return nil, err
	}
	err = s.Write(func(b []byte) error {
		if len(b) > PageSize {
			return errPageSize
		}
		pages = append(pages, append(bytes.Clone(b), make([]byte, PageSize-len(b))...))
		return nil
	})
	return pages, err
}

var errPageSize = errors.New("a page is too long")

// feed gives f what comes, up to record end and to the commit behind it.
func (w *walker) feed(end uint64, f Follower) error {
	for w.c.tree.N < end {
		first := w.c.tree.N
		b, err := w.next()
		if err == io.EOF {
			return w.c.damage(CodeTree, w.c.off, w.c.tree.N, fmt.Sprintf("the log ends before record %d", end), nil)
		} else if err != nil {
			return err
		}
		if err := w.each(b, first, f.Follow); err != nil {
			return err
		}
	}
	return nil
}

// refold gives the follower everything that is durable anew. It is used after
// a failure, when the follower saw records that did not become durable. Who
// reads a Snapshotter meanwhile sees no half of a state: it is folded aside. If
// that fails the log is at its end, and the state that of before.
func (l *Log) refold() error {
	switch f := l.o.Follower.(type) {
	case nil:
		return nil
	case Snapshotter:
		fresh := f.Fresh()
		if err := l.foldInto(fresh); err != nil {
			return err
		}
		f.Become(fresh)
		return nil
	default:
		f.Reset()
		return l.foldInto(f)
	}
}

// foldInto gives f, which is empty, everything that is durable.
func (l *Log) foldInto(f Follower) error {
	w := newWalker(l.o.FS, l.o.Dir)
	defer func() { _ = w.close() }() // it was only read
	if l.kept != nil {
		c, err := l.kept.head.chain()
		if err == nil {
			err = w.resume(c)
		}
		if err == nil {
			err = l.kept.restore(f.(Snapshotter))
		}
		if err != nil {
			return err
		}
	}
	return w.feed(l.w.c.tree.N, f)
}

// snapshots checks that the options for snapshots can be met.
func (o *Options) snapshots() error {
	if o.Snapshot == nil {
		return nil
	}
	if _, ok := o.Follower.(Snapshotter); !ok || o.Snapshot.Path == "" {
		return &abi.Error{Code: CodeUsage, What: "snapshots need a file and a follower that can take them", Where: o.Dir}
	}
	return nil
}
