package cli

import (
	"bytes"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/forgepkg"
	"github.com/forgeone/forgeone/internal/rewrite"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/wasmtest"
)

// TestInspectComparesImports: inspect shows nobody a list of what a module asks
// for that is not the module's.
func TestInspectComparesImports(t *testing.T) {
	k, err := seal.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		imports []string
		code    abi.Code
	}{{nil, abi.CodePkgImports}, {[]string{"wasi_snapshot_preview1.path_open"}, abi.CodePkgImports}, {[]string{"wasi_snapshot_preview1.proc_exit"}, ""}} {
		var b bytes.Buffer
		_, err := forgepkg.Build(&b, forgepkg.Input{
			Manifest: forgepkg.Manifest{Name: "app", Version: "1.0.0", Serial: 1, Imports: tc.imports},
			Module:   wasmtest.Guests()["exit"], Signers: []forgepkg.Signer{forgepkg.SignerOf(k)},
		})
		if err != nil {
			t.Fatal(err)
		}
		p, err := forgepkg.OpenReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
		if err != nil {
			t.Fatal(err)
		}
		if err := importsHold(p, "p.forgepkg", rewrite.DefaultCaps()); abi.CodeOf(err) != tc.code {
			t.Errorf("%v: %v", tc.imports, err)
		}
	}
}
