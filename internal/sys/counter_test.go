package sys

import (
	"os"
	"path/filepath"
	"testing"
)

func BenchmarkCounterLoad(b *testing.B) {
	c, err := OpenCounter(filepath.Join(b.TempDir(), "counter"))
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	b.Run("guarded", func(b *testing.B) {
		var s uint64
		for b.Loop() {
			s += c.Load()
		}
		_ = s
	})
	b.Run("bare", func(b *testing.B) {
		var s uint64
		for b.Loop() {
			s += c.cell().Load()
		}
		_ = s
	})
}

func TestCounterTruncated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "counter")
	c, err := OpenCounter(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
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
