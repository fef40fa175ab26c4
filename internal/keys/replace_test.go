package keys

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
)

// held opens path, as one does who had it open before it was replaced.
func held(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func zeros(t *testing.T, f *os.File) {
	t.Helper()
	b, err := io.ReadAll(f)
	if err != nil || len(b) == 0 || len(bytes.Trim(b, "\x00")) > 0 {
		t.Errorf("the key is still on the disk: %d bytes, %v", len(b), err)
	}
}

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	path, next := filepath.Join(dir, LogFile), filepath.Join(dir, NextLogFile)
	for range 2 { // without and with a key to replace
		want, err := Generate(next)
		if err != nil {
			t.Fatal(err)
		}
		var old *os.File
		if _, err := os.Stat(path); err == nil {
			old = held(t, path)
		}
		if err := Replace(next, path); err != nil {
			t.Fatal(err)
		}
		if k, err := Load(path, ""); err != nil || !bytes.Equal(k.Public(), want) {
			t.Fatal(err)
		}
		if old != nil {
			zeros(t, old)
		}
	}
	wantCode(t, Replace(next, path), abi.CodeKeyWrite)
	if _, err := Load(path, ""); err != nil {
		t.Fatalf("a replacement that failed took the key: %v", err)
	}
}

func TestErase(t *testing.T) {
	path := filepath.Join(t.TempDir(), NextLogFile)
	if _, err := Generate(path); err != nil {
		t.Fatal(err)
	}
	old := held(t, path)
	for range 2 { // the second time there is none
		if err := Erase(path); err != nil {
			t.Fatal(err)
		}
	}
	zeros(t, old)
	if _, err := os.Stat(path); err == nil {
		t.Error("it is still there")
	}
	wantCode(t, Erase(t.TempDir()), abi.CodeKeyWrite)
}

func TestLoadPublics(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.pub")
	k, err := seal.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	line := k.Public().String() + "\n"
	q, err := seal.GeneratePost()
	if err != nil {
		t.Fatal(err)
	}
	post := q.Public()
	for _, tc := range []struct {
		text string
		n    int
		code abi.Code
	}{
		{line, 1, ""},
		{strings.TrimSpace(line), 1, ""},
		{line + "\n" + line + "  \r\n" + line, 3, ""},
		{strings.Repeat(line, 10_000), 10_000, ""},
		{line + post.String() + "\n" + line, 3, ""},
		{strings.Repeat(line, 80_000), 0, abi.CodeKeyFormat},
		{"", 0, abi.CodeKeyFormat},
		{"\n \n", 0, abi.CodeKeyFormat},
		{line + "f1pub-ed25519:AAAA\n", 0, abi.CodeKeyFormat},
		{line + string(seal.MarshalPrivate(k)), 0, abi.CodeKeyPrivate},
	} {
		if err := os.WriteFile(path, []byte(tc.text), 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := LoadPublics(path)
		if len(got.Ed25519)+len(got.Post) != tc.n || abi.CodeOf(err) != tc.code {
			t.Errorf("%.40q: %d keys, %v", tc.text, len(got.Ed25519)+len(got.Post), err)
		}
	}
	_, err = LoadPublics(path + ".none")
	wantCode(t, err, abi.CodeKeyMissing)
}
