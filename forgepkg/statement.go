package forgepkg

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
)

// MaxStatement bounds a statement's envelope, in bytes.
const MaxStatement = 16 << 20

// Types of statements, as in-toto and DSSE name them.
const (
	statementType  = "https://in-toto.io/Statement/v1"
	payloadType    = "application/vnd.in-toto+json"
	predicateSPDX  = "https://spdx.dev/Document"
	predicateCDX   = "https://cyclonedx.org/bom"
	predicateSLSA  = "https://slsa.dev/provenance/v1"
	subjectModule  = "forgeone_module_v1" // the module's digest, as everywhere else here
	maxSubjectName = 256
)

// Statement says something about a package's module, as an in-toto Statement v1
// in an envelope of DSSE that standard tools verify.
type Statement struct {
	// Role is RoleSBOM or RoleProvenance.
	Role Role
	// Type is the predicate's type, as a URI.
	Type string
	// Payload is the statement, JSON: what was signed.
	Payload []byte
	// Keys are the ids of the keys whose signatures the envelope holds; in
	// Verified, those of publishers that count for the package. They may be none:
	// then the publishers that count have signed the statement's digest only.
	Keys []abi.Digest

	sigs [][]byte
}

// envelope is DSSE's JSON form.
type envelope struct {
	Payload     string          `json:"payload"`
	PayloadType string          `json:"payloadType"`
	Signatures  []dsseSignature `json:"signatures"`
}

type dsseSignature struct {
	KeyID string `json:"keyid"`
	Sig   string `json:"sig"`
}

type statement struct {
	Type          string          `json:"_type"`
	Subject       []subject       `json:"subject"`
	PredicateType string          `json:"predicateType"`
	Predicate     json.RawMessage `json:"predicate"`
}

type subject struct {
	Name   string        `json:"name"`
	Digest subjectDigest `json:"digest"`
}

// subjectDigest is a DigestSet of in-toto; its names ascend.
type subjectDigest struct {
	Module string `json:"forgeone_module_v1"`
	SHA256 string `json:"sha256"`
}

// compactJSON encodes v without white space, one way only.
func compactJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// predicateOf tells the type of a document to be attached in a role.
func predicateOf(role Role, doc []byte) (string, *abi.Error) {
	bad := func(what string, args ...any) (string, *abi.Error) {
		return "", fault(abi.CodePkgPredicate, "", what, args...)
	}
	var d struct {
		Statement       string          `json:"_type"`
		BOM             string          `json:"bomFormat"`
		SPDX            string          `json:"spdxVersion"`
		Context         json.RawMessage `json:"@context"`
		BuildDefinition json.RawMessage `json:"buildDefinition"`
		RunDetails      json.RawMessage `json:"runDetails"`
	}
	if err := json.Unmarshal(doc, &d); err != nil {
		return "", because(fault(abi.CodePkgPredicate, "", "it is no JSON object of this kind"), err)
	}
	switch {
	case d.Statement != "":
		return bad("it is a whole statement: give its predicate alone, the statement is made here")
	case role == RoleSBOM && d.BOM == "CycloneDX":
		return predicateCDX, nil
	case role == RoleSBOM && (strings.HasPrefix(d.SPDX, "SPDX-") || bytes.Contains(d.Context, []byte("spdx.org/rdf/"))):
		return predicateSPDX, nil
	case role == RoleSBOM:
		return bad("it is neither an SPDX nor a CycloneDX document: no \"spdxVersion\", no \"bomFormat\"")
	case isObject(d.BuildDefinition) && isObject(d.RunDetails):
		return predicateSLSA, nil
	}
	return bad("it is no SLSA provenance v1: \"buildDefinition\" and \"runDetails\" are wanted")
}

func isObject(b json.RawMessage) bool { return len(b) > 0 && b[0] == '{' }

// makeStatement returns the envelope that attaches doc to a module.
func makeStatement(role Role, doc []byte, m *Manifest, module []byte, signers []Signer) ([]byte, error) {
	at := func(e *abi.Error) error { e.Where = string(role); return e }
	predicate, e := predicateOf(role, doc)
	if e != nil {
		return nil, at(e)
	}
	sum, id := seal.SHA256(module), ModuleDigest(module)
	payload, err := compactJSON(statement{
		Type: statementType, PredicateType: predicate, Predicate: doc,
		Subject: []subject{{Name: m.Name + "-" + m.Version + ".wasm", Digest: subjectDigest{id.Hex(), hex.EncodeToString(sum[:])}}},
	})
	if err != nil {
		return nil, at(because(fault(abi.CodePkgPredicate, "", "it can't be encoded"), err))
	}
	env := envelope{Payload: base64.StdEncoding.EncodeToString(payload), PayloadType: payloadType}
	signed := paeOf(payloadType, payload)
	for _, s := range signers {
		if s.alg() != Ed25519 {
			continue // no DSSE tool verifies ML-DSA; the manifest's signature covers the envelope
		}
		sig, err := s.Sign("", signed)
		if err != nil {
			return nil, at(because(fault(abi.CodePkgInput, "", "key %s could not sign", s.ID().Short()), err))
		}
		env.Signatures = append(env.Signatures, dsseSignature{s.ID().Hex(), base64.StdEncoding.EncodeToString(sig)})
	}
	if len(env.Signatures) == 0 {
		return nil, at(fault(abi.CodePkgInput, "", "a statement is signed with an Ed25519 key, and none signs this package"))
	}
	slices.SortFunc(env.Signatures, func(a, b dsseSignature) int { return strings.Compare(a.KeyID, b.KeyID) })
	b, err := compactJSON(env)
	if err != nil {
		return nil, at(because(fault(abi.CodePkgInput, "", "the envelope can't be encoded"), err))
	}
	if len(b) > MaxStatement {
		return nil, at(fault(abi.CodePkgLimit, "", "statement of %d bytes: at most %d are allowed", len(b), MaxStatement))
	}
	return b, nil
}

// parseStatement reads an envelope: the one encoding that makeStatement makes.
func parseStatement(role Role, b []byte) (*Statement, *statement, *abi.Error) {
	bad := func(what string, args ...any) (*Statement, *statement, *abi.Error) {
		return nil, nil, fault(abi.CodePkgStatement, "", what, args...)
	}
	var env envelope
	if err := strictJSON(b, &env); err != nil {
		return nil, nil, because(fault(abi.CodePkgStatement, "", "%s: its envelope can't be read", role), err)
	}
	payload, err := base64.StdEncoding.Strict().DecodeString(env.Payload)
	if err != nil || env.PayloadType != payloadType {
		return bad("%s: its envelope holds no in-toto statement", role)
	}
	s := &Statement{Role: role, Payload: payload}
	if len(env.Signatures) == 0 || len(env.Signatures) > maxSigners || !ascending(env.Signatures, func(a, b dsseSignature) int { return strings.Compare(a.KeyID, b.KeyID) }) {
		return bad("%s: its signatures are not ascending, unique and 1 to %d", role, maxSigners)
	}
	for _, g := range env.Signatures {
		id, err := hex.DecodeString(g.KeyID)
		sig, err2 := base64.StdEncoding.Strict().DecodeString(g.Sig)
		if err != nil || err2 != nil || len(id) != 32 || len(sig) != 64 {
			return bad("%s: a signature is malformed", role)
		}
		s.Keys, s.sigs = append(s.Keys, abi.Digest(id)), append(s.sigs, sig)
	}
	var st statement
	if err := strictJSON(payload, &st); err != nil {
		return nil, nil, because(fault(abi.CodePkgStatement, "", "%s: it can't be read", role), err)
	}
	if st.Type != statementType || len(st.Subject) != 1 || !validText(st.Subject[0].Name, maxSubjectName) {
		return bad("%s: it is no in-toto Statement v1 about one module", role)
	}
	if want, e := predicateOf(role, st.Predicate); e != nil || want != st.PredicateType {
		return bad("%s: its predicate is not of the type %q that it says", role, clip(st.PredicateType))
	}
	s.Type = st.PredicateType
	return s, &st, nil
}

// strictJSON reads the one compact encoding of v: no unknown or doubled fields,
// no other order, no white space.
func strictJSON(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	again, err := compactJSON(v)
	if err != nil {
		return err
	}
	if !bytes.Equal(again, b) {
		return fmt.Errorf("it is not the one encoding of what it says")
	}
	return nil
}

// checkStatement verifies the statement in blob i: it is about the package's
// module, signed by keys that sign the package, and rightly by each of those
// that counts here.
func (p *Package) checkStatement(i int, v *Verified, module [32]byte) error {
	b, err := p.load(i)
	if err != nil {
		return err
	}
	role := p.manifest.Blobs[i].Role
	s, st, e := parseStatement(role, b)
	if e != nil {
		e.Where = p.blobPlace(i)
		return e
	}
	bad := func(what string, args ...any) error {
		return fault(abi.CodePkgStatement, p.blobPlace(i), string(role)+": "+what, args...)
	}
	if d := st.Subject[0].Digest; d.Module != v.ModuleID.Hex() || d.SHA256 != hex.EncodeToString(module[:]) {
		return bad("it is about another module")
	}
	signed := paeOf(payloadType, s.Payload)
	var good []abi.Digest
	for n, id := range s.Keys {
		if !slices.Contains(p.manifest.Signers, id) {
			return bad("key %s, which signed it, has not signed the package", id.Short())
		}
		for _, k := range v.Keys {
			if k.ID != id {
				continue
			}
			if k.Alg != Ed25519 || !seal.PublicKey(k.Public).VerifyRaw(signed, s.sigs[n]) {
				return bad("the signature by %q does not match it", k.Name)
			}
			good = append(good, id)
		}
	}
	s.Keys = good
	v.Statements = append(v.Statements, *s)
	return nil
}

// Statement returns the unverified statement of that role, nil if the package
// has none. It is compared with the manifest's digest, which nobody may have signed.
func (p *Package) Statement(role Role) (*Statement, error) {
	for i, b := range p.manifest.Blobs {
		if b.Role != role || b.Role == RoleModule || b.Role == RoleAssets {
			continue
		}
		raw, err := p.load(i)
		if err != nil {
			return nil, p.at(err)
		}
		s, _, e := parseStatement(role, raw)
		if e != nil {
			e.Where = p.blobPlace(i)
			return nil, p.at(e)
		}
		return s, nil
	}
	return nil, nil
}

// UnverifiedModule returns the module, compared with the manifest's digest,
// which nobody may have signed.
func (p *Package) UnverifiedModule() ([]byte, error) {
	b, err := p.load(0)
	return b, p.at(err)
}

// moduleSHA256 hashes the module once more, as statements name it.
func (p *Package) moduleSHA256() (sum [32]byte, err error) {
	r, h := p.blob(0)
	s := seal.NewSHA256()
	if _, err := io.Copy(io.MultiWriter(h, s), r); err != nil {
		return sum, readFault(err, "blob module", p.offsets[0])
	}
	if h.Digest() != p.manifest.Module().Digest {
		return sum, p.blobFault(0)
	}
	s.Sum(sum[:0])
	return sum, nil
}
