package replay

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/trace"
)

// player answers the gate from the recording: it is world, decider, recorder
// and sink in one, because in a replay all four are the same next event.
type player struct {
	rec            *trace.Reader
	end            *trace.End
	stdout, stderr io.Writer
	ev             trace.Event // the next event, once peeked
	peeked, over   bool
	last           *abi.Row // the last matching call, nil before the first
	lastArgs       [8]uint64
	lastPath       [2]string
	calls, ticks   uint64
	denials        uint64
	div            *Divergence
	err            error // reading the recording failed
}

// beyond is the decision on a call that the recording does not have; the run
// ends in Reserve before it could take effect.
var beyond = &abi.Decision{Verdict: abi.Deny, Reason: abi.ReasonError, Errno: abi.EIO}

// peek makes the next event current and tells whether there is one.
func (p *player) peek() bool {
	if !p.peeked && !p.over {
		switch err := p.rec.Next(&p.ev); {
		case err == nil:
			p.peeked = true
		case errors.Is(err, io.EOF):
			p.over = true
		default:
			p.over, p.err = true, err
		}
	}
	return p.peeked
}

func (p *player) diverge(c *abi.Call, what string) {
	if p.div != nil {
		return
	}
	p.div = &Divergence{Call: p.calls, What: what}
	if p.last != nil {
		p.div.Last = describe(p.last, p.lastArgs[:], p.lastPath)
	}
	if c != nil {
		p.div.Actual = describe(c.Row, c.Args[:], c.Path)
	}
	if p.peeked {
		p.div.Expected = p.expected()
	}
}

// external tells whether the recorded run was ended by something a replay does
// not repeat by itself.
func (p *player) external() bool {
	switch p.end.Outcome {
	case abi.OutcomeExit, abi.OutcomeTrap, abi.OutcomeFuel, abi.OutcomeDepth, abi.OutcomeMemory:
		return false
	}
	return true
}

// atEnd tells whether the recorded run was ended from outside at this point.
func (p *player) atEnd(calls uint64) bool {
	return p.external() && !p.end.Entry && calls == p.end.Calls && p.ticks == p.end.Ticks
}

// Resolve resolves nothing: the event has the object.
func (p *player) Resolve(*abi.Call, *abi.Object) {}

// Release has nothing to free.
func (p *player) Release(*abi.Object) {}

// StringsSize answers with the size of the recorded strings.
func (p *player) StringsSize(n abi.Num) (count, size int) {
	if p.peek() && p.ev.Num == n {
		return bytes.Count(p.ev.Out, []byte{0}), len(p.ev.Out)
	}
	return 0, 0
}

// Decide compares the call with the recorded one and answers with what was
// decided then.
func (p *player) Decide(c *abi.Call, o *abi.Object) *abi.Decision {
	if !p.peek() {
		return beyond
	}
	if what := p.compare(c); what != "" {
		p.diverge(c, what)
		return beyond
	}
	o.Kind, o.Name, o.Name2, o.Via, o.Barring, o.Errno = p.ev.Kind, p.ev.Name, p.ev.Name2, p.ev.Via, p.ev.Barring, p.ev.Errno
	c.Limit = p.ev.Limit
	return p.ev.Decision
}

// compare returns how c differs from the current event, "" if it does not.
func (p *player) compare(c *abi.Call) string {
	ev := &p.ev
	if ev.Num != c.Row.Num {
		return "another call"
	}
	for i, q := range c.Row.Params {
		if c.Args[i] != ev.Args[i] {
			return fmt.Sprintf("argument %s: recorded %d, replayed %d", q.Name, ev.Args[i], c.Args[i])
		}
	}
	for i := range c.Row.Paths() {
		if c.Path[i] != ev.Path[i] {
			return fmt.Sprintf("path: recorded %q, replayed %q", ev.Path[i], c.Path[i])
		}
	}
	if len(c.In) != ev.InLen || (len(c.In) > 0 && p.rec.CheckIn(c.Index, c.In) != ev.InTag) {
		return fmt.Sprintf("the %d bytes handed to the call are not the recorded %d", len(c.In), ev.InLen)
	}
	if len(ev.Out) > c.OutCap {
		return fmt.Sprintf("the guest has room for %d bytes, the recorded answer has %d", c.OutCap, len(ev.Out))
	}
	return ""
}

// Reserve ends the replay where the recording ends or was left.
func (p *player) Reserve(c *abi.Call, _ *abi.Object) abi.Outcome {
	switch {
	case p.div != nil || p.err != nil:
		return abi.OutcomeDiverged
	case p.peeked:
		c.Out = p.ev.Out
		return abi.OutcomeNone
	case p.end.Entry && c.Index == p.end.Calls:
		return p.end.Outcome // there was no room to record this call
	}
	p.diverge(c, "the recorded run had ended before this call")
	return abi.OutcomeDiverged
}

// Perform answers with the recorded results; what went to stdout and stderr is
// written there again, from the guest's own bytes.
func (p *player) Perform(c *abi.Call, o *abi.Object) {
	c.OutLen = len(p.ev.Out)
	copy(c.Ret[:], p.ev.Ret)
	if o.Kind == abi.ObjStream && c.Row.Num == abi.FdWrite {
		n := uint32(c.Ret[0]) | uint32(c.Ret[1])<<8 | uint32(c.Ret[2])<<16 | uint32(c.Ret[3])<<24
		w := p.stdout
		if o.Name == "stderr" {
			w = p.stderr
		}
		if w != nil && int(n) <= len(c.In) {
			if _, err := w.Write(c.In[:n]); err != nil {
				p.err = err
			}
		}
	}
}

// Charge is what was charged then.
func (p *player) Charge(*abi.Call, *abi.Object) uint64 { return p.ev.Charge }

// Denied reports nothing: it was reported when it happened.
func (p *player) Denied(*abi.Call, *abi.Object, *abi.Decision) { p.denials++ }

// Commit goes to the next event, and ends the replay where the run was ended.
func (p *player) Commit(c *abi.Call, _ *abi.Object, d *abi.Decision) {
	p.last, p.lastArgs, p.lastPath = p.ev.Row(), p.ev.Args, p.ev.Path
	p.calls++
	p.peeked = false
	switch {
	case c.Row.Num == abi.ProcExit && d.Verdict == abi.Allow && p.end.Outcome == abi.OutcomeExit,
		c.Row.Num == abi.ProcRaise && p.ev.Stop == abi.OutcomeExit:
		c.Stop = abi.OutcomeExit
	case p.atEnd(c.Index + 1):
		c.Stop = p.end.Outcome
	}
}

// compareEnd compares the ends of both runs.
func (p *player) compareEnd(got *trace.End) {
	want := p.end
	switch {
	case got.Calls < want.Calls:
		p.peek()
		p.diverge(nil, fmt.Sprintf("the guest ended after %d calls, the recorded run made %d", got.Calls, want.Calls))
	case got.Entry != want.Entry:
		p.diverge(nil, "the recorded run ended before a call that could not be recorded, the replay did not, or the reverse")
	case got.Outcome != want.Outcome:
		p.diverge(nil, fmt.Sprintf("outcome: recorded %v, replayed %v", want.Outcome, got.Outcome))
	case got.Exit != want.Exit:
		p.diverge(nil, fmt.Sprintf("exit code: recorded %d, replayed %d", want.Exit, got.Exit))
	case got.Trap != want.Trap:
		p.diverge(nil, fmt.Sprintf("trap: recorded %s, replayed %s", want.Trap, got.Trap))
	case got.Ticks != want.Ticks || got.Fuel != want.Fuel:
		p.diverge(nil, fmt.Sprintf("fuel: recorded %d in %d ticks, replayed %d in %d", want.Fuel, want.Ticks, got.Fuel, got.Ticks))
	case got.Reached != want.Reached:
		p.diverge(nil, fmt.Sprintf("limits that refused the guest something: recorded %q, replayed %q", want.Reached, got.Reached))
	case got.State != want.State:
		p.diverge(nil, "memory or globals at the end differ, though every call was the same")
	}
	if p.div != nil {
		p.div.Call = got.Calls
	}
}

// expected describes the current event.
func (p *player) expected() string { return describe(p.ev.Row(), p.ev.Args[:], p.ev.Path) }

// describe writes a call for a divergence report: its name and what went in.
func describe(r *abi.Row, args []uint64, paths [2]string) string {
	var in []string
	k := 0
	for i, q := range r.Params {
		switch {
		case q.Type == abi.Path:
			in = append(in, fmt.Sprintf("%q", paths[k]))
			k++
		case q.Type.Size() == 0 && q.Type != abi.StringsOut:
			in = append(in, fmt.Sprintf("%s %d", q.Name, args[i]))
		}
	}
	return r.Name + "(" + strings.Join(in, ", ") + ")"
}
