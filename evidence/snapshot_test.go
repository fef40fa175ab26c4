package evidence

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/sys"
	"github.com/forgeone/forgeone/internal/sys/faultfs"
)

// keeping is a Snapshotter that remembers a number for every record: those of
// the snapshot stay in its pages.
type keeping struct {
	mu       sync.Mutex
	pages    Pages
	base     uint64
	late     []uint64
	followed int // records that came by Follow
	refuse   string
}

func (f *keeping) Follow(index uint64, r abi.Record) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if index != f.base+uint64(len(f.late)) {
		return fmt.Errorf("record %d came as number %d", index, f.base+uint64(len(f.late)))
	}
	f.late = append(f.late, uint64(r.Kind)<<32|index)
	f.followed++
	if u, ok := r.Body.(*abi.PackageUninstall); ok && f.refuse != "" && u.Name == f.refuse {
		return errTest
	}
	return nil
}

func (f *keeping) Reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pages, f.base, f.late = nil, 0, nil
}

func (f *keeping) Fresh() Snapshotter { return &keeping{} }

func (f *keeping) Become(fresh Snapshotter) {
	x := fresh.(*keeping)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pages, f.base, f.late = x.pages, x.base, x.late
	f.followed += x.followed
}

func (f *keeping) Snapshot() (*Snapshot, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	old, base, late := f.pages, f.base, slices.Clone(f.late)
	size := base + uint64(len(late))
	write := func(put func([]byte) error) error {
		var b []byte
		for i := range size {
			n, err := keptNumber(old, base, late, i)
			if err != nil {
				return err
			}
			if b = binary.LittleEndian.AppendUint64(b, n); len(b) == PageSize || i == size-1 {
				if err := put(b); err != nil {
					return err
				}
				b = b[:0]
			}
		}
		return nil
	}
	const each = PageSize / 8
	return &Snapshot{Size: size, Head: binary.LittleEndian.AppendUint64(nil, size), Pages: (size + each - 1) / each, Write: write}, nil
}

func keptNumber(old Pages, base uint64, late []uint64, i uint64) (uint64, error) {
	if i >= base {
		return late[i-base], nil
	}
	b, err := old.Page(i / (PageSize / 8))
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b[i%(PageSize/8)*8:]), nil
}

func (f *keeping) Restore(head []byte, pages Pages) (uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(head) != 8 {
		return 0, errTest
	}
	f.pages, f.base, f.late = pages, binary.LittleEndian.Uint64(head), nil
	return f.base, nil
}

// all returns the numbers of all records.
func (f *keeping) all(t testing.TB) (list []uint64) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.base + uint64(len(f.late)) {
		n, err := keptNumber(f.pages, f.base, f.late, i)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, n)
	}
	return list
}

// warnings collects what a log was warned of.
type warnings struct {
	mu   sync.Mutex
	list []error
}

func (w *warnings) warn(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, err)
}

func (w *warnings) codes() (cs []abi.Code) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.list {
		cs = append(cs, abi.CodeOf(e))
	}
	return cs
}

// stateKey is the same in every process of a test.
func stateKey() seal.Key { return seal.Key{7} }

// keepIn returns o with a state file beside its folder and a follower of its own.
func keepIn(o Options) (Options, *keeping, *warnings) {
	f, w := &keeping{}, &warnings{}
	o.Follower = f
	o.Snapshot = &SnapshotOptions{Path: filepath.Join(filepath.Dir(o.Dir), "state"), Key: stateKey(), Warn: w.warn, Every: 16}
	return o, f, w
}

// many appends n records in batches of their own.
func many(t testing.TB, l *Log, n int) {
	t.Helper()
	for i := range n {
		add(t, l, runEnd(i))
	}
}

// whole folds the log anew, without a snapshot.
func whole(t testing.TB, o Options) []uint64 {
	t.Helper()
	f := &keeping{}
	o.Follower, o.Snapshot = f, nil
	l := openLog(t, o)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return f.all(t)
}

// withState makes a log of about n records with a state file.
func withState(t testing.TB, n int, change ...func(*Options)) Options {
	t.Helper()
	o, _, w := keepIn(newLog(t, change...))
	l := openLog(t, o)
	many(t, l, n)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if len(w.codes()) != 0 {
		t.Fatal(w.list)
	}
	if _, err := os.Stat(o.Snapshot.Path); err != nil {
		t.Fatal(err)
	}
	return o
}

// check opens a log, and checks that the follower has the same state as
// without a snapshot.
func check(t testing.TB, o Options) (Opening, []abi.Code) {
	t.Helper()
	want := whole(t, o)
	o, f, w := keepIn(o)
	l := openLog(t, o)
	if got := f.all(t); !reflect.DeepEqual(got, want) {
		t.Fatalf("the follower knows %d records, there are %d", len(got), len(want))
	}
	op := l.Opening()
	if op.Snapshot+op.Folded != uint64(len(want)) || uint64(f.followed) < op.Folded {
		t.Fatalf("%+v of %d records, %d followed", op, len(want), f.followed)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return op, w.codes()
}

// Opening folds what came after the snapshot, in whatever segment that stands,
// and goes on appending from there.
func TestSnapshotOpensTheTail(t *testing.T) {
	o := withState(t, 300, small)
	for round := range 4 {
		op, warned := check(t, o)
		if op.Snapshot < 300 || op.Folded > 16+8 || len(warned) != 0 || op.Unusable != nil {
			t.Fatalf("round %d: %+v, %v", round, op, warned)
		}
		o, f, _ := keepIn(o)
		l := openLog(t, o)
		many(t, l, 7)
		if f.followed > 16+8+7 {
			t.Fatalf("%d records were folded", f.followed)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		mustVerify(t, o)
	}
}

// A long life writes snapshots without being closed; a killed process leaves them.
func TestSnapshotWhileOpen(t *testing.T) {
	o, _, w := keepIn(newLog(t))
	l := openLog(t, o)
	for i := 0; i < 100; i++ {
		many(t, l, 20)
		if k, err := readState(sys.OS{}, o.Snapshot.Path, o.Snapshot.Key); err == nil {
			if k.head.Size > l.Size() {
				t.Fatal("the snapshot is ahead of what is durable")
			}
			break
		}
	}
	copied := o
	copied.Dir = filepath.Join(t.TempDir(), "log")
	if err := os.CopyFS(copied.Dir, os.DirFS(o.Dir)); err != nil {
		t.Fatal(err)
	}
	copyFile(t, o.Snapshot.Path, filepath.Join(filepath.Dir(copied.Dir), "state"))
	if op, _ := check(t, copied); op.Snapshot == 0 {
		t.Errorf("%+v, %v", op, w.codes())
	}
}

func copyFile(t testing.TB, from, to string) { writeFile(t, to, readFile(t, from)) }

func TestSnapshotDeletedOldForeign(t *testing.T) {
	t.Parallel()
	o := withState(t, 40)
	path := o.Snapshot.Path
	old := readFile(t, path)
	l := openLog(t, o2(keepIn(o)))
	many(t, l, 40)
	_ = l.Close()
	if bytes.Equal(old, readFile(t, path)) {
		t.Fatal("no newer snapshot")
	}
	t.Run("old", func(t *testing.T) {
		writeFile(t, path, old)
		op, warned := check(t, o)
		if op.Snapshot == 0 || op.Snapshot > 60 || op.Folded < 30 || len(warned) != 0 {
			t.Errorf("%+v %v", op, warned)
		}
		if op, _ := check(t, o); op.Folded > 8 {
			t.Errorf("it was not written anew: %+v", op)
		}
	})
	t.Run("deleted", func(t *testing.T) {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if op, warned := check(t, o); op.Snapshot != 0 || op.Unusable != nil || len(warned) != 0 {
			t.Errorf("%+v %v", op, warned)
		}
		if op, _ := check(t, o); op.Snapshot == 0 {
			t.Error("it was not written anew")
		}
	})
	for name, change := range map[string]func(o *Options){
		"another state folder's": func(o *Options) { o.Snapshot.Key = seal.Key{8} },
		"another log's":          func(o *Options) { o.Origin = "elsewhere" },
		"a fifo":                 nil,
	} {
		t.Run(name, func(t *testing.T) {
			if change == nil {
				_ = os.Remove(path)
				if err := syscall.Mkfifo(path, 0o600); err != nil {
					t.Fatal(err)
				}
			} else {
				other := Options{Dir: filepath.Join(t.TempDir(), "log"), Key: o.Key}
				made := other
				if name == "another log's" {
					change(&made)
				}
				if err := Create(made); err != nil {
					t.Fatal(err)
				}
				made, _, _ = keepIn(made)
				if name != "another log's" {
					change(&made)
				}
				l := openLog(t, made)
				many(t, l, 40)
				_ = l.Close()
				copyFile(t, made.Snapshot.Path, path)
			}
			o := o
			o.Origin = DefaultOrigin(o.Key.Public())
			op, warned := check(t, o)
			if op.Snapshot != 0 || abi.CodeOf(op.Unusable) != CodeState || !slices.Contains(warned, CodeState) {
				t.Errorf("%+v %v", op, warned)
			}
			if op, warned := check(t, o); op.Snapshot == 0 || len(warned) != 0 {
				t.Errorf("afterwards: %+v %v", op, warned)
			}
		})
	}
}

func o2(o Options, _ *keeping, _ *warnings) Options { return o }

// A byte that was changed anywhere is noticed: at opening before the pages, in
// them when they are read; and the follower never sees a wrong answer.
func TestSnapshotEdited(t *testing.T) {
	t.Parallel()
	o := withState(t, 1200)
	path := o.Snapshot.Path
	good := readFile(t, path)
	k, err := readState(sys.OS{}, path, o.Snapshot.Key)
	if err != nil || k.pages.n < 3 {
		t.Fatal(k, err)
	}
	at := int(k.pages.at)
	try := func(name string, b []byte, paged bool) {
		writeFile(t, path, b)
		op, warned := check(t, o)
		if !slices.Contains(warned, CodeState) || paged != (op.Snapshot > 0) {
			t.Fatalf("%s: %+v %v", name, op, warned)
		}
		if op, warned := check(t, o); op.Snapshot == 0 || len(warned) != 0 {
			t.Fatalf("%s, afterwards: %+v %v", name, op, warned)
		}
	}
	end := stateHeader + int(binary.LittleEndian.Uint32(good[sHead:])) + stateTag
	for _, i := range []int{0, 7, sVersion, sPage, sLabel, sLabel + 31, sSize, sPages, sHead, sHead + 3, 70, 127, stateHeader, stateHeader + 1, 300, end - stateTag - 1, end - stateTag, end - 1} {
		try(fmt.Sprint("byte ", i), edit(good, i), false)
	}
	for _, i := range []int{at, at + 17, at + PageSize - 1, at + PageSize, at + pageBytes - 1, at + pageBytes, len(good) - 1} {
		try(fmt.Sprint("byte ", i), edit(good, i), true)
	}
	swapped := slices.Clone(good)
	copy(swapped[at:], good[at+pageBytes:at+2*pageBytes])
	copy(swapped[at+pageBytes:], good[at:at+pageBytes])
	try("pages swapped", swapped, true)
	for _, n := range []int{0, 1, stateHeader, end, at, len(good) - 1, len(good) - pageBytes} {
		try(fmt.Sprint("cut to ", n), good[:n], false)
	}
	try("longer", append(slices.Clone(good), 0), false)
	// (Behind the head's tag up to the pages are zeros that nobody reads.)
}

func edit(b []byte, i int) []byte {
	b = slices.Clone(b)
	b[i] ^= 1
	return b
}

// A file that is cut off under a running process is made again from the log.
func TestSnapshotCutWhileOpen(t *testing.T) {
	o := withState(t, 1200)
	want := whole(t, o)
	o, f, w := keepIn(o)
	l := openLog(t, o)
	if err := os.Truncate(o.Snapshot.Path, 5000); err != nil {
		t.Fatal(err)
	}
	if got := f.all(t); !reflect.DeepEqual(got, want) || !slices.Contains(w.codes(), CodeState) {
		t.Fatalf("%d records, %v", len(got), w.codes())
	}
	_ = l.Close()
	if op, warned := check(t, o); op.Snapshot == 0 || len(warned) != 0 {
		t.Errorf("%+v %v", op, warned)
	}
}

// A log that lacks what the snapshot was made of is refused, whoever opens it,
// until somebody deletes the snapshot.
func TestSnapshotLogRolledBack(t *testing.T) {
	t.Parallel()
	for name, roll := range map[string]func(t *testing.T, o Options, old string){
		"an older copy": func(t *testing.T, o Options, old string) {
			if err := os.RemoveAll(o.Dir); err != nil {
				t.Fatal(err)
			}
			if err := os.CopyFS(o.Dir, os.DirFS(old)); err != nil {
				t.Fatal(err)
			}
		},
		"records cut off": func(t *testing.T, o Options, _ string) {
			list, _ := filepath.Glob(filepath.Join(o.Dir, "*.seg"))
			b := readFile(t, list[len(list)-1])
			at, end := frames(t, b)
			clear(b[at[2]:end])
			writeFile(t, list[len(list)-1], b)
		},
		"the last segment": func(t *testing.T, o Options, _ string) {
			list, _ := filepath.Glob(filepath.Join(o.Dir, "*.seg"))
			_ = os.Remove(list[len(list)-1])
		},
		"a middle segment": func(t *testing.T, o Options, _ string) { _ = os.Remove(segment(o, 1)) },
		"made anew": func(t *testing.T, o Options, _ string) {
			_ = os.RemoveAll(o.Dir)
			if err := Create(o); err != nil {
				t.Fatal(err)
			}
		},
		"grown anew": func(t *testing.T, o Options, _ string) {
			_ = os.RemoveAll(o.Dir)
			if err := Create(o); err != nil {
				t.Fatal(err)
			}
			o.Snapshot = nil
			o.Follower = nil
			l := openLog(t, o)
			many(t, l, 400)
			_ = l.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			o, _, _ := keepIn(newLog(t, small))
			l := openLog(t, o)
			many(t, l, 60)
			_ = l.Close()
			old := filepath.Join(t.TempDir(), "old")
			if err := os.CopyFS(old, os.DirFS(o.Dir)); err != nil {
				t.Fatal(err)
			}
			o, _, _ = keepIn(o)
			o.Snapshot.Every = 1
			l = openLog(t, o)
			many(t, l, 200)
			_ = l.Close()
			roll(t, o, old)
			before := readFile(t, o.Snapshot.Path)
			for range 2 {
				o, f, _ := keepIn(o)
				_, err := Open(o)
				wantCode(t, err, CodeRolledBack)
				if f.followed != 0 {
					t.Error("records were folded")
				}
				reader := o
				reader.Key, reader.Keys = nil, []PublicKey{o.Key.Public()}
				_, err = Open(reader)
				wantCode(t, err, CodeRolledBack)
			}
			if !bytes.Equal(before, readFile(t, o.Snapshot.Path)) {
				t.Error("the snapshot was changed")
			}
			if name == "a middle segment" {
				return // damaged for good
			}
			_ = os.Remove(o.Snapshot.Path)
			check(t, o)
		})
	}
}

// The follower's state comes back from the snapshot after a refusal and after a
// write that failed.
func TestSnapshotRefold(t *testing.T) {
	o := withState(t, 300)
	o, f, _ := keepIn(o)
	f.refuse = "refused"
	p := &plan{fault: faultfs.Fault{Err: syscall.EIO}}
	o.FS = faultfs.New(sys.OS{}, p.hook)
	l := openLog(t, o)
	add(t, l, uninstall("fine"))
	f.followed = 0
	_, err := l.Update(context.Background(), func() ([]abi.Record, error) { return []abi.Record{uninstall("refused")}, nil })
	wantCode(t, err, CodeRefused)
	want := whole(t, o)
	if got := f.all(t); !reflect.DeepEqual(got, want) || f.followed > 30 {
		t.Fatalf("%d of %d records after a refusal, %d followed", len(got), len(want), f.followed)
	}
	p.mu.Lock()
	p.armed, p.n = true, 1
	p.mu.Unlock()
	_, err = l.Update(context.Background(), func() ([]abi.Record, error) { return []abi.Record{uninstall("lost")}, nil })
	wantCode(t, err, CodeIO)
	if got := f.all(t); !reflect.DeepEqual(got, want) {
		t.Fatalf("%d of %d records after a failed write", len(got), len(want))
	}
}

// What goes wrong with the state file is told, and nothing else happens.
func TestSnapshotWriteFails(t *testing.T) {
	t.Parallel()
	for _, op := range []faultfs.Op{faultfs.OpCreate, faultfs.OpWrite, faultfs.OpSync, faultfs.OpRename, faultfs.OpSyncDir} {
		t.Run(string(op), func(t *testing.T) {
			o, _, w := keepIn(newLog(t))
			o.FS = faultfs.New(sys.OS{}, func(got faultfs.Op, path string, size int) faultfs.Fault {
				ours := strings.HasPrefix(filepath.Base(path), "state") || got == faultfs.OpSyncDir && path == filepath.Dir(o.Dir)
				if got == op && ours {
					return faultfs.Fault{Err: syscall.ENOSPC, Short: size / 2}
				}
				return faultfs.Fault{}
			})
			l := openLog(t, o)
			many(t, l, 40)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(w.codes(), CodeStateWrite) {
				t.Fatalf("nobody was told: %v", w.codes())
			}
			if _, err := os.Stat(o.Snapshot.Path + stateTmp); err == nil {
				t.Error("half a file is left")
			}
			o.FS = nil
			mustVerify(t, o)
			check(t, o)
		})
	}
}

// TestSnapshotKilled: processes are killed while they do nothing but write
// snapshots; what they leave is never wrong, and is cleared away.
func TestSnapshotKilled(t *testing.T) {
	if dir := os.Getenv("F1_TEST_SNAPSHOTS"); dir != "" {
		o, _, _ := keepIn(Options{Dir: dir, Key: testKey(t)})
		o.Snapshot.Every = 1
		l := openLog(t, o)
		for {
			many(t, l, 1)
		}
	}
	if testing.Short() {
		t.Skip("starts processes")
	}
	t.Parallel()
	o := withState(t, 2000)
	for i := range 8 {
		var procs []*exec.Cmd
		for range 2 {
			c := exec.Command(os.Args[0], "-test.run=^TestSnapshotKilled$")
			c.Env = append(os.Environ(), "F1_TEST_SNAPSHOTS="+o.Dir)
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			procs = append(procs, c)
		}
		time.Sleep(time.Duration(60+37*i) * time.Millisecond)
		for _, c := range procs {
			_ = c.Process.Kill()
			_ = c.Wait()
		}
		if op, warned := check(t, o); op.Snapshot == 0 || len(warned) != 0 {
			t.Fatalf("round %d: %+v %v", i, op, warned)
		}
	}
	writeFile(t, o.Snapshot.Path+stateTmp, []byte("half"))
	o, _, _ = keepIn(o)
	l := openLog(t, o)
	many(t, l, 200)
	_ = l.Close()
	if _, err := os.Stat(o.Snapshot.Path + stateTmp); err == nil {
		t.Error("what a killed process left is still there")
	}
}

// Two that have the log open write snapshots in turn; a newer one stays.
func TestSnapshotNewerStays(t *testing.T) {
	o := withState(t, 40)
	a := openLog(t, o2(keepIn(o)))
	many(t, a, 100)
	b := openLog(t, o2(keepIn(o)))
	many(t, b, 100)
	_ = b.Close()
	k, err := readState(sys.OS{}, o.Snapshot.Path, o.Snapshot.Key)
	if err != nil {
		t.Fatal(err)
	}
	_ = a.Close() // it knows less
	again, err := readState(sys.OS{}, o.Snapshot.Path, o.Snapshot.Key)
	if err != nil || again.head.Size < k.head.Size {
		t.Fatalf("%d records after %d: %v", again.head.Size, k.head.Size, err)
	}
	check(t, o)
}

func TestSnapshotOptions(t *testing.T) {
	o := newLog(t)
	o.Snapshot = &SnapshotOptions{Path: "x"}
	o.Follower = &fold{}
	_, err := Open(o)
	wantCode(t, err, CodeUsage)
	o.Follower, o.Snapshot.Path = &keeping{}, ""
	_, err = Open(o)
	wantCode(t, err, CodeUsage)
	// Readers use a snapshot and write none.
	o = withState(t, 40)
	o, f, _ := keepIn(o)
	o.Key, o.Keys, o.Snapshot.Every = nil, []PublicKey{o.Key.Public()}, 1
	was := readFile(t, o.Snapshot.Path)
	l := openLog(t, o)
	if l.Opening().Snapshot == 0 || len(f.all(t)) != int(l.Size()) {
		t.Errorf("%+v", l.Opening())
	}
	_ = l.Close()
	if !bytes.Equal(was, readFile(t, o.Snapshot.Path)) {
		t.Error("a reader wrote")
	}
}

// Every field of the chain is kept or made anew.
func TestSnapshotCoversChain(t *testing.T) {
	want := []string{"h", "origin", "tree", "time", "seg", "off", "first", "prev", "sum", "root", "note", "terms", "checked", "known", "knownOf", "opened"}
	var got []string
	for i, typ := 0, reflect.TypeFor[chain](); i < typ.NumField(); i++ {
		got = append(got, typ.Field(i).Name)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the snapshot covers %q of the chain, which has %q", want, got)
	}
}

func FuzzState(f *testing.F) {
	o := withState(f, 40)
	f.Add(readFile(f, o.Snapshot.Path))
	f.Add([]byte(stateMagic))
	h := &stateHead{Size: 3, Frontier: make([]abi.Digest, 2), Terms: []stateTerm{{}}}
	b, _, err := encodeState(stateKey(), h, 0)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		h, p, err := decodeState(stateKey(), bytes.NewReader(b), int64(len(b)))
		if err != nil {
			if !errors.Is(err, errState) {
				t.Fatal(err)
			}
			return
		}
		_, _ = h.chain()
		if _, err := p.Page(0); err == nil && p.n == 0 {
			t.Fatal("a page out of nothing")
		}
	})
}
