package rewrite

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

const pageBytes = 1 << 16

// bulky exports memory.fill and memory.copy over a memory of that many pages.
func bulky(pages uint32) []byte {
	operands := cat(opLocalGet, 0, opLocalGet, 1, opLocalGet, 2)
	return sections(
		section(secType, vec(functype([]byte{i32, i32, i32}, nil))),
		section(secFunction, vec(u32(0), u32(0))),
		section(secMemory, vec(cat(0, u32(pages)))),
		section(secExport, vec(export("fill", KindFunc, 0), export("copy", KindFunc, 1), export("memory", KindMemory, 0))),
		section(secCode, vec(
			code(nil, operands, opMisc, miscMemoryFill, 0),
			code(nil, operands, opMisc, miscMemoryCopy, 0, 0))),
	)
}

// TestStoppedInBulk stops one operation over most of a GiB at one of its ticks: the
// same part of it is done on both engines.
func TestStoppedInBulk(t *testing.T) {
	const all, half = 1 << 30, 1 << 29
	for name, c := range map[string]struct {
		f       string
		args    []uint64
		from    uint32 // of the destination
		forward bool
	}{
		"fill":          {"fill", []uint64{0, 7, all}, 0, true},
		"copy upwards":  {"copy", []uint64{half, 0, half}, half, false},
		"copy down":     {"copy", []uint64{0, half, half}, 0, true},
		"overlapping":   {"copy", []uint64{1 << 20, 0, all - 1<<20}, 1 << 20, false},
		"overlap below": {"copy", []uint64{0, 1 << 20, all - 1<<20}, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			for engine, config := range engines() {
				h := newHost(t, config.WithMemoryLimitPages(all>>16))
				h.slice, h.limit = 1_000_000, 4
				m := h.start(t, bulky(all>>16), DefaultCaps())
				mem, n, src := m.Memory(), uint32(c.args[2]), uint32(c.args[1])
				for off := uint32(0); c.f == "copy" && off < n; off += pieceBytes {
					mem.WriteByte(src+off, 7)
				}
				var before []byte
				for off := c.from; off-c.from < n; off += pieceBytes {
					v, _ := mem.ReadByte(off)
					before = append(before, v)
				}
				if _, err := m.ExportedFunction(c.f).Call(context.Background(), c.args...); !errors.Is(err, errFuel) {
					t.Fatalf("%s: %s", engine, cause(err))
				}
				// The first tick is the function's; a slice pays for 15 pieces, and each
				// but the first for the one that asked for it.
				const done = 15 + 3*16
				pieces := int(n / pieceBytes)
				if pieces <= done {
					t.Fatal("too small to stop in the middle")
				}
				for i, was := range before {
					got, _ := mem.ReadByte(c.from + uint32(i)*pieceBytes)
					reached := i < done
					if !c.forward {
						reached = i >= pieces-done
					}
					if want := byte(7); reached && got != want || !reached && got != was {
						t.Fatalf("%s: piece %d of %d has %d, was %d", engine, i, pieces, got, was)
					}
				}
				h.rt.Close(context.Background())
			}
		})
	}
}

// pieces is bulky(1) rewritten to do pieces of 64 bytes, on a host whose slices
// pay for next to nothing, so that all but the shortest are done so.
func pieces(t *testing.T, config wazero.RuntimeConfig, slice int64) (*host, api.Module) {
	t.Helper()
	w, err := admit(bulky(1), DefaultCaps(), false, true)
	if err != nil {
		t.Fatal(err)
	}
	w.piece = 64
	h := newHost(t, config)
	h.slice = slice
	m, err := h.rt.InstantiateWithConfig(context.Background(), w.output(), wazero.NewModuleConfig().WithName(""))
	if err != nil {
		t.Fatal(err)
	}
	return h, m
}

// TestPiecesAgree fills and copies in pieces and at once: what is in memory, what
// traps and what it costs is the same, wherever the operands lie to each other, to
// the borders of pieces and to the memory's end.
func TestPiecesAgree(t *testing.T) {
	ctx := context.Background()
	plain, err := newHost(t, compiler()).rt.InstantiateWithConfig(ctx, bulky(1), wazero.NewModuleConfig().WithName(""))
	if err != nil {
		t.Fatal(err)
	}
	for engine, config := range engines() {
		t.Run(engine, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(4, 4))
			small, inPieces := pieces(t, config, 1)
			large, atOnce := pieces(t, config, 1<<40)
			modules := []api.Module{plain, inPieces, atOnce}
			used := func(h *host, m api.Module) int64 {
				return h.slice*int64(h.ticks) - int64(m.ExportedGlobal(GasExport).Get()) - h.overdrawn
			}
			near := func(x int) uint64 { return uint64(uint32(x + rnd.IntN(5) - 2)) }
			var before, after []byte
			trapped := 0
			for range 4000 {
				n := near(64 * rnd.IntN(8))
				to := near([]int{0, 64 * rnd.IntN(20), rnd.IntN(1000), pageBytes - 512 + 64*rnd.IntN(9), -64}[rnd.IntN(5)])
				from := near([]int{int(int32(to)), int(int32(to)) + 64*rnd.IntN(4), int(int32(to)) - 64*rnd.IntN(4), pageBytes - 512 + 64*rnd.IntN(9), rnd.IntN(1000)}[rnd.IntN(5)])
				f := []string{"fill", "copy"}[rnd.IntN(2)]
				var first string
				for i, m := range modules {
					b, _ := m.Memory().Read(0, pageBytes)
					if i == 0 { // something new where it matters
						for k := range 2048 {
							b[k], b[pageBytes-2048+k] = byte(rnd.Uint32()), byte(rnd.Uint32())
						}
					} else {
						copy(b, before)
					}
					if i == 0 {
						before = append(before[:0], b...)
					}
					_, err := m.ExportedFunction(f).Call(ctx, to, from, n)
					switch got := cause(err); {
					case i == 0:
						first = got
						after = append(after[:0], b...)
						if err != nil {
							trapped++
						}
					case got != first:
						t.Fatalf("%s(%d, %d, %d), %d: %q, plainly %q", f, to, from, n, i, got, first)
					case !bytes.Equal(b, after):
						t.Fatalf("%s(%d, %d, %d), %d: other bytes than plainly", f, to, from, n, i)
					case err != nil && !bytes.Equal(b, before):
						t.Fatalf("%s(%d, %d, %d), %d: it trapped and wrote", f, to, from, n, i)
					}
				}
				if a, b := used(small, inPieces), used(large, atOnce); a != b {
					t.Fatalf("%s(%d, %d, %d): %d fuel in all in pieces, %d at once", f, to, from, n, a, b)
				}
			}
			if trapped < 200 || small.ticks < 4000 || large.ticks != 1 {
				t.Errorf("%d traps, %d ticks in pieces, %d at once", trapped, small.ticks, large.ticks)
			}
		})
	}
}

// TestPieceFunctions holds what is added against the original's indices: modules
// that name it are refused, and those that don't need it have nothing added.
func TestPieceFunctions(t *testing.T) {
	count := func(src []byte) int {
		out, _, err := Rewrite(src, DefaultCaps())
		if err != nil {
			t.Fatal(err)
		}
		c, err := newHost(t, compiler()).rt.CompileModule(context.Background(), out)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(c.ExportedFunctions()); n != 2 {
			t.Errorf("%d functions are exported", n)
		}
		for r := (reader{b: out, at: 8, end: len(out)}); r.left() > 0 && r.err == nil; {
			if id, s := r.byte(), r.sub(r.u32()); id == secFunction {
				return int(s.u32())
			}
		}
		return 0
	}
	if n := count(bulky(1)); n != 4 {
		t.Errorf("%d functions in place of two of the module and two of pieces", n)
	}
	for name, instrs := range map[string][]byte{
		"call":     cat(opCall, 2),
		"ref.func": cat(opRefFunc, 3, opDrop),
	} {
		src := sections(
			section(secType, vec(functype(nil, nil))),
			section(secFunction, vec(u32(0))),
			section(secMemory, vec(cat(0, 1))),
			section(secCode, vec(code(nil, cat(opI32Const, 0, opI32Const, 0, opI32Const, 0, opMisc, miscMemoryFill, 0), instrs))),
		)
		if _, _, err := Rewrite(src, DefaultCaps()); err == nil {
			t.Errorf("%s of what is added is admitted", name)
		}
	}
}
