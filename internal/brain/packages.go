package brain

import (
	"slices"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/trust"
)

// Admit is what a package of this name, signed by these keys, is worth now: the
// standing and trust that its package.install record must carry. Provenance
// comes from the signers, which must be publishers in the keyring; conduct and a
// quarantine are the workload's own and survive a new version, or the package's
// removal. A zero standing and trust mean that the signers are not enough.
func (s *State) Admit(name string, signers []abi.Digest) (abi.Standing, abi.Trust, bool) {
	if len(signers) == 0 {
		return abi.StandingUnverified, abi.Trust{}, false
	}
	local, known := false, false
	for _, id := range signers {
		k, ok := s.keys[id]
		if !ok || k.Role != abi.RolePublisher {
			return abi.StandingUnverified, abi.Trust{}, false
		}
		local = local || k.Local
		known = known || !k.Local
	}
	t := trust.Start(trust.Provenance(false, local, known, false))
	st := abi.StandingSigned
	if w := s.workloads[name]; w != nil {
		t.C = w.Trust.C
		if w.Standing == abi.StandingCompromised {
			st = w.Standing
		}
	}
	return trust.Standing(st, t), t, true
}

// Serial is the floor of the named package: no lower serial is installed. It is
// the highest that was ever installed, or since operators let it go back.
func (s *State) Serial(name string) uint64 { return s.serials[name] }

// downgrade lowers the floor of a package. What is installed stays, until a
// package with a serial from the new floor on takes its place.
func (s *State) downgrade(index uint64, r abi.Record, b *abi.Downgrade) error {
	last, ok := s.serials[b.Name]
	if !ok || b.From != last || b.Serial == 0 || b.Serial >= last {
		return refuse(abi.CodeBrainPackage, index, r, "%q is to go back from serial %d to %d, its floor is %d", b.Name, b.From, b.Serial, last)
	}
	s.serials[b.Name] = b.Serial
	return nil
}

func (s *State) install(index uint64, r abi.Record, b *abi.PackageInstall) error {
	if b.Name == "" || isBare(b.Name) {
		return refuse(abi.CodeBrainPackage, index, r, "%q is no package's name", b.Name)
	}
	if last, ok := s.serials[b.Name]; ok && b.Serial < last {
		return refuse(abi.CodeBrainPackage, index, r, "%q goes back from serial %d to %d", b.Name, last, b.Serial)
	}
	if err := s.current(index, r, b.Package, b.Module, b.Signers); err != nil {
		return err
	}
	st, t, ok := s.Admit(b.Name, b.Signers)
	if !ok {
		return refuse(abi.CodeBrainPackage, index, r, "the signers of %q are not all publishers in the keyring", b.Name)
	}
	if old, ok := s.packages[b.Name]; ok && !slices.ContainsFunc(b.Signers, func(d abi.Digest) bool { return slices.Contains(old.Signers, d) }) {
		return refuse(abi.CodeBrainPackage, index, r, "%q is installed from another publisher", b.Name)
	}
	if b.Standing != st || b.Trust != t {
		return refuse(abi.CodeBrainPackage, index, r, "%q is recorded as %v with %v, its signers give %v with %v", b.Name, b.Standing, b.Trust, st, t)
	}
	p := Package{PackageInstall: *b, Index: index, Time: r.Time}
	p.Signers = slices.Clone(b.Signers)
	s.packages[b.Name] = p
	s.serials[b.Name] = b.Serial
	w := s.workloads[b.Name]
	if w == nil {
		w = s.appear(Workload{Name: b.Name})
	}
	w.Trust, w.Standing, w.Cause = t, st, index
	return nil
}

// vouched checks that whoever signed the package p still counts: it starts no
// more when a key of a signer was removed or revoked.
func (s *State) vouched(index uint64, r abi.Record, p Package) error {
	for _, id := range p.Signers {
		if v, ok := s.revoked[id]; ok {
			return refuse(abi.CodeBrainRevoked, index, r, "key %s, which signed %q, was revoked by record %d", id.Short(), p.Name, v.Index)
		}
		if k, ok := s.keys[id]; !ok || k.Role != abi.RolePublisher {
			return refuse(abi.CodeBrainStart, index, r, "key %s, which signed %q, is no publisher's in the keyring", id.Short(), p.Name)
		}
	}
	return nil
}
