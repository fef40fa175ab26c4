package forgepkg

import (
	"cmp"
	"slices"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/codec"
	"github.com/forgeone/forgeone/internal/seal"
)

// Ed25519 is the one algorithm that packages are signed with so far.
const Ed25519 = seal.Ed25519

// Signature is one signature of a package, unverified.
type Signature struct {
	_ struct{} `cbor:",toarray"`
	// Alg is the algorithm: "ed25519".
	Alg string
	// Key is the signer's key id: SHA3-256 in the domain forgeone/key-id/v1
	// over the algorithm's name, a zero byte and the public key.
	Key abi.Digest
	// Sig is the signature: for Ed25519 64 bytes over the 32 bytes of SHA3-256
	// in the domain forgeone/pkg/v1 over the DSSE encoding of MediaType and manifest.
	Sig []byte
}

func compareSignatures(a, b Signature) int {
	return cmp.Or(cmp.Compare(a.Alg, b.Alg), compareDigests(a.Key, b.Key))
}

// Signer signs packages. The private key may be anywhere, in a hardware token say.
type Signer struct {
	// Public is the Ed25519 public key, 32 bytes.
	Public []byte
	// Sign returns the Ed25519 signature (RFC 8032, pure) of exactly msg.
	Sign func(msg []byte) ([]byte, error)
}

// SignerOf makes a Signer of a key that signs raw messages.
func SignerOf[P ~[]byte](k interface {
	Public() P
	SignRaw(msg []byte) []byte
},
) Signer {
	return Signer{Public: []byte(k.Public()), Sign: func(msg []byte) ([]byte, error) { return k.SignRaw(msg), nil }}
}

// KeyID returns the id of an Ed25519 public key of 32 bytes.
func KeyID(public []byte) abi.Digest { return seal.PublicKey(public).ID() }

// sign makes s's signature of a manifest and checks it.
func (s Signer) sign(manifest []byte) (Signature, error) {
	digest := seal.Sum(domainSign, pae(manifest))
	sig, err := s.Sign(digest[:])
	if err != nil {
		return Signature{}, because(fault(abi.CodePkgInput, "", "key %s could not sign", KeyID(s.Public).Short()), err)
	}
	if !seal.PublicKey(s.Public).VerifyRaw(digest[:], sig) {
		return Signature{}, fault(abi.CodePkgInput, "", "key %s made a signature that its public key does not verify", KeyID(s.Public).Short())
	}
	return Signature{Alg: Ed25519, Key: KeyID(s.Public), Sig: sig}, nil
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
		case s.Alg != Ed25519:
			return nil, bad("signature %d has the unknown algorithm %q", i, clip(s.Alg))
		case len(s.Sig) != 64:
			return nil, bad("signature %d has %d bytes, not 64", i, len(s.Sig))
		case !ok:
			return nil, bad("signature %d is by key %s, which the manifest does not name", i, s.Key.Short())
		}
	}
	return sigs, nil
}
