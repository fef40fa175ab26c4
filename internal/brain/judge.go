package brain

import (
	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/trust"
)

// Judge returns the trust.change records that must follow the run.end b if it
// is appended, as record number index, to the log as it is now; nil if trust
// stays as it is or no such run is open. They come next in the log, with nothing
// but the log's own housekeeping between. A run that was aborted loses what the
// denials recorded while it ran cost.
func (s *State) Judge(index uint64, b *abi.RunEnd) []abi.TrustChange {
	u, o := s.find(b.Run)
	if o == nil {
		return nil
	}
	points, windows := b.Points, b.Windows
	if b.Outcome == abi.OutcomeAborted {
		points, windows = o.score.Points(), 0
	}
	w := u.workload
	to := w.Trust
	if to.C = trust.Conduct(to.C, points, windows); to == w.Trust {
		return nil
	}
	return []abi.TrustChange{{Workload: w.Name, From: w.Trust, To: to, Cause: index}}
}

func (s *State) trustChange(index uint64, r abi.Record, b *abi.TrustChange) error {
	if len(s.pending) == 0 {
		return refuse(abi.CodeBrainTrust, index, r, "nothing changed the trust of %q", b.Workload)
	}
	if p := s.pending[0]; *b != p {
		return refuse(abi.CodeBrainTrust, index, r, "record %d takes %q from %v to %v, not %q from %v to %v by record %d",
			p.Cause, p.Workload, p.From, p.To, b.Workload, b.From, b.To, b.Cause)
	}
	w := s.workloads[b.Workload]
	w.Trust, w.Cause = b.To, index
	w.Standing = trust.Standing(w.Standing, b.To)
	s.pending = s.pending[1:]
	if len(s.pending) == 0 {
		s.pending = nil
	}
	return nil
}
