package sys

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"testing"
)

func counter(t testing.TB, path string) *Counter {
	t.Helper()
	c, err := OpenCounter(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestCounter: what one mapping raises another sees, and it never sinks.
func TestCounter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "counter")
	a, b := counter(t, path), counter(t, path)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			c := counter(t, path)
			for i := range uint64(1000) {
				c.Raise(i*4 + uint64(g))
			}
		})
	}
	last := uint64(0)
	for range 1000 {
		v := b.Load()
		if v < last {
			t.Fatalf("sank from %d to %d", last, v)
		}
		last = v
	}
	wg.Wait()
	if a.Load() != 3999 || b.Load() != 3999 {
		t.Fatalf("%d, %d", a.Load(), b.Load())
	}
	if !a.Raise(5) || b.Load() != 3999 {
		t.Fatal("it sank")
	}
	if n := testing.AllocsPerRun(100, func() { a.Load() }); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

// TestGuard: within Guard a lost file is an answer, not the end of the process;
// afterwards the goroutine is as it was.
func TestGuard(t *testing.T) {
	path := filepath.Join(t.TempDir(), "counter")
	c := counter(t, path)
	c.Raise(7)
	c.Guard(func() {
		if v := c.Peek(); v != 7 {
			t.Errorf("Peek = %d", v)
		}
		if err := os.Truncate(path, 0); err != nil {
			t.Fatal(err)
		}
		c.Guard(func() {})
		if v := c.Peek(); v != Lost {
			t.Errorf("Peek of a truncated file = %d", v)
		}
	})
	if debug.SetPanicOnFault(false) {
		t.Error("the goroutine still panics on faults")
	}
}

func TestCounterTruncated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "counter")
	c := counter(t, path)
	if !c.Raise(7) || c.Load() != 7 {
		t.Fatalf("Load = %d after Raise(7)", c.Load())
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	if got := c.Load(); got != Lost {
		t.Fatalf("Load of a truncated file = %d, want Lost", got)
	}
	if c.Raise(9) {
		t.Fatal("Raise of a truncated file said ok")
	}
}

func BenchmarkCounter(b *testing.B) {
	c := counter(b, filepath.Join(b.TempDir(), "counter"))
	b.Run("Load", func(b *testing.B) {
		for b.Loop() {
			c.Load()
		}
	})
	b.Run("Peek", func(b *testing.B) {
		c.Guard(func() {
			for b.Loop() {
				c.Peek()
			}
		})
	})
}
