package kernel

import (
	"context"
	"fmt"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/forgepkg"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/codec"
	"github.com/forgeone/forgeone/internal/sys"
)

// ReadRevocations reads the file of a revocation list, without asking whether
// its issuer counts here.
func ReadRevocations(path string) (*forgepkg.Revocations, error) {
	b, err := sys.ReadRegular(path, forgepkg.MaxRevocations)
	if err != nil {
		return nil, &abi.Error{Code: abi.CodeRevRead, What: "the revocation list can't be read", Where: path, Err: err}
	}
	r, err := forgepkg.ParseRevocations(b)
	if err != nil {
		return nil, atFile(err, path)
	}
	return r, nil
}

// atFile puts a file's name into an error of a parser that knows none.
func atFile(err error, path string) error {
	if e, ok := err.(*abi.Error); ok && e.Where == "" { //nolint:errorlint // parsers return theirs bare
		e.Where = path
	}
	return err
}

// revocationBatch bounds the records of one transaction, in bytes: the log takes
// no more than 1 MiB at once.
const revocationBatch = 768 << 10

// ImportRevocations makes a list count on this node, and reports whether it was
// new. Lists too large for one transaction take several: what was recorded
// counts at once, and an import that was cut short goes on where it was.
func (k *Kernel) ImportRevocations(ctx context.Context, path string) (list *forgepkg.Revocations, fresh bool, err error) {
	if list, err = ReadRevocations(path); err != nil {
		return nil, false, err
	}
	for done := false; !done; {
		n := 0
		_, err = k.log.Update(ctx, func() (records []abi.Record, err error) {
			k.ledger.view(func(s *brain.State) { records, done, err = revocationRecords(s, list, path) })
			n = len(records)
			return records, err
		})
		if err != nil {
			return nil, false, err
		}
		fresh = fresh || n > 0
	}
	k.ledger.view(func(s *brain.State) { k.warnOfOperators(s, list) })
	return list, fresh, nil
}

// warnOfOperators tells of operators' keys on a list. A list, which one publisher or
// operator signs, does not disable operators: their threshold would count for nothing.
func (k *Kernel) warnOfOperators(s *brain.State, list *forgepkg.Revocations) {
	for _, e := range list.Entries {
		if key, ok := s.Key(e.Digest); ok && e.What == abi.RevokedKey && key.Role == abi.RoleOperator {
			k.warn(fmt.Sprintf("the list names the operator's key %q, which goes on signing acts: forgeone key revoke %s", key.Name, abi.Shell(key.Name)))
		}
	}
}

// revocationRecords returns the next records of a list for state s, and whether
// they are the last. It returns none for a list that is there already.
func revocationRecords(s *brain.State, list *forgepkg.Revocations, path string) (records []abi.Record, done bool, err error) {
	body := abi.Revocations{Issuer: list.Issuer, Serial: list.Serial, List: list.List, Parts: uint64(len(list.Parts))}
	had, _ := s.RevocationList(list.Issuer)
	next := had.Next
	if had.Serial != list.Serial || had.List != list.List {
		issuer, ok := s.Key(list.Issuer)
		switch {
		case !ok || issuer.Role != abi.RoleOperator && issuer.Role != abi.RolePublisher:
			return nil, false, &abi.Error{Code: abi.CodeRevUnknown, What: "the list's issuer, key " + list.Issuer.Short() + ", is neither operator nor publisher here", Where: path, Hint: "forgeone key list"}
		case list.Serial <= had.Serial:
			return nil, false, &abi.Error{Code: abi.CodeRevOld, What: fmt.Sprintf("the list has serial %d, and one by %q with serial %d was imported before", list.Serial, issuer.Name, had.Serial), Where: path, Hint: "forgeone revoke list"}
		}
		if err := list.Verify(issuer.KeyAdd); err != nil {
			return nil, false, atFile(err, path)
		}
		head := body
		head.Head, head.Sigs = list.Head, list.Sigs
		records, next = append(records, abi.Record{Body: &head}), 1
	}
	for size := 0; next <= body.Parts; next++ {
		part := body
		part.Part, part.Entries = next, list.PartOf(int(next-1))
		b, err := codec.Marshal(&part)
		if err != nil {
			return nil, false, err
		}
		if size += len(b); size > revocationBatch {
			return records, false, nil
		}
		records = append(records, abi.Record{Body: &part})
	}
	return records, true, nil
}

// revokedBy tells who revoked something and why, for people.
func revokedBy(s *brain.State, r brain.Revocation) string {
	who := "key " + r.Issuer.Short()
	if k, ok := s.Key(r.Issuer); ok {
		who = fmt.Sprintf("%q", k.Name)
	}
	if r.Reason == "" {
		return "by " + who
	}
	return "by " + who + ": " + r.Reason
}

// revokedNow is the refusal of what a list revoked, nil if none did.
func revokedNow(s *brain.State, pkg, module abi.Digest, signers []abi.Digest, where string) *abi.Error {
	r, ok := s.RevokedPackage(pkg, module, signers)
	if !ok {
		return nil
	}
	what := "the " + r.Kind()
	if r.What == abi.RevokedKey {
		what = "a key that signed the package"
	}
	return &abi.Error{Code: abi.CodePkgRevoked, What: what + " is revoked " + revokedBy(s, r), Where: where, Hint: "forgeone revoke list"}
}

// Revoked tells whether a package is refused in state s because a list revokes
// it, its module or a signer's key: by whom and why, "" if none does.
func Revoked(s *brain.State, pkg, module abi.Digest, signers []abi.Digest) string {
	if err := revokedNow(s, pkg, module, signers, ""); err != nil {
		return err.Error()
	}
	return ""
}
