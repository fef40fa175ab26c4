package kernel

import (
	"sync"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/internal/brain"
)

// ledger is the brain behind a lock. The log's transaction writes it, one
// record at a time; everything else reads it through view. The lock is a leaf:
// nothing is locked while it is held.
type ledger struct {
	mu sync.RWMutex
	st *brain.State
}

func newLedger() *ledger { return &ledger{st: brain.New()} }

// Follow implements evidence.Follower.
func (l *ledger) Follow(index uint64, r abi.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.st.Follow(index, r)
}

// Reset implements evidence.Follower.
func (l *ledger) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.st.Reset()
}

// Snapshot implements evidence.Snapshotter.
func (l *ledger) Snapshot() (*evidence.Snapshot, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	s, err := l.st.Snapshot()
	if err != nil {
		return nil, err
	}
	return &evidence.Snapshot{Size: l.st.Size(), Head: s.Head(), Pages: s.Pages(), Write: s.Write}, nil
}

// Restore implements evidence.Snapshotter.
func (l *ledger) Restore(head []byte, pages evidence.Pages) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.st.Restore(head, pages); err != nil {
		return 0, err
	}
	return l.st.Size(), nil
}

// Fresh implements evidence.Snapshotter.
func (l *ledger) Fresh() evidence.Snapshotter { return newLedger() }

// Become implements evidence.Snapshotter.
func (l *ledger) Become(fresh evidence.Snapshotter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.st = fresh.(*ledger).st
}

// view calls f with the state, which f must not keep.
func (l *ledger) view(f func(*brain.State)) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	f(l.st)
}
