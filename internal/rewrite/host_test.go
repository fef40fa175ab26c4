package rewrite

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

var (
	errFuel  = errors.New("fuel used up")
	errDepth = errors.New("calls nested too deep")
)

// host is the other side of a rewritten module: it hands out slices of gas.
type host struct {
	rt     wazero.Runtime
	slice  int64
	ticks  int // so far
	probes int
	limit  int // ticks after which a guest is stopped
	// lowest is the lowest that the counter was found at.
	lowest int64
	// overdrawn is the sum of what it was found at.
	overdrawn int64
}

func newHost(t testing.TB, config wazero.RuntimeConfig) *host {
	t.Helper()
	ctx := context.Background()
	h := &host{rt: wazero.NewRuntimeWithConfig(ctx, config.WithCoreFeatures(api.CoreFeaturesV2)), slice: 1_000_000, limit: math.MaxInt}
	t.Cleanup(func() { _ = h.rt.Close(ctx) })
	b := h.rt.NewHostModuleBuilder(ReservedModule)
	b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(_ context.Context, m api.Module, _ []uint64) {
		gas := int64(m.ExportedGlobal(GasExport).Get())
		h.lowest, h.overdrawn = min(h.lowest, gas), h.overdrawn+gas
		if h.ticks++; h.ticks > h.limit {
			panic(errFuel)
		}
		m.ExportedGlobal(GasExport).(api.MutableGlobal).Set(uint64(h.slice))
	}), nil, nil).Export(TickName)
	b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(_ context.Context, m api.Module, _ []uint64) {
		if h.probes++; TooDeep(uint32(m.ExportedGlobal(DepthExport).Get())) {
			panic(errDepth)
		}
	}), nil, nil).Export(ProbeName)
	if _, err := b.Instantiate(ctx); err != nil {
		t.Fatal(err)
	}
	return h
}

// compiler is the runtime that the product uses.
func compiler() wazero.RuntimeConfig {
	return wazero.NewRuntimeConfigCompiler().WithMemoryLimitPages(256)
}

// engines are the two that the product can run on.
func engines() map[string]wazero.RuntimeConfig {
	return map[string]wazero.RuntimeConfig{
		"compiler": compiler(), "interpreter": wazero.NewRuntimeConfigInterpreter().WithMemoryLimitPages(256),
	}
}

// start rewrites and instantiates a module.
func (h *host) start(t testing.TB, module []byte, caps Caps) api.Module {
	t.Helper()
	out, _, err := Rewrite(module, caps)
	if err != nil {
		t.Fatal(err)
	}
	m, err := instantiate(h.rt, out)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// instantiate instantiates a rewritten module, and runs its start function.
func instantiate(rt wazero.Runtime, module []byte) (api.Module, error) {
	ctx := context.Background()
	m, err := rt.InstantiateWithConfig(ctx, module, wazero.NewModuleConfig().WithName("").WithStartFunctions())
	if err != nil {
		return nil, err
	}
	if f := m.ExportedFunction(StartExport); f != nil {
		_, err = f.Call(ctx)
	}
	return m, err
}

// cause returns an error's text without the stack trace.
func cause(err error) string {
	if err == nil {
		return ""
	}
	s, _, _ := strings.Cut(err.Error(), "\n")
	return s
}
