package wasm

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/rewrite"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/wasmtest"
)

// door answers calls by a function and lets the guest run on at every tick.
type door struct {
	do    func(c *abi.Call) abi.Errno
	ticks int
	stop  int // at this tick; 0: never
}

func (d *door) Do(c *abi.Call) abi.Errno {
	c.Out = make([]byte, c.OutCap)
	return d.do(c)
}

func (d *door) Tick(int64) (int64, abi.Outcome) {
	if d.ticks++; d.ticks == d.stop {
		return 0, abi.OutcomeStopped
	}
	return 1000, abi.OutcomeNone
}

func (d *door) StringsSize(abi.Num) (int, int) { return 2, 5 }

func compile(t testing.TB, e *Engine, module []byte) *Module {
	t.Helper()
	code, _, err := rewrite.Rewrite(module, rewrite.DefaultCaps())
	if err != nil {
		t.Fatal(err)
	}
	m, err := e.Compile(t.Context(), Job{Code: code, Digest: seal.Sum("test", code)})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func engine(t testing.TB, c *Cache) *Engine {
	t.Helper()
	e := New(c, here{})
	t.Cleanup(func() { e.Close(context.Background()) })
	return e
}

// one is a guest that calls one function with constant arguments, after filling
// its page with 0xAA and putting data at 0, and stores the errno at 65532.
func one(num abi.Num, data []byte, args ...int64) []byte {
	row := abi.Lookup(num)
	imp := wasmtest.Import{Name: row.Name}
	var body [][]byte
	body = append(body, wasmtest.Const(256), wasmtest.Const(0xAA), wasmtest.Const(65536-256), wasmtest.MemoryFill, wasmtest.Const(65532))
	for i, c := range row.Core() {
		if c == 'i' {
			imp.Params = append(imp.Params, wasmtest.I32)
			body = append(body, wasmtest.Const(int32(args[i])))
		} else {
			imp.Params = append(imp.Params, wasmtest.I64)
			body = append(body, wasmtest.Const64(args[i]))
		}
	}
	imp.Results = []byte{wasmtest.I32}
	body = append(body, wasmtest.Call(0), wasmtest.Store)
	return wasmtest.Module{
		Imports: []wasmtest.Import{imp}, MinPages: 1,
		Data:  []wasmtest.Data{{Offset: 0, Bytes: data}},
		Funcs: []wasmtest.Func{{Export: "_start", Body: wasmtest.Cat(body...)}},
	}.Bytes()
}

// iovecs are pairs of pointer and length.
func iovecs(v ...uint32) (b []byte) {
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, x)
	}
	return b
}

// here compiles in the process of the test.
type here struct{}

func (here) Compile(_ context.Context, job Job, done func([]byte, error) error) error {
	var answer bytes.Buffer
	err := Child(job.Kind.String(), bytes.NewReader(job.Code), &answer)
	return done(answer.Bytes(), err)
}

// holds tells whether the cache has code of module d that authenticates.
func holds(c *Cache, d abi.Digest) bool {
	_, _, ok := c.open(d)
	return ok
}

// TestMarshal: for calls of every shape, what reaches the door, what is written
// to guest memory, byte for byte, and that a bad address performs nothing.
func TestMarshal(t *testing.T) {
	e := engine(t, nil)
	const far = 70000
	for _, tc := range []struct {
		name   string
		num    abi.Num
		data   []byte
		args   []int64
		errno  abi.Errno // expected on the way in
		check  func(t *testing.T, c *abi.Call)
		answer func(c *abi.Call)
		wrote  map[int][]byte // expected writes
	}{
		{
			name: "gather", num: abi.FdWrite, data: append(iovecs(100, 3, 200, 2), bytes.Repeat([]byte("x"), 200)...),
			args: []int64{1, 0, 2, 1000},
			check: func(t *testing.T, c *abi.Call) {
				if string(c.In) != "xxxxx" || c.Args[0] != 1 || c.Args[1] != 5 {
					t.Errorf("in %q args %v", c.In, c.Args)
				}
			},
			answer: func(c *abi.Call) { c.SetU32(0, 5) }, wrote: map[int][]byte{1000: {5, 0, 0, 0}},
		},
		{
			name: "scatter", num: abi.FdRead, data: iovecs(1000, 3, 2000, 4), args: []int64{0, 0, 2, 3000},
			check: func(t *testing.T, c *abi.Call) {
				if c.OutCap != 7 {
					t.Errorf("room for %d", c.OutCap)
				}
			},
			answer: func(c *abi.Call) { c.OutLen = copy(c.Out, "abcde"); c.SetU32(0, 5) },
			wrote:  map[int][]byte{1000: []byte("abc"), 2000: []byte("de"), 3000: {5, 0, 0, 0}},
		},
		{name: "iovec out of bounds", num: abi.FdRead, data: iovecs(1000, 3, far, 4), args: []int64{0, 0, 2, 3000}, errno: abi.EFAULT},
		{name: "iovec wraps", num: abi.FdWrite, data: iovecs(0xffffffff, 0xffffffff), args: []int64{0, 0, 1, 3000}, errno: abi.EFAULT},
		{name: "table of iovecs out of bounds", num: abi.FdRead, args: []int64{0, 65530, 2, 3000}, errno: abi.EFAULT},
		{name: "too many iovecs", num: abi.FdRead, args: []int64{0, 0, 1 << 24, 3000}, errno: abi.EINVAL},
		{name: "result out of bounds", num: abi.FdRead, data: iovecs(1000, 3), args: []int64{0, 0, 1, 65534}, errno: abi.EFAULT},
		{
			name: "an errno writes nothing", num: abi.FdRead, data: iovecs(1000, 3), args: []int64{0, 0, 1, 3000},
			answer: func(c *abi.Call) { c.Errno = abi.EIO; c.OutLen = copy(c.Out, "abc"); c.SetU32(0, 3) },
		},
		{
			name: "path", num: abi.PathUnlinkFile, data: []byte("dir/file"), args: []int64{-1, 4, 4},
			check: func(t *testing.T, c *abi.Call) {
				if c.Path[0] != "file" || c.Args[0] != 0xffffffff || c.Args[1] != 4 {
					t.Errorf("path %q args %v", c.Path[0], c.Args)
				}
			},
		},
		{name: "path too long", num: abi.PathUnlinkFile, args: []int64{3, 0, 5000}, errno: abi.ENAMETOOLONG},
		{name: "path out of bounds", num: abi.PathUnlinkFile, args: []int64{3, 65530, 10}, errno: abi.EFAULT},
		{name: "a byte too large", num: abi.FdAdvise, args: []int64{3, 0, 0, 256}, errno: abi.EINVAL},
		{name: "a short too large", num: abi.FdFdstatSetFlags, args: []int64{3, 65536}, errno: abi.EINVAL},
		{name: "buffer too large", num: abi.FdReaddir, args: []int64{3, 0, abi.MaxBuffer + 1, 0, 64}, errno: abi.EINVAL},
		{name: "buffer out of bounds", num: abi.RandomGet, args: []int64{65000, 1000}, errno: abi.EFAULT},
		{
			name: "strings", num: abi.ArgsGet, args: []int64{1000, 2000},
			answer: func(c *abi.Call) { c.OutLen = copy(c.Out, "a\x00bc\x00") },
			wrote:  map[int][]byte{1000: iovecs(2000, 2002), 2000: []byte("a\x00bc\x00")},
		},
		{name: "strings out of bounds", num: abi.ArgsGet, args: []int64{1000, 65533}, errno: abi.EFAULT},
		{
			name: "two results", num: abi.ArgsSizesGet, args: []int64{1000, 2000},
			answer: func(c *abi.Call) { c.SetU32(0, 1); c.SetU32(4, 9) }, wrote: map[int][]byte{1000: {1, 0, 0, 0}, 2000: {9, 0, 0, 0}},
		},
		{
			name: "poll", num: abi.PollOneoff, data: bytes.Repeat([]byte{7}, 96), args: []int64{0, 1000, 2, 2000},
			check: func(t *testing.T, c *abi.Call) {
				if len(c.In) != 96 || c.OutCap != 64 {
					t.Errorf("in %d, room %d", len(c.In), c.OutCap)
				}
			},
			answer: func(c *abi.Call) { c.OutLen = 32; c.Out[0] = 1; c.SetU32(0, 1) },
			wrote:  map[int][]byte{1000: append([]byte{1}, make([]byte, 31)...), 2000: {1, 0, 0, 0}},
		},
		{name: "poll out of bounds", num: abi.PollOneoff, args: []int64{0, 65500, 2, 2000}, errno: abi.EFAULT},
		{name: "poll too many", num: abi.PollOneoff, args: []int64{0, 1000, 1 << 30, 2000}, errno: abi.EINVAL},
	} {
		t.Run(tc.name, func(t *testing.T) {
			called := false
			d := &door{do: func(c *abi.Call) abi.Errno {
				called = true
				if c.Errno != tc.errno {
					t.Errorf("errno on the way in: %v, want %v", c.Errno, tc.errno)
				}
				if tc.check != nil {
					tc.check(t, c)
				}
				if tc.answer != nil && c.Errno == 0 {
					tc.answer(c)
				}
				return c.Errno
			}}
			g, ex, err := compile(t, e, one(tc.num, tc.data, tc.args...)).Run(t.Context(), d, 16)
			if err != nil || ex.Outcome != abi.OutcomeExit || !called {
				t.Fatalf("%+v %v called %v", ex, err, called)
			}
			defer g.Close(context.Background())
			want := bytes.Repeat([]byte{0xAA}, 65536)
			clear(want[:256])
			copy(want, tc.data)
			for at, b := range tc.wrote {
				copy(want[at:], b)
			}
			copy(want[65532:], iovecs(uint32(g.c.Errno)))
			if got := g.Memory(); !bytes.Equal(got, want) {
				for i := range got {
					if got[i] != want[i] {
						t.Fatalf("memory differs first at %d: %x, want %x", i, got[i], want[i])
					}
				}
			}
		})
	}
}

// TestUpperHalves: the engine leaves garbage above 32-bit values.
func TestUpperHalves(t *testing.T) {
	e := engine(t, nil)
	var got []uint64
	d := &door{do: func(c *abi.Call) abi.Errno { got = append(got, c.Args[0]); return 0 }}
	g, _, err := compile(t, e, one(abi.FdClose, nil, -5)).Run(t.Context(), d, 1)
	if err != nil {
		t.Fatal(err)
	}
	g.Close(context.Background())
	if len(got) != 1 || got[0] != 0xfffffffb {
		t.Errorf("%x", got)
	}
}

func TestStopAndTraps(t *testing.T) {
	e := engine(t, nil)
	guests := wasmtest.Guests()
	for name, want := range map[string]Exit{
		"trap":    {Outcome: abi.OutcomeTrap, Trap: "unreachable"},
		"divide":  {Outcome: abi.OutcomeTrap, Trap: "divide-by-zero"},
		"bounds":  {Outcome: abi.OutcomeTrap, Trap: "memory-out-of-bounds"},
		"recurse": {Outcome: abi.OutcomeDepth},
		"loop":    {Outcome: abi.OutcomeStopped},
	} {
		d := &door{stop: 5000}
		g, ex, err := compile(t, e, guests[name]).Run(t.Context(), d, 16)
		if err != nil {
			t.Fatal(err)
		}
		ex.Gas = 0
		if ex != want {
			t.Errorf("%s: %+v, want %+v", name, ex, want)
		}
		g.Close(context.Background())
	}
	// A fault of ours is not taken for the guest's.
	g, ex, err := compile(t, e, guests["yield"]).Run(t.Context(), &door{do: func(*abi.Call) abi.Errno { panic("a bug") }}, 16)
	if err != nil || ex.Outcome != abi.OutcomeKernel || ex.Err == nil {
		t.Errorf("a panic behind the door: %+v %v", ex, err)
	}
	g.Close(context.Background())
	if _, _, err := compile(t, e, wasmtest.Module{}.Bytes()).Run(t.Context(), &door{}, 1); abi.CodeOf(err) != "F1-MOD-101" {
		t.Errorf("no _start: %v", err)
	}
}

// TestState: the end digest sees memory, its size and globals, and nothing else.
func TestState(t *testing.T) {
	e := engine(t, nil)
	state := func(body ...[]byte) [16]byte {
		m := wasmtest.Module{MinPages: 3, MutableGlobals: 2, Funcs: []wasmtest.Func{{Export: "_start", Body: wasmtest.Cat(body...)}}}
		g, ex, err := compile(t, e, m.Bytes()).Run(t.Context(), &door{}, 16)
		if err != nil || ex.Outcome != abi.OutcomeExit {
			t.Fatal(ex, err)
		}
		defer g.Close(context.Background())
		return g.State(seal.NewMAC(seal.Key{1}))
	}
	nothing := state()
	if nothing != state(wasmtest.Const(1), wasmtest.Drop) {
		t.Error("code alone changes the state")
	}
	for name, s := range map[string][16]byte{
		"memory":      state(wasmtest.Const(70000), wasmtest.Const(1), wasmtest.Store),
		"first page":  state(wasmtest.Const(0), wasmtest.Const(1), wasmtest.Store),
		"size":        state(wasmtest.Const(1), wasmtest.MemoryGrow, wasmtest.Drop),
		"global":      state(wasmtest.Const64(1), wasmtest.GlobalSet(0)),
		"last global": state(wasmtest.Const64(1), wasmtest.GlobalSet(1)),
	} {
		if s == nothing {
			t.Errorf("%s does not show", name)
		}
	}
}

// TestCache: code comes from the cache only if it authenticates; whatever is
// wrong with an entry, the module is compiled anew and runs.
func TestCache(t *testing.T) {
	dir := t.TempDir()
	key := seal.NewKey()
	cache := NewCache(dir, key, abi.Digest{})
	module := wasmtest.Guests()["exit"]
	code, _, err := rewrite.Rewrite(module, rewrite.DefaultCaps())
	if err != nil {
		t.Fatal(err)
	}
	d := seal.Sum("test", code)
	run := func(c *Cache) {
		t.Helper()
		e := engine(t, c)
		m, err := e.Compile(t.Context(), Job{Code: code, Digest: d})
		if err != nil {
			t.Fatal(err)
		}
		exit := &door{do: func(c *abi.Call) abi.Errno { c.Stop = abi.OutcomeExit; return 0 }}
		g, ex, err := m.Run(t.Context(), exit, 16)
		if err != nil || ex.Outcome != abi.OutcomeExit || ex.Code != 7 {
			t.Fatalf("%+v %v", ex, err)
		}
		g.Close(context.Background())
	}
	run(cache)
	if !holds(cache, d) {
		t.Fatal("nothing was kept")
	}
	run(cache)
	if holds(NewCache(dir, seal.NewKey(), abi.Digest{}), d) {
		t.Error("an entry authenticates under another key")
	}
	if holds(cache, seal.Sum("test", nil)) {
		t.Error("there is code of a module that was never compiled")
	}
	path := cache.codePath(d)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(good); i += 1 + len(good)/300 {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if holds(cache, d) {
			t.Fatalf("byte %d flipped: authenticates", i)
		}
	}
	for _, bad := range [][]byte{nil, good[:20], good[:len(good)-1], append(bytes.Clone(good), 0)} {
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		run(cache)
		if !holds(cache, d) {
			t.Error("a bad entry was not replaced")
		}
	}
	// An entry under the name of another module is not that module's.
	other := seal.Sum("test", []byte("other"))
	if err := os.WriteFile(filepath.Join(dir, other.Hex()+".code"), good, 0o600); err != nil {
		t.Fatal(err)
	}
	if holds(cache, other) {
		t.Error("an entry authenticates under another module's name")
	}
}

// TestMemoryLimit: growing past the limit is refused; the module's own maximum holds too.
func TestMemoryLimit(t *testing.T) {
	e := engine(t, nil)
	var pages uint64
	d := &door{do: func(c *abi.Call) abi.Errno { pages = c.Args[0]; c.Stop = abi.OutcomeExit; return 0 }}
	m := compile(t, e, wasmtest.Guests()["grow"])
	for _, limit := range []uint32{1, 2, 100} {
		d.ticks = 0
		g, _, err := m.Run(t.Context(), d, limit)
		if err != nil {
			t.Fatal(err)
		}
		g.Close(context.Background())
		if pages != uint64(limit) {
			t.Errorf("limit %d: grew to %d", limit, pages)
		}
	}
}

func BenchmarkCall(b *testing.B) {
	e := New(nil, here{})
	defer e.Close(context.Background())
	code, _, err := rewrite.Rewrite(wasmtest.Guests()["yield"], rewrite.DefaultCaps())
	if err != nil {
		b.Fatal(err)
	}
	m, err := e.Compile(b.Context(), Job{Code: code, Digest: seal.Sum("bench", code)})
	if err != nil {
		b.Fatal(err)
	}
	n := 0
	d := &counting{n: b.N}
	b.ReportAllocs()
	b.ResetTimer()
	g, ex, err := m.Run(b.Context(), d, 16)
	if err != nil && !errors.Is(err, context.Canceled) || ex.Outcome != abi.OutcomeStopped {
		b.Fatal(ex, err, n)
	}
	g.Close(context.Background())
}

// counting stops the guest after n calls.
type counting struct{ n int }

func (d *counting) Do(c *abi.Call) abi.Errno {
	if d.n--; d.n <= 0 {
		c.Stop = abi.OutcomeStopped
	}
	return 0
}
func (d *counting) Tick(int64) (int64, abi.Outcome) { return 10_000_000, abi.OutcomeNone }
func (d *counting) StringsSize(abi.Num) (int, int)  { return 0, 0 }
