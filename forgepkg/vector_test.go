package forgepkg

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/forgeone/forgeone/abi"
)

var update = flag.Bool("update", false, "write golden files")

// vectorInput is what docs/FORMATS.md shows: an empty module, two assets, the
// Ed25519 key of 32 bytes 0x01 as seed.
func vectorInput() Input {
	return Input{
		Manifest: Manifest{Name: "hello", Version: "1.0.0", Serial: 1, Issued: 1_800_000_000, Imports: []string{"wasi_snapshot_preview1.fd_write"}},
		Module:   module,
		Assets:   fstest.MapFS{"a.txt": {Data: []byte("A")}, "b/c.txt": {Data: []byte("C")}},
		Signers:  []Signer{alice.signer()},
	}
}

// TestHybridVector: the same package, signed by a pair of keys of one seed.
func TestHybridVector(t *testing.T) {
	path := filepath.Join("testdata", "hybrid.forgepkg")
	in := vectorInput()
	in.Signers = append(in.Signers, PostSignerOf(post(t, 1)))
	b := build(t, in)
	if *update {
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(path); err != nil || !bytes.Equal(b, want) {
		t.Errorf("the bytes of the vector changed (%v)", err)
	}
	if _, err := verify(t, b, Keyring{pairOf(alice.entry("alice", abi.RolePublisher), post(t, 1))}, VerifyOptions{Now: now}); err != nil {
		t.Error(err)
	}
}

// TestVector: the bytes of the format do not change. Bytes and digests were
// computed with an independent implementation of docs/FORMATS.md as well.
func TestVector(t *testing.T) {
	path := filepath.Join("testdata", "hello.forgepkg")
	b := build(t, vectorInput())
	if *update {
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b, want) {
		t.Errorf("the bytes of the vector changed:\n%x\nwant\n%x", b, want)
	}
	p, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	v, err := p.Verify(Keyring{alice.entry("alice", abi.RolePublisher)}, VerifyOptions{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	for what, d := range map[string][2]string{
		"key id":  {alice.id().Hex(), "3e726f1f5eb087e2feb9e6fe78b65869b5d0db0816c9f07b186d9ba4228f3636"},
		"module":  {v.ModuleID.Hex(), "603f7698ff9731d25ce58004d529138fd34a9c6915c6717e6a386ffab88d8910"},
		"assets":  {v.Manifest.Blobs[1].Digest.Hex(), "93c85ac1ead9c15cddc102f73309b7cb5e1e5e670ec54fb4b5e5bdc8a7339019"},
		"package": {v.Digest.Hex(), "66e5dec29e21d84a7bec427c6e7179ae633950388f2b9fd4b954b01f993fa08c"},
	} {
		if d[0] != d[1] {
			t.Errorf("%s is %s, want %s", what, d[0], d[1])
		}
	}
}
