package forgeone_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/pem"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/forgeone/forgeone"
	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/forgepkg"
	"github.com/forgeone/forgeone/internal/codec"
	"github.com/forgeone/forgeone/internal/kernel"
	"github.com/forgeone/forgeone/internal/keys"
	"github.com/forgeone/forgeone/internal/policy"
	"github.com/forgeone/forgeone/internal/rewrite"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/wasm"
)

// TestFormatsState takes the files of a real state folder apart as FORMATS.md
// describes them.
func TestFormatsState(t *testing.T) {
	ctx, home := context.Background(), t.TempDir()
	if err := os.Chmod(home, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := kernel.Init(ctx, kernel.InitOptions{Home: home}); err != nil {
		t.Fatal(err)
	}
	k, err := kernel.Open(ctx, kernel.Options{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close(ctx)
	hello := guest(t, "hello")
	if _, err := k.Run(ctx, kernel.Spec{Target: hello}); err != nil {
		t.Fatal(err)
	}
	h, local := k.Home(), k.Keys()
	base := policy.Base()
	if got := doc(t, filepath.Join(h.Policies(), policy.Digest([]policy.Source{base}).Hex()+".policy")); got != string(policyFile(t, base.Name, base.Text)) {
		t.Error("the base policy is not kept as described")
	}

	module := []byte(doc(t, hello))
	id := abi.Digest(seal.Authenticate(local.Cache, "forgeone/admission/v1", module))
	adm := []byte(doc(t, filepath.Join(h.Cache(), id.Hex()+".adm")))
	body, tag := adm[:len(adm)-32], adm[len(adm)-32:]
	caps, err := codec.Marshal(k.Config().Caps())
	if err != nil {
		t.Fatal(err)
	}
	authentic(t, "admission", tag, local.Cache, "forgeone/admission-entry/v1", []byte{rewrite.Version}, id[:], caps, body)
	var a struct {
		Module    abi.Digest `cbor:"5,keyasint"`
		Rewritten abi.Digest `cbor:"1,keyasint"`
		MemoryMin uint64     `cbor:"2,keyasint"`
		Floats    bool       `cbor:"3,keyasint,omitempty"`
		Tag       []byte     `cbor:"4,keyasint,omitempty"`
		Canonical bool       `cbor:"6,keyasint,omitempty"`
	}
	if err := codec.Unmarshal(body, &a); err != nil {
		t.Fatal(err)
	}
	if a.Module != forgepkg.ModuleDigest(module) {
		t.Errorf("the admission is of module %s", a.Module.Hex())
	}
	code := []byte(doc(t, filepath.Join(h.Modules(), a.Rewritten.Hex()+".wasm")))
	if seal.Sum("forgeone/rewritten/v1", code) != a.Rewritten {
		t.Error("the rewritten module is not named by its digest")
	}
	authentic(t, "rewritten module", a.Tag, local.Cache, "forgeone/rewritten/v1", code)

	entry := []byte(doc(t, filepath.Join(h.Cache(), a.Rewritten.Hex()+".code")))
	rest, ok := bytes.CutPrefix(entry, []byte("F1CODE\x02\n"))
	if !ok || len(rest) < 64 || !bytes.HasPrefix(rest[32:], []byte("WAZEVO")) {
		t.Fatalf("the code entry begins with %x", entry[:48])
	}
	authentic(t, "compiled code", entry[len(entry)-32:], local.Cache, "forgeone/code-cache/v2", []byte(wasm.Compiler.ID()), a.Rewritten[:], entry[:len(entry)-32])

	for name, purpose := range map[string]string{keys.RecordingFile: "recording", keys.CacheFile: "cache"} {
		blk, rest := pem.Decode([]byte(doc(t, filepath.Join(h.Keys(), name))))
		if blk == nil || blk.Type != "FORGEONE SECRET KEY" || blk.Headers["Purpose"] != purpose || len(blk.Bytes) != 32 || len(rest) > 0 {
			t.Errorf("%s is not as described", name)
		}
	}
	signed := doc(t, h.Config())
	i := strings.LastIndex(strings.TrimSuffix(signed, "\n"), "\n") + 1
	var signer, sig string
	if line := strings.Fields(signed[i:]); len(line) == 4 {
		signer, sig = line[2], line[3]
	}
	raw, err := base64.StdEncoding.DecodeString(sig)
	if pub := local.Node.Public(); err != nil || signer != pub.ID().Hex() || !pub.Verify("forgeone/config/v1", []byte(signed[:i]), raw) {
		t.Error("the configuration is not signed as described")
	}
}

// authentic checks an HMAC over parts.
func authentic(t *testing.T, what string, tag []byte, key seal.Key, domain string, parts ...[]byte) {
	t.Helper()
	if want := seal.Authenticate(key, domain, bytes.Join(parts, nil)); !bytes.Equal(want[:], tag) {
		t.Errorf("%s: the tag does not fit the description", what)
	}
}

// TestNothingPersonalInClear: whoever has log and recordings without a key
// learns neither what a run was given nor what it was denied.
func TestNothingPersonalInClear(t *testing.T) {
	n := open(t)
	mount := t.TempDir()
	res, err := n.Run(context.Background(), forgeone.RunSpec{
		Target: guest(t, "deny"), Args: []string{"an-argument"}, Env: []string{"K=a-value"}, Mounts: []forgeone.Mount{{Host: mount, Guest: "/mounted-here"}},
	})
	if err != nil || res.Denials == 0 {
		t.Fatal(res, err)
	}
	files := 0
	for _, dir := range []string{"log", "recordings"} {
		err := filepath.WalkDir(filepath.Join(n.Home(), dir), func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			files++
			text := doc(t, p)
			for _, s := range []string{"an-argument", "a-value", "mounted-here", filepath.Base(filepath.Dir(mount)), "secret"} {
				if strings.Contains(text, s) {
					t.Errorf("%s/%s shows %q", dir, d.Name(), s)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 2 {
		t.Fatalf("only %d files", files)
	}
}
