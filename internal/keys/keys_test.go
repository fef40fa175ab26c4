package keys

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
)

// TestMain lets the test binary stand in for a process that makes keys.
func TestMain(m *testing.M) {
	if dir := os.Getenv("F1_TEST_ENSURE"); dir != "" {
		l, err := NewVault(dir, "").Ensure()
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(fingerprint(l))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// fingerprint tells key sets apart.
func fingerprint(l *Local) string {
	a := seal.Authenticate(l.Recording, "t", nil)
	b := seal.Authenticate(l.Cache, "t", nil)
	return l.Node.Public().String() + l.Log.Public().String() + l.Operator.Public().String() + l.Developer.Public().String() + string(fmt.Appendf(nil, "%x%x", a, b))
}

func wantCode(t *testing.T, err error, want abi.Code) *abi.Error {
	t.Helper()
	var e *abi.Error
	if !errors.As(err, &e) || e.Code != want {
		t.Fatalf("error %v, want code %s", err, want)
	}
	if e.Where == "" {
		t.Errorf("%v names no place", err)
	}
	return e
}

func TestEnsure(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	first, err := NewVault(dir, "").Ensure()
	if err != nil {
		t.Fatal(err)
	}
	second, err := NewVault(dir, "").Ensure()
	if err != nil {
		t.Fatal(err)
	}
	if fingerprint(first) != fingerprint(second) {
		t.Error("the second call gave other keys")
	}
	seen := map[string]bool{}
	for _, k := range []*seal.PrivateKey{first.Node, first.Log, first.Operator, first.Developer} {
		seen[k.Public().String()] = true
	}
	if len(seen) != 4 || first.Recording == first.Cache {
		t.Error("two keys are the same")
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder has mode %v, %v", info.Mode(), err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 6 {
		t.Errorf("folder holds %v", entries)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s has mode %v, %v", e.Name(), info.Mode(), err)
		}
	}
}

// TestEnsureAtOnce: several processes that make the keys at once get the same ones.
func TestEnsureAtOnce(t *testing.T) {
	for round := range 5 {
		dir := filepath.Join(t.TempDir(), fmt.Sprint("keys", round))
		var wg sync.WaitGroup
		got := make([]string, 6)
		for i := range got {
			wg.Go(func() {
				cmd := exec.Command(os.Args[0])
				cmd.Env = append(os.Environ(), "F1_TEST_ENSURE="+dir)
				out, err := cmd.CombinedOutput()
				if err != nil {
					out = append(out, err.Error()...)
				}
				got[i] = string(out)
			})
		}
		wg.Wait()
		l, err := Open(dir, "")
		if err != nil {
			t.Fatal(err)
		}
		for i, g := range got {
			if g != fingerprint(l)+"\n" {
				t.Errorf("process %d: %q, want %q", i, g, fingerprint(l))
			}
		}
		if m, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(m) > 0 {
			t.Errorf("left behind: %v, %v", m, err)
		}
	}
}

// TestEnsureAfterCrash: what an interrupted call left is completed, not replaced.
func TestEnsureAfterCrash(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	first, err := NewVault(dir, "").Ensure()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{DeveloperFile, CacheFile} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	e := wantCode(t, errorOf(Open(dir, "")), abi.CodeKeyMissing)
	if e.Hint != "forgeone doctor" {
		t.Errorf("hint %q: keygen would not bring the key back", e.Hint)
	}
	second, err := NewVault(dir, "").Ensure()
	if err != nil {
		t.Fatal(err)
	}
	if first.Node.Public().String() != second.Node.Public().String() || first.Recording != second.Recording || first.Cache == second.Cache {
		t.Error("kept keys changed, or a lost one came back")
	}
}

// TestOperatorElsewhere: an operator may keep its key elsewhere; a damaged or
// open one is not the same as none.
func TestOperatorElsewhere(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	if _, err := NewVault(dir, "").Ensure(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, OperatorFile)
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	wantCode(t, errorOf(Open(dir, "")), abi.CodeKeyPermissions)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	l, err := Open(dir, "")
	if err != nil || l.Operator != nil {
		t.Fatalf("%v, %v", l, err)
	}
	if err := os.WriteFile(path, []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantCode(t, errorOf(Open(dir, "")), abi.CodeKeyFormat)
}

func errorOf[T any](_ T, err error) error { return err }

func TestGenerate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "it's mine.key")
	pub, err := Generate(path)
	if err != nil {
		t.Fatal(err)
	}
	k, err := Load(path, "")
	if err != nil {
		t.Fatal(err)
	}
	if k.Public().String() != pub.String() {
		t.Error("the file holds another key")
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	e := wantCode(t, errorOf(Generate(path)), abi.CodeKeyExists)
	if want := `'\''s mine.key.new'`; !strings.HasSuffix(e.Hint, want) {
		t.Errorf("hint %q is not quoted for the shell", e.Hint)
	}
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(before, after) {
		t.Error("a key was overwritten")
	}
	wantCode(t, errorOf(Generate(filepath.Join(path, "x"))), abi.CodeKeyWrite)
	dangling := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink("elsewhere", dangling); err != nil {
		t.Fatal(err)
	}
	wantCode(t, errorOf(Generate(dangling)), abi.CodeKeyExists)
}

// TestCreateDirectly is the way without hard links.
func TestCreateDirectly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "k")
	if err := createDirectly(path, []byte("a")); err != nil {
		t.Fatal(err)
	}
	if err := createDirectly(path, []byte("b")); !errors.Is(err, os.ErrExist) {
		t.Errorf("second: %v", err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "a" {
		t.Errorf("file holds %q, %v", b, err)
	}
}

func TestPermissions(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	if _, err := NewVault(dir, "").Ensure(); err != nil {
		t.Fatal(err)
	}
	for _, name := range files() {
		path := filepath.Join(dir, name)
		for _, mode := range []os.FileMode{0o640, 0o604, 0o660, 0o601, 0o666, 0o620} {
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
			e := wantCode(t, errorOf(Open(dir, "")), abi.CodeKeyPermissions)
			if e.Hint != "chmod 600 "+path {
				t.Errorf("hint %q", e.Hint)
			}
		}
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if e := wantCode(t, errorOf(Open(dir, "")), abi.CodeKeyPermissions); e.Hint != "chmod 700 "+dir {
		t.Errorf("hint %q", e.Hint)
	}
	wantCode(t, errorOf(NewVault(dir, "").Ensure()), abi.CodeKeyPermissions)
}

func TestRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	l, err := NewVault(dir, "").Ensure()
	if err != nil {
		t.Fatal(err)
	}
	copyTo := func(from, to string) {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(dir, from))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, to), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// One symmetric key in place of the other, a symmetric one for a signing one.
	copyTo(CacheFile, RecordingFile)
	wantCode(t, errorOf(Open(dir, "")), abi.CodeKeyFormat)
	copyTo(CacheFile, NodeFile)
	wantCode(t, errorOf(Load(filepath.Join(dir, NodeFile), "")), abi.CodeKeyFormat)

	path := filepath.Join(dir, "x")
	for _, tc := range []struct {
		content string
		private abi.Code
		public  abi.Code
	}{
		{"", abi.CodeKeyFormat, abi.CodeKeyFormat},
		{"junk", abi.CodeKeyFormat, abi.CodeKeyFormat},
		{strings.Repeat("x", maxFile+1), abi.CodeKeyFormat, abi.CodeKeyFormat},
		{string(seal.MarshalPrivate(l.Node))[:60], abi.CodeKeyFormat, abi.CodeKeyPrivate},
		{string(seal.MarshalPrivate(l.Node)) + "more", abi.CodeKeyFormat, abi.CodeKeyPrivate},
		{string(seal.MarshalPrivate(l.Node)), "", abi.CodeKeyPrivate},
		{string(marshalSecret(l.Cache, "cache")), abi.CodeKeyFormat, abi.CodeKeyPrivate},
		{l.Node.Public().String() + "\n", abi.CodeKeyFormat, ""},
	} {
		if err := os.WriteFile(path, []byte(tc.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := errorOf(Load(path, "")); abi.CodeOf(err) != tc.private {
			t.Errorf("Load of %.40q: %v", tc.content, err)
		}
		err := errorOf(LoadPublic(path))
		if abi.CodeOf(err) != tc.public {
			t.Errorf("LoadPublic of %.40q: %v", tc.content, err)
		}
		if err != nil && strings.Contains(err.Error(), "PRIVATE KEY-----") {
			t.Errorf("the error shows the file: %v", err)
		}
	}
	wantCode(t, errorOf(Load(path+"y", "")), abi.CodeKeyMissing)
	wantCode(t, errorOf(LoadPublic(path+"y")), abi.CodeKeyMissing)
	wantCode(t, errorOf(Load(dir, "")), abi.CodeKeyRead)
	wantCode(t, errorOf(Open(path, "")), abi.CodeKeyRead)
	wantCode(t, errorOf(Open(dir+"y", "")), abi.CodeKeyMissing)
	fifo := filepath.Join(dir, "fifo") // must not wait for a writer
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	wantCode(t, errorOf(Load(fifo, "")), abi.CodeKeyRead)
}

// TestHidden: no way of printing the keys shows them.
func TestHidden(t *testing.T) {
	l, err := NewVault(filepath.Join(t.TempDir(), "keys"), "").Ensure()
	if err != nil {
		t.Fatal(err)
	}
	secret := fmt.Sprintf("%x", l.Cache[:])
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q"} {
		if s := fmt.Sprintf(verb, *l); strings.Contains(s, secret[:16]) {
			t.Errorf("%s shows the cache key: %s", verb, s)
		}
	}
}

// FuzzLoad: no file makes Load, LoadPublic or a secret's reader panic.
func FuzzLoad(f *testing.F) {
	k, err := seal.GenerateKey()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seal.MarshalPrivate(k))
	f.Add([]byte(k.Public().String()))
	f.Add(marshalSecret(seal.NewKey(), "cache"))
	path := filepath.Join(f.TempDir(), CacheFile)
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, err := range []error{errorOf(Load(path, "")), errorOf(LoadPublic(path)), errorOf(NewVault(filepath.Dir(path), "").loadSecret(path))} {
			if err != nil && abi.CodeOf(err) == "" {
				t.Fatalf("no code: %v", err)
			}
		}
	})
}
