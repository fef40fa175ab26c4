package brain

import (
	"cmp"
	"maps"
	"slices"

	"github.com/forgeone/forgeone/abi"
)

// Size is the number of records folded, and so the index of the next.
func (s *State) Size() uint64 { return s.size }

// Genesis is how the log begins, empty while there is none.
func (s *State) Genesis() abi.Genesis { return s.genesis }

// Config is the configuration in force, version 0 while there is none.
func (s *State) Config() abi.Config { return s.config }

// Policy is the policy in force, epoch 0 while there is none.
func (s *State) Policy() abi.Policy { return s.policy }

// Package returns the package of this name and whether it is installed. Its
// slices must not be changed; so with all that follows.
func (s *State) Package(name string) (Package, bool) {
	p, ok := s.packages[name]
	return p, ok
}

// Packages returns the installed packages in order of name.
func (s *State) Packages() []Package {
	return slices.SortedFunc(maps.Values(s.packages), func(a, b Package) int { return cmp.Compare(a.Name, b.Name) })
}

// Workload returns what is known of the named workload, and whether anything is.
func (s *State) Workload(name string) (Workload, bool) {
	if w := s.workloads[name]; w != nil {
		return *w, true
	}
	return Workload{}, false
}

// Run returns the run with this id and whether there is one.
func (s *State) Run(id abi.RunID) (Run, bool) {
	n, ok := runNumber(id)
	if !ok {
		return Run{}, false
	}
	i, ok := s.runByID[n]
	if !ok {
		return Run{}, false
	}
	return s.runs[i].public(), true
}

// Runs returns all runs, the oldest first.
func (s *State) Runs() []Run {
	all := make([]Run, len(s.runs))
	for i := range s.runs {
		all[i] = s.runs[i].public()
	}
	return all
}

// OpenRuns returns the runs that have not ended, the oldest first.
func (s *State) OpenRuns() []Run {
	var open []Run
	for n := range s.open {
		open = append(open, s.runs[s.runByID[n]].public())
	}
	slices.SortFunc(open, func(a, b Run) int { return cmp.Compare(a.Start, b.Start) })
	return open
}

func (u *run) public() Run {
	return Run{
		ID: runID(u.id), Workload: u.workload.Name, Start: u.start, Started: u.started, Outcome: u.outcome, Exit: u.exit,
		End: u.end, Ended: u.ended, Calls: u.calls, Denials: u.denials, Seal: u.seal,
	}
}
