package evidence

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/codec"
	"github.com/forgeone/forgeone/internal/merkle"
	"github.com/forgeone/forgeone/internal/signednote"
	"github.com/forgeone/forgeone/internal/sys"
)

// maxBatchFuncs bounds how many transactions one turn serves, so that other
// processes get theirs.
const maxBatchFuncs = 4096

// commitSpace bounds the frame of a commit.
const commitSpace = frameHead + maxNote

// transaction is a batch in the making.
type transaction struct {
	buf     []byte // frames
	scratch []byte // frames of the function that just ran
	tree    merkle.Tree
	time    int64
	records int
	control uint64 // index of the last control record, plus 1; 0: none
	waiters []*waiter
	terms   *terms             // after a hand-over, which is the batch's only record; nil: as before
	signer  *signednote.Signer // and who signs then
}

// begin makes the transaction ready: it continues the chain.
func (l *Log) begin() {
	t := &l.tx
	t.buf, t.waiters = t.buf[:0], t.waiters[:0]
	t.tree, t.time, t.records, t.control = l.w.c.tree, l.w.c.time, 0, 0
	t.terms, t.signer = nil, nil
}

// run serves a batch. An error is of the log; those of single functions are
// given to their callers.
func (l *Log) run(batch []*waiter) error {
	l.begin()
	var stale error // why nothing can be appended
	if l.o.Key != nil {
		stale = l.adopt()
	}
	for _, w := range batch {
		if stale != nil && w.f != nil {
			finish(w, 0, stale)
			continue
		}
		if w.f == nil {
			w.first = l.tx.tree.N
			l.tx.waiters = append(l.tx.waiters, w)
			continue
		}
		if err := l.serveOne(w); err != nil {
			var full *fullError
			if !errors.As(err, &full) {
				return err
			}
			finish(w, 0, full.public(l.o.Dir))
		}
	}
	return l.flush()
}

// serveOne runs one function and adds what it returns to the batch.
func (l *Log) serveOne(w *waiter) error {
	if w.next != nil {
		return l.rotate(w)
	}
	// A segment is changed before the function runs, not after: the record of
	// the seal would stand between what it saw and what it appends.
	if err := l.rollIfFull(w.last); err != nil {
		return err
	}
	rs, err := call(w.f)
	if err == nil {
		err = l.encode(rs)
	}
	if err != nil {
		finish(w, 0, err)
		return nil
	}
	if len(l.tx.buf)+len(l.tx.scratch)+commitSpace > maxBatch {
		if err := l.flush(); err != nil {
			return err
		}
	}
	if err := l.allocate(int64(len(l.tx.buf)+len(l.tx.scratch)+commitSpace), w.last); err != nil {
		return err
	}
	w.first = l.tx.tree.N
	if err := l.follow(w.first, rs); err != nil {
		return l.refuse(w, err)
	}
	l.add(rs)
	l.tx.waiters = append(l.tx.waiters, w)
	return nil
}

// encode puts the frames of rs into the scratch buffer and fills in their kinds
// and times.
func (l *Log) encode(rs []abi.Record) error {
	t := &l.tx
	t.scratch = t.scratch[:0]
	last, now := t.time, int64(0)
	for i := range rs {
		r := &rs[i]
		if r.Kind == 0 {
			r.Kind = abi.KindOf(r.Body)
		}
		switch r.Kind {
		case abi.KindGenesis, abi.KindRecovered, abi.KindSegmentSealed, abi.KindLogKey:
			return &abi.Error{Code: CodeTooLarge, What: fmt.Sprintf("only the log itself writes records of kind %v", r.Kind)}
		}
		if r.Time == 0 {
			if now == 0 {
				now = l.o.Now().UnixNano()
			}
			r.Time = now
		}
		r.Time = max(r.Time, last)
		last = r.Time
		e, err := codec.EncodeRecord(*r)
		if err != nil {
			return &abi.Error{Code: CodeTooLarge, What: fmt.Sprintf("record %d of a transaction cannot be encoded", i), Err: err}
		}
		t.scratch = appendFrame(t.scratch, frameRecord, e)
	}
	if limit := l.o.transaction(); int64(len(t.scratch)) > limit {
		return &abi.Error{Code: CodeTooLarge, What: fmt.Sprintf("the records of a transaction take %d bytes, at most %d fit", len(t.scratch), limit)}
	}
	return nil
}

// add takes the records in the scratch buffer into the batch.
func (l *Log) add(rs []abi.Record) {
	t := &l.tx
	t.buf = append(t.buf, t.scratch...)
	for b := t.scratch; len(b) > 0; {
		n := frameHead + int(uint32(b[0])|uint32(b[1])<<8|uint32(b[2])<<16|uint32(b[3])<<24)
		t.tree.Push(l.w.c.h, l.w.c.h.Leaf(b[frameHead:n]))
		b = b[n:]
	}
	for i, r := range rs {
		if l.o.Control(r.Kind) {
			t.control = t.tree.N - uint64(len(rs)-i) + 1
		}
	}
	if n := len(rs); n > 0 {
		t.records += n
		t.time = rs[n-1].Time
	}
}

// follow gives records to the follower.
func (l *Log) follow(first uint64, rs []abi.Record) error {
	if l.o.Follower == nil {
		return nil
	}
	for i, r := range rs {
		if err := l.o.Follower.Follow(first+uint64(i), r); err != nil {
			return err
		}
	}
	return nil
}

// refuse answers w, whose records the follower refused. The follower may have
// taken some of them in, so it gets everything anew, but first what went
// before is made durable.
func (l *Log) refuse(w *waiter, cause error) error {
	if err := l.flush(); err != nil {
		return err
	}
	l.begin()
	if err := l.refold(); err != nil {
		return err
	}
	finish(w, 0, &abi.Error{Code: CodeRefused, What: "a record does not follow from those before it", Err: cause})
	return nil
}

// flush makes the batch durable, answers its functions, and begins another.
func (l *Log) flush() error {
	t := &l.tx
	if t.records > 0 {
		root := t.tree.Root(l.w.c.h)
		note, err := l.signer.Note(signednote.AppendText(nil, l.w.c.origin, t.tree.N, root))
		if err != nil {
			return err
		}
		t.buf = appendFrame(t.buf, frameCommit, note)
		if err := l.write(); err != nil {
			return err
		}
		l.w.c.move(t.buf, t.tree, root, t.time, note)
		if t.terms != nil {
			l.w.c.terms, l.signer = *t.terms, t.signer
		}
		l.w.sc.reset(l.w.file, l.w.c.off)
		l.stats.records.Add(uint64(t.records))
		l.stats.batches.Add(1)
		l.publishHead()
	}
	for _, w := range t.waiters {
		finish(w, w.first, nil)
	}
	l.begin()
	return nil
}

// write puts the batch into the segment and waits until it is there. The
// counter rises before, so that no call of a guest begins after the caller of
// a control transaction has its answer without seeing a change; and after,
// for those who looked in between.
func (l *Log) write() error {
	t := &l.tx
	if err := l.raise(t.control, 1); err != nil {
		return err
	}
	where := l.w.path(l.w.c.seg)
	if _, err := l.w.file.WriteAt(t.buf, l.w.c.off); err != nil {
		l.wipe()
		return ioError("write the evidence log", where, err)
	}
	l.stats.syncs.Add(1)
	if err := l.w.file.Datasync(); err != nil {
		l.wipe()
		return ioError("make the evidence log durable", where, err)
	}
	if t.control > 0 {
		l.control = t.control
	}
	return l.raise(t.control, 0)
}

// wipe puts zeros where a batch could not be written, as well as it can: after
// a failed sync other processes may find the batch in memory, whole, though it
// is not on the disk and its callers were told that it failed.
func (l *Log) wipe() {
	off := l.w.c.off
	if _, err := sys.Preallocate(l.w.file, off, off+int64(len(l.tx.buf))); err == nil {
		_ = l.w.file.Datasync() // the log stops either way, with the first error
	}
}

// raise lifts the counter for control records below n; early: they are not
// durable yet.
func (l *Log) raise(n uint64, early uint64) error {
	if n == 0 || l.counter == nil {
		return nil
	}
	if !l.counter.Raise(2*n - early) {
		return moved(filepath.Join(l.o.Dir, counterName), errors.New("the file was cut off"))
	}
	return nil
}

func (l *Log) publishHead() {
	c := &l.w.c
	l.head.Store(&head{size: c.tree.N, root: c.root, note: append([]byte(nil), c.note...), origin: c.origin, terms: c.terms.list, time: c.time})
	if l.live != nil {
		l.live.wake()
	}
}
