package main

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/forgeone/forgeone"
	"github.com/forgeone/forgeone/internal/cli"
	"github.com/forgeone/forgeone/internal/wasmtest"
)

func TestMain(m *testing.M) {
	if os.Getenv(stepsHelper) != "" {
		os.Unsetenv(stepsHelper)
		becomeStepped()
	}
	forgeone.Main()
	if home := os.Getenv(replayHelper); home != "" {
		if err := replayOnce(home); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	testscript.Main(m, map[string]func(){
		"forgeone": func() { os.Exit(cli.Main(os.Args[1:])) },
		"peak":     func() { os.Exit(peak(os.Args[1:])) },
		"httpget":  func() { os.Exit(httpGet(os.Args[1:])) },
		"peer":     func() { os.Exit(peer(os.Args[1:])) },
		"freeport": func() { os.Exit(freePort()) },
	})
}

// TestScripts runs the commands as a user types them, through the real main.
// Each script gets a copy of one state folder in which the probe is compiled
// already, the modules written by hand in $GUESTS, and probe.wasm.
func TestScripts(t *testing.T) {
	shared := t.TempDir()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			if err := prepare(shared); err != nil {
				return err
			}
			home := filepath.Join(e.WorkDir, "home")
			if err := cloneHome(home, filepath.Join(shared, "home")); err != nil {
				return err
			}
			e.Setenv("FORGEONE_HOME", home)
			e.Setenv("GUESTS", filepath.Join(shared, "guests"))
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"flip":    flip,
			"grow":    grow,
			"subst":   subst,
			"program": program,
			"guest":   guest,
			"cc":      cc,
			"inject":  inject,
		},
	})
}

var prepared struct {
	sync.Once
	err error
}

// prepare builds the guests and makes the state folder that scripts start from.
func prepare(shared string) error {
	prepared.Do(func() {
		prepared.err = func() error {
			guests := filepath.Join(shared, "guests")
			if err := os.MkdirAll(guests, 0o755); err != nil {
				return err
			}
			made := map[string][]byte{"slow": wasmtest.Slow(250), "second": wasmtest.Slow(6), "heavy": wasmtest.Bombs()["values over branches"]()}
			for i := range 3 {
				made[fmt.Sprint("slow", i+1)] = wasmtest.Slow(251 + i)
			}
			for _, modules := range []map[string][]byte{wasmtest.Guests(), wasmtest.Endless(), wasmtest.Deep(), made} {
				for name, b := range modules {
					if err := os.WriteFile(filepath.Join(guests, name+".wasm"), b, 0o644); err != nil {
						return err
					}
				}
			}
			probe := filepath.Join(guests, "probe.wasm")
			if err := buildGuest(probe, ".", "./testdata/guests/probe"); err != nil {
				return err
			}
			if b, err := clang(filepath.Join(guests, "hog.wasm"), "./testdata/guests/hog/hog.c").CombinedOutput(); err != nil {
				return fmt.Errorf("clang: %w (`make need` installs it)\n%s", err, b)
			}
			home := filepath.Join(shared, "home")
			for _, args := range [][]string{{"init"}, {"run", "-q", probe, "--", "args"}} {
				c := exec.Command("forgeone", args...)
				c.Env = append(os.Environ(), "FORGEONE_HOME="+home)
				if out, err := c.CombinedOutput(); err != nil {
					return fmt.Errorf("forgeone %v: %w\n%s", args, err, out)
				}
			}
			return nil
		}()
	})
	return prepared.err
}

// buildGuest builds a Go package for wasip1.
func buildGuest(out, dir, pkg string) error {
	c := exec.Command("go", "build", "-trimpath", "-o", out, pkg)
	c.Dir = dir
	c.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=")
	if b, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", pkg, err, b)
	}
	return nil
}

// cloneHome copies a state folder; what is never written in place is linked.
func cloneHome(dst, src string) error {
	return filepath.WalkDir(src, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(src, p)
		if err != nil {
			return err
		}
		to := filepath.Join(dst, rel)
		switch {
		case d.IsDir():
			return os.MkdirAll(to, 0o700)
		case strings.HasPrefix(rel, "cache") || strings.HasPrefix(rel, "modules"):
			return os.Link(p, to)
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		return os.WriteFile(to, b, 0o600)
	})
}

// flip FILE N flips a bit of byte N of a file; N may be negative, from the end.
func flip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flip FILE N")
	}
	matches, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(matches) != 1 {
		ts.Fatalf("%s is %d files", args[0], len(matches))
	}
	b, err := os.ReadFile(matches[0])
	ts.Check(err)
	var n int
	_, err = fmt.Sscan(args[1], &n)
	ts.Check(err)
	if n < 0 {
		n += len(b)
	}
	b[n] ^= 1
	ts.Check(os.WriteFile(matches[0], b, 0o600))
}

// subst VAR FILE sets an environment variable to the file's trimmed content.
func subst(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: subst VAR FILE")
	}
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile(args[1])))
}

// program OUT PKG builds a real program, pinned in test/programs, for wasip1.
func program(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: program OUT PACKAGE")
	}
	wd, err := os.Getwd()
	ts.Check(err)
	ts.Check(buildGuest(ts.MkAbs(args[0]), filepath.Join(wd, "..", "..", "test", "programs"), args[1]))
}

// guest OUT NAME builds the guest testdata/guests/NAME for wasip1.
func guest(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: guest OUT NAME")
	}
	wd, err := os.Getwd()
	ts.Check(err)
	ts.Check(buildGuest(ts.MkAbs(args[0]), wd, "./testdata/guests/"+args[1]))
}

// cc OUT SRC builds a C program for wasip1. `make need` installs what it takes.
func cc(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: cc OUT SOURCE")
	}
	if b, err := clang(ts.MkAbs(args[0]), ts.MkAbs(args[1])).CombinedOutput(); err != nil {
		ts.Fatalf("clang: %v (`make need` installs it)\n%s", err, b)
	}
}

func clang(out, src string) *exec.Cmd {
	return exec.Command("clang", "--target=wasm32-wasi", "-O2", "-o", out, src)
}
