package brain

import (
	"errors"
	"fmt"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/codec"
)

// ErrSnapshot says that a snapshot's head is not one that this version made.
var ErrSnapshot = errors.New("not a snapshot of this version")

// Restore makes s the state of which head is the head, and pages the pages, of
// a snapshot. The head must be authentic: it is checked for its form, not for
// its truth. It costs what was in memory when the snapshot was taken; pages are
// read when asked for. On an error s is as before.
func (s *State) Restore(b []byte, pages Pages) error {
	var h head
	if err := codec.Unmarshal(b, &h); err != nil {
		return snapshotError("%w: %w", ErrSnapshot, err)
	}
	if h.Version != snapshotVersion {
		return snapshotError("%w: it is of version %d", ErrSnapshot, h.Version)
	}
	if h.Runs > 1<<32-1 {
		return snapshotError("%w: it counts %d runs", ErrSnapshot, h.Runs)
	}
	n := New()
	n.size, n.genesis, n.config, n.policy = h.Size, h.Genesis, h.Config, h.Policy
	n.runs.pages, n.runs.base = pages, h.Runs
	n.pending = h.Pending.join()
	for _, k := range h.Keys.join() {
		n.keys[k.ID], n.byName[k.Name] = k, k.ID
	}
	n.ring, n.threshold, n.witnesses = h.Ring, h.Threshold, h.Witnesses
	for _, k := range h.Revoked.join() {
		n.revoke(k)
	}
	for _, r := range h.Withdrawn.join() {
		n.withdrawn[r.Digest] = append(n.withdrawn[r.Digest], r)
	}
	for _, l := range h.Lists.join() {
		l.List.head = l.Head
		n.lists[l.List.Issuer] = l.List
	}
	for _, p := range h.Packages.join() {
		n.packages[p.Name] = p
	}
	for _, x := range h.Serials.join() {
		n.serials[x.Name] = x.Serial
	}
	for _, w := range h.Workloads.join() {
		if w.Oldest > h.Runs || w.Newest > h.Runs || (w.Oldest == 0) != (w.Newest == 0) {
			return snapshotError("%w: the runs of a workload can't be", ErrSnapshot)
		}
		q := queue{kept: w.Kept, held: w.Held, oldest: uint32(w.Oldest), newest: uint32(w.Newest)}
		n.appear(Workload{Name: w.Name, Trust: w.Trust, Standing: w.Standing, Cause: w.Cause, queue: q})
	}
	if h.Last > h.Runs || len(h.Dropped) > MaxDrops {
		return snapshotError("%w: the runs that ended can't be", ErrSnapshot)
	}
	n.keep.last, n.keep.dropped = uint32(h.Last), h.Dropped
	for _, o := range h.Open.join() {
		if err := n.reopen(o); err != nil {
			return err
		}
	}
	for _, p := range n.pending {
		if n.workloads[p.Workload] == nil {
			return snapshotError("%w: trust of an unknown workload is to change", ErrSnapshot)
		}
	}
	for name := range n.packages {
		if n.workloads[name] == nil {
			return snapshotError("%w: a package is no workload", ErrSnapshot)
		}
	}
	*s = *n
	return nil
}

// reopen puts a run that has not ended into memory.
func (s *State) reopen(o opened) error {
	if _, ok := s.runs.inMemory[o.ID]; ok || o.Number >= s.runs.base || o.Workload >= uint64(len(s.numbered)) || s.runs.reopened[o.Number] != nil {
		return snapshotError("%w: an open run can't be", ErrSnapshot)
	}
	s.runs.inMemory[o.ID] = o.Number
	s.runs.reopened[o.Number] = &run{id: o.ID, start: o.Start, started: o.Started, workload: s.numbered[o.Workload], stop: o.Stopped, hold: o.Hold}
	r := newOpenRun(o.Conduct)
	r.stop = o.Stop
	for _, d := range o.Denied.join() {
		r.deny(d)
	}
	s.open[o.ID] = r
	return nil
}

// join returns the list in one piece, nil for an empty one.
func (l list[T]) join() (all []T) {
	for _, p := range l {
		all = append(all, p...)
	}
	return all
}

func snapshotError(format string, args ...any) error {
	return &abi.Error{Code: abi.CodeBrainSnapshot, What: "the state can't be restored", Err: fmt.Errorf(format, args...)}
}
