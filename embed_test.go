package forgeone_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// build builds package pkg of the module in examples/embed, offline.
func build(t *testing.T, out, pkg string, env ...string) {
	t.Helper()
	c := exec.Command("go", "build", "-o", out, pkg)
	c.Dir = filepath.Join("examples", "embed")
	c.Env = append(append(os.Environ(), "GOPROXY=off", "GOWORK=off"), env...)
	if b, err := c.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", pkg, err, b)
	}
}

// TestEmbed builds a program of another module against the façade, and runs an
// untrusted guest with it.
func TestEmbed(t *testing.T) {
	dir := t.TempDir()
	program, wasm, data := filepath.Join(dir, "embed"), filepath.Join(dir, "guest.wasm"), filepath.Join(dir, "data")
	build(t, program, ".", "CGO_ENABLED=0")
	build(t, wasm, "./guest", "GOOS=wasip1", "GOARCH=wasm")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(data, "greeting.txt")
	if err := os.WriteFile(file, []byte("good day"), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := exec.Command(program, wasm, data).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	for _, want := range []string{
		`/data/greeting.txt: "good day", <nil>`,
		`run: exit, exit code 0`,
		`denied: path_open "/etc/passwd": no grant`,
		`hint: --mount`,
		`denied: path_open_write "/data/greeting.txt": read-only`,
		`replay: identical true`,
		`records verify`,
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("no %q in:\n%s", want, b)
		}
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != "good day" {
		t.Errorf("the guest wrote to a read-only mount: %q, %v", got, err)
	}
}
