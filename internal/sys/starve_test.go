package sys

import (
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestTurnstileStarves: those who look without end, and one after the other so
// that somebody always is looking, do not keep out who wants to write; nor do
// writers keep them out.
func TestTurnstileStarves(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	w := turnstile(t, path)
	const readers, turns, looks = 100, 50, 10
	var stop atomic.Bool
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop.Store(true)
	served := make(chan error, 1<<16)
	again := func(times int, f func() error) {
		for i := 1; i <= times || !stop.Load(); i++ {
			if err := f(); err != nil || i == times {
				served <- err
			}
		}
	}
	for range readers {
		r, err := OpenTurnstileRead(path)
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			defer r.Close()
			again(looks, func() error {
				err := r.RLock()
				time.Sleep(time.Millisecond)
				return errors.Join(err, r.Unlock())
			})
		})
	}
	wg.Go(func() {
		again(turns, func() error { return errors.Join(w.Lock(), w.Unlock()) })
	})
	late := time.After(time.Minute) // it takes a second
	for range readers + 1 {
		select {
		case err := <-served:
			if err != nil {
				t.Fatal(err)
			}
		case <-late:
			t.Fatal("somebody starved")
		}
	}
}
