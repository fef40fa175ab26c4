package brain

import (
	"container/heap"
	"math/bits"

	"github.com/forgeone/forgeone/abi"
)

// Budget bounds the recordings that are kept, in bytes. Held ones do not count.
type Budget struct {
	Total    uint64 // of all workloads together
	Workload uint64 // of each
}

// Excess returns what must be dropped for the budgets to hold, as the records to
// append, in order: at most `most`. It asks claim for each recording before it
// takes it; one that claim refuses is passed over. The rule:
//
// A workload that keeps more than its budget loses its oldest recordings, but
// never its newest. Then, while all keep more than theirs, whichever keeps most
// loses its oldest, but never the run that ended last of all. So no workload
// makes another lose anything as long as that keeps less than an equal share;
// drop refuses a record that would. Old is what ended first.
//
// It costs what is dropped or passed over (held, refused), not what is kept.
func (s *State) Excess(b Budget, most int, claim func(abi.RunID) (bool, error)) ([]*abi.RecordingDrop, error) {
	sh, err := s.shares()
	if err != nil || len(s.keep.heavy) == 0 {
		return nil, err
	}
	e := excess{s: s, sh: sh, most: most, claim: claim, givers: map[*Workload]*giver{}}
	if err := e.workloads(b.Workload); err != nil {
		return nil, err
	}
	if err := e.all(b.Total); err != nil {
		return nil, err
	}
	return e.drops, nil
}

// excess is the state of one choice: what State would be after the drops.
type excess struct {
	s      *State
	sh     shares
	most   int
	claim  func(abi.RunID) (bool, error)
	givers map[*Workload]*giver
	drops  []*abi.RecordingDrop
}

// giver is a workload that may have to give.
type giver struct {
	w      *Workload
	kept   uint64
	next   uint32 // number of the run to look at next, plus 1; 0: all were looked at
	looked bool   // its children in the heap are givers too
}

func (e *excess) giver(w *Workload) *giver {
	g := e.givers[w]
	if g == nil {
		g = &giver{w: w, kept: w.kept, next: w.oldest}
		e.givers[w] = g
	}
	return g
}

func (e *excess) full() bool { return len(e.drops) == e.most }

// workloads makes each workload that keeps more than budget give. They stand at
// the top of the heap.
func (e *excess) workloads(budget uint64) error {
	for todo := []int{0}; len(todo) > 0 && !e.full(); {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		w := e.s.keep.heavy[at]
		if w.kept <= budget {
			continue
		}
		g := e.giver(w)
		for g.kept > budget && !e.full() {
			gave, err := e.give(g, w.newest, abi.DropWorkload, budget)
			if err != nil {
				return err
			}
			if !gave {
				break
			}
		}
		// What was passed over for this budget is so for the other.
		todo = append(todo, e.s.keep.heavy.children(at)...)
	}
	return nil
}

// all makes the workload that keeps most give, as long as there is too much.
func (e *excess) all(budget uint64) error {
	if e.sh.total <= budget || e.full() {
		return nil
	}
	f := &frontier{e: e, givers: []*giver{e.giver(e.s.keep.heavy[0])}}
	for e.sh.total > budget && !e.full() && len(f.givers) > 0 {
		g := f.givers[0]
		if !g.looked {
			// What stands beneath it in the heap keeps no more than it did.
			g.looked = true
			heap.Fix(f, 0)
			for _, at := range e.s.keep.heavy.children(g.w.place) {
				heap.Push(f, e.giver(e.s.keep.heavy[at]))
			}
			continue
		}
		if !e.sh.fair(f.key(g)) {
			return nil // (those that keep more can't give now)
		}
		gave, err := e.give(g, e.s.keep.last, abi.DropTotal, budget)
		if err != nil {
			return err
		}
		if gave {
			heap.Fix(f, 0)
		} else {
			heap.Pop(f)
		}
	}
	return nil
}

// give drops the oldest recording of g that can be: false if there is none. The
// run called but, as a number plus 1, stays.
func (e *excess) give(g *giver, but uint32, cause abi.DropCause, budget uint64) (bool, error) {
	for g.next != 0 && g.next != but {
		u, err := e.s.runs.at(uint64(g.next-1), e.s.numbered)
		if err != nil {
			return false, err
		}
		g.next = u.next
		if u.hold != 0 {
			continue
		}
		if ok, err := e.claim(runID(u.id)); err != nil {
			return false, err
		} else if !ok {
			continue
		}
		e.drops = append(e.drops, &abi.RecordingDrop{Run: runID(u.id), Cause: cause, Budget: budget, Size: u.size, Seal: u.seal})
		e.sh.less(g.w, g.kept, u.size)
		g.kept -= u.size
		return true, nil
	}
	return false, nil
}

// shares is how what counts against the budget of all is divided. The run that
// ended last is in nobody's share: it stays.
type shares struct {
	total uint64    // bytes that count
	spare uint64    // of them, without the run that ended last
	many  uint64    // workloads that have anything of spare
	last  *Workload // whose run ended last
	own   uint64    // bytes of that run that count
}

func (s *State) shares() (shares, error) {
	sh := shares{total: s.keep.kept, spare: s.keep.kept, many: s.keep.many}
	if s.keep.last == 0 {
		return sh, nil
	}
	u, err := s.runs.at(uint64(s.keep.last-1), s.numbered)
	if err != nil {
		return sh, err
	}
	sh.last = u.workload
	if u.hold == 0 {
		sh.own = u.size
	}
	sh.spare -= sh.own
	if u.workload.kept > 0 && sh.of(u.workload, u.workload.kept) == 0 {
		sh.many--
	}
	return sh, nil
}

// of is the share of w, which keeps so much.
func (sh *shares) of(w *Workload, kept uint64) uint64 {
	if w == sh.last {
		return kept - sh.own
	}
	return kept
}

// less takes size from w, which kept so much.
func (sh *shares) less(w *Workload, kept, size uint64) {
	if had := sh.of(w, kept); had > 0 && had == size {
		sh.many--
	}
	sh.total, sh.spare = sh.total-size, sh.spare-size
}

// fair tells whether a share is at least the average.
func (sh *shares) fair(share uint64) bool {
	high, low := bits.Mul64(share, sh.many)
	return share > 0 && (high > 0 || low >= sh.spare)
}

// frontier is a heap of those that may keep most: the largest first. Workloads
// that are not in it stand in the heap of all beneath one that was not looked at.
type frontier struct {
	e      *excess
	givers []*giver
}

// key is what g keeps; until it was looked at no less than what stands beneath it.
func (f *frontier) key(g *giver) uint64 {
	if !g.looked {
		return g.w.kept
	}
	return f.e.sh.of(g.w, g.kept)
}

func (f *frontier) Len() int { return len(f.givers) }

func (f *frontier) Less(i, j int) bool {
	a, b := f.givers[i], f.givers[j]
	if x, y := f.key(a), f.key(b); x != y {
		return x > y
	}
	return a.w.number < b.w.number
}

func (f *frontier) Swap(i, j int) { f.givers[i], f.givers[j] = f.givers[j], f.givers[i] }
func (f *frontier) Push(x any)    { f.givers = append(f.givers, x.(*giver)) }
func (f *frontier) Pop() any {
	last := len(f.givers) - 1
	g := f.givers[last]
	f.givers = f.givers[:last]
	return g
}

// heavy is a binary heap of all workloads: those that keep most first, of equal
// ones those that are known longer. Each knows its place.
type heavy []*Workload

// above tells whether the workload at i belongs above the one at j.
func (h heavy) above(i, j int) bool {
	return h[i].kept > h[j].kept || h[i].kept == h[j].kept && h[i].number < h[j].number
}

// fix puts the workload at that place where it belongs.
func (h heavy) fix(at int) {
	for at > 0 && h.above(at, (at-1)/2) {
		h.swap(at, (at-1)/2)
		at = (at - 1) / 2
	}
	for {
		most := at
		for _, c := range h.children(at) {
			if h.above(c, most) {
				most = c
			}
		}
		if most == at {
			return
		}
		h.swap(at, most)
		at = most
	}
}

func (h heavy) swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

func (h heavy) children(at int) []int {
	all := []int{2*at + 1, 2*at + 2}
	return all[:min(2, max(0, len(h)-2*at-1))]
}
