package kernel

import (
	"context"
	"errors"
	"sync"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/wasm"
)

// moduleSet keeps compiled modules by the digest of their rewritten form, and
// which module was rewritten to which, for the kernel's lifetime: compiling
// costs seconds.
type moduleSet struct {
	mu       sync.Mutex
	m        map[abi.Digest]*compilation
	admitted map[[32]byte]admission // by workload.id; only of modules in m
}

// compilation is a module that is compiled, or being so until done is closed;
// then m and err don't change any more.
type compilation struct {
	done chan struct{}
	m    *wasm.Module
	err  error
}

// compiled returns the compiled form of an admitted workload.
func (k *Kernel) compiled(ctx context.Context, w *workload) (*wasm.Module, error) {
	m, err := k.module(ctx, wasm.Job{Code: w.code, Digest: w.Rewritten, Owner: w.name})
	if err == nil {
		err = m.Command()
	}
	if err == nil {
		k.modules.mu.Lock()
		k.modules.admitted[w.id] = w.admission
		k.modules.mu.Unlock()
	}
	return m, err
}

// module returns the compiled form of a rewritten module, compiling it once,
// however many ask for it at the same time. Nobody waits for the compilation of
// another module here, nor longer than its ctx.
func (k *Kernel) module(ctx context.Context, job wasm.Job) (*wasm.Module, error) {
	for {
		c, mine := k.modules.claim(job.Digest)
		if mine {
			c.m, c.err = k.engine.Compile(ctx, job)
			if c.err != nil {
				k.modules.drop(job.Digest)
			}
			close(c.done)
			return c.m, c.err
		}
		select {
		case <-c.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		// Who compiled it may have been called off; that is not our end.
		if !errors.Is(c.err, context.Canceled) && !errors.Is(c.err, context.DeadlineExceeded) {
			return c.m, c.err
		}
	}
}

// claim returns the module's compilation, and whether it is the caller's to do.
func (s *moduleSet) claim(digest abi.Digest) (c *compilation, mine bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c = s.m[digest]; c != nil {
		return c, false
	}
	c = &compilation{done: make(chan struct{})}
	s.m[digest] = c
	return c, true
}

// drop forgets a module that could not be compiled.
func (s *moduleSet) drop(digest abi.Digest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.m, digest)
}
