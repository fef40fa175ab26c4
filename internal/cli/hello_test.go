package cli

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// toolchain is the one that built hello.wasm. To build it anew after a change:
//
//	go test ./internal/cli -run TestHello -update
const toolchain = "go1.26.8"

// TestHello builds examples/hello again and compares it with what the binary carries.
func TestHello(t *testing.T) {
	out := filepath.Join(t.TempDir(), "hello.wasm")
	c := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", out, "../../examples/hello")
	c.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=", "GOWASM=", "GOTOOLCHAIN="+toolchain)
	if b, err := exec.Command("go", "env", "GOVERSION").Output(); err == nil && string(bytes.TrimSpace(b)) == toolchain {
		c.Env = append(c.Env, "GOTOOLCHAIN=local")
	}
	if b, err := c.CombinedOutput(); err != nil {
		t.Fatalf("build hello with %s: %v\n%s", toolchain, err, b)
	}
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("hello.wasm", got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(got, hello) {
		t.Errorf("hello.wasm (%d bytes) is not what examples/hello builds to (%d bytes): go test ./internal/cli -run TestHello -update", len(hello), len(got))
	}
}
