package evidence

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/codec"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	o := newLog(t, small)
	f := &fold{}
	o.Follower = f
	l := openLog(t, o)
	var want []abi.Record
	for i := range 300 {
		rs := []abi.Record{runEnd(i), uninstall("p")}
		first := add(t, l, rs...)
		if i == 0 && first != 1 {
			t.Fatalf("first = %d", first)
		}
		want = append(want, rs...)
	}
	rep := mustVerify(t, o)
	if rep.Segments < 5 {
		t.Fatalf("%d segments: the test should cross some", rep.Segments)
	}
	if rep.Records != l.Size() || rep.Root != l.Root() || rep.Checkpoint != string(l.Checkpoint()) || rep.Witnessed.Yes() {
		t.Fatalf("report %+v does not agree with the log", rep)
	}
	var got, all []abi.Record
	var hashes []tlog.Hash
	err := Read(o.Dir, 0, func(i uint64, r abi.Record) error {
		e, err := codec.EncodeRecord(r)
		if err != nil {
			return err
		}
		hs, err := tlog.StoredHashes(int64(i), e, tlog.HashReaderFunc(func(at []int64) (out []tlog.Hash, _ error) {
			for _, a := range at {
				out = append(out, hashes[a])
			}
			return out, nil
		}))
		hashes = append(hashes, hs...)
		all = append(all, r)
		switch r.Kind {
		case abi.KindRunEnd, abi.KindPackageUninstall:
			got = append(got, r)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
	if diff := cmp.Diff(all, f.recs); diff != "" {
		t.Fatalf("the follower saw something else: %s", diff)
	}
	// The tree of an independent implementation.
	root, err := tlog.TreeHash(int64(len(all)), tlog.HashReaderFunc(func(at []int64) (out []tlog.Hash, _ error) {
		for _, a := range at {
			out = append(out, hashes[a])
		}
		return out, nil
	}))
	if err != nil || abi.Digest(root) != rep.Root {
		t.Fatalf("tlog: root %v, %v; ours %s", root, err, base64.StdEncoding.EncodeToString(rep.Root[:]))
	}
	// The note, opened by an independent implementation with the public key alone.
	v, err := note.NewVerifier(VerifierKey(rep.Origin, o.Key.Public()))
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Open(l.Checkpoint(), note.VerifierList(v))
	if err != nil || !strings.HasPrefix(n.Text, DefaultOrigin(o.Key.Public())+"\n") {
		t.Fatalf("note %v, %v", n, err)
	}
	tr, err := tlog.ParseTree([]byte("go.sum database tree\n" + strings.SplitN(n.Text, "\n", 2)[1]))
	if err != nil || tr.N != int64(rep.Records) || tr.Hash != root {
		t.Fatalf("checkpoint %+v, %v", tr, err)
	}
	// Opened anew, it folds to the same.
	g := &fold{}
	o.Follower = g
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	o.SegmentBytes = 0
	again := openLog(t, o)
	if diff := cmp.Diff(f.recs, g.recs); diff != "" || again.Size() != rep.Records {
		t.Fatal(diff)
	}
	if r, err := Entry(o.Dir, 5); err != nil || !cmp.Equal(r, all[5]) {
		t.Fatalf("Entry = %v, %v", r, err)
	}
	_, err = Entry(o.Dir, 1e9)
	wantCode(t, err, CodeRecord)
	last := uint64(len(all) - 1)
	if rs, err := Entries(o.Dir, last, 0, 5, 0); err != nil || !cmp.Equal(rs, []abi.Record{all[last], all[0], all[5], all[0]}) {
		t.Fatalf("Entries = %v, %v", rs, err)
	}
	_, err = Entries(o.Dir, 5, last+1)
	wantCode(t, err, CodeRecord)
}

func TestTransactions(t *testing.T) {
	f := &fold{}
	o := newLog(t)
	o.Follower = f
	l := openLog(t, o)
	ctx := context.Background()
	update := func(rs []abi.Record, err error) error {
		_, e := l.Update(ctx, func() ([]abi.Record, error) { return rs, err })
		return e
	}
	if err := update([]abi.Record{runEnd(1)}, errTest); !errors.Is(err, errTest) {
		t.Fatalf("error of the function came back as %v", err)
	}
	_, err := l.Update(ctx, func() ([]abi.Record, error) { panic("no") })
	wantCode(t, err, CodePanic)
	wantCode(t, update([]abi.Record{{Body: &abi.Genesis{}}}, nil), CodeTooLarge)
	wantCode(t, update([]abi.Record{{Body: &abi.SegmentSealed{}}}, nil), CodeTooLarge)
	wantCode(t, update([]abi.Record{uninstall(strings.Repeat("x", codec.MaxRecord))}, nil), CodeTooLarge)
	wantCode(t, update([]abi.Record{{Kind: abi.KindRunEnd, Body: &abi.PackageUninstall{}}}, nil), CodeTooLarge)
	wantCode(t, update(make([]abi.Record, 1), nil), CodeTooLarge)
	big := make([]abi.Record, 20)
	for i := range big {
		big[i] = uninstall(strings.Repeat("x", codec.MaxRecord-100))
	}
	wantCode(t, update(big, nil), CodeTooLarge)
	if err := update(big[:15], nil); err != nil {
		t.Fatal(err)
	}
	if n, err := l.Update(ctx, func() ([]abi.Record, error) { return nil, nil }); err != nil || n != 16 || l.Size() != 16 {
		t.Fatalf("an empty transaction gave %d, %v", n, err)
	}
	// A record that the follower refuses, half taken in, leaves no trace.
	f.refuse = func(_ uint64, r abi.Record) error {
		if u, ok := r.Body.(*abi.PackageUninstall); ok && u.Name == "bad" {
			return errTest
		}
		return nil
	}
	wantCode(t, update([]abi.Record{uninstall("good"), uninstall("bad")}, nil), CodeRefused)
	if f.has("good") || f.len() != 16 || f.resets != 1 {
		t.Fatalf("after a refusal the state has %d records, %d resets", f.len(), f.resets)
	}
	if first := add(t, l, uninstall("good")); first != 16 || !f.has("good") {
		t.Fatalf("first = %d", first)
	}
	mustVerify(t, o)
}

func TestGoexit(t *testing.T) {
	o := newLog(t)
	l := openLog(t, o)
	_, err := l.Update(context.Background(), func() ([]abi.Record, error) { runtime.Goexit(); return nil, nil })
	if err == nil {
		t.Fatal("no error")
	}
	_, err = l.Update(context.Background(), func() ([]abi.Record, error) { return nil, nil })
	wantCode(t, err, CodeStopped, CodeClosed)
	add(t, openLog(t, o), runEnd(1)) // the lock was let go of
	mustVerify(t, o)
}

func TestTimes(t *testing.T) {
	now := time.Unix(1000, 0)
	o := newLog(t, func(o *Options) { o.Now = func() time.Time { return now } })
	l := openLog(t, o)
	add(t, l, runEnd(1))
	now = time.Unix(10, 0) // the clock was set back
	add(t, l, runEnd(2), abi.Record{Time: 5, Body: &abi.PackageUninstall{Name: "x"}})
	now = time.Unix(2000, 0)
	add(t, l, runEnd(3))
	mustVerify(t, o)
	want := []int64{1000e9, 1000e9, 1000e9, 1000e9, 2000e9}
	var got []int64
	if err := Read(o.Dir, 0, func(_ uint64, r abi.Record) error { got = append(got, r.Time); return nil }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
}

// TestClockBack: wherever the clock is set to, by hours, to zero, to before 1970
// and to year 1, between openings and in between batches: no time goes back,
// nothing is refused.
func TestClockBack(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	o := newLog(t, small, func(o *Options) { o.Now = func() time.Time { return now } })
	for i, to := range []time.Time{now.Add(-5 * time.Hour), time.Unix(0, 0), time.Unix(-1e9, 0), {}, now.Add(-time.Nanosecond), now.Add(time.Hour)} {
		now = to
		l := openLog(t, o)
		for range 3 { // into another segment, now and then
			add(t, l, uninstall(strings.Repeat("x", 1500)), runEnd(i))
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		mustVerify(t, o)
	}
	last := int64(0)
	if err := Read(o.Dir, 0, func(i uint64, r abi.Record) error {
		if r.Time < last {
			t.Errorf("record %d goes back from %d to %d", i, last, r.Time)
		}
		last = r.Time
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if last != now.UnixNano() || mustSegments(t, o) < 2 {
		t.Fatalf("the last record is of %d", last)
	}
	// A log that begins before 1970.
	early := time.Unix(-1000, 5)
	o = newLog(t, func(o *Options) { o.Now = func() time.Time { return early } })
	add(t, openLog(t, o), runEnd(1))
	mustVerify(t, o)
}

func TestTwoLogs(t *testing.T) {
	t.Parallel()
	o := newLog(t, small)
	f, g := &fold{}, &fold{}
	o.Follower = f
	a := openLog(t, o)
	o.Follower = g
	b := openLog(t, o)
	o.Key, o.Follower = nil, nil
	reader := openLog(t, o)
	for i := range 200 {
		add(t, a, runEnd(2*i))
		add(t, b, runEnd(2*i+1))
	}
	if err := a.Refresh(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := reader.Refresh(context.Background()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(f.recs, g.recs); diff != "" || a.Root() != b.Root() || reader.Root() != a.Root() {
		t.Fatalf("two logs of one folder differ: %s", diff)
	}
	_, err := reader.Update(context.Background(), func() ([]abi.Record, error) { return nil, nil })
	wantCode(t, err, CodeClosed)
}

func TestCounter(t *testing.T) {
	o := newLog(t)
	a, b := openLog(t, o), openLog(t, o)
	before := b.Counter()
	add(t, a, runEnd(1))
	if b.Counter() != before {
		t.Fatal("a run's end moved the counter")
	}
	first := add(t, a, runEnd(2), abi.Record{Body: &abi.Policy{Epoch: 2}}, runEnd(3))
	if got, want := b.Counter(), 2*(first+1)+2; got != want {
		t.Fatalf("counter = %d, want %d", got, want)
	}
	// The file was cut: writers stop, and readers see it.
	if err := os.Truncate(o.Dir+"/"+counterName, 0); err != nil {
		t.Fatal(err)
	}
	if b.Counter() != ^uint64(0) {
		t.Fatal("a lost counter was not noticed")
	}
	_, err := a.Update(context.Background(), func() ([]abi.Record, error) { return []abi.Record{{Body: &abi.Policy{Epoch: 3}}}, nil })
	wantCode(t, err, CodeMoved)
	// Whoever opens the log puts it right again.
	if c := openLog(t, o); c.Counter() != 2*(first+1)+2 {
		t.Fatalf("counter = %d after opening", c.Counter())
	}
	mustVerify(t, o)
}

func TestUsage(t *testing.T) {
	o := newLog(t)
	wantCode(t, Create(o), CodeExists)
	_, err := Open(Options{Dir: t.TempDir(), Key: o.Key})
	wantCode(t, err, CodeMissing)
	_, err = Open(Options{Dir: o.Dir, Key: o.Key, Origin: "other"})
	wantCode(t, err, CodeOrigin)
	for _, bad := range []Options{{}, {Dir: "x", Origin: "a b"}, {Dir: "x", Origin: "a+b"}, {Dir: "x", SegmentBytes: 1}} {
		_, err := Open(bad)
		wantCode(t, err, CodeUsage)
	}
	wantCode(t, Create(Options{Dir: t.TempDir()}), CodeUsage)
	_, err = Verify(context.Background(), o.Dir, nil, VerifyOptions{})
	wantCode(t, err, CodeUsage)
	_, err = Verify(context.Background(), t.TempDir(), []PublicKey{o.Key.Public()}, VerifyOptions{})
	wantCode(t, err, CodeMissing)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = Verify(ctx, o.Dir, []PublicKey{o.Key.Public()}, VerifyOptions{})
	wantCode(t, err, CodeGaveUp)
	_, err = Verify(context.Background(), o.Dir, []PublicKey{o.Key.Public()}, VerifyOptions{Each: func(uint64, abi.Record) error { return errTest }})
	if err != errTest {
		t.Fatalf("error of Each came back as %v", err)
	}
	l := openLog(t, o)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = l.Update(context.Background(), func() ([]abi.Record, error) { return nil, nil })
	wantCode(t, err, CodeClosed)
}

// TestContext: a stopped process that holds the lock makes nobody wait longer
// than he wants to, and nothing is appended later.
func TestContext(t *testing.T) {
	o := newLog(t)
	l, holder := openLog(t, o), openLog(t, o)
	in, out := make(chan struct{}), make(chan struct{})
	go func() {
		_, _ = holder.Update(context.Background(), func() ([]abi.Record, error) { close(in); <-out; return nil, nil })
	}()
	<-in
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err := l.Update(ctx, func() ([]abi.Record, error) { t.Error("ran"); return []abi.Record{runEnd(1)}, nil })
	wantCode(t, err, CodeGaveUp)
	_, err = Verify(ctx, o.Dir, []PublicKey{o.Key.Public()}, VerifyOptions{})
	wantCode(t, err, CodeGaveUp)
	close(out)
	if err := l.Refresh(context.Background()); err != nil || l.Size() != 1 {
		t.Fatalf("size %d, %v", l.Size(), err)
	}
	// A log that waits can be closed, and then stays out of the follower's way.
	f := &fold{}
	o.Follower = f
	w := openLog(t, o)
	in2, out2 := make(chan struct{}), make(chan struct{})
	go func() {
		_, _ = holder.Update(context.Background(), func() ([]abi.Record, error) {
			close(in2)
			<-out2
			return []abi.Record{runEnd(1)}, nil
		})
	}()
	<-in2
	answer := make(chan error)
	go func() { answer <- w.Refresh(context.Background()) }()
	for waiting := false; !waiting; time.Sleep(time.Millisecond) {
		w.mu.Lock()
		waiting = w.waiting
		w.mu.Unlock()
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	wantCode(t, <-answer, CodeClosed)
	close(out2)
	<-w.done
	if f.len() != 1 {
		t.Fatal("the follower was called after Close")
	}
}

// TestLargeBatch: more at once than one commit may be over, and than fits into
// a segment.
func TestLargeBatch(t *testing.T) {
	o := newLog(t, func(o *Options) { o.SegmentBytes = 6 << 20 })
	f := &fold{}
	o.Follower = f
	l := openLog(t, o)
	var wg sync.WaitGroup
	for g := range 24 {
		wg.Go(func() {
			rs := make([]abi.Record, 14)
			for i := range rs {
				rs[i] = uninstall(fmt.Sprint(g, " ", i, strings.Repeat("x", 60<<10)))
			}
			first, err := l.Update(context.Background(), func() ([]abi.Record, error) {
				if n := uint64(f.len()); n < l.w.c.tree.N {
					t.Errorf("the follower is behind: %d of %d", n, l.w.c.tree.N)
				}
				return rs, nil
			})
			if err != nil {
				t.Error(err)
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			for i, r := range rs {
				if got := f.recs[first+uint64(i)]; !cmp.Equal(got, r) {
					t.Errorf("record %d of %d is another one", i, g)
				}
			}
		})
	}
	wg.Wait()
	if r := mustVerify(t, o); r.Segments < 3 || r.Records != uint64(24*14)+r.Segments {
		t.Fatalf("%+v", r)
	}
}

// TestReadersEnd: a log that grows by a batch with every record read has an end
// all the same.
func TestReadersEnd(t *testing.T) {
	o := newLog(t, small)
	l := openLog(t, o)
	add(t, l, runEnd(1), runEnd(2))
	n := 0
	grow := func(uint64, abi.Record) error {
		if n++; n > 100 {
			return errTest
		}
		add(t, l, runEnd(n), runEnd(n))
		return nil
	}
	r, err := Verify(context.Background(), o.Dir, []PublicKey{o.Key.Public()}, VerifyOptions{Each: grow})
	if err != nil || r.Records != 3 {
		t.Fatalf("%+v, %v", r, err)
	}
	if err := Read(o.Dir, 0, grow); err != nil || n != 3+9 {
		t.Fatalf("%d records, %v", n, err)
	}
	mustVerify(t, o)
}
