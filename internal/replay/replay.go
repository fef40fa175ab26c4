// Package replay drives a guest through the gate from a recording: the same
// module, the same gate, and a world, a decider and a sink that only read. It
// holds no capability: nothing beneath it can open a file, a socket or a
// process, and the layer test says so.
package replay

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"runtime"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/gate"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/trace"
	"github.com/forgeone/forgeone/internal/wasm"
)

// Input is what a replay needs. The caller owns all of it.
type Input struct {
	Recording *trace.Reader // opened, whole and sealed; at its beginning
	Module    *wasm.Module  // the rewritten module the recording names
	Stdout    io.Writer     // gets what the guest wrote to stdout; may be nil
	Stderr    io.Writer
}

// Result says whether a replay was identical.
type Result struct {
	Identical  bool
	Recorded   abi.Digest // end digest of the recording
	Replayed   abi.Digest // end digest of the replay
	Outcome    abi.Outcome
	Exit       uint32
	Calls      uint64
	Divergence *Divergence // the first one; nil when identical
}

// Divergence is the first point at which a replay left its recording.
type Divergence struct {
	Call     uint64 // call index; the number of calls made when it is the end that differs
	What     string // "argument path: recorded \"/a\", replayed \"/b\""
	Expected string // the recorded call, "" when there was none
	Actual   string // the replayed call
	Last     string // the last call that matched, "" when none did
}

// Error returns the divergence in one line.
func (d *Divergence) Error() string { return fmt.Sprintf("call %d: %s", d.Call, d.What) }

// EndDigest is the digest that stands for the end of a run: outcome, exit
// code, calls, ticks, fuel, the tag over memory and globals, whether it ended
// before a call that was not recorded, the limits reached, and the trap.
func EndDigest(e *trace.End) abi.Digest {
	var b []byte
	for _, v := range []uint64{uint64(e.Outcome), uint64(e.Exit), e.Calls, e.Ticks, e.Fuel} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	b = append(b, e.State[:]...)
	flags := byte(0)
	if e.Entry {
		flags |= 1
	}
	if e.Reached == 0 {
		b = append(b, flags)
	} else {
		b = binary.BigEndian.AppendUint32(append(b, flags|2), uint32(e.Reached))
	}
	return seal.Sum("forgeone/end/v1", b, []byte(e.Trap))
}

// deep tells whether a run ended because its calls nested too deep.
func deep(e *trace.End) bool {
	return e.Outcome == abi.OutcomeDepth || e.Outcome == abi.OutcomeStack || e.Outcome == abi.OutcomeTrap && e.Trap == wasm.StackOverflow
}

// door is the gate, with the stops from outside that the recording names.
type door struct {
	*gate.Gate
	p *player
}

// Tick stops where the recorded run was stopped by something that a replay
// does not repeat: a deadline, an operator.
func (d door) Tick(gas int64) (int64, abi.Outcome) {
	gas, stop := d.Gate.Tick(gas)
	m := d.Gate.Meter()
	d.p.ticks = m.Ticks()
	if stop == abi.OutcomeNone {
		switch {
		case d.p.atEnd(d.Gate.Calls()):
			stop = d.p.end.Outcome
		case d.p.ticks > d.p.end.Ticks:
			d.p.diverge(nil, fmt.Sprintf("the guest computes beyond tick %d, where the recorded run ended", d.p.end.Ticks))
			stop = abi.OutcomeDiverged
		}
	}
	return gas, stop
}

// Run replays. An error means that it could not be tried; a divergence is a result.
func Run(ctx context.Context, in Input) (*Result, error) {
	end, ok := in.Recording.End()
	if !ok {
		return nil, &abi.Error{Code: trace.CodeUnsealed, What: "the recording has no end: its run was not finished", Hint: "forgeone trace " + string(in.Recording.Header().Run)}
	}
	h := in.Recording.Header()
	p := &player{rec: in.Recording, end: end, stdout: in.Stdout, stderr: in.Stderr}
	meter := gate.NewMeter(h.Limits.Fuel, h.Slice)
	if h.Meter >= 2 { // see abi.Meter
		meter = meter.AtCalls()
	}
	g := gate.New(p, p, p, p, gate.NewControl(), meter)
	guest, ex, err := in.Module.Run(ctx, door{g, p}, h.MaxPages)
	if err != nil {
		return nil, err
	}
	defer guest.Close(ctx)
	if p.err != nil {
		return nil, p.err
	}
	if ex.Outcome == abi.OutcomeKernel && ex.Err != nil {
		return nil, fmt.Errorf("replay: %w", ex.Err)
	}
	m := g.Meter()
	got := &trace.End{
		Outcome: ex.Outcome, Exit: ex.Code, Trap: ex.Trap, Calls: g.Calls(), Denials: p.denials,
		Ticks: m.Ticks(), Fuel: m.Used(ex.Gas), State: guest.State(in.Recording.StateMAC()), Entry: g.Refused(), Reached: g.Reached() | guest.Reached(),
	}
	if p.div == nil {
		p.compareEnd(got)
	}
	if p.div != nil && (deep(got) || deep(end)) {
		here, there := in.Module.Kind(), wasm.KindOf(h.Engine)
		hint := "forgeone replay " + string(h.Run) + " --engine " + there.String()
		if here == there { // frames are larger on one of the processors, or in one release
			hint = "forgeone explain " + string(abi.CodeEngineDepth)
		}
		if h.Engine != here.ID() || h.Arch != runtime.GOARCH {
			return nil, &abi.Error{
				Code: abi.CodeEngineDepth, Where: string(h.Run), Hint: hint,
				What: fmt.Sprintf("calls nest deeper than the engine allows: recorded on the %s on %s it ended with %v, on the %s on %s with %v",
					there, h.Arch, end.Outcome, here, runtime.GOARCH, got.Outcome),
			}
		}
	}
	return &Result{
		Identical: p.div == nil, Recorded: EndDigest(end), Replayed: EndDigest(got),
		Outcome: ex.Outcome, Exit: ex.Code, Calls: g.Calls(), Divergence: p.div,
	}, nil
}
