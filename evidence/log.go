package evidence

import (
	"errors"
	"io/fs"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/signednote"
	"github.com/forgeone/forgeone/internal/sys"
)

// Names beside the segments. Both files hold nothing that matters after a
// reboot.
const (
	lockName    = "lock"    // a sys.Turnstile
	counterName = "counter" // a sys.Counter
)

// CounterLost is what Log.Counter answers when the counter's file is gone from
// under it: nobody can tell any more whether control records came in.
const CounterLost = sys.Lost

// Log is an open log. It is safe for concurrent use; several Logs, in one
// process or in many, may have the same folder open.
type Log struct {
	o       Options
	w       *walker
	turn    *sys.Turnstile // nil: reading, and there is no lock file
	counter *sys.Counter   // nil: reading, and there is no counter
	dir     fs.FileInfo
	signer  *signednote.Signer
	alloc   int64 // size of the segment file: up to here there are zeros to write on
	tx      transaction
	control uint64 // index of the last control record, plus 1
	live    *live  // nil: no tile folder
	kept    *kept  // the snapshot it was opened with; nil: none
	keeper  keeper
	opening Opening

	head  atomic.Pointer[head]
	stats struct{ batches, records, syncs, turns atomic.Uint64 }

	mu     sync.Mutex
	queue  []*waiter
	closed bool
	// abandoned: Close returned while the server was waiting for the lock.
	abandoned bool
	// waiting: the server waits for the lock, which may take any time.
	waiting bool
	failed  error // set once
	wake    chan struct{}
	done    chan struct{}
}

// head is what the accessors show: the last durable commit.
type head struct {
	size   uint64
	root   abi.Digest
	note   []byte
	origin string
	terms  []Term
	time   int64 // of the last record
}

// Open opens the log in o.Dir, checks it and folds it into o.Follower: every
// checksum, the tree up to each commit, the chain of seals, the chain of the
// terms' keys, and the signature of the head, which must be by the key of the
// current term, and that one's private half Key or known to NextKey. (Signatures
// of earlier commits are Verify's: the head's covers all records.)
//
// With a key, Open also mends what a crash left: bytes that were never
// committed move into a file torn-… and a Recovered record tells of them.
// Damage that no crash can make is refused as CodeTampered, and left as it is.
func Open(o Options) (*Log, error) {
	o, err := o.complete()
	if err == nil {
		err = o.snapshots()
	}
	if err != nil {
		return nil, err
	}
	l := &Log{o: o, w: newWalker(o.FS, o.Dir), wake: make(chan struct{}, 1), done: make(chan struct{})}
	if l.live, err = newLive(&o); err != nil {
		return nil, err
	}
	if err := l.start(); err != nil {
		return nil, errors.Join(publish(o.Dir, err), l.release())
	}
	go l.serve()
	if l.live != nil {
		go l.live.run()
	}
	return l, nil
}

func (l *Log) start() (err error) {
	if l.dir, err = l.o.FS.Stat(l.o.Dir); err == nil {
		_, err = l.o.FS.Stat(l.w.path(0))
	}
	if isMissing(err) {
		return missing(l.o.Dir, err)
	} else if err != nil {
		return err
	}
	lock, counter := filepath.Join(l.o.Dir, lockName), filepath.Join(l.o.Dir, counterName)
	if l.o.Key == nil {
		if l.turn, err = sys.OpenTurnstileRead(lock); isMissing(err) {
			l.turn, err = nil, nil // a copy: nobody writes to it
		}
	} else {
		l.w.open = l.o.FS.OpenWrite
		l.turn, err = sys.OpenTurnstile(lock)
		if err == nil {
			l.counter, err = sys.OpenCounter(counter)
		}
	}
	if err != nil {
		return err
	}
	if err := l.attach(); err != nil {
		return err
	}
	// Most of the work without the lock, the rest with it.
	if err := l.catchUp(false); err != nil {
		return err
	}
	if err := l.lock(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.unlock()) }()
	if err := l.catchUp(true); err != nil {
		return err
	}
	if k := l.w.c.terms.lacks(l.o.Keys); k != nil {
		return noTerm(l.o.Dir, k)
	}
	if l.o.Key != nil {
		if err := l.adopt(); err != nil {
			return err
		}
	}
	defer func() { l.opening.Folded = l.w.c.tree.N - l.opening.Snapshot }()
	return l.inspectTail(nil)
}

// lock enters the log: alone if it may be written, beside other readers if not.
func (l *Log) lock() error {
	switch {
	case l.turn == nil:
		return nil
	case l.o.Key == nil:
		return l.turn.RLock()
	}
	return l.turn.Lock()
}

func (l *Log) unlock() error {
	if l.turn == nil {
		return nil
	}
	return l.turn.Unlock()
}

// release closes what is open.
func (l *Log) release() error {
	err := l.w.close()
	if l.turn != nil {
		err = errors.Join(err, l.turn.Close())
	}
	// The counter stays mapped: a guest may be reading it at this moment.
	return err
}

// Size returns the number of durable records, as far as this Log has seen.
func (l *Log) Size() uint64 { return l.head.Load().size }

// Root returns the root of the tree over Size records (RFC 6962).
func (l *Log) Root() abi.Digest { return l.head.Load().root }

// Checkpoint returns the signed note over Size and Root: keep it elsewhere, and
// no shorter or other log can be shown later as this one.
func (l *Log) Checkpoint() []byte { return append([]byte(nil), l.head.Load().note...) }

// Terms returns the terms of the log's keys, the current one last.
func (l *Log) Terms() []Term { return copyTerms(l.head.Load().terms) }

// Time returns the time of the last record: no later one has an earlier time,
// wherever the clock is set.
func (l *Log) Time() time.Time { return time.Unix(0, l.head.Load().time) }

// Origin returns the log's name.
func (l *Log) Origin() string { return l.head.Load().origin }

// Counter returns a number that differs from its last value whenever control
// records (Options.Control) came into the log since, through any process, or
// are just coming: 2n+2 when the last one has index n, one less while it is
// being written, CounterLost if the counter's file is gone. Whoever sees it differ
// calls Refresh before relying on the follower's state; and treats Lost as a
// failure of the log. It makes no system call. A log open for reading has none
// and answers 0.
func (l *Log) Counter() uint64 {
	if l.counter == nil {
		return 0
	}
	return l.counter.Load()
}

// Guard runs f, in which this goroutine may call Peek: a counter that is cut off
// under its readers must not end the process.
func (l *Log) Guard(f func()) {
	if l.counter == nil {
		f()
		return
	}
	l.counter.Guard(f)
}

// Peek is Counter for whoever reads it at every turn of a loop, a few
// nanoseconds. It may be called within Guard only.
func (l *Log) Peek() uint64 {
	if l.counter == nil {
		return 0
	}
	return l.counter.Peek()
}

// Stats are counts since Open, of this Log alone.
type Stats struct {
	Records uint64 // appended, the log's own included
	Batches uint64 // commits written
	Syncs   uint64 // fdatasync calls
	Turns   uint64 // times the lock was taken
}

// Stats returns the counts.
func (l *Log) Stats() Stats {
	return Stats{
		Records: l.stats.records.Load(), Batches: l.stats.batches.Load(),
		Syncs: l.stats.syncs.Load(), Turns: l.stats.turns.Load(),
	}
}

// Close ends the log. Transactions that have not begun fail with CodeClosed;
// Close waits for those that have, and the follower is not called after it
// returned. It does not wait for a lock that another process has, but it brings
// Options.Tiles up to date and writes a snapshot that is due. It must not be
// called from within a transaction.
func (l *Log) Close() error {
	l.mu.Lock()
	first := !l.closed
	l.closed = true
	l.drain(l.closedError())
	waiting := l.waiting
	l.abandoned = l.abandoned || first && waiting
	l.mu.Unlock()
	if !first {
		return l.closedError()
	}
	l.signal()
	if !waiting {
		<-l.done
	}
	if l.live != nil {
		l.live.close()
	}
	return nil
}

func (l *Log) closedError() *abi.Error {
	return &abi.Error{Code: CodeClosed, What: "the evidence log is closed", Where: l.o.Dir}
}
