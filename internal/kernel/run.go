package kernel

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/config"
	"github.com/forgeone/forgeone/internal/gate"
	"github.com/forgeone/forgeone/internal/policy"
	"github.com/forgeone/forgeone/internal/provider"
	"github.com/forgeone/forgeone/internal/trace"
	"github.com/forgeone/forgeone/internal/wasm"
)

// Spec says what to run and what it is given.
type Spec struct {
	Target string // a package file, an installed package's name, or a module file
	Args   []string
	Env    []string // "K=V"
	Mounts []trace.Mount
	// Listen are the addresses, ADDRESS:PORT, that the guest's sockets listen on:
	// its descriptors from 4 on. Port 0 has one chosen.
	Listen   []string
	Policies []policy.Source
	Limits   abi.Limits // zero fields: the configuration's
	// CanonicalNaN has every NaN that the guest computes made the same, so that
	// the run replays on every machine. The configuration may ask for it too.
	CanonicalNaN bool
	Stdin        provider.Stream
	Stdout       provider.Stream
	Stderr       provider.Stream
	// Started, if not nil, is called once the run's start is durable.
	Started func(id abi.RunID, workload string, bare bool)
	// Listening, if not nil, is called before Started with what is listened on, if
	// there is anything.
	Listening func(addrs []string)
}

// Report is how a run ended. It is given only once its end is durable.
type Report struct {
	Run      abi.RunID
	Workload string
	Bare     bool
	Outcome  abi.Outcome
	Exit     uint32
	Trap     string
	Why      string // it was stopped: what was said with that
	Calls    uint64
	Denials  uint64
	First    []Denied // the first denial per rule and syscall, in order
	Fuel     uint64
	Limits   abi.Limits // that it ran with
	Reached  abi.Limit  // those that refused the guest something
	Seal     abi.Digest
	End      abi.Digest
	Before   abi.Trust
	After    abi.Trust
}

// run is one run under way. The goroutine that calls Run owns it; the sink has
// a lock of its own.
type run struct {
	k      *Kernel
	spec   Spec
	id     abi.RunID
	w      *workload
	start  abi.RunStart
	rec    *trace.Writer
	ctl    *gate.Control
	sink   *sink
	known  abi.Trust // what the log makes of the workload
	trust  abi.Trust // that, less what the run itself did
	prog   *policy.Program
	listen []string // what its sockets listen on, with the ports that were chosen
	// signers are the keys that the package was installed by.
	signers []abi.Digest
	why     atomic.Pointer[abi.Error] // it was stopped, because it counts no more
	// number is the log's counter before the state was folded that the run was
	// prepared on.
	number uint64
}

// Run runs a workload from admission to its durable end. An error means that
// nothing ran, or that the log could not tell how it ended.
func (k *Kernel) Run(ctx context.Context, s Spec) (*Report, error) {
	started, err := k.starting()
	if err != nil {
		return nil, err
	}
	defer started()
	w, err := k.find(ctx, s.Target, s.CanonicalNaN)
	if err != nil {
		return nil, err
	}
	defer w.close() // only read from
	r := &run{k: k, spec: s, w: w, id: newRunID(), ctl: gate.NewControl()}
	limits := merge(k.config.Limits(), s.Limits)
	if w.MemoryMin > uint64(maxPages(limits)) {
		return nil, &abi.Error{
			Code: abi.OutcomeMemory.Code(), What: fmt.Sprintf("the module needs %d MiB of memory to start, the limit is %s", (w.MemoryMin+15)/16, config.FormatSize(limits.Memory)),
			Hint: fmt.Sprintf("forgeone run --memory %d %s", (w.MemoryMin+15)/16, abi.Shell(s.Target)),
		}
	}
	m, err := k.compiled(ctx, w)
	if err != nil {
		return nil, err
	}
	world, closeWorld, err := r.world(limits)
	if err != nil {
		return nil, err
	}
	defer closeWorld()
	if err := r.begin(ctx, limits); err != nil {
		return nil, err
	}
	started()
	if s.Listening != nil && len(r.listen) > 0 {
		s.Listening(r.listen)
	}
	if s.Started != nil {
		s.Started(r.id, w.name, w.bare)
	}
	return r.execute(ctx, m, world, limits)
}

// execute runs the guest and closes the run.
func (r *run) execute(ctx context.Context, m *wasm.Module, world *provider.World, limits abi.Limits) (*Report, error) {
	k := r.k
	rec := &activity{Writer: r.rec, sink: r.sink}
	defer rec.watch()()
	g := gate.New(world, r.prog, rec, r.sink, r.ctl, gate.NewMeter(limits.Fuel, gate.Slice).AtCalls())
	r.sink.gate = g
	g.Attend(r, r.number)
	defer k.attend(r, r.number)()
	if limits.Deadline > 0 {
		t := time.AfterFunc(time.Duration(limits.Deadline), func() { r.ctl.Stop(abi.OutcomeDeadline) })
		defer t.Stop()
	}
	defer context.AfterFunc(ctx, func() { r.ctl.Stop(abi.OutcomeStopped) })()
	// The run's end must be recorded also when ctx has ended.
	ctx = context.WithoutCancel(ctx)
	var guest *wasm.Guest
	var ex wasm.Exit
	var err error
	k.log.Guard(func() { guest, ex, err = m.Run(ctx, g, maxPages(limits)) })
	if err != nil {
		k.warn(err.Error())
		ex = wasm.Exit{Outcome: abi.OutcomeKernel, Err: err}
	}
	if ex.Outcome == abi.OutcomeKernel && ex.Err != nil {
		k.warn("the kernel failed while the guest ran: " + ex.Err.Error())
	}
	meter := g.Meter()
	end := trace.End{
		Outcome: ex.Outcome, Exit: ex.Code, Trap: ex.Trap, Calls: g.Calls(), Denials: r.sink.count(),
		Ticks: meter.Ticks(), Fuel: meter.Used(ex.Gas), Entry: g.Refused(), Reached: g.Reached(),
	}
	if guest != nil {
		end.Reached |= guest.Reached()
		end.State = guest.State(r.rec.StateMAC())
		defer guest.Close(ctx)
	}
	// The recording's lock is held until the run's end is in the log: without
	// it, whoever comes next would take this run for dead.
	release := r.rec.Hold()
	defer release()
	sealed, err := r.rec.Finish(end)
	if err != nil {
		return nil, fmt.Errorf("the run has ended, and is closed as aborted: %w", err)
	}
	report, err := r.end(ctx, end, sealed)
	if err != nil {
		return nil, err
	}
	release() // so that whoever else ends a run may drop this one
	if err := k.retain(ctx, nil); err != nil {
		k.warn("recordings take more room than they are given: " + err.Error())
	}
	return report, nil
}

// merge returns the limits with those of want in place where it names any.
func merge(l, want abi.Limits) abi.Limits {
	pick := func(a *uint64, b uint64) {
		if b != 0 {
			*a = b
		}
	}
	pick(&l.Fuel, want.Fuel)
	pick(&l.Memory, want.Memory)
	pick(&l.Output, want.Output)
	pick(&l.Recording, want.Recording)
	pick(&l.Scratch, want.Scratch)
	pick(&l.Disk, want.Disk)
	pick(&l.Denials, want.Denials)
	if want.Deadline != 0 {
		l.Deadline = want.Deadline
	}
	if want.Descriptors != 0 {
		l.Descriptors = want.Descriptors
	}
	return l
}
