package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// command measures whole processes, warm: `forgeone run` beside `wazero run`
// with its cache.
func (b *bench) command() error {
	ours, err := b.program(forgeonePkg)
	if err != nil {
		return err
	}
	rival, err := b.program(wazeroPkg)
	if err != nil {
		return err
	}
	hello, err := b.guest(helloPkg)
	if err != nil {
		return err
	}
	env := append(os.Environ(), "FORGEONE_HOME="+filepath.Join(b.dir, "command-home"))
	run := func(name string, args ...string) (sample, error) {
		c := exec.CommandContext(b.ctx, name, args...)
		c.Env = env
		start := time.Now()
		out, err := c.CombinedOutput()
		s := sample{wall: time.Since(start)}
		if err != nil {
			return s, fmt.Errorf("%s: %w\n%s", filepath.Base(name), err, out)
		}
		s.cpu = c.ProcessState.UserTime() + c.ProcessState.SystemTime()
		return s, nil
	}
	cache := "-cachedir=" + filepath.Join(b.dir, "wazero-cache")
	one := func() (sample, error) { return run(ours, "run", hello) }
	other := func() (sample, error) { return run(rival, "run", cache, hello) }
	if _, err := run(ours, "init"); err != nil {
		return err
	}
	for _, f := range []func() (sample, error){one, other} { // fills the caches
		if _, err := f(); err != nil {
			return err
		}
	}
	var mine, theirs []sample
	into := func(to *[]sample, f func() (sample, error)) func(int) error {
		return func(int) error {
			s, err := f()
			*to = append(*to, s)
			return err
		}
	}
	if err := alternate(b.reps*2, into(&mine, one), into(&theirs, other)); err != nil {
		return err
	}
	b.add(compare(Row{Name: "forgeone run hello.wasm, warm", Unit: "ms", Beside: "wazero run -cachedir"}, time.Millisecond, 1, mine, theirs).with(times(1)))
	return nil
}
