package brain

import (
	"fmt"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/forgepkg"
	"github.com/forgeone/forgeone/internal/seal"
)

// issuer is a key of the keyring that signs lists.
type issuer struct {
	k *seal.PrivateKey
	e *abi.KeyAdd
}

func newIssuer(t *testing.T, b *book, name string, role abi.Role) issuer {
	t.Helper()
	k, err := seal.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	e := &abi.KeyAdd{Name: name, Role: role, Alg: seal.Ed25519, Public: k.Public(), ID: k.Public().ID()}
	if err := b.s.keyAdd(b.s.Size(), abi.Record{Body: e}, e); err != nil {
		t.Fatal(err)
	}
	return issuer{k, e}
}

// list returns the records of a list with these entries.
func (i issuer) list(t *testing.T, serial uint64, entries ...abi.Revoked) (records []*abi.Revocations) {
	t.Helper()
	b, err := forgepkg.MakeRevocations(serial, 1, entries, forgepkg.SignerOf(i.k))
	if err != nil {
		t.Fatal(err)
	}
	l, err := forgepkg.ParseRevocations(b)
	if err != nil {
		t.Fatal(err)
	}
	body := abi.Revocations{Issuer: l.Issuer, Serial: l.Serial, List: l.List, Parts: uint64(len(l.Parts))}
	head := body
	head.Head, head.Sigs = l.Head, l.Sigs
	records = append(records, &head)
	for n := range l.Parts {
		part := body
		part.Part, part.Entries = uint64(n+1), l.PartOf(n)
		records = append(records, &part)
	}
	return records
}

func (b *book) mustAll(records []*abi.Revocations) {
	for _, r := range records {
		b.must(r)
	}
}

func pkgInstall(b *book, name string, signer issuer, serial uint64) *abi.PackageInstall {
	ids := []abi.Digest{signer.e.ID}
	st, tr, _ := b.s.Admit(name, ids)
	return &abi.PackageInstall{Name: name, Package: digest(name + fmt.Sprint(serial)), Module: digest("m" + name), Signers: ids, Standing: st, Trust: tr, Serial: serial}
}

// TestRevocations: whose word counts, and for what.
func TestRevocations(t *testing.T) {
	pkg := abi.Revoked{What: abi.RevokedPackage, Digest: digest("app1"), Reason: "why"}
	mod := abi.Revoked{What: abi.RevokedModule, Digest: digest("mapp")}
	for _, tc := range []struct {
		name     string
		by       func(acme, other, ops issuer) issuer
		what     func(acme issuer) abi.Revoked
		refused  bool
		laterToo bool // also the next version, which has the same module
	}{
		{"package by its publisher", func(a, _, _ issuer) issuer { return a }, func(issuer) abi.Revoked { return pkg }, true, false},
		{"package by another", func(_, o, _ issuer) issuer { return o }, func(issuer) abi.Revoked { return pkg }, false, false},
		{"package by an operator", func(_, _, o issuer) issuer { return o }, func(issuer) abi.Revoked { return pkg }, true, false},
		{"module by its publisher", func(a, _, _ issuer) issuer { return a }, func(issuer) abi.Revoked { return mod }, true, true},
		{"module by another", func(_, o, _ issuer) issuer { return o }, func(issuer) abi.Revoked { return mod }, false, false},
		{"module by an operator", func(_, _, o issuer) issuer { return o }, func(issuer) abi.Revoked { return mod }, true, true},
		{"key by itself", func(a, _, _ issuer) issuer { return a }, func(a issuer) abi.Revoked { return abi.Revoked{What: abi.RevokedKey, Digest: a.e.ID} }, true, true},
		{"key by another", func(_, o, _ issuer) issuer { return o }, func(a issuer) abi.Revoked { return abi.Revoked{What: abi.RevokedKey, Digest: a.e.ID} }, false, false},
		{"key by an operator", func(_, _, o issuer) issuer { return o }, func(a issuer) abi.Revoked { return abi.Revoked{What: abi.RevokedKey, Digest: a.e.ID} }, true, true},
		{"the package's digest as a key", func(_, _, o issuer) issuer { return o }, func(issuer) abi.Revoked { return abi.Revoked{What: abi.RevokedKey, Digest: pkg.Digest} }, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBook()
			acme, other, ops := newIssuer(t, b, "a", abi.RolePublisher), newIssuer(t, b, "b", abi.RolePublisher), newIssuer(t, b, "c", abi.RoleOperator)
			b.must(pkgInstall(b, "app", acme, 1))
			b.mustAll(tc.by(acme, other, ops).list(t, 1, tc.what(acme)))
			is := func(what string, err error, refused bool) {
				t.Helper()
				if refused != (abi.CodeOf(err) == abi.CodeBrainWithdrawn) || !refused && err != nil {
					t.Errorf("%s: %v", what, err)
				}
			}
			is("start", b.add(b.startOf("app", id(1))), tc.refused)
			again := pkgInstall(b, "app", acme, 1)
			is("install", b.add(again), tc.refused)
			is("install of the next", b.add(pkgInstall(b, "app", acme, 2)), tc.laterToo)
		})
	}
}

// TestRevokedBareModule: an operator's word counts for modules without a package, a publisher's does not.
func TestRevokedBareModule(t *testing.T) {
	b := newBook()
	acme, ops := newIssuer(t, b, "a", abi.RolePublisher), newIssuer(t, b, "c", abi.RoleOperator)
	mod := abi.Revoked{What: abi.RevokedModule, Digest: digest("x")}
	b.mustAll(acme.list(t, 1, mod))
	b.must(b.startOf("x", id(1)))
	b.mustAll(ops.list(t, 1, mod))
	if err := b.add(b.startOf("x", id(2))); abi.CodeOf(err) != abi.CodeBrainWithdrawn {
		t.Errorf("a revoked module starts: %v", err)
	}
	if rs := b.s.Revocations(); len(rs) != 2 || rs[0].Operator || !rs[1].Operator {
		t.Errorf("revocations %+v", rs)
	}
}

// TestRevokedPair: one revoked key of a pair is enough, whichever was named.
func TestRevokedPair(t *testing.T) {
	b := newBook()
	ops := newIssuer(t, b, "c", abi.RoleOperator)
	q, err := seal.GeneratePost()
	if err != nil {
		t.Fatal(err)
	}
	k, err := seal.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	e := &abi.KeyAdd{Name: "pair", Role: abi.RolePublisher, Alg: seal.Ed25519, Public: k.Public(), ID: k.Public().ID(), Post: q.Public()}
	if err := b.s.keyAdd(b.s.Size(), abi.Record{Body: e}, e); err != nil {
		t.Fatal(err)
	}
	pair := issuer{k, e}
	b.must(pkgInstall(b, "app", pair, 1))
	b.mustAll(ops.list(t, 1, abi.Revoked{What: abi.RevokedKey, Digest: q.Public().ID()}))
	if err := b.add(b.startOf("app", id(1))); abi.CodeOf(err) != abi.CodeBrainWithdrawn {
		t.Errorf("half of the pair is revoked: %v", err)
	}
	// A list of a pair that one key signed is nobody's.
	for _, r := range pair.list(t, 1, abi.Revoked{What: abi.RevokedPackage, Digest: digest("app1")})[:1] {
		if err := b.add(r); abi.CodeOf(err) != abi.CodeBrainList {
			t.Errorf("half a list: %v", err)
		}
	}
}

// TestImpossibleLists: what was not signed, does not rise or does not come next
// is refused, and a list that was cut short counts as far as it came.
func TestImpossibleLists(t *testing.T) {
	b := newBook()
	acme := newIssuer(t, b, "a", abi.RolePublisher)
	var entries []abi.Revoked
	for i := range 600 { // three parts
		entries = append(entries, abi.Revoked{What: abi.RevokedPackage, Digest: digest(fmt.Sprint("p", i))})
	}
	l := acme.list(t, 5, entries...)
	if len(l) != 4 {
		t.Fatalf("%d records", len(l))
	}
	change := func(i int, f func(r *abi.Revocations)) *abi.Revocations {
		r := *l[i]
		f(&r)
		return &r
	}
	no := func(name string, r *abi.Revocations) {
		t.Helper()
		before := b.s.Size()
		if err := b.add(r); abi.CodeOf(err) != abi.CodeBrainList || b.s.Size() != before {
			t.Errorf("%s: %v", name, err)
		}
	}
	stranger := issuer{}
	stranger.k, _ = seal.GenerateKey()
	no("a part before its head", l[1])
	no("a stranger's list", stranger.list(t, 1, entries[0])[0])
	no("serial other than signed", change(0, func(r *abi.Revocations) { r.Serial++ }))
	no("more parts than signed", change(0, func(r *abi.Revocations) { r.Parts++ }))
	no("entries in the head", change(0, func(r *abi.Revocations) { r.Entries = entries[:1] }))
	no("another list", change(0, func(r *abi.Revocations) { r.List = digest("x") }))
	no("no signature", change(0, func(r *abi.Revocations) { r.Sigs = []byte{0x80} }))
	no("no head", change(0, func(r *abi.Revocations) { r.Head = nil }))
	b.must(l[0])
	no("the head again", l[0])
	no("a part left out", l[2])
	no("another's entry in a part", change(1, func(r *abi.Revocations) {
		r.Entries = append([]abi.Revoked{{What: abi.RevokedPackage, Digest: digest("y")}}, r.Entries[1:]...)
	}))
	no("an entry less", change(1, func(r *abi.Revocations) { r.Entries = r.Entries[1:] }))
	no("a head in a part", change(1, func(r *abi.Revocations) { r.Head = l[0].Head }))
	b.must(l[1])
	no("a part again", l[1])
	if got := b.s.Revocations(); len(got) != 256 {
		t.Errorf("%d of the first part count", len(got))
	}
	b.must(l[2])
	b.must(l[3])
	no("a part behind the last", change(3, func(r *abi.Revocations) { r.Part++ }))
	if s, _ := b.s.RevocationList(acme.e.ID); !s.Complete() || len(s.head) != 0 || len(b.s.RevocationLists()) != 1 || len(b.s.Revocations()) != 600 {
		t.Errorf("the list is %+v", s)
	}
	no("the same serial", acme.list(t, 5, entries[0])[0])
	no("an older list", acme.list(t, 4, entries[0])[0])
	// A newer list leaves nothing out of what was read.
	b.mustAll(acme.list(t, 6, entries[7]))
	if n := len(b.s.Revocations()); n != 600 {
		t.Errorf("%d are revoked after a shorter list", n)
	}
}
