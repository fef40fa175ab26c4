package forgepkg

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/forgeone/forgeone/abi"
)

// testKey is a signing key made of a fixed seed.
type testKey struct{ k ed25519.PrivateKey }

func key(seed byte) testKey {
	return testKey{ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))}
}

func (k testKey) Public() []byte            { return k.k.Public().(ed25519.PublicKey) }
func (k testKey) SignRaw(msg []byte) []byte { return ed25519.Sign(k.k, msg) }
func (k testKey) signer() Signer            { return SignerOf(k) }
func (k testKey) id() abi.Digest            { return KeyID(Ed25519, k.Public()) }

func (k testKey) entry(name string, r abi.Role) abi.KeyAdd {
	return abi.KeyAdd{Name: name, Role: r, Alg: Ed25519, Public: k.Public(), ID: k.id()}
}

var (
	alice, bob, carol, mallory = key(1), key(2), key(3), key(66)
	ring                       = Keyring{alice.entry("alice", abi.RolePublisher), bob.entry("bob", abi.RolePublisher), carol.entry("carol", abi.RoleOperator)}
	now                        = time.Unix(1_800_000_000, 0)
	module                     = []byte("\x00asm\x01\x00\x00\x00")
)

func input() Input {
	return Input{
		Manifest: Manifest{
			Name: "hello", Version: "1.2.3-rc.1+build.7", Serial: 5, Publisher: "Example & Söhne", Issued: now.Unix() - 100, Expires: now.Unix() + 100, Runtime: "0.1.0",
			Imports: []string{"wasi_snapshot_preview1.proc_exit", "wasi_snapshot_preview1.fd_write", "wasi_snapshot_preview1.fd_write"},
			Mounts:  []Mount{{Guest: "/out", Write: true}, {Guest: "/in"}},
		},
		Module:  module,
		Assets:  fstest.MapFS{"a.txt": {Data: []byte("alpha")}, "a/b.txt": {Data: []byte("beta")}, "a-b": {}, "empty": {Mode: fs.ModeDir}},
		Signers: []Signer{alice.signer()},
	}
}

func build(t testing.TB, in Input) []byte {
	t.Helper()
	var b bytes.Buffer
	d, err := Build(&b, in)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := OpenReader(bytes.NewReader(b.Bytes()), int64(b.Len())); err != nil || p.Digest() != d {
		t.Fatalf("what was built does not open: %v", err)
	}
	return b.Bytes()
}

// verify opens and verifies b, both ways, which must agree.
func verify(t testing.TB, b []byte, ring Keyring, o VerifyOptions) (*Verified, error) {
	t.Helper()
	p, err := OpenReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, err
	}
	v, err := p.Verify(ring, o)
	o.Keep = true
	kept, keptErr := p.Verify(ring, o)
	if abi.CodeOf(err) != abi.CodeOf(keptErr) {
		t.Fatalf("streaming says %v, keeping says %v", err, keptErr)
	}
	if err != nil {
		return nil, err
	}
	for _, v := range []*Verified{v, kept} {
		m, err := v.Module()
		if err != nil || ModuleDigest(m) != v.ModuleID {
			t.Fatalf("module: %v", err)
		}
	}
	return v, nil
}

// contents reads all assets.
func contents(t interface {
	Helper()
	Fatal(...any)
}, v *Verified,
) map[string][]byte {
	t.Helper()
	files, err := v.Assets()
	if err != nil {
		t.Fatal(err)
	}
	m := map[string][]byte{}
	for name, r := range files {
		if m[name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// refused checks that err is a clean no with the code, and says where.
func refused(t testing.TB, err error, want abi.Code) *abi.Error {
	t.Helper()
	var e *abi.Error
	if !errors.As(err, &e) || e.Code != want {
		t.Fatalf("error %v (%s), want %s", err, abi.CodeOf(err), want)
	}
	info, ok := abi.LookupCode(e.Code)
	if !ok {
		t.Fatalf("code %s is not registered", e.Code)
	}
	if info.Exit == 1 && e.Where == "" {
		t.Errorf("%v names no place", e)
	}
	return e
}

func TestRoundTrip(t *testing.T) {
	b := build(t, input())
	path := filepath.Join(t.TempDir(), "hello.forgepkg")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if p.Size() != int64(len(b)) || len(p.Signatures()) != 1 || len(p.Missing()) != 0 {
		t.Errorf("size %d, signatures %v, missing %v", p.Size(), p.Signatures(), p.Missing())
	}
	v, err := p.Verify(ring, VerifyOptions{Now: now, Runtime: "0.1.0", MinSerial: 5})
	if err != nil {
		t.Fatal(err)
	}
	m := v.Manifest
	want := Manifest{
		Format: 1, Name: "hello", Version: "1.2.3-rc.1+build.7", Serial: 5, Publisher: "Example & Söhne", Issued: now.Unix() - 100, Expires: now.Unix() + 100, Runtime: "0.1.0",
		Imports: []string{"wasi_snapshot_preview1.fd_write", "wasi_snapshot_preview1.proc_exit"}, Mounts: []Mount{{Guest: "/in"}, {Guest: "/out", Write: true}},
		Blobs: m.Blobs, Signers: []abi.Digest{alice.id()},
	}
	if diff := cmp.Diff(want, *m); diff != "" {
		t.Error(diff)
	}
	if got, err := v.Module(); err != nil || !bytes.Equal(got, module) {
		t.Errorf("module %q, %v", got, err)
	}
	assets := contents(t, v)
	if diff := cmp.Diff(map[string][]byte{"a.txt": []byte("alpha"), "a/b.txt": []byte("beta"), "a-b": {}}, assets); diff != "" {
		t.Error(diff)
	}
	if len(v.Signers) != 1 || v.Signers[0] != alice.id() || v.Keys[0].Name != "alice" || v.Local || len(v.Unknown) != 0 || v.Digest != p.Digest() || v.Standing != abi.StandingSigned {
		t.Errorf("verified %+v", v)
	}
}

func TestWithoutAssets(t *testing.T) {
	in := input()
	in.Assets = nil
	v, err := verify(t, build(t, in), ring, VerifyOptions{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	if a, err := v.Assets(); a != nil || err != nil {
		t.Errorf("assets %v, %v", a, err)
	}
	in.Assets = fstest.MapFS{}
	if v, err = verify(t, build(t, in), ring, VerifyOptions{Now: now}); err != nil {
		t.Fatal(err)
	}
	if a, err := v.Assets(); a == nil || len(a) != 0 || err != nil {
		t.Errorf("an empty folder gives %v, %v", a, err)
	}
}

// TestDeterministic: the same input, whatever its order, gives the same bytes.
func TestDeterministic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-c]{1,2}(/[a-c-]{1,2}){0,2}`), 0, 8, rapid.ID[string]).Draw(t, "names")
		files := fstest.MapFS{}
		for _, n := range names {
			files[n] = &fstest.MapFile{Data: rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "data")}
		}
		for n := range files { // a file can't be a folder too
			for d := filepath.Dir(n); d != "."; d = filepath.Dir(d) {
				delete(files, d)
			}
		}
		in := input()
		in.Assets = files
		in.Signers = []Signer{alice.signer(), bob.signer()}
		var one, two bytes.Buffer
		if _, err := Build(&one, in); err != nil {
			t.Fatal(err)
		}
		in.Signers = []Signer{bob.signer(), alice.signer()}
		in.Manifest.Imports = rapid.Permutation(in.Manifest.Imports).Draw(t, "imports")
		if _, err := Build(&two, in); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(one.Bytes(), two.Bytes()) {
			t.Fatal("two builds differ")
		}
		p, err := OpenReader(bytes.NewReader(one.Bytes()), int64(one.Len()))
		if err != nil {
			t.Fatal(err)
		}
		v, err := p.Verify(ring, VerifyOptions{Now: now, Quorum: 2})
		if err != nil {
			t.Fatal(err)
		}
		got := contents(t, v)
		if len(got) != len(files) {
			t.Fatalf("%d of %d assets", len(got), len(files))
		}
		for n, f := range files {
			if !bytes.Equal(got[n], f.Data) {
				t.Fatalf("asset %q differs", n)
			}
		}
	})
}

func TestCosign(t *testing.T) {
	in := input()
	in.Cosigners = []Signer{bob.signer()}
	b := build(t, in)
	e := refused(t, errorOf(verify(t, b, ring, VerifyOptions{Now: now})), abi.CodePkgIncomplete)
	if !strings.Contains(e.What, bob.id().Short()) {
		t.Errorf("%v does not name the missing key", e)
	}
	p, err := OpenReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := p.Cosign(&out, mallory.signer()); abi.CodeOf(err) != abi.CodePkgInput {
		t.Errorf("an unnamed key signed: %v", err)
	}
	if _, err := p.Cosign(&out, alice.signer()); abi.CodeOf(err) != abi.CodePkgInput {
		t.Errorf("a key signed twice: %v", err)
	}
	out.Reset()
	d, err := p.Cosign(&out, bob.signer())
	if err != nil {
		t.Fatal(err)
	}
	v, err := verify(t, out.Bytes(), ring, VerifyOptions{Now: now, Quorum: 2})
	if err != nil {
		t.Fatal(err)
	}
	if v.Digest != d || len(v.Signers) != 2 {
		t.Errorf("verified %+v", v)
	}
	in = input()
	in.Signers = []Signer{bob.signer(), alice.signer()}
	if !bytes.Equal(build(t, in), out.Bytes()) {
		t.Error("signing one after the other gives other bytes than signing together")
	}
}

func errorOf[T any](_ T, err error) error { return err }

func TestCheckImports(t *testing.T) {
	m := &Manifest{Imports: []string{"a.x", "a.y"}}
	for _, tc := range []struct {
		imports []string
		ok      bool
	}{
		{[]string{"a.x", "a.y"}, true},
		{[]string{"a.y", "a.x", "a.y"}, true},
		{[]string{"a.x"}, false},
		{[]string{"a.x", "a.y", "a.z"}, false},
		{nil, false},
	} {
		err := CheckImports(m, tc.imports)
		if tc.ok && err != nil {
			t.Errorf("%v: %v", tc.imports, err)
		}
		if !tc.ok {
			refused(t, err, abi.CodePkgImports)
		}
	}
	if ImportName("wasi_snapshot_preview1", "fd_write") != "wasi_snapshot_preview1.fd_write" {
		t.Error("import name")
	}
}

func TestSemver(t *testing.T) {
	for s, want := range map[string]bool{
		"0.0.0": true, "1.2.3": true, "1.2.3-alpha.1": true, "1.2.3+001": true, "1.0.0-0A.is.legal": true, "1.0.0--": true, "1.2.3-a-b+c-d": true,
		"": false, "1": false, "1.2": false, "1.2.3.4": false, "01.2.3": false, "1.2.3-01": false, "1.2.3-a..b": false, "1.2.3+": false, "-1.2.3": false,
		"1.2.3 ": false, "+1.2.3": false, "1.2.4294967296": false, "1.2.3-" + strings.Repeat("a", 64): false,
	} {
		if validVersion(s) != want {
			t.Errorf("validVersion(%q) = %v", s, !want)
		}
	}
	a, _ := release("1.10.0")
	b, _ := release("1.9.9")
	if older(a, b) || !older(b, a) || older(a, a) {
		t.Error("releases compare wrongly")
	}
}

// BenchmarkVerify verifies a package with a module of 4 MiB, a Go program's size.
func BenchmarkVerify(b *testing.B) {
	in := input()
	in.Module = make([]byte, 4<<20)
	pkg := build(b, in)
	for _, keep := range []bool{false, true} {
		b.Run(map[bool]string{false: "stream", true: "keep"}[keep], func(b *testing.B) {
			b.SetBytes(int64(len(pkg)))
			b.ReportAllocs()
			for b.Loop() {
				p, err := OpenReader(bytes.NewReader(pkg), int64(len(pkg)))
				if err != nil {
					b.Fatal(err)
				}
				if _, err := p.Verify(ring, VerifyOptions{Now: now, Keep: keep}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
