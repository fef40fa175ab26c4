package trace

import (
	"bytes"
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/sys"
)

func TestRoundTrip(t *testing.T) {
	w, path := newWriter(t, 0)
	samples := []*sample{clock(), read(3, "hello"), refused("/etc/passwd"), write("out"), through(), through(), clock()}
	for _, s := range samples {
		s.write(t, w)
	}
	sealed := finish(t, w)
	r := open(t, path)
	want := testHeader()
	want.Table = TableDigest(len(abi.Rows()))
	if diff := cmp.Diff(&want, r.Header()); diff != "" {
		t.Error(diff)
	}
	if got, ok := r.Seal(); !ok || got != sealed.Seal || r.HeaderDigest() != w.HeaderDigest() {
		t.Error("seal or header digest differs")
	}
	if err := r.CheckSeal(sealed.Seal); err != nil {
		t.Error(err)
	}
	code(t, r.CheckSeal(abi.Digest{1}), CodeOtherSeal)
	if e, ok := r.End(); !ok || e.Calls != 7 || e.Exit != 3 || e.State != [16]byte{5} {
		t.Errorf("End = %+v, %v", e, ok)
	}
	if _, yes := r.Truncated(); yes {
		t.Error("truncated")
	}
	for range 2 {
		var ev Event
		for i, s := range samples {
			if err := r.Next(&ev); err != nil {
				t.Fatal(err)
			}
			same(t, ev, s.want(uint64(i), r))
		}
		if n, err := drain(r); n != 0 || err != nil {
			t.Fatal(n, err)
		}
		if err := r.Rewind(); err != nil {
			t.Fatal(err)
		}
	}
	if a, b := w.StateMAC().Tag(1, 2, []byte("x")), r.StateMAC().Tag(1, 2, []byte("x")); a != b {
		t.Error("state MACs differ")
	}
}

// draw makes any call that an engine may hand over.
func draw(t *rapid.T, decisions []*abi.Decision) *sample {
	s := &sample{}
	row := rapid.SampledFrom(abi.Rows()).Draw(t, "row")
	s.c.Reset(row, 0)
	path := 0
	for i, p := range row.Params {
		switch p.Type {
		case abi.U8:
			s.c.Args[i] = uint64(rapid.Uint8().Draw(t, "u8"))
		case abi.U16:
			s.c.Args[i] = uint64(rapid.Uint16().Draw(t, "u16"))
		case abi.U64, abi.S64:
			s.c.Args[i] = rapid.Uint64().Draw(t, "u64")
		case abi.Path:
			s.c.Path[path] = rapid.StringN(0, 40, 100).Draw(t, "path")
			s.c.Args[i] = uint64(len(s.c.Path[path]))
			path++
		case abi.BytesIn, abi.SubsIn:
			s.c.In = rapid.SliceOfN(rapid.Byte(), 0, 60).Draw(t, "in")
			s.c.Args[i] = uint64(len(s.c.In))
		case abi.BytesOut, abi.BufferOut, abi.EventsOut, abi.StringsOut:
			s.out = rapid.SliceOfN(rapid.Byte(), 0, 60).Draw(t, "out")
			s.c.OutCap = len(s.out) + rapid.SampledFrom([]int{0, 1, 100, 70_000, maxInline, maxInline + 1}).Draw(t, "cap")
			if p.Type != abi.StringsOut {
				s.c.Args[i] = uint64(s.c.OutCap)
			}
			if rapid.IntRange(0, 9).Draw(t, "big") == 0 {
				s.out = bytes.Repeat([]byte("0123456789"), s.c.OutCap/10)
			}
		default:
			if p.Type.Size() == 0 {
				s.c.Args[i] = uint64(rapid.Uint32().Draw(t, "u32"))
			}
		}
	}
	name := rapid.SampledFrom([]string{"", "/a", "/b", "stdout", "/x/\xff\x00"})
	s.o = abi.Object{
		Kind: abi.ObjectKind(rapid.IntRange(0, int(abi.ObjSocket)).Draw(t, "kind")), Name: name.Draw(t, "name"), Name2: name.Draw(t, "name2"),
		Dir: rapid.Bool().Draw(t, "dir"), Grant: rapid.IntRange(0, 300).Draw(t, "grant"),
		Refused: abi.Refusal(rapid.IntRange(0, int(abi.RefuseMove)).Draw(t, "refused")),
	}
	if rapid.IntRange(0, 4).Draw(t, "barred") == 0 {
		s.o.Errno = abi.EBADF
	}
	for range rapid.IntRange(0, 3).Draw(t, "places") {
		s.o.Via = append(s.o.Via, abi.Place{Name: name.Draw(t, "place"), Grant: rapid.IntRange(0, 300).Draw(t, "its grant")})
		s.o.Barring = rapid.IntRange(0, len(s.o.Via)).Draw(t, "barring")
	}
	if rapid.IntRange(0, 4).Draw(t, "limited") == 0 {
		s.c.Limit = rapid.SampledFrom([]abi.Limit{abi.LimitMemory, abi.LimitDisk, abi.LimitsAll}).Draw(t, "limit")
	}
	if s.d = rapid.SampledFrom(decisions).Draw(t, "decision"); rapid.Bool().Draw(t, "fresh") {
		d := *s.d
		s.d = &d
	}
	if rapid.Bool().Draw(t, "fails") {
		s.c.Errno = abi.Errno(rapid.IntRange(1, 76).Draw(t, "errno"))
	}
	for i := range row.RetSize() {
		s.c.Ret[i] = rapid.Byte().Draw(t, "ret")
	}
	s.c.Charge = rapid.SampledFrom([]uint64{0, 1, 800, abi.MaxCharge}).Draw(t, "charge")
	if rapid.IntRange(0, 20).Draw(t, "stops") == 0 {
		s.c.Stop = abi.OutcomeOutput
	}
	return s
}

func TestAnyCalls(t *testing.T) {
	dir, n := t.TempDir(), 0
	decisions := []*abi.Decision{allow, deny, {Verdict: abi.Escalate, Rules: []abi.Rule{{ID: "a"}, {ID: "b", File: "f", Line: 9}}, Epoch: 1 << 60}}
	rapid.Check(t, func(t *rapid.T) {
		n++
		path := filepath.Join(dir, string(rune('a'+n%26))+time.Now().Format("150405.000000000"))
		flush := rapid.SampledFrom([]time.Duration{time.Hour, 50 * time.Microsecond}).Draw(t, "flush")
		w, err := create(sys.OS{}, path, testHeader(), testKey, 0, flush)
		if err != nil {
			t.Fatal(err)
		}
		var samples []*sample
		for range rapid.IntRange(0, 40).Draw(t, "calls") {
			s := draw(t, decisions)
			if w.Reserve(&s.c, &s.o) != abi.OutcomeNone {
				t.Fatal("no room")
			}
			s.c.OutLen = copy(s.c.Out, s.out)
			w.Commit(&s.c, &s.o, s.d)
			samples = append(samples, s)
		}
		if _, err := w.Finish(End{Outcome: abi.OutcomeExit}); err != nil {
			t.Fatal(err)
		}
		r, err := Open(path, testKey)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		var ev Event
		for i, s := range samples {
			if err := r.Next(&ev); err != nil {
				t.Fatal(err)
			}
			same(t, ev, s.want(uint64(i), r))
		}
		if err := r.Next(&ev); err != io.EOF {
			t.Fatal(err)
		}
	})
}

// TestLong fills many pages with large and small outputs, so that pages are
// handed over, waited for and used again.
func TestLong(t *testing.T) {
	w, path := newWriter(t, 0)
	noise := make([]byte, 200_000)
	for i := range noise {
		noise[i] = byte(i * i >> 7)
	}
	sizes := []int{0, 10, 70_000, 200_000, 64}
	var n int
	for i := range 2000 {
		s := read(3, string(noise[:sizes[i%len(sizes)]]))
		s.o.Name = "/in/" + string(rune('a'+i%7))
		s.write(t, w)
		n += len(s.out)
	}
	if w.made > maxPages {
		t.Errorf("%d pages", w.made)
	}
	sealed := finish(t, w)
	r := open(t, path)
	var ev Event
	for i := range 2000 {
		if err := r.Next(&ev); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(ev.Out, noise[:sizes[i%len(sizes)]]) || ev.Name != "/in/"+string(rune('a'+i%7)) || ev.Index != uint64(i) {
			t.Fatalf("call %d differs", i)
		}
	}
	if k, err := drain(r); k != 0 || err != nil || sealed.Size > uint64(n) {
		t.Fatal(k, err, sealed.Size, n)
	}
}

// TestHuge records the largest output there is.
func TestHuge(t *testing.T) {
	w, path := newWriter(t, 0)
	s := read(3, string(make([]byte, maxOut-8)))
	s.c.OutCap = maxOut
	clock().write(t, w)
	s.write(t, w)
	if w.stage != nil {
		t.Error("the stage of a huge call is kept")
	}
	clock().write(t, w)
	finish(t, w)
	r := open(t, path)
	if n, err := drain(r); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	s.c.OutCap++
	w2, _ := newWriter(t, 0)
	if got := w2.Reserve(&s.c, &s.o); got != abi.OutcomeKernel {
		t.Errorf("Reserve of too much = %v", got)
	}
}

// TestHeadBound: no head is longer than Reserve makes room for.
func TestHeadBound(t *testing.T) {
	long := string(make([]byte, 5000))
	d := &abi.Decision{Advice: long + long, Epoch: 1<<64 - 1, Errno: 0xffff}
	for range 1000 {
		d.Rules = append(d.Rules, abi.Rule{ID: long, File: long, Line: 1 << 30})
	}
	for _, row := range abi.Rows() {
		e := newEncoder()
		var c abi.Call
		c.Reset(row, 0)
		for i := range c.Args {
			c.Args[i] = 1 << 63
		}
		c.Path, c.In, c.Stop = [2]string{long, long}, make([]byte, abi.MaxTransfer), abi.OutcomeExit
		o := abi.Object{Name: long, Name2: long, Grant: 1 << 30, Errno: 0xffff}
		names := 4 * len(long)
		for range maxPlaces {
			o.Via = append(o.Via, abi.Place{Name: long, Grant: 1 << 30})
			names += len(long)
		}
		x := extra{out: 1 << 24, sampled: true, duration: 1<<63 - 1}
		if n := len(e.head(nil, &c, &o, d, &x)); n+overhead > maxHead+names {
			t.Errorf("%s: %d bytes", row.Name, n)
		}
	}
}

func TestAllocations(t *testing.T) {
	w, _ := newWriter(t, 0)
	for name, s := range map[string]*sample{"clock": clock(), "read": read(3, "hello"), "write": write("x"), "deny": refused("/etc/passwd")} {
		if n := testing.AllocsPerRun(2000, func() { s.write(t, w) }); n > 0 {
			t.Errorf("%s: %v allocations a call", name, n)
		}
	}
}
