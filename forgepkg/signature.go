package forgepkg

import (
	"cmp"
	"slices"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/codec"
	"github.com/forgeone/forgeone/internal/seal"
)

// Algorithms that packages are signed with.
const (
	Ed25519 = seal.Ed25519
	MLDSA44 = seal.MLDSA44 // ML-DSA-44, FIPS 204
)

// Signature is one signature of a package, unverified.
type Signature struct {
	_ struct{} `cbor:",toarray"`
	// Alg is the algorithm: "ed25519" or "mldsa44".
	Alg string
	// Key is the signer's key id: SHA3-256 in the domain forgeone/key-id/v1
	// over the algorithm's name, a zero byte and the public key.
	Key abi.Digest
	// Sig is the signature over the 32 bytes of SHA3-256 in the domain
	// forgeone/pkg/v1 over the DSSE encoding of MediaType and manifest: 64 bytes
	// for Ed25519, 2420 for ML-DSA-44, which has the domain as its context.
	Sig []byte
}

func compareSignatures(a, b Signature) int {
	return cmp.Or(cmp.Compare(a.Alg, b.Alg), compareDigests(a.Key, b.Key))
}

// Signer signs packages. The private key may be anywhere, in a hardware token say.
type Signer struct {
	// Alg is the key's algorithm; empty: Ed25519.
	Alg string
	// Public is the public key: 32 bytes for Ed25519, 1312 for ML-DSA-44.
	Public []byte
	// Sign returns the signature of exactly msg: pure Ed25519 (RFC 8032), which
	// has no context, or pure ML-DSA-44 (FIPS 204) with this context.
	Sign func(context string, msg []byte) ([]byte, error)
}

func (s Signer) alg() string {
	if s.Alg == "" {
		return Ed25519
	}
	return s.Alg
}

// ID returns the id of the signer's key.
func (s Signer) ID() abi.Digest { return KeyID(s.alg(), s.Public) }

// SignerOf makes a Signer of an Ed25519 key that signs raw messages.
func SignerOf[P ~[]byte](k interface {
	Public() P
	SignRaw(msg []byte) []byte
},
) Signer {
	return Signer{Public: []byte(k.Public()), Sign: func(_ string, msg []byte) ([]byte, error) { return k.SignRaw(msg), nil }}
}

// PostSignerOf makes a Signer of an ML-DSA-44 key that signs raw messages in a context.
func PostSignerOf[P ~[]byte](k interface {
	Public() P
	SignContext(context string, msg []byte) []byte
},
) Signer {
	return Signer{Alg: MLDSA44, Public: []byte(k.Public()), Sign: func(context string, msg []byte) ([]byte, error) { return k.SignContext(context, msg), nil }}
}

// KeyID returns the id of a public key of the algorithm.
func KeyID(alg string, public []byte) abi.Digest { return seal.KeyID(alg, public) }

// sign makes s's signature of a manifest and checks it.
func (s Signer) sign(manifest []byte) (Signature, error) { return s.signIn(domainSign, pae(manifest)) }

// signIn makes s's signature of a message in a domain and checks it.
func (s Signer) signIn(domain string, signed []byte) (Signature, error) {
	digest := seal.Sum(domain, signed)
	sig, err := s.Sign(domain, digest[:])
	if err != nil {
		return Signature{}, because(fault(abi.CodePkgInput, "", "key %s could not sign", s.ID().Short()), err)
	}
	if !seal.VerifyAs(s.alg(), s.Public, domain, signed, sig) {
		return Signature{}, fault(abi.CodePkgInput, "", "key %s made a signature that its public key does not verify", s.ID().Short())
	}
	return Signature{Alg: s.alg(), Key: s.ID(), Sig: sig}, nil
}

// encodeSignatures sorts sigs in place and returns the section's bytes.
func encodeSignatures(sigs []Signature) ([]byte, error) {
	slices.SortFunc(sigs, compareSignatures)
	b, err := codec.Marshal(sigs)
	if err != nil {
		return nil, because(fault(abi.CodePkgInput, "", "signatures can't be encoded"), err)
	}
	return b, nil
}

// decodeSignatures reads the signatures section, which begins at byte at: canonical,
// sorted, unique, each by a key that the manifest announces.
func decodeSignatures(b []byte, at int64, announced []abi.Digest) ([]Signature, error) {
	var sigs []Signature
	bad := func(what string, args ...any) *abi.Error {
		return fault(abi.CodePkgSignatures, section("signatures", at), what, args...)
	}
	if err := codec.Unmarshal(b, &sigs); err != nil {
		return nil, because(bad("signatures can't be read"), err)
	}
	if sigs == nil || len(sigs) > maxSigners {
		return nil, bad("%d signatures: at most %d are allowed", len(sigs), maxSigners)
	}
	if !ascending(sigs, compareSignatures) {
		return nil, bad("signatures are not in ascending order and unique")
	}
	for i, s := range sigs {
		switch _, ok := slices.BinarySearchFunc(announced, s.Key, compareDigests); {
		case seal.SignatureSize(s.Alg) == 0:
			return nil, bad("signature %d has the unknown algorithm %q", i, clip(s.Alg))
		case len(s.Sig) != seal.SignatureSize(s.Alg):
			return nil, bad("signature %d has %d bytes, %s has %d", i, len(s.Sig), s.Alg, seal.SignatureSize(s.Alg))
		case !ok:
			return nil, bad("signature %d is by key %s, which the manifest does not name", i, s.Key.Short())
		}
	}
	return sigs, nil
}
