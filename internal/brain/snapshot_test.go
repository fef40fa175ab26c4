package brain

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/codec"
	"github.com/forgeone/forgeone/internal/seal"
)

// memPages keeps pages in memory, with zeros behind them as a file has.
type memPages [][]byte

var errPage = errors.New("the page is gone")

func (m memPages) Page(n uint64) ([]byte, error) {
	if n >= uint64(len(m)) || m[n] == nil {
		return nil, errPage
	}
	return m[n], nil
}

type fataler interface{ Fatal(args ...any) }

// kept takes a snapshot of s and returns its head and pages.
func kept(t fataler, s *State) ([]byte, memPages) {
	p, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	pages := memPages{}
	if err := p.Write(func(b []byte) error {
		if len(b) == 0 || len(b) > PageSize {
			t.Fatal("a page of", len(b), "bytes")
		}
		pages = append(pages, append(slices.Clone(b), make([]byte, PageSize-len(b))...))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if uint64(len(pages)) != p.Pages() {
		t.Fatal(len(pages), "pages, announced:", p.Pages())
	}
	return p.Head(), pages
}

func restored(t fataler, head []byte, pages memPages) *State {
	s := New()
	if err := s.Restore(head, pages); err != nil {
		t.Fatal(err)
	}
	return s
}

// reload returns s as it is after a snapshot.
func reload(t fataler, s *State) *State {
	head, pages := kept(t, s)
	return restored(t, head, pages)
}

// same checks that two states answer every query alike.
func same(t *rapid.T, a, b *State) {
	t.Helper()
	type answers struct {
		Size            uint64
		Genesis         abi.Genesis
		Config          abi.Config
		Policy          abi.Policy
		Keys            []KeyEntry
		Packages        []Package
		Runs, Open      []Run
		Pending         []abi.TrustChange
		Workloads       []Workload
		Numbers         []uint32
		Serials         map[string]uint64
		Stops           []*abi.RunStop
		ByID            []Run
		Judged          [][]abi.TrustChange
		Newest, Single  []Run
		Ring, Threshold uint64
		Revoked         map[abi.Digest]RevokedKey
		Witnesses       abi.WitnessSet
		Withdrawn       map[abi.Digest][]Revocation
		Lists           map[abi.Digest]RevocationList
		Kept, Held      uint64
		Many            uint64
		Last            uint32
		Dropped         []abi.RunID
		Excess          []*abi.RecordingDrop
	}
	of := func(s *State) (x answers) {
		x = answers{
			Size: s.Size(), Genesis: s.Genesis(), Config: s.Config(), Policy: s.Policy(), Keys: s.Keys(), Packages: s.Packages(), Runs: s.Runs(),
			Open: s.OpenRuns(), Pending: s.pending, Serials: s.serials, Newest: s.NewestRuns(3),
			Ring: s.ring, Threshold: s.threshold, Revoked: s.revoked, Witnesses: s.witnesses, Withdrawn: s.withdrawn, Lists: s.lists,
			Many: s.keep.many, Last: s.keep.last, Dropped: s.LastDropped(),
		}
		x.Kept, x.Held = s.Kept()
		for i, w := range s.numbered {
			if s.keep.heavy[w.place] != w || w.place > 0 && w.kept > s.keep.heavy[(w.place-1)/2].kept {
				t.Fatalf("workload %d is not in its place", i)
			}
			w := *w
			w.place = 0 // (several orders are right)
			x.Workloads = append(x.Workloads, w)
		}
		x.Excess, _ = s.Excess(Budget{Total: x.Kept / 2, Workload: x.Kept / 3}, MaxDrops, func(abi.RunID) (bool, error) { return true, nil })
		for _, r := range x.Runs {
			got, ok := s.Run(r.ID)
			if !ok || got != r {
				t.Fatalf("run %s is %+v in the list and %+v, %v by its id", r.ID, r, got, ok)
			}
			one, n := s.RunsLike(string(r.ID))
			x.ByID, x.Single = append(x.ByID, got), append(x.Single, one)
			if n != 1 {
				t.Fatalf("%d runs %s", n, r.ID)
			}
			x.Stops = append(x.Stops, s.Stop(r.ID))
			x.Judged = append(x.Judged, s.Judge(s.Size(), &abi.RunEnd{Run: r.ID, Outcome: abi.OutcomeAborted}))
		}
		if _, n := s.RunsLike("r"); n != len(x.Runs) {
			t.Fatalf("%d runs begin with r, there are %d", n, len(x.Runs))
		}
		if s.Err() != nil {
			t.Fatal(s.Err())
		}
		return x
	}
	if x, y := of(a), of(b); !reflect.DeepEqual(x, y) {
		t.Fatalf("the states differ:\n%+v\n%+v", x, y)
	}
}

// Folding from a snapshot on is folding everything: the same answers, the same
// refusals, and the same snapshot bytes from there on.
func TestSnapshotIsAFold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawBook(t)
		half, err := fold(b.list[:rapid.IntRange(0, len(b.list)).Draw(t, "cut")])
		if err != nil {
			t.Fatal(err)
		}
		s := reload(t, half)
		same(t, s, half)
		again := rapid.IntRange(int(s.Size()), len(b.list)).Draw(t, "again")
		for i := s.Size(); i < uint64(len(b.list)); i++ {
			if i == uint64(again) {
				s = reload(t, s)
			}
			if err := s.Follow(i, b.list[i]); err != nil {
				t.Fatal(err)
			}
		}
		same(t, s, b.s)
		h1, p1 := kept(t, s)
		h2, p2 := kept(t, b.s)
		if !bytes.Equal(h1, h2) || !reflect.DeepEqual(p1, p2) {
			t.Fatal("the snapshots differ")
		}
		for i, r := range b.list { // none of them follows any more, or all the same
			x, y := s.Follow(s.Size(), r), b.s.Follow(b.s.Size(), r)
			if fmt.Sprint(x) != fmt.Sprint(y) {
				t.Fatalf("record %d again: %v and %v", i, x, y)
			}
		}
		same(t, s, b.s)
	})
}

// What a log seldom has is kept too.
func TestSnapshotOfSeldomThings(t *testing.T) {
	s := newBook().s
	d := digest("d")
	s.ring, s.threshold = 7, 2
	s.revoked[d] = RevokedKey{KeyAdd: *key("gone", abi.RoleOperator, false), Reason: "lost", Index: 3, Time: 4}
	s.revoked[d].Public[0]++
	s.revoked = map[abi.Digest]RevokedKey{s.revoked[d].ID: s.revoked[d]}
	pair := *key("pair", abi.RolePublisher, false)
	pair.Post = bytes.Repeat([]byte{7}, seal.PostPublicSize)
	s.revoke(RevokedKey{KeyAdd: pair, Index: 5}) // under either of its keys
	s.witnesses = abi.WitnessSet{Quorum: 1, Witnesses: []abi.Witness{{Key: "w+1", URL: "u"}}}
	one := Revocation{Revoked: abi.Revoked{What: abi.RevokedModule, Digest: d}, Issuer: digest("i"), Index: 9}
	two := one
	two.Operator, two.Index = true, 8 // the order is that of the fold, not of the index
	s.withdrawn[d] = []Revocation{one, two}
	s.lists[one.Issuer] = RevocationList{Issuer: one.Issuer, Serial: 4, Index: 9, Next: 1, Parts: 2, head: []byte("head")}
	rapid.Check(t, func(t *rapid.T) { same(t, reload(t, s), s) })
}

// Many runs fill pages; their order is that of their starts, and their ids are
// found among them.
func TestSnapshotPages(t *testing.T) {
	b := newBook()
	_ = b.install("hello", "dev", 1)
	ids := map[int]abi.RunID{}
	const runs = 1500
	at := func(i int) abi.RunID { return runID(uint64(i) * 0x9e3779b97f4a7c15) }
	for i := range runs {
		ids[i] = at(i)
		b.must(b.startOf("hello", ids[i]))
		if i%100 != 3 {
			_ = b.end(&abi.RunEnd{Run: ids[i], Outcome: abi.OutcomeExit, Calls: uint64(i)})
		}
		if i == 700 {
			b.s = reload(t, b.s)
			if len(b.s.runs.late) != 0 || len(b.s.runs.inMemory) != 7 {
				t.Fatalf("%d and %d runs in memory", len(b.s.runs.late), len(b.s.runs.inMemory))
			}
		}
	}
	_ = b.end(&abi.RunEnd{Run: at(103), Outcome: abi.OutcomeExit, Exit: 7})
	s := reload(t, b.s)
	if got := s.Runs(); len(got) != runs || !reflect.DeepEqual(got, b.s.Runs()) {
		t.Fatalf("%d runs", len(got))
	}
	for i := range runs {
		r, ok := s.Run(ids[i])
		if want := i%100 == 3 && i != 103; !ok || r.ID != ids[i] || r.Open() != want {
			t.Fatalf("run %d: %+v %v", i, r, ok)
		}
		if r, n := s.RunsLike(string(ids[i][:9])); n != 1 || r.ID != ids[i] {
			t.Fatalf("run %d by the beginning of its id: %+v, %d", i, r, n)
		}
		if err := s.Follow(s.Size(), abi.Record{Body: s.startOf(ids[i])}); abi.CodeOf(err) != abi.CodeBrainStart {
			t.Fatalf("run %d starts again: %v", i, err)
		}
	}
	if r, _ := s.Run(ids[103]); r.Exit != 7 {
		t.Errorf("%+v", r)
	}
	for _, id := range []abi.RunID{runID(0), runID(^uint64(0)), runID(1)} {
		if _, ok := s.Run(id); ok != (id == at(0)) {
			t.Errorf("%s: %v", id, ok)
		}
	}
	for prefix, want := range map[string]int{"": 0, "x": 0, "r": runs, "rG": 0, "r0000000000000000ff": 0, "rF": 0} {
		if _, n := s.RunsLike(prefix); n != want {
			t.Errorf("%d runs like %q", n, prefix)
		}
	}
	sum := 0
	for c := range "0123456789abcdef" {
		_, n := s.RunsLike("r" + string("0123456789abcdef"[c]))
		sum += n
	}
	if sum != runs {
		t.Errorf("%d runs by their first digit", sum)
	}
}

// startOf is book.startOf on a bare state.
func (s *State) startOf(run abi.RunID) *abi.RunStart { return (&book{s: s}).startOf("hello", run) }

// A page that can't be read is an error that stays, and never an answer.
func TestSnapshotPagesGone(t *testing.T) {
	b := newBook()
	_ = b.install("hello", "dev", 1)
	for i := range 100 {
		b.must(b.startOf("hello", id(i)))
		_ = b.end(&abi.RunEnd{Run: id(i), Outcome: abi.OutcomeExit})
	}
	head, pages := kept(t, b.s)
	for n := range pages {
		bad := slices.Clone(pages)
		bad[n] = nil
		s := restored(t, head, bad)
		s.Runs()
		_, ok := s.Run(id(99))
		if err := s.Err(); abi.CodeOf(err) != abi.CodeBrainPages || !errors.Is(err, errPage) {
			t.Fatalf("page %d: %v", n, err)
		}
		if n == len(pages)-1 {
			if err := s.Follow(s.Size(), abi.Record{Body: s.startOf(id(1000))}); ok || abi.CodeOf(err) != abi.CodeBrainPages {
				t.Fatalf("a run starts: %v", err)
			}
			if _, n := s.RunsLike("r000"); n != 0 {
				t.Fatal("an answer out of nothing")
			}
		}
		bad[n] = []byte{1} // too short
		if s = restored(t, head, bad); len(s.Runs()) == 100 && n < 3 || s.Err() == nil && n < 3 {
			t.Fatalf("page %d: %v", n, s.Err())
		}
	}
	// Numbers beyond what there is, in pages and index.
	for n := range pages {
		bad := slices.Clone(pages)
		bad[n] = bytes.Repeat([]byte{0xff}, PageSize)
		s := restored(t, head, bad)
		s.Runs()
		s.RunsLike("r00000000000000")
		s.Run(id(5))
		if s.Err() == nil {
			t.Fatalf("page %d of nonsense is believed", n)
		}
	}
}

// covered says where each field of the state goes. A field that is not here, or
// a snapshot would lose it, fails the test: add it to head, Snapshot and
// Restore, to TestSnapshotIsAFold, and then here.
var covered = map[reflect.Type][]string{
	reflect.TypeFor[State](): {
		"size", "genesis", "keys", "byName", "config", "policy", "ring", "threshold", "revoked", "witnesses", "packages", "serials", "workloads",
		"numbered", "withdrawn", "lists", "runs", "open", "pending", "keep",
	},
	reflect.TypeFor[Workload](): {"Name", "Trust", "Standing", "Cause", "number", "queue"},
	reflect.TypeFor[queue]():    {"kept", "held", "oldest", "newest", "place"},
	reflect.TypeFor[keeping]():  {"kept", "held", "many", "heavy", "last", "dropped"},
	reflect.TypeFor[run]():      {"id", "start", "end", "started", "ended", "calls", "denials", "workload", "exit", "outcome", "seal", "size", "stop", "hold", "drop", "prev", "next"},
	reflect.TypeFor[openRun]():  {"conduct", "denied", "seen", "score", "stop"},
	reflect.TypeFor[denial]():   {"_", "Rule", "Num", "Severity", "Object"},
	reflect.TypeFor[denied]():   {"rule", "num"},
	reflect.TypeFor[runTable](): {"pages", "base", "reopened", "late", "inMemory", "fault"},
	// These are encoded as they are: what they hold must be exported.
	reflect.TypeFor[KeyEntry]():       {"KeyAdd", "Index", "Time"},
	reflect.TypeFor[Package]():        {"PackageInstall", "Index", "Time"},
	reflect.TypeFor[RevokedKey]():     {"KeyAdd", "Reason", "Index", "Time"},
	reflect.TypeFor[Revocation]():     {"Revoked", "Issuer", "Operator", "Index"},
	reflect.TypeFor[RevocationList](): {"Issuer", "Operator", "Serial", "List", "Index", "Next", "Parts", "head"},
}

func TestSnapshotCoversState(t *testing.T) {
	for typ, want := range covered {
		var got []string
		for i := range typ.NumField() {
			got = append(got, typ.Field(i).Name)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("the snapshot covers of %v the fields\n%q, it has\n%q", typ, want, got)
		}
	}
}

// Whatever authentic nonsense a head is: an error, or a state that works.
func FuzzRestore(f *testing.F) {
	b := newBook()
	_ = b.install("hello", "dev", 1)
	b.must(b.startOf("hello", id(1)))
	b.must(&abi.Denial{Run: id(1), Rule: "r", Num: abi.PathOpen, Reason: abi.ReasonForbid, Severity: 2, Object: digest("o")})
	whole, pages := kept(f, b.s)
	f.Add(whole)
	f.Add([]byte{})
	for _, change := range []func(*head){
		func(h *head) { h.Version++ }, func(h *head) { h.Runs = 0 }, func(h *head) { h.Runs = 1 << 40 }, func(h *head) { h.Workloads = nil },
		func(h *head) { h.Open = append(h.Open, h.Open...) }, func(h *head) { h.Pending = listOf([]abi.TrustChange{{Workload: "nobody"}}) },
		func(h *head) { h.Open[0][0].Workload = 9 },
		func(h *head) { h.Workloads[0][0].Oldest, h.Workloads[0][0].Newest = 1, 9 }, func(h *head) { h.Workloads[0][0].Newest = 1 },
		func(h *head) { h.Last = h.Runs + 1 }, func(h *head) { h.Dropped = make([]uint64, MaxDrops+1) },
	} {
		var h head
		if err := codec.Unmarshal(whole, &h); err != nil {
			f.Fatal(err)
		}
		change(&h)
		bad, err := codec.Marshal(h)
		if err != nil {
			f.Fatal(err)
		}
		if err := New().Restore(bad, pages); abi.CodeOf(err) != abi.CodeBrainSnapshot || !errors.Is(err, ErrSnapshot) {
			f.Fatal(err)
		}
		f.Add(bad)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s := New()
		if err := s.Restore(b, pages); err != nil {
			if !reflect.DeepEqual(s, New()) {
				t.Fatal("an error, and another state")
			}
			return
		}
		s.NewestRuns(3)
		s.OpenRuns()
		s.RunsLike("r0")
		_ = s.Follow(s.Size(), abi.Record{Body: s.startOf(id(7))})
		for _, r := range s.OpenRuns() {
			_ = s.Follow(s.Size(), abi.Record{Body: &abi.RunEnd{Run: r.ID, Outcome: abi.OutcomeAborted}})
		}
		p, err := s.Snapshot()
		if err != nil || len(p.Head()) == 0 {
			t.Fatal(err)
		}
	})
}

// BenchmarkRestore: what opening costs the brain, however many runs have ended.
func BenchmarkRestore(b *testing.B) {
	for _, runs := range []int{1000, 100_000} {
		k := newBook()
		_ = k.install("hello", "dev", 1)
		for i := range runs {
			k.must(k.startOf("hello", runID(uint64(i)*0x9e3779b97f4a7c15)))
			_ = k.end(&abi.RunEnd{Run: runID(uint64(i) * 0x9e3779b97f4a7c15), Outcome: abi.OutcomeExit, Calls: 10})
		}
		head, pages := kept(b, k.s)
		b.Run(fmt.Sprintf("runs=%d", runs), func(b *testing.B) {
			for b.Loop() {
				restored(b, head, pages)
			}
		})
	}
}
