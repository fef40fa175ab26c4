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
