package forgepkg

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/codec"
)

var reasons = []string{"", "leaks its input", strings.Repeat("r", maxReason)}

func revoked(n int) (list []abi.Revoked) {
	for i := range n {
		var d abi.Digest
		binary.BigEndian.PutUint32(d[:], uint32(i)*0x9e3779b1+1) // in no order
		list = append(list, abi.Revoked{What: uint8(i%3) + 1, Digest: d, Reason: reasons[i%len(reasons)]})
	}
	return list
}

func list(t testing.TB, n int, signers ...Signer) []byte {
	t.Helper()
	b, err := MakeRevocations(7, 1_800_000_000, revoked(n), signers...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRevocations(t *testing.T) {
	for _, n := range []int{1, revPart, revPart + 1, MaxRevoked} {
		b := list(t, n, alice.signer())
		if len(b) > MaxRevocations {
			t.Fatalf("%d entries take %d bytes", n, len(b))
		}
		r, err := ParseRevocations(b)
		if err != nil {
			t.Fatal(err)
		}
		want := revoked(n)
		slices.SortFunc(want, compareRevoked)
		if !slices.Equal(r.Entries, want) || r.Serial != 7 || r.Issuer != alice.id() || r.Count != uint32(n) {
			t.Errorf("%d entries read as %d", n, len(r.Entries))
		}
		if err := r.Verify(alice.entry("alice", abi.RoleOperator)); err != nil {
			t.Error(err)
		}
		for i := range r.Parts {
			raw, err := EncodePart(r.PartOf(i))
			if err != nil || len(raw) > 60_000 {
				t.Errorf("part %d has %d bytes, %v", i, len(raw), err)
			}
			if _, err := r.Part(i, raw); err != nil {
				t.Error(err)
			}
		}
		if again := list(t, n, alice.signer()); !bytes.Equal(again, b) {
			t.Error("the same list has other bytes")
		}
	}
	for name, make := range map[string]func() ([]byte, error){
		"nothing":     func() ([]byte, error) { return MakeRevocations(1, 0, nil, alice.signer()) },
		"too much":    func() ([]byte, error) { return MakeRevocations(1, 0, revoked(MaxRevoked+1), alice.signer()) },
		"serial 0":    func() ([]byte, error) { return MakeRevocations(0, 0, revoked(1), alice.signer()) },
		"no signer":   func() ([]byte, error) { return MakeRevocations(1, 0, revoked(1)) },
		"two Ed25519": func() ([]byte, error) { return MakeRevocations(1, 0, revoked(1), alice.signer(), bob.signer()) },
		"named twice": func() ([]byte, error) {
			return MakeRevocations(1, 0, append(revoked(1), revoked(1)...), alice.signer())
		},
		"zero digest": func() ([]byte, error) { return MakeRevocations(1, 0, []abi.Revoked{{What: 1}}, alice.signer()) },
		"another kind": func() ([]byte, error) {
			return MakeRevocations(1, 0, []abi.Revoked{{What: 4, Digest: abi.Digest{1}}}, alice.signer())
		},
		"terminal escape": func() ([]byte, error) {
			return MakeRevocations(1, 0, []abi.Revoked{{What: 1, Digest: abi.Digest{1}, Reason: "\x1b[2J"}}, alice.signer())
		},
		"long reason": func() ([]byte, error) {
			return MakeRevocations(1, 0, []abi.Revoked{{What: 1, Digest: abi.Digest{1}, Reason: strings.Repeat("x", 129)}}, alice.signer())
		},
	} {
		if err := errorOf(make()); abi.CodeOf(err) != abi.CodeRevInput {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRevocationAttacks: each byte of a list matters, and only its issuer signs it.
func TestRevocationAttacks(t *testing.T) {
	good := list(t, 3, alice.signer())
	a := alice.entry("alice", abi.RolePublisher)
	read := func(b []byte, k abi.KeyAdd) error {
		r, err := ParseRevocations(b)
		if err != nil {
			return err
		}
		return r.Verify(k)
	}
	for i := range good {
		for name, b := range map[string][]byte{
			"changed": func() []byte { b := bytes.Clone(good); b[i] ^= 1; return b }(), "removed": slices.Delete(bytes.Clone(good), i, i+1),
			"doubled": slices.Insert(bytes.Clone(good), i, good[i]), "cut": good[:i],
		} {
			err := read(b, a)
			if info, ok := abi.LookupCode(abi.CodeOf(err)); !ok || info.Exit != 1 {
				t.Fatalf("byte %d %s: %v", i, name, err)
			}
		}
	}
	if err := read(append(bytes.Clone(good), 0), a); abi.CodeOf(err) != abi.CodeRevList {
		t.Errorf("one byte more: %v", err)
	}
	q := post(t, 1)
	pair := pairOf(a, q)
	both := list(t, 3, alice.signer(), PostSignerOf(q))
	byQ := func() []byte { // alice's list, signed by the other half alone
		r, err := ParseRevocations(both)
		if err != nil {
			t.Fatal(err)
		}
		var sigs []Signature
		mustUnmarshal(t, r.Sigs, &sigs)
		sb := mustMarshal(t, sigs[1:])
		b := binary.BigEndian.AppendUint32(append([]byte(RevocationMagic), both[8:12]...), uint32(len(sb)))
		return slices.Concat(b, r.Head, sb, both[revHeader+len(r.Head)+len(r.Sigs):])
	}()
	forged := mallory.entry("alice", abi.RolePublisher)
	forged.ID = alice.id()
	for name, tc := range map[string]struct {
		b    []byte
		k    abi.KeyAdd
		code abi.Code
	}{
		"alone":                  {good, a, ""},
		"both of a pair":         {both, pair, ""},
		"both, of a key alone":   {both, a, ""},
		"half of a pair":         {good, pair, abi.CodeRevSignature},
		"the other half":         {byQ, pair, abi.CodeRevSignature},
		"the other half, alone":  {byQ, a, abi.CodeRevSignature},
		"another's":              {good, bob.entry("bob", abi.RoleOperator), abi.CodeRevSignature},
		"another's under her id": {list(t, 3, mallory.signer()), forged, abi.CodeRevSignature},
	} {
		if err := read(tc.b, tc.k); abi.CodeOf(err) != tc.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A package's signature serves no list, nor the other way round.
	head := mustMarshal(t, &RevocationHead{Format: 1, Issuer: alice.id(), Serial: 1, Count: 1, Parts: []abi.Digest{{}}})
	r, err := ParseRevocationHead(head, mustMarshal(t, []Signature{{Alg: Ed25519, Key: alice.id(), Sig: signIn(alice, domainSign, head)}}))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Verify(a); abi.CodeOf(err) != abi.CodeRevSignature {
		t.Errorf("a package's signature: %v", err)
	}
	newer := mustMarshal(t, &RevocationHead{Format: 2, Issuer: alice.id(), Serial: 1, Count: 1, Parts: []abi.Digest{{}}})
	if err := errorOf(ParseRevocationHead(newer, nil)); abi.CodeOf(err) != abi.CodeRevNewer {
		t.Errorf("a newer format: %v", err)
	}
}

// FuzzRevocations: nothing panics, and what reads is the one file of its content.
func FuzzRevocations(f *testing.F) {
	f.Add(list(f, 1, alice.signer()))
	f.Add(list(f, 300, alice.signer(), PostSignerOf(post(f, 1))))
	f.Add([]byte(RevocationMagic + "\x00\x00\x00\x01\x00\x00\x00\x01\xf6\xf6"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseRevocations(b)
		if err != nil {
			if info, ok := abi.LookupCode(abi.CodeOf(err)); !ok || info.Exit != 1 {
				t.Fatalf("%v has no code", err)
			}
			return
		}
		if len(r.Entries) != int(r.Count) || len(r.Parts) == 0 {
			t.Fatalf("%d entries of %d", len(r.Entries), r.Count)
		}
		if err := r.Verify(alice.entry("alice", abi.RolePublisher)); err == nil && r.Serial != 7 {
			t.Fatal("verified what nobody signed")
		}
	})
}

func mustUnmarshal(t testing.TB, b []byte, v any) {
	t.Helper()
	if err := codec.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
}
