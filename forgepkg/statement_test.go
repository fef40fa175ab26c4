package forgepkg

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
)

const (
	spdx  = `{"spdxVersion":"SPDX-2.3","name":"<hello> & more","packages":[]}`
	cdx   = "{\n  \"bomFormat\": \"CycloneDX\",\n  \"specVersion\": \"1.6\"\n}\n"
	spdx3 = `{"@context":"https://spdx.org/rdf/3.0.1/spdx-context.jsonld","@graph":[]}`
	slsa  = `{"buildDefinition":{"buildType":"https://example.org/make"},"runDetails":{"builder":{"id":"x"}}}`
)

func attested() Input {
	in := small()
	in.SBOM, in.Provenance = []byte(spdx), []byte(slsa)
	return in
}

func TestStatements(t *testing.T) {
	for sbom, want := range map[string]string{spdx: predicateSPDX, cdx: predicateCDX, spdx3: predicateSPDX} {
		in := attested()
		in.SBOM = []byte(sbom)
		in.Signers = []Signer{alice.signer(), bob.signer(), PostSignerOf(post(t, 1)), mallory.signer()}
		b := build(t, in)
		v, err := verify(t, b, ring, VerifyOptions{Now: now})
		if err != nil {
			t.Fatal(err)
		}
		if len(v.Statements) != 2 || v.Statements[0].Type != want || v.Statements[1].Type != predicateSLSA || len(v.Statements[0].Keys) != 2 {
			t.Fatalf("statements %+v", v.Statements)
		}
		p, err := OpenReader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		s, err := p.Statement(RoleSBOM)
		if err != nil {
			t.Fatal(err)
		}
		var st struct {
			Subject []struct {
				Digest map[string]string
			}
			Predicate json.RawMessage
		}
		if err := json.Unmarshal(s.Payload, &st); err != nil {
			t.Fatal(err)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, []byte(sbom)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(st.Predicate, compact.Bytes()) || st.Subject[0].Digest["sha256"] != "93a44bbb96c751218e4c00d479e4c14358122a389acca16205b1e4d0dc5f9476" {
			t.Errorf("payload %s", s.Payload)
		}
	}
	p, err := OpenReader(bytes.NewReader(build(t, small())), int64(len(build(t, small()))))
	if err != nil {
		t.Fatal(err)
	}
	if s, err := p.Statement(RoleSBOM); s != nil || err != nil {
		t.Errorf("a statement out of nothing: %v, %v", s, err)
	}
	for name, change := range map[string]func(in *Input){
		"no JSON":                 func(in *Input) { in.SBOM = []byte("SPDXVersion: SPDX-2.3") },
		"empty":                   func(in *Input) { in.SBOM = []byte{} },
		"two documents":           func(in *Input) { in.SBOM = []byte(spdx + spdx) },
		"an array":                func(in *Input) { in.SBOM = []byte("[]") },
		"no SBOM":                 func(in *Input) { in.SBOM = []byte(slsa) },
		"no provenance":           func(in *Input) { in.Provenance = []byte(spdx) },
		"a whole statement":       func(in *Input) { in.Provenance = []byte(`{"_type":"https://in-toto.io/Statement/v1"}`) },
		"provenance of the wrong": func(in *Input) { in.Provenance = []byte(`{"buildDefinition":1,"runDetails":2}`) },
	} {
		t.Run(name, func(t *testing.T) {
			in := attested()
			change(&in)
			refused(t, errorOf(Build(&bytes.Buffer{}, in)), abi.CodePkgPredicate)
		})
	}
	large := attested()
	large.SBOM = []byte(`{"spdxVersion":"SPDX-2.3","x":"` + strings.Repeat("x", MaxStatement) + `"}`)
	refused(t, errorOf(Build(&bytes.Buffer{}, large)), abi.CodePkgLimit)
	lone := attested()
	lone.Signers = []Signer{PostSignerOf(post(t, 1))}
	refused(t, errorOf(Build(&bytes.Buffer{}, lone)), abi.CodePkgInput)
}

// TestStatementOfCosigner: who trusts only the co-signer, who signed the
// statement's digest, has the package; nobody known here signed the statement.
func TestStatementOfCosigner(t *testing.T) {
	in := attested()
	in.Cosigners = []Signer{bob.signer()}
	first := build(t, in)
	p, err := OpenReader(bytes.NewReader(first), int64(len(first)))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := p.Cosign(&b, bob.signer()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"bob": 0, "alice": 1} {
		var r Keyring
		for _, k := range ring {
			if k.Name == name {
				r = append(r, k)
			}
		}
		v, err := verify(t, b.Bytes(), r, VerifyOptions{Now: now})
		if err != nil || len(v.Statements) != 2 || len(v.Statements[0].Keys) != want {
			t.Errorf("by %s: %v", name, err)
		}
	}
}

// TestStatementAttacks: a statement of others, about others, or in another form
// is refused, also in a manifest that is rightly signed.
func TestStatementAttacks(t *testing.T) {
	envelopeOf := func(payload string, keys ...testKey) []byte {
		env := envelope{Payload: base64.StdEncoding.EncodeToString([]byte(payload)), PayloadType: payloadType}
		for _, k := range keys {
			env.Signatures = append(env.Signatures, dsseSignature{k.id().Hex(), base64.StdEncoding.EncodeToString(k.SignRaw(paeOf(payloadType, []byte(payload))))})
		}
		b, err := compactJSON(env)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	good := build(t, attested())
	p, err := OpenReader(bytes.NewReader(good), int64(len(good)))
	if err != nil {
		t.Fatal(err)
	}
	s, err := p.Statement(RoleSBOM)
	if err != nil {
		t.Fatal(err)
	}
	text := string(s.Payload)
	swap := func(old, new string) string {
		if !strings.Contains(text, old) {
			t.Fatalf("no %q in %s", old, text)
		}
		return strings.Replace(text, old, new, 1)
	}
	sum := seal.SHA256(module)
	for name, b := range map[string][]byte{
		"signed by a stranger":         envelopeOf(text, mallory),
		"signed by another publisher":  envelopeOf(text, bob),
		"unsigned":                     envelopeOf(text),
		"signed twice":                 envelopeOf(text, alice, alice),
		"another's signature":          bytes.Replace(envelopeOf(text, mallory), []byte(mallory.id().Hex()), []byte(alice.id().Hex()), 1),
		"another payload":              bytes.Replace(envelopeOf(text, alice), []byte(base64.StdEncoding.EncodeToString([]byte(text))), []byte(base64.StdEncoding.EncodeToString([]byte(swap("hello", "hellp")))), 1),
		"another type of payload":      bytes.Replace(envelopeOf(text, alice), []byte(payloadType), []byte("application/json"), 1),
		"about another module":         envelopeOf(swap(abi.Digest(sum).Hex(), strings.Repeat("0", 64)), alice),
		"about another module of ours": envelopeOf(swap(ModuleDigest(module).Hex(), strings.Repeat("0", 64)), alice),
		"another predicate's type":     envelopeOf(swap(predicateSPDX, predicateCDX), alice),
		"provenance as an SBOM":        bytes.Clone(p.statementBytes(t, RoleProvenance)),
		"no statement":                 envelopeOf(swap(statementType, "https://example.org"), alice),
		"an unknown field":             envelopeOf(swap(`{"_type"`, `{"x":1,"_type"`), alice),
		"a doubled field":              envelopeOf(swap(`{"_type"`, `{"_type":"x","_type"`), alice),
		"white space":                  append(envelopeOf(text, alice), '\n'),
		"no JSON":                      []byte("x"),
	} {
		t.Run(name, func(t *testing.T) {
			ps := take(t, attested())
			i := ps.m.blob(RoleSBOM)
			ps.blobs[i] = b
			ps.m.Blobs = slices.Clone(ps.m.Blobs)
			ps.m.Blobs[i].Length, ps.m.Blobs[i].Digest = uint64(len(b)), seal.Sum(domainSBOM, b)
			e := refused(t, errorOf(verify(t, ps.sign(t, alice).bytes(t), ring, VerifyOptions{Now: now})), abi.CodePkgStatement)
			if !strings.Contains(e.Where, "blob sbom at byte ") {
				t.Errorf("place %q", e.Where)
			}
		})
	}
	for name, tc := range map[string]struct {
		change func(ps *parts)
		code   abi.Code
	}{
		"taken out":                {func(ps *parts) { ps.blobs = slices.Delete(ps.blobs, 2, 3) }, abi.CodePkgSize},
		"roles exchanged":          {func(ps *parts) { ps.m.Blobs[2].Role, ps.m.Blobs[3].Role = RoleProvenance, RoleSBOM }, abi.CodePkgManifest},
		"twice":                    {func(ps *parts) { ps.m.Blobs[3].Role = RoleSBOM }, abi.CodePkgManifest},
		"one byte":                 {func(ps *parts) { ps.blobs[3] = bytes.Replace(ps.blobs[3], []byte("payload"), []byte("paylobd"), 1) }, abi.CodePkgBlob},
		"larger than there may be": {func(ps *parts) { ps.m.Blobs[2].Length = MaxStatement + 1 }, abi.CodePkgLimit},
	} {
		t.Run(name, func(t *testing.T) {
			ps := take(t, attested())
			ps.m.Blobs = slices.Clone(ps.m.Blobs)
			tc.change(ps)
			refused(t, errorOf(verify(t, ps.sign(t, alice).bytes(t), ring, VerifyOptions{Now: now})), tc.code)
		})
	}
}

func (p *Package) statementBytes(t *testing.T, role Role) []byte {
	t.Helper()
	b, err := p.load(p.manifest.blob(role))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// FuzzStatement: nothing panics, and what reads is the one encoding.
func FuzzStatement(f *testing.F) {
	in := attested()
	for _, s := range []struct {
		role Role
		doc  []byte
	}{{RoleSBOM, in.SBOM}, {RoleProvenance, in.Provenance}} {
		m := in.Manifest
		b, err := makeStatement(s.role, s.doc, &m, in.Module, in.Signers)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"payload":"e30=","payloadType":"application/vnd.in-toto+json","signatures":[]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, role := range []Role{RoleSBOM, RoleProvenance} {
			if s, st, e := parseStatement(role, b); e == nil && (len(s.Keys) == 0 || len(st.Subject) != 1) {
				t.Fatalf("%x reads as %+v", b, s)
			}
		}
	})
}
