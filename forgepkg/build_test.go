package forgepkg

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/forgeone/forgeone/abi"
)

func TestBuildRefuses(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(in *Input)
		code   abi.Code
	}{
		{"no name", func(in *Input) { in.Manifest.Name = "" }, abi.CodePkgInput},
		{"upper case", func(in *Input) { in.Manifest.Name = "Hello" }, abi.CodePkgInput},
		{"name with a slash", func(in *Input) { in.Manifest.Name = "a/b" }, abi.CodePkgInput},
		{"name beginning with a dot", func(in *Input) { in.Manifest.Name = ".a" }, abi.CodePkgInput},
		{"long name", func(in *Input) { in.Manifest.Name = strings.Repeat("a", 65) }, abi.CodePkgInput},
		{"version", func(in *Input) { in.Manifest.Version = "1.0" }, abi.CodePkgInput},
		{"version with leading zero", func(in *Input) { in.Manifest.Version = "1.02.3" }, abi.CodePkgInput},
		{"version with v", func(in *Input) { in.Manifest.Version = "v1.2.3" }, abi.CodePkgInput},
		{"version with empty part", func(in *Input) { in.Manifest.Version = "1.2.3-" }, abi.CodePkgInput},
		{"version with escape", func(in *Input) { in.Manifest.Version = "1.2.3-\x1b" }, abi.CodePkgInput},
		{"serial", func(in *Input) { in.Manifest.Serial = 0 }, abi.CodePkgInput},
		{"publisher", func(in *Input) { in.Manifest.Publisher = "a\nb" }, abi.CodePkgInput},
		{"publisher turning text round", func(in *Input) { in.Manifest.Publisher = "a\u202eb" }, abi.CodePkgInput},
		{"expired at once", func(in *Input) { in.Manifest.Expires = in.Manifest.Issued }, abi.CodePkgInput},
		{"issued", func(in *Input) { in.Manifest.Issued = -1 }, abi.CodePkgInput},
		{"runtime", func(in *Input) { in.Manifest.Runtime = "1.2.3-rc" }, abi.CodePkgInput},
		{"import", func(in *Input) { in.Manifest.Imports = []string{"a\x00"} }, abi.CodePkgInput},
		{"mount relative", func(in *Input) { in.Manifest.Mounts = []Mount{{Guest: "in"}} }, abi.CodePkgInput},
		{"mount with ..", func(in *Input) { in.Manifest.Mounts = []Mount{{Guest: "/a/../b"}} }, abi.CodePkgInput},
		{"mount wanted both ways", func(in *Input) { in.Manifest.Mounts = []Mount{{Guest: "/a"}, {Guest: "/a", Write: true}} }, abi.CodePkgInput},
		{"no signer", func(in *Input) { in.Signers = nil }, abi.CodePkgInput},
		{"signer twice", func(in *Input) { in.Signers = append(in.Signers, in.Signers...) }, abi.CodePkgInput},
		{"signer and cosigner", func(in *Input) { in.Cosigners = []Signer{alice.signer()} }, abi.CodePkgInput},
		{"short key", func(in *Input) { in.Signers[0].Public = in.Signers[0].Public[1:] }, abi.CodePkgInput},
		{"wrong key", func(in *Input) { in.Signers[0].Public = bob.Public() }, abi.CodePkgInput},
		{"signer fails", func(in *Input) {
			in.Signers[0].Sign = func(string, []byte) ([]byte, error) { return nil, errors.New("token removed") }
		}, abi.CodePkgInput},
		{"no module", func(in *Input) { in.Module = nil }, abi.CodePkgLimit},
		{"large module", func(in *Input) { in.Module = make([]byte, MaxModule+1) }, abi.CodePkgLimit},
		{"asset is a link", func(in *Input) { in.Assets = fstest.MapFS{"l": {Data: []byte("/etc/passwd"), Mode: fs.ModeSymlink}} }, abi.CodePkgInput},
		{"asset is a device", func(in *Input) { in.Assets = fstest.MapFS{"d": {Mode: fs.ModeDevice}} }, abi.CodePkgInput},
		{"asset name", func(in *Input) { in.Assets = fstest.MapFS{"a\nb": {}} }, abi.CodePkgInput},
		{"asset missing", func(in *Input) { in.Assets = os.DirFS(filepath.Join(t.TempDir(), "none")) }, abi.CodePkgRead},
		{"asset grows", func(in *Input) { in.Assets = &shifty{data: []string{"a", "a", "aa"}} }, abi.CodePkgInput},
		{"asset shrinks", func(in *Input) { in.Assets = &shifty{data: []string{"ab", "ab", "a"}} }, abi.CodePkgInput},
		{"asset changes", func(in *Input) { in.Assets = &shifty{data: []string{"a", "a", "b"}} }, abi.CodePkgInput},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := input()
			tc.change(&in)
			var b bytes.Buffer
			refused(t, errorOf(Build(&b, in)), tc.code)
		})
	}
}

// shifty is a folder whose file f has other content each time it is opened.
type shifty struct {
	data []string
	n    int
}

func (s *shifty) Open(name string) (fs.File, error) {
	at := min(s.n, len(s.data)-1)
	if name != "." {
		s.n = max(s.n, 0) + 1
		at = min(s.n, len(s.data)-1)
	}
	return fstest.MapFS{"f": {Data: []byte(s.data[at])}}.Open(name)
}

// TestLinkOutOfAssets: with an os.Root's file system a link in the folder is
// refused, and neither link nor name leads out.
func TestLinkOutOfAssets(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("s"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "assets"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../secret", filepath.Join(dir, "assets", "l")); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(filepath.Join(dir, "assets"))
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	in := input()
	in.Assets = root.FS()
	refused(t, errorOf(Build(&bytes.Buffer{}, in)), abi.CodePkgInput)
}

type failingWriter struct{ left int }

func (w *failingWriter) Write(b []byte) (int, error) {
	if w.left -= len(b); w.left < 0 {
		return 0, errors.New("disk full")
	}
	return len(b), nil
}

// TestBuildWriteFails: a full disk is an error wherever it happens.
func TestBuildWriteFails(t *testing.T) {
	n := len(build(t, input()))
	for i := range n {
		if _, err := Build(&failingWriter{i}, input()); abi.CodeOf(err) != abi.CodePkgRead {
			t.Fatalf("room for %d of %d bytes: %v", i, n, err)
		}
	}
}
