package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/kernel"
	"github.com/forgeone/forgeone/internal/provider/host"
	"github.com/forgeone/forgeone/internal/trace"
)

// pair runs guests in this process: through the whole kernel, and on bare wazero
// with its own WASI. Both see the same folder as /d.
type pair struct {
	data   string // the folder
	kernel *kernel.Kernel
	bare   *bare
	timed  *bare // with WithCloseOnContextDone
}

// sides makes the pair, once.
func (b *bench) sides() (*pair, error) {
	if b.pair != nil {
		return b.pair, nil
	}
	p := &pair{data: filepath.Join(b.dir, "data")}
	if err := os.Mkdir(p.data, 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(p.data, "in"), text(16<<20+1<<16), 0o600); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(p.data, "zeros"), make([]byte, 16<<20+1<<16), 0o600); err != nil {
		return nil, err
	}
	home := filepath.Join(b.dir, "home")
	if _, err := kernel.Init(b.ctx, kernel.InitOptions{Home: home}); err != nil {
		return nil, err
	}
	var err error
	if p.kernel, err = kernel.Open(b.ctx, kernel.Options{Home: home}); err != nil {
		return nil, err
	}
	b.pair = p
	if p.bare, err = newBare(b.ctx, p.data, false); err != nil {
		return nil, err
	}
	p.timed, err = newBare(b.ctx, p.data, true)
	return p, err
}

func (b *bench) close() {
	if b.pair == nil {
		return
	}
	b.pair.kernel.Close(b.ctx)
	for _, w := range []*bare{b.pair.bare, b.pair.timed} {
		if w != nil {
			w.rt.Close(b.ctx)
		}
	}
}

// text is n bytes that compress as logs and documents do, about four to one.
func text(n int) []byte {
	words := []string{"request", "accepted", "the", "of", "node", "refused", "latency", "user", "error", "and", "42", "07", "retry"}
	b := make([]byte, 0, n+16)
	x := uint32(1)
	for len(b) < n {
		x = x*1664525 + 1013904223
		b = append(b, words[x>>16%uint32(len(words))]...)
		b = append(b, " \n=;"[x>>28&3])
	}
	return b[:n]
}

// run runs a guest in the whole kernel and returns its run.
func (p *pair) run(ctx context.Context, module string, args ...string) (abi.RunID, error) {
	return p.runSpec(ctx, kernel.Spec{Target: module, Args: args})
}

// runSpec is run of what s says, with the limits and the folder of all runs.
func (p *pair) runSpec(ctx context.Context, s kernel.Spec) (abi.RunID, error) {
	var msg bytes.Buffer
	out := host.NewWriter(&msg)
	defer out.Close()
	s.Mounts = []trace.Mount{{Host: p.data, Guest: "/d"}}
	s.Limits, s.Stderr = abi.Limits{Recording: 32 << 30, Output: 1 << 30}, out
	r, err := p.kernel.Run(ctx, s)
	if err != nil {
		return "", err
	}
	if r.Outcome != abi.OutcomeExit || r.Exit != 0 {
		return "", fmt.Errorf("the guest ended: %s %d: %s", r.Outcome, r.Exit, &msg)
	}
	return r.Run, nil
}

// forget deletes a run's recording: it may be large.
func (p *pair) forget(id abi.RunID) error { return os.Remove(p.kernel.Home().Recording(id)) }

// bare is wazero with its own WASI.
type bare struct {
	rt       wazero.Runtime
	fs       wazero.FSConfig
	compiled map[string]wazero.CompiledModule
}

func newBare(ctx context.Context, data string, closeOnDone bool) (*bare, error) {
	w := &bare{
		rt:       wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCloseOnContextDone(closeOnDone)),
		fs:       wazero.NewFSConfig().WithDirMount(data, "/d"),
		compiled: map[string]wazero.CompiledModule{},
	}
	_, err := wasi_snapshot_preview1.Instantiate(ctx, w.rt)
	return w, err
}

// compile makes a module ready, so that run does not.
func (w *bare) compile(ctx context.Context, module string) error {
	if w.compiled[module] != nil {
		return nil
	}
	code, err := os.ReadFile(module)
	if err != nil {
		return err
	}
	w.compiled[module], err = w.rt.CompileModule(ctx, code)
	return err
}

// run instantiates a compiled module, which runs its _start.
func (w *bare) run(ctx context.Context, module string, args ...string) error {
	var msg bytes.Buffer
	c := wazero.NewModuleConfig().WithName("").WithArgs(append([]string{"guest"}, args...)...).WithFSConfig(w.fs).WithStderr(&msg).
		WithSysWalltime().WithSysNanotime().WithSysNanosleep().WithRandSource(rand.Reader)
	m, err := w.rt.InstantiateModule(ctx, w.compiled[module], c)
	if m != nil {
		defer m.Close(ctx)
	}
	var exit *sys.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: %s", err, &msg)
	}
	return nil
}
