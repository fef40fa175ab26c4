package rewrite

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
)

func TestBombTmp(t *testing.T) {
	if os.Getenv("BOMB") == "" {
		return
	}
	ctx := context.Background()
	mod := func(body []byte, globals int) []byte {
		m := append([]byte("\x00asm\x01\x00\x00\x00"), appendSection(nil, 1, []byte{1, 0x60, 0, 0})...)
		m = append(m, appendSection(nil, 3, []byte{1, 0})...)
		m = append(m, appendSection(nil, 5, []byte{1, 0, 1})...)
		if globals > 0 {
			g := appendU32(nil, uint32(globals))
			for range globals {
				g = append(g, 0x7f, 1, 0x41, 0, 0x0b)
			}
			m = append(m, appendSection(nil, 6, g)...)
		}
		c := append([]byte{1}, appendU32(nil, uint32(len(body)))...)
		return append(m, appendSection(nil, 10, append(c, body...))...)
	}
	try := func(name string, m []byte) {
		for _, rw := range []bool{false, true} {
			b := m
			if rw {
				var err error
				c := DefaultCaps()
				w, err := admit(m, c, false, true)
				if err != nil {
					fmt.Println(name, "refused", err)
					continue
				}
				fmt.Println(name, "work", w.spent/1000000, "M")
				b = w.output()
			}
			rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler())
			var ms0, ms1 runtime.MemStats
			runtime.ReadMemStats(&ms0)
			t0 := time.Now()
			c2, cancel := context.WithTimeout(ctx, 60*time.Second)
			_, err := rt.CompileModule(c2, b)
			cancel()
			runtime.ReadMemStats(&ms1)
			fmt.Println(name, "rewritten", rw, len(b), time.Since(t0), "alloc MB", (ms1.TotalAlloc-ms0.TotalAlloc)>>20, err != nil)
			rt.Close(ctx)
		}
	}
	nest := func(locals, loops int) []byte {
		b := append([]byte{1}, appendU32(nil, uint32(locals))...)
		b = append(b, 0x7e)
		for range loops {
			b = append(b, 0x03, 0x40)
		}
		for l := range locals {
			b = append(b, 0x20)
			b = appendU32(b, uint32(l))
			b = append(b, 0x42, 1, 0x7c, 0x21)
			b = appendU32(b, uint32(l))
		}
		for range loops {
			b = append(b, 0x41, 0, 0x28, 2, 0, 0x0d, 0, 0x0b)
		}
		return append(b, 0x0b)
	}
	// sequence of ifs modifying locals
	seq := func(locals, n int) []byte {
		b := append([]byte{1}, appendU32(nil, uint32(locals))...)
		b = append(b, 0x7e)
		for i := range n {
			l := uint32(i % locals)
			b = append(b, 0x41, 0, 0x28, 2, 0, 0x04, 0x40, 0x20)
			b = appendU32(b, l)
			b = append(b, 0x42, 1, 0x7c, 0x21)
			b = appendU32(b, l)
			b = append(b, 0x0b)
		}
		b = append(b, 0x03, 0x40)
		for l := range locals {
			b = append(b, 0x20)
			b = appendU32(b, uint32(l))
			b = append(b, 0x42, 1, 0x7c, 0x21)
			b = appendU32(b, uint32(l))
		}
		b = append(b, 0x0c, 0, 0x0b)
		return append(b, 0x0b)
	}
	_, _ = seq, nest

	brt := func(n, k int) []byte {
		b := []byte{1, 4, 0x7e}
		for range n {
			for range 10 {
				b = append(b, 2, 0x40)
			}
			b = append(b, 0x41, 0, 0x28, 2, 0, 0x0e)
			b = appendU32(b, uint32(k))
			for i := range k {
				b = append(b, byte(i%10))
			}
			b = append(b, 0)
			for range 10 {
				b = append(b, 0x20, 1, 0x42, 1, 0x7c, 0x21, 1, 0x0b)
			}
		}
		return append(b, 0x0b)
	}
	st := func(n int) []byte {
		b := []byte{0}
		for range n {
			b = append(b, 0x41, 0, 0x41, 0, 0x28, 2, 0, 0x36, 2, 0)
		}
		return append(b, 0x0b)
	}
	lp := func(n int) []byte {
		b := []byte{0}
		for range n {
			b = append(b, 0x03, 0x40, 0x0b)
		}
		return append(b, 0x0b)
	}
	ifs := func(n int) []byte {
		b := []byte{0}
		for range n {
			b = append(b, 0x41, 0, 0x28, 2, 0, 0x04, 0x40, 0x0b)
		}
		return append(b, 0x0b)
	}
	lv := func(n int) []byte {
		b := []byte{0}
		for range n {
			b = append(b, 0x41, 0, 0xfd, 0, 4, 0)
		}
		b = append(b, 0x10, 0)
		for range n {
			b = append(b, 0xfd, 0x53, 0x1a)
		}
		return append(b, 0x0b)
	}
	for _, n := range []int{1000, 5000, 20000, 50000} {
		try(fmt.Sprint("brt ", n), mod(brt(1, n), 0))
	}
	try("brt 50 x 1000", mod(brt(50, 1000), 0))
	for _, n := range []int{5000, 20000, 50000, 100000} {
		try(fmt.Sprint("straight ", n), mod(st(n), 0))
	}
	for _, n := range []int{1000, 2000, 4000, 8000} {
		try(fmt.Sprint("loops ", n), mod(lp(n), 0))
	}
	for _, n := range []int{1000, 2000, 4000, 8000, 16000} {
		try(fmt.Sprint("ifs ", n), mod(ifs(n), 0))
	}
	for _, n := range []int{1000, 2000, 5000, 10000} {
		try(fmt.Sprint("live ", n), mod(lv(n), 0))
	}
}
