package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/internal/wasmtest"
)

// race runs all commands at once and returns how each ended and what it said.
func (n killNode) race(commands [][]string) (codes []int, said []string) {
	n.t.Helper()
	codes, said = make([]int, len(commands)), make([]string, len(commands))
	begin := make(chan struct{})
	var wg sync.WaitGroup
	for i, args := range commands {
		wg.Go(func() {
			c := n.command(args...)
			var out bytes.Buffer
			c.Stdout, c.Stderr = &out, &out
			<-begin
			err := c.Run()
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				n.t.Error(err)
				return
			}
			codes[i], said[i] = c.ProcessState.ExitCode(), out.String()
		})
	}
	close(begin)
	wg.Wait()
	return codes, said
}

// TestRacedInstalls: processes install versions of one package at once, and give
// several keys one name. The version never goes back, one key has the name, and
// who lost was told why.
func TestRacedInstalls(t *testing.T) {
	t.Parallel()
	n := killNode{t, filepath.Join(t.TempDir(), "home")}
	n.must("init")
	dir := t.TempDir()
	guest := filepath.Join(dir, "hello.wasm")
	if err := os.WriteFile(guest, wasmtest.Guests()["hello"], 0o600); err != nil {
		t.Fatal(err)
	}
	file := func(name string, args ...any) string { return filepath.Join(dir, fmt.Sprintf(name, args...)) }
	var installs, adds [][]string
	for i := range 6 {
		n.must("pack", guest, "-o", file("%d.forgepkg", i), "--name", "hello", "--version", fmt.Sprintf("1.%d.0", i), "--key", filepath.Join(n.home, "keys", "developer.key"))
		installs = append(installs, []string{"install", file("%d.forgepkg", i)}, []string{"install", file("%d.forgepkg", i)})
		pub := n.must("keygen", "-o", file("%d.key", i))
		if err := os.WriteFile(file("%d.pub", i), pub, 0o600); err != nil {
			t.Fatal(err)
		}
		adds = append(adds, []string{"key", "add", file("%d.pub", i), "--role", "publisher", "--name", "acme"})
	}
	codes, said := n.race(append(installs, adds...))
	named := 0
	for i, code := range codes {
		switch {
		case i >= len(installs) && code == 0:
			named++
		case code == 0:
		case i >= len(installs) && strings.Contains(said[i], "F1-KEY-051"):
		case i < len(installs) && (strings.Contains(said[i], string(abi.CodePkgDowngrade)) || strings.Contains(said[i], "F1-PKG-051")): // seen before it began, or meanwhile
		default:
			t.Errorf("command %d: exit %d: %s", i, code, said[i])
		}
	}
	if named != 1 {
		t.Errorf("%d keys were given the same name", named)
	}
	n.must("log", "verify", "--semantics")
	last, had := uint64(0), 0
	if err := evidence.Read(filepath.Join(n.home, "log"), 0, func(i uint64, r abi.Record) error {
		switch b := r.Body.(type) {
		case *abi.PackageInstall:
			if b.Serial <= last {
				t.Errorf("record %d goes back from serial %d to %d", i, last, b.Serial)
			}
			last = b.Serial
		case *abi.KeyAdd:
			if b.Name == "acme" {
				had++
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if had != 1 {
		t.Errorf("%d keys of one name are in the log", had)
	}
	if out := string(n.must("list")); !strings.Contains(out, "1.5.0") {
		t.Errorf("the highest version is not the one installed: %s", out)
	}
}
