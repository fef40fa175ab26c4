package rewrite

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/forgeone/forgeone/internal/wasmtest"
)

// pressed writes a function of random straight code over many values that are all
// needed up to its end, more than a machine has registers: so that operands are spilled
// and reloaded, where a compiler that forgets about one shows. It returns a module that
// exports it as "f": from 12 numbers of 32 bits, 12 of 64, and 20 floats to a sum of
// all bits.
func pressed(r *rand.Rand) []byte {
	const (
		ints, longs, floats = 12, 12, 20
		f32                 = 0x7d
	)
	var params []byte
	params = append(params, slices.Repeat([]byte{wasmtest.I32}, ints)...)
	params = append(params, slices.Repeat([]byte{wasmtest.I64}, longs)...)
	params = append(params, slices.Repeat([]byte{wasmtest.F64}, floats/2)...)
	params = append(params, slices.Repeat([]byte{f32}, floats/2)...)
	i := func() []byte { return wasmtest.LocalGet(r.IntN(ints)) }
	l := func() []byte { return wasmtest.LocalGet(ints + r.IntN(longs)) }
	d := func() []byte { return wasmtest.LocalGet(ints + longs + r.IntN(floats/2)) }
	f := func() []byte { return wasmtest.LocalGet(ints + longs + floats/2 + r.IntN(floats/2)) }
	op := func(first, n int) []byte { return []byte{byte(first + r.IntN(n))} }
	cond := func() []byte {
		switch r.IntN(4) {
		case 0:
			return i()
		case 1:
			return wasmtest.Cat(i(), i(), op(0x46, 10))
		case 2:
			return wasmtest.Cat(l(), l(), op(0x51, 10))
		}
		return wasmtest.Cat(d(), d(), op(0x61, 6))
	}
	const selects = 0x1b
	// Divisors are odd and not −1, so nothing traps.
	odd32 := func() []byte {
		return wasmtest.Cat(i(), wasmtest.Const(0xffff), []byte{0x71}, wasmtest.Const(1), []byte{0x72})
	}
	odd64 := func() []byte {
		return wasmtest.Cat(l(), wasmtest.Const64(0xffff), []byte{0x83}, wasmtest.Const64(1), []byte{0x84})
	}
	var body []byte
	for range 20 + r.IntN(60) {
		at, code := 0, []byte(nil)
		switch r.IntN(13) {
		case 0, 1:
			at, code = r.IntN(ints), wasmtest.Cat(i(), odd32(), op(0x6d, 4)) // div, rem
		case 2, 3:
			at, code = ints+r.IntN(longs), wasmtest.Cat(l(), odd64(), op(0x7f, 4))
		case 4:
			at, code = r.IntN(ints), wasmtest.Cat(i(), i(), cond(), []byte{selects})
		case 5:
			at, code = ints+r.IntN(longs), wasmtest.Cat(l(), l(), cond(), []byte{selects})
		case 6, 7:
			at, code = ints+longs+r.IntN(floats/2), wasmtest.Cat(d(), d(), cond(), []byte{selects})
		case 8:
			at, code = ints+longs+floats/2+r.IntN(floats/2), wasmtest.Cat(f(), f(), cond(), []byte{selects})
		case 9:
			at, code = ints+longs+r.IntN(floats/2), wasmtest.Cat(d(), d(), op(0xa0, 4))
		case 10:
			at, code = ints+longs+r.IntN(floats/2), wasmtest.Cat(d(), d(), d(), wasmtest.Call(1))
		case 11:
			at, code = r.IntN(ints), wasmtest.Cat(i(), i(), i(), wasmtest.Call(2))
		case 12: // begins anew
			at, code = ints+longs+r.IntN(floats/2), wasmtest.Cat(i(), []byte{0xb7})
		}
		body = wasmtest.Cat(body, code, wasmtest.LocalSet(at))
	}
	// The bits of all, mixed.
	sum := []byte{0x42, 0}
	mix := func(at int, to64 ...byte) {
		sum = wasmtest.Cat(sum, wasmtest.Const64(31), []byte{0x7e}, wasmtest.LocalGet(at), to64, []byte{0x85}) // × 31, xor
	}
	for k := range ints {
		mix(k, 0xad)
	}
	for k := range longs {
		mix(ints + k)
	}
	for k := range floats / 2 {
		mix(ints+longs+k, 0xbd)
	}
	for k := range floats / 2 {
		mix(ints+longs+floats/2+k, 0xbc, 0xad)
	}
	three := func(kind, add byte) wasmtest.Func {
		return wasmtest.Func{
			Params: []byte{kind, kind, kind}, Results: []byte{kind},
			Body: wasmtest.Cat(wasmtest.LocalGet(0), wasmtest.LocalGet(1), []byte{add}, wasmtest.LocalGet(2), []byte{add}),
		}
	}
	return wasmtest.Module{Funcs: []wasmtest.Func{
		{Export: "f", Params: params, Results: []byte{wasmtest.I64}, Body: wasmtest.Cat(body, sum)},
		three(wasmtest.F64, 0xa0), three(wasmtest.I32, 0x6a),
	}}.Bytes()
}

// TestEnginesAgreeUnderPressure: both engines compute the same where there are more
// values than registers. In wazero v1.12.0 they did not: a select between floats on
// amd64, and a remainder on arm64, could answer with what happened to be in a register
// (its issue 2534, and the rest of an unsigned division). `make soak` takes more.
func TestEnginesAgreeUnderPressure(t *testing.T) {
	modules := 500
	if os.Getenv("FORGEONE_SOAK") != "" {
		modules = 40_000
	}
	ctx := context.Background()
	for seed := range modules {
		r := rand.New(rand.NewPCG(uint64(seed), 1))
		module := pressed(r)
		args := make([][]uint64, 4)
		for k := range args {
			for range 12 {
				args[k] = append(args[k], uint64(r.Uint32()))
			}
			for range 12 {
				args[k] = append(args[k], r.Uint64())
			}
			for range 10 {
				args[k] = append(args[k], math.Float64bits(r.NormFloat64()))
			}
			for range 10 {
				args[k] = append(args[k], uint64(math.Float32bits(float32(r.NormFloat64()))))
			}
		}
		want := make([]uint64, len(args))
		for _, name := range []string{"interpreter", "compiler"} {
			h := newHost(t, engines()[name])
			caps := DefaultCaps()
			m := h.start(t, module, caps)
			for k, a := range args {
				got, err := m.ExportedFunction("f").Call(ctx, a...)
				if err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				if name == "interpreter" {
					want[k] = got[0]
				} else if got[0] != want[k] {
					t.Fatalf("seed %d, arguments %d: %x, the interpreter has %x", seed, k, got[0], want[k])
				}
			}
			_ = h.rt.Close(ctx)
		}
	}
}
