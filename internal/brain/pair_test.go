package brain

import (
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
)

// TestPairs: post-quantum keys are publishers', alone or in a pair, and no key
// is in the keyring twice, where it would count alone.
func TestPairs(t *testing.T) {
	q, err := seal.GeneratePost()
	if err != nil {
		t.Fatal(err)
	}
	pub := q.Public()
	alone := func(role abi.Role, name string) *abi.KeyAdd {
		return &abi.KeyAdd{Name: name, Role: role, Alg: seal.MLDSA44, Public: pub, ID: pub.ID()}
	}
	pair := func(name string, role abi.Role) *abi.KeyAdd {
		k := key(name, role, false)
		k.Post = pub
		return k
	}
	refused := func(s *State, k *abi.KeyAdd) bool {
		return abi.CodeOf(s.keyAdd(9, abi.Record{Body: k}, k)) == abi.CodeBrainKey
	}
	for name, k := range map[string]*abi.KeyAdd{
		"an operator of ML-DSA": alone(abi.RoleOperator, "o"), "a node of ML-DSA": alone(abi.RoleNode, "n"), "an operator's pair": pair("o", abi.RoleOperator),
		"an id of the other algorithm": {Name: "x", Role: abi.RolePublisher, Alg: seal.MLDSA44, Public: pub, ID: seal.KeyID(seal.Ed25519, pub)},
		"an ML-DSA key as Ed25519":     {Name: "x", Role: abi.RolePublisher, Alg: seal.Ed25519, Public: pub, ID: seal.KeyID(seal.Ed25519, pub)},
		"a short half":                 func() *abi.KeyAdd { k := pair("x", abi.RolePublisher); k.Post = k.Post[1:]; return k }(),
		"a pair of ML-DSA keys":        func() *abi.KeyAdd { k := alone(abi.RolePublisher, "x"); k.Post = pub; return k }(),
	} {
		if !refused(New(), k) {
			t.Errorf("%s is in the keyring", name)
		}
	}
	s := New()
	first := pair("acme", abi.RolePublisher)
	if err := s.keyAdd(1, abi.Record{Body: first}, first); err != nil {
		t.Fatal(err)
	}
	for name, k := range map[string]*abi.KeyAdd{
		"its post-quantum half alone": alone(abi.RolePublisher, "q"), "its other half alone": {Name: "again", Role: abi.RolePublisher, Alg: first.Alg, Public: first.Public, ID: first.ID},
		"its half in another pair": pair("other", abi.RolePublisher),
	} {
		if !refused(s, k) {
			t.Errorf("%s is in the keyring again", name)
		}
	}
	if k, ok := s.KeyOf(pub.ID()); !ok || k.ID != first.ID {
		t.Error("the pair is not found by its post-quantum key")
	}
	if _, ok := s.KeyOf(abi.Digest{1}); ok {
		t.Error("a key out of nothing")
	}
	if _, _, ok := s.Admit("p", []abi.Digest{pub.ID()}); ok {
		t.Error("half of a pair vouches")
	}
	// Both halves of a pair are revoked with either.
	rev := &abi.KeyRevoke{ID: pub.ID()}
	if err := s.keyRevoke(2, abi.Record{Body: rev}, rev); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.KeyByName("acme"); ok || len(s.RevokedKeys()) != 1 || s.RevokedKeys()[0].ID != first.ID {
		t.Errorf("revoked: %+v", s.RevokedKeys())
	}
	for name, k := range map[string]*abi.KeyAdd{"the pair": first, "its post-quantum half": alone(abi.RolePublisher, "q"), "its other half": key("acme", abi.RoleOperator, false)} {
		if err := s.keyAdd(9, abi.Record{Body: k}, k); abi.CodeOf(err) != abi.CodeBrainRevoked {
			t.Errorf("%s came back: %v", name, err)
		}
	}
}
