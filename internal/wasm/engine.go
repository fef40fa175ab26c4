// Package wasm runs one guest on the engine, wazero, and is its only importer:
// compiling and the compile cache, linear memory, and marshalling between guest
// memory and the calls that go through the door.
package wasm

import (
	"context"
	"errors"
	"sync"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	wasys "github.com/tetratelabs/wazero/sys"

	"github.com/forgeone/forgeone/abi"
)

// PageSize is the size of a page of linear memory.
const PageSize = 65536

// Door is what the guest's calls and ticks go through.
type Door interface {
	Do(c *abi.Call) abi.Errno
	Tick(gas int64) (int64, abi.Outcome)
	StringsSize(n abi.Num) (count, bytes int)
}

// Engine makes compiled modules. It is safe for concurrent use; its modules share
// nothing.
type Engine struct {
	kind    Kind
	cache   *Cache
	outside Outside

	mu      sync.Mutex
	modules map[*Module]bool // that are loaded; nil once the engine is closed
}

// New returns an engine of the native kind. Without a cache every module is compiled
// anew; without an outside only what the cache has can be run.
func New(cache *Cache, outside Outside) *Engine { return NewOn(Native(), cache, outside) }

// NewOn returns an engine of a kind that this machine has. The interpreter has no
// use for a cache.
func NewOn(kind Kind, cache *Cache, outside Outside) *Engine {
	if kind == Interpreter {
		cache = nil
	}
	return &Engine{kind: kind, cache: cache, outside: outside, modules: map[*Module]bool{}}
}

// Kind returns the engine's kind.
func (e *Engine) Kind() Kind { return e.kind }

// keep notes a module that was loaded.
func (e *Engine) keep(m *Module) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.modules != nil {
		e.modules[m] = true
	}
}

// forget tells whether the module was still loaded, which it is no longer.
func (e *Engine) forget(m *Module) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	was := e.modules[m]
	delete(e.modules, m)
	return was
}

// Close frees the modules. No guest may be running. Closing again does nothing.
func (e *Engine) Close(ctx context.Context) error {
	e.mu.Lock()
	modules := e.modules
	e.modules = nil
	e.mu.Unlock()
	var all error
	for m := range modules {
		all = errors.Join(all, m.free(ctx))
	}
	return all
}

// config is how an engine of the kind is made.
func (k Kind) config() wazero.RuntimeConfig {
	c := wazero.NewRuntimeConfigCompiler()
	if k == Interpreter {
		c = wazero.NewRuntimeConfigInterpreter()
	}
	return c.WithCoreFeatures(api.CoreFeaturesV2).
		WithCloseOnContextDone(false). // ticks do this, at a tenth of the cost
		WithDebugInfoEnabled(false)
}

// exportHost makes the host modules: every row of the table, and the ticks.
func exportHost(ctx context.Context, rt wazero.Runtime) error {
	builders := map[abi.Iface]wazero.HostModuleBuilder{}
	for _, r := range abi.Rows() {
		b := builders[r.Iface]
		if b == nil {
			b = rt.NewHostModuleBuilder(r.Iface.Module())
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
	_, err := rt.NewHostModuleBuilder("forgeone").
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
