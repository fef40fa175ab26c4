// Package wasm runs one guest on the engine, wazero, and is its only importer:
// compiling and the compile cache, linear memory, and marshalling between guest
// memory and the calls that go through the door.
package wasm

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	wasys "github.com/tetratelabs/wazero/sys"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/sys"
)

// PageSize is the size of a page of linear memory.
const PageSize = 65536

// Door is what the guest's calls and ticks go through.
type Door interface {
	Do(c *abi.Call) abi.Errno
	Tick(gas int64) (int64, abi.Outcome)
	StringsSize(n abi.Num) (count, bytes int)
}

// Engine compiles modules. It is safe for concurrent use; guests of one engine
// share compiled code and nothing else.
type Engine struct {
	// Deadline bounds one compilation, in wall time; 0: nothing does. It is set
	// before the first one.
	Deadline time.Duration

	kind  Kind
	rt    wazero.Runtime
	cache *Cache
	cc    wazero.CompilationCache
	dir   string // the engine's private cache folder, "" without a cache
	lock  *sys.FileLock
	slot  chan struct{} // holds one item while a module is compiled

	closed atomic.Bool
}

// New returns an engine of the native kind. cache may be nil: every module is then
// compiled anew.
func New(ctx context.Context, cache *Cache) (*Engine, error) { return NewOn(ctx, Native(), cache) }

// NewOn returns an engine of a kind that this machine has. The interpreter has no
// use for a cache.
func NewOn(ctx context.Context, kind Kind, cache *Cache) (*Engine, error) {
	cfg := wazero.NewRuntimeConfigCompiler()
	if kind == Interpreter {
		cfg, cache = wazero.NewRuntimeConfigInterpreter(), nil
	}
	cfg = cfg.WithCoreFeatures(api.CoreFeaturesV2).
		WithCloseOnContextDone(false). // ticks do this, at a tenth of the cost
		WithDebugInfoEnabled(false)
	e := &Engine{kind: kind, cache: cache, slot: make(chan struct{}, 1)}
	if cache != nil {
		dir, lock, err := makePrivate(privateRoot())
		if err != nil {
			return nil, err
		}
		e.lock = lock
		cc, err := wazero.NewCompilationCacheWithDir(dir)
		if err != nil {
			removePrivate(dir, lock)
			return nil, err
		}
		e.dir, e.cc = dir, cc
		cfg = cfg.WithCompilationCache(cc)
	}
	e.rt = wazero.NewRuntimeWithConfig(ctx, cfg)
	if err := e.exportHost(ctx); err != nil {
		e.Close(ctx)
		return nil, err
	}
	return e, nil
}

// Kind returns the engine's kind.
func (e *Engine) Kind() Kind { return e.kind }

// Close frees the engine. No guest of it may be running, and nothing is
// compiled after it. A compilation that was given up and has not ended yet is
// waited for, until ctx ends: then the engine is freed behind the caller's back.
// Closing it again does nothing.
func (e *Engine) Close(ctx context.Context) error {
	if e.closed.Swap(true) {
		return nil
	}
	if e.dir != "" {
		removePrivate(e.dir, e.lock)
	}
	free := func(ctx context.Context) error {
		err := e.rt.Close(ctx)
		if e.cc != nil {
			e.cc.Close(ctx)
		}
		return err
	}
	select {
	case e.slot <- struct{}{}:
		return free(ctx)
	default:
	}
	select {
	case e.slot <- struct{}{}:
		return free(ctx)
	case <-ctx.Done():
		go func() {
			e.slot <- struct{}{}
			_ = free(context.WithoutCancel(ctx)) // nobody is there to hear of it
		}()
		return nil
	}
}

// exportHost makes the host modules: every row of the table, and the ticks.
func (e *Engine) exportHost(ctx context.Context) error {
	builders := map[abi.Iface]wazero.HostModuleBuilder{}
	for _, r := range abi.Rows() {
		b := builders[r.Iface]
		if b == nil {
			b = e.rt.NewHostModuleBuilder(r.Iface.Module())
			builders[r.Iface] = b
		}
		p := newPlan(r)
		var results []api.ValueType
		if r.Returns() {
			results = []api.ValueType{api.ValueTypeI32}
		}
		b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(ctx context.Context, m api.Module, stack []uint64) {
			guestOf(ctx).enter(p, m, stack)
		}), p.core, results).Export(r.Name)
	}
	for _, b := range builders {
		if _, err := b.Instantiate(ctx); err != nil {
			return err
		}
	}
	hook := func(f func(*Guest, api.Module)) api.GoModuleFunction {
		return api.GoModuleFunc(func(ctx context.Context, m api.Module, _ []uint64) { f(guestOf(ctx), m) })
	}
	_, err := e.rt.NewHostModuleBuilder("forgeone").
		NewFunctionBuilder().WithGoModuleFunction(hook((*Guest).tick), nil, nil).Export("tick").
		NewFunctionBuilder().WithGoModuleFunction(hook((*Guest).probe), nil, nil).Export("probe").
		NewFunctionBuilder().WithGoModuleFunction(hook((*Guest).tooDeep), nil, nil).Export("depth").
		Instantiate(ctx)
	return err
}

// guestCtx carries the guest to host functions. It is a type of its own, and
// not a value in a context, because a lookup would cost more than a call.
type guestCtx struct {
	context.Context
	g *Guest
}

func guestOf(ctx context.Context) *Guest { return ctx.(*guestCtx).g }

// unwind leaves the guest from a host function. The engine passes an exit
// error on without making a stack trace; why it left stands in the guest.
func unwind() { panic(exitError) }

// exitError is constant: its code says nothing.
var exitError = wasys.NewExitError(0)
