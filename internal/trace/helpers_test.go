package trace

import (
	"errors"
	"io"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
)

var testKey = seal.Key{1, 2, 3}

func testHeader() Header {
	return Header{
		Run: "r0123456789abcdef", Time: 1700000000000000000, Workload: "hello", Publisher: "acme", Standing: abi.StandingSigned,
		Package: abi.Digest{1}, Module: abi.Digest{2}, Rewritten: abi.Digest{3}, Rewriter: 1, Engine: "wazero 1", Arch: "amd64",
		Floats: true, Canonical: true, MaxPages: 4096, Limits: abi.Limits{Fuel: 7, Recording: 1 << 20}, Policy: abi.Digest{4}, Epoch: 2,
		Trust: abi.Trust{P: 50, A: 100, C: 60, N: 100, R: 100}, Args: []string{"a", "\xff\xfe"}, Env: []string{"K=V"},
		Mounts: []Mount{{Host: "/h\xff", Guest: "/in", ReadOnly: true}}, Mode: "full", Parent: "r1",
	}
}

// sample is a call as a test makes it, with what was decided.
type sample struct {
	c   abi.Call
	o   abi.Object
	d   *abi.Decision
	out []byte
}

func (s *sample) write(t testing.TB, w *Writer) {
	t.Helper()
	if got := w.Reserve(&s.c, &s.o); got != abi.OutcomeNone {
		t.Fatalf("Reserve = %v", got)
	}
	if len(s.c.Out) != s.c.OutCap {
		t.Fatalf("Reserve gave %d bytes, not %d", len(s.c.Out), s.c.OutCap)
	}
	s.c.OutLen = copy(s.c.Out, s.out)
	w.Commit(&s.c, &s.o, s.d)
}

// want is the event that s must read back as.
func (s *sample) want(index uint64, r *Reader) Event {
	ev := Event{
		Index: index, Num: s.c.Row.Num, Args: s.c.Args, Path: s.c.Path, InLen: len(s.c.In),
		Kind: s.o.Kind, Name: s.o.Name, Name2: s.o.Name2, Dir: s.o.Dir, Grant: s.o.Grant, Refused: s.o.Refused, Barred: s.o.Errno,
		Via: s.o.Via, Barring: s.o.Barring,
		Decision: s.d, Errno: s.c.Errno, Limit: s.c.Limit, Stop: s.c.Stop, Charge: s.c.Charge, Duration: -1,
	}
	if ev.InLen > 0 {
		ev.InTag = r.CheckIn(index, s.c.In)
	}
	if s.c.Errno == 0 {
		ev.Ret, ev.Out = s.c.Ret[:s.c.Row.RetSize()], s.out
	}
	return ev
}

// same compares all but the sample's times, which it checks for being there.
func same(t rapid.TB, got, want Event) {
	t.Helper()
	if s := sampled(got.Index); s != (got.Duration >= 0) || s != (got.Time > 0) {
		t.Fatalf("call %d: duration %d, time %d", got.Index, got.Duration, got.Time)
	}
	got.Duration, got.Time = -1, 0
	for _, p := range []*[]byte{&got.Ret, &got.Out, &want.Ret, &want.Out} {
		if len(*p) == 0 {
			*p = nil
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("call %d:\ngot  %+v\nwant %+v\ndecisions %+v %+v", got.Index, got, want, got.Decision, want.Decision)
	}
}

func newWriter(t testing.TB, limit uint64) (*Writer, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.f1rec")
	w, err := Create(path, testHeader(), testKey, limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Abort)
	return w, path
}

func finish(t testing.TB, w *Writer) Sealed {
	t.Helper()
	s, err := w.Finish(End{Outcome: abi.OutcomeExit, Exit: 3, Trap: "", Denials: 1, Ticks: 9, Fuel: 8, State: [16]byte{5}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func open(t testing.TB, path string) *Reader {
	t.Helper()
	r, err := Open(path, testKey)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// drain reads all events and returns their number.
func drain(r *Reader) (n uint64, err error) {
	var ev Event
	for {
		if err := r.Next(&ev); err == io.EOF {
			return n, nil
		} else if err != nil {
			return n, err
		}
		n++
	}
}

func code(t testing.TB, err error, want abi.Code) {
	t.Helper()
	if got := abi.CodeOf(err); got != want {
		t.Fatalf("got %v (code %q), want %s", err, got, want)
	}
	var e *abi.Error
	if errors.As(err, &e) && (e.Where == "" || e.Hint == "") {
		t.Fatalf("%v names no place or no hint", err)
	}
	if _, ok := abi.LookupCode(want); !ok {
		t.Fatalf("code %s is not registered", want)
	}
}

var allow = &abi.Decision{
	Verdict: abi.Allow, Reason: abi.ReasonPermit, Rules: []abi.Rule{{ID: "base-stdio", File: "base.cedar", Line: 4}},
	Epoch: 1, Trust: abi.Trust{P: 50, A: 100, C: 60, N: 100, R: 100},
}

var deny = &abi.Decision{Verdict: abi.Deny, Reason: abi.ReasonNoGrant, Errno: abi.ENOENT, Severity: 2, Epoch: 1, Advice: "mount it"}

func read(fd uint64, data string) *sample {
	s := &sample{o: abi.Object{Kind: abi.ObjFile, Name: "/in/a.jsonnet", Grant: 1}, d: allow, out: []byte(data)}
	s.c.Reset(abi.Lookup(abi.FdRead), 0)
	s.c.Args[0], s.c.Args[1], s.c.OutCap = fd, uint64(len(data)+8), len(data)+8
	s.c.SetU32(0, uint32(len(data)))
	return s
}

func refused(path string) *sample {
	s := &sample{o: abi.Object{Kind: abi.ObjFile, Name: path, Refused: abi.RefuseNoGrant, Errno: abi.ENOENT}, d: deny}
	s.c.Reset(abi.Lookup(abi.PathOpen), 0)
	s.c.Args = [8]uint64{3, 1, uint64(len(path)), 0, 2, 2, 0}
	s.c.Path[0], s.c.Errno = path, abi.ENOENT
	return s
}

// through is a call that was denied for a place it led through.
func through() *sample {
	s := refused("x/../b")
	s.o = abi.Object{Kind: abi.ObjFile, Name: "/b", Grant: 1, Via: []abi.Place{{Name: "/a", Grant: 1}, {Name: "/x"}}, Barring: 2}
	return s
}

func clock() *sample {
	s := &sample{o: abi.Object{Kind: abi.ObjClock, Name: "monotonic"}, d: allow}
	s.c.Reset(abi.Lookup(abi.ClockTimeGet), 0)
	s.c.Args[0], s.c.Args[1] = 1, 1000
	s.c.SetU64(0, 123456789)
	return s
}

func write(data string) *sample {
	s := &sample{o: abi.Object{Kind: abi.ObjStream, Name: "stdout"}, d: allow}
	s.c.Reset(abi.Lookup(abi.FdWrite), 0)
	s.c.Args[0], s.c.Args[1], s.c.In = 1, uint64(len(data)), []byte(data)
	s.c.SetU32(0, uint32(len(data)))
	return s
}

const never = time.Hour
