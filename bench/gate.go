package main

import (
	"fmt"
	"time"
)

// loop is one thing that the guest calls does n times.
type loop struct {
	name string
	mode string
	size int
	file string // in /d; "-" for none
	n    int
	bar  bar
}

// gate measures the whole gate, that is to resolve, decide, perform and record,
// against wazero's own WASI.
func (b *bench) gate() error {
	for _, l := range []loop{
		{"fd_read 64 B", "read", 64, "in", 300_000, times(1.25)},
		{"fd_read 4 KiB", "read", 4096, "in", 100_000, times(1.25)},
		{"fd_write 16 B", "write", 16, "out", 300_000, times(1.25)},
		{"fd_write 4 KiB", "write", 4096, "out", 100_000, times(1.25)},
		{"fd_read 64 B, nothing else", "rawread", 64, "in", 300_000, times(1.25)},
		{"fd_read 4 KiB, nothing else", "rawread", 4096, "in", 100_000, times(1.25)},
		{"fd_read 4 KiB of zeros, nothing else", "rawread", 4096, "zeros", 100_000, bar{}}, // all but the compressor's part
		{"fd_write 16 B, nothing else", "rawwrite", 16, "out", 300_000, times(1.25)},
		{"fd_write 4 KiB, nothing else", "rawwrite", 4096, "out", 100_000, times(1.25)},
		{"time.Now (two calls)", "clock", 0, "-", 300_000, times(2)},
		{"clock_time_get, nothing else", "rawclock", 0, "-", 1_000_000, times(2)},
		{"bulk fd_read 64 KiB", "read", 65536, "in", 4_000, bar{}},
	} {
		if err := b.loop(l, "ns/op", time.Nanosecond); err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
	}
	return nil
}

// loop measures l per turn of the loop: what n turns take more than none, so
// that starting and the log's durable writes stay out of it. They have rows of
// their own.
func (b *bench) loop(l loop, unit string, one time.Duration) error {
	if !b.loops.MatchString(l.name) {
		return nil
	}
	p, err := b.sides()
	if err != nil {
		return err
	}
	ours, err := b.ours(p, l)
	if err != nil {
		return err
	}
	rival, err := b.rival(p.bare, l)
	if err != nil {
		return err
	}
	return b.slopes(l, Row{Unit: unit, Beside: "wazero, its WASI"}, one, ours, rival)
}

// slopes adds the row of l: what its turns take on one side and on the other.
func (b *bench) slopes(l loop, r Row, one time.Duration, ours, rival func(n int) (sample, error)) error {
	n := b.n(l.n)
	var mine, theirs []sample
	err := alternate(b.reps,
		func(int) error { return slope(&mine, ours, n) },
		func(int) error { return slope(&theirs, rival, n) })
	if err != nil {
		return err
	}
	r.Name = l.name
	b.add(compare(r, one, n, mine, theirs).with(l.bar))
	return nil
}

// slope appends what n turns take more than none.
func slope(to *[]sample, run func(n int) (sample, error), n int) error {
	base, err := run(0)
	if err != nil {
		return err
	}
	full, err := run(n)
	*to = append(*to, full.minus(base))
	return err
}

func (l loop) args(n int) []string {
	return []string{l.mode, itoa(l.size), itoa(n), "/d/" + l.file}
}

// ours returns a function that runs l in the whole kernel, warm.
func (b *bench) ours(p *pair, l loop) (func(n int) (sample, error), error) {
	module, err := b.guest(callsPkg)
	if err != nil {
		return nil, err
	}
	run := func(n int) (s sample, err error) {
		id, s, err := b.timed(p, module, l.args(n)...)
		if err != nil {
			return s, err
		}
		return s, p.forget(id)
	}
	_, err = run(0)
	return run, err
}

// rival returns a function that runs l on bare wazero, warm.
func (b *bench) rival(w *bare, l loop) (func(n int) (sample, error), error) {
	module, err := b.guest(callsPkg)
	if err != nil {
		return nil, err
	}
	if err := w.compile(b.ctx, module); err != nil {
		return nil, err
	}
	run := func(n int) (sample, error) {
		return measure(b.ctx, "rival", func() error { return w.run(b.ctx, module, l.args(n)...) })
	}
	_, err = run(0)
	return run, err
}
