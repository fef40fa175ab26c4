package witness

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/internal/seal"
)

// testLog is a log whose copies can be forked: they have one key.
type testLog struct {
	*evidence.Log
	o    evidence.Options
	vkey evidence.NoteKey
}

func newLog(t testing.TB) *testLog {
	t.Helper()
	key, err := seal.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	o := evidence.Options{Dir: filepath.Join(t.TempDir(), "log"), Key: key}
	if err := evidence.Create(o); err != nil {
		t.Fatal(err)
	}
	return openLog(t, o)
}

func openLog(t testing.TB, o evidence.Options) *testLog {
	t.Helper()
	l, err := evidence.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return &testLog{l, o, evidence.NoteKey{Name: l.Origin(), Type: evidence.SigLog, Key: o.Key.Public()}}
}

// fork returns a copy of the log, as it is now.
func (l *testLog) fork(t testing.TB) *testLog {
	t.Helper()
	o := l.o
	o.Dir = t.TempDir()
	if err := os.CopyFS(o.Dir, os.DirFS(l.o.Dir)); err != nil {
		t.Fatal(err)
	}
	return openLog(t, o)
}

func (l *testLog) add(t testing.TB, name string) {
	t.Helper()
	if _, err := l.Update(t.Context(), func() ([]abi.Record, error) {
		return []abi.Record{{Body: &abi.PackageUninstall{Name: name}}}, nil
	}); err != nil {
		t.Fatal(err)
	}
}

func (l *testLog) head(t testing.TB) *evidence.Checkpoint {
	t.Helper()
	c, err := evidence.ParseCheckpoint(l.Checkpoint())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (l *testLog) proof(t testing.TB, old uint64) []abi.Digest {
	t.Helper()
	p, err := evidence.LogConsistency(t.Context(), l.o.Dir, old, l.Size())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// newest is head for Sync.
func (l *testLog) newest(t testing.TB) func() (*evidence.Checkpoint, error) {
	return func() (*evidence.Checkpoint, error) { return l.head(t), nil }
}

// sync has the log cosigned and returns the results.
func (l *testLog) sync(t testing.TB, quorum uint64, peers ...Peer) Outcome {
	t.Helper()
	o, err := Sync(t.Context(), NewClient(), l.o.Dir, l.newest(t), &LogProver{Dir: l.o.Dir}, peers, quorum)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func (l *testLog) verify(o evidence.VerifyOptions) (evidence.Report, error) {
	return evidence.Verify(context.Background(), l.o.Dir, []evidence.PublicKey{l.o.Key.Public()}, o)
}

// testWitness is a witness that is served.
type testWitness struct {
	*Witness
	dir  string
	peer Peer
}

func newWitness(t testing.TB, logs ...*testLog) *testWitness {
	t.Helper()
	w := &testWitness{dir: filepath.Join(t.TempDir(), "witness")}
	w.open(t, logs...)
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.Handler().ServeHTTP(rw, r) }))
	t.Cleanup(s.Close)
	w.peer = Peer{Key: w.Key(), URL: s.URL}
	return w
}

func (w *testWitness) open(t testing.TB, logs ...*testLog) {
	t.Helper()
	o := Options{Dir: w.dir, Tell: func(s string) { t.Log(s) }}
	for _, l := range logs {
		o.Logs = append(o.Logs, l.vkey)
	}
	var err error
	if w.Witness, err = Open(o); err != nil {
		t.Fatal(err)
	}
	x := w.Witness
	t.Cleanup(func() { _ = x.Close() })
}

// post sends a body as it is.
func (w *testWitness) post(t testing.TB, body string) (int, string, string) {
	t.Helper()
	res, err := http.Post(w.peer.URL+"/add-checkpoint", "text/plain", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header.Get("Content-Type"), string(b)
}

func body(old uint64, proof []abi.Digest, head []byte) string {
	s := fmt.Sprintf("old %d\n", old)
	for _, d := range proof {
		s += base64.StdEncoding.EncodeToString(d[:]) + "\n"
	}
	return s + "\n" + string(head)
}

func wantCode(t testing.TB, err error, want abi.Code) {
	t.Helper()
	if abi.CodeOf(err) != want {
		t.Errorf("%q %v, want %q", abi.CodeOf(err), err, want)
	}
}

// TestProtocol goes through the statuses of the specification.
func TestProtocol(t *testing.T) {
	l, stranger := newLog(t), newLog(t)
	w := newWitness(t, l)
	want := func(name string, status int, body string) string {
		t.Helper()
		got, kind, text := w.post(t, body)
		if got != status {
			t.Errorf("%s: %d %s, want %d", name, got, text, status)
		}
		if got == 409 && kind != "text/x.tlog.size" {
			t.Errorf("%s: 409 as %q", name, kind)
		}
		return text
	}
	first := l.Checkpoint()
	want("an unknown log", 404, body(0, nil, stranger.Checkpoint()))
	forged := l.head(t)
	forged.Sigs[0].Sig[0] ^= 1
	want("a wrong signature", 403, body(0, nil, forged.Bytes()))
	forged.Sigs = stranger.head(t).Sigs
	want("an unknown key", 403, body(0, nil, forged.Bytes()))
	want("an old size beyond", 400, body(2, nil, first))
	if s := want("an old size that it does not know", 409, body(1, nil, first)); s != "0\n" {
		t.Errorf("%q", s)
	}
	want("a proof from nothing", 422, body(0, []abi.Digest{{}}, first))
	line := want("the first", 200, body(0, nil, first))
	got := l.head(t)
	if n, err := got.Add([]byte(line), w.Key()); n != 1 || err != nil {
		t.Errorf("%q: %v", line, err)
	}
	if s := want("again from nothing", 409, body(0, nil, first)); s != "1\n" {
		t.Errorf("%q", s)
	}
	want("the same again", 200, body(1, nil, first))
	other := l.fork(t)
	for i := range 5 {
		l.add(t, fmt.Sprint("a", i))
	}
	proof := l.proof(t, 1)
	wrong := append([]abi.Digest(nil), proof...)
	wrong[0][0] ^= 1
	want("a wrong proof", 422, body(1, wrong, l.Checkpoint()))
	want("a short proof", 422, body(1, proof[1:], l.Checkpoint()))
	want("a long proof", 422, body(1, append(wrong, proof...), l.Checkpoint()))
	want("no proof", 422, body(1, nil, l.Checkpoint()))
	want("growth", 200, body(1, proof, l.Checkpoint()))
	if s := want("an older head", 409, body(1, nil, first)); s != "6\n" {
		t.Errorf("%q", s)
	}
	for i := range 5 {
		other.add(t, fmt.Sprint("b", i))
	}
	if s := want("another of the same size", 409, body(6, nil, other.Checkpoint())); s != "6\n" {
		t.Errorf("%q", s)
	}
	if b, err := os.ReadFile(w.s.head(l.Origin()) + ".fork"); err != nil || !bytes.Equal(b, other.Checkpoint()) {
		t.Error("the second history was not kept:", err)
	}
	many := make([]abi.Digest, 64)
	for name, s := range map[string]string{
		"nothing": "", "no old size": "\n" + string(first), "no checkpoint": "old 0\n\n", "zeros": "old 00\n\n" + string(first), "64 lines": body(0, many, first),
		"no end": "old 0\nAAAA", "a word": "old x\n\n" + string(first), "a hash too short": "old 0\nAAAA\n\n" + string(first), "a large size": "old 9223372036854775808\n\n" + string(first),
	} {
		want(name, 400, s)
	}
	want("too much", 413, body(0, nil, bytes.Repeat([]byte("x"), maxRequest)))
	if res, err := http.Get(w.peer.URL + "/add-checkpoint"); err != nil || res.StatusCode != 405 {
		t.Error(res, err)
	}
	if res, err := http.Get(w.peer.URL + "/"); err != nil || res.StatusCode != 404 {
		t.Error(res, err)
	}
}

// TestTwoForks: two histories of one size reach the witness at once, again and
// again; it vouches for one of them only.
func TestTwoForks(t *testing.T) {
	l := newLog(t)
	w := newWitness(t, l)
	forks := []*testLog{l.fork(t), l.fork(t)}
	for i, f := range forks {
		f.add(t, fmt.Sprint("fork", i))
	}
	var mu sync.Mutex
	signed := map[int]int{}
	var wait sync.WaitGroup
	for i := range 32 {
		wait.Go(func() {
			n := i % 2
			c := forks[n].head(t)
			r := Ask(t.Context(), NewClient(), c, &LogProver{Dir: forks[n].o.Dir}, []Peer{w.peer})
			mu.Lock()
			defer mu.Unlock()
			if r[0].Err == nil {
				signed[n]++
			} else if abi.CodeOf(r[0].Err) != CodeHistory {
				t.Error(r[0].Err)
			}
		})
	}
	wait.Wait()
	if len(signed) != 1 {
		t.Errorf("cosigned, by fork: %v", signed)
	}
}

// TestRace: requests of growing size race; what is vouched for never shrinks.
func TestRace(t *testing.T) {
	l := newLog(t)
	w := newWitness(t, l)
	type step struct {
		old  uint64
		body string
	}
	var steps []step
	steps = append(steps, step{0, body(0, nil, l.Checkpoint())})
	for i := range 12 {
		old := l.Size()
		l.add(t, fmt.Sprint(i))
		steps = append(steps, step{old, body(old, l.proof(t, old), l.Checkpoint())})
	}
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for _, s := range steps {
				if got, _, text := w.post(t, s.body); got != 200 && got != 409 {
					t.Errorf("%d %s", got, text)
				}
			}
		})
	}
	wait.Wait()
	c, err := w.s.load(l.Origin())
	if err != nil || c.Size != l.Size() {
		t.Errorf("it knows %+v %v, the log has %d", c, err, l.Size())
	}
}

func TestFolder(t *testing.T) {
	l := newLog(t)
	w := newWitness(t)
	dir, key := w.dir, w.Key()
	_, err := Open(Options{Dir: dir})
	wantCode(t, err, CodeInUse)
	if st, err := os.Stat(filepath.Join(dir, KeyFile)); err != nil || st.Mode().Perm() != 0o600 {
		t.Error(st, err)
	}
	// The list of logs is read anew at each request; a log may have several keys.
	if got, _, _ := w.post(t, body(0, nil, l.Checkpoint())); got != 404 {
		t.Error(got)
	}
	rotated := l.vkey
	rotated.Key = newLog(t).o.Key.Public()
	list := "# logs\n\n" + rotated.String() + "\n" + l.vkey.String() + "\n"
	if err := os.WriteFile(filepath.Join(dir, LogsFile), []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, _, s := w.post(t, body(0, nil, l.Checkpoint())); got != 200 {
		t.Error(got, s)
	}
	// A damaged memory is never taken for none.
	head := w.s.head(l.Origin())
	good, err := os.ReadFile(head)
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		if err := os.WriteFile(head, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if a := w.add([]byte(body(1, nil, l.Checkpoint()))); a.status == 200 && i < bytes.Index(good, []byte("\n\n")) {
			t.Fatalf("byte %d of its memory changed, and it cosigns", i)
		}
		if a := w.add([]byte(body(0, nil, l.Checkpoint()))); a.status == 200 {
			t.Fatalf("byte %d of its memory changed, and it begins anew", i)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: dir, Name: "another"}); abi.CodeOf(err) != CodeName {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(dir, LogsFile), []byte(key.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: dir}); abi.CodeOf(err) != CodeList {
		t.Error(err)
	}
	if err := os.Remove(filepath.Join(dir, LogsFile)); err != nil {
		t.Fatal(err)
	}
	w.open(t)
	if w.Key().String() != key.String() {
		t.Error("another key after a restart")
	}
	_ = w.Close()
	if err := os.WriteFile(filepath.Join(dir, VkeyFile), []byte(evidence.NoteKey{Name: "x", Type: evidence.SigWitness, Key: l.o.Key.Public()}.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Open(Options{Dir: dir})
	wantCode(t, err, CodeState)
	_, err = Open(Options{Dir: t.TempDir(), Name: "two words"})
	wantCode(t, err, CodeName)
}

// TestClockBack: what is cosigned later is not dated earlier.
func TestClockBack(t *testing.T) {
	l := newLog(t)
	w := newWitness(t, l)
	var times []time.Time
	for _, now := range []int64{2000, 1000, 3000} {
		w.now = func() time.Time { return time.Unix(now, 0) }
		c := l.head(t)
		if r := Ask(t.Context(), NewClient(), c, &LogProver{Dir: l.o.Dir}, []Peer{w.peer}); r[0].Err != nil {
			t.Fatal(r[0].Err)
		} else {
			times = append(times, r[0].Time)
		}
	}
	if times[0].Unix() != 2000 || times[1].Unix() != 2000 || times[2].Unix() != 3000 {
		t.Error(times)
	}
}

func FuzzRequest(f *testing.F) {
	l := newLog(f)
	f.Add([]byte(body(0, nil, l.Checkpoint())))
	f.Add([]byte(body(7, []abi.Digest{{1}, {2}}, l.Checkpoint())))
	f.Add([]byte("old 0\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := parseRequest(b); err == nil && !bytes.Equal(r.encode(), b) {
			t.Fatalf("%q reads as %q", b, r.encode())
		}
	})
}
