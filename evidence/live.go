package evidence

import (
	"context"
	"sync"
	"time"
)

// Pauses of a tile folder that is kept up to date: from one checkpoint to the
// next, and at most after errors.
const (
	livePause   = time.Second
	longestRest = time.Minute
	// How long a writer of the folder that does not end, of another process, is
	// waited for at a time: Close must come to an end.
	livePatience = time.Second
)

// live keeps a tile folder up to date while a Log is open: on a goroutine of its
// own, from the log's files, so that who appends never waits for it.
type live struct {
	e    *Exporter
	woke chan struct{}
	stop chan struct{} // closed: one last time
	done chan struct{}

	mu      sync.Mutex
	records uint64
	err     error
}

// newLive returns the live for o, nil if it has no tile folder.
func newLive(o *Options) (*live, error) {
	if o.Tiles == "" {
		return nil, nil
	}
	keys := o.Keys
	if o.Key != nil {
		keys = append([]PublicKey{o.Key.Public()}, keys...)
	}
	e, err := NewExporter(o.Dir, o.Tiles, keys, ExportOptions{PostKey: o.PostKey})
	if err != nil {
		return nil, err
	}
	e.patience = livePatience
	return &live{e: e, woke: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}, nil
}

// wake says that the log has grown. It never waits.
func (v *live) wake() {
	select {
	case v.woke <- struct{}{}:
	default:
	}
}

// run is the goroutine.
func (v *live) run() {
	defer close(v.done)
	rest := livePause
	for {
		select {
		case <-v.woke:
		case <-v.stop:
			v.update()
			v.end(v.e.Close())
			return
		}
		if v.update() {
			rest = livePause
		} else {
			rest = min(2*rest, longestRest)
			v.wake() // it is tried again, whether or not somebody appends
		}
		select {
		case <-time.After(rest):
		case <-v.stop:
		}
	}
}

func (v *live) update() bool {
	r, err := v.e.Update(context.Background())
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.err = err; err == nil {
		v.records = r.Records
	}
	return err == nil
}

func (v *live) end(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.err == nil {
		v.err = err
	}
}

// close makes the folder hold what is durable, and ends the goroutine.
func (v *live) close() {
	close(v.stop)
	<-v.done
}

// Tiles returns how many records the checkpoint in Options.Tiles counted when it
// was written last, and the error if the last attempt failed: it is tried again.
// After Close the folder holds every durable record, unless there is an error.
func (l *Log) Tiles() (records uint64, err error) {
	if l.live == nil {
		return 0, nil
	}
	l.live.mu.Lock()
	defer l.live.mu.Unlock()
	return l.live.records, l.live.err
}
