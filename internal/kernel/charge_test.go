package kernel_test

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/kernel"
	"github.com/forgeone/forgeone/internal/provider/host"
	"github.com/forgeone/forgeone/internal/trace"
	"github.com/forgeone/forgeone/internal/wasmtest"
)

// TestWorsts: every row is driven at its worst somewhere, and has a price for a call and
// for all the work that was seen to be done.
func TestWorsts(t *testing.T) {
	driven := map[abi.Num]bool{abi.ProcExit: true} // which comes once
	for _, w := range wasmtest.Worsts() {
		driven[w.Of] = true
	}
	for _, r := range abi.Rows() {
		if !driven[r.Num] {
			t.Errorf("%s is driven nowhere", r.Name)
		}
		if r.Price[abi.WorkCall] == 0 {
			t.Errorf("%s has no price", r.Name)
		}
	}
}

// TestStraightLine: calls that stand in a straight line, where no tick comes between
// them, end the run when their charges have used up its fuel.
func TestStraightLine(t *testing.T) {
	n := newNode(t)
	line := wasmtest.Module{MinPages: 2, Imports: []wasmtest.Import{wasmtest.Random}, Funcs: []wasmtest.Func{{
		Export: "_start", Body: bytes.Repeat(wasmtest.Cat(wasmtest.Const(0), wasmtest.Const(1<<16), wasmtest.Call(0), wasmtest.Drop), 200),
	}}}
	if err := os.WriteFile(n.guest("line"), line.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	r, _ := n.run(kernel.Spec{Target: n.guest("line"), Limits: abi.Limits{Fuel: 1_000_000}})
	if r.Outcome != abi.OutcomeFuel || r.Calls == 0 || r.Calls > 20 {
		t.Errorf("%v after %d calls", r.Outcome, r.Calls)
	}
	n.identical(r.Run)
	// Exactly as much as it takes is enough, and a unit less is not.
	whole, _ := n.run(kernel.Spec{Target: n.guest("line")})
	for fuel, want := range map[uint64]abi.Outcome{whole.Fuel: abi.OutcomeExit, whole.Fuel - 1: abi.OutcomeFuel} {
		r, _ := n.run(kernel.Spec{Target: n.guest("line"), Limits: abi.Limits{Fuel: fuel}})
		if r.Outcome != want {
			t.Errorf("with %d of %d: %v", fuel, whole.Fuel, r.Outcome)
		}
		n.identical(r.Run)
	}
}

// granted gives a run what w is to be granted.
func granted(s *kernel.Spec, w wasmtest.Worst, dir string) {
	s.Args, s.Env = w.Args, w.Env
	if w.Mount {
		s.Mounts = []trace.Mount{{Host: dir, Guest: "/m"}}
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
}

// cpu is the processor time of this process.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestSoakCharges: with equal fuel the worst calls take at most ten times the processor
// time of a plain loop.
func TestSoakCharges(t *testing.T) {
	if os.Getenv("FORGEONE_SOAK") == "" {
		t.Skip("SKIPPED: `make soak` runs it")
	}
	n := newNode(t)
	best := func(name string, fuel uint64, w wasmtest.Worst) (time.Duration, *kernel.Report) {
		least, last := time.Duration(math.MaxInt64), (*kernel.Report)(nil)
		for range 3 {
			dir := t.TempDir()
			s := kernel.Spec{Target: n.guest(name)}
			s.Limits = abi.Limits{Fuel: fuel, Recording: 1 << 40, Output: 1 << 40, Deadline: int64(time.Minute)}
			s.Stdin, s.Stdout, s.Stderr = host.NewReader(bytes.NewReader(nil)), host.NewWriter(io.Discard), host.NewWriter(io.Discard)
			granted(&s, w, dir)
			from := cpu()
			r, err := n.Run(t.Context(), s)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			least, last = min(least, cpu()-from), r
			if r.Outcome != abi.OutcomeFuel {
				t.Errorf("%s ended with %v", name, r.Outcome)
			}
			if err := os.RemoveAll(n.Home().Recordings()); err != nil { // they take room
				t.Fatal(err)
			}
			if err := os.Mkdir(n.Home().Recordings(), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		return least, last
	}
	put := func(name string, b []byte) {
		if err := os.WriteFile(n.guest(name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("plain", wasmtest.Module{MinPages: 1, Funcs: []wasmtest.Func{{Export: "_start", Locals: []byte{wasmtest.I32}, Body: wasmtest.Loop(
		wasmtest.LocalGet(0), wasmtest.Const(1), wasmtest.Add, wasmtest.LocalSet(0), wasmtest.Br(0))}}}.Bytes())
	const fuel = 400_000_000
	start, _ := best("plain", 10, wasmtest.Worst{})
	plain, _ := best("plain", 10*fuel, wasmtest.Worst{})
	unit := float64(plain-start) / (10 * fuel)
	t.Logf("a plain loop takes %.3f ns a unit", unit)
	only := os.Getenv("FORGEONE_ONLY")
	for i, w := range wasmtest.Worsts() {
		if !strings.Contains(w.Name, only) {
			continue
		}
		file := fmt.Sprint("worst", i)
		put(file, w.Guest.Bytes())
		zero, before := best(file, w.Setup(), w)
		took, rep := best(file, w.Setup()+fuel, w)
		ratio := float64(took-zero) / fuel / unit
		calls := float64(rep.Calls - before.Calls)
		line := fmt.Sprintf("%-45s %9.0f calls, %8.0f ns and %8.0f units each: %5.1f times a plain loop", w.Name, calls,
			float64(took-zero)/calls, fuel/calls, ratio)
		t.Log(line)
		if ratio > 10 {
			t.Error("FAULT " + line)
		}
	}
}
