package wasm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/sys"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/rewrite"
)

const (
	injected = 2 // globals that the rewriter adds to every module, after its own
	entry    = "_start"
)

// Exit is how a guest ended.
type Exit struct {
	Outcome abi.Outcome
	Code    uint32 // exit code, for OutcomeExit
	Trap    string // stable name of the trap, for OutcomeTrap: "unreachable"
	Gas     int64  // what was left
	Err     error  // for OutcomeKernel
}

// Guest is one instance of a module. It belongs to the goroutine that made it.
type Guest struct {
	door   Door
	mod    api.Module
	mem    api.Memory
	gas    api.MutableGlobal
	depth  api.Global
	gauge  gauge  // of the call that the guest is in
	limit  uint64 // the most bytes of memory
	c      abi.Call
	in     []byte // gathered input; reused
	vecs   []byte // the iovecs of the call's output, as in guest memory; reused
	stop   abi.Outcome
	exit   uint32
	memory *memory
	kind   Kind
}

// Run instantiates m with at most maxPages of memory, runs its _start to the
// end and returns how it ended. The guest is returned for its final state, also
// when it trapped or was stopped; its owner closes it. An error means that the
// module can't be run at all.
//
// Calls that nest deeper than the rewriter's cap end with abi.OutcomeDepth, those
// that take more stack than they may with abi.OutcomeStack. The interpreter allows
// 2,000 nested calls whatever the cap; there, more end with abi.OutcomeDepth too.
func (m *Module) Run(ctx context.Context, door Door, maxPages uint32) (guest *Guest, ex Exit, err error) {
	g := &Guest{door: door, kind: m.e.kind, limit: uint64(maxPages) * PageSize}
	if err := m.Command(); err != nil {
		return nil, Exit{}, err
	}
	// A fault in the engine, or in what stands behind the door while the guest
	// is instantiated, ends this run and no other.
	defer func() {
		if r := recover(); r != nil {
			g.mem = nil
			guest, ex, err = g, Exit{Outcome: abi.OutcomeKernel, Err: fmt.Errorf("panic: %v", r)}, nil
		}
	}()
	alloc := experimental.MemoryAllocatorFunc(func(_, limit uint64) experimental.LinearMemory {
		g.memory = newMemory(min(limit, uint64(maxPages)*PageSize))
		return g.memory
	})
	gctx := &guestCtx{g: g}
	gctx.Context = experimental.WithMemoryAllocator(ctx, alloc)
	mod, err := m.rt.InstantiateModule(gctx, m.cm, wazero.NewModuleConfig().WithName("").WithStartFunctions())
	if err == nil {
		g.bind(mod)
		err = g.run(gctx, rewrite.StartExport, entry)
	}
	ex = g.ended(err)
	if g.mod == nil && ex.Outcome == abi.OutcomeKernel {
		// A data or element segment that lies out of bounds, most likely.
		ex = Exit{Outcome: abi.OutcomeTrap, Trap: "instantiation"}
	}
	if g.gas != nil {
		ex.Gas = int64(g.gas.Get())
	}
	return g, ex, nil
}

// run calls each of the functions that the guest has.
func (g *Guest) run(ctx context.Context, names ...string) (err error) {
	for _, name := range names {
		f := g.mod.ExportedFunction(name)
		if f == nil {
			continue
		}
		if g.gauge, err = gaugeOf(f, g.kind); err != nil {
			return err
		}
		if _, err = f.Call(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Command tells whether the module is one that runs: it exports a function
// _start without parameters and results.
func (m *Module) Command() error {
	if def := m.cm.ExportedFunctions()[entry]; def == nil || len(def.ParamTypes())+len(def.ResultTypes()) > 0 {
		return &abi.Error{
			Code: "F1-MOD-101", What: "the module exports no function _start without parameters, so it is no command",
			Hint: "build a command: GOOS=wasip1 GOARCH=wasm go build, or clang --target=wasm32-wasi without -mexec-model=reactor",
		}
	}
	return nil
}

// bind learns the instance's memory and gas. A start section runs before
// InstantiateModule returns, so the first call or tick may bind.
func (g *Guest) bind(mod api.Module) {
	if g.mod != nil {
		return
	}
	g.mod = mod
	if g.memory != nil { // asked of ourselves: without one the engine answers a nil that is none
		g.mem = mod.Memory()
	}
	g.gas, _ = mod.ExportedGlobal(rewrite.GasExport).(api.MutableGlobal)
	g.depth = mod.ExportedGlobal(rewrite.DepthExport)
}

// ended says how the guest ended from the error of its call.
func (g *Guest) ended(err error) Exit {
	var ee *sys.ExitError
	switch {
	case g.stop == abi.OutcomeExit:
		return Exit{Outcome: abi.OutcomeExit, Code: g.exit}
	case g.stop != abi.OutcomeNone:
		return Exit{Outcome: g.stop}
	case err == nil:
		return Exit{Outcome: abi.OutcomeExit}
	case g.kind == Interpreter && trapName(err) == StackOverflow:
		return Exit{Outcome: abi.OutcomeDepth}
	case trapName(err) != "" && !errors.As(err, &ee):
		return Exit{Outcome: abi.OutcomeTrap, Trap: trapName(err)}
	}
	return Exit{Outcome: abi.OutcomeKernel, Err: err} // a fault of ours, not the guest's
}

// StackOverflow is the name of the trap of calls that need more stack than the engine has.
const StackOverflow = "stack-overflow"

// trapName gives the engine's trap a stable name, "" for what is no trap:
// recordings compare names, not texts.
func trapName(err error) string {
	msg := err.Error()
	for _, t := range [...]struct{ text, name string }{
		{"unreachable", "unreachable"},
		{"out of bounds memory access", "memory-out-of-bounds"},
		{"invalid table access", "table-out-of-bounds"},
		{"indirect call type mismatch", "indirect-call-type"},
		{"integer overflow", "integer-overflow"},
		{"integer divide by zero", "divide-by-zero"},
		{"invalid conversion to integer", "invalid-conversion"},
		{"stack overflow", StackOverflow},
		{"null reference", "null-reference"},
	} {
		// The compiler tells of its own stack without a trace.
		if strings.Contains(msg, "wasm error: "+t.text) || msg == t.text {
			return t.name
		}
	}
	return ""
}

// tick answers the guest's gas running out.
func (g *Guest) tick(mod api.Module) {
	g.bind(mod)
	gas, stop := g.door.Tick(int64(g.gas.Get()))
	g.gas.Set(uint64(gas)) // also when it stops here: what is left was not used
	if stop != abi.OutcomeNone {
		g.stop = stop
		unwind()
	}
}

// tooDeep answers guest calls nested deeper than the rewriter's cap in modules that
// versions 1 and 2 of it made.
func (g *Guest) tooDeep(mod api.Module) {
	g.bind(mod)
	g.stop = abi.OutcomeDepth
	unwind()
}

// probe answers guest calls that nest too deep, or whose frames may have piled up,
// and the growth of memory. It counts as a tick, so that a recording can say at which of them the run ended:
// how large frames are is the engine's choice, and differs between architectures.
func (g *Guest) probe(mod api.Module) {
	g.bind(mod)
	if rewrite.TooDeep(uint32(g.depth.Get())) {
		g.tooDeep(mod)
	}
	g.tick(mod)
	if g.gauge.used() > g.stackLimit() {
		g.stop = abi.OutcomeStack
		unwind()
	}
}

// Tagger makes a tag of data under a number used once.
type Tagger interface {
	Tag(index uint64, buffer uint32, data []byte) [16]byte
}

// zeroPage is what most pages of a memory hold.
var zeroPage [PageSize]byte

// State returns a tag over the guest's final state: size of memory, every page
// that is not all zero, and every number among the globals. It uses up all of the
// tagger's numbers.
func (g *Guest) State(t Tagger) [16]byte {
	var sum []byte
	if g.mem != nil {
		size := g.mem.Size()
		sum = binary.BigEndian.AppendUint32(sum, size)
		for off := uint32(0); off < size; off += PageSize {
			page, _ := g.mem.Read(off, PageSize)
			if string(page) == string(zeroPage[:]) {
				continue
			}
			tag := t.Tag(uint64(off/PageSize), 1, page)
			sum = append(binary.BigEndian.AppendUint32(sum, off), tag[:]...)
		}
	}
	for i := range g.numGlobals() {
		gl := g.mod.(experimental.InternalModule).Global(i)
		switch gl.Type() { // references are engine pointers: they say nothing
		case api.ValueTypeI32, api.ValueTypeI64, api.ValueTypeF32, api.ValueTypeF64:
			sum = binary.BigEndian.AppendUint64(sum, gl.Get())
		}
	}
	return t.Tag(0, 2, sum)
}

// numGlobals is the number of the module's own globals.
func (g *Guest) numGlobals() int {
	im, ok := g.mod.(experimental.InternalModule)
	if !ok {
		return 0
	}
	n := im.NumGlobal() - injected
	if g.refused() != nil {
		n--
	}
	return max(0, n)
}

// Memory returns the guest's current memory, for tests and forensics. It must
// not be changed.
func (g *Guest) Memory() []byte {
	if g.mem == nil {
		return nil
	}
	b, _ := g.mem.Read(0, g.mem.Size())
	return b
}

// Reached is LimitMemory if the guest asked for more memory than Run gave it,
// LimitTable if a table of it was not let grow.
func (g *Guest) Reached() (l abi.Limit) {
	if g.memory != nil && g.memory.refused {
		l |= abi.LimitMemory
	}
	if refused := g.refused(); refused != nil && refused.Get() != 0 {
		l |= abi.LimitTable
	}
	return l
}

// refused is the global by which a module remembers that a table was not let grow,
// nil if it has none.
func (g *Guest) refused() api.Global {
	if g.mod == nil {
		return nil
	}
	return g.mod.ExportedGlobal(rewrite.RefusedExport)
}

// Close frees the instance.
func (g *Guest) Close(ctx context.Context) error {
	if g.mod == nil {
		return nil
	}
	if err := g.mod.Close(ctx); err != nil {
		return fmt.Errorf("close guest: %w", err)
	}
	return nil
}
