package forgeone_test

import (
	"bytes"
	"encoding/pem"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/forgepkg"
	"github.com/forgeone/forgeone/internal/seal"
)

func (v vector) post() *seal.PostPrivateKey {
	v.Helper()
	k, err := seal.ParsePost(pem.EncodeToMemory(&pem.Block{Type: "FORGEONE PRIVATE KEY", Headers: map[string]string{"Algorithm": "mldsa44"}, Bytes: v.bytes("seed")}))
	if err != nil {
		v.Fatal(err)
	}
	return k
}

func (v vector) isSHA256(name string, b []byte) {
	v.Helper()
	d := seal.SHA256(b)
	v.is(name, d[:])
}

func postVector(v vector) {
	k := v.post()
	id := k.Public().ID()
	v.is("id", id[:])
	v.isSHA256("public-sha256", k.Public())
	v.isSHA256("signature-sha256", k.Sign(v.at["domain"], v.bytes("data")))
}

// pairVector verifies the package that two keys of one seed signed.
func pairVector(v vector) {
	p, err := forgepkg.Open(v.at["file"])
	if err != nil {
		v.Fatal(err)
	}
	defer p.Close()
	ed, post := v.private().Public(), v.post().Public()
	for name, got := range map[string]abi.Digest{"ed25519": ed.ID(), "mldsa44": post.ID(), "package": p.Digest()} {
		v.is(name, got[:])
	}
	for _, s := range p.Signatures() {
		if s.Key != ed.ID() && s.Key != post.ID() {
			v.Errorf("a signature by %s", s.Key.Hex())
		}
	}
	if len(p.Signatures()) != 2 || len(p.Missing()) != 0 {
		v.Errorf("%d signatures", len(p.Signatures()))
	}
}

// revocationsVector makes the list that FORMATS.md shows.
func revocationsVector(v vector) {
	entry := abi.Revoked{What: abi.RevokedPackage, Digest: abi.Digest(v.bytes("package")), Reason: v.at["reason"]}
	b, err := forgepkg.MakeRevocations(v.number("serial"), int64(v.number("issued")), []abi.Revoked{entry}, forgepkg.SignerOf(v.private()))
	if err != nil {
		v.Fatal(err)
	}
	v.is("file", b)
	l, err := forgepkg.ParseRevocations(b)
	if err != nil {
		v.Fatal(err)
	}
	v.is("digest", l.List[:])
}

// statementVector packs what FORMATS.md shows, and takes the last blob.
func statementVector(v vector) {
	var b bytes.Buffer
	_, err := forgepkg.Build(&b, forgepkg.Input{
		Manifest: forgepkg.Manifest{Name: v.at["name"], Version: v.at["version"], Serial: 1},
		Module:   v.bytes("module"), SBOM: []byte(v.at["sbom"]), Signers: []forgepkg.Signer{forgepkg.SignerOf(v.private())},
	})
	if err != nil {
		v.Fatal(err)
	}
	p, err := forgepkg.OpenReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		v.Fatal(err)
	}
	blob := p.Manifest().Blobs[1]
	v.is("digest", blob.Digest[:])
	v.isSHA256("envelope-sha256", b.Bytes()[b.Len()-int(blob.Length):])
}
