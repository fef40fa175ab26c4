package trace

import (
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/sys"
	"github.com/forgeone/forgeone/internal/sys/faultfs"
)

// record makes calls until one is refused, at most max, and returns how many
// were made and the outcome.
func record(w *Writer, max int, next func(i int) *sample) (int, abi.Outcome) {
	for i := range max {
		s := next(i)
		if out := w.Reserve(&s.c, &s.o); out != abi.OutcomeNone {
			return i, out
		}
		s.c.OutLen = copy(s.c.Out, s.out)
		w.Commit(&s.c, &s.o, s.d)
	}
	return max, abi.OutcomeNone
}

func noise(i int) *sample {
	b := make([]byte, 5000)
	x := uint64(i)*2654435761 + 1
	for j := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[j] = byte(x)
	}
	return read(3, string(b))
}

// TestLimit: the recording stops below its limit, is sealed, and holds every
// call that was made.
func TestLimit(t *testing.T) {
	for name, c := range map[string]struct {
		limit uint64
		next  func(int) *sample
		least int // calls that must fit
	}{
		"noise":         {1 << 20, noise, 150},
		"compressible":  {MinLimit + 4096, func(int) *sample { return read(3, string(make([]byte, 4096))) }, 2000},
		"small":         {MinLimit + 4096, func(int) *sample { return clock() }, 100_000},
		"large at once": {1 << 20, func(int) *sample { s := noise(1); s.c.OutCap = 1 << 20; return s }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w, path := newWriter(t, c.limit)
			n, out := record(w, 300_000, c.next)
			if n < 300_000 && out != abi.OutcomeRecordingFull || n < c.least {
				t.Fatalf("%d calls, %v", n, out)
			}
			if n < 300_000 {
				if again, out := record(w, 1, c.next); again != 0 || out != abi.OutcomeRecordingFull {
					t.Fatal("it went on")
				}
			}
			s := finish(t, w)
			st, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if s.Size > c.limit || st.Size() != int64(s.Size) {
				t.Errorf("size %d, file %d, limit %d", s.Size, st.Size(), c.limit)
			}
			if got, err := drain(open(t, path)); got != uint64(n) || err != nil {
				t.Errorf("%d of %d calls, %v", got, n, err)
			}
			t.Logf("%d calls in %d bytes", n, s.Size)
		})
	}
	_, err := Create(filepath.Join(t.TempDir(), "x"), testHeader(), testKey, MinLimit)
	code(t, err, CodeLimit)
	h := testHeader()
	h.Env = []string{string(make([]byte, maxSealed))}
	_, err = Create(filepath.Join(t.TempDir(), "x"), h, testKey, 0)
	code(t, err, CodeLimit)
	h = testHeader()
	h.Workload = "\xff"
	_, err = Create(filepath.Join(t.TempDir(), "x"), h, testKey, 0)
	code(t, err, CodeLimit)
}

// TestWriteFaults: whatever fails, no later call is made, Finish says so, no
// seal stands after a hole, and what is there reads as far as it goes.
func TestWriteFaults(t *testing.T) {
	for name, c := range map[string]struct {
		op    faultfs.Op
		err   error
		short int
		after int // operations that succeed
		want  abi.Outcome
		seal  bool
	}{
		// The header is write 1; what follows mixes blocks made ready and chunks.
		"disk full at first":  {faultfs.OpWrite, syscall.ENOSPC, 0, 1, abi.OutcomeRecordingFull, true},
		"disk full later":     {faultfs.OpWrite, syscall.ENOSPC, 77, 40, abi.OutcomeRecordingFull, false},
		"quota":               {faultfs.OpWrite, syscall.EDQUOT, 0, 25, abi.OutcomeRecordingFull, false},
		"device error":        {faultfs.OpWrite, syscall.EIO, 100, 30, abi.OutcomeLogFailed, false},
		"device error, early": {faultfs.OpWrite, syscall.EIO, 0, 1, abi.OutcomeLogFailed, false},
		"name not durable":    {faultfs.OpSyncDir, syscall.EIO, 0, 0, abi.OutcomeLogFailed, false},
	} {
		t.Run(name, func(t *testing.T) {
			var n atomic.Int64
			fsys := faultfs.New(sys.OS{}, func(op faultfs.Op, _ string, _ int) faultfs.Fault {
				if op == c.op && n.Add(1) > int64(c.after) {
					return faultfs.Fault{Err: c.err, Short: c.short}
				}
				return faultfs.Fault{}
			})
			path := filepath.Join(t.TempDir(), "x")
			w, err := create(fsys, path, testHeader(), testKey, 0, time.Millisecond)
			if err != nil {
				t.Fatal(err)
			}
			made, out := record(w, 20_000, noise)
			if out != c.want {
				t.Fatalf("after %d calls: %v, want %v", made, out, c.want)
			}
			_, err = w.Finish(End{Outcome: out})
			// Whether room ran out before or after a chunk needed it decides
			// whether all could be written; either way the file says which.
			code(t, err, CodeWrite)
			if !errors.Is(err, c.err) {
				t.Errorf("%v does not name its cause", err)
			}
			if used, err := InUse(path); used || err != nil {
				t.Error("still locked", err)
			}
			_, err = Open(path, testKey)
			code(t, err, CodeUnsealed)
			r, err := OpenTruncated(path, testKey)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if got, err := drain(r); err != nil || got > uint64(made) {
				t.Errorf("%d of %d calls, %v", got, made, err)
			}
		})
	}
}

// TestRoomIsHeld: when the disk is full for all but what has blocks already,
// the recording still ends with its seal and loses nothing.
func TestRoomIsHeld(t *testing.T) {
	var most atomic.Int64 // how far the file may grow
	most.Store(1 << 40)
	fsys := &bounded{sys.OS{}, &most}
	path := filepath.Join(t.TempDir(), "x")
	w, err := create(fsys, path, testHeader(), testKey, 0, never)
	if err != nil {
		t.Fatal(err)
	}
	if n, out := record(w, 10, noise); n != 10 {
		t.Fatal(out)
	}
	most.Store(0)
	n, out := record(w, 20_000, noise)
	if out != abi.OutcomeRecordingFull {
		t.Fatal(n, out)
	}
	if _, err := w.Finish(End{Outcome: out}); err != nil {
		t.Fatal(err)
	}
	if got, err := drain(open(t, path)); got != uint64(10+n) || err != nil {
		t.Errorf("%d of %d calls, %v", got, 10+n, err)
	}
}

// bounded is a disk on which no file gets new blocks beyond most.
type bounded struct {
	sys.FS
	most *atomic.Int64
}

func (b *bounded) Create(path string) (sys.File, error) {
	f, err := b.FS.Create(path)
	return &boundedFile{File: f, most: b.most}, err
}

type boundedFile struct {
	sys.File
	most *atomic.Int64
	size atomic.Int64
}

func (f *boundedFile) WriteAt(p []byte, off int64) (int, error) {
	end := off + int64(len(p))
	if end > f.size.Load() {
		if end > f.most.Load() {
			return 0, syscall.ENOSPC
		}
		f.size.Store(end)
	}
	return f.File.WriteAt(p, off)
}

func TestCreateFaults(t *testing.T) {
	for _, op := range []faultfs.Op{faultfs.OpCreate, faultfs.OpWrite} {
		path := filepath.Join(t.TempDir(), "x")
		fsys := faultfs.New(sys.OS{}, func(o faultfs.Op, _ string, _ int) (ft faultfs.Fault) {
			if o == op {
				ft.Err = syscall.EIO
			}
			return ft
		})
		_, err := create(fsys, path, testHeader(), testKey, 0, never)
		code(t, err, CodeWrite)
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s: something was left", op)
		}
	}
}

func TestSyncFault(t *testing.T) {
	fsys := faultfs.New(sys.OS{}, func(o faultfs.Op, _ string, _ int) (ft faultfs.Fault) {
		if o == faultfs.OpSync {
			ft.Err = syscall.EIO
		}
		return ft
	})
	w, err := create(fsys, filepath.Join(t.TempDir(), "x"), testHeader(), testKey, 0, never)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Finish(End{})
	code(t, err, CodeWrite)
}

// TestFlushWhileBlocked: a call that waits does not keep the calls before it
// from the disk, and its own output is where it belongs when it returns.
func TestFlushWhileBlocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	w, err := create(sys.OS{}, path, testHeader(), testKey, 0, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	var all []*sample
	for i := range 20 {
		clock := clock()
		clock.write(t, w)
		s := read(uint64(i), "what it waited for")
		if out := w.Reserve(&s.c, &s.o); out != abi.OutcomeNone {
			t.Fatal(out)
		}
		s.c.OutLen = copy(s.c.Out, s.out[:4])
		deadline := time.Now().Add(5 * time.Second)
		for want := uint64(2*i + 1); ; time.Sleep(time.Millisecond) {
			r, err := OpenTruncated(path, testKey)
			if err != nil {
				t.Fatal(err)
			}
			n, err := drain(r)
			r.Close()
			if err != nil {
				t.Fatal(err)
			}
			if n == want {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d calls on disk, not %d", n, want)
			}
		}
		s.c.OutLen += copy(s.c.Out[4:], s.out[4:])
		w.Commit(&s.c, &s.o, s.d)
		all = append(all, clock, s)
	}
	if _, err := w.Finish(End{}); err != nil {
		t.Fatal(err)
	}
	r := open(t, path)
	var ev Event
	for i, s := range all {
		if err := r.Next(&ev); err != nil {
			t.Fatal(err)
		}
		same(t, ev, s.want(uint64(i), r))
	}
}

// TestAccount: what is set aside is never less than what the file takes,
// however often the background flushes.
func TestAccount(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	w, err := create(sys.OS{}, path, testHeader(), testKey, 0, 20*time.Microsecond)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3000 {
		noise(i%7).write(t, w)
		if i%100 == 0 {
			w.handOver()
			w.settle()
			if w.chunk.size > w.space.used || w.space.used > w.space.room {
				t.Fatalf("call %d: file %d, set aside %d, room %d", i, w.chunk.size, w.space.used, w.space.room)
			}
		}
	}
	w.handOver()
	w.settle()
	if got := w.space.used - w.saved.Load(); got != w.chunk.size {
		t.Errorf("account says %d, the file has %d", got, w.chunk.size)
	}
	if _, err := w.Finish(End{}); err != nil {
		t.Fatal(err)
	}
	if n, err := drain(open(t, path)); n != 3000 || err != nil {
		t.Fatal(n, err)
	}
}

// TestBackPressure: while the disk hangs, memory stays bounded and the guest waits.
func TestBackPressure(t *testing.T) {
	fsys := &hanging{FS: sys.OS{}, release: make(chan struct{})}
	path := filepath.Join(t.TempDir(), "x")
	w, err := create(fsys, path, testHeader(), testKey, 0, never)
	if err != nil {
		t.Fatal(err)
	}
	var made atomic.Int64
	done := make(chan abi.Outcome)
	go func() {
		_, out := record(w, 2000, func(i int) *sample { made.Store(int64(i)); return noise(i) })
		done <- out
	}()
	for last := int64(-1); made.Load() != last; time.Sleep(50 * time.Millisecond) {
		last = made.Load()
	}
	if n := made.Load(); n < pageSize/5000 || n > (maxPages+2)*pageSize/5000 {
		t.Errorf("%d calls of 5000 bytes wait in memory", n)
	}
	close(fsys.release)
	if out := <-done; out != abi.OutcomeNone {
		t.Fatal(out)
	}
	finish(t, w)
	if n, err := drain(open(t, path)); n != 2000 || err != nil {
		t.Fatal(n, err)
	}
}

// hanging is a disk on which chunks can't be written until release is closed.
type hanging struct {
	sys.FS
	release chan struct{}
}

func (h *hanging) Create(path string) (sys.File, error) {
	f, err := h.FS.Create(path)
	return &hangingFile{f, h.release}, err
}

type hangingFile struct {
	sys.File
	release chan struct{}
}

func (f *hangingFile) WriteAt(p []byte, off int64) (int, error) {
	if p[0] == frameStored || p[0] == frameZstd {
		<-f.release
	}
	return f.File.WriteAt(p, off)
}
