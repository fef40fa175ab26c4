package wasm

import (
	"context"
	"errors"
	"fmt"

	"github.com/tetratelabs/wazero"

	"github.com/forgeone/forgeone/abi"
)

// Job is a module to be compiled.
type Job struct {
	Kind   Kind
	Code   []byte     // the rewritten module; it must not change
	Digest abi.Digest // of Code
	// Owner is the workload that asks: places are shared fairly among owners.
	Owner string
	// Changed, if not nil, tells whether the cache has something else of the module by
	// now than when it was looked at: then nothing is to be compiled.
	Changed func() bool
}

// Outside compiles modules in other processes, so that one which takes the
// compiler's time, its memory, or the compiler itself, gets nothing of ours.
type Outside interface {
	// Compile has Child work on the job, and calls done with its answer, or with why
	// there is none; done's error is Compile's. While done is at work nobody compiles
	// a module of the same digest on the same state folder, so it can keep what comes
	// of it.
	//
	// It returns without calling done if ctx ends, with the context's own error, and
	// with ErrElsewhere once somebody else has compiled the module.
	Compile(ctx context.Context, job Job, done func(answer []byte, err error) error) error
}

// ErrElsewhere says that another has compiled the module, or failed for good: look in
// the cache.
var ErrElsewhere = errors.New("the module was compiled by another")

// Lasting is the end of a compilation that another attempt would come to as well,
// until the configuration changes. It wraps an *abi.Error.
type Lasting struct{ Err *abi.Error }

func (l *Lasting) Error() string { return l.Err.Error() }

func (l *Lasting) Unwrap() error { return l.Err }

// Module is compiled code, ready to be instantiated many times. It has an engine of
// its own: no module's code is looked for among others'.
type Module struct {
	e  *Engine
	rt wazero.Runtime
	cc wazero.CompilationCache
	cm wazero.CompiledModule
}

// Kind returns the kind of engine that the module runs on.
func (m *Module) Kind() Kind { return m.e.kind }

// Compile compiles a rewritten module, outside of this process. Code comes from the
// cache when it holds it and it authenticates; else it is put there once it was
// loaded. The job's kind is the engine's.
//
// # Errors
//
// The context's own error if ctx ended; F1-MOD-100 if the module does not validate;
// F1-MOD-012 if the compiler fails or its answer is not code of the module;
// F1-RUN-165 if the cache has no room; F1-RUN-168 if there is nothing to compile
// with; what the Outside says. What lasts is remembered by the cache, and said again
// at once.
func (e *Engine) Compile(ctx context.Context, job Job) (m *Module, err error) {
	job.Kind = e.kind
	for {
		if e.cache != nil {
			stamp := e.cache.stamp(job.Digest)
			job.Changed = func() bool { return e.cache.stamp(job.Digest) != stamp }
		}
		if m, err = e.kept(ctx, job); m != nil || err != nil {
			return m, err
		}
		if e.outside == nil {
			return nil, &abi.Error{
				Code: "F1-RUN-168", What: "this program has no process of its own to compile in",
				Hint: "call forgeone.Main() first in main, or name a forgeone binary in Options.Box",
			}
		}
		err = e.outside.Compile(ctx, job, func(answer []byte, err error) error {
			if err == nil {
				m, err = e.take(ctx, job, answer)
			}
			var lasting *Lasting
			if e.cache != nil && errors.As(err, &lasting) {
				// A cache that can't be written costs the next attempt, and no more.
				_ = e.cache.Refuse(job.Digest, lasting.Err)
			}
			return err
		})
		if !errors.Is(err, ErrElsewhere) {
			return m, err
		}
	}
}

// kept returns the module if the cache has its code, or the error that it came to
// before; neither if it is to be compiled.
func (e *Engine) kept(ctx context.Context, job Job) (*Module, error) {
	if e.cache == nil {
		return nil, nil
	}
	if code, key, ok := e.cache.open(job.Digest); ok {
		m, _, err := e.load(ctx, job.Code, code, key)
		if err == nil {
			return m, nil
		}
		// Of another processor, or nothing that the engine takes: it is compiled anew.
	}
	if err := e.cache.Refused(job.Digest); err != nil {
		return nil, err
	}
	return nil, nil
}

// take loads the code in an answer and puts it into the cache. These are the bytes
// that were checked; they have been nowhere but in memory.
func (e *Engine) take(ctx context.Context, job Job, answer []byte) (*Module, error) {
	code, err := codeOf(answer)
	if err != nil {
		return nil, err
	}
	if e.kind == Compiler {
		if err := checkCode(code, job.Code); err != nil {
			return nil, badCode(err)
		}
	}
	m, key, err := e.load(ctx, job.Code, code, engineKey{})
	if errors.Is(err, errOtherKey) {
		err = badCode(err)
	}
	if err != nil || e.cache == nil {
		return m, err
	}
	if err := e.cache.store(job.Digest, key, code); err != nil {
		return nil, errors.Join(err, m.Close(ctx))
	}
	return m, nil
}

// load makes a module of code, on an engine of its own. The interpreter, which has no
// code, compiles: it has done so outside before, within the same bounds. want is what
// the engine must know the code by, unless it is zero; what it does is returned.
func (e *Engine) load(ctx context.Context, rewritten, code []byte, want engineKey) (m *Module, key engineKey, err error) {
	p := &passage{code: code, want: want}
	m = &Module{e: e}
	if m.cc, err = p.cache(); err != nil {
		return nil, key, err
	}
	m.rt = wazero.NewRuntimeWithConfig(ctx, e.kind.config().WithCompilationCache(m.cc))
	// The engine decodes and validates once more. A mistake of its that panics is the
	// module's end, not ours.
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
		if err != nil {
			_ = m.free(context.WithoutCancel(ctx)) // frees memory, and can't fail
			m = nil
			if !errors.Is(err, errOtherKey) {
				err = badCode(err)
			}
		}
	}()
	if err = exportHost(ctx, m.rt); err == nil {
		m.cm, err = m.rt.CompileModule(ctx, rewritten)
	}
	if err == nil {
		e.keep(m)
	}
	return m, p.key, err
}

func (m *Module) free(ctx context.Context) error {
	return errors.Join(m.rt.Close(ctx), m.cc.Close(ctx))
}

// Close frees the compiled code. No guest of it may be running.
func (m *Module) Close(ctx context.Context) error {
	if !m.e.forget(m) {
		return nil
	}
	return m.free(ctx)
}
