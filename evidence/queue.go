package evidence

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/forgeone/forgeone/abi"
)

// waiter is a call of Update or Refresh on its way. Its owner reads first and
// err after done.
type waiter struct {
	f     func() ([]abi.Record, error) // nil: a Refresh
	next  *PrivateKey                  // not nil: a Rotate to this key
	post  []byte                       // and to this one
	last  bool
	first uint64
	err   error
	taken bool // under Log.mu: from here on it can't be taken back
	done  chan struct{}
}

// Update runs f as a transaction and appends the records it returns, all or
// none. It returns when they are durable, with the index of the first one. If
// f returns no record, nothing is appended, and first is the log's size.
//
// While f runs, the follower's state is that of the whole log, other processes'
// records and those of earlier functions of the same batch included, and
// nobody else's comes between. f runs on another goroutine. It must not block
// and must not call Update or Refresh: everybody waits for it.
//
// The log sets Kind, and Time where it is 0; a Time before the record ahead is
// raised to that one's. Records must not be changed after f returned them.
//
// # Errors
//
// An error of f comes back as it is. CodePanic: f panicked. CodeTooLarge: the
// records can't be encoded or take more than a quarter of a segment or 1 MiB.
// CodeRefused: the follower's answer. CodeFull: no room. CodeGaveUp: ctx
// ended before f began (later the result is waited for). All these appended
// nothing and leave the log as it was. After CodeIO and CodeMoved the log
// stops: it is unknown whether the records will be found when it is opened
// again, and every later call returns CodeStopped.
func (l *Log) Update(ctx context.Context, f func() ([]abi.Record, error)) (first uint64, err error) {
	if f == nil {
		return 0, &abi.Error{Code: CodeUsage, What: "a transaction needs a function"}
	}
	return l.submit(ctx, &waiter{f: f})
}

// UpdateLast is Update for last words: it may use the room held back for them
// when Update answers CodeFull. At least 64 KiB are held back.
func (l *Log) UpdateLast(ctx context.Context, f func() ([]abi.Record, error)) (first uint64, err error) {
	if f == nil {
		return 0, &abi.Error{Code: CodeUsage, What: "a transaction needs a function"}
	}
	return l.submit(ctx, &waiter{f: f, last: true})
}

// Refresh catches up with what other processes appended. When it returns, the
// follower has seen every record that was durable when Refresh was called.
func (l *Log) Refresh(ctx context.Context) error {
	_, err := l.submit(ctx, &waiter{})
	return err
}

func (l *Log) submit(ctx context.Context, w *waiter) (uint64, error) {
	if w.f != nil && l.o.Key == nil {
		return 0, &abi.Error{Code: CodeClosed, What: "the evidence log is open for reading only", Where: l.o.Dir}
	}
	if err := ctx.Err(); err != nil {
		return 0, l.gaveUp(err)
	}
	w.done = make(chan struct{})
	l.mu.Lock()
	switch {
	case l.closed:
		l.mu.Unlock()
		return 0, l.closedError()
	case l.failed != nil:
		err := l.failed
		l.mu.Unlock()
		return 0, stopped(l.o.Dir, err)
	}
	l.queue = append(l.queue, w)
	l.mu.Unlock()
	l.signal()
	select {
	case <-w.done:
		return w.first, w.err
	case <-ctx.Done():
	}
	if l.takeBack(w) {
		return 0, l.gaveUp(ctx.Err())
	}
	<-w.done
	return w.first, w.err
}

// takeBack removes w from the queue if it has not been taken yet.
func (l *Log) takeBack(w *waiter) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w.taken {
		return false
	}
	for i, q := range l.queue {
		if q == w {
			l.queue = append(l.queue[:i], l.queue[i+1:]...)
			return true
		}
	}
	return false
}

func (l *Log) gaveUp(err error) *abi.Error {
	return &abi.Error{Code: CodeGaveUp, What: "gave up waiting for the evidence log", Where: l.o.Dir, Err: err}
}

func stopped(dir string, err error) *abi.Error {
	return &abi.Error{Code: CodeStopped, What: "the evidence log stopped after an earlier error", Where: dir, Err: err}
}

// signal tells the server that there is something to do.
func (l *Log) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// finish answers w.
func finish(w *waiter, first uint64, err error) {
	w.first, w.err = first, err
	close(w.done)
}

// drain answers everybody in the queue. l.mu is held.
func (l *Log) drain(err error) {
	for _, w := range l.queue {
		w.taken = true
		finish(w, 0, err)
	}
	l.queue = nil
}

// serve is the goroutine that makes batches: whoever came while the last one
// was written is the next one.
func (l *Log) serve() {
	defer close(l.done)
	defer func() { _ = l.release() }() // everything in it is synced or was refused
	for range l.wake {
		for {
			l.mu.Lock()
			closed, idle := l.closed, len(l.queue) == 0
			l.waiting = !closed && !idle
			l.mu.Unlock()
			if closed {
				l.keep(true)
				return
			}
			if idle {
				break
			}
			l.serveTurn()
			l.keep(false)
		}
	}
}

// serveTurn takes the lock once and serves who is waiting then.
func (l *Log) serveTurn() {
	var batch []*waiter
	err := errors.New("a transaction ended the goroutine it ran on")
	// In a defer, for a function that calls runtime.Goexit: then too the lock is
	// let go of and everybody gets an answer.
	defer func() {
		if err != nil {
			err = publish(l.o.Dir, err)
			l.fail(err)
			_ = l.refold() // the first error says more, and nothing is appended any more
		}
		err = errors.Join(err, l.unlock())
		l.mu.Lock()
		if err != nil && l.failed == nil {
			l.failed = err
		}
		if l.failed != nil {
			l.drain(stopped(l.o.Dir, l.failed))
		}
		l.waiting = false
		l.mu.Unlock()
		for _, w := range batch {
			select {
			case <-w.done:
			default:
				finish(w, w.first, err)
			}
		}
	}()
	if err = l.lock(); err != nil {
		return
	}
	l.stats.turns.Add(1)
	if batch = l.take(); len(batch) == 0 {
		err = nil // closed meanwhile, or everybody gave up
		return
	}
	if err = l.check(); err != nil {
		return
	}
	if err = l.catchUp(true); err != nil {
		return
	}
	err = errors.New("a transaction ended the goroutine it ran on")
	err = l.run(batch)
}

// take takes the queue, from when on its members wait to the end.
func (l *Log) take() []*waiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	batch := l.queue
	if len(batch) > maxBatchFuncs {
		batch = batch[:maxBatchFuncs]
	}
	l.queue = append([]*waiter(nil), l.queue[len(batch):]...)
	for _, w := range batch {
		w.taken = true
	}
	l.waiting = false
	return batch
}

// fail stops the log for good.
func (l *Log) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed == nil {
		l.failed = err
	}
}

// call runs a transaction's function.
func call(f func() ([]abi.Record, error)) (rs []abi.Record, err error) {
	defer func() {
		if r := recover(); r != nil {
			rs, err = nil, &abi.Error{Code: CodePanic, What: "a transaction on the evidence log panicked", Err: fmt.Errorf("%v\n%s", r, debug.Stack())}
		}
	}()
	return f()
}
