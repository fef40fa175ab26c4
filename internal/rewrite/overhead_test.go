package rewrite

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"
)

func TestOverhead(t *testing.T) {
	if os.Getenv("OVH") == "" {
		return
	}
	dir := t.TempDir()
	type guest struct {
		path  string
		cases [][]string
	}
	goguest := filepath.Join(dir, "compute.wasm")
	cmd := exec.Command("go", "build", "-o", goguest, "./testdata/compute")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	gs := []guest{{goguest, [][]string{{"sha256", "1"}, {"sort", "1"}, {"json", "3"}, {"fib", "3"}, {"float", "4"}}}}
	if c := os.Getenv("CGUEST"); c != "" {
		gs = append(gs, guest{c, [][]string{{"sha256", "40"}, {"sort", "20"}, {"fib", "10"}, {"float", "80"}, {"crc", "40"}}})
	}
	ctx := context.Background()
	for _, g := range gs {
		src, _ := os.ReadFile(g.path)
		t0 := time.Now()
		res, _, err := Rewrite(src, DefaultCaps())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println(g.path, len(src), "->", len(res), time.Since(t0))
		mk := func(b []byte) (wazero.Runtime, wazero.CompiledModule, *uint64) {
			rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler().WithCoreFeatures(api.CoreFeaturesV2))
			wasi_snapshot_preview1.MustInstantiate(ctx, rt)
			ticks := new(uint64)
			hm := rt.NewHostModuleBuilder(ReservedModule)
			hm.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(_ context.Context, m api.Module, _ []uint64) {
				*ticks++
				m.ExportedGlobal(GasExport).(api.MutableGlobal).Set(10_000_000)
			}), nil, nil).Export(TickName)
			hm.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(_ context.Context, m api.Module, _ []uint64) {
				panic("too deep")
			}), nil, nil).Export(DepthName)
			hm.Instantiate(ctx)
			c, err := rt.CompileModule(ctx, b)
			if err != nil {
				t.Fatal(err)
			}
			return rt, c, ticks
		}
		r0, c0, _ := mk(src)
		r1, c1, ticks := mk(res)
		run := func(rt wazero.Runtime, c wazero.CompiledModule, args []string) (time.Duration, string) {
			var out bytes.Buffer
			runtime.GC()
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			t0 := cpu()
			m, err := rt.InstantiateModule(ctx, c, wazero.NewModuleConfig().WithName("").WithArgs(append([]string{"x"}, args...)...).WithStdout(&out).WithStderr(&out))
			if m != nil {
				defer m.Close(ctx)
			}
			if err != nil {
				if e, ok := err.(*sys.ExitError); !ok || e.ExitCode() != 0 {
					t.Fatal(err, out.String())
				}
			}
			return cpu() - t0, out.String()
		}
		for _, args := range g.cases {
			var a, b []time.Duration
			*ticks = 0
			for range 41 {
				d0, o0 := run(r0, c0, args)
				d1, o1 := run(r1, c1, args)
				if o0 != o1 {
					t.Fatal(o0, o1)
				}
				a, b = append(a, d0), append(b, d1)
			}
			slices.Sort(a)
			slices.Sort(b)
			fmt.Printf("%v plain %v rewritten %v median ratio %.3f min ratio %.3f ticks/run %d\n", args, a[20], b[20], float64(b[20])/float64(a[20]), float64(b[0])/float64(a[0]), *ticks/41)
		}
	}
}

func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(1, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
