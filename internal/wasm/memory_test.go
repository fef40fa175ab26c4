package wasm

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/rewrite"
	"github.com/forgeone/forgeone/internal/wasmtest"
)

// compilePeak is what admission and compilation of one module may take of the
// process's memory: docs/SECURITY.md promises it.
const compilePeak = 2 << 30

// dense is the largest module of functions that repeat an instruction sequence
// which the caps admit: it is found by halving.
func dense(unit []byte, caps rewrite.Caps) []byte {
	wrap := func(functions, units int) []byte {
		// A local each of i32, i64 and f64, and what the sequence leaves on the stack.
		f := wasmtest.Func{Results: []byte{wasmtest.I32}, Locals: []byte{wasmtest.I32, wasmtest.I64, wasmtest.F64}}
		f.Body = wasmtest.Cat(wasmtest.LocalGet(0), bytes.Repeat(unit, units))
		m := wasmtest.Module{MinPages: 1, Funcs: slices.Repeat([]wasmtest.Func{f}, functions)}
		return m.Bytes()
	}
	largest := func(most int, make func(n int) []byte) int {
		low, high := 1, most
		for high-low > max(1, low/50) {
			mid := (low + high) / 2
			if b := make(mid); len(b) > caps.ModuleBytes {
				high = mid
			} else if _, err := rewrite.Inspect(b, caps); err != nil {
				high = mid
			} else {
				low = mid
			}
		}
		return low
	}
	units := largest(caps.BodyBytes/len(unit), func(n int) []byte { return wrap(1, n) })
	functions := largest(caps.ModuleBytes/(units*len(unit)), func(n int) []byte { return wrap(n, units) })
	return wrap(functions, units)
}

// heavy are modules that the caps just admit, and that cost the compiler the
// most memory for their kind.
func heavy() map[string]func(rewrite.Caps) []byte {
	unit := func(code ...byte) func(rewrite.Caps) []byte {
		return func(c rewrite.Caps) []byte { return dense(code, c) }
	}
	return map[string]func(rewrite.Caps) []byte{
		"truncations":     unit(0x20, 2, 0xaa, 0x6a),
		"truncations u64": unit(0x20, 2, 0xb1, 0xba, 0x21, 2),
		"loads":           unit(0x28, 2, 0),
		"constants":       unit(0x20, 2, 0x44, 1, 2, 3, 4, 5, 6, 7, 8, 0xa0, 0x21, 2),
		"additions":       unit(0x20, 0, 0x6a),
		"calls":           unit(0x1a, 0x10, 0),
		"fills":           unit(0x20, 0, 0x20, 0, 0x20, 0, 0xfc, 11, 0),
		"ifs":             unit(0x20, 0, 0x04, 0x40, 0x0b),
		"branches":        unit(0x02, 0x40, 0x20, 0, 0x0d, 0, 0x0b),
		"exits":           unit(0x20, 0, 0x0d, 0),
		"loops":           unit(0x03, 0x40, 0x0b),
		"growths":         unit(0x20, 0, 0x40, 0, 0x21, 0),
		"functions": func(rewrite.Caps) []byte {
			m := wasmtest.Module{MinPages: 1, Funcs: make([]wasmtest.Func, 60_000)}
			for i := range m.Funcs {
				m.Funcs[i].Body = wasmtest.Call(i)
			}
			return m.Bytes()
		},
	}
}

const heavyHelper = "FORGEONE_COMPILE_HEAVY"

// TestSoakCompileMemory compiles each of the heavy modules in a process of its
// own, and holds the process's peak against the figure.
func TestSoakCompileMemory(t *testing.T) {
	if name := os.Getenv(heavyHelper); name != "" {
		compileHeavy(t, name)
		return
	}
	if os.Getenv("FORGEONE_SOAK") == "" || runtime.GOOS != "linux" {
		t.Skip("minutes long: make soak")
	}
	for name := range heavy() {
		t.Run(name, func(t *testing.T) {
			c := exec.Command(os.Args[0], "-test.run=^TestSoakCompileMemory$", "-test.v")
			c.Env = append(os.Environ(), heavyHelper+"="+name)
			out, err := c.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			_, line, _ := strings.Cut(string(out), "peak ")
			peak, err := strconv.ParseInt(strings.Fields(line)[0], 10, 64)
			if err != nil || peak > compilePeak {
				t.Errorf("%v: %s", err, out)
			}
			t.Log(strings.Split(line, "\n")[0])
		})
	}
}

func compileHeavy(t *testing.T, name string) {
	src := heavy()[name](rewrite.DefaultCaps())
	runtime.GC()
	resetPeak(t)
	code, _, err := rewrite.Rewrite(src, rewrite.DefaultCaps())
	if err != nil {
		t.Fatal(err)
	}
	admitted := peak(t)
	n := len(src)
	src = nil
	e, err := New(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = e.Compile(t.Context(), code, abi.Digest{}); err != nil {
		t.Fatal(err)
	}
	t.Logf("peak %d bytes: %d MiB, %d after rewriting %d MiB into %d", peak(t), peak(t)>>20, admitted>>20, n>>20, len(code)>>20)
}

// peak is the most memory that this process had resident, in bytes, since resetPeak.
func peak(t *testing.T) int64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(b), "VmHWM:")
	kib, err := strconv.ParseInt(strings.Fields(line)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}

func resetPeak(t *testing.T) {
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		t.Fatal(err)
	}
}
