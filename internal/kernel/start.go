package kernel

import (
	"context"
	"os"
	"path/filepath"
	"slices"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/codec"
	"github.com/forgeone/forgeone/internal/config"
	"github.com/forgeone/forgeone/internal/policy"
	"github.com/forgeone/forgeone/internal/sys"
	"github.com/forgeone/forgeone/internal/trace"
)

// configNotInForce says that the signed configuration is not the one in the log.
const configNotInForce abi.Code = "F1-CFG-053"

func startConfig(_ context.Context, k *Kernel) (err error) {
	k.config, err = config.Load(k.home.Config(), k.keys.Node.Public())
	return err
}

// startEvidence opens the log, folds it, and holds the configuration against
// it: an old one, rightly signed, is not the one in force.
func startEvidence(ctx context.Context, k *Kernel) error {
	if err := openLog(ctx, k); err != nil {
		return err
	}
	return k.useConfigInForce()
}

// useConfigInForce has k use the configuration that the log names, also where init was
// interrupted before that took the place of the one before it (see settleConfig), or
// is at work now.
func (k *Kernel) useConfigInForce() error {
	var want abi.Digest
	k.ledger.view(func(s *brain.State) { want = s.Config().Digest })
	if want.IsZero() || want == k.config.Digest() {
		return nil
	}
	node := k.keys.Node.Public()
	if c, err := config.Load(k.home.NextConfig(), node); err == nil && c.Digest() == want {
		k.config = c
		if lock, got, err := sys.TryLock(k.home.path(".init")); err == nil && got { // else another does it
			defer func() { _ = lock.Unlock() }()
			return settleConfig(k.home, node, want)
		}
		return nil
	}
	if c, err := config.Load(k.home.Config(), node); err == nil && c.Digest() == want { // by now
		k.config = c
		return nil
	}
	return &abi.Error{
		Code: configNotInForce, What: "the configuration is signed but is not the one in force: the log names " + want.Short(),
		Where: k.home.Config(), Hint: "forgeone init --config FILE",
	}
}

// sameConfig refuses what was prepared under a configuration that is not in force any
// more: it may have allowed what the one in force does not.
func (k *Kernel) sameConfig(s *brain.State) error {
	if d := s.Config().Digest; !d.IsZero() && d != k.config.Digest() {
		return &abi.Error{Code: "F1-CFG-060", What: "another configuration was put in force since this node was opened: open it again", Where: k.home.Config(), Hint: "forgeone config show"}
	}
	return nil
}

// stateLabel is what the key of the state file is derived for.
const stateLabel = "forgeone/state/v1"

func openLog(ctx context.Context, k *Kernel) (err error) {
	k.log, err = evidence.Open(evidence.Options{
		Dir: k.home.Log(), Key: k.keys.Log, NextKey: k.logKey, PostKey: k.vault.LogPost, Follower: k.ledger, Now: k.now, Control: isControl,
		Snapshot: &evidence.SnapshotOptions{Path: k.home.State(), Key: k.keys.Cache.Derive(stateLabel), Warn: func(err error) { k.warn(err.Error()) }},
	})
	if err != nil {
		return err
	}
	if err := k.log.Refresh(ctx); err != nil {
		return err
	}
	if err := k.tidyRotation(ctx); err != nil {
		return err
	}
	if err := k.finishDrops(); err != nil {
		k.warn(err.Error())
	}
	return k.mend(ctx)
}

// unchecked is the graph for init, which is about to put another configuration
// in force.
func unchecked(g []Module) []Module {
	for i := range g {
		if g[i].Name == ModEvidence {
			g[i].start = openLog
		}
	}
	return g
}

func startPolicy(_ context.Context, k *Kernel) error {
	k.base = policy.Base()
	if ps := policy.Check(k.base); len(ps) > 0 {
		return ps[0].Err()
	}
	return nil
}

func startRecorder(_ context.Context, k *Kernel) error {
	return os.MkdirAll(k.home.Recordings(), 0o700)
}

// startGate proves that a decision can be made at all: the base policy must
// deny what nothing permits, and permit what it should.
func startGate(_ context.Context, k *Kernel) error {
	p, err := policy.Compile([]policy.Source{k.base}, policy.Identity{Workload: "forgeone.self-test"}, 1, abi.Trust{P: 50, A: 100, C: 60, N: 100, R: 100}, nil)
	if err != nil {
		return err
	}
	c := &abi.Call{Row: abi.Lookup(abi.ClockTimeGet)}
	yes := p.Decide(c, &abi.Object{Kind: abi.ObjClock, Name: "realtime"})
	no := p.Decide(c, &abi.Object{Kind: abi.ObjSocket, Name: "none"})
	if yes.Verdict != abi.Allow || no.Verdict == abi.Allow {
		return &abi.Error{Code: "F1-RUN-151", What: "the base policy does not decide as it should", Hint: "forgeone doctor"}
	}
	return nil
}

// startReplay proves that this program has a syscall table to replay by.
func startReplay(_ context.Context, k *Kernel) error {
	if trace.TableDigest(len(abi.Rows())).IsZero() {
		return graphError("the syscall table has no digest")
	}
	return nil
}

// policyText is how a policy is kept: every source, so that any decision can
// be explained later.
type policyText struct {
	_       struct{} `cbor:",toarray"`
	Sources []policySource
}

type policySource struct {
	_    struct{} `cbor:",toarray"`
	Name string
	Text []byte
}

func (k *Kernel) policyFile(d abi.Digest) string {
	return filepath.Join(k.home.Policies(), d.Hex()+".policy")
}

// keepPolicy keeps the sources by their digest.
func (k *Kernel) keepPolicy(sources []policy.Source) (abi.Digest, error) {
	d := policy.Digest(sources)
	if _, err := k.policyOf(d); err == nil {
		return d, nil // kept, and whole
	}
	var t policyText
	for _, s := range sources {
		t.Sources = append(t.Sources, policySource{Name: s.Name, Text: s.Text})
	}
	b, err := codec.Marshal(t)
	if err != nil {
		return d, err
	}
	return d, unkept(k.policyFile(d), sys.WriteFile(k.policyFile(d), b, 0o600))
}

// policyOf returns the sources with digest d, checked against it.
func (k *Kernel) policyOf(d abi.Digest) ([]policy.Source, error) {
	b, err := os.ReadFile(k.policyFile(d))
	if err != nil {
		return nil, &abi.Error{Code: "F1-POL-050", What: "the policy of the run is not kept here", Where: d.Short(), Err: err}
	}
	var t policyText
	if err := codec.Unmarshal(b, &t); err != nil {
		return nil, &abi.Error{Code: "F1-POL-051", What: "the kept policy is damaged", Where: k.policyFile(d), Err: err}
	}
	var sources []policy.Source
	for _, s := range t.Sources {
		sources = append(sources, policy.Source{Name: s.Name, Text: slices.Clone(s.Text)})
	}
	if policy.Digest(sources) != d {
		return nil, &abi.Error{Code: "F1-POL-051", What: "the kept policy is not the one it is named for", Where: k.policyFile(d)}
	}
	return sources, nil
}
