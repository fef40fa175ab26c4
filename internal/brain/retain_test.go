package brain

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/forgeone/forgeone/abi"
)

// prune drops what the budgets ask for, but nothing that is busy.
func (b *book) prune(t fataler, budget Budget, busy func(abi.RunID) bool) (dropped []*abi.RecordingDrop) {
	for {
		drops, err := b.s.Excess(budget, 3, func(id abi.RunID) (bool, error) { return !busy(id), nil })
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range drops {
			if err := b.add(d); err != nil {
				t.Fatal(err)
			}
		}
		if dropped = append(dropped, drops...); len(drops) < 3 {
			return dropped
		}
	}
}

// ended adds a run of name that ended with a recording of size bytes.
func (b *book) ended(name string, n int, size uint64) abi.RunID {
	b.must(b.startOf(name, id(n)))
	if err := b.end(&abi.RunEnd{Run: id(n), Outcome: abi.OutcomeExit, Calls: 1, Size: size, Seal: digest(fmt.Sprint(n))}); err != nil {
		panic(err)
	}
	return id(n)
}

// TestRetainImpossible: each drop and hold that does not follow is refused, and
// changes nothing.
func TestRetainImpossible(t *testing.T) {
	ready := func() *book {
		b := newBook()
		for n := 1; n <= 3; n++ {
			b.ended("flood", n, 100)
		}
		b.ended("small", 4, 10)
		b.ended("small", 5, 10)
		b.must(b.startOf("small", id(6))) // open
		b.must(&abi.Hold{Run: id(2)})
		b.must(&abi.RecordingDrop{Run: id(1), Cause: abi.DropWorkload, Budget: 150, Size: 100, Seal: digest("1")})
		return b
	}
	drop := func(n int, size uint64, cause abi.DropCause, budget uint64) func(*book) any {
		return func(*book) any {
			return &abi.RecordingDrop{Run: id(n), Cause: cause, Budget: budget, Size: size, Seal: digest(fmt.Sprint(n))}
		}
	}
	is := func(body any) func(*book) any { return func(*book) any { return body } }
	for name, tt := range map[string]struct {
		body func(*book) any
		code abi.Code
		what string
	}{
		"drop of no run":             {drop(9, 0, abi.DropTotal, 0), abi.CodeBrainDrop, "no run"},
		"drop of an open run":        {drop(6, 0, abi.DropTotal, 0), abi.CodeBrainDrop, "not ended"},
		"drop of a held run":         {drop(2, 100, abi.DropWorkload, 0), abi.CodeBrainDrop, "held"},
		"dropped twice":              {drop(1, 100, abi.DropTotal, 0), abi.CodeBrainDrop, "before"},
		"another size":               {drop(4, 11, abi.DropWorkload, 0), abi.CodeBrainDrop, "10 bytes"},
		"another seal":               {is(&abi.RecordingDrop{Run: id(4), Size: 10, Cause: abi.DropWorkload}), abi.CodeBrainDrop, "seal"},
		"a budget that holds":        {drop(4, 10, abi.DropWorkload, 20), abi.CodeBrainDrop, "not more than 20"},
		"a total that holds":         {drop(3, 100, abi.DropTotal, 120), abi.CodeBrainDrop, "not more than 120"},
		"a workload's newest":        {drop(3, 100, abi.DropWorkload, 0), abi.CodeBrainDrop, "newest"},
		"the newest of all":          {drop(5, 10, abi.DropTotal, 0), abi.CodeBrainDrop, "newest"},
		"less than a fair share":     {drop(4, 10, abi.DropTotal, 0), abi.CodeBrainDrop, "fair share"},
		"no cause":                   {drop(3, 100, "mood", 0), abi.CodeBrainDrop, "no cause"},
		"hold of no run":             {is(&abi.Hold{Run: "r"}), abi.CodeBrainHold, "no run"},
		"hold of what is held":       {is(&abi.Hold{Run: id(2)}), abi.CodeBrainHold, "held since"},
		"hold of what is dropped":    {is(&abi.Hold{Run: id(1)}), abi.CodeBrainHold, "dropped"},
		"a reason too long":          {is(&abi.Hold{Run: id(3), Reason: strings.Repeat("x", MaxReason+1)}), abi.CodeBrainHold, "reason"},
		"a reason that is no text":   {is(&abi.Hold{Run: id(3), Reason: "\xff"}), abi.CodeBrainHold, "reason"},
		"end of no hold":             {func(b *book) any { return b.act(&abi.HoldEnd{Run: id(3)}, "ops") }, abi.CodeBrainUnhold, "held"},
		"end of a hold of no run":    {func(b *book) any { return b.act(&abi.HoldEnd{Run: id(9)}, "ops") }, abi.CodeBrainUnhold, "held"},
		"end of a hold, unsigned":    {is(&abi.HoldEnd{Run: id(2), Act: abi.Act{Ring: 1}}), abi.CodeBrainSigs, "threshold"},
		"end of a hold, by no one":   {func(b *book) any { return b.act(&abi.HoldEnd{Run: id(2)}, "dev") }, abi.CodeBrainSigs, "operator"},
		"a size that can't be":       {is(&abi.RunEnd{Run: id(6), Outcome: abi.OutcomeExit, Size: 1 << 63}), abi.CodeBrainEnd, "bytes"},
		"a size that wraps":          {is(&abi.RunEnd{Run: id(6), Outcome: abi.OutcomeExit, Size: 1<<64 - 1}), abi.CodeBrainEnd, "bytes"},
		"drop with the wrong budget": {drop(3, 100, abi.DropTotal, 1<<64-1), abi.CodeBrainDrop, "not more"},
	} {
		t.Run(name, func(t *testing.T) {
			b := ready()
			want, _ := kept(t, b.s)
			err := b.add(tt.body(b))
			if abi.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.what) {
				t.Fatalf("%v, want %s with %q", err, tt.code, tt.what)
			}
			if got, _ := kept(t, b.s); !slices.Equal(got, want) {
				t.Error("the record was refused but changed the state")
			}
		})
	}
	b := ready()
	b.must(b.act(&abi.HoldEnd{Run: id(2)}, "ops"))
	b.must(drop(2, 100, abi.DropTotal, 150)(b))
	if k, h := b.s.Kept(); k != 120 || h != 0 {
		t.Errorf("%d kept, %d held", k, h)
	}
	if u, _ := b.s.Run(id(2)); u.Held != 0 || u.Drop != b.s.Size()-1 || u.Size != 100 {
		t.Errorf("%+v", u)
	}
	if got := b.s.LastDropped(); !slices.Equal(got, []abi.RunID{id(1), id(2)}) {
		t.Errorf("%v", got)
	}
}

// TestFlooder: a workload that floods loses its own recordings; those that keep
// less than a fair share lose nothing, however many runs it makes.
func TestFlooder(t *testing.T) {
	for _, budget := range []Budget{{Total: 1000, Workload: 300}, {Total: 1000, Workload: 1 << 62}} {
		b := newBook()
		victims := map[abi.RunID]bool{}
		n := 0
		for v := range 4 {
			for range 10 { // 100 bytes each, of 200 that are an equal share
				n++
				victims[b.ended(fmt.Sprint("victim", v), n, 10)] = true
			}
		}
		b.prune(t, budget, func(abi.RunID) bool { return false })
		for range 500 {
			n++
			b.ended("flood", n, uint64(1+n%77))
			for _, d := range b.prune(t, budget, func(abi.RunID) bool { return false }) {
				if victims[d.Run] {
					t.Fatalf("%+v: the recording of a victim is dropped", d)
				}
			}
			if k, _ := b.s.Kept(); k > budget.Total {
				t.Fatalf("%d bytes kept", k)
			}
		}
	}
}

// TestFairShare: while what a heavy workload keeps is in use, the others do not
// pay for it beyond an equal share.
func TestFairShare(t *testing.T) {
	b := newBook()
	b.ended("busy", 1, 10)
	b.ended("most", 2, 11)
	b.ended("less", 3, 9)
	b.ended("last", 4, 0)
	got := b.prune(t, Budget{Workload: 1 << 40}, func(r abi.RunID) bool { return r == id(1) })
	if len(got) != 1 || got[0].Run != id(2) {
		t.Errorf("dropped: %+v", got)
	}
	got = b.prune(t, Budget{Workload: 1 << 40}, func(abi.RunID) bool { return false })
	if len(got) != 2 || got[0].Run != id(1) || got[1].Run != id(3) {
		t.Errorf("dropped: %+v", got)
	}
}

// naive is the rule of Excess, without its structures.
func naive(s *State, budget Budget, busy map[abi.RunID]bool) (ids []abi.RunID) {
	var runs []Run // of what counts, in order of end
	for _, r := range s.Runs() {
		if !r.Open() && r.Held == 0 && r.Drop == 0 {
			runs = append(runs, r)
		}
	}
	slices.SortFunc(runs, func(a, b Run) int { return int(a.End) - int(b.End) })
	newest := map[string]abi.RunID{} // of each workload, held ones too
	var last abi.RunID
	ends := s.Runs()
	slices.SortFunc(ends, func(a, b Run) int { return int(a.End) - int(b.End) })
	for _, r := range ends {
		if !r.Open() {
			last = r.ID
			if r.Drop == 0 {
				newest[r.Workload] = r.ID
			}
		}
	}
	sum := func(w string, spare bool) (n uint64) {
		for _, r := range runs {
			if (w == "" || r.Workload == w) && (!spare || r.ID != last) {
				n += r.Size
			}
		}
		return n
	}
	take := func(w string, but abi.RunID) bool {
		for i, r := range runs {
			if r.Workload == w && r.ID == but {
				return false
			}
			if r.Workload == w && !busy[r.ID] {
				ids = append(ids, r.ID)
				runs = slices.Delete(runs, i, i+1)
				return true
			}
		}
		return false
	}
	for _, w := range s.numbered {
		for sum(w.Name, false) > budget.Workload && take(w.Name, newest[w.Name]) {
		}
	}
	out := map[string]bool{}
	for sum("", false) > budget.Total {
		best, many := "", uint64(0)
		for _, w := range s.numbered {
			if sum(w.Name, true) > 0 {
				many++
			}
			if !out[w.Name] && (best == "" || sum(w.Name, true) > sum(best, true)) {
				best = w.Name
			}
		}
		if best == "" || sum(best, true) == 0 || sum(best, true)*many < sum("", true) {
			break
		}
		if !take(best, last) {
			out[best] = true
		}
	}
	slices.Sort(ids)
	return ids
}

// Excess drops what the naive rule drops, each drop follows, and what stays is
// within the budgets but for what is held, busy or the newest.
func TestExcess(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawBook(t)
		if rapid.Bool().Draw(t, "again") {
			b.s = reload(t, b.s)
		}
		budget := Budget{Total: rapid.Uint64Range(0, 60).Draw(t, "total"), Workload: rapid.Uint64Range(0, 30).Draw(t, "workload")}
		busy := map[abi.RunID]bool{}
		for _, r := range b.s.Runs() {
			busy[r.ID] = rapid.IntRange(0, 5).Draw(t, "busy") == 0
		}
		want := naive(b.s, budget, busy)
		whole, err := b.s.Excess(budget, 1<<20, func(id abi.RunID) (bool, error) { return !busy[id], nil })
		if err != nil {
			t.Fatal(err)
		}
		var got []abi.RunID
		for _, d := range whole {
			if err := b.add(d); err != nil {
				t.Fatal(err)
			}
			got = append(got, d.Run)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("dropped %v, want %v", got, want)
		}
		if left := naive(b.s, budget, nil); len(left) > 0 && !slices.ContainsFunc(b.s.Runs(), func(r Run) bool { return busy[r.ID] }) {
			t.Fatalf("%v would have to go too", left)
		}
		all := newest(b.s)
		if k, _ := b.s.Kept(); k > budget.Total+all && !slices.ContainsFunc(b.s.Runs(), func(r Run) bool { return busy[r.ID] && r.Drop == 0 }) {
			t.Fatalf("%d bytes stay, the newest has %d", k, all)
		}
	})
}

// newest is how much of the run that ended last counts.
func newest(s *State) uint64 {
	sh, _ := s.shares()
	return sh.own
}

// Choosing costs what is dropped, not what is kept.
func TestExcessCost(t *testing.T) {
	b := newBook()
	const runs = 100_000
	for n := 1; n <= runs; n++ {
		b.ended(fmt.Sprint("w", n%1000), n, 10)
	}
	pages := &counted{}
	head, mem := kept(t, b.s)
	pages.memPages = mem
	s := New()
	if err := s.Restore(head, pages); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		pages.reads = 0
		asked := 0
		drops, err := s.Excess(Budget{Total: runs*10 - 35, Workload: 1 << 40}, 64, func(abi.RunID) (bool, error) { asked++; return true, nil })
		if err != nil || len(drops) != 4 || asked != 4 || pages.reads > 8 {
			t.Fatalf("%d drops, asked %d times, %d pages read, %v", len(drops), asked, pages.reads, err)
		}
	}
}

type counted struct {
	memPages
	reads int
}

func (c *counted) Page(n uint64) ([]byte, error) {
	c.reads++
	return c.memPages.Page(n)
}

// BenchmarkExcess: what a run's end pays for the budgets, with nothing to drop
// and with four recordings to drop, however many are kept.
func BenchmarkExcess(b *testing.B) {
	for _, runs := range []int{1000, 100_000} {
		k := newBook()
		for n := 1; n <= runs; n++ {
			k.ended(fmt.Sprint("w", n%1000), n, 10)
		}
		head, pages := kept(b, k.s)
		s := restored(b, head, pages)
		for drops, total := range map[int]uint64{0: 1 << 40, 4: uint64(runs)*10 - 35} {
			b.Run(fmt.Sprintf("runs=%d/drops=%d", runs, drops), func(b *testing.B) {
				for b.Loop() {
					d, err := s.Excess(Budget{Total: total, Workload: 1 << 40}, MaxDrops, func(abi.RunID) (bool, error) { return true, nil })
					if err != nil || len(d) != drops {
						b.Fatal(len(d), err)
					}
				}
			})
		}
	}
}
