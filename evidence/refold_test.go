package evidence

import (
	"errors"
	"sync"
	"testing"

	"github.com/forgeone/forgeone/abi"
)

// TestRefoldAside: who reads the state while a refused transaction is taken out
// of it sees it whole, before or after, and never a part.
func TestRefoldAside(t *testing.T) {
	f := &keeping{refuse: "bad"}
	o := newLog(t)
	o.Follower = f
	l := openLog(t, o)
	for range 20 {
		rs := make([]abi.Record, 100)
		for i := range rs {
			rs[i] = uninstall("good")
		}
		add(t, l, rs...)
	}
	size := l.Size()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			f.mu.Lock()
			n := f.base + uint64(len(f.late))
			f.mu.Unlock()
			if n < size {
				t.Errorf("the state was seen at %d of %d records", n, size)
				return
			}
		}
	})
	for range 20 {
		_, err := l.Update(t.Context(), func() ([]abi.Record, error) {
			return []abi.Record{uninstall("good"), uninstall("bad")}, nil
		})
		if abi.CodeOf(err) != CodeRefused || !errors.Is(err, errTest) {
			t.Fatalf("not refused: %v", err)
		}
	}
	close(stop)
	wg.Wait()
	if n := uint64(len(f.all(t))); n != size || l.Size() != size {
		t.Errorf("%d records in the state and %d in the log, want %d", n, l.Size(), size)
	}
}
