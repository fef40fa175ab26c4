package conformance

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// cost is what the first run of a module took, which compiled it.
type cost struct {
	name         string
	module, code int64         // bytes
	cold         time.Duration // the whole first run
	compile      time.Duration // what of it a second one does not take
	peak         int64         // the most bytes that the compiling child had resident
}

// compiles runs a guest for the first time.
func (n node) compiles(t *testing.T, name, wasm string, flags []string, args ...string) cost {
	t.Helper()
	st, err := os.Stat(wasm)
	if err != nil {
		t.Fatal(err)
	}
	before := n.code(t)
	peak := watch()
	r := n.run(t, wasm, flags, args...)
	return cost{name: name, module: st.Size(), code: n.code(t) - before, cold: r.took, peak: peak()}
}

// code is the size of all code that the node keeps.
func (n node) code(t *testing.T) (size int64) {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(n.home, "cache", "*.code"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if st, err := os.Stat(f); err == nil {
			size += st.Size()
		}
	}
	return size
}

// watch looks at the children that compile until the function that it returns is
// called, which says how much memory one of them had resident at most. Without
// /proc that is 0.
func watch() (peak func() int64) {
	stop, most := make(chan struct{}), make(chan int64)
	go func() {
		every := time.NewTicker(20 * time.Millisecond)
		defer every.Stop()
		var high int64
		for {
			select {
			case <-stop:
				most <- high
				return
			case <-every.C:
				high = max(high, resident())
			}
		}
	}()
	return func() int64 {
		close(stop)
		return <-most
	}
}

// resident is the most that a child of the tested binary has had resident so far.
func resident() (high int64) {
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range all {
		b, err := os.ReadFile(file)
		if err != nil || !bytes.HasPrefix(b, []byte("forgeone: box\x00")) {
			continue
		}
		// There may be others on this machine.
		if exe, err := os.Readlink(filepath.Join(filepath.Dir(file), "exe")); err != nil || exe != forgeone {
			continue
		}
		status, err := os.ReadFile(filepath.Join(filepath.Dir(file), "status"))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(status)) {
			if f := strings.Fields(line); len(f) == 3 && f[0] == "VmHWM:" {
				kib, _ := strconv.ParseInt(f[1], 10, 64)
				high = max(high, kib<<10)
			}
		}
	}
	return high
}

// costs gathers what compilation cost and prints it; nothing is asserted of it.
type costs struct{ all []cost }

// add adds a program's cost, given its second run.
func (c *costs) add(one cost, warm ran) {
	one.compile = one.cold - warm.took
	c.all = append(c.all, one)
}

func (c *costs) log(t *testing.T) {
	var s strings.Builder
	w := tabwriter.NewWriter(&s, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "program\tmodule MB\tcompile s\tchild MiB\tcode MB\t")
	for _, o := range c.all {
		fmt.Fprintf(w, "%s\t%.1f\t%.1f\t%d\t%.1f\t\n", o.name, float64(o.module)/1e6, o.compile.Seconds(), o.peak>>20, float64(o.code)/1e6)
	}
	w.Flush()
	t.Logf("%d programs admitted by default; the first run less a second one\n%s", len(c.all), s.String())
}
