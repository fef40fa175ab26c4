package forgepkg

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/codec"
	"github.com/forgeone/forgeone/internal/seal"
)

// parts is a package taken apart, to be put together wrongly.
type parts struct {
	m        Manifest
	manifest []byte // if set, stands for m
	sigs     []Signature
	sigBytes []byte // if set, stands for sigs
	blobs    [][]byte
}

// take returns the parts of the package that in builds.
func take(t testing.TB, in Input) *parts {
	t.Helper()
	b := build(t, in)
	p, err := OpenReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	ps := &parts{m: *p.manifest, sigs: p.Signatures()}
	for i, bl := range p.manifest.Blobs {
		ps.blobs = append(ps.blobs, b[p.offsets[i]:p.offsets[i]+int64(bl.Length)])
	}
	return ps
}

func mustMarshal(t testing.TB, v any) []byte {
	t.Helper()
	b, err := codec.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sign makes alice's signature of the manifest as it is now.
func (ps *parts) sign(t testing.TB, ks ...testKey) *parts {
	t.Helper()
	if ps.manifest == nil {
		ps.manifest = mustMarshal(t, &ps.m)
	}
	ps.sigs = nil
	for _, k := range ks {
		s, err := k.signer().sign(ps.manifest)
		if err != nil {
			t.Fatal(err)
		}
		ps.sigs = append(ps.sigs, s)
	}
	slices.SortFunc(ps.sigs, compareSignatures)
	return ps
}

func (ps *parts) bytes(t testing.TB) []byte {
	t.Helper()
	manifest, sigs := ps.manifest, ps.sigBytes
	if manifest == nil {
		manifest = mustMarshal(t, &ps.m)
	}
	if sigs == nil {
		sigs = mustMarshal(t, ps.sigs)
	}
	h := header{uint32(len(manifest)), uint32(len(sigs)), uint16(len(ps.m.Blobs))}
	return slices.Concat(h.append(nil), manifest, sigs, slices.Concat(ps.blobs...))
}

// small is the input of the tests that touch every byte.
func small() Input {
	in := input()
	in.Assets = fstest.MapFS{"a": {Data: []byte("alpha")}, "d/b": {Data: []byte("beta")}}
	return in
}

// TestEveryByte: each byte changed, removed or doubled is found, with the place.
func TestEveryByte(t *testing.T) {
	in := small()
	in.Signers = append(in.Signers, bob.signer())
	good := build(t, in)
	if _, err := verify(t, good, ring, VerifyOptions{Now: now}); err != nil {
		t.Fatal(err)
	}
	try := func(name string, b []byte) {
		t.Helper()
		_, err := verify(t, b, ring, VerifyOptions{Now: now})
		var e *abi.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
			return
		}
		if info, ok := abi.LookupCode(e.Code); !ok || info.Exit != 1 || !strings.Contains(e.Where, "byte") {
			t.Errorf("%s: %v (%s, exit %d) at %q", name, err, e.Code, info.Exit, e.Where)
		}
	}
	for i := range good {
		for _, x := range []byte{0x01, 0x80, 0xff} {
			b := bytes.Clone(good)
			b[i] ^= x
			try(fmt.Sprintf("byte %d ^ %#x", i, x), b)
		}
		try(fmt.Sprintf("byte %d removed", i), slices.Delete(bytes.Clone(good), i, i+1))
		try(fmt.Sprintf("byte %d doubled", i), slices.Insert(bytes.Clone(good), i, good[i]))
		try(fmt.Sprintf("cut at %d", i), good[:i])
	}
	try("one byte more", append(bytes.Clone(good), 0))
	try("twice", append(bytes.Clone(good), good...))
}

func TestSignatureAttacks(t *testing.T) {
	both := small()
	both.Signers = []Signer{alice.signer(), bob.signer()}
	o := VerifyOptions{Now: now}
	two := VerifyOptions{Now: now, Quorum: 2}
	for _, tc := range []struct {
		name string
		make func(t *testing.T) []byte
		o    VerifyOptions
		code abi.Code
	}{
		{"all stripped", func(t *testing.T) []byte {
			ps := take(t, both)
			ps.sigs = []Signature{}
			return ps.bytes(t)
		}, o, abi.CodePkgIncomplete},
		{"one stripped, the quorum would still be met", func(t *testing.T) []byte {
			ps := take(t, both)
			ps.sigs = ps.sigs[:1]
			return ps.bytes(t)
		}, o, abi.CodePkgIncomplete},
		{"duplicate to make a quorum", func(t *testing.T) []byte {
			ps := take(t, small())
			ps.sigs = append(ps.sigs, ps.sigs[0])
			return ps.bytes(t)
		}, two, abi.CodePkgSignatures},
		{"reordered", func(t *testing.T) []byte {
			ps := take(t, both)
			slices.Reverse(ps.sigs)
			return ps.bytes(t)
		}, o, abi.CodePkgSignatures},
		{"signer named twice in the manifest", func(t *testing.T) []byte {
			ps := take(t, small())
			ps.m.Signers = append(ps.m.Signers, ps.m.Signers...)
			return ps.sign(t, alice).bytes(t)
		}, two, abi.CodePkgManifest},
		{"added by a key that the manifest does not name", func(t *testing.T) []byte {
			return take(t, small()).sign(t, alice, bob).bytes(t)
		}, two, abi.CodePkgSignatures},
		{"null for no signatures", func(t *testing.T) []byte {
			ps := take(t, small())
			ps.sigBytes = []byte{0xf6}
			return ps.bytes(t)
		}, o, abi.CodePkgSignatures},
		{"unsigned, naming no signer", func(t *testing.T) []byte {
			ps := take(t, small())
			ps.m.Signers, ps.sigs = []abi.Digest{}, []Signature{}
			return ps.bytes(t)
		}, o, abi.CodePkgManifest},
		{"algorithm of another name", func(t *testing.T) []byte {
			ps := take(t, small())
			ps.sigs[0].Alg = "none"
			return ps.bytes(t)
		}, o, abi.CodePkgSignatures},
		{"algorithm in other letters", func(t *testing.T) []byte {
			ps := take(t, small())
			ps.sigs[0].Alg = "Ed25519"
			return ps.bytes(t)
		}, o, abi.CodePkgSignatures},
		{"one signature under two algorithms", func(t *testing.T) []byte {
			ps := take(t, small())
			s := ps.sigs[0]
			s.Alg = "ed25519ph"
			ps.sigs = append(ps.sigs, s)
			return ps.bytes(t)
		}, two, abi.CodePkgSignatures},
		{"public key as signature", func(t *testing.T) []byte {
			ps := take(t, small())
			ps.sigs[0].Sig = alice.Public()
			return ps.bytes(t)
		}, o, abi.CodePkgSignatures},
		{"another's signature under the key's id", func(t *testing.T) []byte {
			ps := take(t, both)
			ps.sigs[0].Sig, ps.sigs[1].Sig = ps.sigs[1].Sig, ps.sigs[0].Sig
			return ps.bytes(t)
		}, o, abi.CodePkgBadSig},
		{"malleable: S plus the group order", func(t *testing.T) []byte {
			ps := take(t, small())
			ps.sigs[0].Sig = plusOrder(ps.sigs[0].Sig)
			return ps.bytes(t)
		}, o, abi.CodePkgBadSig},
		{"type swap: signed as another payload type", func(t *testing.T) []byte {
			ps := take(t, small())
			body := mustMarshal(t, &ps.m)
			other := fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len("text/plain"), "text/plain", len(body), body)
			ps.sigs[0].Sig = signIn(alice, domainSign, other)
			return ps.bytes(t)
		}, o, abi.CodePkgBadSig},
		{"signed for another purpose", func(t *testing.T) []byte {
			ps := take(t, small())
			ps.sigs[0].Sig = signIn(alice, "forgeone/config/v1", pae(mustMarshal(t, &ps.m)))
			return ps.bytes(t)
		}, o, abi.CodePkgBadSig},
		{"signed without a purpose", func(t *testing.T) []byte {
			ps := take(t, small())
			ps.sigs[0].Sig = alice.SignRaw(mustMarshal(t, &ps.m))
			return ps.bytes(t)
		}, o, abi.CodePkgBadSig},
		{"signature of another package", func(t *testing.T) []byte {
			ps := take(t, small())
			ps.m.Serial++
			return ps.bytes(t)
		}, o, abi.CodePkgBadSig},
		{"stranger signs in another's name", func(t *testing.T) []byte {
			in := small()
			in.Manifest.Publisher = "alice"
			in.Signers = []Signer{mallory.signer()}
			return build(t, in)
		}, o, abi.CodePkgUntrusted},
		{"stranger names the publisher as signer too", func(t *testing.T) []byte {
			in := small()
			in.Signers, in.Cosigners = []Signer{mallory.signer()}, []Signer{alice.signer()}
			return build(t, in)
		}, o, abi.CodePkgIncomplete},
		{"embedded key", func(t *testing.T) []byte { // a field of its own would be unknown; an id is only an id
			ps := take(t, small())
			ps.m.Signers = []abi.Digest{abi.Digest(mallory.Public())}
			ps.sign(t, mallory)
			ps.sigs[0].Key = abi.Digest(mallory.Public())
			return ps.bytes(t)
		}, o, abi.CodePkgUntrusted},
		{"one of two needed", func(t *testing.T) []byte { return build(t, small()) }, two, abi.CodePkgUntrusted},
		{"quorum above what the keyring has", func(t *testing.T) []byte { return build(t, both) }, VerifyOptions{Now: now, Quorum: 3}, abi.CodePkgUntrusted},
		{"operator's key is no publisher's", func(t *testing.T) []byte {
			in := small()
			in.Signers = []Signer{carol.signer()}
			return build(t, in)
		}, o, abi.CodePkgUntrusted},
		{"quorum -1", func(t *testing.T) []byte { return build(t, both) }, VerifyOptions{Now: now, Quorum: -1}, abi.CodePkgOptions},
		{"no time", func(t *testing.T) []byte { return build(t, both) }, VerifyOptions{}, abi.CodePkgOptions},
		{"a runtime version that can't be compared", func(t *testing.T) []byte { return build(t, both) }, VerifyOptions{Now: now, Runtime: "devel"}, abi.CodePkgOptions},
	} {
		t.Run(tc.name, func(t *testing.T) {
			refused(t, errorOf(verify(t, tc.make(t), ring, tc.o)), tc.code)
		})
	}
	// A quorum left at 0 is a quorum of 1, never of nobody.
	in := small()
	in.Signers = []Signer{mallory.signer()}
	for _, r := range []Keyring{nil, ring} {
		e := refused(t, errorOf(verify(t, build(t, in), r, VerifyOptions{Now: now, Quorum: 0})), abi.CodePkgUntrusted)
		if e.Hint == "" || !strings.Contains(e.What, mallory.id().Short()) {
			t.Errorf("%v (hint %q) does not help", e, e.Hint)
		}
	}
	if _, err := verify(t, build(t, both), ring, two); err != nil {
		t.Errorf("two of two: %v", err)
	}
}

// signIn signs msg in a domain.
func signIn(k testKey, domain string, msg []byte) []byte {
	d := seal.Sum(domain, msg)
	return ed25519.Sign(k.k, d[:])
}

// plusOrder adds the order of the group to S (RFC 8032 section 8.4).
func plusOrder(sig []byte) []byte {
	l := []byte{0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10}
	s := bytes.Clone(sig)
	carry := 0
	for i, v := range l {
		carry += int(s[32+i]) + int(v)
		s[32+i], carry = byte(carry), carry>>8
	}
	return s
}

func TestKeyringAttacks(t *testing.T) {
	b := build(t, small())
	o := VerifyOptions{Now: now}
	a := alice.entry("alice", abi.RolePublisher)
	forged := mallory.entry("m", abi.RolePublisher)
	forged.ID = alice.id() // a keyring that was tampered with must not pass mallory's key off as alice's
	otherAlg := a
	otherAlg.Alg = "mldsa44"
	short := a
	short.Public = a.Public[:31]
	for name, r := range map[string]Keyring{"id of another key": {forged}, "other algorithm": {otherAlg}, "short key": {short}} {
		if err := errorOf(verify(t, b, r, o)); abi.CodeOf(err) != abi.CodePkgOptions {
			t.Errorf("%s: %v", name, err)
		}
	}
	// One key under two names is one key.
	twice := Keyring{a, alice.entry("alice again", abi.RolePublisher)}
	refused(t, errorOf(verify(t, b, twice, VerifyOptions{Now: now, Quorum: 2})), abi.CodePkgUntrusted)
	// A key with two roles counts as the publisher it also is, in any order.
	for _, r := range []Keyring{{alice.entry("op", abi.RoleOperator), a}, {a, alice.entry("op", abi.RoleOperator)}} {
		if _, err := verify(t, b, r, o); err != nil {
			t.Error(err)
		}
	}
	// Every signature by a known key must be right, whatever the key's role.
	in := small()
	in.Signers = append(in.Signers, carol.signer())
	ps := take(t, in)
	for i := range ps.sigs {
		if ps.sigs[i].Key == carol.id() {
			ps.sigs[i].Sig = bytes.Clone(ps.sigs[i].Sig)
			ps.sigs[i].Sig[3] ^= 1
		}
	}
	refused(t, errorOf(verify(t, ps.bytes(t), ring, o)), abi.CodePkgBadSig)
	// Unknown co-signers are reported, not counted.
	in.Signers = append(in.Signers, mallory.signer())
	v, err := verify(t, build(t, in), ring, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Signers) != 1 || len(v.Unknown) != 2 {
		t.Errorf("verified %+v", v)
	}
	local := a
	local.Local = true
	if v, err = verify(t, b, Keyring{local}, o); err != nil || !v.Local {
		t.Errorf("local key: %+v, %v", v, err)
	}
}

func TestStandingInTime(t *testing.T) {
	b := build(t, small())
	p, err := OpenReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	is := func(what uint8, d abi.Digest) func(uint8, abi.Digest, []abi.Digest) (string, bool) {
		return func(w uint8, x abi.Digest, signers []abi.Digest) (string, bool) {
			return "by test", w == what && x == d && slices.Contains(signers, alice.id())
		}
	}
	m := p.Manifest()
	for _, tc := range []struct {
		name string
		o    VerifyOptions
		code abi.Code
	}{
		{"one second before it expires", VerifyOptions{Now: time.Unix(m.Expires-1, 999)}, ""},
		{"expired this second", VerifyOptions{Now: time.Unix(m.Expires, 0)}, abi.CodePkgExpired},
		{"by a clock before it was issued", VerifyOptions{Now: time.Unix(m.Issued-1, 0)}, ""},
		{"long after, by a clock that is late", VerifyOptions{Now: time.Unix(1, 0)}, ""},
		{"same serial", VerifyOptions{Now: now, MinSerial: 5}, ""},
		{"same serial, same package", VerifyOptions{Now: now, MinSerial: 5, Installed: p.Digest()}, ""},
		{"same serial, another package", VerifyOptions{Now: now, MinSerial: 5, Installed: abi.Digest{1}}, abi.CodePkgDowngrade},
		{"higher serial, another package", VerifyOptions{Now: now, MinSerial: 4, Installed: abi.Digest{1}}, ""},
		{"downgraded", VerifyOptions{Now: now, MinSerial: 6}, abi.CodePkgDowngrade},
		{"package revoked", VerifyOptions{Now: now, Revoked: is(abi.RevokedPackage, p.Digest())}, abi.CodePkgRevoked},
		{"module revoked", VerifyOptions{Now: now, Revoked: is(abi.RevokedModule, ModuleDigest(module))}, abi.CodePkgRevoked},
		{"key revoked", VerifyOptions{Now: now, Revoked: is(abi.RevokedKey, alice.id())}, abi.CodePkgUntrusted},
		{"package revoked as a key", VerifyOptions{Now: now, Revoked: is(abi.RevokedKey, p.Digest())}, ""},
		{"another key revoked", VerifyOptions{Now: now, Revoked: is(abi.RevokedKey, bob.id())}, ""},
		{"older runtime", VerifyOptions{Now: now, Runtime: "0.0.9"}, abi.CodePkgNewer},
		{"newer runtime", VerifyOptions{Now: now, Runtime: "0.10.0"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := errorOf(verify(t, b, ring, tc.o))
			if tc.code == "" && err != nil {
				t.Error(err)
			}
			if tc.code != "" {
				refused(t, err, tc.code)
			}
		})
	}
}
