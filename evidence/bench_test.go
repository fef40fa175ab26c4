package evidence

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/forgeone/forgeone/abi"
)

// BenchmarkAppend: every producer waits for its record to be durable.
func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{1, 64, 1024} {
		b.Run(fmt.Sprintf("producers=%d", n), func(b *testing.B) {
			l := openLog(b, newLog(b))
			before := l.Stats()
			var wg sync.WaitGroup
			b.ResetTimer()
			for p := range n {
				wg.Go(func() {
					for i := p; i < b.N; i += n {
						if _, err := l.Update(context.Background(), func() ([]abi.Record, error) { return []abi.Record{runEnd(i)}, nil }); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			s := l.Stats()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(float64(s.Syncs-before.Syncs), "fdatasyncs")
			b.ReportMetric(float64(b.N)/float64(s.Batches-before.Batches), "records/batch")
		})
	}
}

// BenchmarkVerify: one core, in batches of 1000 records; with Each, records are
// decoded too.
func BenchmarkVerify(b *testing.B) {
	o := newLog(b)
	l := openLog(b, o)
	const batches, size = 200, 1000
	for i := range batches {
		rs := make([]abi.Record, size)
		for j := range rs {
			rs[j] = runEnd(i*size + j)
		}
		add(b, l, rs...)
	}
	for name, each := range map[string]func(uint64, abi.Record) error{"hashes": nil, "each": func(uint64, abi.Record) error { return nil }} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				r, err := Verify(context.Background(), o.Dir, []PublicKey{o.Key.Public()}, VerifyOptions{Each: each})
				if err != nil || r.Records != batches*size+1 {
					b.Fatal(r, err)
				}
			}
			b.ReportMetric(float64(b.N)*batches*size/b.Elapsed().Seconds(), "records/s")
		})
	}
}
