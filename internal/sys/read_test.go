package sys

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

func TestReadRegular(t *testing.T) {
	dir := t.TempDir()
	file, fifo := filepath.Join(dir, "file"), filepath.Join(dir, "fifo")
	if err := os.WriteFile(file, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := ReadRegular(file, 5); err != nil || string(b) != "12345" {
		t.Errorf("%q %v", b, err)
	}
	for path, want := range map[string]error{fifo: ErrNotRegular, dir: ErrNotRegular, filepath.Join(dir, "none"): os.ErrNotExist} {
		if _, err := ReadRegular(path, 5); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
	}
	for path, want := range map[string]error{fifo: ErrNotRegular, dir: ErrNotRegular, file: nil} {
		open := func(kind string, f interface{ Close() error }, err error) {
			if !errors.Is(err, want) {
				t.Errorf("%s of %s: %v, want %v", kind, path, err, want)
			}
			if err == nil {
				_ = f.Close()
			}
		}
		f, err := OS{}.Open(path)
		open("Open", f, err)
		l, err := OpenTurnstileRead(path)
		open("OpenTurnstileRead", l, err)
		if path == dir {
			continue // not to be opened for writing anyway
		}
		f, err = OS{}.OpenWrite(path)
		open("OpenWrite", f, err)
		l, err = OpenTurnstile(path)
		open("OpenTurnstile", l, err)
	}
	if _, err := ReadRegular(file, 4); !errors.Is(err, ErrTooLarge) {
		t.Errorf("five bytes of four: %v", err)
	}
}

// TestReadRegularSizes: what is read is bounded before anything is allocated,
// and costs little more than its size.
func TestReadRegularSizes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, make([]byte, 8<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	allocated := func(limit int64) (n uint64, err error) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err = ReadRegular(file, limit)
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc, err
	}
	if n, err := allocated(8 << 20); err != nil || n > 9<<20 {
		t.Errorf("8 MiB took %d bytes: %v", n, err)
	}
	if err := os.Truncate(file, 1<<40); err != nil {
		t.Fatal(err)
	}
	if n, err := allocated(1 << 30); !errors.Is(err, ErrTooLarge) || n > 1<<20 {
		t.Errorf("a terabyte took %d bytes: %v", n, err)
	}
	// The size of files that the kernel makes is told as 0.
	if runtime.GOOS == "linux" {
		if b, err := ReadRegular("/proc/self/status", 1<<20); err != nil || len(b) == 0 {
			t.Errorf("%d bytes, %v", len(b), err)
		}
		if _, err := ReadRegular("/proc/self/status", 10); !errors.Is(err, ErrTooLarge) {
			t.Errorf("more than its size says: %v", err)
		}
	}
}
