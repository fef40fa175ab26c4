package main

import (
	"context"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"syscall"
	"time"
)

// sample is what one run took.
type sample struct{ wall, cpu time.Duration }

func (s sample) minus(o sample) sample { return sample{s.wall - o.wall, s.cpu - o.cpu} }

// measure times f by the clock and by the CPU time of this process, which what
// f leaves to other goroutines is part of. Garbage of before is not its matter.
func measure(ctx context.Context, side string, f func() error) (s sample, err error) {
	runtime.GC()
	pprof.Do(ctx, pprof.Labels("side", side), func(context.Context) {
		cpu, start := cpuTime(), time.Now()
		err = f()
		s = sample{time.Since(start), cpuTime() - cpu}
	})
	return s, err
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // the argument is right
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// tools are programs and modules built for the benchmark, by name.
type tools map[string]string

// median of vs, which it sorts.
func median(vs []float64) float64 {
	slices.Sort(vs)
	return vs[len(vs)/2]
}

// alternate calls both functions reps times, in changing order.
func alternate(reps int, ours, rival func(rep int) error) error {
	for i := range reps {
		first, second := ours, rival
		if i%2 == 1 {
			first, second = rival, ours
		}
		if err := first(i); err != nil {
			return err
		}
		if err := second(i); err != nil {
			return err
		}
	}
	return nil
}

// compare fills r from pairs of samples; unit is what one step of r.Unit is in
// time, per how many steps each sample took.
func compare(r Row, unit time.Duration, per int, ours, rival []sample) Row {
	scale := float64(unit) * float64(per)
	pick := func(ss []sample, f func(sample) time.Duration) (vs []float64) {
		for _, s := range ss {
			vs = append(vs, float64(f(s))/scale)
		}
		return vs
	}
	ratios := func(f func(sample) time.Duration) (vs []float64) {
		for i := range ours {
			// A slope of next to no turns may come out below zero: no ratio then.
			if a, b := f(ours[i]), f(rival[i]); a > 0 && b > 0 {
				vs = append(vs, float64(a)/float64(b))
			}
		}
		return append(vs, make([]float64, btoi(len(vs) == 0))...)
	}
	wall, cpu := func(s sample) time.Duration { return s.wall }, func(s sample) time.Duration { return s.cpu }
	r.Ours, r.Rival, r.Ratio = median(pick(ours, wall)), median(pick(rival, wall)), median(ratios(wall))
	r.CPUOurs, r.CPURival, r.CPURatio = median(pick(ours, cpu)), median(pick(rival, cpu)), median(ratios(cpu))
	return r
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// machine prints what everything else rests on: how long the device takes to
// make a block durable.
func (b *bench) machine() error {
	f, err := os.CreateTemp(b.dir, "sync-*")
	if err != nil {
		return err
	}
	defer f.Close()
	block := make([]byte, 4096)
	if err := syscall.Fallocate(int(f.Fd()), 0, 0, 1<<20); err != nil {
		return err
	}
	var vs []float64
	for i := range b.n(400_000) {
		start := time.Now()
		if _, err := f.WriteAt(block, int64(i%256)*4096); err != nil {
			return err
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			return err
		}
		vs = append(vs, float64(time.Since(start))/float64(time.Millisecond))
		if len(vs) == 200 {
			break
		}
	}
	load, _ := os.ReadFile("/proc/loadavg") // for people; elsewhere there is none
	b.add(Row{Name: "write 4 KiB and fdatasync", Unit: "ms", Ours: median(vs), Note: runtime.Version() + " on " + itoa(runtime.NumCPU()) + " cores, load " + firstWord(load)})
	return nil
}
