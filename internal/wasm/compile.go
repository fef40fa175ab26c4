package wasm

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"syscall"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/forgeone/forgeone/abi"
)

// workers compile the functions of a module side by side. With fewer than two
// the engine never looks at its context: it could not be stopped.
const workers = 2

// Module is compiled code, ready to be instantiated many times.
type Module struct {
	e  *Engine
	cm wazero.CompiledModule
}

// Kind returns the kind of engine that the module runs on.
func (m *Module) Kind() Kind { return m.e.kind }

// Compile compiles a rewritten module whose digest is given. Code comes from
// the cache when it holds it and it authenticates; else it is put there. One
// module is compiled at a time, so that what compiling takes is bounded for the
// process and not for each run; the others wait.
//
// It returns as soon as ctx ends or the engine's deadline is over. The engine
// itself stops at the end of the function that it is at, which the caps of
// admission bound; until then it reads rewritten, which must not change, and no
// other module is compiled.
//
// # Errors
//
// The context's own error if ctx ended; F1-MOD-100 if the module does not
// validate, F1-MOD-011 if the deadline is over, F1-MOD-012 if the engine's
// compiler fails, F1-RUN-165 if the machine code finds no room on its way.
func (e *Engine) Compile(ctx context.Context, rewritten []byte, digest abi.Digest) (*Module, error) {
	select {
	case e.slot <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	limited, cancel := ctx, context.CancelFunc(func() {})
	if e.Deadline > 0 {
		limited, cancel = context.WithTimeout(ctx, e.Deadline)
	}
	// Not sooner: whether limited has ended tells why a compilation failed.
	defer cancel()
	type result struct {
		m   *Module
		err error
	}
	// Unbuffered: who has given up takes nothing, and the module is freed.
	done := make(chan result)
	go func() {
		defer func() { <-e.slot }()
		m, err := e.compile(limited, rewritten, digest)
		select {
		case done <- result{m, err}:
		case <-limited.Done():
			if m != nil {
				_ = m.Close(context.WithoutCancel(ctx)) // frees memory, and can't fail
			}
		}
	}()
	select {
	case r := <-done:
		if r.err == nil || limited.Err() == nil {
			return r.m, r.err
		}
	case <-limited.Done():
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return nil, &abi.Error{
		Code: abi.CodeCompileDeadline, What: fmt.Sprintf("compiling the module took longer than %v", e.Deadline),
		Hint: "raise admission.compile_deadline in the configuration, if you trust the module: forgeone init --config FILE",
	}
}

// compile compiles in the calling goroutine.
func (e *Engine) compile(ctx context.Context, rewritten []byte, digest abi.Digest) (m *Module, err error) {
	// The engine is the one part that hostile bytes reach and that is not ours. A
	// mistake of its decoder or validator that panics is the module's end, not ours.
	defer func() {
		if p := recover(); p != nil {
			m, err = nil, &abi.Error{
				Code: abi.CodeCompileFailed, What: fmt.Sprintf("the compiler failed on the module: %v", p),
				Hint: "tell ForgeOne's maintainers, with the module",
			}
		}
	}()
	hit := e.cache != nil && e.cache.load(digest, e.dir)
	cm, err := e.rt.CompileModule(experimental.WithCompilationWorkers(ctx, workers), rewritten)
	if e.cache != nil {
		// A module that was refused may leave something behind, too.
		if serr := e.cache.settle(digest, e.dir, hit || err != nil); serr != nil && err == nil {
			return nil, errors.Join(fmt.Errorf("store compiled code: %w", serr), cm.Close(ctx))
		}
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return nil, &abi.Error{Code: "F1-RUN-165", What: "there is no room for the module's compiled code", Where: e.dir, Err: err, Hint: "df -h " + filepath.Dir(e.dir)}
	}
	if err != nil {
		return nil, &abi.Error{
			Code: "F1-MOD-100", What: "the module does not validate", Err: err,
			Hint: "rebuild the module; `wasm-validate` or `wasm-tools validate` tell the same with more detail",
		}
	}
	return &Module{e: e, cm: cm}, nil
}

// Close frees the compiled code. No guest of it may be running.
func (m *Module) Close(ctx context.Context) error { return m.cm.Close(ctx) }
