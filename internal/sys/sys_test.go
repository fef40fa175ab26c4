package sys

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	for _, c := range []struct {
		data string
		perm os.FileMode
	}{{"one", 0o600}, {"", 0o644}, {"three", 0o400}, {"four", 0o600}} {
		if err := WriteFile(path, []byte(c.data), c.perm); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil || string(b) != c.data {
			t.Fatalf("%q, %v", b, err)
		}
		if i, err := os.Stat(path); err != nil || i.Mode().Perm() != c.perm {
			t.Fatalf("%v, %v; want %v", i.Mode(), err, c.perm)
		}
	}
	if err := WriteFile(filepath.Join(dir, "none", "f"), nil, 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	// A folder in the way: an error, and no temporary file left.
	if err := os.Mkdir(filepath.Join(dir, "d"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(filepath.Join(dir, "d"), []byte("x"), 0o600); err == nil {
		t.Fatal("wrote over a folder")
	}
	list, err := os.ReadDir(dir)
	if err != nil || len(list) != 2 {
		t.Fatalf("left behind: %v, %v", list, err)
	}
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	l, err := Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok, err := TryLock(path); ok || err != nil {
		t.Fatalf("locked twice: %v, %v", ok, err)
	}
	got := make(chan error)
	go func() {
		m, err := Lock(path)
		if err == nil {
			err = m.Unlock()
		}
		got <- err
	}()
	select {
	case <-got:
		t.Fatal("did not wait")
	case <-time.After(20 * time.Millisecond):
	}
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != nil {
		t.Fatal(err)
	}
	m, ok, err := TryLock(path)
	if !ok || err != nil {
		t.Fatalf("TryLock of a free lock: %v, %v", ok, err)
	}
	if err := m.Unlock(); err != nil {
		t.Fatal(err)
	}
}

func turnstile(t *testing.T, path string) *Turnstile {
	t.Helper()
	ts, err := OpenTurnstile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ts.Close() })
	return ts
}

// TestTurnstileOrder: whoever came first goes first.
func TestTurnstileOrder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first := turnstile(t, path)
	if err := first.Lock(); err != nil {
		t.Fatal(err)
	}
	const n = 12
	order := make(chan int, n)
	var wg sync.WaitGroup
	for i := range n {
		ts := turnstile(t, path)
		wg.Go(func() {
			if err := ts.Lock(); err != nil {
				t.Error(err)
				return
			}
			order <- i
			if err := ts.Unlock(); err != nil {
				t.Error(err)
			}
		})
		for drawn := byte(0); drawn != byte(i+2); { // until it is in line
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			drawn = b[0]
			time.Sleep(2 * time.Millisecond)
		}
	}
	if err := first.Unlock(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	for i := range n {
		if got := <-order; got != i {
			t.Fatalf("number %d came in place %d", got, i)
		}
	}
}

// TestTurnstileExcludes: one at a time, also when the ticket number is damaged
// and when those in line go away.
func TestTurnstileExcludes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	var wg sync.WaitGroup
	var mu sync.Mutex
	inside := 0
	for i := range 6 {
		ts := turnstile(t, path)
		wg.Go(func() {
			for n := range 60 {
				if err := ts.Lock(); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if inside++; inside != 1 {
					t.Errorf("%d inside", inside)
				}
				mu.Unlock()
				if i == 0 && n%10 == 0 {
					if err := os.Truncate(path, int64(n/10)); err != nil {
						t.Error(err)
					}
				}
				mu.Lock()
				inside--
				mu.Unlock()
				if err := ts.Unlock(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	gone, err := OpenTurnstile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := gone.Lock(); err != nil {
		t.Fatal(err)
	}
	if err := gone.Close(); err != nil { // as if its process had died
		t.Fatal(err)
	}
	if err := turnstile(t, path).Lock(); err != nil {
		t.Fatal(err)
	}
}

func TestTurnstileReaders(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	w := turnstile(t, path)
	var rs [2]*Turnstile
	for i := range rs {
		r, err := OpenTurnstileRead(path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		rs[i] = r
		if err := r.RLock(); err != nil {
			t.Fatal(err)
		}
	}
	got := make(chan error)
	go func() { got <- w.Lock() }()
	for _, r := range rs {
		select {
		case <-got:
			t.Fatal("went in beside a reader")
		case <-time.After(10 * time.Millisecond):
		}
		if err := r.Unlock(); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-got; err != nil {
		t.Fatal(err)
	}
	if _, err := OpenTurnstileRead(path + ".none"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
}

func TestPreallocate(t *testing.T) {
	f, err := OS{}.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("abc"), 0); err != nil {
		t.Fatal(err)
	}
	if n, err := Preallocate(f, 3, 200_001); n != 200_001 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	if i, err := f.Stat(); err != nil || i.Size() != 200_001 {
		t.Fatalf("%v, %v", i.Size(), err)
	}
	// The blocks are there, not a hole.
	if i, err := f.Stat(); err != nil || i.Sys().(*syscall.Stat_t).Blocks*512 < 200_001 {
		t.Fatalf("%v, %v", i.Sys(), err)
	}
	if err := f.Datasync(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Datasync(); err == nil {
		t.Fatal("synced a closed file")
	}
}

// A link where a file should be is not followed: it could lead out of the folder.
func TestNoFollow(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(dir, "target"), link); err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]func() error{
		"Open":          func() error { _, err := OS{}.Open(link); return err },
		"OpenWrite":     func() error { _, err := OS{}.OpenWrite(link); return err },
		"Create":        func() error { _, err := OS{}.Create(link); return err },
		"OpenCounter":   func() error { _, err := OpenCounter(link); return err },
		"OpenTurnstile": func() error { _, err := OpenTurnstile(link); return err },
		"Lock":          func() error { _, err := Lock(link); return err },
	} {
		if open() == nil {
			t.Errorf("%s followed a link", name)
		}
	}
}
