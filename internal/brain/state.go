// Package brain is the fold over the evidence log: from records alone it builds
// the state that everything else derives from (keyring, configuration, policy
// epoch, packages, workloads with their trust, runs) and refuses each record
// that does not follow from those before it. It is pure: no clock, no I/O, no
// randomness. So it serves the running kernel and the verifier alike.
package brain

import (
	"fmt"

	"github.com/forgeone/forgeone/abi"
)

// State is what a log says. It is not safe for concurrent use: whoever feeds it
// also guards it.
type State struct {
	size    uint64
	genesis abi.Genesis

	keys   map[abi.Digest]KeyEntry
	byName map[string]abi.Digest
	config abi.Config
	policy abi.Policy

	ring      uint64 // version of the keyring
	threshold uint64 // operators that sign an act
	revoked   map[abi.Digest]RevokedKey
	witnesses abi.WitnessSet

	packages  map[string]Package
	serials   map[string]uint64 // the floor of each package
	workloads map[string]*Workload
	numbered  []*Workload                   // the same, in order of appearance
	withdrawn map[abi.Digest][]Revocation   // what lists revoke
	lists     map[abi.Digest]RevocationList // by issuer, the newest

	runs    runTable
	open    map[uint64]*openRun // by the number in the run's id
	pending []abi.TrustChange   // that must come next, in order

	keep keeping
}

// Package is an installed package.
type Package struct {
	abi.PackageInstall
	Index uint64 // of the record that installed it
	Time  int64  // of that record, unix nanoseconds
}

// Workload is a package or bare module as the log knows it. It stays known, with
// its trust, when its package is removed.
type Workload struct {
	Name     string
	Trust    abi.Trust
	Standing abi.Standing
	Cause    uint64 // index of the record that made its trust or standing what it is

	number uint32 // in State.numbered
	queue
}

// New returns the state of an empty log.
func New() *State {
	s := new(State)
	s.Reset()
	return s
}

// Reset makes s the state of an empty log, to be folded anew.
func (s *State) Reset() {
	*s = State{
		ring: 1, threshold: 1, revoked: map[abi.Digest]RevokedKey{},
		keys: map[abi.Digest]KeyEntry{}, byName: map[string]abi.Digest{}, packages: map[string]Package{},
		withdrawn: map[abi.Digest][]Revocation{}, lists: map[abi.Digest]RevocationList{},
		serials: map[string]uint64{}, workloads: map[string]*Workload{}, runs: newRunTable(), open: map[uint64]*openRun{},
	}
}

// Follow folds the record at index into s. Indexes come in order, each once. A
// record that does not follow from those before it is an *abi.Error of area BRN
// that names the index, and leaves s as it was.
func (s *State) Follow(index uint64, r abi.Record) error {
	if index != s.size {
		return refuse(abi.CodeBrainOrder, index, r, "%d records have been read, so record %d is expected", s.size, s.size)
	}
	if _, first := r.Body.(*abi.Genesis); first != (index == 0) {
		return refuse(abi.CodeBrainOrder, index, r, "a log has one log.genesis, and begins with it")
	}
	var err error
	switch b := r.Body.(type) {
	case *abi.SegmentSealed, *abi.Recovered, *abi.LogKey:
		// The log's own housekeeping; it may stand anywhere.
	case *abi.TrustChange:
		err = s.trustChange(index, r, b)
	default:
		if len(s.pending) > 0 {
			p := s.pending[0]
			return refuse(abi.CodeBrainTrust, index, r, "the trust.change of %q that record %d leads to is missing", p.Workload, p.Cause)
		}
		err = s.follow(index, r)
	}
	if err != nil {
		return err
	}
	s.size++
	return nil
}

func (s *State) follow(index uint64, r abi.Record) error {
	switch b := r.Body.(type) {
	case *abi.Genesis:
		s.genesis = *b
	case *abi.KeyAdd:
		return s.act(index, r, func() error { return s.keyAdd(index, r, b) })
	case *abi.KeyRemove:
		return s.act(index, r, func() error { return s.keyRemove(index, r, b) })
	case *abi.KeyRevoke:
		return s.act(index, r, func() error { return s.keyRevoke(index, r, b) })
	case *abi.KeyThreshold:
		return s.act(index, r, func() error { return s.keyThreshold(index, r, b) })
	case *abi.WitnessSet:
		return s.act(index, r, func() error { return s.witnessSet(index, r, b) })
	case *abi.Downgrade:
		return s.act(index, r, func() error { return s.downgrade(index, r, b) })
	case *abi.Config:
		if b.Version <= s.config.Version {
			return refuse(abi.CodeBrainConfig, index, r, "version %d after version %d", b.Version, s.config.Version)
		}
		s.config = *b
	case *abi.Policy:
		if b.Epoch <= s.policy.Epoch {
			return refuse(abi.CodeBrainPolicy, index, r, "epoch %d after epoch %d", b.Epoch, s.policy.Epoch)
		}
		s.policy = *b
	case *abi.PackageInstall:
		return s.install(index, r, b)
	case *abi.PackageUninstall:
		if _, ok := s.packages[b.Name]; !ok {
			return refuse(abi.CodeBrainPackage, index, r, "no package %q is installed", b.Name)
		}
		delete(s.packages, b.Name)
	case *abi.Revocations:
		return s.revocations(index, r, b)
	case *abi.RunStart:
		return s.runStart(index, r, b)
	case *abi.RunEnd:
		return s.runEnd(index, r, b)
	case *abi.Denial:
		return s.denial(index, r, b)
	case *abi.RunStop:
		return s.runStop(index, r, b)
	case *abi.Hold:
		return s.hold(index, r, b)
	case *abi.HoldEnd:
		return s.act(index, r, func() error { return s.unhold(index, r, b) })
	case *abi.RecordingDrop:
		return s.drop(index, r, b)
	default:
		return refuse(abi.CodeBrainOrder, index, r, "records of type %T are not known", r.Body)
	}
	return nil
}

// refuse is the error of a record that does not follow.
func refuse(code abi.Code, index uint64, r abi.Record, format string, args ...any) error {
	return &abi.Error{
		Code: code, What: abi.KindOf(r.Body).String() + " does not follow: " + fmt.Sprintf(format, args...),
		Where: fmt.Sprintf("record %d", index),
	}
}
