package rewrite

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"
)

// build builds a guest of testdata for WASI preview 1.
func build(t testing.TB, name string) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), name+".wasm")
	cmd := exec.Command("go", "build", "-o", file, "./testdata/"+name)
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", name, err, out)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// ready compiles a module, original or rewritten, on a host with WASI.
func ready(t testing.TB, module []byte) (*host, wazero.CompiledModule) {
	t.Helper()
	h := newHost(t, wazero.NewRuntimeConfigCompiler())
	h.slice = 10_000_000
	wasi_snapshot_preview1.MustInstantiate(context.Background(), h.rt)
	c, err := h.rt.CompileModule(context.Background(), module)
	if err != nil {
		t.Fatal(err)
	}
	return h, c
}

// run runs a program and returns what it wrote.
func (h *host) run(t testing.TB, c wazero.CompiledModule, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	config := wazero.NewModuleConfig().WithName("").WithArgs(args...).WithStdout(&out).WithStderr(&out)
	m, err := h.rt.InstantiateModule(context.Background(), c, config)
	if m != nil {
		_ = m.Close(context.Background())
	}
	var exit *sys.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 0) {
		t.Fatalf("%v: %v\n%s", args, err, &out)
	}
	return out.String()
}

// TestGoGuest runs a Go program rewritten: it prints what it printed before, and
// asks for gas equally often each time.
func TestGoGuest(t *testing.T) {
	src := build(t, "hello")
	out, info, err := Rewrite(src, DefaultCaps())
	if err != nil {
		t.Fatal(err)
	}
	if len(info.Globals) == 0 || info.Memories != 1 || !info.Floats || info.Functions < 1000 {
		t.Errorf("info: %d globals, %d memories, floats %v, %d functions", len(info.Globals), info.Memories, info.Floats, info.Functions)
	}
	h, c := ready(t, out)
	h.slice = 100_000
	const want = "hello from a guest\n"
	if got := h.run(t, c, "hello"); got != want {
		t.Errorf("printed %q", got)
	}
	first := h.ticks
	if h.run(t, c, "hello"); first == 0 || h.ticks != 2*first {
		t.Errorf("%d ticks in the first run, %d in the second", first, h.ticks-first)
	}
}

// BenchmarkRewrite rewrites a small Go program.
func BenchmarkRewrite(b *testing.B) {
	src := build(b, "hello")
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Rewrite(src, DefaultCaps()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOverhead runs a computing Go program as it is and rewritten. Compare
// the two of each pair; the machine's noise is larger than what is measured, so
// run it with -count and take medians.
func BenchmarkOverhead(b *testing.B) {
	src := build(b, "compute")
	out, _, err := Rewrite(src, DefaultCaps())
	if err != nil {
		b.Fatal(err)
	}
	plain, plainCode := ready(b, src)
	metered, meteredCode := ready(b, out)
	for _, work := range []string{"sha256", "sort", "json", "fib", "float"} {
		if p, m := plain.run(b, plainCode, "compute", work, "1"), metered.run(b, meteredCode, "compute", work, "1"); p != m {
			b.Fatalf("%s: plain %q, rewritten %q", work, p, m)
		}
		b.Run(work+"/plain", func(b *testing.B) {
			for b.Loop() {
				plain.run(b, plainCode, "compute", work, "2")
			}
		})
		b.Run(work+"/rewritten", func(b *testing.B) {
			for b.Loop() {
				metered.run(b, meteredCode, "compute", work, "2")
			}
		})
	}
}
