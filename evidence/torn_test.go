package evidence

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
)

// snapshot returns the contents of all files of the log.
func snapshot(t testing.TB, o Options) map[string][]byte {
	t.Helper()
	m := map[string][]byte{}
	list, err := os.ReadDir(o.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if e.Name() != lockName {
			m[e.Name()] = readFile(t, filepath.Join(o.Dir, e.Name()))
		}
	}
	return m
}

// TestTornAtEveryByte: the last batch written up to each of its bytes.
func TestTornAtEveryByte(t *testing.T) {
	t.Parallel()
	o := smallLog(t)
	good := readFile(t, segment(o, 0))
	at, end := frames(t, good)
	start := at[len(at)-4] // three records and a commit
	before := uint64(3)
	for cut := start; cut <= end; cut++ {
		dir := filepath.Join(t.TempDir(), "log")
		p := o
		p.Dir = dir
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		torn := bytes.Clone(good)
		clear(torn[cut:])
		writeFile(t, segment(p, 0), torn)
		want := before + 1 // the Recovered record
		r, err := verify(t, p)
		switch cut {
		case start:
			want = before
			if err != nil {
				t.Fatal(err)
			}
		case end:
			want = before + 3
			if err != nil {
				t.Fatal(err)
			}
		default:
			wantCode(t, err, CodeTorn)
			if r.Torn == 0 || r.Records != before {
				t.Fatalf("cut at %d: %+v", cut, r)
			}
		}
		f := &fold{}
		p.Follower = f
		l := openLog(t, p)
		if l.Size() != want || f.len() != int(want) {
			t.Fatalf("cut at %d: %d records, want %d", cut, l.Size(), want)
		}
		if want == before+1 {
			rec := f.recs[before].Body.(*abi.Recovered)
			aside := readFile(t, filepath.Join(dir, fmt.Sprintf("torn-00000000-%d", start)))
			if !bytes.HasPrefix(good[start:cut], aside) || rec.Length != uint64(len(aside)) || rec.Offset != uint64(start) || rec.SHA3 != seal.Sum(tornDomain, aside) {
				t.Fatalf("cut at %d: %+v", cut, rec)
			}
		}
		if cut%8 == 0 {
			add(t, l, runEnd(9))
		}
		mustVerify(t, p)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLostSectors: a power failure persists the sectors of the last write in
// any order.
func TestLostSectors(t *testing.T) {
	t.Parallel()
	o := newLog(t, small)
	l := openLog(t, o)
	add(t, l, runEnd(1))
	rs := make([]abi.Record, 30)
	for i := range rs {
		rs[i] = runEnd(i)
	}
	add(t, l, rs...)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	good := readFile(t, segment(o, 0))
	at, _ := frames(t, good)
	start, commit := at[len(at)-31], at[len(at)-1]
	for s := start - start%sector; s+sector < commit; s += sector {
		bad := bytes.Clone(good)
		clear(bad[max(s, start) : s+sector])
		writeFile(t, segment(o, 0), bad)
		if err := os.RemoveAll(filepath.Join(o.Dir, fmt.Sprintf("torn-00000000-%d", start))); err != nil {
			t.Fatal(err) // of the last time
		}
		refused(t, o, "lost sector")
		l := openLog(t, o)
		if l.Size() != 3 {
			t.Fatalf("sector at %d lost: %d records", s, l.Size())
		}
		mustVerify(t, o)
		add(t, l, runEnd(5))
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		mustVerify(t, o)
	}
	// Anything but zeros is not what a disk does.
	for s := start; s < commit; s += 100 {
		bad := bytes.Clone(good)
		bad[s] ^= 4
		writeFile(t, segment(o, 0), bad)
		before := snapshot(t, o)
		_, err := Open(o)
		wantCode(t, err, CodeTampered)
		if diff := cmp.Diff(before, snapshot(t, o)); diff != "" {
			t.Fatal("Open changed a log that it refused")
		}
	}
}

// TestAside: bytes that were moved aside and cleared before the power failed
// again get their record; what only has such a name is left alone, and nobody
// waits for it.
func TestAside(t *testing.T) {
	t.Parallel()
	o := smallLog(t)
	at := mustVerify(t, o).Bytes
	name := filepath.Join(o.Dir, fmt.Sprintf("torn-00000000-%d", at))
	writeFile(t, name, []byte("half a record"))
	writeFile(t, name+".1", []byte("the other half"))
	writeFile(t, name+".2", nil)
	writeFile(t, name+"0", []byte("of another place"))
	if err := syscall.Mkfifo(name+".3", 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", name+".4"); err != nil {
		t.Fatal(err)
	}
	f := &fold{}
	o.Follower = f
	for range 2 { // once and for all
		l := openLog(t, o)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		f.Reset()
	}
	openLog(t, o)
	if f.len() != 8 {
		t.Fatalf("%d records", f.len())
	}
	for i, what := range []string{"half a record", "the other half"} {
		rec := f.recs[6+i].Body.(*abi.Recovered)
		if rec.Offset != at || rec.Length != uint64(len(what)) || rec.SHA3 != seal.Sum(tornDomain, []byte(what)) {
			t.Fatalf("%+v", rec)
		}
	}
	mustVerify(t, o)
}

// TestTampered: damage before the last commit is refused, and nothing is
// changed.
func TestTampered(t *testing.T) {
	t.Parallel()
	o := largeLog(t)
	for n := range uint64(4) {
		path := segment(o, n)
		good := readFile(t, path)
		at, _ := frames(t, good)
		for _, i := range []int64{0, 100, headerSize + 20, at[len(at)/2] + 12} {
			bad := bytes.Clone(good)
			bad[i] ^= 1
			writeFile(t, path, bad)
			before := snapshot(t, o)
			_, err := Open(o)
			wantCode(t, err, CodeTampered)
			p := o
			p.Key, p.Keys = nil, []PublicKey{o.Key.Public()}
			_, err = Open(p)
			wantCode(t, err, CodeTampered)
			if diff := cmp.Diff(before, snapshot(t, o)); diff != "" {
				t.Fatal("Open changed a log that it refused")
			}
		}
		writeFile(t, path, good)
	}
	openLog(t, o)
}

// TestGarbageBehind: bytes anywhere behind the last commit are found and moved
// aside, twice under different names.
func TestGarbageBehind(t *testing.T) {
	o := smallLog(t)
	for i := range 3 {
		b := readFile(t, segment(o, 0))
		b[len(b)-5] = 7
		b = append(b, make([]byte, 300<<10)...)
		writeFile(t, segment(o, 0), append(b, 9, 0))
		_, err := verify(t, o)
		wantCode(t, err, CodeTorn)
		p := o
		p.Key = nil
		reader := openLog(t, p) // a reader sees what is committed, and mends nothing
		if got := reader.Size(); got != uint64(6+i) {
			t.Fatalf("reader sees %d records", got)
		}
		l := openLog(t, o)
		if got := l.Size(); got != uint64(7+i) {
			t.Fatalf("%d records", got)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		mustVerify(t, o)
	}
}
