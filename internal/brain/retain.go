package brain

import (
	"math/bits"
	"slices"
	"unicode/utf8"

	"github.com/forgeone/forgeone/abi"
)

// MaxDrops is how many recordings may be dropped before the files of those
// dropped earlier must be gone: State remembers so many.
const MaxDrops = 64

// queue is what is kept of a workload's recordings: those of its runs that
// ended, linked in the order of their ends.
type queue struct {
	kept           uint64 // bytes that count against the budgets: not held
	held           uint64 // bytes that are held
	oldest, newest uint32 // numbers of runs plus 1, 0 if there is none
	place          int    // in keeping.heavy
}

// keeping is what is kept of all recordings.
type keeping struct {
	kept, held uint64 // bytes, as in queue
	many       uint64 // workloads with anything that counts
	heavy      heavy
	last       uint32   // the run that ended last: its number plus 1
	dropped    []uint64 // ids of the runs that were dropped last, in order, at most MaxDrops
}

// enter takes in a workload that is new here.
func (k *keeping) enter(w *Workload) {
	k.kept, k.held = k.kept+w.kept, k.held+w.held
	if w.kept > 0 {
		k.many++
	}
	w.place = len(k.heavy)
	k.heavy = append(k.heavy, w)
	k.heavy.fix(w.place)
}

// count makes w keep kept and held bytes.
func (k *keeping) count(w *Workload, kept, held uint64) {
	if w.kept > 0 {
		k.many--
	}
	if kept > 0 {
		k.many++
	}
	k.kept, k.held = k.kept-w.kept+kept, k.held-w.held+held
	w.kept, w.held = kept, held
	k.heavy.fix(w.place)
}

// Kept returns how many bytes of recordings count against the budget of all
// workloads together, and how many are held beside them.
func (s *State) Kept() (kept, held uint64) { return s.keep.kept, s.keep.held }

// LastDropped returns the runs whose recordings were dropped last, in order.
// The files of all that were dropped before them are gone, or belong to nobody.
func (s *State) LastDropped() []abi.RunID {
	ids := make([]abi.RunID, len(s.keep.dropped))
	for i, n := range s.keep.dropped {
		ids[i] = runID(n)
	}
	return ids
}

// kept takes in the recording of u, which ends now.
func (s *State) kept(index uint64, r abi.Record, u *run, size uint64) error {
	if sum, carry := bits.Add64(s.keep.kept+s.keep.held, size, 0); carry != 0 || sum > 1<<62 {
		return refuse(abi.CodeBrainEnd, index, r, "a recording of %d bytes beside %d", size, s.keep.kept+s.keep.held)
	}
	n, w := uint32(s.runs.inMemory[u.id])+1, u.workload
	if w.newest != 0 {
		before, err := s.runs.touch(uint64(w.newest-1), s.numbered)
		if err != nil {
			return err
		}
		before.next, u.prev = n, w.newest
	} else {
		w.oldest = n
	}
	w.newest, s.keep.last, u.size = n, n, size
	if u.hold != 0 {
		s.keep.count(w, w.kept, w.held+size)
	} else {
		s.keep.count(w, w.kept+size, w.held)
	}
	return nil
}

// known returns the run with this id to be changed, nil if there is none.
func (s *State) known(id abi.RunID) (n uint64, u *run, err error) {
	number, ok := runNumber(id)
	if !ok {
		return 0, nil, nil
	}
	n, ok, err = s.runs.number(number)
	if err != nil || !ok {
		return 0, nil, err
	}
	u, err = s.runs.touch(n, s.numbered)
	return n, u, err
}

func (s *State) hold(index uint64, r abi.Record, b *abi.Hold) error {
	no := func(format string, args ...any) error { return refuse(abi.CodeBrainHold, index, r, format, args...) }
	_, u, err := s.known(b.Run)
	switch {
	case err != nil:
		return err
	case u == nil:
		return no("no run %q is known", b.Run)
	case u.hold != 0:
		return no("%s is held since record %d", b.Run, u.hold)
	case u.drop != 0:
		return no("the recording of %s was dropped by record %d", b.Run, u.drop)
	case len(b.Reason) > MaxReason || !utf8.ValidString(b.Reason):
		return no("its reason is not a text of at most %d bytes", MaxReason)
	}
	u.hold = index
	s.keep.count(u.workload, u.workload.kept-u.size, u.workload.held+u.size)
	return nil
}

func (s *State) unhold(index uint64, r abi.Record, b *abi.HoldEnd) error {
	_, u, err := s.known(b.Run)
	if err != nil {
		return err
	}
	if u == nil || u.hold == 0 {
		return refuse(abi.CodeBrainUnhold, index, r, "no run %q is held", b.Run)
	}
	u.hold = 0
	s.keep.count(u.workload, u.workload.kept+u.size, u.workload.held-u.size)
	return nil
}

func (s *State) drop(index uint64, r abi.Record, b *abi.RecordingDrop) error {
	no := func(format string, args ...any) error { return refuse(abi.CodeBrainDrop, index, r, format, args...) }
	n, u, err := s.known(b.Run)
	switch {
	case err != nil:
		return err
	case u == nil:
		return no("no run %q is known", b.Run)
	case u.outcome == abi.OutcomeNone:
		return no("%s has not ended", b.Run)
	case u.hold != 0:
		return no("%s is held since record %d", b.Run, u.hold)
	case u.drop != 0:
		return no("it was dropped before, by record %d", u.drop)
	case b.Size != u.size || b.Seal != u.seal:
		return no("%s ended with a recording of %d bytes and seal %s", b.Run, u.size, u.seal.Short())
	}
	w := u.workload
	switch b.Cause {
	case abi.DropWorkload:
		if w.kept <= b.Budget || uint32(n)+1 == w.newest {
			return no("%q keeps %d bytes, not more than %d, or this is its newest recording", w.Name, w.kept, b.Budget)
		}
	case abi.DropTotal:
		sh, err := s.shares()
		if err != nil {
			return err
		}
		if sh.total <= b.Budget || uint32(n)+1 == s.keep.last || !sh.fair(sh.of(w, w.kept)) {
			return no("%d bytes are kept, not more than %d, or this is the newest recording, or %q keeps %d, less than a fair share", sh.total, b.Budget, w.Name, w.kept)
		}
	default:
		return no("%q is no cause", b.Cause)
	}
	if err := s.unlink(u); err != nil {
		return err
	}
	s.keep.count(w, w.kept-u.size, w.held)
	u.drop = index
	s.keep.dropped = append(slices.Clone(s.keep.dropped[max(0, len(s.keep.dropped)+1-MaxDrops):]), u.id)
	return nil
}

// unlink takes u out of its workload's queue.
func (s *State) unlink(u *run) error {
	var before, after *run
	var err error
	if u.prev != 0 {
		if before, err = s.runs.touch(uint64(u.prev-1), s.numbered); err != nil {
			return err
		}
	}
	if u.next != 0 {
		if after, err = s.runs.touch(uint64(u.next-1), s.numbered); err != nil {
			return err
		}
	}
	if before != nil {
		before.next = u.next
	} else {
		u.workload.oldest = u.next
	}
	if after != nil {
		after.prev = u.prev
	} else {
		u.workload.newest = u.prev
	}
	u.prev, u.next = 0, 0
	return nil
}
