package kernel

import (
	"sync"

	"github.com/forgeone/forgeone/abi"
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

// view calls f with the state, which f must not keep.
func (l *ledger) view(f func(*brain.State)) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	f(l.st)
}
