package kernel

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/trust"
)

// logOf makes a log of n records of runs and returns options to open it.
func logOf(t testing.TB, n int) evidence.Options {
	t.Helper()
	key, err := seal.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	o := evidence.Options{Dir: filepath.Join(dir, "log"), Key: key}
	if err := evidence.Create(o); err != nil {
		t.Fatal(err)
	}
	l, err := evidence.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	module := abi.Digest{1}
	for at := 1; at < n; {
		var rs []abi.Record
		for ; at < n && len(rs) < 1000; at += 2 {
			id := abi.RunID(fmt.Sprintf("r%016x", uint64(at)*0x9e3779b97f4a7c15))
			rs = append(rs,
				abi.Record{Body: &abi.RunStart{Run: id, Workload: brain.BareName(module), Module: module, Trust: trust.Start(trust.ProvenanceBare), Mode: "full"}},
				abi.Record{Body: &abi.RunEnd{Run: id, Outcome: abi.OutcomeExit, Calls: 5}})
		}
		if _, err := l.Update(context.Background(), func() ([]abi.Record, error) { return rs, nil }); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	o.Snapshot = &evidence.SnapshotOptions{Path: filepath.Join(dir, "state"), Key: seal.Key{1}, Warn: func(err error) { t.Error(err) }}
	return o
}

// opened opens and closes the log with a ledger.
func opened(t testing.TB, o evidence.Options) (evidence.Opening, *ledger) {
	t.Helper()
	f := newLedger()
	o.Follower = f
	l, err := evidence.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	op := l.Opening()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return op, f
}

// TestOpeningFoldsTheTail: however long the log is, what was in the state file
// is not folded again, and every run is there. FORGEONE_SOAK makes it a million.
func TestOpeningFoldsTheTail(t *testing.T) {
	sizes := []int{1000, 10_000}
	if os.Getenv("FORGEONE_SOAK") != "" {
		sizes = append(sizes, 1_000_000)
	}
	for _, n := range sizes {
		o := logOf(t, n)
		if op, _ := opened(t, o); op.Snapshot != 0 || op.Folded < uint64(n) {
			t.Fatalf("%d: %+v without a state file", n, op)
		}
		op, f := opened(t, o)
		if op.Snapshot < uint64(n) || op.Folded != 0 {
			t.Fatalf("%d: %+v with a state file", n, op)
		}
		for at := 1; at < n; at += max(2, n/500*2) {
			id := abi.RunID(fmt.Sprintf("r%016x", uint64(at)*0x9e3779b97f4a7c15))
			f.view(func(s *brain.State) {
				// A log.sealed stands before it for each segment that is full: few.
				if r, ok := s.Run(id); !ok || r.Calls != 5 || r.Start < uint64(at) || r.Start > uint64(at)+uint64(n)/100_000 {
					t.Fatalf("run %s: %+v %v", id, r, ok)
				}
			})
		}
	}
}

// BenchmarkOpen: opening a log with and without its state file.
func BenchmarkOpen(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000} {
		o := logOf(b, n)
		b.Run(fmt.Sprintf("records=%d/folded", n), func(b *testing.B) {
			o := o
			o.Snapshot = nil
			for b.Loop() {
				opened(b, o)
			}
			b.ReportMetric(b.Elapsed().Seconds()*1000/float64(b.N), "ms/open")
		})
		wrote := time.Duration(0)
		b.Run(fmt.Sprintf("records=%d/state", n), func(b *testing.B) {
			if wrote == 0 {
				o := o
				o.Follower = newLedger()
				l, err := evidence.Open(o)
				if err != nil {
					b.Fatal(err)
				}
				begin := time.Now()
				if err := l.Close(); err != nil { // writes it
					b.Fatal(err)
				}
				wrote = time.Since(begin)
			}
			var op evidence.Opening
			for b.Loop() {
				op, _ = opened(b, o)
			}
			i, err := os.Stat(o.Snapshot.Path)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(b.Elapsed().Seconds()*1000/float64(b.N), "ms/open")
			b.ReportMetric(float64(op.Folded), "folded")
			b.ReportMetric(wrote.Seconds()*1000, "ms/write")
			b.ReportMetric(float64(i.Size()), "bytes")
		})
	}
}
