package gate

import (
	"sync"
	"sync/atomic"

	"github.com/forgeone/forgeone/abi"
)

// Slice is the fuel between two ticks: about ten milliseconds of compute, so
// that a deadline is met within that and a tick costs nothing measurable.
// A recording names the slice it ran with.
const Slice = 10_000_000

// Meter hands fuel to the guest in slices. Ticks are numbered from 1 and come
// at the same points of every execution of a module with the same slice and limit.
type Meter struct {
	limit   uint64 // 0: none
	slice   uint64
	granted uint64
	ticks   uint64
	atCalls bool
}

// NewMeter returns a meter for a run of at most limit units, 0 for no limit.
func NewMeter(limit, slice uint64) Meter { return Meter{limit: limit, slice: slice} }

// AtCalls returns m for a run that ends at the call whose charge is more than is left. In
// a straight line of code there is no tick to see to it.
func (m Meter) AtCalls() Meter {
	m.atCalls = true
	return m
}

// short tells whether the run has used up its fuel with a call that is charged so much,
// when the guest had gas left.
func (m *Meter) short(gas int64, charge uint64) bool {
	if !m.atCalls || m.limit == 0 {
		return false
	}
	left := m.limit - m.granted
	if gas < 0 {
		return uint64(-gas)+charge > left
	}
	return left+uint64(gas) < charge
}

// Ticks is the number of ticks so far.
func (m *Meter) Ticks() uint64 { return m.ticks }

// Used is the fuel used when the guest has gas left. A guest that ran out has
// used all of its limit.
func (m *Meter) Used(gas int64) uint64 {
	used := m.granted - uint64(gas)
	if m.limit > 0 {
		return min(used, m.limit)
	}
	return used
}

func (m *Meter) tick(gas int64) (int64, abi.Outcome) {
	m.ticks++
	for gas < 0 {
		n := m.slice
		if need := uint64(-gas); need > n {
			n = need // one bulk operation may cost more than a slice
		}
		if m.limit > 0 {
			n = min(n, m.limit-m.granted)
			if n == 0 {
				return gas, abi.OutcomeFuel
			}
		}
		m.granted += n
		gas += int64(n)
	}
	return gas, abi.OutcomeNone
}

// Control stops a run from outside, once: at its next tick, at the end of the
// call under way, or in a call that blocks. Safe for concurrent use.
type Control struct {
	outcome atomic.Uint32
	once    sync.Once
	done    chan struct{}
}

// NewControl returns the control of a run that goes on.
func NewControl() *Control { return &Control{done: make(chan struct{})} }

// Stop ends the run with o. The first call counts.
func (c *Control) Stop(o abi.Outcome) {
	c.once.Do(func() {
		c.outcome.Store(uint32(o))
		close(c.done)
	})
}

// Outcome is what the run was stopped with, OutcomeNone while it goes on.
func (c *Control) Outcome() abi.Outcome { return abi.Outcome(c.outcome.Load()) }

// Done is closed when the run is stopped.
func (c *Control) Done() <-chan struct{} { return c.done }
