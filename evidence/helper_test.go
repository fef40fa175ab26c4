package evidence

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
)

const testKeyText = `-----BEGIN FORGEONE PRIVATE KEY-----
Algorithm: ed25519

AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=
-----END FORGEONE PRIVATE KEY-----
`

// testKey is the same key in every test, so that bytes can be compared.
func testKey(t testing.TB) *PrivateKey {
	t.Helper()
	k, err := seal.ParsePrivate([]byte(testKeyText))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// newLog makes a log and returns options to open it with.
func newLog(t testing.TB, change ...func(*Options)) Options {
	t.Helper()
	o := Options{Dir: filepath.Join(t.TempDir(), "log"), Key: testKey(t)}
	for _, c := range change {
		c(&o)
	}
	if err := Create(o); err != nil {
		t.Fatal(err)
	}
	return o
}

func small(o *Options) { o.SegmentBytes = minSegment }

func openLog(t testing.TB, o Options) *Log {
	t.Helper()
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func uninstall(name string) abi.Record {
	return abi.Record{Body: &abi.PackageUninstall{Name: name}}
}

func runEnd(n int) abi.Record {
	return abi.Record{Body: &abi.RunEnd{Run: abi.RunID(fmt.Sprintf("r%016x", n)), Outcome: abi.OutcomeExit, Calls: uint64(n)}}
}

// add appends records in one transaction.
func add(t testing.TB, l *Log, rs ...abi.Record) uint64 {
	t.Helper()
	first, err := l.Update(context.Background(), func() ([]abi.Record, error) { return rs, nil })
	if err != nil {
		t.Fatal(err)
	}
	return first
}

func verify(t testing.TB, o Options) (Report, error) {
	t.Helper()
	return Verify(context.Background(), o.Dir, []PublicKey{o.Key.Public()}, VerifyOptions{})
}

func mustVerify(t testing.TB, o Options) Report {
	t.Helper()
	r, err := verify(t, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func wantCode(t testing.TB, err error, codes ...abi.Code) {
	t.Helper()
	for _, c := range codes {
		if abi.CodeOf(err) == c {
			return
		}
	}
	t.Fatalf("got error %q %v, want %v", abi.CodeOf(err), err, codes)
}

// fold is a follower that remembers everything it was told.
type fold struct {
	mu     sync.Mutex
	recs   []abi.Record
	resets int
	refuse func(index uint64, r abi.Record) error
}

func (f *fold) Follow(index uint64, r abi.Record) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if index != uint64(len(f.recs)) {
		return fmt.Errorf("record %d came as number %d", index, len(f.recs))
	}
	if f.refuse != nil {
		if err := f.refuse(index, r); err != nil {
			f.recs = append(f.recs, abi.Record{}) // half done, on purpose
			return err
		}
	}
	f.recs = append(f.recs, r)
	return nil
}

func (f *fold) Reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.recs = nil
	f.resets++
}

func (f *fold) len() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.recs)
}

// has tells whether a package of that name was uninstalled.
func (f *fold) has(name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.recs {
		if u, ok := r.Body.(*abi.PackageUninstall); ok && u.Name == name {
			return true
		}
	}
	return false
}

func segment(o Options, n uint64) string { return filepath.Join(o.Dir, segmentName(n)) }

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeFile(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// frames returns the offsets of the segment's frames and the end of the last.
func frames(t testing.TB, b []byte) (at []int64, end int64) {
	t.Helper()
	for end = headerSize; !allZero(b[end : end+frameHead]); {
		at = append(at, end)
		end += frameHead + int64(b[end]) + int64(b[end+1])<<8
		if end+frameHead > int64(len(b)) {
			break
		}
	}
	return at, end
}

var errTest = errors.New("test")
