package host

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

func TestRandom(t *testing.T) {
	big, again := make([]byte, 33<<20), make([]byte, 64)
	check(t, Random(big))
	check(t, Random(again))
	check(t, Random(nil))
	if bytes.Equal(big[:64], again) || bytes.Count(big[len(big)-4096:], []byte{0}) > 200 {
		t.Error("not random")
	}
	if n := testing.AllocsPerRun(10, func() { _ = Random(again) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestNoAllocations holds the paths that a guest takes most often.
func TestNoAllocations(t *testing.T) {
	_, d := open(t, t.TempDir(), false)
	f, e := d.Open("f", tree.How{Read: true, Write: true, Create: true})
	must(t, e)
	defer f.Close()
	p := make([]byte, 4096)
	r, w, err := os.Pipe()
	check(t, err)
	in, out := NewStdin(r), NewStdout(w)
	done := make(chan struct{})
	for what, op := range map[string]func(){
		"pwrite": func() { f.Pwrite(p, 0) }, "pread": func() { f.Pread(p, 0) }, "stat": func() { f.Stat() },
		"append": func() { f.Append(p[:1]) }, "stream": func() { out.Write(p, done); in.Read(p, done) },
		"ready": func() { out.Ready(true); in.Ready(false) },
	} {
		if n := testing.AllocsPerRun(100, op); n != 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
}

func BenchmarkBeneath(b *testing.B) {
	dir := b.TempDir()
	check(b, os.MkdirAll(filepath.Join(dir, "a/b/c/d/e"), 0o755))
	for _, mode := range []string{"openat2", "walk"} {
		for _, rel := range []string{"a", "a/b/c/d/e"} {
			b.Run(mode+"/"+rel, func(b *testing.B) {
				_, d := open(b, dir, mode == "walk")
				b.ReportAllocs()
				for b.Loop() {
					sub, e := d.Beneath(rel)
					must(b, e)
					sub.Close()
				}
			})
		}
	}
}

func BenchmarkFile(b *testing.B) {
	_, d := open(b, b.TempDir(), false)
	p := make([]byte, 4096)
	how := tree.How{Read: true, Write: true, Create: true}
	f, e := d.Open("f", how)
	must(b, e)
	defer f.Close()
	f.Pwrite(p, 0)
	for _, c := range []struct {
		name string
		op   func() abi.Errno
	}{
		{"pread-4k", func() abi.Errno { _, e := f.Pread(p, 0); return e }},
		{"pwrite-4k", func() abi.Errno { _, e := f.Pwrite(p, 0); return e }},
		{"stat", func() abi.Errno { _, e := f.Stat(); return e }},
		{"lstat", func() abi.Errno { _, e := d.Lstat("f"); return e }},
		{"open-close", func() abi.Errno {
			g, e := d.Open("f", tree.How{Read: true})
			if e == 0 {
				e = g.Close()
			}
			return e
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				must(b, c.op())
			}
		})
	}
}

func BenchmarkClock(b *testing.B) {
	c := NewClock()
	for id, name := range []string{"realtime", "monotonic"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.Now(uint32(id))
			}
		})
	}
}

func BenchmarkRandom(b *testing.B) {
	p := make([]byte, 32)
	b.ReportAllocs()
	for b.Loop() {
		_ = Random(p)
	}
}

func BenchmarkStream(b *testing.B) {
	r, w, err := os.Pipe()
	check(b, err)
	in, out := NewStdin(r), NewStdout(w)
	done := make(chan struct{})
	p := make([]byte, 4096)
	b.Run("pipe-4k", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			out.Write(p, done)
			in.Read(p, done)
		}
	})
	b.Run("blocking", func(b *testing.B) {
		echo := make(chan struct{})
		go func() {
			for range echo {
				w.Write(p[:1])
			}
		}()
		b.ReportAllocs()
		for b.Loop() {
			echo <- struct{}{}
			in.Read(p, done)
		}
		close(echo)
	})
}
