package main

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/kernel"
)

// compute measures what ticks cost a guest that makes no calls, and what
// wazero's own way to stop a guest costs instead.
func (b *bench) compute() error {
	for _, l := range []loop{
		{"sha256 of 4 KiB", "sha256", 0, "-", 10_000, times(1.2)},
		{"sort of 4,096 numbers", "sort", 0, "-", 1_000, times(1.2)},
		{"JSON there and back", "json", 0, "-", 500, times(1.2)},
		{"64×64 matrix of floats", "matrix", 0, "-", 1_000, times(1.2)},
	} {
		if err := b.loop(l, "µs/op", time.Microsecond); err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
	}
	if err := b.canonicalNaNs(loop{"64×64 matrix of floats, canonical NaNs", "matrix", 0, "-", 1_000, bar{}}); err != nil {
		return err
	}
	return b.closeOnDone(loop{"sort, WithCloseOnContextDone", "sort", 0, "-", 100, bar{}})
}

// canonicalNaNs is a row for what it costs that NaNs have the same bits on every
// machine.
func (b *bench) canonicalNaNs(l loop) error {
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
	ours := func(n int) (sample, error) {
		var id abi.RunID
		s, err := measure(b.ctx, "ours", func() (err error) {
			id, err = p.runSpec(b.ctx, kernel.Spec{Target: module, Args: l.args(n), CanonicalNaN: true})
			return err
		})
		if err != nil {
			return s, err
		}
		return s, p.forget(id)
	}
	if _, err := ours(0); err != nil {
		return err
	}
	rival, err := b.rival(p.bare, l)
	if err != nil {
		return err
	}
	return b.slopes(l, Row{Unit: "µs/op", Beside: "wazero, whose NaNs differ"}, time.Microsecond, ours, rival)
}

// closeOnDone is a row for scale: wazero beside itself.
func (b *bench) closeOnDone(l loop) error {
	p, err := b.sides()
	if err != nil {
		return err
	}
	timed, err := b.rival(p.timed, l)
	if err != nil {
		return err
	}
	plain, err := b.rival(p.bare, l)
	if err != nil {
		return err
	}
	return b.slopes(l, Row{Unit: "µs/op", Beside: "wazero without it", Note: "neither is ours"}, time.Microsecond, timed, plain)
}

// start measures what a run costs beside its calls: a small Go program from
// admission to its durable end, its module compiled before.
func (b *bench) start() error {
	p, err := b.sides()
	if err != nil {
		return err
	}
	for _, pkg := range []string{helloPkg, callsPkg} {
		module, err := b.guest(pkg)
		if err != nil {
			return err
		}
		if err := p.bare.compile(b.ctx, module); err != nil {
			return err
		}
		args := loop{mode: "none", file: "-"}.args(0)
		one := func(to *[]sample) error {
			id, s, err := b.timed(p, module, args...)
			if err != nil {
				return err
			}
			*to = append(*to, s)
			return p.forget(id)
		}
		var warm, mine, theirs []sample
		if err := one(&warm); err != nil {
			return err
		}
		err = alternate(b.reps*3, func(int) error { return one(&mine) }, func(int) error {
			s, err := measure(b.ctx, "rival", func() error { return p.bare.run(b.ctx, module, args...) })
			theirs = append(theirs, s)
			return err
		})
		if err != nil {
			return err
		}
		r := compare(Row{Name: "run of " + filepath.Base(pkg) + " in process", Unit: "ms", Beside: "wazero, its WASI", Note: "fixed cost: admission, two durable records, sealed recording"}, time.Millisecond, 1, mine, theirs)
		if pkg == helloPkg {
			r = r.with(timesBoth(0.45, 0.3))
		}
		b.add(r)
	}
	return nil
}

// timed runs a guest in the whole kernel, timed. The recording stays.
func (b *bench) timed(p *pair, module string, args ...string) (id abi.RunID, s sample, err error) {
	s, err = measure(b.ctx, "ours", func() error {
		id, err = p.run(b.ctx, module, args...)
		return err
	})
	return id, s, err
}
