package wasm

import (
	"bytes"
	"context"
	"encoding/binary"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/gate"
	"github.com/forgeone/forgeone/internal/provider/conform"
	"github.com/forgeone/forgeone/internal/wasmtest"
)

// rig is a guest that hands every call of preview 1 on, with a world and a gate
// behind it. The test plays the guest: it fills memory and calls.
type rig struct {
	testing.TB
	g   *Guest
	ctx context.Context
	mod api.Module
	mem []byte // the guest's memory itself

	gate   *gate.Gate
	lifted abi.Errno // of the last call: errno when it reached the gate
	out    []byte    // what the world answered
	ret    []byte
}

// rigPages is the size of the guest's memory.
const rigPages = 1

// newRig makes the guest: for each row an import, and an export that calls it.
func newRig(t *testing.T) *rig {
	t.Helper()
	m := wasmtest.Module{MinPages: rigPages, MaxPages: rigPages}
	for i, row := range abi.Rows() {
		var params, results []byte
		body := []byte{}
		for k, c := range row.Core() {
			params = append(params, map[rune]byte{'i': wasmtest.I32, 'l': wasmtest.I64}[c])
			body = append(body, wasmtest.LocalGet(k)...)
		}
		if row.Returns() {
			results = []byte{wasmtest.I32}
		}
		m.Imports = append(m.Imports, wasmtest.Import{Name: row.Name, Params: params, Results: results})
		m.Funcs = append(m.Funcs, wasmtest.Func{Params: params, Results: results, Export: row.Name, Body: wasmtest.Cat(body, wasmtest.Call(i))})
	}
	e := engine(t, nil)
	r := &rig{TB: t, g: &Guest{}}
	r.g.door = r
	alloc := experimental.MemoryAllocatorFunc(func(_, limit uint64) experimental.LinearMemory {
		r.g.memory = newMemory(limit)
		return r.g.memory
	})
	r.ctx = &guestCtx{Context: experimental.WithMemoryAllocator(t.Context(), alloc), g: r.g}
	c := compile(t, e, m.Bytes())
	mod, err := c.rt.InstantiateModule(r.ctx, c.cm, wazero.NewModuleConfig().WithName("").WithStartFunctions())
	if err != nil {
		t.Fatal(err)
	}
	r.g.bind(mod)
	r.mod, r.mem = mod, r.g.Memory()
	return r
}

// enter puts the guest into the fixture's world.
func (r *rig) enter(f *conform.Fixture) {
	r.gate = gate.New(f.World, r, r, r, gate.NewControl(), gate.NewMeter(0, gate.Slice))
}

func (r *rig) Do(c *abi.Call) abi.Errno {
	r.lifted = c.Errno
	e := r.gate.Do(c)
	r.out, r.ret = bytes.Clone(c.Out[:c.OutLen]), bytes.Clone(c.Ret[:c.Row.RetSize()])
	return e
}

func (r *rig) Tick(int64) (int64, abi.Outcome)      { return gate.Slice, abi.OutcomeNone }
func (r *rig) StringsSize(n abi.Num) (count, b int) { return r.gate.StringsSize(n) }

// Decide allows what the world does not refuse.
func (r *rig) Decide(_ *abi.Call, o *abi.Object) *abi.Decision {
	d := &abi.Decision{Verdict: abi.Allow}
	if o.Refused != 0 {
		d.Verdict = abi.Deny
		d.Reason, d.Errno = abi.Refuse(o)
	}
	return d
}

// Reserve hands out dirty room: what is not answered must not reach the guest.
func (r *rig) Reserve(c *abi.Call, _ *abi.Object) abi.Outcome {
	c.Out = bytes.Repeat([]byte{0xEE}, c.OutCap)
	return abi.OutcomeNone
}

func (r *rig) Commit(*abi.Call, *abi.Object, *abi.Decision) {}
func (r *rig) Denied(*abi.Call, *abi.Object, *abi.Decision) {}

// call calls, and holds the whole memory against the shadow copy: on success the
// outputs that the table declares are written, in its order and no byte more; on
// an errno nothing is.
func (r *rig) call(row *abi.Row, stack []uint64) abi.Errno {
	r.Helper()
	shadow := bytes.Clone(r.mem)
	r.g.stop, r.out, r.ret = abi.OutcomeNone, nil, nil
	res, err := r.mod.ExportedFunction(row.Name).Call(r.ctx, stack...)
	e := abi.ESUCCESS
	switch {
	case row.Num == abi.ProcExit && (r.g.stop != abi.OutcomeExit || r.g.exit != uint32(stack[0])):
		r.Fatalf("%s%x: outcome %v, code %d", row.Name, stack, r.g.stop, r.g.exit)
	case r.g.stop == abi.OutcomeExit: // it does not return
	case err != nil || len(res) != 1:
		r.Fatalf("%s%x: %v", row.Name, stack, err)
	default:
		e = abi.Errno(res[0])
	}
	if e == abi.ESUCCESS {
		declared(shadow, row, stack, r.out, r.ret)
	}
	if !bytes.Equal(r.mem, shadow) {
		for i := range shadow {
			if r.mem[i] != shadow[i] {
				r.Fatalf("%s%x: %v: memory differs first at %#x: %#x, want %#x", row.Name, stack, e, i, r.mem[i], shadow[i])
			}
		}
	}
	return e
}

// declared writes into m, which is memory as it was before the call, what the
// table says that a call of row which answered out and ret writes.
func declared(m []byte, row *abi.Row, stack []uint64, out, ret []byte) {
	le := binary.LittleEndian
	before := bytes.Clone(m)
	for _, p := range row.Params {
		at := stack[:len(p.Type.Core())]
		stack = stack[len(at):]
		ptr := uint64(uint32(at[0]))
		switch p.Type {
		case abi.BytesOut:
			for t := before[ptr:]; len(out) > 0; t = t[abi.IovecSize:] {
				buf, n := uint64(le.Uint32(t)), uint64(le.Uint32(t[4:]))
				out = out[copy(m[buf:buf+n], out):]
			}
		case abi.BufferOut, abi.EventsOut:
			copy(m[ptr:], out)
		case abi.StringsOut:
			buf := uint64(uint32(at[1]))
			copy(m[buf:], out)
			for i, s := range bytes.SplitAfter(out, []byte{0}) {
				if len(s) > 0 {
					le.PutUint32(m[ptr+uint64(i)*4:], uint32(buf))
				}
				buf += uint64(len(s))
			}
		default:
			if n := p.Type.Size(); n > 0 {
				copy(m[ptr:], ret[:n])
				ret = ret[n:]
			}
		}
	}
}
