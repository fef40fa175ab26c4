package sys

import (
	"errors"
	"os"
	"path/filepath"
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
