package kernel

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/gate"
	"github.com/forgeone/forgeone/internal/policy"
	"github.com/forgeone/forgeone/internal/trace"
	"github.com/forgeone/forgeone/internal/trust"
)

// Denied is a denial as people want to hear of it.
type Denied struct {
	Call   uint64
	Action abi.Action
	Name   string // the resource
	Reason abi.Reason
	Errno  abi.Errno
	Rules  []abi.Rule
	Hint   string
}

const (
	// maxFirst bounds the first denials kept per run and sent to the log: a
	// guest can't make more of them than there are rules and syscalls, and a
	// policy can have many rules.
	maxFirst = 256
	// logDelay is how long a first denial may wait for others: the log gets it
	// while the run goes on, and a run of a moment needs no write of its own.
	logDelay = 200 * time.Millisecond
)

const (
	// freePart is which part of the denials that a run may have costs it nothing:
	// a tenth. What a good program tries in vain lies far below that.
	freePart = 10
	// slowUnit is by how much each further tenth is answered more slowly.
	slowUnit = time.Millisecond
)

// sink hears of a run's denials. Denied is called by the guest's goroutine and
// nothing else touches score, first and seen while it runs; pending is shared
// with the goroutine that appends to the log, under mu.
type sink struct {
	k     *Kernel
	run   *run
	gate  *gate.Gate
	score *trust.RunScore
	first []Denied
	seen  map[denialKey]uint64
	total uint64
	limit uint64 // of total; 0: none

	mu      sync.Mutex
	pending []abi.Record
	timer   *time.Timer
	wg      sync.WaitGroup
}

type denialKey struct {
	rule string
	num  abi.Num
}

func newSink(k *Kernel, r *run) *sink {
	return &sink{k: k, run: r, limit: r.start.Limits.Denials, score: trust.NewRunScore(r.trust.C, k.now().UnixNano()), seen: map[denialKey]uint64{}}
}

// ruleOf names what denied: the deciding rule, else the reason.
func ruleOf(d *abi.Decision) string {
	if len(d.Rules) > 0 {
		return d.Rules[0].ID
	}
	return d.Reason.String()
}

// Denied implements gate.Sink.
func (s *sink) Denied(c *abi.Call, o *abi.Object, d *abi.Decision) {
	if s.total++; s.total == s.limit {
		c.Stop = abi.OutcomeDenials
	}
	if s.late() > 0 {
		c.Work.Add(abi.WorkWake, 1)
	}
	rule := ruleOf(d)
	key := denialKey{rule, c.Row.Num}
	if _, known := s.seen[key]; known || len(s.seen) < maxFirst {
		s.seen[key]++
	}
	if s.seen[key] == 1 {
		s.note(c, o, d, rule)
	}
	if s.score.Denied(s.k.now().UnixNano(), rule, o.About(), d.Severity) > 0 {
		s.run.weigh()
	}
}

// note keeps a first denial for the report and hands it to the log.
func (s *sink) note(c *abi.Call, o *abi.Object, d *abi.Decision, rule string) {
	s.first = append(s.first, Denied{
		Call: c.Index, Action: c.Action(), Name: o.About(), Reason: d.Reason, Errno: d.Errno, Rules: d.Rules,
		Hint: policy.Hint(d, c.Action(), o, s.run.w.identity(), s.run.grants()...),
	})
	r := abi.Record{Body: &abi.Denial{
		Run: s.run.id, Rule: rule, Num: c.Row.Num, Reason: d.Reason, Severity: d.Severity, Call: c.Index,
		Object: s.k.commit("forgeone/object/v1", s.run.id, []byte(o.About())),
	}}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending = append(s.pending, r)
	if s.timer == nil {
		s.wg.Add(1)
		s.timer = time.AfterFunc(logDelay, s.flush)
	}
}

// flush appends what is pending. If the log fails, the run ends: what can't be
// recorded doesn't happen. What did happen goes with the run's end, for which
// the log holds back room.
func (s *sink) flush() {
	defer s.wg.Done()
	records := s.take()
	if len(records) == 0 {
		return
	}
	_, err := s.k.log.Update(context.Background(), func() ([]abi.Record, error) { return records, nil })
	if err != nil {
		s.mu.Lock()
		s.pending = append(records, s.pending...)
		s.mu.Unlock()
		s.k.warn("the evidence log failed: " + err.Error())
		s.run.ctl.Stop(abi.OutcomeLogFailed)
	}
}

func (s *sink) take() []abi.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.pending
	s.pending, s.timer = nil, nil
	return r
}

// finish waits for a flush under way and returns what is still to be logged.
// The guest has ended.
func (s *sink) finish(context.Context) []abi.Record {
	s.mu.Lock()
	if s.timer != nil && s.timer.Stop() {
		s.wg.Done()
	}
	s.mu.Unlock()
	s.wg.Wait()
	s.score.Finish(s.k.now().UnixNano())
	return s.take()
}

// slow keeps a guest that was denied too often from its next call for a while,
// longer and longer, or until the run is stopped. The call is recorded by then
// and nothing is locked: it starves nobody, and a replay does not wait.
func (s *sink) slow() {
	late := s.late()
	if late == 0 {
		return
	}
	t := time.NewTimer(late)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.run.ctl.Done():
	}
}

// late is by how much the latest denial is answered more slowly.
func (s *sink) late() time.Duration {
	tenth := max(s.limit/freePart, 1)
	if s.limit == 0 || s.total <= tenth || s.total >= s.limit {
		return 0
	}
	return time.Duration(s.total/tenth) * slowUnit
}

func (s *sink) count() uint64 { return s.total }

// counts are the denials per rule and syscall, most first.
func (s *sink) counts() []abi.DenialCount {
	var cs []abi.DenialCount
	for k, n := range s.seen {
		cs = append(cs, abi.DenialCount{Rule: k.rule, Num: k.num, Count: n})
	}
	slices.SortFunc(cs, func(a, b abi.DenialCount) int {
		switch {
		case a.Count != b.Count:
			if a.Count > b.Count {
				return -1
			}
			return 1
		case a.Rule != b.Rule:
			if a.Rule < b.Rule {
				return -1
			}
			return 1
		}
		return int(a.Num) - int(b.Num)
	})
	return cs[:min(len(cs), 64)]
}

// activity is the recorder of a run that also notes, once per quarter of a
// window of conduct, that the guest had an allowed call: a clock read per call
// would cost more than many calls.
type activity struct {
	*trace.Writer
	sink *sink
	due  atomic.Bool
}

// Commit implements gate.Recorder.
func (a *activity) Commit(c *abi.Call, o *abi.Object, d *abi.Decision) {
	a.Writer.Commit(c, o, d)
	if d.Verdict != abi.Allow {
		a.sink.slow()
		return
	}
	if a.due.Load() {
		a.due.Store(false)
		a.sink.score.Allowed(a.sink.k.now().UnixNano())
	}
}

// watch sets due again and again until stop is called.
func (a *activity) watch() (stop func()) {
	a.due.Store(true)
	t := time.NewTicker(trust.Window / 4)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-t.C:
				a.due.Store(true)
			case <-done:
				return
			}
		}
	}()
	return func() { t.Stop(); close(done) }
}
