package kernel

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/replay"
	"github.com/forgeone/forgeone/internal/trace"
)

// end records how the run ended, with what follows from it.
func (r *run) end(ctx context.Context, end trace.End, sealed trace.Sealed) (*Report, error) {
	rest := r.sink.finish(ctx)
	e := abi.RunEnd{
		Run: r.id, Outcome: end.Outcome, Exit: end.Exit, Calls: end.Calls, Denials: end.Denials, Denied: r.sink.counts(),
		Fuel: end.Fuel, Ticks: end.Ticks, Seal: sealed.Seal, End: replay.EndDigest(&end), Size: sealed.Size, Reached: end.Reached,
		Points: r.sink.score.Points(), Windows: r.sink.score.Windows(),
	}
	after, why := r.start.Trust, ""
	_, err := r.k.log.UpdateLast(ctx, func() ([]abi.Record, error) {
		records := slices.Clone(rest)
		body := e
		r.k.ledger.view(func(s *brain.State) {
			after = r.w.known(s).Trust
			if e.Outcome == abi.OutcomeStopped {
				var order []abi.Record
				why, order = r.stopping(s)
				records = append(records, order...)
			}
			records = append(records, ended(s, records, &body)...)
		})
		if c, ok := records[len(records)-1].Body.(*abi.TrustChange); ok {
			after = c.To
		}
		return records, nil
	})
	if err != nil {
		return nil, fmt.Errorf("the run has ended and its end could not be recorded: %w", err)
	}
	return &Report{
		Run: r.id, Workload: r.w.name, Bare: r.w.bare, Outcome: end.Outcome, Exit: end.Exit, Trap: end.Trap, Why: why,
		Calls: end.Calls, Denials: end.Denials, First: r.sink.first, Fuel: end.Fuel, Seal: sealed.Seal, End: e.End,
		Before: r.start.Trust, After: after, Reached: end.Reached, Limits: r.start.Limits,
	}, nil
}

// mend closes dead runs, if there are any.
func (k *Kernel) mend(ctx context.Context) error {
	open := 0
	k.ledger.view(func(s *brain.State) { open = len(s.OpenRuns()) })
	if open == 0 {
		return nil
	}
	return k.closeDead(ctx)
}

// insist is a transaction that may take the room held back for last words, where
// there is no other. Then f is called twice.
func (k *Kernel) insist(ctx context.Context, f func() ([]abi.Record, error)) error {
	_, err := k.log.Update(ctx, f)
	if abi.CodeOf(err) == evidence.CodeFull {
		_, err = k.log.UpdateLast(ctx, f)
	}
	return err
}

// closeDead closes the runs whose process died: their recording's lock tells
// that nobody runs them any more. Of one workload it closes one run per
// transaction, since each may change its trust.
func (k *Kernel) closeDead(ctx context.Context) error {
	for {
		n := 0
		// On a full disk nothing could be opened otherwise, to make room.
		err := k.insist(ctx, func() (records []abi.Record, err error) {
			k.ledger.view(func(s *brain.State) { records, err = k.dead(s) })
			n = len(records)
			return records, err
		})
		if err != nil || n == 0 {
			return err
		}
	}
}

// dead returns the records that close dead runs, at most one per workload.
func (k *Kernel) dead(s *brain.State) (records []abi.Record, err error) {
	closed := map[string]bool{}
	for _, o := range s.OpenRuns() {
		if closed[o.Workload] {
			continue
		}
		alive, err := trace.InUse(k.home.Recording(o.ID))
		if err != nil {
			return nil, err
		}
		if alive {
			continue
		}
		closed[o.Workload] = true
		end := &abi.RunEnd{Run: o.ID, Outcome: abi.OutcomeAborted}
		if st, err := os.Stat(k.home.Recording(o.ID)); err == nil { // else it counts as nothing
			end.Size = uint64(st.Size())
		}
		records = append(records, ended(s, records, end)...)
	}
	return records, nil
}

// ended returns a run's end and what follows from it, to come after the
// records that stand before them in the same transaction.
func ended(s *brain.State, before []abi.Record, end *abi.RunEnd) []abi.Record {
	records := []abi.Record{{Body: end}}
	for _, c := range s.Judge(s.Size()+uint64(len(before)), end) {
		records = append(records, abi.Record{Body: &c})
	}
	return records
}
