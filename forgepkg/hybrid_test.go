package forgepkg

import (
	"bytes"
	"encoding/pem"
	"slices"
	"strings"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
)

// post is an ML-DSA-44 key made of a fixed seed.
func post(t testing.TB, seed byte) *seal.PostPrivateKey {
	t.Helper()
	k, err := seal.ParsePost(pem.EncodeToMemory(&pem.Block{Type: "FORGEONE PRIVATE KEY", Headers: map[string]string{"Algorithm": MLDSA44}, Bytes: bytes.Repeat([]byte{seed}, 32)}))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// pairOf is alice's or another's entry with a post-quantum key.
func pairOf(e abi.KeyAdd, k *seal.PostPrivateKey) abi.KeyAdd {
	e.Post = k.Public()
	return e
}

func revokedKey(id abi.Digest) func(uint8, abi.Digest, []abi.Digest) (string, bool) {
	return func(what uint8, d abi.Digest, _ []abi.Digest) (string, bool) {
		return "", what == abi.RevokedKey && d == id
	}
}

func TestHybrid(t *testing.T) {
	q, other := post(t, 1), post(t, 2)
	with := func(s ...Signer) Input {
		in := small()
		in.Signers = s
		return in
	}
	pair := Keyring{pairOf(alice.entry("alice", abi.RolePublisher), q), bob.entry("bob", abi.RolePublisher)}
	o, two := VerifyOptions{Now: now}, VerifyOptions{Now: now, Quorum: 2}
	both := with(alice.signer(), PostSignerOf(q))
	strip := func(alg string) func(t *testing.T) []byte {
		return func(t *testing.T) []byte {
			ps := take(t, both)
			ps.sigs = slices.DeleteFunc(ps.sigs, func(s Signature) bool { return s.Alg == alg })
			return ps.bytes(t)
		}
	}
	change := func(f func(ed, pq *Signature)) func(t *testing.T) []byte {
		return func(t *testing.T) []byte {
			ps := take(t, both)
			f(&ps.sigs[0], &ps.sigs[1])
			slices.SortFunc(ps.sigs, compareSignatures)
			return ps.bytes(t)
		}
	}
	made := func(in Input) func(t *testing.T) []byte { return func(t *testing.T) []byte { return build(t, in) } }
	for _, tc := range []struct {
		name string
		make func(t *testing.T) []byte
		ring Keyring
		o    VerifyOptions
		code abi.Code
	}{
		{"both", made(both), pair, o, ""},
		{"a pair and another are two", made(with(alice.signer(), PostSignerOf(q), bob.signer())), pair, two, ""},
		{"a pair is one publisher, not two", made(both), pair, two, abi.CodePkgUntrusted},
		{"ML-DSA stripped", strip(MLDSA44), pair, o, abi.CodePkgIncomplete},
		{"Ed25519 stripped", strip(Ed25519), pair, o, abi.CodePkgIncomplete},
		{"ML-DSA stripped, of a key that is alone here", strip(MLDSA44), ring, o, abi.CodePkgIncomplete},
		{"never signed with ML-DSA", made(with(alice.signer())), pair, o, abi.CodePkgUntrusted},
		{"never signed with Ed25519", made(with(PostSignerOf(q))), pair, o, abi.CodePkgUntrusted},
		{"the pair's half does not fill a quorum", made(with(alice.signer(), bob.signer())), pair, two, abi.CodePkgUntrusted},
		{"another's ML-DSA key", made(with(alice.signer(), PostSignerOf(other))), pair, o, abi.CodePkgUntrusted},
		{"ML-DSA key known under Ed25519 only", made(both), ring, o, ""}, // alice alone counts; the other is unknown
		{"ML-DSA revoked", made(both), pair, VerifyOptions{Now: now, Revoked: revokedKey(q.Public().ID())}, abi.CodePkgUntrusted},
		{"Ed25519 revoked", made(both), pair, VerifyOptions{Now: now, Revoked: revokedKey(alice.id())}, abi.CodePkgUntrusted},
		{"ML-DSA key as an operator's", made(both), Keyring{pairOf(alice.entry("alice", abi.RoleOperator), q)}, o, abi.CodePkgUntrusted},
		{"a key alone beside its pair asks for no less", made(with(alice.signer())), slices.Concat(ring[:1], pair), o, abi.CodePkgUntrusted},
		{"ML-DSA key id under Ed25519", change(func(_, pq *Signature) { pq.Alg, pq.Sig = Ed25519, pq.Sig[:64] }), pair, o, abi.CodePkgBadSig},
		{"Ed25519 key id under ML-DSA", change(func(ed, pq *Signature) { ed.Alg, ed.Sig = MLDSA44, pq.Sig }), pair, o, abi.CodePkgBadSig},
		{"algorithms exchanged", change(func(ed, pq *Signature) { ed.Key, pq.Key = pq.Key, ed.Key }), pair, o, abi.CodePkgBadSig},
		{"ML-DSA of another level", change(func(_, pq *Signature) { pq.Alg = "mldsa65" }), pair, o, abi.CodePkgSignatures},
		{"ML-DSA short", change(func(_, pq *Signature) { pq.Sig = pq.Sig[:2419] }), pair, o, abi.CodePkgSignatures},
		{"ML-DSA long", change(func(_, pq *Signature) { pq.Sig = append(slices.Clone(pq.Sig), 0) }), pair, o, abi.CodePkgSignatures},
		{"ML-DSA as short as Ed25519", change(func(_, pq *Signature) { pq.Sig = pq.Sig[:64] }), pair, o, abi.CodePkgSignatures},
		{"ML-DSA in another context", change(func(_, pq *Signature) { pq.Sig = q.Sign("forgeone/other/v1", []byte("x")) }), pair, o, abi.CodePkgBadSig},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v, err := verify(t, tc.make(t), tc.ring, tc.o)
			if tc.code != "" {
				refused(t, err, tc.code)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(v.Signers) != max(tc.o.Quorum, 1) || !slices.Contains(v.Signers, alice.id()) || len(v.Keys) != len(v.Signers) {
				t.Errorf("signers %v, unknown %v", v.Keys, v.Unknown)
			}
		})
	}
	// The context is part of what is signed, also with the right digest.
	wrong := PostSignerOf(q)
	wrong.Sign = func(_ string, msg []byte) ([]byte, error) { return q.SignRaw(msg), nil }
	refused(t, errorOf(Build(&bytes.Buffer{}, with(wrong))), abi.CodePkgInput)
	// A lone ML-DSA key may be a publisher too.
	lone := Keyring{{Name: "q", Role: abi.RolePublisher, Alg: MLDSA44, Public: q.Public(), ID: q.Public().ID()}}
	if v, err := verify(t, build(t, with(PostSignerOf(q))), lone, o); err != nil || v.Keys[0].Name != "q" {
		t.Errorf("a lone ML-DSA key: %v", err)
	}
	for name, e := range map[string]abi.KeyAdd{
		"ML-DSA id under Ed25519": {Name: "x", Role: abi.RolePublisher, Alg: Ed25519, Public: q.Public(), ID: q.Public().ID()},
		"pair of two ML-DSA keys": pairOf(lone[0], other),
		"pair with a short key":   {Name: "x", Role: abi.RolePublisher, Alg: Ed25519, Public: alice.Public(), ID: alice.id(), Post: q.Public()[:99]},
	} {
		if err := errorOf(verify(t, build(t, both), Keyring{e}, o)); abi.CodeOf(err) != abi.CodePkgOptions {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestManySigners: as many signatures as a manifest may name fit.
func TestManySigners(t *testing.T) {
	in := small()
	in.Signers = nil
	var r Keyring
	for i := range byte(maxSigners) {
		k := post(t, i)
		in.Signers = append(in.Signers, PostSignerOf(k))
		r = append(r, abi.KeyAdd{Name: strings.Repeat("k", int(i)+1), Role: abi.RolePublisher, Alg: MLDSA44, Public: k.Public(), ID: k.Public().ID()})
	}
	if _, err := verify(t, build(t, in), r, VerifyOptions{Now: now, Quorum: maxSigners}); err != nil {
		t.Error(err)
	}
}
