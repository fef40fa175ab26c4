package kernel

import (
	"context"
	"errors"
	"os"
	"runtime"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/codec"
	"github.com/forgeone/forgeone/internal/gate"
	"github.com/forgeone/forgeone/internal/policy"
	"github.com/forgeone/forgeone/internal/rewrite"
	"github.com/forgeone/forgeone/internal/trace"
	"github.com/forgeone/forgeone/internal/wasm"
)

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
	r.number = k.log.Counter()
	k.ledger.view(func(s *brain.State) { known, epoch = w.known(s), s.Policy().Epoch })
	r.known, r.trust, w.standing = known.Trust, known.Trust, known.Standing
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
		Package: w.pkg, Module: w.module, Rewritten: w.Rewritten, Rewriter: rewrite.Version, Engine: wasm.Native().ID(), Arch: runtime.GOARCH,
		Floats: w.Floats, Canonical: w.Canonical, Meter: abi.Meter, MaxPages: maxPages(limits), Limits: limits, Slice: gate.Slice, Policy: digest, Epoch: epoch, Trust: r.trust,
		Args: r.args(), Env: r.spec.Env, Mounts: r.spec.Mounts, Listen: r.listen, Mode: "full",
	}
	if r.rec, err = trace.Create(k.home.Recording(r.id), h, k.keys.Recording, limits.Recording); err != nil {
		return err
	}
	grants, err := marshalGrants(&h)
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

// listenList is a grantList with the sockets that the run was given. What has
// none is committed to as before there were any.
type listenList struct {
	_         struct{} `cbor:",toarray"`
	Args, Env [][]byte
	Mounts    []grantedMount
	Listen    []string
}

type grantedMount struct {
	_           struct{} `cbor:",toarray"`
	Host, Guest []byte
	ReadOnly    bool
}

func marshalGrants(h *trace.Header) ([]byte, error) {
	g := grantsOf(h)
	if len(h.Listen) == 0 {
		return codec.Marshal(g)
	}
	return codec.Marshal(listenList{Args: g.Args, Env: g.Env, Mounts: g.Mounts, Listen: h.Listen})
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
	if err := r.k.sameConfig(s); err != nil {
		return err
	}
	if !w.bare {
		p, ok := s.Package(w.name)
		if !ok || p.Package != w.pkg {
			return &abi.Error{Code: "F1-PKG-053", What: "the package was replaced or removed meanwhile", Where: w.name, Hint: "forgeone list"}
		}
		r.signers = p.Signers
	}
	if err := r.withdrawn(s); err != nil {
		return err
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
