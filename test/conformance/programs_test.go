package conformance

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// module returns the program's module and what is to be mounted at /usr, if
// anything.
func (g guest) module(t *testing.T) (wasm, usr string) {
	t.Helper()
	if g.pkg != "" {
		return program(t, g.dir, g.pkg, g.name()), ""
	}
	wasm = filepath.Join(runno, g.file)
	if _, err := os.Stat(wasm); err != nil {
		t.Fatalf("%v\nscripts/need conformance", err)
	}
	if g.needs != "" {
		dir := t.TempDir()
		if d := start(t, nil, "tar", "-xzf", filepath.Join(runno, g.needs), "-C", dir); d.code != 0 {
			t.Fatal(d.stderr)
		}
		usr = filepath.Join(dir, "usr")
	}
	return wasm, usr
}

// files reads all below dir.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	m := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		b, err := os.ReadFile(p)
		m[filepath.ToSlash(rel)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestPrograms runs real programs under the default admission, policy and recording. They write what
// they write on bare wazero, leave the same files, and replay identically: without
// the files that they read and made.
func TestPrograms(t *testing.T) {
	if testing.Short() {
		t.Skip("by `make conformance`")
	}
	n, figures, costs := theNode(t), &table{}, &costs{}
	t.Cleanup(func() {
		costs.log(t)
		figures.log(t)
	})
	for _, g := range guests {
		t.Run(g.name(), func(t *testing.T) { g.run(t, n, figures, costs) })
	}
}

func (g guest) run(t *testing.T, n node, figures *table, costs *costs) {
	wasm, usr := g.module(t)
	here, there := t.TempDir(), t.TempDir()
	in := filepath.Join(t.TempDir(), "in")
	if err := os.CopyFS(in, os.DirFS("testdata/in")); err != nil {
		t.Fatal(err)
	}
	flags := []string{"--mount", in + ":/in:ro", "--mount", here + ":/work:rw", "--env", "PYTHONDONTWRITEBYTECODE=1"}
	// esbuild wants a folder "/"; there always is one here.
	theirs := []string{"-mount=" + t.TempDir() + ":/", "-mount=" + in + ":/in:ro", "-mount=" + there + ":/work", "-env=PYTHONDONTWRITEBYTECODE=1"}
	if usr != "" {
		flags = append(flags, "--mount", usr+":/usr:ro")
		theirs = append(theirs, "-mount="+usr+":/usr:ro")
	}
	c := n.compiles(t, g.name(), wasm, flags, g.args...)
	clear := func(dir string) {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	bare(t, wasm, theirs, g.args...)
	clear(here)
	clear(there)

	r, rival := n.run(t, wasm, flags, g.args...), bare(t, wasm, theirs, g.args...)
	costs.add(c, r)
	if r.code != g.code || r.Outcome != "exit" {
		t.Errorf("%s %d\n%s", r.Outcome, r.code, tail(r.stderr))
	}
	if r.stdout != rival.stdout || r.code != rival.code {
		t.Errorf("here, exit %d:\n%s\non bare wazero, exit %d:\n%s", r.code, tail(r.stdout), rival.code, tail(rival.stdout))
	}
	for _, line := range g.want {
		if !strings.Contains(r.stdout+r.stderr, line) {
			t.Errorf("no %q in\n%s%s", line, tail(r.stdout), tail(r.stderr))
		}
	}
	made, others := files(t, here), files(t, there)
	for _, name := range g.makes {
		if made[name] == "" {
			t.Errorf("%s was not made", name)
		}
	}
	if !maps.Equal(made, others) {
		t.Errorf("made %q, on bare wazero %q, or they differ in what they hold", slices.Sorted(maps.Keys(made)), slices.Sorted(maps.Keys(others)))
	}
	// A replay needs nothing of the machine.
	clear(in)
	clear(here)
	figures.add(row{
		name: g.name(), calls: r.Calls,
		here: r.took, on: rival.took, back: n.replay(t, r), recording: n.recording(t, r),
	})
	if made := files(t, here); len(made) != 0 {
		t.Errorf("the replay made %q", slices.Sorted(maps.Keys(made)))
	}
}

// TestForeign hands over programs made for interfaces that there are not, which
// the same package has: each is refused by name, with the way out.
func TestForeign(t *testing.T) {
	if testing.Short() {
		t.Skip("by `make conformance`")
	}
	n := theNode(t)
	for file, want := range map[string]string{
		"sqlite.wasm":           "F1-MOD-008",
		"clang.wasm":            "F1-MOD-008",
		"wasm-ld.wasm":          "F1-MOD-008",
		"wasmedge_quickjs.wasm": `"sock_open"`,
	} {
		d := n.command(t, "run", filepath.Join(runno, file))
		if d.code != 126 && d.code != 125 || !strings.Contains(d.stderr, want) || !strings.Contains(d.stderr, "hint: ") {
			t.Errorf("%s: exit %d\n%s", file, d.code, tail(d.stderr))
		}
	}
}
