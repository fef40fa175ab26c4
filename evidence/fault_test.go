package evidence

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/sys"
	"github.com/forgeone/forgeone/internal/sys/faultfs"
)

// plan makes the nth changing operation fail, in the given way.
type plan struct {
	mu    sync.Mutex
	armed bool
	n     int
	fault faultfs.Fault
	hit   string
}

func (p *plan) hook(op faultfs.Op, path string, size int) faultfs.Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch op {
	case faultfs.OpWrite, faultfs.OpSync, faultfs.OpTruncate, faultfs.OpCreate, faultfs.OpRename, faultfs.OpSyncDir:
	default:
		return faultfs.Fault{}
	}
	if !p.armed {
		return faultfs.Fault{}
	}
	if p.n--; p.n != 0 {
		return faultfs.Fault{}
	}
	p.hit = fmt.Sprint(op, " ", filepath.Base(path), " ", size)
	f := p.fault
	f.Short = min(f.Short, size)
	return f
}

// TestFaultEverywhere: each operation that changes something fails once, in
// each way, while segments fill and change. What was acknowledged is there
// afterwards, once; what was not is whole or not at all; the log verifies.
func TestFaultEverywhere(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]faultfs.Fault{
		"eio":        {Err: syscall.EIO},
		"eio after":  {Err: syscall.EIO, After: true},
		"full":       {Err: syscall.ENOSPC, Short: 700},
		"short":      {Err: syscall.EIO, Short: 300},
		"quota sync": {Err: syscall.EDQUOT, After: true},
	} {
		t.Run(name, func(t *testing.T) {
			base := newLog(t, small)
			l := openLog(t, base)
			for l.Size() < 3 || l.w.c.off+base.SegmentBytes/4+commitSpace+800 < base.SegmentBytes {
				add(t, l, uninstall("base")) // until shortly before the segment is full
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			files, hit := snapshot(t, base), map[string]bool{}
			for n := 1; ; n++ {
				p := &plan{n: n, fault: fault}
				if !faultOnce(t, base, files, p) {
					break
				}
				hit[strings.Fields(p.hit)[0]] = true
			}
			for _, op := range []faultfs.Op{faultfs.OpWrite, faultfs.OpSync, faultfs.OpTruncate, faultfs.OpCreate, faultfs.OpRename, faultfs.OpSyncDir} {
				if !hit[string(op)] {
					t.Errorf("no %s was made to fail", op)
				}
			}
		})
	}
}

// faultOnce runs one plan; false: it had nothing left to fail.
func faultOnce(t *testing.T, base Options, files map[string][]byte, p *plan) bool {
	t.Helper()
	o := base
	o.Dir = filepath.Join(t.TempDir(), "log")
	if err := os.Mkdir(o.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, b := range files {
		writeFile(t, filepath.Join(o.Dir, name), b)
	}
	clean := o
	f := &fold{}
	o.Follower, o.FS = f, faultfs.New(sys.OS{}, p.hook)
	l := openLog(t, o)
	p.mu.Lock()
	p.armed = true
	p.mu.Unlock()
	acked, failed := []string{}, map[string]error{}
	for i := range 6 {
		name := fmt.Sprintf("package %d", i)
		_, err := l.Update(context.Background(), func() ([]abi.Record, error) {
			return []abi.Record{uninstall(name), uninstall(name + " again")}, nil
		})
		if err == nil {
			acked = append(acked, name)
			continue
		}
		failed[name] = err
		wantCode(t, err, CodeIO, CodeFull, CodeStopped)
		if f.has(name) {
			t.Fatalf("%s: the follower has %q, whose transaction failed with %v", p.hit, name, err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	g := &fold{}
	clean.Follower = g
	l = openLog(t, clean)
	add(t, l, uninstall("after"))
	mustVerify(t, clean)
	count := map[string]int{}
	for _, r := range g.recs {
		if u, ok := r.Body.(*abi.PackageUninstall); ok {
			count[u.Name]++
		}
	}
	for _, name := range acked {
		if count[name] != 1 || count[name+" again"] != 1 {
			t.Fatalf("%s: acknowledged %q is there %d times", p.hit, name, count[name])
		}
	}
	for name := range failed {
		if count[name] > 1 || count[name] != count[name+" again"] {
			t.Fatalf("%s: half of %q is there", p.hit, name)
		}
	}
	if p.hit != "" && len(failed) == 0 && p.fault.Short == 0 && !p.fault.After {
		t.Fatalf("%s failed and nobody was told", p.hit)
	}
	return p.hit != ""
}

// TestFailedSync: a batch whose sync failed is gone for everybody, though the
// bytes were written.
func TestFailedSync(t *testing.T) {
	o := newLog(t)
	other := openLog(t, o)
	fail := false
	f := &fold{}
	p := o
	p.Follower = f
	p.FS = faultfs.New(sys.OS{}, func(op faultfs.Op, _ string, _ int) faultfs.Fault {
		if fail && op == faultfs.OpSync {
			fail = false // only the first: the zeros over the batch get through
			return faultfs.Fault{Err: syscall.EIO}
		}
		return faultfs.Fault{}
	})
	l := openLog(t, p)
	fail = true
	_, err := l.Update(context.Background(), func() ([]abi.Record, error) { return []abi.Record{runEnd(1)}, nil })
	wantCode(t, err, CodeIO)
	if f.len() != 1 || f.resets != 1 || l.Size() != 1 {
		t.Fatalf("state has %d records after %d resets", f.len(), f.resets)
	}
	_, err = l.Update(context.Background(), func() ([]abi.Record, error) { return []abi.Record{runEnd(1)}, nil })
	wantCode(t, err, CodeStopped)
	if first := add(t, other, runEnd(2)); first != 1 {
		t.Fatalf("first = %d", first)
	}
	mustVerify(t, o)
}

// TestFull: on a full disk transactions are refused without harm, last words
// still fit, and when there is room again everything goes on.
func TestFull(t *testing.T) {
	o := newLog(t)
	full := false
	p := o
	p.FS = faultfs.New(sys.OS{}, func(op faultfs.Op, path string, size int) faultfs.Fault {
		if full && op == faultfs.OpWrite && size == 64<<10 { // preallocation, but for its last piece
			return faultfs.Fault{Err: syscall.ENOSPC}
		}
		return faultfs.Fault{}
	})
	l := openLog(t, p)
	full = true
	var err error
	n := 0
	for ; err == nil && n < 10000; n++ {
		_, err = l.Update(context.Background(), func() ([]abi.Record, error) {
			return []abi.Record{uninstall(string(make([]byte, 20<<10)))}, nil
		})
	}
	wantCode(t, err, CodeFull)
	for range 40 {
		if _, err = l.UpdateLast(context.Background(), func() ([]abi.Record, error) { return []abi.Record{runEnd(1)}, nil }); err != nil {
			t.Fatalf("last words: %v", err)
		}
	}
	full = false
	add(t, l, runEnd(2))
	mustVerify(t, o)
}

func TestFolderGone(t *testing.T) {
	for name, harm := range map[string]func(o Options) error{
		"deleted":         func(o Options) error { return os.RemoveAll(o.Dir) },
		"moved":           func(o Options) error { return os.Rename(o.Dir, o.Dir+".old") },
		"segment deleted": func(o Options) error { return os.Remove(segment(o, 0)) },
		"lock deleted":    func(o Options) error { return os.Remove(filepath.Join(o.Dir, lockName)) },
		"counter deleted": func(o Options) error { return os.Remove(filepath.Join(o.Dir, counterName)) },
		"replaced": func(o Options) error {
			return errors.Join(os.RemoveAll(o.Dir), Create(o))
		},
		"segment replaced": func(o Options) error {
			b, err := os.ReadFile(segment(o, 0))
			return errors.Join(err, os.Remove(segment(o, 0)), os.WriteFile(segment(o, 0), b, 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := newLog(t)
			l := openLog(t, o)
			add(t, l, runEnd(1))
			if err := harm(o); err != nil {
				t.Fatal(err)
			}
			_, err := l.Update(context.Background(), func() ([]abi.Record, error) { return []abi.Record{runEnd(2)}, nil })
			wantCode(t, err, CodeMoved)
			_, err = l.Update(context.Background(), func() ([]abi.Record, error) { return []abi.Record{runEnd(2)}, nil })
			wantCode(t, err, CodeStopped)
		})
	}
}
