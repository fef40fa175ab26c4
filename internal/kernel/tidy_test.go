package kernel_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/kernel"
	"github.com/forgeone/forgeone/internal/policy"
	"github.com/forgeone/forgeone/internal/sys"
)

// names returns the files in a folder.
func names(t *testing.T, dir string) (names []string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		names = append(names, f.Name())
	}
	return names
}

// TestTidy: modules go when no recording needs them any more, and not sooner; a
// kernel that has such a module in memory writes it again.
func TestTidy(t *testing.T) {
	n := newNode(t)
	n.Kernel = budgets(t, string(n.Home()), "4KiB", "4KiB")
	src := policy.Source{Name: "p.cedar", Text: []byte(`@id("no") forbid (principal, action, resource is File);`)}
	held, _ := n.run(kernel.Spec{Target: n.guest("deny"), Policies: []policy.Source{src}})
	if err := n.Hold(t.Context(), held.Run, "evidence"); err != nil {
		t.Fatal(err)
	}
	var large []string
	for range 300 {
		large = append(large, fmt.Sprint(rand.Uint64()))
	}
	n.run(kernel.Spec{Target: n.guest("trap"), Args: large})
	n.run(kernel.Spec{Target: n.guest("hello")})
	torn := filepath.Join(n.Home().Modules(), "."+strings.Repeat("0", 64)+".wasm.tmp123")
	foreign := filepath.Join(n.Home().Modules(), "notes.txt")
	for _, f := range []string{torn, foreign} {
		if err := os.WriteFile(f, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n.run(kernel.Spec{Target: n.guest("hello")}) // and the recording of trap goes
	if got := names(t, n.Home().Modules()); len(got) != 5 {
		t.Fatalf("before: %v", got)
	}
	dry, err := n.Prune(t.Context(), true)
	if err != nil || dry.Tidied.Modules.Files != 1 || dry.Left != 1 {
		t.Fatalf("%+v, %v", dry, err)
	}
	p, err := n.Prune(t.Context(), false)
	if err != nil || p.Tidied != dry.Tidied || p.Left != 1 {
		t.Fatalf("%+v, %v; said before: %+v", p, err, dry.Tidied)
	}
	if got := names(t, n.Home().Modules()); len(got) != 3 {
		t.Errorf("modules: %v", got)
	}
	n.identical(held.Run)
	if k, err := n.Explain(must(n.FindRun(string(held.Run))), 0); err != nil || k.Explanation == nil {
		t.Errorf("explained: %v", err)
	}
	// The module is in this kernel's memory still, and not on the disk.
	again, _ := n.run(kernel.Spec{Target: n.guest("trap")})
	n.identical(again.Run)
	n.Kernel = openKernel(t, string(n.Home()))
	n.identical(again.Run)

	// A recording that can't be read may need anything.
	n.Kernel = budgets(t, string(n.Home()), "4KiB", "4KiB")
	if err := os.WriteFile(n.Home().Recording(held.Run), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if p, err := n.Prune(t.Context(), false); err != nil || p.Tidied.Stay == nil || p.Tidied.Modules.Files != 0 {
		t.Errorf("%+v, %v", p, err)
	}
	n.verify()
}

// TestTidySparesStarts: while runs start, by whatever process, nothing goes that
// they may need, and a process that died meanwhile keeps nothing.
func TestTidySparesStarts(t *testing.T) {
	n := newNode(t)
	home := string(n.Home())
	n.Kernel = budgets(t, home, "4KiB", "4KiB")
	l, err := sys.Share(n.Home().Starting())
	if err != nil {
		t.Fatal(err)
	}
	p, err := n.Prune(t.Context(), false)
	if err != nil || abi.CodeOf(p.Tidied.Stay) != "F1-RET-006" {
		t.Fatalf("%+v, %v", p, err)
	}
	if err := l.Unlock(); err != nil { // as by a process that dies
		t.Fatal(err)
	}
	// Where the lock can't be had, nothing starts and nothing is removed.
	if err := errors.Join(os.Remove(n.Home().Starting()), os.Mkdir(n.Home().Starting(), 0o700)); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Run(t.Context(), kernel.Spec{Target: n.guest("hello")}); abi.CodeOf(err) != "F1-RUN-166" {
		t.Error(err)
	}
	if p, err := n.Prune(t.Context(), false); err != nil || p.Tidied.Stay == nil {
		t.Errorf("%+v, %v", p, err)
	}
	if err := os.Remove(n.Home().Starting()); err != nil {
		t.Fatal(err)
	}
	var runs, prunes sync.WaitGroup
	done := make(chan struct{})
	prunes.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				if _, err := n.Prune(t.Context(), false); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	for _, guests := range [][]string{{"hello", "deny"}, {"deny", "trap"}, {"trap", "hello"}} {
		runs.Go(func() {
			one := &node{Kernel: openKernel(t, home), t: t, guests: n.guests}
			for i := range 20 {
				r, _ := one.run(kernel.Spec{Target: one.guest(guests[i%2])})
				if err := one.Hold(t.Context(), r.Run, ""); abi.CodeOf(err) == "F1-RET-001" {
					continue // others' ends dropped it first
				} else if err != nil {
					t.Error(err)
					return
				}
				one.identical(r.Run)
			}
		})
	}
	runs.Wait()
	close(done)
	prunes.Wait()
	n.verify()
}
