package kernel

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/codec"
	"github.com/forgeone/forgeone/internal/gate"
	"github.com/forgeone/forgeone/internal/policy"
	"github.com/forgeone/forgeone/internal/provider"
	"github.com/forgeone/forgeone/internal/provider/host"
	"github.com/forgeone/forgeone/internal/provider/pure"
	"github.com/forgeone/forgeone/internal/replay"
	"github.com/forgeone/forgeone/internal/rewrite"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/trace"
	"github.com/forgeone/forgeone/internal/wasm"
)

// Spec says what to run and what it is given.
type Spec struct {
	Target   string // a package file, an installed package's name, or a module file
	Args     []string
	Env      []string // "K=V"
	Mounts   []trace.Mount
	Policies []policy.Source
	Limits   abi.Limits // zero fields: the configuration's
	Stdin    provider.Stream
	Stdout   provider.Stream
	Stderr   provider.Stream
	// Started, if not nil, is called once the run's start is durable.
	Started func(id abi.RunID, workload string, bare bool)
}

// Report is how a run ended. It is given only once its end is durable.
type Report struct {
	Run      abi.RunID
	Workload string
	Bare     bool
	Outcome  abi.Outcome
	Exit     uint32
	Trap     string
	Calls    uint64
	Denials  uint64
	First    []Denied // the first denial per rule and syscall, in order
	Fuel     uint64
	Seal     abi.Digest
	End      abi.Digest
	Before   abi.Trust
	After    abi.Trust
}

// run is one run under way. The goroutine that calls Run owns it; the sink has
// a lock of its own.
type run struct {
	k     *Kernel
	spec  Spec
	id    abi.RunID
	w     *workload
	start abi.RunStart
	rec   *trace.Writer
	ctl   *gate.Control
	sink  *sink
	trust abi.Trust
	prog  *policy.Program
}

// Run runs a workload from admission to its durable end. An error means that
// nothing ran, or that the log could not tell how it ended.
func (k *Kernel) Run(ctx context.Context, s Spec) (*Report, error) {
	w, err := k.find(ctx, s.Target)
	if err != nil {
		return nil, err
	}
	r := &run{k: k, spec: s, w: w, id: newRunID(), ctl: gate.NewControl()}
	limits := merge(k.config.Limits(), s.Limits)
	if w.MemoryMin > uint64(maxPages(limits)) {
		return nil, &abi.Error{
			Code: abi.OutcomeMemory.Code(), What: fmt.Sprintf("the module needs %d MiB of memory to start, the limit is %d MiB", (w.MemoryMin+15)/16, limits.Memory>>20),
			Hint: fmt.Sprintf("forgeone run --memory %d %s", (w.MemoryMin+15)/16, s.Target),
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
	g := gate.New(world, r.prog, rec, r.sink, r.ctl, gate.NewMeter(limits.Fuel, gate.Slice))
	r.sink.gate = g
	if limits.Deadline > 0 {
		t := time.AfterFunc(time.Duration(limits.Deadline), func() { r.ctl.Stop(abi.OutcomeDeadline) })
		defer t.Stop()
	}
	defer context.AfterFunc(ctx, func() { r.ctl.Stop(abi.OutcomeStopped) })()
	// The run's end must be recorded also when ctx has ended.
	ctx = context.WithoutCancel(ctx)
	guest, ex, err := m.Run(ctx, g, maxPages(limits))
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
		Ticks: meter.Ticks(), Fuel: meter.Used(ex.Gas), Entry: g.Refused(),
	}
	if guest != nil {
		end.State = guest.State(r.rec.StateMAC())
		defer guest.Close(ctx)
	}
	// The recording's lock is held until the run's end is in the log: without
	// it, whoever comes next would take this run for dead.
	defer r.rec.Hold()()
	sealed, err := r.rec.Finish(end)
	if err != nil {
		return nil, &abi.Error{Code: abi.OutcomeRecordingFull.Code(), What: "the recording could not be finished; the run is closed as aborted", Where: string(r.id), Err: err, Hint: "df -h " + string(k.home)}
	}
	return r.end(ctx, end, sealed)
}

// errStale says that the state which the start was prepared for has changed
// before it could be recorded: trust, epoch or the package itself.
var errStale = errors.New("state has changed")

// begin makes the recording and records the start: both are durable before the
// guest's first instruction. What was prepared on a state that has changed
// meanwhile is prepared again.
func (r *run) begin(ctx context.Context, limits abi.Limits) error {
	if err := r.k.mend(ctx); err != nil {
		return err
	}
	for {
		err := r.tryBegin(ctx, limits)
		if err == nil {
			r.sink = newSink(r.k, r)
			return nil
		}
		if r.rec != nil {
			r.rec.Abort()
			os.Remove(r.k.home.Recording(r.id)) // its run never began
			r.rec = nil
		}
		if !errors.Is(err, errStale) {
			return err
		}
		r.id = newRunID()
	}
}

func (r *run) tryBegin(ctx context.Context, limits abi.Limits) (err error) {
	k, w := r.k, r.w
	var known brain.Workload
	var epoch uint64
	k.ledger.view(func(s *brain.State) { known, epoch = w.known(s), s.Policy().Epoch })
	r.trust, w.standing = known.Trust, known.Standing
	sources := append([]policy.Source{k.base}, r.spec.Policies...)
	digest, err := k.keepPolicy(sources)
	if err != nil {
		return err
	}
	if r.prog, err = policy.Compile(sources, w.identity(), epoch, r.trust, r.grants()); err != nil {
		return err
	}
	h := trace.Header{
		Run: r.id, Time: k.now().UnixNano(), Workload: w.name, Bare: w.bare, Publisher: w.publisher, Standing: known.Standing,
		Package: w.pkg, Module: w.module, Rewritten: w.Rewritten, Rewriter: rewrite.Version, Engine: wasm.EngineID, Arch: runtime.GOARCH,
		Floats: w.Floats, MaxPages: maxPages(limits), Limits: limits, Slice: gate.Slice, Policy: digest, Epoch: epoch, Trust: r.trust,
		Args: r.args(), Env: r.spec.Env, Mounts: r.spec.Mounts, Mode: "full",
	}
	if r.rec, err = trace.Create(k.home.Recording(r.id), h, k.keys.Recording, limits.Recording); err != nil {
		return err
	}
	grants, err := codec.Marshal(grantsOf(&h))
	if err != nil {
		return err
	}
	r.start = abi.RunStart{
		Run: r.id, Workload: w.name, Package: w.pkg, Module: w.module, Rewritten: w.Rewritten, Policy: digest, Epoch: epoch,
		Standing: known.Standing, Trust: r.trust, Grants: k.commit("forgeone/grants/v1", r.id, grants), Limits: limits, Mode: h.Mode,
		Recording: r.rec.HeaderDigest(),
	}
	_, err = k.log.Update(ctx, func() ([]abi.Record, error) {
		var err error
		k.ledger.view(func(s *brain.State) { err = r.startable(s) })
		if err != nil {
			return nil, err
		}
		start := r.start
		return []abi.Record{{Body: &start}}, nil
	})
	return err
}

// grantList is what the log commits to of what a run was given. Its texts are
// bytes: arguments and host names need not be UTF-8.
type grantList struct {
	_         struct{} `cbor:",toarray"`
	Args, Env [][]byte
	Mounts    []grantedMount
}

type grantedMount struct {
	_           struct{} `cbor:",toarray"`
	Host, Guest []byte
	ReadOnly    bool
}

func grantsOf(h *trace.Header) (g grantList) {
	for _, a := range h.Args {
		g.Args = append(g.Args, []byte(a))
	}
	for _, e := range h.Env {
		g.Env = append(g.Env, []byte(e))
	}
	for _, m := range h.Mounts {
		g.Mounts = append(g.Mounts, grantedMount{Host: []byte(m.Host), Guest: []byte(m.Guest), ReadOnly: m.ReadOnly})
	}
	return g
}

// known is what the log knows of the workload, as it would start now.
func (w *workload) known(s *brain.State) brain.Workload {
	if w.bare {
		return s.Bare(w.module)
	}
	k, _ := s.Workload(w.name)
	return k
}

// startable checks inside the transaction what may have changed since the
// start was prepared.
func (r *run) startable(s *brain.State) error {
	w := r.w
	for _, id := range w.signers {
		if _, ok := s.Key(id); !ok {
			return &abi.Error{Code: "F1-PKG-050", What: "a key that signed the package was removed meanwhile", Where: id.Short(), Hint: "forgeone key list"}
		}
	}
	if !w.bare {
		if p, ok := s.Package(w.name); !ok || p.Package != w.pkg {
			return &abi.Error{Code: "F1-PKG-053", What: "the package was replaced or removed meanwhile", Where: w.name, Hint: "forgeone list"}
		}
	}
	known := w.known(s)
	if known.Standing == abi.StandingCompromised {
		return &abi.Error{Code: abi.OutcomeQuarantined.Code(), What: "the workload is compromised: it does not start", Where: w.name, Hint: "forgeone runs"}
	}
	if known.Trust != r.trust || s.Policy().Epoch != r.start.Epoch {
		return errStale
	}
	return nil
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

// closeDead closes the runs whose process died: their recording's lock tells
// that nobody runs them any more. Of one workload it closes one run per
// transaction, since each may change its trust.
func (k *Kernel) closeDead(ctx context.Context) error {
	for {
		n := 0
		_, err := k.log.Update(ctx, func() (records []abi.Record, err error) {
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

// end records how the run ended, with what follows from it.
func (r *run) end(ctx context.Context, end trace.End, sealed trace.Sealed) (*Report, error) {
	rest := r.sink.finish(ctx)
	e := abi.RunEnd{
		Run: r.id, Outcome: end.Outcome, Exit: end.Exit, Calls: end.Calls, Denials: end.Denials, Denied: r.sink.counts(),
		Fuel: end.Fuel, Ticks: end.Ticks, Seal: sealed.Seal, End: replay.EndDigest(&end), Size: sealed.Size,
		Points: r.sink.score.Points(), Windows: r.sink.score.Windows(),
	}
	after := r.start.Trust
	_, err := r.k.log.UpdateLast(ctx, func() ([]abi.Record, error) {
		records := slices.Clone(rest)
		body := e
		r.k.ledger.view(func(s *brain.State) {
			after = r.w.known(s).Trust
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
		Run: r.id, Workload: r.w.name, Bare: r.w.bare, Outcome: end.Outcome, Exit: end.Exit, Trap: end.Trap,
		Calls: end.Calls, Denials: end.Denials, First: r.sink.first, Fuel: end.Fuel, Seal: sealed.Seal, End: e.End,
		Before: r.start.Trust, After: after,
	}, nil
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
	if want.Deadline != 0 {
		l.Deadline = want.Deadline
	}
	if want.Descriptors != 0 {
		l.Descriptors = want.Descriptors
	}
	return l
}

// What is there without a grant.
const (
	AssetsFolder  = "/assets" // a package's assets, read-only
	ScratchFolder = "/tmp"    // in memory, gone with the run
	scratchBytes  = 64 << 20
	scratchNodes  = 10_000
)

// args are the guest's, its own name first.
func (r *run) args() []string {
	return append([]string{r.w.name}, r.spec.Args...)
}

// grants are the mounts as policy and its hints know them.
func (r *run) grants() (gs []policy.Grant) {
	for _, m := range r.spec.Mounts {
		gs = append(gs, policy.Grant{Host: m.Host, Guest: m.Guest, ReadOnly: m.ReadOnly})
	}
	return gs
}

func (w *workload) identity() policy.Identity {
	return policy.Identity{Workload: w.name, Publisher: w.publisher, Standing: w.standing, Bare: w.bare}
}

// commit binds a payload that may hold personal data to the log without
// showing it: a MAC under the recording key, with the run's id as salt.
func (k *Kernel) commit(domain string, id abi.RunID, payload []byte) abi.Digest {
	return seal.Authenticate(k.keys.Recording.Derive(string(id)), domain, payload)
}

func newRunID() abi.RunID {
	var b [8]byte
	seal.Random(b[:])
	return abi.RunID("r" + hex.EncodeToString(b[:]))
}

// world puts together what the run is given.
func (r *run) world(limits abi.Limits) (*provider.World, func(), error) {
	var roots []*host.Root
	closeAll := func() {
		for _, h := range roots {
			h.Close()
		}
	}
	c := provider.Config{
		Args: r.args(), Env: r.spec.Env, Stdin: r.spec.Stdin, Stdout: r.spec.Stdout, Stderr: r.spec.Stderr,
		Clock: host.NewClock(), Random: host.Random, Descriptors: limits.Descriptors, Output: limits.Output, Done: r.ctl.Done(),
	}
	if r.w.assets != nil {
		tree, err := pure.NewAssets(r.w.assets)
		if err != nil {
			return nil, nil, err
		}
		c.Mounts = append(c.Mounts, provider.Mount{Guest: AssetsFolder, Root: tree, ReadOnly: true, Base: true})
	}
	scratch := pure.NewScratch(func() uint64 { return uint64(r.k.now().UnixNano()) }, scratchBytes, scratchNodes)
	c.Mounts = append(c.Mounts, provider.Mount{Guest: ScratchFolder, Root: scratch, Base: true})
	for i, m := range r.spec.Mounts {
		root, err := host.OpenRoot(m.Host)
		if err != nil {
			closeAll()
			return nil, nil, err
		}
		roots = append(roots, root)
		c.Mounts = append(c.Mounts, provider.Mount{Guest: m.Guest, Root: root.Dir(), ReadOnly: m.ReadOnly, Grant: i + 1})
	}
	w, err := provider.New(c)
	if err != nil {
		closeAll()
		return nil, nil, err
	}
	return w, func() { w.Close(); closeAll() }, nil
}
