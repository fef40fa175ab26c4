package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// Packages that are built for the benchmark.
const (
	callsPkg    = "./guests/calls"
	helloPkg    = "github.com/forgeone/forgeone/examples/hello"
	forgeonePkg = "github.com/forgeone/forgeone/cmd/forgeone"
	wazeroPkg   = "github.com/tetratelabs/wazero/cmd/wazero"
)

// guest builds pkg for wasip1, once, and returns the module's path.
func (b *bench) guest(pkg string) (string, error) {
	return b.build(pkg, filepath.Base(pkg)+".wasm", "GOOS=wasip1", "GOARCH=wasm")
}

// program builds pkg for this machine, once, and returns its path.
func (b *bench) program(pkg string) (string, error) {
	return b.build(pkg, filepath.Base(pkg), "CGO_ENABLED=0")
}

func (b *bench) build(pkg, name string, env ...string) (string, error) {
	if out, ok := b.tools[name]; ok {
		return out, nil
	}
	out := filepath.Join(b.dir, name)
	c := exec.CommandContext(b.ctx, "go", "build", "-o", out, pkg)
	c.Env = append(os.Environ(), env...)
	if msg, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build %s (is this the folder bench?): %w\n%s", pkg, err, msg)
	}
	if b.tools == nil {
		b.tools = tools{}
	}
	b.tools[name] = out
	return out, nil
}

func itoa(n int) string { return strconv.Itoa(n) }

func firstWord(b []byte) string {
	w, _, _ := strings.Cut(string(b), " ")
	return w
}
