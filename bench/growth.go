package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/seal"
)

// folded is the brain as a log's follower, as the kernel has it, for one
// goroutine at a time.
type folded struct{ *brain.State }

// Snapshot implements evidence.Snapshotter.
func (f folded) Snapshot() (*evidence.Snapshot, error) {
	s, err := f.State.Snapshot()
	if err != nil {
		return nil, err
	}
	return &evidence.Snapshot{Size: f.Size(), Head: s.Head(), Pages: s.Pages(), Write: s.Write}, nil
}

// Restore implements evidence.Snapshotter.
func (f folded) Restore(head []byte, pages evidence.Pages) (uint64, error) {
	err := f.State.Restore(head, pages)
	return f.Size(), err
}

// Fresh implements evidence.Snapshotter.
func (folded) Fresh() evidence.Snapshotter { return folded{brain.New()} }

// Become implements evidence.Snapshotter.
func (f folded) Become(fresh evidence.Snapshotter) { *f.State = *fresh.(folded).State }

// grown is one log that grows, with its state file and an export of it.
type grown struct {
	o     evidence.Options
	keys  []evidence.PublicKey
	tiles string
	state string
	runs  uint64
}

// growth shows what appending, proving, verifying and opening cost as a log of
// runs grows: all but verifying should hardly change.
func (b *bench) growth() error {
	key, err := seal.GenerateKey()
	if err != nil {
		return err
	}
	g := &grown{
		o: evidence.Options{Dir: filepath.Join(b.dir, "log-growth"), Key: key}, keys: []evidence.PublicKey{key.Public()},
		tiles: filepath.Join(b.dir, "tiles-growth"), state: filepath.Join(b.dir, "state-growth"),
	}
	g.o.Snapshot = &evidence.SnapshotOptions{Path: g.state, Key: seal.NewKey()}
	if err := evidence.Create(g.o); err != nil {
		return err
	}
	first, most := 10_000, b.most
	if b.quick {
		first, most = 2_000, 2_000
	}
	for n := first; n <= most; n *= 10 {
		if err := b.grow(g, n); err != nil {
			return fmt.Errorf("%d records: %w", n, err)
		}
	}
	return nil
}

// grow makes g's log one of n records and measures it.
func (b *bench) grow(g *grown, n int) error {
	at := fmt.Sprintf("%d records: ", n)
	rate, err := b.appended(g, uint64(n))
	if err != nil {
		return err
	}
	b.add(Row{Name: at + "append", Unit: "records/s", Ours: rate, Note: "batches of 1,000, each folded and durable"})
	s, err := measure(b.ctx, "verify", func() error {
		_, err := evidence.Verify(b.ctx, g.o.Dir, g.keys, evidence.VerifyOptions{})
		return err
	})
	if err != nil {
		return err
	}
	b.add(Row{Name: at + "verify", Unit: "records/s", Ours: float64(n) / s.wall.Seconds()})
	if _, err := evidence.Export(b.ctx, g.o.Dir, g.tiles, g.keys, evidence.ExportOptions{}); err != nil {
		return err
	}
	const proofs = 100
	s, err = measure(b.ctx, "prove", func() error {
		for i := range proofs {
			if _, _, err := evidence.ProveFromTiles(g.tiles, uint64(i*(n/proofs)), g.keys, evidence.VerifyOptions{}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	b.add(Row{Name: at + "prove one, from tiles", Unit: "µs", Ours: float64(s.wall.Microseconds()) / proofs})
	with, err := b.opened(g)
	if err != nil {
		return err
	}
	if err := os.Remove(g.state); err != nil {
		return err
	}
	without, err := b.opened(g)
	if err != nil {
		return err
	}
	b.add(Row{Name: at + "open", Unit: "ms", Ours: with, Rival: without, Ratio: with / without, Beside: "the same without the state file"})
	return nil
}

// appended lets g's log grow to n records, of runs that begin and end.
func (b *bench) appended(g *grown, n uint64) (rate float64, err error) {
	f := folded{brain.New()}
	o := g.o
	o.Follower = f
	l, err := evidence.Open(o)
	if err != nil {
		return 0, err
	}
	defer l.Close()
	before, start := l.Size(), time.Now()
	for l.Size() < n {
		_, err := l.Update(b.ctx, func() (records []abi.Record, err error) {
			w := f.Bare(abi.Digest{1})
			for range min(500, (n-l.Size()+1)/2) {
				g.runs++
				id := abi.RunID(fmt.Sprintf("r%016x", g.runs))
				records = append(records,
					abi.Record{Body: &abi.RunStart{Run: id, Workload: w.Name, Module: abi.Digest{1}, Standing: w.Standing, Trust: w.Trust, Mode: "full"}},
					abi.Record{Body: &abi.RunEnd{Run: id, Outcome: abi.OutcomeExit, Calls: 10}})
			}
			return records, nil
		})
		if err != nil {
			return 0, err
		}
	}
	return float64(l.Size()-before) / time.Since(start).Seconds(), l.Close()
}

// opened opens g's log, and returns how long it took in milliseconds.
func (b *bench) opened(g *grown) (float64, error) {
	o := g.o
	o.Follower = folded{brain.New()}
	var l *evidence.Log
	s, err := measure(b.ctx, "open", func() (err error) {
		l, err = evidence.Open(o)
		return err
	})
	if err != nil {
		return 0, err
	}
	return float64(s.wall.Microseconds()) / 1000, l.Close()
}
