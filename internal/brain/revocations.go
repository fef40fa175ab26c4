package brain

import (
	"cmp"
	"maps"
	"slices"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/forgepkg"
)

// Revocation says that something was revoked by a list. It is never taken back:
// a later list adds, and leaves nothing out.
type Revocation struct {
	abi.Revoked
	Issuer   abi.Digest
	Operator bool   // an operator's word counts for everything, a publisher's for its own
	Index    uint64 // of the record
}

// RevocationList is the newest list of an issuer.
type RevocationList struct {
	Issuer   abi.Digest
	Operator bool // what the issuer was when the list came
	Serial   uint64
	List     abi.Digest
	Index    uint64 // of its first record
	Next     uint64 // the part that comes next; Parts+1 once all are there
	Parts    uint64
	head     []byte // as long as parts are to come
}

// Complete tells whether all parts of the list were recorded.
func (l RevocationList) Complete() bool { return l.Next > l.Parts }

// RevocationList returns the newest list of an issuer, and whether there is one.
func (s *State) RevocationList(issuer abi.Digest) (RevocationList, bool) {
	l, ok := s.lists[issuer]
	return l, ok
}

// RevocationLists returns the newest list of each issuer, in order of arrival.
func (s *State) RevocationLists() []RevocationList {
	return slices.SortedFunc(maps.Values(s.lists), func(a, b RevocationList) int { return cmp.Compare(a.Index, b.Index) })
}

// Revocations returns all that is revoked by lists, in order of record, kind and digest.
func (s *State) Revocations() []Revocation {
	all := make([]Revocation, 0, len(s.withdrawn))
	for _, rs := range s.withdrawn {
		all = append(all, rs...)
	}
	slices.SortFunc(all, func(a, b Revocation) int {
		return cmp.Or(cmp.Compare(a.Index, b.Index), cmp.Compare(a.What, b.What), slices.Compare(a.Digest[:], b.Digest[:]))
	})
	return all
}

// Revoked tells whether what d names is revoked, for a package with these
// signers: by an operator, or by one of them.
func (s *State) Revoked(what uint8, d abi.Digest, signers []abi.Digest) (Revocation, bool) {
	for _, r := range s.withdrawn[d] {
		if r.What == what && (r.Operator || slices.Contains(signers, r.Issuer)) {
			return r, true
		}
	}
	return Revocation{}, false
}

// RevokedPackage tells whether a package, its module or a key of one of its
// signers is revoked by a list. The package is zero for a bare module.
func (s *State) RevokedPackage(pkg, module abi.Digest, signers []abi.Digest) (Revocation, bool) {
	if r, ok := s.Revoked(abi.RevokedPackage, pkg, signers); ok {
		return r, true
	}
	if r, ok := s.Revoked(abi.RevokedModule, module, signers); ok {
		return r, true
	}
	for _, id := range signers {
		if r, ok := s.RevokedSigner(id); ok {
			return r, true
		}
	}
	return Revocation{}, false
}

// RevokedSigner tells whether the key with this id, or the other key of its
// pair, is revoked by a list: by an operator or by itself.
func (s *State) RevokedSigner(id abi.Digest) (Revocation, bool) {
	ids := []abi.Digest{id}
	k, ok := s.KeyOf(id)
	if ok {
		ids = forgepkg.PublisherKeys(k.KeyAdd)
	}
	for _, id := range ids {
		if r, ok := s.Revoked(abi.RevokedKey, id, []abi.Digest{k.ID}); ok {
			return r, true
		}
	}
	return Revocation{}, false
}

// revocations folds a part of a list.
func (s *State) revocations(index uint64, r abi.Record, b *abi.Revocations) error {
	no := func(format string, args ...any) error {
		return refuse(abi.CodeBrainList, index, r, format, args...)
	}
	l := s.lists[b.Issuer]
	if b.Part == 0 {
		if b.Serial <= l.Serial {
			return no("serial %d of issuer %s after serial %d", b.Serial, b.Issuer.Short(), l.Serial)
		}
		k, ok := s.keys[b.Issuer]
		if !ok || k.Role != abi.RoleOperator && k.Role != abi.RolePublisher {
			return no("its issuer %s is neither operator nor publisher", b.Issuer.Short())
		}
		list, err := forgepkg.ParseRevocationHead(b.Head, b.Sigs)
		if err == nil {
			err = list.Verify(k.KeyAdd)
		}
		switch {
		case err != nil:
			return no("%v", err)
		case list.Serial != b.Serial || list.List != b.List || uint64(len(list.Parts)) != b.Parts || len(b.Entries) > 0:
			return no("it is not the part 0 of the list that it holds")
		}
		s.lists[b.Issuer] = RevocationList{
			Issuer: b.Issuer, Operator: k.Role == abi.RoleOperator, Serial: b.Serial, List: b.List, Index: index, Next: 1, Parts: b.Parts, head: slices.Clone(b.Head),
		}
		return nil
	}
	if l.Complete() || b.Serial != l.Serial || b.List != l.List || b.Parts != l.Parts || b.Part != l.Next || len(b.Head) > 0 || len(b.Sigs) > 0 {
		return no("part %d of list %s is not the one that comes next", b.Part, b.List.Short())
	}
	list, err := forgepkg.ParseRevocationHead(l.head, nil)
	if err != nil {
		return no("%v", err)
	}
	raw, err := forgepkg.EncodePart(b.Entries)
	if err != nil {
		return no("%v", err)
	}
	if _, err := list.Part(int(b.Part-1), raw); err != nil {
		return no("%v", err)
	}
	for _, e := range b.Entries {
		s.withdraw(Revocation{Revoked: e, Issuer: l.Issuer, Operator: l.Operator, Index: index})
	}
	if l.Next++; l.Complete() {
		l.head = nil
	}
	s.lists[b.Issuer] = l
	return nil
}

// withdraw adds a revocation, unless its issuer said the same before.
func (s *State) withdraw(r Revocation) {
	had := func(old Revocation) bool {
		return old.What == r.What && old.Issuer == r.Issuer && old.Operator == r.Operator
	}
	if old := s.withdrawn[r.Digest]; !slices.ContainsFunc(old, had) {
		s.withdrawn[r.Digest] = append(old, r)
	}
}

// current refuses what a list revoked.
func (s *State) current(index uint64, r abi.Record, pkg, module abi.Digest, signers []abi.Digest) error {
	if v, ok := s.RevokedPackage(pkg, module, signers); ok {
		return refuse(abi.CodeBrainWithdrawn, index, r, "%s %s was revoked by record %d", v.Kind(), v.Digest.Short(), v.Index)
	}
	return nil
}
