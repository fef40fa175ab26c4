package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/internal/seal"
)

// newLog makes a log of its own, which keeps tiles in the folder tiles if that
// is not empty.
func (b *bench) newLog(name, tiles string) (*evidence.Log, *evidence.PrivateKey, error) {
	key, err := seal.GenerateKey()
	if err != nil {
		return nil, nil, err
	}
	o := evidence.Options{Dir: filepath.Join(b.dir, name), Key: key}
	if err := evidence.Create(o); err != nil {
		return nil, nil, err
	}
	o.Tiles = tiles
	l, err := evidence.Open(o)
	return l, key, err
}

// denial is a record as most are: some two hundred bytes.
func denial(call uint64) abi.Record {
	return abi.Record{Body: &abi.Denial{Run: "r0123456789abcdef", Rule: "base.granted", Num: abi.PathOpen, Reason: abi.ReasonForbid, Severity: 2, Call: call}}
}

// log measures durable records: each producer appends one record, waits until it
// is durable, and comes again.
func (b *bench) log() error {
	for _, producers := range []int{1, 64, 1024} {
		if err := b.produce(producers); err != nil {
			return err
		}
	}
	return b.produceTiles(1024)
}

func (b *bench) duration() time.Duration {
	if b.quick {
		return 50 * time.Millisecond
	}
	return 3 * time.Second
}

// produceTiles is produce with tiles, beside the rival: ours come after
// acknowledgement, so the time until the last of them is there counts.
func (b *bench) produceTiles(producers int) error {
	l, _, err := b.newLog("log-tiles", filepath.Join(b.dir, "tiles-log"))
	if err != nil {
		return err
	}
	defer l.Close()
	start := time.Now()
	lists, err := producing(b.ctx, l, producers, start.Add(b.duration()))
	if err != nil {
		return err
	}
	acked := time.Since(start)
	if err := l.Close(); err != nil {
		return err
	}
	took := time.Since(start)
	if _, err := l.Tiles(); err != nil {
		return err
	}
	all := slices.Concat(lists...)
	slices.Sort(all)
	const size = 150 // bytes, as ours are
	rival, p50, err := b.produceTessera(producers, size, b.duration())
	if err != nil {
		return err
	}
	n := float64(len(all))
	r := Row{
		Name: fmt.Sprintf("%d producers, tiles written", producers), Unit: "durable records/s", Ours: n / took.Seconds(), Rival: rival, Beside: "Tessera, POSIX",
		Ratio: n / took.Seconds() / rival,
		Note: fmt.Sprintf("p50 %v (rival's %v); %s records/s acknowledged, the last tiles %v later",
			round(all[len(all)/2]), round(p50), figure(n/acked.Seconds()), (took - acked).Round(time.Millisecond)),
	}
	b.add(r.with(bar{"≥ 100k, ≥ 10×", func(r Row) bool { return r.Ours >= 100_000 && r.Ratio >= 10 }}))
	return nil
}

func (b *bench) produce(producers int) error {
	l, _, err := b.newLog("log-"+itoa(producers), "")
	if err != nil {
		return err
	}
	defer l.Close()
	before, cpu, start := l.Stats(), cpuTime(), time.Now()
	lists, err := producing(b.ctx, l, producers, start.Add(b.duration()))
	if err != nil {
		return err
	}
	took, used, after := time.Since(start), cpuTime()-cpu, l.Stats()
	all := slices.Concat(lists...)
	slices.Sort(all)
	r := Row{
		Name: fmt.Sprintf("%d producers", producers), Unit: "durable records/s", Ours: float64(len(all)) / took.Seconds(),
		Note: fmt.Sprintf("p50 %v, p99 %v; %d fdatasyncs for %d records; CPU %.1f µs a record",
			round(all[len(all)/2]), round(all[len(all)*99/100]), after.Syncs-before.Syncs, len(all), float64(used.Microseconds())/float64(len(all))),
	}
	if producers == 1024 {
		r = r.with(atLeast(100_000))
	}
	b.add(r)
	return l.Close()
}

// producing has the producers append until the end and returns how long each
// append took, a list per producer.
func producing(ctx context.Context, l *evidence.Log, producers int, end time.Time) ([][]time.Duration, error) {
	lists, errs := make([][]time.Duration, producers), make([]error, producers)
	var wg sync.WaitGroup
	for i := range producers {
		wg.Go(func() {
			for n := uint64(0); errs[i] == nil; n++ {
				start := time.Now()
				if start.After(end) && n > 0 {
					return
				}
				_, errs[i] = l.Update(ctx, func() ([]abi.Record, error) { return []abi.Record{denial(n)}, nil })
				lists[i] = append(lists[i], time.Since(start))
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return lists, nil
}

func round(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }

// filled makes a log of its own with n records or a few more, appended in
// batches, and returns how many it has.
func (b *bench) filled(name string, n int) (evidence.PublicKey, int, error) {
	l, key, err := b.newLog(name, "")
	if err != nil {
		return nil, 0, err
	}
	defer l.Close()
	const batch = 1000
	for i := range max(n/batch, 2) {
		records := make([]abi.Record, batch)
		for j := range records {
			records[j] = denial(uint64(i*batch + j))
		}
		if _, err := l.Update(b.ctx, func() ([]abi.Record, error) { return records, nil }); err != nil {
			return nil, 0, err
		}
	}
	size := l.Size()
	return key.Public(), int(size), l.Close()
}

// verify measures the offline verification of a log.
func (b *bench) verify() error {
	key, _, err := b.filled("log-verify", b.n(1_000_000))
	if err != nil {
		return err
	}
	for _, decode := range []bool{false, true} {
		if err := b.verified(key, decode); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) verified(key evidence.PublicKey, decode bool) error {
	var wall, core []float64
	var o evidence.VerifyOptions
	name := "offline verification"
	if decode {
		name += ", every record decoded"
		o.Each = func(uint64, abi.Record) error { return nil }
	}
	var r evidence.Report
	for range b.reps {
		s, err := measure(b.ctx, "verify", func() (err error) {
			r, err = evidence.Verify(b.ctx, filepath.Join(b.dir, "log-verify"), []evidence.PublicKey{key}, o)
			return err
		})
		if err != nil {
			return err
		}
		wall = append(wall, float64(r.Records)/s.wall.Seconds())
		core = append(core, float64(r.Records)/s.cpu.Seconds())
	}
	row := Row{
		Name: name, Unit: "records/s/core", Ours: median(core),
		Note: fmt.Sprintf("%s records/s by the clock; %d records, %d bytes each", figure(median(wall)), r.Records, r.Bytes/r.Records),
	}
	if !decode {
		row = row.with(atLeast(700_000))
	}
	b.add(row)
	return nil
}
