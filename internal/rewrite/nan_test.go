package rewrite

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"testing"

	"github.com/tetratelabs/wazero/api"
)

// canonicalCaps are the default caps, with canonical NaNs.
func canonicalCaps() Caps {
	c := DefaultCaps()
	c.CanonicalNaN = true
	return c
}

// operands are floats that make NaNs, or are some, with payloads and signs.
func operands32() []uint32 {
	return []uint32{0, 1 << 31, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00000, 0x7f800001, 0xffa12345, 0x7fffffff}
}

func operands64() []uint64 {
	return []uint64{0, 1 << 63, math.Float64bits(1), math.Float64bits(-1), 0x7ff0000000000000, 0xfff0000000000000, canonicalF64, 0xfff8000000000000, 0x7ff0000000000001, 0xfff4123456789abc, 0x7fffffffffffffff}
}

// clean32 and clean64 are what a canonicalised float is.
func clean32(v uint32) uint32 {
	if f := math.Float32frombits(v); f != f {
		return canonicalF32
	}
	return v
}

func clean64(v uint64) uint64 {
	if f := math.Float64frombits(v); f != f {
		return canonicalF64
	}
	return v
}

// TestCanonicalScalars computes with every instruction that may make a NaN, on
// both engines: the numbers are the original's, the NaNs are all the same.
func TestCanonicalScalars(t *testing.T) {
	for name, config := range engines() {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, config)
			ops, done := instructions(), 0
			for op, info := range ops {
				if info.nan == 0 {
					continue
				}
				in, out := info.nan, info.nan
				unary := op <= 0x91 || op >= 0x9b && op <= 0x9f || op >= 0xb6
				switch op {
				case 0xb6:
					in = typeF64
				case 0xbb:
					in = typeF32
				}
				params := []byte{in, in}
				if unary {
					params = params[:1]
				}
				args := cat(opLocalGet, 0)
				if !unary {
					args = cat(opLocalGet, 0, opLocalGet, 1)
				}
				m := one(params, []byte{out}, nil, args, op)
				plain, clean := h.start(t, m, DefaultCaps()), h.start(t, m, canonicalCaps())
				for _, a := range floats(in) {
					for _, b := range floats(in) {
						args := []uint64{a, b}[:len(params)]
						want, err := plain.ExportedFunction("f").Call(context.Background(), args...)
						if err != nil {
							t.Fatal(err)
						}
						got, err := clean.ExportedFunction("f").Call(context.Background(), args...)
						if err != nil {
							t.Fatal(err)
						}
						w, g := clean64(want[0]), got[0]
						if out == typeF32 {
							w, g = uint64(clean32(uint32(want[0]))), uint64(uint32(g))
						}
						if w != g {
							t.Fatalf("%#x of %x is %x, want %x", op, args, g, w)
						}
						done++
					}
				}
			}
			if done < 24*100 {
				t.Errorf("only %d computed", done)
			}
		})
	}
}

func floats(typ byte) (v []uint64) {
	if typ == typeF64 {
		return operands64()
	}
	for _, f := range operands32() {
		v = append(v, uint64(f))
	}
	return v
}

// TestCanonicalVectors is TestCanonicalScalars for lanes.
func TestCanonicalVectors(t *testing.T) {
	for name, config := range engines() {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, config)
			vecs, done := vectors(), 0
			for op, info := range vecs {
				if info.nan == 0 {
					continue
				}
				number := cat(op)
				if op >= 0x80 {
					number = cat(op, 1)
				}
				unary := op < 0xe3 || op == 0xe3 || op == 0xef
				// Operands lie at 0 and 16; the result goes to 32.
				args := cat(opI32Const, 0, opVector, 0, 4, 0)
				if !unary {
					args = cat(args, opI32Const, 0, opVector, 0, 4, 16)
				}
				m := one(nil, nil, nil, opI32Const, 0, args, opVector, number, opVector, 0x0b, 4, 32)
				plain, clean := h.start(t, m, DefaultCaps()), h.start(t, m, canonicalCaps())
				for k := range operands64() {
					want, got := lanes(t, plain, k), lanes(t, clean, k)
					for i := range 4 {
						lane := func(b []byte) string {
							if info.nan == typeF32 {
								return fmt.Sprintf("%x", clean32(binary.LittleEndian.Uint32(b[4*i:])))
							}
							return fmt.Sprintf("%x", clean64(binary.LittleEndian.Uint64(b[i/2*8:])))
						}
						if lane(want) != lane(got) {
							t.Fatalf("%#x: lane %d of %x, want %x", op, i, got, want)
						}
					}
					for i := 0; i < 16; i += 4 {
						if v := binary.LittleEndian.Uint32(got[i:]); info.nan == typeF32 && clean32(v) != v {
							t.Fatalf("%#x: lane of %x is not canonical", op, got)
						}
						if v := binary.LittleEndian.Uint64(got[i/8*8:]); info.nan == typeF64 && clean64(v) != v {
							t.Fatalf("%#x: lane of %x is not canonical", op, got)
						}
					}
					done++
				}
			}
			if done < 26*10 {
				t.Errorf("only %d computed", done)
			}
		})
	}
}

// lanes writes the k-th operands, calls f and returns its result.
func lanes(t *testing.T, m api.Module, k int) []byte {
	t.Helper()
	a, b := operands64(), operands32()
	mem := m.Memory()
	for i := range uint32(2) {
		mem.WriteUint64Le(16*i, a[(k+int(i))%len(a)])
		mem.WriteUint64Le(16*i+8, uint64(b[(k+int(i))%len(b)])|uint64(b[(k+3)%len(b)])<<32)
	}
	if _, err := m.ExportedFunction("f").Call(context.Background()); err != nil {
		t.Fatal(err)
	}
	out, _ := mem.Read(32, 16)
	return append([]byte(nil), out...)
}

// TestBitsPassThrough moves NaNs with payloads by what computes nothing: loads,
// stores, signs, selections and reinterpretations keep all bits.
func TestBitsPassThrough(t *testing.T) {
	const nan = 0xfff4123456789abc
	bits := binary.LittleEndian.AppendUint64(nil, nan)
	for name, c := range map[string]struct {
		instrs []byte
		want   uint64
	}{
		"constant":    {cat(opF64Const, bits), nan},
		"load":        {cat(opI32Const, 0, 0x2b, 3, 0), nan},
		"store":       {cat(opI32Const, 8, opI32Const, 0, 0x2b, 3, 0, 0x39, 3, 0, opI32Const, 8, 0x2b, 3, 0), nan},
		"negation":    {cat(opF64Const, bits, 0x9a), nan &^ (1 << 63)},
		"absolute":    {cat(opF64Const, bits, 0x99), nan &^ (1 << 63)},
		"sign of it":  {cat(opF64Const, bits, opF64Const, make([]byte, 8), 0xa6), nan &^ (1 << 63)},
		"reinterpret": {cat(opI64Const, appendSigned(nil, int64(-1<<63|nan&^(1<<63))), 0xbf), nan},
	} {
		for engine, config := range engines() {
			m := newHost(t, config).start(t, one(nil, []byte{i64}, nil, c.instrs, 0xbd), canonicalCaps())
			m.Memory().WriteUint64Le(0, nan)
			if r, err := m.ExportedFunction("f").Call(context.Background()); err != nil || r[0] != c.want {
				t.Errorf("%s on %s: %x, %v; want %x", name, engine, r, err, uint64(c.want))
			}
		}
	}
}

// TestCanonicalGrowth accounts for what canonicalising adds: it counts against the
// cap of what is rewritten.
func TestCanonicalGrowth(t *testing.T) {
	chain := func(n int) []byte {
		var b []byte
		for range n {
			b = append(b, 0x9f, 0x99) // sqrt; abs lets its bits be seen
		}
		return one([]byte{f64}, []byte{f64}, nil, opLocalGet, 0, b)
	}
	plain, _, err := Rewrite(chain(1000), DefaultCaps())
	if err != nil {
		t.Fatal(err)
	}
	out, info, err := Rewrite(chain(1000), canonicalCaps())
	if err != nil || !info.Floats {
		t.Fatal(err)
	}
	if grown := len(out) - len(plain); grown < 17*1000 || grown > 17*1000+100 {
		t.Errorf("%d bytes for 1000 instructions", grown)
	}
	validates(t, out)
	if _, _, err := Rewrite(chain(400_000), DefaultCaps()); err != nil {
		t.Errorf("as it is: %v", err)
	}
	caps := canonicalCaps()
	caps.RewrittenBytes = 2 << 20
	refused(t, chain(400_000), caps, "F1-MOD-004", "bytes of rewritten code")
	// A value that is consumed by another computation needs nothing.
	sum := one([]byte{f64}, []byte{f64}, nil, opLocalGet, 0, 0x9f, 0x9f, 0x9f, 0x9f)
	single := one([]byte{f64}, []byte{f64}, nil, opLocalGet, 0, 0x9f)
	a, _, err := Rewrite(sum, canonicalCaps())
	b, _, err2 := Rewrite(single, canonicalCaps())
	if err != nil || err2 != nil || len(a)-len(b) != 3 {
		t.Errorf("%d bytes more, %v, %v", len(a)-len(b), err, err2)
	}
}

// TestSeenBits lets each instruction that shows a NaN's bits follow its computation.
func TestSeenBits(t *testing.T) {
	zero := cat(opF64Const, make([]byte, 8))
	nan := cat(zero, zero, 0xa3) // 0/0
	for name, c := range map[string]struct {
		instrs []byte
		want   uint64
	}{
		"reinterpret": {cat(nan, 0xbd), canonicalF64},
		"negation":    {cat(nan, 0x9a, 0xbd), canonicalF64 | 1<<63},
		"sign of it":  {cat(zero, nan, 0xa6, 0xbd), 0},
		"block":       {cat(opBlock, f64, nan, opEnd, 0xbd), canonicalF64},
		"local":       {cat(nan, 0x21, 0, opLocalGet, 0, 0xbd), canonicalF64},
		"select":      {cat(nan, zero, opI32Const, 1, opSelect, 0xbd), canonicalF64},
		"store":       {cat(opI32Const, 0, nan, 0x39, 3, 0, opI32Const, 0, 0x29, 3, 0), canonicalF64},
		"sum":         {cat(nan, zero, 0xa0, 0xbd), canonicalF64},
		"sum at once": {cat(zero, nan, 0xa0, 0xbd), canonicalF64},
	} {
		for engine, config := range engines() {
			m := newHost(t, config).start(t, one(nil, []byte{i64}, groups(1, f64), c.instrs), canonicalCaps())
			if r, err := m.ExportedFunction("f").Call(context.Background()); err != nil || r[0] != c.want {
				t.Errorf("%s on %s: %x, %v; want %x", name, engine, r, err, c.want)
			}
		}
	}
}
