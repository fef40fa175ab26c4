package main

import (
	"fmt"
	"time"

	"github.com/forgeone/forgeone/abi"
)

// replay measures a replay, loading included, against its original run.
func (b *bench) replay() error {
	for _, l := range []loop{
		{"fd_read 64 B", "rawread", 64, "in", 300_000, times(0.3)},
		{"fd_write 4 KiB", "rawwrite", 4096, "out", 100_000, times(0.3)},
		{"clock_time_get", "rawclock", 0, "-", 500_000, bar{}},
		{"sort of 4,096 numbers", "sort", 0, "-", 1_000, times(1.1)},
	} {
		if err := b.replayed(l); err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
	}
	return b.identical()
}

func (b *bench) replayed(l loop) error {
	if !b.loops.MatchString(l.name) {
		return nil
	}
	p, err := b.sides()
	if err != nil {
		return err
	}
	module, err := b.guest(callsPkg)
	if err != nil {
		return err
	}
	n := b.n(l.n)
	var again, orig []sample
	same := 0
	for range b.reps {
		id, s, err := b.timed(p, module, l.args(n)...)
		if err != nil {
			return err
		}
		orig = append(orig, s)
		s, err = measure(b.ctx, "replay", func() error {
			k, err := b.again(p, id, 1)
			same += k
			return err
		})
		if err != nil {
			return err
		}
		again = append(again, s)
		if err := p.forget(id); err != nil {
			return err
		}
	}
	note := fmt.Sprintf("identical %d of %d", same, b.reps)
	b.add(compare(Row{Name: "replay of " + l.name, Unit: "ms", Beside: "its run", Note: note}, time.Millisecond, 1, again, orig).with(l.bar))
	return nil
}

// again loads a run's replay, goes through it times times and tells how many
// were identical.
func (b *bench) again(p *pair, id abi.RunID, times int) (same int, err error) {
	r, err := p.kernel.FindRun(string(id))
	if err != nil {
		return 0, err
	}
	loaded, err := p.kernel.LoadReplay(b.ctx, r)
	if err != nil {
		return 0, err
	}
	defer loaded.Close()
	for range times {
		res, err := loaded.Go(b.ctx, nil, nil)
		if err != nil {
			return same, err
		}
		same += btoi(res.Identical)
	}
	return same, nil
}

// identical replays one small run again and again.
func (b *bench) identical() error {
	p, err := b.sides()
	if err != nil {
		return err
	}
	module, err := b.guest(helloPkg)
	if err != nil {
		return err
	}
	id, _, err := b.timed(p, module, "bench")
	if err != nil {
		return err
	}
	k := 1000
	if b.quick {
		k = 5
	}
	same, err := b.again(p, id, k)
	if err != nil {
		return err
	}
	all := bar{fmt.Sprintf("%d", k), func(r Row) bool { return int(r.Ours) == k }}
	b.add(Row{Name: "identical replays of hello", Unit: "of " + itoa(k), Ours: float64(same)}.with(all))
	return p.forget(id)
}
