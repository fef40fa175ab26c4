package kernel_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/forgepkg"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/config"
	"github.com/forgeone/forgeone/internal/kernel"
	"github.com/forgeone/forgeone/internal/rewrite"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/trace"
	"github.com/forgeone/forgeone/internal/wasmtest"
)

// TestNotRunnable: what can't run is refused before a run begins.
func TestNotRunnable(t *testing.T) {
	n := newNode(t)
	if err := os.WriteFile(n.guest("text"), []byte("no module at all"), 0o600); err != nil {
		t.Fatal(err)
	}
	for guest, want := range map[string]abi.Code{
		"library": "F1-MOD-101", "huge": "F1-RUN-123", "text": "F1-RUN-128", "none": "F1-RUN-127",
	} {
		var out bytes.Buffer
		target := n.guest(guest)
		if guest == "none" {
			target = "none"
		}
		if _, err := n.Run(t.Context(), spec(target, &out)); abi.CodeOf(err) != want {
			t.Errorf("%s: %v, want %s", guest, err, want)
		}
	}
	n.View(func(s *brain.State) {
		if len(s.Runs()) != 0 {
			t.Errorf("%d runs are in the log", len(s.Runs()))
		}
	})
}

// packed packs a guest with the node's developer key.
func (n *node) packed(guest string, serial uint64) string { return n.expiring(guest, serial, 0) }

// expiring is packed with a time of expiry.
func (n *node) expiring(guest string, serial uint64, expires int64) string {
	n.t.Helper()
	m := wasmtest.Guests()[guest]
	info, err := rewrite.Inspect(m, rewrite.DefaultCaps())
	if err != nil {
		n.t.Fatal(err)
	}
	var b bytes.Buffer
	_, err = forgepkg.Build(&b, forgepkg.Input{
		Manifest: forgepkg.Manifest{Name: "app", Version: "1.0.0", Serial: serial, Issued: 1, Expires: expires, Imports: kernel.ImportNames(info)},
		Module:   m, Signers: []forgepkg.Signer{forgepkg.SignerOf(n.Keys().Developer)},
	})
	if err != nil {
		n.t.Fatal(err)
	}
	file := filepath.Join(n.t.TempDir(), "app.forgepkg")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		n.t.Fatal(err)
	}
	return file
}

// TestInstallMends: installing again what is damaged on disk mends it.
func TestInstallMends(t *testing.T) {
	n := newNode(t)
	file := n.packed("exit", 1)
	v, err := n.Install(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(n.Home().Packages(), v.Digest.Hex()+".forgepkg")
	b, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-1] ^= 1
	if err := os.WriteFile(kept, b, 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := n.Run(t.Context(), spec("app", &out)); err == nil {
		t.Fatal("a damaged package runs")
	}
	if _, err := n.Install(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	if r, _ := n.run(kernel.Spec{Target: "app"}); r.Exit != 7 {
		t.Errorf("%+v", r)
	}
	n.View(func(s *brain.State) {
		if ps := s.Packages(); len(ps) != 1 {
			t.Errorf("installed: %+v", ps)
		}
	})
	if err := n.Uninstall(t.Context(), "app"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(kept); !os.IsNotExist(err) {
		t.Errorf("the file of an uninstalled package: %v", err)
	}
	if err := n.Uninstall(t.Context(), "app"); abi.CodeOf(err) != "F1-PKG-054" {
		t.Errorf("uninstalled twice: %v", err)
	}
	if _, err := n.Install(t.Context(), n.packed("hello", 1)); err != nil {
		t.Errorf("another package of the same serial, after the first was removed: %v", err)
	}
}

// TestKeyring: the node's own key stays, and the developer key comes back as
// what it was.
func TestKeyring(t *testing.T) {
	n := newNode(t)
	if _, err := n.Act(t.Context(), n.RemoveKey(kernel.NodeKey)); abi.CodeOf(err) != "F1-KEY-053" {
		t.Errorf("the node's key: %v", err)
	}
	dev := n.Keys().Developer.Public()
	if _, err := n.Act(t.Context(), n.RemoveKey(kernel.DeveloperKey)); err != nil {
		t.Fatal(err)
	}
	e := abi.KeyAdd{Name: "again", Role: abi.RolePublisher, Alg: "ed25519", Public: dev, ID: dev.ID()}
	if _, err := n.Act(t.Context(), n.AddKey(e)); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Act(t.Context(), n.AddKey(abi.KeyAdd{Name: "other", Role: abi.RoleOperator, Alg: "ed25519", Public: dev, ID: dev.ID()})); abi.CodeOf(err) != "F1-KEY-050" {
		t.Errorf("one key in two roles: %v", err)
	}
	for _, role := range []abi.Role{abi.RolePublisher, abi.RoleOperator} {
		log := n.LogKey()
		if _, err := n.Act(t.Context(), n.AddKey(abi.KeyAdd{Name: "log", Role: role, Alg: "ed25519", Public: log, ID: log.ID()})); abi.CodeOf(err) != "F1-KEY-050" {
			t.Errorf("the log's key as %s: %v", role, err)
		}
	}
	stranger, err := seal.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	pub := stranger.Public()
	if _, err := n.Act(t.Context(), n.AddKey(abi.KeyAdd{Name: "-x", Role: abi.RolePublisher, Alg: "ed25519", Public: pub, ID: pub.ID()})); abi.CodeOf(err) != "F1-KEY-045" {
		t.Errorf("a name that looks like a flag: %v", err)
	}
	itself := evidence.NoteKey{Name: "w.example", Type: evidence.SigWitness, Key: n.LogKey()}
	if _, err := n.Act(t.Context(), n.AddWitness(itself, "")); abi.CodeOf(err) != "F1-KEY-050" {
		t.Errorf("the log as its own witness: %v", err)
	}
	v, err := n.Install(t.Context(), n.packed("exit", 1))
	if err != nil || v.Trust.P != 50 {
		t.Errorf("signed by the developer key that came back: %+v %v", v, err)
	}
	n.verify()
}

// TestDeadRuns: a run whose process is gone is closed by the next run, also by
// a process that was there all along.
func TestDeadRuns(t *testing.T) {
	n := newNode(t)
	dying := openKernel(t, string(n.Home()))
	// A second kernel starts a run and never ends it: its recording is let go of
	// as if its process had died.
	id := dying.StartAndDie(t.Context(), n.guest("hello"))
	if err := n.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	n.run(kernel.Spec{Target: n.guest("exit")})
	n.View(func(s *brain.State) {
		r, ok := s.Run(id)
		if !ok || r.Outcome != abi.OutcomeAborted || len(s.OpenRuns()) != 0 {
			t.Errorf("%+v, %d open", r, len(s.OpenRuns()))
		}
	})
	if _, err := n.LoadReplay(t.Context(), must(n.FindRun(string(id)))); abi.CodeOf(err) != trace.CodeUnsealed {
		t.Errorf("an aborted run replays: %v", err)
	}
	n.verify()
}

func must(r brain.Run, err error) brain.Run {
	if err != nil {
		panic(err)
	}
	return r
}

// TestOneSerial: of two packages of one serial one is installed, whoever verified before
// the other was.
func TestOneSerial(t *testing.T) {
	n := newNode(t)
	other := openKernel(t, string(n.Home())) // which has seen none of it
	if _, err := n.Install(t.Context(), n.packed("exit", 5)); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Install(t.Context(), n.packed("hello", 5)); abi.CodeOf(err) != "F1-PKG-051" {
		t.Error(err)
	}
}

// TestConfigBinds: what another process put in force binds a node that was open already.
func TestConfigBinds(t *testing.T) {
	n := newNode(t)
	text := bytes.Replace(config.Default(), []byte("bare_modules: allow"), []byte("bare_modules: refuse"), 1)
	if bytes.Equal(text, config.Default()) {
		t.Fatal("the default is written otherwise")
	}
	if _, err := kernel.Init(t.Context(), kernel.InitOptions{Home: string(n.Home()), File: "c", Text: text}); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Run(t.Context(), kernel.Spec{Target: n.guest("hello")}); abi.CodeOf(err) != "F1-CFG-060" {
		t.Errorf("a bare module: %v", err)
	}
	if _, err := n.Install(t.Context(), n.packed("exit", 1)); abi.CodeOf(err) != "F1-CFG-060" {
		t.Errorf("a package: %v", err)
	}
	n.Kernel = openKernel(t, string(n.Home()))
	if _, err := n.Run(t.Context(), kernel.Spec{Target: n.guest("hello")}); err == nil || abi.CodeOf(err) == "F1-CFG-060" {
		t.Errorf("opened again, a bare module: %v", err)
	}
	if _, err := n.Install(t.Context(), n.packed("exit", 1)); err != nil {
		t.Error(err)
	}
}

// TestConfigInterrupted: wherever init was when its process died, the configuration that
// the log names is the one that a node starts under, and what init is told next happens.
func TestConfigInterrupted(t *testing.T) {
	n := newNode(t)
	home := string(n.Home())
	text := func(retention string) []byte {
		return fmt.Appendf(nil, "format: 1\nretention: {total: %s, workload: 4KiB}\n", retention)
	}
	put := func(text []byte) {
		t.Helper()
		if _, err := kernel.Init(t.Context(), kernel.InitOptions{Home: home, File: "c", Text: text}); err != nil {
			t.Fatal(err)
		}
	}
	read := func(path string) []byte {
		t.Helper()
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	write := func(path string, b []byte) {
		t.Helper()
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	inForce := func(what string, text []byte) {
		t.Helper()
		if k := openKernel(t, home); k.Config().Digest() != config.Digest(text) {
			t.Errorf("%s: another one is in force", what)
		}
	}
	place, beside := n.Home().Config(), n.Home().NextConfig()
	put(text("5KiB"))
	five := read(place)
	put(text("6KiB"))
	six := read(place)
	// After the record, before the new one took its place.
	write(place, five)
	write(beside, six)
	inForce("recorded", text("6KiB"))
	if !bytes.Equal(read(place), six) {
		t.Error("who opened did not finish")
	}
	write(place, five)
	write(beside, six)
	put(nil) // which keeps what is in force
	inForce("recorded, then init", text("6KiB"))
	write(place, five)
	write(beside, six)
	put(text("5KiB")) // back to the one before
	inForce("recorded, then the old one", text("5KiB"))
	// Before the record.
	write(beside, six)
	inForce("not recorded", text("5KiB"))
	put(nil)
	inForce("not recorded, then init", text("5KiB"))
	write(beside, six)
	put(text("6KiB"))
	inForce("not recorded, then again", text("6KiB"))
	// One that lies beside, and is not signed, is nobody's.
	write(beside, text("7KiB"))
	inForce("not signed", text("6KiB"))
	// An old one put back is refused, as ever.
	write(place, five)
	if err := os.Remove(beside); err != nil {
		t.Fatal(err)
	}
	if _, err := kernel.Open(t.Context(), kernel.Options{Home: home}); abi.CodeOf(err) != "F1-CFG-053" {
		t.Errorf("an old one: %v", err)
	}
	put(text("7KiB")) // as the hint says
	inForce("put in force again", text("7KiB"))
}

// TestUnusedPackages: files of packages that are not installed go, and no others.
func TestUnusedPackages(t *testing.T) {
	n := newNode(t)
	for serial := range uint64(3) {
		if _, err := n.Install(t.Context(), n.packed("exit", serial+1)); err != nil {
			t.Fatal(err)
		}
	}
	other := filepath.Join(n.Home().Packages(), "notes.txt")
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dry := range []bool{true, false} {
		p, err := n.Prune(t.Context(), dry)
		if err != nil || p.Tidied.Packages.Files != 2 || p.Tidied.Packages.Bytes == 0 {
			t.Fatalf("%+v, %v", p, err)
		}
	}
	if p, err := n.Prune(t.Context(), false); err != nil || p.Tidied.Packages.Files != 0 {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := os.Stat(other); err != nil {
		t.Error(err)
	}
	if r, _ := n.run(kernel.Spec{Target: "app"}); r.Exit != 7 {
		t.Errorf("%+v", r)
	}
}

// TestTooManyWitnesses: there is room for the lines of all that a log has.
func TestTooManyWitnesses(t *testing.T) {
	n := newNode(t)
	for i := range 33 {
		key, err := seal.GenerateKey()
		if err != nil {
			t.Fatal(err)
		}
		w := evidence.NoteKey{Name: fmt.Sprintf("w%02d.example", i), Type: evidence.SigWitness, Key: key.Public()}
		if _, err := n.Act(t.Context(), n.AddWitness(w, "http://127.0.0.1:9")); i < 32 && err != nil || i == 32 && abi.CodeOf(err) != "F1-WIT-019" {
			t.Fatalf("witness %d: %v", i, err)
		}
	}
}
