package sys

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// TestSweep: what a process that died has left goes; what somebody fills stays, and
// whatever is no temporary file.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", ".b", "c.tmp1", ".d.tmp123", ".e.tmp"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, ".f.tmp1"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("a", filepath.Join(dir, ".g.tmp1")); err != nil {
		t.Fatal(err)
	}
	f, err := CreateTemp(filepath.Join(dir, "h"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var swept []string
	remove := func(path string) error {
		swept = append(swept, filepath.Base(path))
		return os.Remove(path)
	}
	if err := Sweep(dir, remove); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(swept, " "); got != ".d.tmp123 .e.tmp" {
		t.Errorf("swept %s", got)
	}
	if err := f.Close(); err != nil { // as by a process that dies
		t.Fatal(err)
	}
	if err := Sweep(dir, remove); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(names(t, dir), " "); got != ".b .f.tmp1 .g.tmp1 a c.tmp1" {
		t.Errorf("left: %s", got)
	}
	if err := Sweep(filepath.Join(dir, "none"), remove); err != nil {
		t.Error(err)
	}
}

// TestSweepWhileOthersWrite: nobody who writes notices.
func TestSweepWhileOthersWrite(t *testing.T) {
	dir := t.TempDir()
	var writers, sweepers sync.WaitGroup
	done := make(chan struct{})
	for range 2 {
		sweepers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					if err := Sweep(dir, os.Remove); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	for i := range 4 {
		writers.Go(func() {
			path := filepath.Join(dir, string(rune('a'+i)))
			for range 200 {
				if err := WriteFile(path, []byte("content"), 0o600); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	writers.Wait()
	close(done)
	sweepers.Wait()
	if got := strings.Join(names(t, dir), " "); got != "a b c d" {
		t.Errorf("left: %s", got)
	}
}
