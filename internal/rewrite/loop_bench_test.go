package rewrite

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

func sec(id byte, c ...byte) []byte { return appendSection(nil, id, c) }

// TestLoops: kernels by hand: type (i32)->i32, memory 1 page.
func TestLoops(t *testing.T) {
	if os.Getenv("OVH") == "" {
		return
	}
	kernels := map[string][]byte{
		// local0 n, local1 i, local2 acc
		"sum":   {2, 2, 0x7f, 0, 0x7f, 0x03, 0x40, 0x20, 2, 0x20, 1, 0x41, 0xff, 0xff, 3, 0x71, 0x28, 2, 0, 0x6a, 0x21, 2, 0x20, 1, 0x41, 4, 0x6a, 0x22, 1, 0x20, 0, 0x49, 0x0d, 0, 0x0b, 0x20, 2, 0x0b},
		"count": {2, 2, 0x7f, 0, 0x7f, 0x03, 0x40, 0x20, 1, 0x41, 4, 0x6a, 0x22, 1, 0x20, 0, 0x49, 0x0d, 0, 0x0b, 0x20, 1, 0x0b},
		// crc-like: acc = (acc*31) ^ (acc>>3) + mem8[i&0xffff]; chain
		"crc": {2, 2, 0x7f, 0, 0x7f, 0x03, 0x40, 0x20, 2, 0x41, 31, 0x6c, 0x20, 2, 0x41, 3, 0x76, 0x73, 0x20, 1, 0x41, 0xff, 0xff, 3, 0x71, 0x2d, 0, 0, 0x6a, 0x21, 2, 0x20, 1, 0x41, 4, 0x6a, 0x22, 1, 0x20, 0, 0x49, 0x0d, 0, 0x0b, 0x20, 2, 0x0b},
		// store: mem[i&..] = i
		"store": {2, 2, 0x7f, 0, 0x7f, 0x03, 0x40, 0x20, 1, 0x41, 0xff, 0xff, 3, 0x71, 0x20, 1, 0x36, 2, 0, 0x20, 1, 0x41, 4, 0x6a, 0x22, 1, 0x20, 0, 0x49, 0x0d, 0, 0x0b, 0x20, 1, 0x0b},
	}
	names := []string{"count", "sum", "crc", "store"}
	ctx := context.Background()
	for _, name := range names {
		b := kernels[name]
		m := append([]byte("\x00asm\x01\x00\x00\x00"), sec(1, 1, 0x60, 1, 0x7f, 1, 0x7f)...)
		m = append(m, sec(3, 1, 0)...)
		m = append(m, sec(5, 1, 0, 2)...)
		m = append(m, sec(7, 1, 1, 'f', 0, 0)...)
		m = append(m, sec(10, append([]byte{1, byte(len(b))}, b...)...)...)
		res, _, err := Rewrite(m, DefaultCaps())
		if err != nil {
			t.Fatal(name, err)
		}
		mk := func(b []byte) api.Function {
			rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler())
			hm := rt.NewHostModuleBuilder(ReservedModule)
			hm.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(_ context.Context, m api.Module, _ []uint64) {
				m.ExportedGlobal(GasExport).(api.MutableGlobal).Set(10_000_000)
			}), nil, nil).Export(TickName)
			hm.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(_ context.Context, m api.Module, _ []uint64) {
				panic("too deep")
			}), nil, nil).Export(DepthName)
			hm.Instantiate(ctx)
			mod, err := rt.Instantiate(ctx, b)
			if err != nil {
				t.Fatal(err)
			}
			return mod.ExportedFunction("f")
		}
		f0, f1 := mk(m), mk(res)
		var a, c []time.Duration
		for range 41 {
			for i, f := range []api.Function{f0, f1} {
				t0 := time.Now()
				if _, err := f.Call(ctx, 160_000_000); err != nil {
					t.Fatal(err)
				}
				d := time.Since(t0)
				if i == 0 {
					a = append(a, d)
				} else {
					c = append(c, d)
				}
			}
		}
		slices.Sort(a)
		slices.Sort(c)
		fmt.Printf("%s %v %v median ratio %.3f min %.3f\n", name, a[20], c[20], float64(c[20])/float64(a[20]), float64(c[0])/float64(a[0]))
	}
}
