package replay

import (
	"bytes"
	"cmp"
	"context"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/compiletest"
	"github.com/forgeone/forgeone/internal/gate"
	"github.com/forgeone/forgeone/internal/policy"
	"github.com/forgeone/forgeone/internal/provider"
	"github.com/forgeone/forgeone/internal/provider/host"
	"github.com/forgeone/forgeone/internal/rewrite"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/trace"
	"github.com/forgeone/forgeone/internal/wasm"
	"github.com/forgeone/forgeone/internal/wasmtest"
)

// lab runs guests with a recorder that a test may make lie.
type lab struct {
	t    *testing.T
	e    *wasm.Engine
	kek  seal.Key
	arch string // that recordings name; "" is the one here
}

func newLab(t *testing.T) *lab {
	e := wasm.New(nil, compiletest.Here{})
	t.Cleanup(func() { e.Close(context.Background()) })
	return &lab{t: t, e: e, kek: seal.NewKey()}
}

func (l *lab) compile(module []byte) *wasm.Module {
	l.t.Helper()
	code, _, err := rewrite.Rewrite(module, rewrite.DefaultCaps())
	if err != nil {
		l.t.Fatal(err)
	}
	m, err := l.e.Compile(l.t.Context(), wasm.Job{Code: code, Digest: seal.Sum("test", code)})
	if err != nil {
		l.t.Fatal(err)
	}
	return m
}

// liar records call number at as alter makes it.
type liar struct {
	*trace.Writer
	at    uint64
	alter func(c *abi.Call)
}

func (l *liar) Commit(c *abi.Call, o *abi.Object, d *abi.Decision) {
	if l.alter == nil || c.Index != l.at {
		l.Writer.Commit(c, o, d)
		return
	}
	was, out := *c, bytes.Clone(c.Out)
	l.alter(c)
	l.Writer.Commit(c, o, d)
	*c = was
	c.Out = out
}

type noSink struct{}

func (noSink) Denied(*abi.Call, *abi.Object, *abi.Decision) {}

// record runs module and returns its recording, opened, and what it wrote.
func (l *lab) record(module []byte, at uint64, alter func(*abi.Call), end func(*trace.End)) (*trace.Reader, string) {
	l.t.Helper()
	var out bytes.Buffer
	w, err := provider.New(provider.Config{
		Stdin: host.NewReader(strings.NewReader("input")), Stdout: host.NewWriter(&out), Stderr: host.NewWriter(&out),
		Clock: host.NewClock(), Random: host.Random,
	})
	if err != nil {
		l.t.Fatal(err)
	}
	defer w.Close()
	p, err := policy.Compile([]policy.Source{policy.Base()}, policy.Identity{Workload: "test"}, 1, abi.Trust{P: 50, A: 100, C: 60, N: 100, R: 100}, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	path := filepath.Join(l.t.TempDir(), "r.f1rec")
	rec, err := trace.Create(path, trace.Header{Run: "r0123456789abcdef", Engine: wasm.Native().ID(), MaxPages: 16, Slice: gate.Slice, Arch: cmp.Or(l.arch, runtime.GOARCH)}, l.kek, 0)
	if err != nil {
		l.t.Fatal(err)
	}
	g := gate.New(w, p, &liar{rec, at, alter}, noSink{}, gate.NewControl(), gate.NewMeter(0, gate.Slice))
	guest, ex, err := l.compile(module).Run(l.t.Context(), g, 16)
	if err != nil {
		l.t.Fatal(err)
	}
	defer guest.Close(context.Background())
	m := g.Meter()
	e := trace.End{Outcome: ex.Outcome, Exit: ex.Code, Trap: ex.Trap, Ticks: m.Ticks(), Fuel: m.Used(ex.Gas), State: guest.State(rec.StateMAC()), Reached: g.Reached() | guest.Reached()}
	if end != nil {
		end(&e)
	}
	if _, err := rec.Finish(e); err != nil {
		l.t.Fatal(err)
	}
	r, err := trace.Open(path, l.kek)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { r.Close() })
	return r, out.String()
}

func (l *lab) replay(r *trace.Reader, module []byte) (*Result, string) {
	l.t.Helper()
	var out bytes.Buffer
	res, err := Run(l.t.Context(), Input{Recording: r, Module: l.compile(module), Stdout: &out, Stderr: &out})
	if err != nil {
		l.t.Fatal(err)
	}
	return res, out.String()
}

// program writes what random_get and fd_read gave it, so that any answer shows
// in the next call: call 0 random_get, 1 fd_read, 2 fd_write, 3 proc_exit.
func program(exit int32, text string) []byte {
	w := wasmtest.Cat
	iov := func(ptr, n byte) []byte { return []byte{0, ptr, 0, 0, n, 0, 0, 0} }
	return wasmtest.Module{
		Imports: []wasmtest.Import{wasmtest.Random, wasmtest.FdRead, wasmtest.FdWrite, wasmtest.ProcExit}, MinPages: 1, MutableGlobals: 1,
		Data: []wasmtest.Data{{Offset: 0, Bytes: w(iov(4, 16), iov(8, 8))}, {Offset: 2048, Bytes: []byte(text)}},
		Funcs: []wasmtest.Func{{Export: "_start", Body: w(
			wasmtest.Const(2048+4), wasmtest.Const(4), wasmtest.Call(0), wasmtest.Drop,
			wasmtest.Const(0), wasmtest.Const(0), wasmtest.Const(1), wasmtest.Const(512), wasmtest.Call(1), wasmtest.Drop,
			wasmtest.Const(1), wasmtest.Const(8), wasmtest.Const(1), wasmtest.Const(516), wasmtest.Call(2), wasmtest.Drop,
			wasmtest.Const(exit), wasmtest.Call(3))}},
	}.Bytes()
}

func TestIdentical(t *testing.T) {
	l := newLab(t)
	for name, m := range wasmtest.Guests() {
		switch name {
		case "loop", "yield", "fill", "flood", "sleep", "huge", "library": // they end from outside only
			continue
		}
		t.Run(name, func(t *testing.T) {
			l := &lab{t: t, e: l.e, kek: l.kek}
			r, out := l.record(m, 0, nil, nil)
			for range 3 {
				res, again := l.replay(r, m)
				if !res.Identical || again != out || res.Recorded != res.Replayed {
					t.Fatalf("%+v %+v", res, res.Divergence)
				}
				if err := r.Rewind(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestAltered: one recorded result altered, or another module, or another end:
// the replay diverges and says where.
func TestAltered(t *testing.T) {
	l := newLab(t)
	m := program(0, "text")
	for _, tc := range []struct {
		name   string
		at     uint64
		alter  func(*abi.Call)
		end    func(*trace.End)
		module []byte
		call   uint64
		what   string
	}{
		{name: "random byte", at: 0, alter: func(c *abi.Call) { c.Out[3] ^= 1 }, call: 2, what: "bytes handed"},
		{name: "read byte", at: 1, alter: func(c *abi.Call) { c.Out[0] = 'I' }, call: 4, what: "memory"},
		{name: "read length", at: 1, alter: func(c *abi.Call) { c.SetU32(0, 4) }, call: 4, what: "memory"},
		{name: "errno", at: 0, alter: func(c *abi.Call) { c.Errno = abi.EIO }, call: 2, what: "bytes handed"},
		{name: "argument", at: 2, alter: func(c *abi.Call) { c.Args[0] = 2 }, call: 2, what: "argument fd"},
		{name: "another exit code", module: program(9, "text"), call: 3, what: "argument rval"},
		{name: "another text", module: program(0, "texu"), call: 2, what: "bytes handed"},
		{name: "another program", module: wasmtest.Guests()["hello"], call: 0, what: "another call"},
		{name: "a program that ends at once", module: wasmtest.Guests()["trap"], call: 0, what: "ended after 0 calls"},
		{name: "a program that goes on", module: wasmtest.Guests()["yield"], call: 0, what: "another call"},
		{name: "a program that computes for ever", module: wasmtest.Guests()["loop"], call: 0, what: "computes beyond tick"},
		{name: "recorded outcome", end: func(e *trace.End) { e.Outcome = abi.OutcomeTrap; e.Trap = "unreachable" }, call: 4, what: "outcome"},
		{name: "recorded exit code", end: func(e *trace.End) { e.Exit = 1 }, call: 4, what: "exit code"},
		{name: "recorded fuel", end: func(e *trace.End) { e.Fuel++ }, call: 4, what: "fuel"},
		{name: "recorded limits", end: func(e *trace.End) { e.Reached = abi.LimitMemory }, call: 4, what: "limits"},
		{name: "recorded state", end: func(e *trace.End) { e.State[0] ^= 1 }, call: 4, what: "memory or globals"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := &lab{t: t, e: l.e, kek: l.kek}
			r, _ := l.record(m, tc.at, tc.alter, tc.end)
			module := tc.module
			if module == nil {
				module = m
			}
			res, _ := l.replay(r, module)
			if res.Identical || res.Divergence == nil || res.Recorded == res.Replayed {
				t.Fatalf("%+v", res)
			}
			if res.Divergence.Call != tc.call || !strings.Contains(res.Divergence.What, tc.what) {
				t.Errorf("diverged at call %d: %s; want call %d: %s", res.Divergence.Call, res.Divergence.What, tc.call, tc.what)
			}
		})
	}
}
