// Package gate is the enforcement point: the one door every syscall goes
// through. It resolves, decides, reserves, performs and records, in that order,
// and imports the shared words only.
package gate

import (
	"sync/atomic"

	"github.com/forgeone/forgeone/abi"
)

// World is what calls are resolved and performed on.
type World interface {
	// Resolve fills o, which is zero, with what c is on. It has no effect.
	Resolve(c *abi.Call, o *abi.Object)
	// Perform does c on the very object that was decided on and sets its answer.
	Perform(c *abi.Call, o *abi.Object)
	// Charge is what c, which was on o and is answered, costs in fuel.
	Charge(c *abi.Call, o *abi.Object) uint64
	// Release frees what Resolve held. It follows every Resolve.
	Release(o *abi.Object)
	// StringsSize tells how many strings and bytes a StringsOut row answers now.
	StringsSize(n abi.Num) (count, bytes int)
}

// Decider decides. Program, trust and epoch are one Decider, so one load of it
// is one consistent state. It is immutable.
type Decider interface {
	// Decide never returns nil.
	Decide(c *abi.Call, o *abi.Object) *abi.Decision
}

// Recorder keeps every call.
type Recorder interface {
	// Reserve makes room for c and sets c.Out to c.OutCap bytes of it. Another
	// answer than OutcomeNone ends the run before c has any effect.
	Reserve(c *abi.Call, o *abi.Object) abi.Outcome
	// Commit records c as it was answered.
	Commit(c *abi.Call, o *abi.Object, d *abi.Decision)
}

// Sink hears of denials.
type Sink interface {
	// Denied may set c.Stop: c is then the run's last call.
	Denied(c *abi.Call, o *abi.Object, d *abi.Decision)
}

// Notices tell that something was decided elsewhere which may concern this
// run: an order to stop, trust, policy.
type Notices interface {
	// Number is another one than before whenever something came in. It is asked
	// at each call and tick, on the guest's goroutine.
	Number() uint64
	// Heed puts what came in into force, by SetDecider and Control.Stop, before it
	// returns.
	Heed()
}

// Gate is the door of one thread. The thread that runs the guest calls Do and
// Tick; SetDecider and the Control may be used by others at any time.
type Gate struct {
	world   World
	rec     Recorder
	sink    Sink
	ctl     *Control
	meter   Meter
	notices Notices // nil: nothing is decided elsewhere
	noticed uint64  // the number that was heeded last
	decider atomic.Pointer[Decider]
	obj     abi.Object // of the call under way; reused
	calls   uint64
	refused bool // the recorder had no room for a call
	reached abi.Limit
}

// New returns the gate of a thread whose first call has index 0.
func New(w World, d Decider, r Recorder, s Sink, ctl *Control, m Meter) *Gate {
	g := &Gate{world: w, rec: r, sink: s, ctl: ctl, meter: m}
	g.SetDecider(d)
	return g
}

// SetDecider puts another program, trust or epoch in force. It takes effect at
// the next call, and for a call that blocks before its result reaches the guest.
func (g *Gate) SetDecider(d Decider) { g.decider.Store(&d) }

// Attend has the gate ask n at each call and tick; number is what was in force
// when the run was prepared. It comes before the first call.
func (g *Gate) Attend(n Notices, number uint64) { g.notices, g.noticed = n, number }

// Calls is the number of calls recorded.
func (g *Gate) Calls() uint64 { return g.calls }

// Refused tells whether the run ended before a call, which is not recorded: there
// was no room, or it was stopped.
func (g *Gate) Refused() bool { return g.refused }

// Reached are the limits that refused the guest something in a call.
func (g *Gate) Reached() abi.Limit { return g.reached }

// StringsSize is the world's.
func (g *Gate) StringsSize(n abi.Num) (count, bytes int) { return g.world.StringsSize(n) }

// Do is the one door. A call whose c.Errno is set on entry failed while it was
// read from the guest: it can have no effect, and is recorded like any other.
// When c.Stop is set on return, the guest must not run on and gets no result.
func (g *Gate) Do(c *abi.Call) abi.Errno {
	c.Index = g.calls
	if c.Stop = g.attend(); c.Stop != abi.OutcomeNone {
		g.refused = true
		return c.Errno
	}
	o := &g.obj
	*o = abi.Object{}
	if c.Errno != abi.ESUCCESS {
		o.Errno = c.Errno
	} else {
		g.world.Resolve(c, o)
	}
	in := g.decider.Load()
	d := (*in).Decide(c, o) // a denial wins over "does not exist": no oracle
	if c.Stop = g.rec.Reserve(c, o); c.Stop != abi.OutcomeNone {
		g.refused = true
		g.world.Release(o)
		return c.Errno
	}
	if d.Verdict == abi.Allow {
		if c.Errno = o.Errno; c.Errno == abi.ESUCCESS {
			g.world.Perform(c, o)
			if c.Row.Blocks {
				d = g.recheck(c, o, in, d)
			}
		}
	}
	if d.Verdict != abi.Allow {
		c.Errno, c.Limit = d.Errno, 0
		g.sink.Denied(c, o, d)
	}
	c.Charge = g.world.Charge(c, o)
	g.rec.Commit(c, o, d)
	g.calls++
	g.reached |= c.Limit
	g.world.Release(o)
	if c.Stop == abi.OutcomeNone {
		c.Stop = g.ctl.Outcome()
	}
	if c.Stop == abi.OutcomeNone && g.meter.short(c.Gas, c.Charge) {
		c.Stop = abi.OutcomeFuel
	}
	return c.Errno
}

// recheck decides a call that may have blocked again, if something else is in
// force than the decider in, which answered d. What the call read is staged
// outside guest memory, and is dropped when it is denied.
func (g *Gate) recheck(c *abi.Call, o *abi.Object, in *Decider, d *abi.Decision) *abi.Decision {
	g.attend()
	now := g.decider.Load()
	if now == in {
		return d
	}
	if d = (*now).Decide(c, o); d.Verdict != abi.Allow {
		clear(c.Out[:c.OutLen])
		c.OutLen = 0
	}
	return d
}

// attend heeds what came in, and tells whether the run goes on.
func (g *Gate) attend() abi.Outcome {
	if g.notices != nil {
		if n := g.notices.Number(); n != g.noticed {
			g.noticed = n
			g.notices.Heed()
		}
	}
	return g.ctl.Outcome()
}

// Tick is the metering point: gas is what the guest has left, below zero. It
// returns the guest's new gas, or why the guest must not run on.
func (g *Gate) Tick(gas int64) (int64, abi.Outcome) {
	gas, stop := g.meter.tick(gas)
	if stop == abi.OutcomeNone {
		stop = g.attend()
	}
	return gas, stop
}

// Meter returns a copy of the meter, for its figures.
func (g *Gate) Meter() Meter { return g.meter }
