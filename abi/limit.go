package abi

import "strings"

// Limit is a set of limits that answer a guest rather than end its run: it gets
// an errno, or -1, and may go on.
type Limit uint32

// Limits of that kind. Their numbers stand in records: stable, never reused.
const (
	LimitMemory      Limit = 1 << iota // memory.grow answered -1
	LimitDescriptors                   // EMFILE: the run has as many descriptors as it may
	LimitOpenFiles                     // ENFILE: the process has as many files open as it may
	LimitScratch                       // ENOSPC in /tmp
	LimitDisk                          // EDQUOT in a writable mount
	LimitTable                         // table.grow answered -1
	limitEnd
)

// LimitsAll is every limit there is.
const LimitsAll = limitEnd - 1

var limitNames = [...]string{"memory", "descriptors", "open-files", "scratch", "disk", "table"}

// Names returns the names of the limits in l, in order of their numbers.
func (l Limit) Names() []string {
	names := []string{}
	for i, n := range limitNames {
		if l&(1<<i) != 0 {
			names = append(names, n)
		}
	}
	return names
}

// String returns the names of the limits in l: "memory, scratch".
func (l Limit) String() string { return strings.Join(l.Names(), ", ") }
