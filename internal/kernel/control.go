package kernel

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/trace"
	"github.com/forgeone/forgeone/internal/trust"
)

// Number implements gate.Notices: the log's shared counter.
func (r *run) Number() uint64 { return r.k.log.Peek() }

// Heed implements gate.Notices. It is called on the guest's goroutine, which
// owns the run's trust and program.
func (r *run) Heed() {
	if !r.k.catchUp(r) {
		return
	}
	r.k.ledger.view(func(s *brain.State) {
		r.known = r.w.known(s).Trust
		r.obey(s)
	})
	r.weigh()
}

// obey stops the run if the state says so. Any goroutine may call it.
func (r *run) obey(s *brain.State) {
	switch {
	case s.Stop(r.id) != nil:
		r.ctl.Stop(abi.OutcomeStopped)
	case r.w.known(s).Standing == abi.StandingCompromised:
		r.ctl.Stop(abi.OutcomeQuarantined)
	default:
		if err := r.withdrawn(s); err != nil {
			r.why.CompareAndSwap(nil, err)
			r.ctl.Stop(abi.OutcomeStopped)
		}
	}
}

// withdrawn tells why what the run is of counts no more: its package, module or
// a key that signed it was revoked, or the key was removed. It is nil while it
// does count.
func (r *run) withdrawn(s *brain.State) *abi.Error {
	for _, id := range r.signers {
		if _, ok := s.Key(id); !ok {
			return &abi.Error{Code: "F1-PKG-050", What: "a key that signed the package was removed or revoked", Where: id.Short(), Hint: "forgeone key list"}
		}
	}
	return revokedNow(s, r.w.pkg, r.w.module, r.signers, r.w.name)
}

// stopping returns why the run was stopped, and the order to record ahead of its
// end where there is none yet: nobody gave one to a run that was withdrawn.
func (r *run) stopping(s *brain.State) (why string, order []abi.Record) {
	if had := s.Stop(r.id); had != nil {
		return had.Reason, nil
	}
	err := r.why.Load()
	if err == nil {
		return "", nil
	}
	why = err.What
	if err.Code != abi.CodePkgRevoked { // (which names the list's issuer instead)
		why += " (" + err.Where + ")"
	}
	why = strings.ToValidUTF8(why[:min(len(why), brain.MaxReason)], "")
	return why, []abi.Record{{Body: &abi.RunStop{Run: r.id, Reason: why}}}
}

// weigh puts in force what the log and the run's own conduct make of its trust.
func (r *run) weigh() {
	t := r.known
	t.C = trust.Conduct(t.C, r.sink.score.Points(), r.sink.score.Windows())
	if t != r.trust {
		r.trust = t
		r.prog = r.prog.With(t)
		r.sink.gate.SetDecider(r.prog)
	}
}

// catchUp folds what came into the log. If that fails r ends: nobody knows what
// it is still allowed to do.
func (k *Kernel) catchUp(r *run) bool {
	err := k.log.Refresh(context.Background())
	if err == nil && k.log.Counter() == evidence.CounterLost {
		err = &abi.Error{Code: evidence.CodeMoved, What: "the log's counter was cut off while a guest ran", Where: k.home.Log()}
	}
	if err != nil {
		if k.watch.has(r) { // else it has ended meanwhile, and the log may be closed
			k.warn("the evidence log failed: " + err.Error())
		}
		r.ctl.Stop(abi.OutcomeLogFailed)
	}
	return err == nil
}

// watchEvery is how often runs that wait in a call are looked after: their
// gates ask at the next call only.
const watchEvery = 20 * time.Millisecond

// watch is the set of runs under way, and what looks after those that wait in
// a call. Its lock is held while a run enters or leaves and while the list is
// copied, never during anything else.
type watch struct {
	mu     sync.Mutex
	runs   map[*run]struct{}
	looked bool // lookAfter is under way
}

func (w *watch) has(r *run) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, ok := w.runs[r]
	return ok
}

// attend adds r to the runs under way, until leave is called. number is the
// counter as it was before the state that r was prepared on was folded.
func (k *Kernel) attend(r *run, number uint64) (leave func()) {
	w := &k.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.runs == nil {
		w.runs = map[*run]struct{}{}
	}
	if !w.looked {
		w.looked = true
		go k.lookAfter(number)
	}
	w.runs[r] = struct{}{}
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.runs, r)
	}
}

// lookAfter stops runs that are to stop while they wait in a call, as long as
// there are any runs.
func (k *Kernel) lookAfter(seen uint64) {
	w := &k.watch
	t := time.NewTicker(watchEvery)
	defer t.Stop()
	for range t.C {
		w.mu.Lock()
		var runs []*run
		for r := range w.runs {
			runs = append(runs, r)
		}
		if len(runs) == 0 {
			w.looked = false
			w.mu.Unlock()
			return
		}
		w.mu.Unlock()
		n := k.log.Counter()
		if n == seen {
			continue
		}
		seen = n
		for _, r := range runs {
			if k.catchUp(r) {
				k.ledger.view(r.obey)
			}
		}
	}
}

// Stop orders a run to stop, whichever process it runs in: it does so at its next
// call or tick, or out of a call that waits. A run whose process died is closed
// instead. Reason is for people, at most brain.MaxReason bytes.
func (k *Kernel) Stop(ctx context.Context, id abi.RunID, reason string) error {
	if len(reason) > brain.MaxReason {
		return &abi.Error{Code: "F1-RUN-153", What: fmt.Sprintf("the reason has %d bytes, at most %d fit", len(reason), brain.MaxReason), Hint: "forgeone stop --reason SHORT " + string(id)}
	}
	_, err := k.log.Update(ctx, func() (records []abi.Record, err error) {
		k.ledger.view(func(s *brain.State) {
			u, ok := s.Run(id)
			switch {
			case !ok || !u.Open():
				err = &abi.Error{Code: "F1-RUN-152", What: "the run has ended already", Where: string(id), Hint: "forgeone runs"}
			case s.Stop(id) == nil:
				records = []abi.Record{{Body: &abi.RunStop{Run: id, Reason: reason}}}
			}
		})
		return records, err
	})
	return err
}

// AwaitEnd waits until the run is closed in the log and returns it: also when
// its process dies in the meantime.
func (k *Kernel) AwaitEnd(ctx context.Context, id abi.RunID) (u brain.Run, err error) {
	for {
		if err := k.log.Refresh(ctx); err != nil {
			return u, err
		}
		k.ledger.view(func(s *brain.State) { u, _ = s.Run(id) })
		if !u.Open() {
			return u, nil
		}
		if alive, err := trace.InUse(k.home.Recording(id)); err != nil {
			return u, err
		} else if !alive {
			if err := k.closeDead(ctx); err != nil {
				return u, err
			}
			continue
		}
		select {
		case <-time.After(watchEvery):
		case <-ctx.Done():
			return u, &abi.Error{Code: "F1-RUN-154", What: "the run was told to stop and has not ended yet", Where: string(id), Hint: "forgeone runs", Err: ctx.Err()}
		}
	}
}
