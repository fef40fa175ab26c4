package witness

import (
	"context"
	"fmt"
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
)

func only(t testing.TB, o Outcome) Result {
	t.Helper()
	if len(o.Results) != 1 {
		t.Fatalf("%d results", len(o.Results))
	}
	return o.Results[0]
}

func TestSync(t *testing.T) {
	l := newLog(t)
	a, b := newWitness(t, l), newWitness(t, l)
	both := evidence.VerifyOptions{Witnesses: []evidence.NoteKey{a.Key(), b.Key()}}
	if _, err := l.verify(both); abi.CodeOf(err) != evidence.CodeQuorum {
		t.Error(err)
	}
	if o := l.sync(t, 2, a.peer, b.peer); !o.Kept || o.Count != 2 {
		t.Fatalf("%+v", o)
	}
	if r, err := l.verify(both); err != nil || r.Witnessed.State != evidence.AllWitnessed {
		t.Error(r.Witnessed, err)
	}
	first, err := evidence.ReadCosigned(l.o.Dir)
	if err != nil {
		t.Fatal(err)
	}
	// One of them is away: the old checkpoint stays until the quorum is there.
	for i := range 9 {
		l.add(t, fmt.Sprint(i))
	}
	away := b.peer
	away.URL = "http://127.0.0.1:1"
	o := l.sync(t, 2, a.peer, away)
	if o.Kept || o.Count != 1 || abi.CodeOf(o.Results[1].Err) != CodeUnreachable || o.Results[0].Err != nil {
		t.Errorf("%+v", o)
	}
	if c, err := evidence.ReadCosigned(l.o.Dir); err != nil || !c.Same(first) {
		t.Error("the cosigned checkpoint is gone:", err)
	}
	if r, err := l.verify(both); err != nil || r.Witnessed.State != evidence.PrefixWitnessed || r.Witnessed.Size != 1 {
		t.Error(r.Witnessed, err)
	}
	// What is known of sizes is a hint only.
	if err := os.Remove(filepath.Join(l.o.Dir, sizesFile)); err != nil {
		t.Fatal(err)
	}
	if o := l.sync(t, 2, a.peer, b.peer); !o.Kept {
		t.Errorf("%+v", o)
	}
	if r, err := l.verify(both); err != nil || r.Witnessed.State != evidence.AllWitnessed {
		t.Error(r.Witnessed, err)
	}
	// A cosignature that was got before counts when the witness is away.
	if o := l.sync(t, 2, a.peer, away); !o.Kept || o.Count != 2 {
		t.Errorf("%+v", o)
	}
	if err := os.WriteFile(filepath.Join(l.o.Dir, sizesFile), []byte("x 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Sync(t.Context(), NewClient(), l.o.Dir, l.newest(t), &LogProver{Dir: l.o.Dir}, []Peer{a.peer}, 1)
	wantCode(t, err, CodeState)
}

// TestSyncsAtOnce: who waited while another had a newer head cosigned does not
// take its own log for one that was put back.
func TestSyncsAtOnce(t *testing.T) {
	l := newLog(t)
	w := newWitness(t, l)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 4 {
				l.add(t, fmt.Sprint(i, j))
				if o := l.sync(t, 1, w.peer); !o.Kept || o.Results[0].Err != nil {
					t.Errorf("%+v", o)
				}
			}
		})
	}
	wg.Wait()
	if c, err := evidence.ReadCosigned(l.o.Dir); err != nil || c.Size != l.Size() {
		t.Errorf("%+v of %d, %v", c, l.Size(), err)
	}
}

// TestOldImageAsked: an older image of the log is put back, with all that was in
// its folder; the witness is asked.
func TestOldImageAsked(t *testing.T) {
	l := newLog(t)
	w := newWitness(t, l)
	l.sync(t, 1, w.peer)
	old := l.fork(t)
	l.add(t, "new")
	l.sync(t, 1, w.peer)
	if r := only(t, old.sync(t, 1, w.peer)); abi.CodeOf(r.Err) != CodeOlder || r.Knows != 2 {
		t.Errorf("%+v", r)
	}
	// Without the files of witnesses it is the same.
	for _, f := range []string{evidence.CosignedFile, sizesFile} {
		if err := os.Remove(filepath.Join(old.o.Dir, f)); err != nil {
			t.Fatal(err)
		}
	}
	o := old.sync(t, 1, w.peer)
	if r := only(t, o); abi.CodeOf(r.Err) != CodeOlder || o.Kept || o.Count != 0 {
		t.Errorf("%+v", o)
	}
}

// TestCutAndContinuedAsked: records are cut off and others appended, to fewer, as
// many and more than the witness saw.
func TestCutAndContinuedAsked(t *testing.T) {
	l := newLog(t)
	w := newWitness(t, l)
	l.sync(t, 1, w.peer)
	cut := l.fork(t)
	for i := range 3 {
		l.add(t, fmt.Sprint("true", i))
	}
	l.sync(t, 1, w.peer)
	for i, want := range []abi.Code{CodeOlder, CodeOlder, CodeHistory, CodeHistory, CodeHistory} {
		cut.add(t, fmt.Sprint("false", i))
		if o := cut.sync(t, 1, w.peer); abi.CodeOf(only(t, o).Err) != want || o.Kept {
			t.Errorf("%d records: %v, want %s", cut.Size(), only(t, o).Err, want)
		}
	}
	// The true one goes on.
	l.add(t, "more")
	if o := l.sync(t, 1, w.peer); !o.Kept {
		t.Errorf("%+v", o)
	}
}

// TestResealedWithNewerKey: the log was handed over to another key, which the
// attacker holds; he writes the history before anew with it.
func TestResealedWithNewerKey(t *testing.T) {
	l := newLog(t)
	w := newWitness(t)
	l.add(t, "true")
	forged := newLog(t) // its key is the newer one
	forged.vkey.Name = l.Origin()
	list := l.vkey.String() + "\n" + forged.vkey.String() + "\n"
	if err := os.WriteFile(filepath.Join(w.dir, LogsFile), []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	l.sync(t, 1, w.peer)
	for range 3 {
		forged.add(t, "false")
		c := forged.head(t)
		c.Origin = l.Origin()
		c.Text = []byte(strings.Replace(string(c.Text), forged.Origin(), l.Origin(), 1))
		c.Sigs[0] = evidence.NoteSignature{Name: l.Origin(), Hash: forged.vkey.Hash(), Sig: forged.o.Key.SignRaw(c.Text)}
		if r := Ask(t.Context(), NewClient(), c, &LogProver{Dir: forged.o.Dir}, []Peer{w.peer})[0]; abi.CodeOf(r.Err) != CodeHistory {
			t.Errorf("%d records: %v", c.Size, r.Err)
		}
	}
}

// TestWitnessForgot: the witness's own memory is put back.
func TestWitnessForgot(t *testing.T) {
	l := newLog(t)
	w := newWitness(t, l)
	l.add(t, "a")
	l.sync(t, 1, w.peer)
	old, err := os.ReadFile(w.s.head(l.Origin()))
	if err != nil {
		t.Fatal(err)
	}
	l.add(t, "b")
	l.sync(t, 1, w.peer)
	if err := os.WriteFile(w.s.head(l.Origin()), old, 0o600); err != nil {
		t.Fatal(err)
	}
	l.add(t, "c")
	if o := l.sync(t, 1, w.peer); abi.CodeOf(only(t, o).Err) != CodeForgot || o.Kept || o.Count != 0 {
		t.Errorf("%+v", o)
	}
	if err := os.Remove(w.s.head(l.Origin())); err != nil {
		t.Fatal(err)
	}
	if o := l.sync(t, 1, w.peer); abi.CodeOf(only(t, o).Err) != CodeForgot {
		t.Errorf("%+v", o)
	}
	// Taken out and added again, it begins anew.
	if err := Forget(t.Context(), l.o.Dir, w.Key().Name); err != nil {
		t.Fatal(err)
	}
	if o := l.sync(t, 1, w.peer); !o.Kept {
		t.Errorf("%+v", o)
	}
}

// TestSplitView: two witnesses are shown two histories. Each vouches for one; a
// verifier who wants both is not content with either, and who holds the two
// checkpoints sees the fork without asking anybody.
func TestSplitView(t *testing.T) {
	l := newLog(t)
	a, b := newWitness(t, l), newWitness(t, l)
	l.sync(t, 2, a.peer, b.peer)
	other := l.fork(t)
	l.add(t, "for a")
	other.add(t, "for b")
	if o := l.sync(t, 1, a.peer); !o.Kept {
		t.Fatalf("%+v", o)
	}
	if o := other.sync(t, 1, b.peer); !o.Kept {
		t.Fatalf("%+v", o)
	}
	for _, x := range []*testLog{l, other} {
		_, err := x.verify(evidence.VerifyOptions{Witnesses: []evidence.NoteKey{a.Key(), b.Key()}})
		wantCode(t, err, evidence.CodeQuorum)
	}
	seen, err := evidence.ReadCosigned(other.o.Dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = l.verify(evidence.VerifyOptions{Witnesses: []evidence.NoteKey{b.Key()}, Cosigned: seen})
	wantCode(t, err, evidence.CodeForked)
	if r := only(t, l.sync(t, 1, b.peer)); abi.CodeOf(r.Err) != CodeHistory {
		t.Error(r.Err)
	}
}

// TestAnswers: a witness, or whoever sits between, answers what it likes.
func TestAnswers(t *testing.T) {
	l := newLog(t)
	w, other := newWitness(t, l), newWitness(t, l)
	l.add(t, "a")
	replayed := ""
	if _, _, line := w.post(t, body(0, nil, l.Checkpoint())); line != "" {
		replayed = line
	}
	l.add(t, "b")
	text := func(status int, kind, s string) http.HandlerFunc {
		return func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", kind)
			rw.WriteHeader(status)
			fmt.Fprint(rw, s)
		}
	}
	n := 0
	for name, c := range map[string]struct {
		h    http.HandlerFunc
		want abi.Code
	}{
		"nothing":             {text(200, "", ""), CodeNoSignature},
		"no line":             {text(200, "", "fine\n"), CodeNoSignature},
		"another's signature": {text(200, "", string(evidence.Cosign(l.o.Key, w.Key().Name, time.Now(), l.head(t)))), CodeNoSignature},
		"replayed":            {text(200, "", replayed), CodeNoSignature},
		"huge":                {text(200, "", strings.Repeat("x", maxAnswer+1)), CodeAnswer},
		"conflict, no type":   {text(409, "text/plain", "0\n"), CodeAnswer},
		"conflict, no number": {text(409, sizeType, "-1\n"), CodeAnswer},
		"conflict, no end":    {text(409, sizeType, "1"), CodeAnswer},
		"conflict, the same":  {text(409, sizeType, "0\n"), CodeAnswer},
		"conflict, less":      {text(409, sizeType, "1\n"), CodeAnswer},
		"conflict, charset":   {text(409, sizeType+"; charset=utf-8", "9\n"), CodeOlder},
		"conflict, more":      {text(409, sizeType, "9\n"), CodeOlder},
		"never the same": {func(rw http.ResponseWriter, r *http.Request) {
			n++
			text(409, sizeType, fmt.Sprintln(1+n%2))(rw, r)
		}, CodeAnswer},
		"not known": {text(404, "", "\x1b[31m"), CodeUnknownLog},
		"forbidden": {text(403, "", "no"), CodeUnknownKey},
		"other":     {text(422, "", "no"), CodeHistory},
		"failure":   {text(500, "", "no"), CodeAnswer},
		"redirect": {func(rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, other.peer.URL+addPath, http.StatusTemporaryRedirect)
		}, CodeAnswer},
		"it breaks off": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, CodeUnreachable},
	} {
		s := httptest.NewServer(c.h)
		p := Peer{Key: w.Key(), URL: s.URL}
		head := l.head(t)
		r := Ask(t.Context(), NewClient(), head, &LogProver{Dir: l.o.Dir}, []Peer{p})[0]
		if abi.CodeOf(r.Err) != c.want || len(head.Sigs) != 1 {
			t.Errorf("%s: %v, want %s", name, r.Err, c.want)
		} else if strings.ContainsRune(r.Err.Error(), 0x1b) {
			t.Errorf("%s: the answer draws on the terminal", name)
		}
		s.Close()
	}
	// One that never answers is left alone when the context ends.
	hang := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
	defer s.Close()
	defer close(hang)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	r := Ask(ctx, NewClient(), l.head(t), &LogProver{Dir: l.o.Dir}, []Peer{{Key: w.Key(), URL: s.URL}})[0]
	wantCode(t, r.Err, CodeUnreachable)
}

func TestCheckURL(t *testing.T) {
	for _, good := range []string{"http://127.0.0.1:8080", "https://w.example/prefix/"} {
		if err := CheckURL(good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "w.example", "ftp://w.example", "http://", "http://u:p@w.example", "http://w.example/?a", "http://w.example/#a", "http://[::1", "file:///etc/passwd"} {
		wantCode(t, CheckURL(bad), CodeURL)
	}
}
