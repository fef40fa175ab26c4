package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/rewrite"
	"github.com/forgeone/forgeone/internal/wasmtest"
)

// admission measures what reading, checking and rewriting a module costs beside
// compiling it, and what it takes to refuse one that was made to be expensive.
func (b *bench) admission() error {
	p, err := b.sides()
	if err != nil {
		return err
	}
	path, err := b.guest(callsPkg)
	if err != nil {
		return err
	}
	module, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var mine, theirs []sample
	err = alternate(b.reps,
		func(int) error {
			s, err := measure(b.ctx, "ours", func() error {
				_, _, err := rewrite.Rewrite(module, rewrite.DefaultCaps())
				return err
			})
			mine = append(mine, s)
			return err
		},
		func(int) error {
			s, err := measure(b.ctx, "rival", func() error {
				m, err := p.bare.rt.CompileModule(b.ctx, module)
				if err == nil {
					err = m.Close(b.ctx)
				}
				return err
			})
			theirs = append(theirs, s)
			return err
		})
	if err != nil {
		return err
	}
	b.add(compare(Row{Name: fmt.Sprintf("%.1f MB admitted and rewritten", float64(len(module))/1e6), Unit: "ms", Beside: "wazero, compiling it"}, time.Millisecond, 1, mine, theirs))
	for _, bomb := range []struct {
		name   string
		module []byte
	}{
		{"300,000 nested blocks", nested(300_000)},
		{"2,000 functions of 50,000 locals", locals(2_000, 50_000)},
		{"1,000,000 functions", locals(1_000_000, 0)},
	} {
		if err := b.refusal(bomb.name, bomb.module); err != nil {
			return err
		}
	}
	return nil
}

// refusal is two rows: how long it takes to refuse module, and how much memory
// is allocated for it. The rival would take minutes, or gigabytes.
func (b *bench) refusal(name string, module []byte) error {
	var took, space []float64
	for range b.reps {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s, err := measure(b.ctx, "ours", func() error {
			if _, _, err := rewrite.Rewrite(module, rewrite.DefaultCaps()); abi.CodeOf(err) == "" {
				return fmt.Errorf("%s: not refused: %w", name, err)
			}
			return nil
		})
		if err != nil {
			return err
		}
		runtime.ReadMemStats(&after)
		took = append(took, float64(s.wall)/float64(time.Millisecond))
		space = append(space, float64(after.TotalAlloc-before.TotalAlloc)/(1<<20))
	}
	b.add(Row{Name: name + ", refused", Unit: "ms", Ours: median(took)}.with(atMost(100, "ms")))
	b.add(Row{Name: name + ", allocated", Unit: "MiB", Ours: median(space)}.with(atMost(64, "MiB")))
	return nil
}

// nested is a module of one function that nests n blocks.
func nested(n int) []byte {
	return oneType(1, append(slices.Concat([]byte{0}, bytes.Repeat([]byte{0x02, 0x40}, n), bytes.Repeat([]byte{0x0b}, n)), 0x0b))
}

// locals is a module of n functions that declare k locals each and do nothing.
func locals(n, k int) []byte {
	body := []byte{0, 0x0b}
	if k > 0 {
		body = slices.Concat([]byte{1}, wasmtest.U(uint64(k)), []byte{wasmtest.I64, 0x0b})
	}
	return oneType(n, body)
}

// oneType is a module of n functions without parameters, all of one body.
func oneType(n int, body []byte) []byte {
	section := func(id byte, b []byte) []byte { return slices.Concat([]byte{id}, wasmtest.U(uint64(len(b))), b) }
	count := wasmtest.U(uint64(n))
	code := slices.Concat(wasmtest.U(uint64(len(body))), body)
	return slices.Concat([]byte("\x00asm\x01\x00\x00\x00"), section(1, []byte{1, 0x60, 0, 0}),
		section(3, slices.Concat(count, make([]byte, n))), section(10, slices.Concat(count, bytes.Repeat(code, n))))
}
