package forgepkg

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/codec"
	"github.com/forgeone/forgeone/internal/seal"
)

// RevocationMagic begins every revocation list.
const RevocationMagic = "FORGERV1"

// Limits of a revocation list.
const (
	MaxRevoked     = 100_000 // entries
	MaxRevocations = revHeader + maxRevHead + maxRevSigs + MaxRevoked*maxRevEntry
	maxReason      = 128      // bytes
	maxRevHead     = 32 << 10 // 400 parts take 14 KiB
	maxRevSigs     = 8 << 10
	maxRevEntry    = 192 // encoded, bytes, with its share of a part's length
	revPart        = 256 // entries of a part: it fits a record of the evidence log
	revHeader      = 16
)

const domainRevocations = "forgeone/revocations/v1"

// RevocationHead is what the issuer of a revocation list signs.
type RevocationHead struct {
	// Format is 1.
	Format uint8 `cbor:"1,keyasint" json:"format"`
	// Issuer is the id of the key that signs: of a pair, the Ed25519 key's.
	Issuer abi.Digest `cbor:"2,keyasint" json:"-"`
	// Serial orders an issuer's lists: from 1, rising.
	Serial uint64 `cbor:"3,keyasint" json:"serial"`
	// Issued is the time of making in Unix seconds.
	Issued int64 `cbor:"4,keyasint" json:"issued"`
	// Count is the number of entries, 1 to MaxRevoked.
	Count uint32 `cbor:"5,keyasint" json:"count"`
	// Parts are the SHA3-256, in the domain forgeone/revocations-part/v1, of the
	// parts: 256 entries each, the last one what is left.
	Parts []abi.Digest `cbor:"6,keyasint" json:"-"`
}

// Revocations is a revocation list, well-formed and otherwise unverified.
type Revocations struct {
	RevocationHead
	// List is the list's digest: SHA3-256 in the domain forgeone/revocations/v1
	// over its head, which commits to every entry. It is what is signed.
	List abi.Digest
	// Head and Sigs are the sections as they stand in the file.
	Head, Sigs []byte
	// Entries, ascending by what and digest, unique.
	Entries []abi.Revoked
}

func revFault(what string, args ...any) *abi.Error { return fault(abi.CodeRevList, "", what, args...) }

// MakeRevocations returns the file of a list with these entries, in any order,
// that the signers sign: one key, or both of a pair, the Ed25519 key first.
func MakeRevocations(serial uint64, issued int64, entries []abi.Revoked, signers ...Signer) ([]byte, error) {
	if len(signers) == 0 || len(signers) > 2 || len(signers) == 2 && (signers[0].alg() != Ed25519 || signers[1].alg() != MLDSA44) {
		return nil, fault(abi.CodeRevInput, "", "a list is signed by one key, or by an Ed25519 key and the ML-DSA-44 key of its pair")
	}
	entries = slices.Clone(entries)
	slices.SortFunc(entries, compareRevoked)
	h := RevocationHead{Format: formatVersion, Issuer: signers[0].ID(), Serial: serial, Issued: issued, Count: uint32(min(len(entries), MaxRevoked+1))}
	var parts [][]byte
	for part := range slices.Chunk(entries, revPart) {
		if e := checkEntries(part); e != nil {
			e.Code = abi.CodeRevInput
			return nil, e
		}
		b, err := codec.Marshal(part)
		if err != nil {
			return nil, because(fault(abi.CodeRevInput, "", "entries can't be encoded"), err)
		}
		parts = append(parts, binary.BigEndian.AppendUint32(nil, uint32(len(b))), b)
		h.Parts = append(h.Parts, partDigest(b))
	}
	if !ascending(entries, compareRevoked) {
		return nil, fault(abi.CodeRevInput, "", "one thing is named twice")
	}
	if e := h.check(); e != nil {
		e.Code = abi.CodeRevInput
		return nil, e
	}
	head, err := codec.Marshal(&h)
	if err != nil {
		return nil, because(fault(abi.CodeRevInput, "", "list can't be encoded"), err)
	}
	var sigs []Signature
	for _, s := range signers {
		sig, err := s.signIn(domainRevocations, head)
		if err != nil {
			return nil, err
		}
		sigs = append(sigs, sig)
	}
	sb, err := encodeSignatures(sigs)
	if err != nil {
		return nil, err
	}
	b := binary.BigEndian.AppendUint32([]byte(RevocationMagic), uint32(len(head)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(sb)))
	return append(append(append(b, head...), sb...), slices.Concat(parts...)...), nil
}

// ParseRevocations reads the file of a list: well-formed and whole, every part
// as the head says. Who signed it is for Verify.
func ParseRevocations(b []byte) (*Revocations, error) {
	if len(b) < revHeader || string(b[:len(RevocationMagic)]) != RevocationMagic {
		return nil, revFault("it does not begin with %q", RevocationMagic)
	}
	n, m := binary.BigEndian.Uint32(b[8:]), binary.BigEndian.Uint32(b[12:])
	if n == 0 || n > maxRevHead || m == 0 || m > maxRevSigs || uint64(len(b)) < revHeader+uint64(n)+uint64(m) || len(b) > MaxRevocations {
		return nil, revFault("a head of %d and signatures of %d bytes don't fit a file of %d", n, m, len(b))
	}
	r := &Revocations{Head: b[revHeader : revHeader+n], Sigs: b[revHeader+n : revHeader+n+m]}
	if err := r.parseHead(); err != nil {
		return nil, err
	}
	rest := b[revHeader+n+m:]
	for i := range r.Parts {
		if len(rest) < 4 || uint64(binary.BigEndian.Uint32(rest)) > uint64(len(rest)-4) {
			return nil, revFault("the file ends in part %d", i)
		}
		size := binary.BigEndian.Uint32(rest)
		entries, err := r.Part(i, rest[4:4+size])
		if err != nil {
			return nil, err
		}
		r.Entries = append(r.Entries, entries...)
		rest = rest[4+size:]
	}
	if len(rest) > 0 {
		return nil, revFault("%d bytes follow the last entry", len(rest))
	}
	if !ascending(r.Entries, compareRevoked) {
		return nil, revFault("entries are not in ascending order and unique")
	}
	return r, nil
}

// ParseRevocationHead reads the sections of a list without its entries.
func ParseRevocationHead(head, sigs []byte) (*Revocations, error) {
	r := &Revocations{Head: head, Sigs: sigs}
	if len(head) > maxRevHead || len(sigs) > maxRevSigs {
		return nil, revFault("a head of %d and signatures of %d bytes", len(head), len(sigs))
	}
	return r, r.parseHead()
}

func (r *Revocations) parseHead() error {
	if err := codec.Unmarshal(r.Head, &r.RevocationHead); err != nil {
		return because(revFault("head can't be read"), err)
	}
	r.List = seal.Sum(domainRevocations, r.Head)
	if e := r.check(); e != nil {
		return e
	}
	return nil
}

// check tells whether every field is as documented.
func (h *RevocationHead) check() *abi.Error {
	switch {
	case h.Format != formatVersion:
		return fault(abi.CodeRevNewer, "", "list of format %d: this release reads format %d", h.Format, formatVersion)
	case h.Serial == 0:
		return revFault("serial is 0: serials begin at 1")
	case h.Issued < 0:
		return revFault("issued %d lies before 1970", h.Issued)
	case h.Count == 0 || h.Count > MaxRevoked:
		return revFault("%d entries: 1 to %d are allowed", h.Count, MaxRevoked)
	case len(h.Parts) != (int(h.Count)+revPart-1)/revPart:
		return revFault("%d entries are not in %d parts", h.Count, len(h.Parts))
	}
	return nil
}

func partDigest(b []byte) abi.Digest { return seal.Sum("forgeone/revocations-part/v1", b) }

// Part reads part i of the list: exactly as the head says, in order.
func (h *RevocationHead) Part(i int, b []byte) ([]abi.Revoked, error) {
	if i < 0 || i >= len(h.Parts) || len(b) > revPart*maxRevEntry || partDigest(b) != h.Parts[i] {
		return nil, revFault("part %d is not the one that was signed", i)
	}
	var entries []abi.Revoked
	if err := codec.Unmarshal(b, &entries); err != nil {
		return nil, because(revFault("part %d can't be read", i), err)
	}
	if want := min(revPart, int(h.Count)-i*revPart); len(entries) != want {
		return nil, revFault("part %d has %d entries, not %d", i, len(entries), want)
	}
	if e := checkEntries(entries); e != nil {
		return nil, e
	}
	return entries, nil
}

// PartOf returns the entries of part i of a list that was parsed.
func (r *Revocations) PartOf(i int) []abi.Revoked {
	return r.Entries[i*revPart : min((i+1)*revPart, len(r.Entries))]
}

// EncodePart returns the bytes of a part with these entries.
func EncodePart(entries []abi.Revoked) ([]byte, error) { return codec.Marshal(entries) }

func checkEntries(entries []abi.Revoked) *abi.Error {
	for _, e := range entries {
		switch {
		case e.What < abi.RevokedPackage || e.What > abi.RevokedKey:
			return revFault("there is nothing to revoke of kind %d", e.What)
		case e.Digest.IsZero():
			return revFault("an entry names nothing")
		case !validText(e.Reason, maxReason):
			return revFault("reason %q is not printable text of at most %d bytes", clip(e.Reason), maxReason)
		}
	}
	if !ascending(entries, compareRevoked) {
		return revFault("entries are not in ascending order and unique")
	}
	return nil
}

func compareRevoked(a, b abi.Revoked) int {
	return cmp.Or(cmp.Compare(a.What, b.What), compareDigests(a.Digest, b.Digest))
}

// Verify tells whether entry k of a keyring, key or pair, signed the list.
func (r *Revocations) Verify(k abi.KeyAdd) error {
	var sigs []Signature
	if err := codec.Unmarshal(r.Sigs, &sigs); err != nil {
		return because(revFault("signatures can't be read"), err)
	}
	if len(sigs) > 2 || !ascending(sigs, compareSignatures) {
		return revFault("signatures are not in ascending order, unique and at most 2")
	}
	signed := func(alg string, public []byte) bool {
		return slices.ContainsFunc(sigs, func(s Signature) bool {
			return s.Alg == alg && s.Key == KeyID(alg, public) && seal.VerifyAs(alg, public, domainRevocations, r.Head, s.Sig)
		})
	}
	if k.ID != r.Issuer || !signed(k.Alg, k.Public) || len(k.Post) > 0 && !signed(MLDSA44, k.Post) {
		return fault(abi.CodeRevSignature, "", "%q (key %s) has not signed this list as it is", k.Name, k.ID.Short())
	}
	return nil
}
