package evidence

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/signednote"
	"github.com/forgeone/forgeone/internal/sys"
	"github.com/forgeone/forgeone/internal/sys/faultfs"
)

func rotate(t testing.TB, l *Log, next *PrivateKey) uint64 {
	t.Helper()
	i, err := l.Rotate(context.Background(), next, nil)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// tryAdd is add that may fail.
func tryAdd(l *Log, rs ...abi.Record) error {
	_, err := l.Update(context.Background(), func() ([]abi.Record, error) { return rs, nil })
	return err
}

// TestRotate: a log goes on under another key, by who rotated and by who opens
// it with the new key; with the old one it is opened no more.
func TestRotate(t *testing.T) {
	f := &fold{}
	ring := postRing{}
	o := newLog(t, small, func(o *Options) { o.Follower, o.PostKey = f, ring.key })
	k0, k1, k2 := o.Key, newKey(t), newKey(t)
	l := openLog(t, o)
	add(t, l, runEnd(1))
	post := ring.make(t)
	at, err := l.Rotate(context.Background(), k1, post)
	if err != nil || at != 2 {
		t.Fatal(at, err)
	}
	if lk, ok := f.recs[2].Body.(*abi.LogKey); !ok || lk.Term != 1 || f.recs[2].Kind != abi.KindLogKey {
		t.Fatalf("the follower got %+v", f.recs[2])
	}
	wantVerify(t, o.Dir, "", k0, k1) // nothing is behind it yet
	add(t, l, runEnd(2))
	if ts := l.Terms(); len(ts) != 2 || ts[1].From != 3 || !bytes.Equal(ts[1].Post, post) || !bytes.Equal(ts[1].Key, k1.Public()) {
		t.Fatalf("%+v", ts)
	}
	if !strings.Contains(string(l.Checkpoint()), "\n4\n") || signednote.NewVerifiers(l.Origin(), pins(k1)...).Alone(l.Checkpoint()) != nil {
		t.Fatalf("%s", l.Checkpoint())
	}
	for _, k := range []*PrivateKey{k0, k1} {
		if _, err := l.Rotate(context.Background(), k, nil); abi.CodeOf(err) != CodeTerm {
			t.Fatalf("to a used key: %v", err)
		}
	}
	if _, err := l.Rotate(context.Background(), nil, nil); abi.CodeOf(err) != CodeUsage {
		t.Fatal(err)
	}
	if _, err := l.Rotate(context.Background(), k2, post[1:]); abi.CodeOf(err) != CodeTerm {
		t.Fatal(err)
	}
	add(t, l, runEnd(3)) // a refused rotation harms nothing
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	o.Follower = nil
	_, err = Open(o)
	wantCode(t, err, CodeStale)
	if !strings.Contains(err.Error(), k1.Public().String()) {
		t.Errorf("%v does not name the key", err)
	}
	o.Key, o.Keys = k1, pins(k0)
	l = openLog(t, o)
	for i := range 300 { // over the ends of segments
		add(t, l, runEnd(i), runEnd(i), runEnd(i))
		if i == 150 {
			rotate(t, l, k2)
		}
	}
	r, err := Verify(context.Background(), o.Dir, pins(k0, k1, k2), VerifyOptions{})
	if err != nil || len(r.Terms) != 3 || r.Segments < 4 {
		t.Fatalf("%+v %v", r, err)
	}
	o.Key, o.Keys = k2, pins(newKey(t))
	_, err = Open(o)
	wantCode(t, err, CodePin)
	err = tryAdd(l, abi.Record{Body: &abi.LogKey{}})
	wantCode(t, err, CodeTooLarge)
}

// TestRotateElsewhere: another Log hands over. Who knows the new key goes on; who
// does not appends no more, but still reads.
func TestRotateElsewhere(t *testing.T) {
	o := newLog(t)
	k1 := newKey(t)
	knows, f := o, &fold{}
	asked := 0
	var answer *PrivateKey
	knows.NextKey = func(p PublicKey) (*PrivateKey, error) {
		if asked++; answer == nil {
			return nil, errTest
		}
		return answer, nil
	}
	blind := o
	blind.Follower = f
	a, b, c := openLog(t, o), openLog(t, knows), openLog(t, blind)
	add(t, a, runEnd(1))
	rotate(t, a, k1)
	add(t, a, runEnd(2))
	for _, l := range []*Log{c, b} {
		wantCode(t, tryAdd(l, runEnd(3)), CodeStale)
		_, err := l.Rotate(context.Background(), newKey(t), nil)
		wantCode(t, err, CodeStale)
	}
	if err := tryAdd(b, runEnd(3)); !errors.Is(err, errTest) {
		t.Fatal(err)
	}
	answer = newKey(t)
	wantCode(t, tryAdd(b, runEnd(3)), CodeStale) // another key than was asked for
	answer = k1
	add(t, b, runEnd(4))
	before := asked
	add(t, b, runEnd(5))
	if asked != before {
		t.Error("asked again though the key is known")
	}
	if err := c.Refresh(context.Background()); err != nil || f.len() != int(a.Size())+2 {
		t.Fatalf("%d records seen, %v", f.len(), err)
	}
	wantVerify(t, o.Dir, "", o.Key, k1)
}

// TestRotateAmongOthers: hand-overs in the middle of full queues: every record
// stands once, each under its key.
func TestRotateAmongOthers(t *testing.T) {
	o := newLog(t, small)
	l := openLog(t, o)
	keys := []*PrivateKey{o.Key}
	var wg sync.WaitGroup
	for p := range 8 {
		wg.Go(func() {
			for i := range 50 {
				if err := tryAdd(l, uninstall(fmt.Sprintf("%d.%d", p, i)), runEnd(i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 10 {
		keys = append(keys, newKey(t))
		rotate(t, l, keys[len(keys)-1])
	}
	wg.Wait()
	wantVerify(t, o.Dir, "", keys...)
	if got := names(t, o); len(got) != 400 {
		t.Fatalf("%d of 400 records", len(got))
	}
}

// TestProcessesRotate: two processes hand over again and again while others
// append: nothing is lost, and all of it verifies with the first key and the last.
func TestProcessesRotate(t *testing.T) {
	o := newLog(t, func(o *Options) { o.SegmentBytes = 64 << 10 })
	var cs []*child
	for i := range 2 {
		cs = append(cs, start(t, "rotate", o, "r"+strconv.Itoa(i)))
	}
	long := []*child{start(t, "append", o, "a0"), start(t, "append", o, "a1")}
	var acked []string
	for _, c := range cs {
		acked = append(acked, c.wait(t, false)...)
	}
	for _, c := range long {
		if err := c.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		acked = append(acked, c.wait(t, true)...)
	}
	p := o
	p.NextKey = keyIn(o.Dir[:len(o.Dir)-len("/log")])
	l := openLog(t, p) // mends what the killed ones left
	add(t, l, runEnd(1))
	ts := l.Terms()
	r, err := Verify(context.Background(), o.Dir, []PublicKey{o.Key.Public(), ts[len(ts)-1].Key}, VerifyOptions{})
	if err != nil || len(r.Terms) != 25 {
		t.Fatalf("%d terms, %v", len(r.Terms), err)
	}
	got := names(t, o)
	for _, n := range acked {
		if got[n] != 1 {
			t.Errorf("%s is there %d times", n, got[n])
		}
	}
	t.Logf("%d terms, %d records, %d acknowledged", len(r.Terms), r.Records, len(acked))
}

// TestRotateCut: a log cut back to before a hand-over, at any byte of its batch,
// is not continued with the new key, nor with the old one without a trace.
func TestRotateCut(t *testing.T) {
	o := newLog(t, small)
	l := openLog(t, o)
	add(t, l, runEnd(1))
	k1 := newKey(t)
	rotate(t, l, k1)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	good := readFile(t, segment(o, 0))
	at, end := frames(t, good)
	from := at[len(at)-2] // the log.key
	for cut := from; cut < end; cut += 7 {
		bad := bytes.Clone(good)
		clear(bad[cut:])
		writeFile(t, segment(o, 0), bad)
		p := o
		p.Key = k1
		_, err := Open(p)
		wantCode(t, err, CodeStale)
		if !bytes.Equal(readFile(t, segment(o, 0)), bad) {
			t.Fatal("something was mended with a key that is not current")
		}
	}
	// As after a crash: the hand-over never was, and the old key goes on.
	l = openLog(t, o)
	add(t, l, runEnd(2))
	wantVerify(t, o.Dir, "", o.Key)
	// A flipped byte of the last batch but one, with commits of the next term behind it.
	writeFile(t, segment(o, 0), good)
	o.Key = k1
	l = openLog(t, o)
	add(t, l, runEnd(2))
	bad := readFile(t, segment(o, 0))
	bad[from+40] ^= 1
	clear(bad[at[len(at)-1]:end]) // and the commit over the hand-over is gone
	writeFile(t, segment(o, 0), bad)
	_, err := Open(o)
	wantCode(t, err, CodeTampered, CodeDamaged)
}

// TestRotateFails: each operation of a hand-over fails once, in each way. The log
// is then of the old term or of the new one, goes on, and verifies.
func TestRotateFails(t *testing.T) {
	for name, fault := range map[string]faultfs.Fault{
		"eio": {Err: syscall.EIO}, "eio after": {Err: syscall.EIO, After: true}, "short": {Err: syscall.EIO, Short: 300}, "full": {Err: syscall.ENOSPC},
	} {
		for n := 1; ; n++ {
			p, k1, o := &plan{n: n, fault: fault}, newKey(t), newLog(t)
			x := o
			x.FS = faultfs.New(sys.OS{}, p.hook)
			l := openLog(t, x)
			add(t, l, runEnd(1))
			p.armed = true
			_, err := l.Rotate(context.Background(), k1, nil)
			if p.hit == "" {
				if n < 3 || err != nil {
					t.Fatalf("%s: %d operations, %v", name, n-1, err)
				}
				break
			}
			if err == nil {
				t.Fatalf("%s: %s failed, and the log was handed over", name, p.hit)
			}
			if err := tryAdd(l, runEnd(2)); err != nil {
				wantCode(t, err, CodeStopped)
			}
			o.NextKey = func(PublicKey) (*PrivateKey, error) { return k1, nil }
			l = openLog(t, o)
			add(t, l, runEnd(3))
			wantVerify(t, o.Dir, "", o.Key)
			if len(l.Terms()) == 1 {
				wantVerify(t, o.Dir, CodePin, k1)
			}
		}
	}
	f := &fold{refuse: func(_ uint64, r abi.Record) error {
		if r.Kind == abi.KindLogKey {
			return errTest
		}
		return nil
	}}
	o := newLog(t, func(o *Options) { o.Follower = f })
	l := openLog(t, o)
	_, err := l.Rotate(context.Background(), newKey(t), nil)
	wantCode(t, err, CodeRefused)
	add(t, l, runEnd(1))
	mustVerify(t, o)
}
