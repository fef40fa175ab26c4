package conformance

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The programs that tests start, and the Go tree that guests see.
var (
	forgeone, wazero, goroot string
	work                     string // guests are built here, and bare wazero keeps its cache here
	home                     string // the one state folder of all tests
)

func TestMain(m *testing.M) {
	code, err := runAll(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func runAll(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "conformance")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	out, err := goTool(".", nil, "env", "GOROOT")
	if err != nil {
		return 1, err
	}
	work, goroot = dir, strings.TrimSpace(string(out))
	forgeone, wazero = filepath.Join(dir, "forgeone"), filepath.Join(dir, "wazero")
	if _, err := goTool("../..", []string{"CGO_ENABLED=0"}, "build", "-o", forgeone, "./cmd/forgeone"); err != nil {
		return 1, err
	}
	if _, err := goTool(".", []string{"CGO_ENABLED=0"}, "build", "-o", wazero, "github.com/tetratelabs/wazero/cmd/wazero"); err != nil {
		return 1, err
	}
	home = filepath.Join(dir, "home")
	if out, err := exec.Command(forgeone, "init", "--home", home).CombinedOutput(); err != nil {
		return 1, fmt.Errorf("forgeone init: %w\n%s", err, out)
	}
	return m.Run(), nil
}

// goTool runs the go command in dir.
func goTool(dir string, env []string, args ...string) ([]byte, error) {
	c := exec.Command("go", args...)
	c.Dir = dir
	c.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return out, nil
}

// testBinary builds the tests of pkg, of the standard library, for wasip1.
func testBinary(t *testing.T, pkg string) string {
	t.Helper()
	return buildOnce(t, ".", strings.ReplaceAll(pkg, "/", "_")+".test.wasm", "test", "-c", "-vet=off", pkg)
}

// program builds a program that a module in test/programs pins, or one of Go's own.
func program(t *testing.T, dir, pkg, name string) string {
	t.Helper()
	return buildOnce(t, filepath.Join("../programs", dir), name+".wasm", "build", "-trimpath", pkg)
}

// buildOnce builds name for wasip1 unless it is there. Two tests that run at once
// do not build the same.
func buildOnce(t *testing.T, dir, name, verb string, args ...string) string {
	t.Helper()
	out := filepath.Join(work, name)
	if _, err := os.Stat(out); err == nil {
		return out
	}
	args = append([]string{verb, "-o", out}, args...)
	if _, err := goTool(dir, []string{"GOOS=wasip1", "GOARCH=wasm", "GOFLAGS="}, args...); err != nil {
		t.Fatal(err)
	}
	return out
}
