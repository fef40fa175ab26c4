package main

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/kernel"
	"github.com/forgeone/forgeone/internal/provider/host"
	"github.com/forgeone/forgeone/internal/trace"
	"github.com/forgeone/forgeone/internal/wasmtest"
)

// charges measures the processor time that calls take per unit of fuel, each row at its
// worst, beside a plain loop.
func (b *bench) charges() error {
	p, err := b.sides()
	if err != nil {
		return err
	}
	fuel := uint64(b.n(400_000_000))
	plain := wasmtest.Module{MinPages: 1, Funcs: []wasmtest.Func{{Export: "_start", Locals: []byte{wasmtest.I32}, Body: wasmtest.Loop(
		wasmtest.LocalGet(0), wasmtest.Const(1), wasmtest.Add, wasmtest.LocalSet(0), wasmtest.Br(0))}}}.Bytes()
	unit, err := b.perUnit(p.kernel, plain, wasmtest.Worst{}, 10*fuel)
	if err != nil {
		return err
	}
	most := map[abi.Num]Row{}
	for _, w := range wasmtest.Worsts() {
		_, known := most[w.Of]
		if b.quick && (known || w.Guest.Times > 0) || !b.loops.MatchString(w.Name) {
			continue
		}
		ns, err := b.perUnit(p.kernel, w.Guest.Bytes(), w, fuel)
		if err != nil {
			return fmt.Errorf("%s: %w", w.Name, err)
		}
		if r, known := most[w.Of]; !known || ns > r.Ours {
			most[w.Of] = Row{Name: w.Name, Unit: "CPU ns/unit", Ours: ns, Rival: unit, Beside: "a plain loop", Ratio: ns / unit}
		}
	}
	for _, r := range abi.Rows() {
		if row, measured := most[r.Num]; measured {
			b.add(row.with(times(10)))
		}
	}
	return nil
}

// perUnit is the processor time, in ns, that a guest takes per unit of fuel, in the best
// of a few runs.
func (b *bench) perUnit(k *kernel.Kernel, module []byte, w wasmtest.Worst, fuel uint64) (float64, error) {
	dir, err := os.MkdirTemp(b.dir, "charge")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "guest.wasm")
	if err := os.WriteFile(file, module, 0o600); err != nil {
		return 0, err
	}
	run := func(fuel uint64) (least time.Duration, err error) {
		least = math.MaxInt64
		for range min(b.reps, 3) {
			folder, err := os.MkdirTemp(dir, "grant")
			if err != nil {
				return 0, err
			}
			s := kernel.Spec{
				Target: file, Args: w.Args, Env: w.Env,
				Limits: abi.Limits{Fuel: fuel, Recording: 1 << 40, Output: 1 << 40, Deadline: int64(time.Minute)},
				Stdin:  host.NewReader(bytes.NewReader(nil)), Stdout: host.NewWriter(io.Discard), Stderr: host.NewWriter(io.Discard),
			}
			if w.Mount {
				s.Mounts = []trace.Mount{{Host: folder, Guest: "/m"}}
			}
			if w.Listen {
				s.Listen = []string{"127.0.0.1:0"}
			}
			if w.Connect {
				s.Listening = func(a []string) {
					if c, err := net.Dial("tcp", a[0]); err == nil {
						go func() { _, _ = io.Copy(io.Discard, c) }()
					}
				}
			}
			m, err := measure(b.ctx, "ours", func() error { _, err := k.Run(b.ctx, s); return err })
			if err != nil {
				return 0, err
			}
			least = min(least, m.cpu)
		}
		return least, nil
	}
	before, err := run(w.Setup())
	if err != nil {
		return 0, err
	}
	all, err := run(w.Setup() + fuel)
	return max(float64(all-before)/float64(fuel), 0.001), err
}
