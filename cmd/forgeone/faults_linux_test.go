package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/forgeone/forgeone/internal/wasmtest"
)

// A changing command is one that changes what is on the disk. Each is met by each fault
// at each of its steps.
type changing struct {
	name    string
	before  []string // commands that lead up to it
	command string
	// again are the codes with which the same command may answer when what it does was
	// done, although it was killed or said that it failed.
	again []string
	// holds is what holds once it has succeeded: commands of a shell that must succeed.
	holds []string
}

// changingCommands are all commands that change something, with what is theirs to keep.
func changingCommands() []changing {
	const install1 = "forgeone install app1.forgepkg"
	return []changing{
		{name: "init", before: []string{"rm -r home"}, command: "init", holds: []string{"forgeone config show"}},
		{
			name: "init config", command: "init --config small.yaml",
			holds: []string{"forgeone config show | grep -q 77KiB"},
		},
		{name: "keygen", command: "keygen -o new.key", again: []string{"F1-KEY-0"}, holds: []string{"forgeone pack hello.wasm -o n.forgepkg --name n --version 1.0.0 --key new.key"}},
		{name: "pack", command: "pack hello.wasm -o new.forgepkg --name app --version 3.0.0 --key acme.key", holds: []string{"forgeone verify new.forgepkg"}},
		{name: "key add", command: "key add other.pub --role publisher", again: []string{"F1-KEY-050"}, holds: []string{"forgeone verify other.forgepkg"}},
		{
			name: "key remove", before: []string{install1}, command: "key remove acme", again: []string{"F1-KEY-0"},
			holds: []string{"! forgeone run -q app", "! forgeone verify app1.forgepkg"},
		},
		{
			name: "key revoke", before: []string{install1}, command: "key revoke acme --reason lost", again: []string{"F1-KEY-0"},
			holds: []string{"! forgeone run -q app", "! forgeone key add acme.pub --role publisher"},
		},
		{
			name: "key threshold", before: []string{"forgeone key add ops.pub --role operator"}, command: "key threshold 2", again: []string{"F1-KEY-0"},
			holds: []string{"! forgeone key add other.pub --role publisher"},
		},
		{
			name: "key draft", before: []string{"forgeone key add ops.pub --role operator", "forgeone key threshold 2"},
			command: "key add other.pub --role publisher --draft change.act", again: []string{"F1-KEY-0", "F1-CLI-"},
			holds: []string{"forgeone key sign change.act --key ops.key"},
		},
		{
			name: "key sign", before: []string{"forgeone key add ops.pub --role operator", "forgeone key threshold 2", "forgeone key add other.pub --role publisher --draft change.act"},
			command: "key sign change.act --key ops.key", again: []string{"F1-KEY-0"},
			holds: []string{"forgeone key sign change.act && forgeone key apply change.act"},
		},
		{
			name: "key apply", before: []string{"forgeone key add ops.pub --role operator", "forgeone key threshold 2", "forgeone key add other.pub --role publisher --draft change.act", "forgeone key sign change.act --key ops.key", "forgeone key sign change.act"},
			command: "key apply change.act", again: []string{"F1-KEY-0"},
			holds: []string{"forgeone verify other.forgepkg"},
		},
		{name: "key rotate", command: "key rotate", holds: []string{"forgeone replay last"}},
		{
			name: "key protect", command: "key protect --unlock pass --age-recipient " + recipient, again: []string{"F1-KEY-0"},
			holds: []string{"! grep -rq 'PRIVATE KEY' home/keys", "FORGEONE_UNLOCK=pass forgeone run -q hello.wasm"},
		},
		{
			name: "key unprotect", before: []string{"forgeone key protect --unlock pass --age-recipient " + recipient}, command: "key unprotect --unlock pass", again: []string{"F1-KEY-0"},
			holds: []string{"forgeone run -q hello.wasm", "forgeone key protect --unlock pass --age-recipient " + recipient, "! grep -rq 'PRIVATE KEY' home/keys"},
		},
		{name: "install", command: "install app1.forgepkg", holds: []string{"forgeone run -q app"}},
		{
			name: "install newer", before: []string{install1}, command: "install app2.forgepkg",
			holds: []string{"! forgeone install app1.forgepkg", "! forgeone run -q app1.forgepkg", "forgeone run -q app"},
		},
		{
			name: "run newer", before: []string{install1}, command: "run -q app2.forgepkg",
			holds: []string{"forgeone run -q app2.forgepkg"},
		},
		{
			name: "downgrade", before: []string{install1, "forgeone install app2.forgepkg"}, command: "downgrade app --to 1000000",
			holds: []string{"forgeone install app1.forgepkg"}, again: []string{"F1-PKG-0"},
		},
		{
			name: "uninstall", before: []string{install1}, command: "uninstall app", again: []string{"F1-PKG-0"},
			holds: []string{"! forgeone run -q app"},
		},
		{
			name: "revoke make", command: "revoke make --key acme.key -o new.list --package app1.forgepkg", again: []string{"F1-REV-0", "F1-CLI-"},
			holds: []string{"forgeone revoke import new.list", "! forgeone verify app1.forgepkg"},
		},
		{
			name: "revoke import", before: []string{install1}, command: "revoke import acme.list",
			holds: []string{"! forgeone run -q app", "! forgeone verify app1.forgepkg"},
		},
		{name: "run", command: "run hello.wasm", holds: []string{"forgeone replay last"}},
		{name: "run denied", command: "run deny.wasm", holds: []string{"forgeone replay last"}},
		{name: "run under policy", command: "run --policy p.cedar write.wasm --mount data:/data:rw", holds: []string{"forgeone replay last"}},
		{name: "run uncompiled", before: []string{"rm -r home/cache"}, command: "run hello.wasm", holds: []string{"forgeone replay last"}},
		{name: "hold", command: "hold last", again: []string{"F1-"}, holds: []string{"forgeone unhold last"}},
		{name: "unhold", before: []string{"forgeone hold last"}, command: "unhold last", again: []string{"F1-"}, holds: []string{"forgeone hold last"}},
		{
			name: "prune", before: []string{"for i in 1 2 3 4 5 6; do forgeone run -q deny.wasm; done", "forgeone init --config tiny.yaml"},
			command: "prune", holds: []string{"forgeone prune --dry-run"},
		},
		{name: "log export", command: "log export --tiles out", holds: []string{"forgeone log verify --key log.pub out"}},
		{name: "log prove", command: "log prove 1 --out new.proof", again: []string{"F1-"}, holds: []string{"forgeone log verify --key log.pub new.proof"}},
		{name: "witness add", command: "log witness add w1/vkey http://127.0.0.1:9", again: []string{"F1-"}, holds: []string{"forgeone log witness list"}},
	}
}

// An age identity of these tests, and its recipient: a passphrase takes a second.
const (
	identity  = "AGE-SECRET-KEY-10FM2U3R6463D2R3HQ8DJXDD9RZ8XDZKMVUQ4N3F84ZMXNKGCGCDQGX3EP8"
	recipient = "age1f3fsj3y4s2uwe66lqs5nye3qwty0mrfu2xsvvsgpgxc3hls6555slasvpf"
)

// sharedFiles makes the folder that each trial gets a copy of.
func sharedFiles(t *testing.T, root string) {
	t.Helper()
	guests := wasmtest.Guests()
	files := map[string][]byte{
		"hello.wasm": guests["hello"], "deny.wasm": guests["deny"], "write.wasm": writer(),
		"pass": []byte(identity + "\n"), "data/kept": []byte("kept\n"),
		"small.yaml": []byte("format: 1\nlimits: {scratch: 77KiB}\n"),
		"tiny.yaml":  []byte("format: 1\nretention: {total: 4KiB, workload: 4KiB}\n"),
		"p.cedar":    []byte("permit (principal, action, resource);\n"),
	}
	for name, b := range files {
		p := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o700), os.WriteFile(p, b, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	sh(t, root,
		"forgeone keygen -o acme.key > acme.pub",
		"forgeone keygen -o other.key > other.pub",
		"forgeone keygen -o ops.key > ops.pub",
		"forgeone init",
		"forgeone key add acme.pub --role publisher",
		"forgeone pack hello.wasm -o app1.forgepkg --name app --version 1.0.0 --key acme.key",
		"forgeone pack hello.wasm -o app2.forgepkg --name app --version 2.0.0 --key acme.key",
		"forgeone pack hello.wasm -o other.forgepkg --name other --version 1.0.0 --key other.key",
		"forgeone revoke make --key acme.key -o acme.list --package app1.forgepkg",
		"forgeone key export --public --role log > log.pub",
		"forgeone log witness serve --listen 127.0.0.1:0 --dir w1 --name w.example.org > /dev/null & until test -s w1/vkey; do sleep 0.05; done; kill $!",
		"forgeone run -q hello.wasm", "forgeone run -q deny.wasm", "forgeone run -q write.wasm --mount data:/data:rw", "rm data/new",
	)
}

// writer is a guest that makes a file in its first mount, and writes to it.
func writer() []byte {
	return wasmtest.Module{
		MinPages: 1,
		Imports:  []wasmtest.Import{wasmtest.PathOpen, wasmtest.FdWrite},
		Data: []wasmtest.Data{
			{Offset: 0, Bytes: []byte{0, 4, 0, 0, 5, 0, 0, 0}}, {Offset: 1024, Bytes: []byte("bytes")}, {Offset: 256, Bytes: []byte("data/new")},
		},
		Funcs: []wasmtest.Func{{Export: "_start", Body: wasmtest.Cat(
			wasmtest.Const(3), wasmtest.Const(0), wasmtest.Const(256), wasmtest.Const(8), wasmtest.Const(1), wasmtest.Const64(64), wasmtest.Const64(0), wasmtest.Const(0), wasmtest.Const(512),
			wasmtest.Call(0), wasmtest.Drop,
			wasmtest.Const(512), wasmtest.Load, wasmtest.Const(0), wasmtest.Const(1), wasmtest.Const(516), wasmtest.Call(1), wasmtest.Drop,
		)}},
	}.Bytes()
}

func environment(root string) []string {
	return []string{
		"HOME=" + filepath.Join(root, "user"), "FORGEONE_HOME=" + filepath.Join(root, "home"),
		"XDG_STATE_HOME=", "FORGEONE_UNLOCK=", "SOURCE_DATE_EPOCH=1700000000",
	}
}

// sh runs lines of a shell, each of which must succeed.
func sh(t *testing.T, root string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if out, err := shell(root, line); err != nil {
			t.Fatalf("%s: %v\n%s", line, err, out)
		}
	}
}

func shell(root, line string) ([]byte, error) {
	c := exec.Command("sh", "-c", line)
	c.Dir, c.Env = root, append(os.Environ(), environment(root)...)
	return c.CombinedOutput()
}

// copyTree copies a folder, all of it.
func copyTree(t *testing.T, dst, src string) {
	t.Helper()
	if err := os.CopyFS(dst, os.DirFS(src)); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(src, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return os.Chmod(filepath.Join(dst, strings.TrimPrefix(p, src)), info.Mode().Perm())
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestFaultsAtEachStep has each command that changes something killed, torn, and met by
// a full and by a failing disk, at each of its steps. Whatever it had come to: what it
// said is so, an error has a code, and nothing is lost; the node is sound, the same
// command ends what it began, and what protected before does so still; nothing is left
// lying about. `make soak` takes each step, a test some of them.
func TestFaultsAtEachStep(t *testing.T) {
	base := filepath.Join(t.TempDir(), "base")
	if err := os.Mkdir(base, 0o700); err != nil {
		t.Fatal(err)
	}
	sharedFiles(t, base)
	for _, c := range changingCommands() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.meet(t, base)
		})
	}
}

func (c changing) meet(t *testing.T, base string) {
	template := filepath.Join(t.TempDir(), "template")
	copyTree(t, template, base)
	sh(t, template, c.before...)
	root := c.trial(t, template)
	clean := step(t, root, environment(root), fault{}, strings.Fields(c.command)...)
	if clean.code != 0 {
		t.Fatalf("forgeone %s: exit %d\n%s", c.command, clean.code, clean.out)
	}
	if clean.steps == 0 {
		t.Fatalf("forgeone %s changes nothing", c.command)
	}
	if err := c.kept(root); err != nil {
		t.Fatal(err)
	}
	ok, err := health(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d steps: %s", clean.steps, strings.Join(clean.names, ", "))
	_ = os.RemoveAll(root)

	for _, f := range faults(clean) {
		root := c.trial(t, template)
		met := step(t, root, environment(root), f, strings.Fields(c.command)...)
		where := "the end"
		if f.at <= len(met.names) {
			where = met.names[f.at-1]
		}
		if err := c.sound(root, met, ok); err != nil {
			t.Errorf("%s at step %d of %d (%s), exit %d: %v\nit said: %s", f.name, f.at, clean.steps, where, met.code, err, met.out)
		}
		_ = os.RemoveAll(root)
	}
}

func (c changing) trial(t *testing.T, template string) string {
	root, err := os.MkdirTemp(filepath.Dir(template), "trial")
	if err != nil {
		t.Fatal(err)
	}
	copyTree(t, root, template)
	return root
}

// faults are those that a command with these steps meets: all in a soak, else a few.
func faults(clean stepped) []fault {
	var all []fault
	for i, name := range clean.names {
		all = append(all, fault{"killed", i + 1, killed})
		switch what, _, _ := strings.Cut(name, " "); what {
		case "write":
			all = append(all, fault{"torn", i + 1, torn}, fault{"disk full", i + 1, full})
		case "sync":
			all = append(all, fault{"disk failing", i + 1, failing})
		case "unlink", "truncate":
		default:
			all = append(all, fault{"disk full", i + 1, full})
		}
	}
	if os.Getenv("FORGEONE_SOAK") != "" {
		return all
	}
	var some []fault
	for i := range 4 {
		some = append(some, all[len(all)*(2*i+1)/8])
	}
	return some
}

// kept says whether what the command promises holds.
func (c changing) kept(root string) error {
	for _, line := range c.holds {
		if out, err := shell(root, line); err != nil {
			return fmt.Errorf("%s: %w\n%s", line, err, out)
		}
	}
	return nil
}

var code = regexp.MustCompile(`\[(F1-[A-Z]+-\d{3})\]`)

// A healthy node is one that runs and verifies.
type healthy struct {
	fails string          // what doctor does not like, which the command itself brought about
	kinds map[string]bool // of files
}

var failed = regexp.MustCompile(`(?m)^FAIL +(\S+)`)

// health has the node's own commands look at it, and use it.
func health(root string) (h healthy, err error) {
	unlocked := "" // by whatever opens the keys now
	if out, err := shell(root, "forgeone runs"); err != nil && bytes.Contains(out, []byte("F1-KEY-008")) {
		unlocked = "FORGEONE_UNLOCK=pass "
	}
	out, _ := shell(root, unlocked+"forgeone doctor") // its exit code says what its lines say
	if !bytes.Contains(out, []byte("modules")) {
		return h, fmt.Errorf("doctor stops\n%s", out)
	}
	for _, m := range failed.FindAllSubmatch(out, -1) {
		h.fails += string(m[1]) + " "
	}
	for _, line := range []string{"forgeone log verify --semantics", "forgeone run -q hello.wasm", "forgeone replay last", "forgeone prune"} {
		if out, err := shell(root, unlocked+line); err != nil {
			return h, fmt.Errorf("%s: %w\n%s", line, err, out)
		}
	}
	h.kinds = kindsOf(root)
	return h, nil
}

// sound says whether all is well after a command that met a fault, as it is after one
// that met none.
func (c changing) sound(root string, met stepped, clean healthy) error {
	if strings.Contains(met.out, "goroutine ") || strings.Contains(met.out, "panic") {
		return errors.New("it panics")
	}
	switch {
	case met.code == 0:
		if err := c.kept(root); err != nil {
			return fmt.Errorf("it said that it was done: %w", err)
		}
	case met.code > 0 && met.hit && (!code.MatchString(met.out) || strings.Contains(met.out, "F1-CLI-003")):
		return errors.New("it says no code of its own")
	}
	if met.code != 0 {
		if out, err := shell(root, "forgeone "+c.command); err != nil && !c.may(out) {
			return fmt.Errorf("again: %w\n%s", err, out)
		}
		if err := c.kept(root); err != nil {
			return fmt.Errorf("after it was called again: %w", err)
		}
	}
	h, err := health(root)
	if err != nil {
		return err
	}
	if h.fails != clean.fails {
		return fmt.Errorf("doctor: %q, without a fault %q", h.fails, clean.fails)
	}
	for kind := range h.kinds {
		if !clean.kinds[kind] && !(met.code == -1 && own.MatchString(kind)) {
			return fmt.Errorf("left lying about: %s", kind)
		}
	}
	return nil
}

// own is what is left for a reason: an operator's file in the making, and the torn end of
// the log, which the log keeps and names.
var own = regexp.MustCompile(`^/(out/)?\..*\.tmp|^/home/log/torn-`)

func (c changing) may(out []byte) bool {
	m := code.FindSubmatch(out)
	if m == nil {
		return false
	}
	for _, prefix := range c.again {
		if bytes.HasPrefix(m[1], []byte(prefix)) {
			return true
		}
	}
	return false
}

var varying = regexp.MustCompile(`[0-9a-f]{8,}|\d+`)

// kindsOf is which kinds of files there are: their names without what differs from
// trial to trial.
func kindsOf(root string) map[string]bool {
	kinds := map[string]bool{}
	_ = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			kinds[varying.ReplaceAllString(strings.TrimPrefix(p, root), "*")] = true
		}
		return nil // what goes meanwhile is not there
	})
	return kinds
}
