package compile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/box"
	"github.com/forgeone/forgeone/internal/rewrite"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/wasm"
	"github.com/forgeone/forgeone/internal/wasmtest"
)

func TestMain(m *testing.M) {
	box.Main(Jobs()...)
	os.Exit(m.Run())
}

// played is a child that plays: it works for a while, and counts how many do.
type played struct {
	mu      sync.Mutex
	done    chan struct{}
	end     box.End
	cpu     time.Duration
	need    time.Duration
	paused  bool
	ended   bool
	working *atomic.Int32
}

func (p *played) tick() {
	for range time.Tick(time.Millisecond) {
		p.mu.Lock()
		if !p.paused && !p.ended {
			p.cpu += 10 * time.Millisecond // ten times faster than life
			if p.cpu >= p.need {
				p.over(p.end)
			}
		}
		ended := p.ended
		p.mu.Unlock()
		if ended {
			return
		}
	}
}

func (p *played) over(e box.End) {
	if !p.ended {
		if !p.paused {
			p.working.Add(-1)
		}
		p.ended, p.end = true, e
		p.end.CPU = p.cpu
		close(p.done)
	}
}

func (p *played) set(paused bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.paused != paused && !p.ended {
		p.paused = paused
		p.working.Add(map[bool]int32{true: -1, false: 1}[paused])
	}
}

func (p *played) Pause()                { p.set(true) }
func (p *played) Continue()             { p.set(false) }
func (p *played) Done() <-chan struct{} { return p.done }
func (p *played) CPU() time.Duration    { p.mu.Lock(); defer p.mu.Unlock(); return p.cpu }
func (p *played) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over(box.End{Cause: box.CauseKilled})
}

func (p *played) Wait() box.End { <-p.done; return p.end }

// stage is a folder in which played children compile.
type stage struct {
	dir             string
	working, starts atomic.Int32
	need            func(code string) (time.Duration, box.End)
}

// outside is a process's Outside.
func (s *stage) outside(deadline time.Duration) *Outside {
	o := New(Config{Queue: filepath.Join(s.dir, "queue"), Memory: 2 << 30, Deadline: deadline})
	o.most = 4
	o.start = func(t box.Task) (child, error) {
		s.starts.Add(1)
		s.working.Add(1)
		need, end := s.need(string(t.In))
		p := &played{done: make(chan struct{}), need: need, end: end, working: &s.working}
		go p.tick()
		return p, nil
	}
	return o
}

func jobOf(code, owner string) wasm.Job {
	return wasm.Job{Code: []byte(code), Digest: seal.Sum("test", []byte(code)), Owner: owner}
}

func done(got *[]byte) func([]byte, error) error {
	return func(b []byte, err error) error { *got = b; return err }
}

// TestTwoAtATime: of many, in many processes, two work at the same time; short ones
// don't wait for long ones.
func TestTwoAtATime(t *testing.T) {
	s := &stage{dir: t.TempDir(), need: func(code string) (time.Duration, box.End) {
		need := 200 * time.Millisecond
		if strings.HasPrefix(code, "long") {
			need = 30 * time.Second
		}
		return need, box.End{Cause: box.CauseDone, Answer: []byte(code)}
	}}
	stop := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				if n := s.working.Load(); n > places {
					t.Errorf("%d work at the same time", n)
				}
			}
		}
	})
	var long, short sync.WaitGroup
	var ended atomic.Bool
	for i := range 3 {
		long.Go(func() {
			var got []byte
			if err := s.outside(time.Hour).Compile(t.Context(), jobOf(fmt.Sprint("long", i), fmt.Sprint(i)), done(&got)); err != nil || string(got) != fmt.Sprint("long", i) {
				t.Errorf("%q %v", got, err)
			}
			ended.Store(true)
		})
	}
	time.Sleep(100 * time.Millisecond)
	for i := range 10 {
		short.Go(func() {
			var got []byte
			if err := s.outside(time.Hour).Compile(t.Context(), jobOf(fmt.Sprint("short", i), "owner"), done(&got)); err != nil || string(got) != fmt.Sprint("short", i) {
				t.Errorf("%q %v", got, err)
			}
		})
	}
	short.Wait()
	if ended.Load() {
		t.Error("short ones waited for a long one")
	}
	long.Wait()
	close(stop)
	watch.Wait()
}

// TestOnce: what twenty want at once is compiled once; the others are told to look.
func TestOnce(t *testing.T) {
	s := &stage{dir: t.TempDir(), need: func(code string) (time.Duration, box.End) {
		return time.Second, box.End{Cause: box.CauseDone, Answer: []byte(code)}
	}}
	var all sync.WaitGroup
	var first, told atomic.Int32
	var cache atomic.Bool
	for range 20 {
		all.Go(func() {
			job := jobOf("one", "owner")
			job.Changed = cache.Load
			switch err := s.outside(time.Hour).Compile(t.Context(), job, func(b []byte, err error) error {
				cache.Store(err == nil && string(b) == "one")
				return err
			}); {
			case err == nil:
				first.Add(1)
			case errors.Is(err, wasm.ErrElsewhere):
				told.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if s.starts.Load() != 1 || first.Load() != 1 || told.Load() != 19 || !cache.Load() {
		t.Errorf("%d compiled, %d were told", first.Load(), told.Load())
	}
}

// TestHandedOn: where the one that compiles is called off, another that wants the same
// goes on in its place, and does not stand behind those that came later.
func TestHandedOn(t *testing.T) {
	s := &stage{dir: t.TempDir(), need: func(code string) (time.Duration, box.End) {
		return time.Second, box.End{Cause: box.CauseDone, Answer: []byte(code)}
	}}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	job := jobOf("one", "owner")
	job.Changed = func() bool { return false }
	compile := func(ctx context.Context, got *[]byte) chan error {
		end := make(chan error)
		go func() { end <- s.outside(time.Hour).Compile(ctx, job, done(got)) }()
		time.Sleep(30 * time.Millisecond)
		return end
	}
	var a, b []byte
	one := compile(ctx, &a)
	two := compile(t.Context(), &b)
	cancel()
	if err := <-one; !errors.Is(err, context.Canceled) || a != nil {
		t.Errorf("called off: %q %v", a, err)
	}
	if err := <-two; err != nil || string(b) != "one" || s.starts.Load() != 2 {
		t.Errorf("%q %v, %d were started", b, err, s.starts.Load())
	}
}

// TestNoFolder: the folder of the table is derived, and may be removed at any time.
func TestNoFolder(t *testing.T) {
	s := &stage{dir: filepath.Join(t.TempDir(), "home", "cache"), need: func(string) (time.Duration, box.End) { return 0, box.End{Cause: box.CauseDone} }}
	for range 2 {
		if err := s.outside(time.Hour).Compile(t.Context(), jobOf("x", "o"), func([]byte, error) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(s.dir); err != nil {
			t.Fatal(err)
		}
	}
}

// TestChanged: what was put into the cache after one looked is not compiled again.
func TestChanged(t *testing.T) {
	s := &stage{dir: t.TempDir(), need: func(string) (time.Duration, box.End) { return 0, box.End{Cause: box.CauseDone} }}
	job := jobOf("x", "o")
	job.Changed = func() bool { return true }
	if err := s.outside(time.Hour).Compile(t.Context(), job, func([]byte, error) error { return nil }); !errors.Is(err, wasm.ErrElsewhere) || s.starts.Load() != 0 {
		t.Errorf("%v, %d were started", err, s.starts.Load())
	}
	job.Changed = func() bool { return false }
	if err := s.outside(time.Hour).Compile(t.Context(), job, func([]byte, error) error { return nil }); err != nil || s.starts.Load() != 1 {
		t.Errorf("%v, %d were started", err, s.starts.Load())
	}
}

// TestCalledOff: who gives up is answered at once, whether it waits or compiles, and
// its place is free.
func TestCalledOff(t *testing.T) {
	s := &stage{dir: t.TempDir(), need: func(string) (time.Duration, box.End) { return time.Hour, box.End{} }}
	for i := range 6 {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		begun := time.Now()
		var all sync.WaitGroup
		for j := range 4 {
			all.Go(func() {
				err := s.outside(time.Hour).Compile(ctx, jobOf(fmt.Sprint(i, j), fmt.Sprint(j)), func([]byte, error) error { t.Error("told"); return nil })
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		cancel()
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
	}
	if n := s.working.Load(); n != 0 {
		t.Errorf("%d go on", n)
	}
}

// TestFailures: each end is told with its code; what another attempt would meet too
// lasts, and what the machine did does not.
func TestFailures(t *testing.T) {
	for name, tc := range map[string]struct {
		end   box.End
		need  time.Duration
		code  abi.Code
		lasts bool
	}{
		"memory":   {box.End{Cause: box.CauseMemory}, 0, abi.CodeCompileMemory, true},
		"answer":   {box.End{Cause: box.CauseAnswer}, 0, abi.CodeCompileMemory, true},
		"time":     {box.End{Cause: box.CauseCPU}, 0, abi.CodeCompileDeadline, true},
		"deadline": {box.End{}, time.Hour, abi.CodeCompileDeadline, true},
		"crash":    {box.End{Cause: box.CauseCrash, Text: "panic: x"}, 0, abi.CodeCompileFailed, true},
		"breach":   {box.End{Cause: box.CauseBreach}, 0, abi.CodeCompileFailed, true},
		"machine":  {box.End{Cause: box.CauseMachine}, 0, "F1-RUN-167", false},
		"walls":    {box.End{Cause: box.CauseWalls, Text: "no filter"}, 0, "F1-RUN-169", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := &stage{dir: t.TempDir(), need: func(string) (time.Duration, box.End) { return tc.need, tc.end }}
			var lasting *wasm.Lasting
			err := s.outside(300*time.Millisecond).Compile(t.Context(), jobOf("x", "o"), func(_ []byte, err error) error { return err })
			if abi.CodeOf(err) != tc.code || errors.As(err, &lasting) != tc.lasts {
				t.Errorf("%v, lasts: %v", err, lasting)
			}
			var e *abi.Error
			if !errors.As(err, &e) || e.Hint == "" {
				t.Error("no hint")
			}
		})
	}
	// A deadline that passed while the machine did other things says nothing.
	o := New(Config{Memory: 1 << 30, Deadline: time.Minute})
	var lasting *wasm.Lasting
	if err := o.failed(box.End{Cause: box.CauseKilled, CPU: time.Second}, true); errors.As(err, &lasting) || abi.CodeOf(err) != abi.CodeCompileDeadline {
		t.Errorf("%v", err)
	}
}

// TestTable: a table that can't be used is an error, and no way around it.
func TestTable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"a file for its folder": filepath.Join(file, "queue"), "a folder": t.TempDir()} {
		o := New(Config{Queue: path, Memory: 1 << 30})
		if err := o.Compile(t.Context(), jobOf("x", "o"), func([]byte, error) error { return nil }); abi.CodeOf(err) != "F1-RUN-165" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// real has a real box compile a module.
func real(t *testing.T, module []byte, memory uint64, deadline time.Duration) error {
	t.Helper()
	code, _, err := rewrite.Rewrite(module, rewrite.DefaultCaps())
	if err != nil {
		t.Fatal(err)
	}
	b, err := box.New("")
	if err != nil {
		t.Fatal(err)
	}
	o := New(Config{Box: b, Queue: filepath.Join(t.TempDir(), "queue"), Memory: memory, Deadline: deadline})
	e := wasm.New(nil, o)
	defer e.Close(context.Background())
	_, err = e.Compile(t.Context(), wasm.Job{Code: code, Digest: seal.Sum("test", code), Owner: "test"})
	return err
}

// TestBombs compiles what takes a compiler's time or memory, in small boxes: each ends
// within its limits, or compiles.
func TestBombs(t *testing.T) {
	if testing.Short() {
		t.Skip("a box's memory is no place for the race detector's")
	}
	bombs := wasmtest.Bombs()
	for name, bomb := range bombs {
		t.Run(name, func(t *testing.T) {
			begun := time.Now()
			err := real(t, bomb(), 128<<20, time.Second)
			var lasting *wasm.Lasting
			switch abi.CodeOf(err) {
			case "", abi.CodeCompileDeadline: // which a busy machine comes to as well
			case abi.CodeCompileMemory:
				if !errors.As(err, &lasting) {
					t.Error("it is to be tried again")
				}
			default:
				t.Error(err)
			}
			if took := time.Since(begun); took > 20*time.Second {
				t.Errorf("it took %v", took)
			}
			t.Logf("%v: %v", time.Since(begun), err)
		})
	}
	if len(bombs) < 10 {
		t.Errorf("%d bombs", len(bombs))
	}
}

// TestSoakBombs does the same in boxes of the default size.
func TestSoakBombs(t *testing.T) {
	if os.Getenv("FORGEONE_SOAK") == "" {
		t.Skip("minutes long: make soak")
	}
	for name, bomb := range wasmtest.Bombs() {
		t.Run(name, func(t *testing.T) {
			begun := time.Now()
			err := real(t, bomb(), 2<<30, 2*time.Minute)
			if err != nil && abi.CodeOf(err) != abi.CodeCompileMemory && abi.CodeOf(err) != abi.CodeCompileDeadline {
				t.Error(err)
			}
			t.Logf("%v: %v", time.Since(begun), err)
		})
	}
}

// TestReal: guests compile, with code that is the same as without a box.
func TestReal(t *testing.T) {
	if testing.Short() {
		t.Skip("a box's memory is no place for the race detector's")
	}
	for name, module := range wasmtest.Guests() {
		code, _, err := rewrite.Rewrite(module, rewrite.DefaultCaps())
		if err != nil {
			continue // not to be admitted
		}
		b, err := box.New("")
		if err != nil {
			t.Fatal(err)
		}
		o := New(Config{Box: b, Queue: filepath.Join(t.TempDir(), "queue"), Memory: 1 << 30, Deadline: time.Minute})
		for _, kind := range []wasm.Kind{wasm.Compiler, wasm.Interpreter} {
			var here bytes.Buffer
			if err := wasm.Child(kind.String(), bytes.NewReader(code), &here); err != nil {
				t.Fatal(err)
			}
			var there []byte
			if err := o.Compile(t.Context(), wasm.Job{Kind: kind, Code: code, Digest: seal.Sum("test", code)}, done(&there)); err != nil || !bytes.Equal(there, here.Bytes()) {
				t.Errorf("%s: %v, %d and %d bytes", name, err, len(there), here.Len())
			}
		}
	}
}
