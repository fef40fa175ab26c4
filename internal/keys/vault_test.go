package keys

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"filippo.io/age"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
)

// secretFile writes a file that only its owner may touch.
func secretFile(t testing.TB, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// identity makes an age identity, and the file that holds it as age-keygen writes it.
func identity(t testing.TB) (p Protection, file string) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return Protection{Recipient: id.Recipient().String()}, secretFile(t, "# created: now\n# public key: "+id.Recipient().String()+"\n"+id.String()+"\n")
}

func ensured(t testing.TB) (dir string, l *Local) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "keys")
	l, err := NewVault(dir, "").Ensure()
	if err != nil {
		t.Fatal(err)
	}
	return dir, l
}

// inClear lists the files of a folder that hold a key in the clear.
func inClear(t testing.TB, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if !encrypted(b) {
			names = append(names, e.Name())
		}
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", e.Name(), info.Mode(), err)
		}
	}
	return names
}

func TestProtect(t *testing.T) {
	dir, l := ensured(t)
	pass, wrong := secretFile(t, "correct horse\nnot this line\n"), secretFile(t, "correct horse \n")
	if err := Protect(dir, "", Protection{Passphrase: pass, work: 10}); err != nil {
		t.Fatal(err)
	}
	if open := inClear(t, dir); len(open) > 0 {
		t.Errorf("in the clear: %v", open)
	}
	e := wantCode(t, errorOf(Open(dir, "")), abi.CodeKeyLocked)
	if e.Hint != "export FORGEONE_UNLOCK=FILE" {
		t.Errorf("hint %q", e.Hint)
	}
	wantCode(t, errorOf(Open(dir, wrong)), abi.CodeKeyUnlock)
	got, err := Open(dir, pass)
	if err != nil || fingerprint(got) != fingerprint(l) {
		t.Fatalf("other keys, %v", err)
	}

	// New files of the folder are encrypted too.
	pub, err := got.Vault.Generate(filepath.Join(dir, NextLogFile))
	if err != nil {
		t.Fatal(err)
	}
	if k, err := NewVault(dir, pass).Load(filepath.Join(dir, NextLogFile)); err != nil || !bytes.Equal(k.Public(), pub) || len(inClear(t, dir)) > 0 {
		t.Errorf("a new key: %v, %v", err, inClear(t, dir))
	}
	wantCode(t, errorOf(Load(filepath.Join(dir, NodeFile), "")), abi.CodeKeyLocked)
	wantCode(t, errorOf(LoadSigning(filepath.Join(dir, NodeFile), "")), abi.CodeKeyLocked)

	// Another lock; the old one opens no more.
	to, file := identity(t)
	wantCode(t, Protect(dir, "", to), abi.CodeKeyLocked)
	wantCode(t, Protect(dir, file, to), abi.CodeKeyUnlock)
	if err := Protect(dir, pass, to); err != nil {
		t.Fatal(err)
	}
	wantCode(t, errorOf(Open(dir, pass)), abi.CodeKeyUnlock)
	_, other := identity(t)
	wantCode(t, errorOf(Open(dir, other)), abi.CodeKeyUnlock)
	wantCode(t, Unprotect(dir, other), abi.CodeKeyUnlock)
	if err := Unprotect(dir, file); err != nil {
		t.Fatal(err)
	}
	got, err = Open(dir, "")
	if err != nil || fingerprint(got) != fingerprint(l) || len(inClear(t, dir)) != len(files())+1 {
		t.Fatalf("not as it was: %v, %v", inClear(t, dir), err)
	}
	wantCode(t, Unprotect(dir, file), abi.CodeKeySecret)
	if m, err := filepath.Glob(filepath.Join(dir, "*"+newSuffix)); err != nil || len(m) > 0 {
		t.Errorf("left behind: %v, %v", m, err)
	}
}

// TestProtectInterrupted: whatever prefix of the files an interrupted Protect or
// Unprotect has done, the folder opens, and either one does the rest.
func TestProtectInterrupted(t *testing.T) {
	plain, l := ensured(t)
	sealed := filepath.Join(t.TempDir(), "sealed")
	cp := func(to, from string, names ...string) {
		t.Helper()
		if err := os.MkdirAll(to, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, n := range names {
			b, err := os.ReadFile(filepath.Join(from, n))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(to, n), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	cp(sealed, plain, files()...)
	to, file := identity(t)
	if err := Protect(sealed, "", to); err != nil {
		t.Fatal(err)
	}
	for n := range len(files()) + 1 {
		for _, finish := range []func(string) error{
			func(dir string) error { return Protect(dir, file, to) },
			func(dir string) error { return Unprotect(dir, file) },
		} {
			dir := filepath.Join(t.TempDir(), "keys")
			cp(dir, sealed, files()[:n]...)
			cp(dir, sealed, IdentityFile)
			cp(dir, plain, files()[n:]...)
			if n < len(files()) { // the next one is in the making
				cp(dir, plain, files()[n])
				if err := os.Rename(filepath.Join(dir, files()[n]), filepath.Join(dir, files()[n]+newSuffix)); err != nil {
					t.Fatal(err)
				}
				cp(dir, plain, files()[n])
			}
			// Whoever can write here, but can't open the keys, gets none of his own in.
			if _, err := Open(dir, file); abi.CodeOf(err) != abi.CodeKeyFormat && n < len(files()) {
				t.Fatalf("after %d files, and nothing says so: %v", n, err)
			}
			if err := Protect(dir, file, to); abi.CodeOf(err) != abi.CodeKeyFormat && n < len(files()) {
				t.Fatalf("after %d files, and nothing says so: %v", n, err)
			}
			id, err := NewVault(dir, file).identity()
			if err != nil {
				t.Fatal(err)
			}
			if err := mix(dir, id); err != nil {
				t.Fatal(err)
			}
			if got, err := Open(dir, file); err != nil || fingerprint(got) != fingerprint(l) {
				t.Fatalf("after %d files: %v", n, err)
			}
			if err := finish(dir); err != nil {
				t.Fatal(err)
			}
			if got, err := Open(dir, file); err != nil || fingerprint(got) != fingerprint(l) {
				t.Fatalf("finished after %d files: %v", n, err)
			}
			if c := len(inClear(t, dir)); c != 0 && c != len(files()) {
				t.Errorf("after %d files: %v in the clear", n, inClear(t, dir))
			}
		}
	}
}

// TestNewProtected: a folder that begins protected never holds a key in the
// clear, and one that has some is not taken for protected.
func TestNewProtected(t *testing.T) {
	to, file := identity(t)
	dir := filepath.Join(t.TempDir(), "keys")
	v, err := NewProtected(dir, "", to)
	if err != nil {
		t.Fatal(err)
	}
	l, err := v.Ensure()
	if err != nil || len(inClear(t, dir)) > 0 {
		t.Fatalf("%v, in the clear: %v", err, inClear(t, dir))
	}
	v, err = NewProtected(dir, file, to) // again
	if err != nil {
		t.Fatal(err)
	}
	if again, err := v.Ensure(); err != nil || fingerprint(again) != fingerprint(l) {
		t.Errorf("again: %v", err)
	}
	plain, _ := ensured(t)
	wantCode(t, errorOf(NewProtected(plain, "", to)), abi.CodeKeySecret)
}

func TestSecretFiles(t *testing.T) {
	dir, _ := ensured(t)
	to, file := identity(t)
	for name, p := range map[string]Protection{
		"nothing": {}, "both": {Passphrase: file, Recipient: to.Recipient}, "no recipient": {Recipient: "age1nonsense"}, "two recipients": {Recipient: to.Recipient + "\n" + to.Recipient},
		"empty passphrase": {Passphrase: secretFile(t, "\nsecond line\n")}, "no file": {Passphrase: filepath.Join(dir, "none")},
	} {
		if err := Protect(dir, "", p); abi.CodeOf(err) != abi.CodeKeySecret {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(inClear(t, dir)) != len(files()) {
		t.Error("something was encrypted")
	}
	if err := Protect(dir, "", to); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]string{
		"empty": secretFile(t, ""), "broken identity": secretFile(t, "AGE-SECRET-KEY-1QQQQ\n"), "missing": filepath.Join(dir, "none"),
	} {
		err := errorOf(Open(dir, f))
		if abi.CodeOf(err) != abi.CodeKeySecret {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Contains(err.Error(), "1QQQQ") {
			t.Errorf("the error shows the file: %v", err)
		}
	}
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	wantCode(t, errorOf(Open(dir, file)), abi.CodeKeyPermissions)
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}

	// Damage is not taken for a wrong passphrase; a file of another folder is damage.
	damage := func(name string, content []byte, want abi.Code) {
		t.Helper()
		path := filepath.Join(dir, name)
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		wantCode(t, errorOf(Open(dir, file)), want)
		if err := os.WriteFile(path, before, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, NodeFile))
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-1] ^= 1
	damage(NodeFile, b, abi.CodeKeyFormat)
	other, _ := ensured(t)
	if err := Protect(other, "", to); err != nil {
		t.Fatal(err)
	}
	if b, err = os.ReadFile(filepath.Join(other, NodeFile)); err != nil {
		t.Fatal(err)
	}
	damage(NodeFile, b, abi.CodeKeyFormat)
	damage(IdentityFile, []byte("junk"), abi.CodeKeyFormat)
	if err := os.Remove(filepath.Join(dir, IdentityFile)); err != nil {
		t.Fatal(err)
	}
	wantCode(t, errorOf(Open(dir, file)), abi.CodeKeyMissing)
}

// TestProtectWhileOpening: who opens the folder meanwhile gets the same keys.
func TestProtectWhileOpening(t *testing.T) {
	dir, l := ensured(t)
	to, file := identity(t)
	stop, want := make(chan struct{}), fingerprint(l)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if got, err := Open(dir, file); err != nil || fingerprint(got) != want {
					t.Errorf("meanwhile: %v", err)
					return
				}
			}
		})
	}
	before := NewVault(dir, file)
	for i := range 3 {
		if err := Protect(dir, file, to); err != nil {
			t.Error(err)
		}
		// A vault that was opened before makes keys that open after.
		path := filepath.Join(dir, "k"+string(rune('0'+i)))
		if _, err := before.Generate(path); err != nil {
			t.Error(err)
		}
		if _, err := NewVault(dir, file).Load(path); err != nil {
			t.Error(err)
		}
		if err := Unprotect(dir, file); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	wg.Wait()
}

// FuzzVault: no content of a folder's files makes reading them panic.
func FuzzVault(f *testing.F) {
	dir, _ := ensured(f)
	to, file := identity(f)
	if err := Protect(dir, "", to); err != nil {
		f.Fatal(err)
	}
	for _, name := range []string{IdentityFile, NodeFile, CacheFile} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("passphrase\n"))
	path, unlock := filepath.Join(dir, NodeFile), filepath.Join(dir, "unlock")
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, p := range []string{path, unlock} {
			if err := os.WriteFile(p, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := errorOf(NewVault(dir, file).Load(path)); err != nil && abi.CodeOf(err) == "" {
			t.Fatalf("no code: %v", err)
		}
		if _, err := unlockers(unlock); err != nil && abi.CodeOf(err) == "" {
			t.Fatalf("no code: %v", err)
		}
	})
}

// TestLoadUnlocked: a signing key that lies in a protected folder, or that
// somebody encrypted by itself, loads with what opens it and with nothing else.
func TestLoadUnlocked(t *testing.T) {
	pass := secretFile(t, "correct horse\n")
	wrong := secretFile(t, "wrong\n")
	dir := filepath.Join(t.TempDir(), "keys")
	l, err := NewVault(dir, "").Ensure()
	if err != nil {
		t.Fatal(err)
	}
	if err := Protect(dir, "", Protection{Passphrase: pass, work: 10}); err != nil {
		t.Fatal(err)
	}
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	identity := secretFile(t, id.String()+"\n")
	alone, err := encrypt(seal.MarshalPrivate(l.Operator), id.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, unlock string
		want         abi.Code
	}{
		{filepath.Join(dir, OperatorFile), pass, ""},
		{filepath.Join(dir, OperatorFile), wrong, abi.CodeKeyUnlock},
		{filepath.Join(dir, OperatorFile), "", abi.CodeKeyLocked},
		{secretFile(t, string(alone)), identity, ""},
		{secretFile(t, string(alone)), pass, abi.CodeKeyUnlock},
		{secretFile(t, string(alone)), "", abi.CodeKeyLocked},
		{secretFile(t, string(alone[:len(alone)-1])), identity, abi.CodeKeyFormat},
		{secretFile(t, agePrefix), identity, abi.CodeKeyFormat},
		{secretFile(t, string(seal.MarshalPrivate(l.Operator))), wrong, ""}, // in the clear
	} {
		k, err := Load(c.path, c.unlock)
		if abi.CodeOf(err) != c.want || err == nil && !bytes.Equal(k.Public(), l.Operator.Public()) {
			t.Errorf("%s with %q: %v, want %q", c.path, c.unlock, err, c.want)
		}
		s, err := LoadSigning(c.path, c.unlock)
		if abi.CodeOf(err) != c.want || err == nil && !bytes.Equal(s.Ed25519.Public(), l.Operator.Public()) {
			t.Errorf("%s with %q: %v, want %q", c.path, c.unlock, err, c.want)
		}
	}
}

// TestCacheKeyIsTheNodes: who writes the file of the cache's key, and has not the node's,
// does not know what is authenticated with it.
func TestCacheKeyIsTheNodes(t *testing.T) {
	dir, l := ensured(t)
	path := filepath.Join(dir, CacheFile)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := parseSecret(raw, path)
	if err != nil {
		t.Fatal(err)
	}
	if l.Cache == file {
		t.Error("the key is what the file holds")
	}
	again, err := Open(dir, "")
	if err != nil || again.Cache != l.Cache {
		t.Errorf("another each time: %v", err)
	}
	_, other := ensured(t)
	if ofNode(other.Node, file) == l.Cache {
		t.Error("another node makes the same of it")
	}
}

// TestMixedIsTold: while encrypting is not ended, somebody who looks is told.
func TestMixedIsTold(t *testing.T) {
	dir, _ := ensured(t)
	to, file := identity(t)
	if err := CheckMixed(dir); err != nil {
		t.Error(err)
	}
	if err := Protect(dir, "", to); err != nil {
		t.Fatal(err)
	}
	if err := CheckMixed(dir); err != nil {
		t.Error(err)
	}
	id, err := NewVault(dir, file).identity()
	if err != nil {
		t.Fatal(err)
	}
	if err := mix(dir, id); err != nil {
		t.Fatal(err)
	}
	if err := CheckMixed(dir); abi.CodeOf(err) != abi.CodeKeySecret {
		t.Error(err)
	}
	if err := Protect(dir, file, to); err != nil {
		t.Fatal(err)
	}
	if err := CheckMixed(dir); err != nil {
		t.Error(err)
	}
	fresh := filepath.Join(t.TempDir(), "keys")
	if _, err := NewProtected(fresh, file, to); err != nil || !absent(fresh, MixedFile) {
		t.Errorf("a new folder: %v", err)
	}
}
