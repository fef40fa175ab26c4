package brain

import (
	"cmp"
	"slices"
	"strings"

	"github.com/forgeone/forgeone/abi"
)

// Run returns the run with this id and whether there is one. So with all
// queries of runs that ended: look at Err before believing that there is none.
func (s *State) Run(id abi.RunID) (Run, bool) {
	n, ok := runNumber(id)
	if !ok {
		return Run{}, false
	}
	at, ok, err := s.runs.number(n)
	if err != nil || !ok {
		return Run{}, false
	}
	return s.runAt(at)
}

func (s *State) runAt(at uint64) (Run, bool) {
	u, err := s.runs.at(at, s.numbered)
	if err != nil {
		return Run{}, false
	}
	return u.public(), true
}

// Runs returns all runs, the oldest first.
func (s *State) Runs() []Run { return s.NewestRuns(0) }

// NewestRuns returns the newest n runs, all if n is 0, the oldest of them first.
func (s *State) NewestRuns(n uint) []Run {
	count := s.runs.count()
	from := uint64(0)
	if n > 0 && uint64(n) < count {
		from = count - uint64(n)
	}
	all := make([]Run, 0, count-from)
	for at := from; at < count; at++ {
		r, ok := s.runAt(at)
		if !ok {
			break
		}
		all = append(all, r)
	}
	return all
}

// RunsLike returns how many runs have an id that begins so, and one of them.
func (s *State) RunsLike(prefix string) (r Run, count int) {
	lo, hi, ok := idRange(prefix)
	if !ok {
		return r, 0
	}
	found := uint64(0)
	for id, n := range s.runs.inMemory {
		if id >= lo && id <= hi && n >= s.runs.base { // (the others are in the index too)
			found = n
			count++
		}
	}
	if s.runs.base > 0 {
		from, err := s.runs.search(lo)
		to := s.runs.base
		if err == nil && hi < ^uint64(0) {
			to, err = s.runs.search(hi + 1)
		}
		if err == nil && from < to {
			count += int(to - from)
			_, found, err = s.runs.indexed(from)
		}
		if err != nil {
			return r, 0
		}
	}
	if count == 0 {
		return r, 0
	}
	r, ok = s.runAt(found)
	if !ok {
		return r, 0
	}
	return r, count
}

// idRange returns the least and the greatest number of a run whose id begins so.
func idRange(prefix string) (lo, hi uint64, ok bool) {
	if len(prefix) == 0 || len(prefix) > 17 || prefix[0] != 'r' || strings.ToLower(prefix) != prefix {
		return 0, 0, false
	}
	lo, ok = runNumber(abi.RunID(prefix + strings.Repeat("0", 17-len(prefix))))
	if !ok {
		return 0, 0, false
	}
	hi, ok = runNumber(abi.RunID(prefix + strings.Repeat("f", 17-len(prefix))))
	return lo, hi, ok
}

// OpenRuns returns the runs that have not ended, the oldest first.
func (s *State) OpenRuns() []Run {
	var open []Run
	for id := range s.open {
		open = append(open, s.runs.held(id).public())
	}
	slices.SortFunc(open, func(a, b Run) int { return cmp.Compare(a.Start, b.Start) })
	return open
}

func (u *run) public() Run {
	return Run{
		ID: runID(u.id), Workload: u.workload.Name, Start: u.start, Started: u.started, Outcome: u.outcome, Exit: u.exit,
		End: u.end, Ended: u.ended, Calls: u.calls, Denials: u.denials, Seal: u.seal,
		Size: u.size, Stop: u.stop, Held: u.hold, Drop: u.drop,
	}
}
