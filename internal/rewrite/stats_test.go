package rewrite

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

func TestStats(t *testing.T) {
	if os.Getenv("STATS") == "" {
		return
	}
	fs, _ := filepath.Glob(os.Getenv("STATS"))
	for _, f := range fs {
		src, _ := os.ReadFile(f)
		t0 := time.Now()
		w, err := admit(src, capz(), false, true)
		if err != nil {
			fmt.Println(filepath.Base(f), err)
			continue
		}
		out := w.output()
		d := time.Since(t0)
		fmt.Printf("%s %d -> %d %v %.0f MB/s funcs %d locals %d bodymax %d work %dM elements %d data %d globals %d types %d \n", filepath.Base(f), len(src), len(out), d, float64(len(src))/1e6/d.Seconds(), w.bodies, w.locals, 0, w.spent/1000000, w.elements, w.dataSegments, len(w.globals), len(w.types))
	}
}

func TestPy(t *testing.T) {
	if os.Getenv("PY") == "" {
		return
	}
	ctx := context.Background()
	src, _ := os.ReadFile("/tmp/runno/package/dist/langs/python-3.11.3.wasm")
	res, _, err := Rewrite(src, DefaultCaps())
	if err != nil {
		t.Fatal(err)
	}
	run := func(b []byte) func(code string) (time.Duration, string, error) {
		rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler())
		wasi_snapshot_preview1.MustInstantiate(ctx, rt)
		hm := rt.NewHostModuleBuilder(ReservedModule)
		hm.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(_ context.Context, m api.Module, _ []uint64) {
			m.ExportedGlobal(GasExport).(api.MutableGlobal).Set(10_000_000)
		}), nil, nil).Export(TickName)
		hm.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(_ context.Context, m api.Module, _ []uint64) { panic("too deep") }), nil, nil).Export(DepthName)
		hm.Instantiate(ctx)
		t0 := time.Now()
		c, err := rt.CompileModule(ctx, b)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("compile", time.Since(t0))
		return func(code string) (time.Duration, string, error) {
			var out bytes.Buffer
			t0 := time.Now()
			m, err := rt.InstantiateModule(ctx, c, wazero.NewModuleConfig().WithName("").WithArgs("python", "-c", code).WithStdout(&out).WithStderr(&out).WithFSConfig(wazero.NewFSConfig().WithReadOnlyDirMount("/tmp/runno/py", "/")))
			if m != nil {
				m.Close(ctx)
			}
			return time.Since(t0), out.String(), err
		}
	}
	a, b := run(src), run(res)
	for _, code := range []string{"s=0\nfor i in range(1000000): s+=i*i%7\nprint(s)", "print(sum(len(str(i)) for i in range(200000)))", "import json\nprint(len(json.dumps([{'a':i,'b':[1,2,3]} for i in range(20000)])))", "import hashlib\nprint(hashlib.sha256(b'x'*20000000).hexdigest())"} {
		var x, y []time.Duration
		for range 11 {
			d, o, _ := a(code)
			e, p, err := b(code)
			if o != p {
				t.Fatal(o, p, err)
			}
			x = append(x, d)
			y = append(y, e)
		}
		slices.Sort(x)
		slices.Sort(y)
		fmt.Printf("py %.20q %v %v ratio %.3f min %.3f\n", code, x[5], y[5], float64(y[5])/float64(x[5]), float64(y[0])/float64(x[0]))
	}
	for _, code := range []string{"import sys\nsys.setrecursionlimit(20000)\ndef f(n): return 0 if n==0 else 1+f(n-1)\nprint(f(15000))", "import sys\nprint(sys.getrecursionlimit())\nclass A:\n  def __init__(s,n): s.n=n\n  def __repr__(s): return 'x' if s.n==0 else repr(A(s.n-1))\nprint(len(repr(A(900))))", "x=[]\nfor i in range(900): x=[x]\nprint(len(repr(x)))\nimport json\nprint(len(json.dumps(x)))", "print(sorted([3,1,2],key=lambda v:v))\ndef g(n): return 0 if n==0 else sorted([n],key=lambda v: g(n-1))[0]\nprint(g(300))"} {
		_, o, e := a(code)
		_, p, e2 := b(code)
		fmt.Printf("%.200q %v\n   %.200q %v\n", o, e, p, e2)
	}
}

func capz() Caps { c := DefaultCaps(); c.Nesting = 1000000; return c }
