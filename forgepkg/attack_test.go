package forgepkg

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
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
			in.Signers, in.Cosigners = []Signer{mallory.signer()}, [][]byte{alice.Public()}
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
	is := func(d abi.Digest) func(abi.Digest) bool { return func(x abi.Digest) bool { return x == d } }
	m := p.Manifest()
	for _, tc := range []struct {
		name string
		o    VerifyOptions
		code abi.Code
	}{
		{"one second before it expires", VerifyOptions{Now: time.Unix(m.Expires-1, 999)}, ""},
		{"expired this second", VerifyOptions{Now: time.Unix(m.Expires, 0)}, abi.CodePkgExpired},
		{"same serial", VerifyOptions{Now: now, MinSerial: 5}, ""},
		{"same serial, same package", VerifyOptions{Now: now, MinSerial: 5, Installed: p.Digest()}, ""},
		{"same serial, another package", VerifyOptions{Now: now, MinSerial: 5, Installed: abi.Digest{1}}, abi.CodePkgDowngrade},
		{"higher serial, another package", VerifyOptions{Now: now, MinSerial: 4, Installed: abi.Digest{1}}, ""},
		{"downgraded", VerifyOptions{Now: now, MinSerial: 6}, abi.CodePkgDowngrade},
		{"package revoked", VerifyOptions{Now: now, Revoked: is(p.Digest())}, abi.CodePkgRevoked},
		{"module revoked", VerifyOptions{Now: now, Revoked: is(ModuleDigest(module))}, abi.CodePkgRevoked},
		{"key revoked", VerifyOptions{Now: now, Revoked: is(alice.id())}, abi.CodePkgUntrusted},
		{"another key revoked", VerifyOptions{Now: now, Revoked: is(bob.id())}, ""},
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

// TestManifestAttacks are manifests that a trusted publisher signed, wrong in
// themselves: form is checked before trust.
func TestManifestAttacks(t *testing.T) {
	change := func(f func(ps *parts)) func(t *testing.T) []byte {
		return func(t *testing.T) []byte {
			ps := take(t, small())
			f(ps)
			return ps.sign(t, alice).bytes(t)
		}
	}
	canonical := mustMarshal(t, &take(t, small()).m)
	raw := func(b []byte) func(t *testing.T) []byte {
		return change(func(ps *parts) { ps.manifest = b })
	}
	for _, tc := range []struct {
		name string
		make func(t *testing.T) []byte
		code abi.Code
	}{
		{"trailing byte", raw(append(bytes.Clone(canonical), 0)), abi.CodePkgManifest},
		{"missing byte", raw(canonical[:len(canonical)-1]), abi.CodePkgManifest},
		{"long form of a number", raw(bytes.Replace(canonical, []byte{0x01, 0x01, 0x02}, []byte{0x01, 0x18, 0x01, 0x02}, 1)), abi.CodePkgManifest},
		{"indefinite length", raw(append(append([]byte{0xbf}, canonical[1:]...), 0xff)), abi.CodePkgManifest},
		{"field twice", raw(append(append([]byte{canonical[0] + 1}, canonical[1:3]...), canonical[1:]...)), abi.CodePkgManifest},
		{"unknown field", raw(append(append([]byte{canonical[0] + 1}, canonical[1:]...), 0x18, 0x63, 0x00)), abi.CodePkgManifest},
		{"not a map", raw([]byte{0x01}), abi.CodePkgManifest},
		{"length beyond the end", raw([]byte{0xa1, 0x02, 0x7b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}), abi.CodePkgManifest},
		{"array of 2^32", raw([]byte{0xa1, 0x08, 0x9a, 0xff, 0xff, 0xff, 0xff}), abi.CodePkgManifest},
		{"deep nesting", raw(bytes.Repeat([]byte{0x81}, 5000)), abi.CodePkgManifest},
		{"newer format", change(func(ps *parts) { ps.m.Format = 2 }), abi.CodePkgNewer},
		{"name of a path", change(func(ps *parts) { ps.m.Name = "../hello" }), abi.CodePkgManifest},
		{"imports not sorted", change(func(ps *parts) { slices.Reverse(ps.m.Imports) }), abi.CodePkgManifest},
		{"imports doubled", change(func(ps *parts) { ps.m.Imports = []string{"a.b", "a.b"} }), abi.CodePkgManifest},
		{"empty import", change(func(ps *parts) { ps.m.Imports = []string{""} }), abi.CodePkgManifest},
		{"mount of the root", change(func(ps *parts) { ps.m.Mounts = []Mount{{Guest: "/"}} }), abi.CodePkgManifest},
		{"signers not sorted", change(func(ps *parts) { ps.m.Signers = []abi.Digest{{2}, {1}} }), abi.CodePkgManifest},
		{"no blobs", change(func(ps *parts) { ps.m.Blobs, ps.blobs = []Blob{}, nil }), abi.CodePkgHeader},
		{"roles swapped", change(func(ps *parts) {
			ps.m.Blobs[0].Role, ps.m.Blobs[1].Role = ps.m.Blobs[1].Role, ps.m.Blobs[0].Role
		}), abi.CodePkgManifest},
		{"blobs and roles swapped", change(func(ps *parts) { slices.Reverse(ps.m.Blobs); slices.Reverse(ps.blobs) }), abi.CodePkgManifest},
		{"two modules", change(func(ps *parts) { ps.m.Blobs[1].Role = RoleModule }), abi.CodePkgManifest},
		{"two archives", change(func(ps *parts) {
			ps.m.Blobs = append(ps.m.Blobs, ps.m.Blobs[1])
			ps.blobs = append(ps.blobs, ps.blobs[1])
		}), abi.CodePkgManifest},
		{"policy, which is not applied", change(func(ps *parts) { ps.m.Blobs[1].Role = rolePolicy }), abi.CodePkgNewer},
		{"unknown role", change(func(ps *parts) { ps.m.Blobs[1].Role = "hook" }), abi.CodePkgNewer},
		{"lengths that overflow", change(func(ps *parts) { ps.m.Blobs[0].Length = 1<<64 - 1 }), abi.CodePkgLimit},
		{"assets of 2 GiB", change(func(ps *parts) { ps.m.Blobs[1].Length = 2 << 30 }), abi.CodePkgLimit},
		{"empty module", change(func(ps *parts) { ps.m.Blobs[0].Length = 0 }), abi.CodePkgLimit},
		{"longer than the file", change(func(ps *parts) { ps.m.Blobs[1].Length++ }), abi.CodePkgSize},
		{"shorter than the file", change(func(ps *parts) { ps.m.Blobs[1].Length-- }), abi.CodePkgSize},
		{"a byte moved from one blob to the next", change(func(ps *parts) { ps.m.Blobs[0].Length--; ps.m.Blobs[1].Length++ }), abi.CodePkgBlob},
		{"module's digest wrong", change(func(ps *parts) { ps.m.Blobs[0].Digest[0] ^= 1 }), abi.CodePkgBlob},
		{"assets' digest wrong", change(func(ps *parts) { ps.m.Blobs[1].Digest[0] ^= 1 }), abi.CodePkgBlob},
		{"digest of another role", change(func(ps *parts) { ps.m.Blobs[1].Digest = seal.Sum(domainModule, ps.blobs[1]) }), abi.CodePkgBlob},
	} {
		t.Run(tc.name, func(t *testing.T) {
			refused(t, errorOf(verify(t, tc.make(t), ring, VerifyOptions{Now: now})), tc.code)
		})
	}
}

// TestOversizedCounts: what a header, a manifest or an archive claims is
// compared with limits and with the file before memory is taken for it.
func TestOversizedCounts(t *testing.T) {
	good := build(t, small())
	for name, tc := range map[string]struct {
		at   int
		to   []byte
		code abi.Code
	}{
		"manifest":            {8, []byte{0xff, 0xff, 0xff, 0xff}, abi.CodePkgHeader},
		"manifest at limit":   {8, []byte{0, 4, 0, 0}, abi.CodePkgSize},
		"manifest over limit": {8, []byte{0, 4, 0, 1}, abi.CodePkgHeader},
		"signatures":          {12, []byte{0xff, 0xff, 0xff, 0xff}, abi.CodePkgHeader},
		"blobs":               {16, []byte{0xff, 0xff}, abi.CodePkgHeader},
		"blobs, allowed":      {16, []byte{0, 64}, abi.CodePkgManifest},
		"reserved":            {18, []byte{0, 1}, abi.CodePkgHeader},
	} {
		b := bytes.Clone(good)
		copy(b[tc.at:], tc.to)
		allocs := testing.AllocsPerRun(1, func() { refused(t, errorOf(OpenReader(bytes.NewReader(b), int64(len(b)))), tc.code) })
		if allocs > 500 {
			t.Errorf("%s: %v allocations", name, allocs)
		}
	}
	// A short file that claims to be huge: nothing of that size is allocated.
	refused(t, errorOf(OpenReader(bytes.NewReader(good), 1<<62)), abi.CodePkgSize)
	refused(t, errorOf(OpenReader(bytes.NewReader(nil), 1<<62)), abi.CodePkgSize)
	refused(t, errorOf(OpenReader(bytes.NewReader(nil), 0)), abi.CodePkgHeader)
	refused(t, errorOf(OpenReader(bytes.NewReader(nil), -1)), abi.CodePkgHeader)
}

// archive writes an archive by hand.
func archive(count uint32, index, contents string) []byte {
	b := append([]byte(archiveMagic), binary.BigEndian.AppendUint32(nil, count)...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(index)))
	return append(append(b, index...), contents...)
}

func entry(name string, length uint64) string {
	b := binary.BigEndian.AppendUint16(nil, uint16(len(name)))
	return string(binary.BigEndian.AppendUint64(append(b, name...), length))
}

func TestArchiveAttacks(t *testing.T) {
	long := strings.Repeat("a/", 600) + "a"
	for _, tc := range []struct {
		name string
		b    []byte
		code abi.Code
	}{
		{"other magic", append([]byte("FORGEAS2"), make([]byte, 8)...), abi.CodePkgAssets},
		{"file missing in the index", archive(2, entry("a", 0)+"123456789", ""), abi.CodePkgAssets},
		{"count beyond the index", archive(2, entry("a", 0), ""), abi.CodePkgAssets},
		{"count below the index", archive(1, entry("a", 0)+entry("b", 0), ""), abi.CodePkgAssets},
		{"count over the limit", archive(MaxFiles+1, "", ""), abi.CodePkgLimit},
		{"index longer than the archive", slices.Concat([]byte(archiveMagic), []byte{0, 0, 0, 0, 0, 0, 1, 0}), abi.CodePkgAssets},
		{"index over the limit", slices.Concat([]byte(archiveMagic), []byte{0, 0, 0, 0, 0xff, 0, 0, 0}), abi.CodePkgLimit},
		{"name beyond the index", archive(1, "\xff\xff12345678", ""), abi.CodePkgAssets},
		{"lengths that overflow", archive(2, entry("a", 1<<63)+entry("b", 1<<63), ""), abi.CodePkgAssets},
		{"lengths that wrap around to the right sum", archive(2, entry("a", 1<<64-1)+entry("b", 2), "x"), abi.CodePkgAssets},
		{"contents too long", archive(1, entry("a", 1), "xy"), abi.CodePkgAssets},
		{"contents too short", archive(1, entry("a", 2), "x"), abi.CodePkgAssets},
		{"contents without files", archive(0, "", "x"), abi.CodePkgAssets},
		{"doubled name", archive(2, entry("a", 0)+entry("a", 0), ""), abi.CodePkgAssets},
		{"not sorted", archive(2, entry("b", 0)+entry("a", 0), ""), abi.CodePkgAssets},
		{"file in a file", archive(3, entry("a", 0)+entry("a-", 0)+entry("a/b/c", 0), ""), abi.CodePkgAssets},
		{"empty name", archive(1, entry("", 0), ""), abi.CodePkgAssets},
		{"..", archive(1, entry("..", 0), ""), abi.CodePkgAssets},
		{"../a", archive(1, entry("../a", 0), ""), abi.CodePkgAssets},
		{"a/../b", archive(1, entry("a/../b", 0), ""), abi.CodePkgAssets},
		{"a/./b", archive(1, entry("a/./b", 0), ""), abi.CodePkgAssets},
		{"absolute", archive(1, entry("/a", 0), ""), abi.CodePkgAssets},
		{"folder", archive(1, entry("a/", 0), ""), abi.CodePkgAssets},
		{"doubled slash", archive(1, entry("a//b", 0), ""), abi.CodePkgAssets},
		{"NUL", archive(1, entry("a\x00", 0), ""), abi.CodePkgAssets},
		{"escape sequence", archive(1, entry("a\x1b[2J", 0), ""), abi.CodePkgAssets},
		{"not UTF-8", archive(1, entry("a\xff", 0), ""), abi.CodePkgAssets},
		{"long name", archive(1, entry(long, 0), ""), abi.CodePkgAssets},
		{"long component", archive(1, entry(strings.Repeat("a", 256), 0), ""), abi.CodePkgAssets},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ps := take(t, small())
			ps.blobs[1] = tc.b
			ps.m.Blobs[1].Length, ps.m.Blobs[1].Digest = uint64(len(tc.b)), seal.Sum(domainAssets, tc.b)
			e := refused(t, errorOf(verify(t, ps.sign(t, alice).bytes(t), ring, VerifyOptions{Now: now})), tc.code)
			if !strings.HasPrefix(e.Where, "blob assets at byte ") {
				t.Errorf("place %q", e.Where)
			}
		})
	}
}

// TestSwapAfterVerify: a file changed between verification and use is found,
// and what was kept is not affected.
func TestSwapAfterVerify(t *testing.T) {
	good := build(t, small())
	path := filepath.Join(t.TempDir(), "p.forgepkg")
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	v, err := p.Verify(ring, VerifyOptions{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	kept, err := p.Verify(ring, VerifyOptions{Now: now, Keep: true})
	if err != nil {
		t.Fatal(err)
	}
	evil := bytes.Clone(good)
	for i := range p.offsets {
		evil[p.offsets[i]+1] ^= 1
	}
	if err := os.WriteFile(path, evil, 0o600); err != nil { // the same inode that p holds open
		t.Fatal(err)
	}
	e := refused(t, errorOf(v.Module()), abi.CodePkgBlob)
	if want := path + ": blob module at byte "; !strings.HasPrefix(e.Where, want) {
		t.Errorf("place %q, want %q", e.Where, want)
	}
	refused(t, errorOf(v.Assets()), abi.CodePkgBlob)
	if m, err := kept.Module(); err != nil || !bytes.Equal(m, module) {
		t.Errorf("kept module %q, %v", m, err)
	}
	if a, err := kept.Assets(); err != nil || string(a["a"]) != "alpha" {
		t.Errorf("kept assets %v, %v", a, err)
	}
	if err := os.Truncate(path, int64(len(good))-1); err != nil {
		t.Fatal(err)
	}
	refused(t, errorOf(v.Assets()), abi.CodePkgSize)
	refused(t, errorOf(p.Verify(ring, VerifyOptions{Now: now})), abi.CodePkgBlob) // the module comes first
}

// brokenReader fails with an I/O error from offset at on.
type brokenReader struct {
	r  io.ReaderAt
	at int64
}

func (b brokenReader) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > b.at {
		return 0, syscall.EIO
	}
	return b.r.ReadAt(p, off)
}

// TestReadErrors: a failing disk is told apart from a damaged package.
func TestReadErrors(t *testing.T) {
	good := build(t, small())
	for at := range int64(len(good)) {
		p, err := OpenReader(brokenReader{bytes.NewReader(good), at}, int64(len(good)))
		if err == nil {
			_, err = p.Verify(ring, VerifyOptions{Now: now, Keep: at%2 == 0})
		}
		if abi.CodeOf(err) != abi.CodePkgRead || !errors.Is(err, syscall.EIO) {
			t.Fatalf("disk fails at byte %d: %v", at, err)
		}
	}
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo") // must not wait for a writer
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, fifo, filepath.Join(dir, "none")} {
		refused(t, errorOf(Open(path)), abi.CodePkgRead)
	}
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte("\x00asm\x01\x00\x00\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, errorOf(Open(text)), abi.CodePkgHeader)
}
