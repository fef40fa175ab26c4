package trace

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/forgeone/forgeone/abi"
)

// TestClaim: a recording is claimed by nobody who writes or reads it, and by one
// at a time; claiming makes no file.
func TestClaim(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.f1rec")
	claim := func(want bool) {
		t.Helper()
		release, ok, err := Claim(path)
		if err != nil || ok != want {
			t.Fatalf("%v, %v", ok, err)
		}
		if ok {
			release()
		}
	}
	claim(true)
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Fatalf("a claim made a file: %v", err)
	}
	w, err := Create(path, testHeader(), testKey, 0)
	if err != nil {
		t.Fatal(err)
	}
	claim(false)
	release := w.Hold()
	if _, err := w.Finish(End{Outcome: abi.OutcomeExit}); err != nil {
		t.Fatal(err)
	}
	claim(false)
	release()
	claim(true)
	var readers []*Reader
	for range 2 {
		r, err := Open(path, testKey)
		if err != nil {
			t.Fatal(err)
		}
		claim(len(readers) == 0) // (the second is not shared yet, the first is)
		r.Share()
		claim(false)
		readers = append(readers, r)
	}
	if alive, err := InUse(path); err != nil || !alive {
		t.Errorf("%v, %v", alive, err)
	}
	for _, r := range readers {
		claim(false)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	let, ok, err := Claim(path)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	claim(false)
	late, err := Open(path, testKey)
	if err != nil {
		t.Fatal(err)
	}
	late.Share() // too late, and no harm
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	let()
	if err := late.Rewind(); err != nil {
		t.Errorf("what was opened can't be read: %v", err)
	}
	if err := late.Close(); err != nil {
		t.Fatal(err)
	}
}
