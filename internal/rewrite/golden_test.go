package rewrite

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"runtime"
	"sync"
	"testing"
)

// goldenModules are modules that between them use every form of the rewriting.
func goldenModules() map[string][]byte {
	zero, float := cat(opI32Const, 0), cat(opF64Const, make([]byte, 8))
	vector := cat(opVector, vectorConst, make([]byte, 16))
	return map[string][]byte{
		"nothing": sections(),
		"leaf":    one(nil, nil, nil),
		"loops":   two(forever(opLoop, empty, zero, opBrIf, 0, opEnd), code(nil, opCall, 0, opLoop, empty, opEnd)),
		"results": one([]byte{i32, i64}, []byte{i64, i32}, groups(3, i32, 2, f64),
			opLocalGet, 0, opIf, empty, opLocalGet, 1, zero, opLocalGet, 1, opCall, 0, 0x1a, 0x1a, opLocalGet, 0, 0x0f, opEnd, opLocalGet, 1, opLocalGet, 0),
		"bulk": victim(zero, zero, zero, opMisc, miscMemoryFill, 0, zero, zero, zero, opMisc, miscMemoryCopy, 0, 0, zero, zero, zero, opMisc, miscMemoryInit, 0, 0,
			zero, zero, zero, opMisc, miscTableInit, 0, 0, zero, zero, zero, opMisc, miscTableCopy, 0, 0, opRefFunc, 1, zero, opMisc, miscTableGrow, 0, 0x1a,
			zero, opRefNull, typeFuncref, zero, opMisc, miscTableFill, 0, zero, 0x40, 0, 0x1a, zero, 0x11, 1, 0),
		"floats": one(nil, nil, nil, float, float, 0xa3, 0xb6, 0x91, 0xbb, 0x9f, 0x1a, vector, vector, opVector, 0xf0, 1, vector, opVector, 0xe4, 1, 0x1a),
	}
}

// golden are the digests of goldenModules as versions 4 and 5 rewrite them. Whoever
// changes what comes out must give it another version: recordings name it.
const goldenVersion = 5

func golden() map[string]string {
	return map[string]string{
		"bulk":              "9e2310196225ec521b63e578f1f1c7e0",
		"floats":            "444e4e804f17932337ff3b6156e7dae8",
		"leaf":              "5db318d5f0063024f9a0d53c9f5e007d",
		"loops":             "c4a99eee7bec2abaa0eb8f02605e2d91",
		"nothing":           "37c816926f3e337d5c10c4a18c3e7213",
		"results":           "83f5e8df3bf4719913a42f20e5fa3443",
		"floats, canonical": "1bf362c1cd08319f0c509b9d246da1b6",
	}
}

func digest(b []byte) string {
	h := fnv.New128a()
	h.Write(b)
	return fmt.Sprintf("%x", h.Sum(nil))
}

// TestGolden holds the rewriting against digests made when its version was.
func TestGolden(t *testing.T) {
	if Version != goldenVersion {
		t.Fatalf("version %d has no digests yet", Version)
	}
	want := golden()
	for name, m := range goldenModules() {
		out, _, err := Rewrite(m, DefaultCaps())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		validates(t, out)
		if got := digest(out); got != want[name] {
			t.Errorf("%q: %q; if that is wanted, raise Version", name, got)
		}
		clean, info, err := Rewrite(m, canonicalCaps())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		validates(t, clean)
		if got := digest(clean); info.Floats && got != want[name+", canonical"] {
			t.Errorf("%q: %q; if that is wanted, raise Version", name+", canonical", got)
		} else if !info.Floats && !bytes.Equal(clean, out) {
			t.Errorf("%s computes no floats, and yet comes out otherwise", name)
		}
	}
}

// TestSameBytes rewrites the same modules on many goroutines at once, and on one
// processor and several.
func TestSameBytes(t *testing.T) {
	modules := goldenModules()
	modules["program"] = build(t, "hello")
	for name, m := range modules {
		want, _, err := Rewrite(m, DefaultCaps())
		if err != nil {
			t.Fatal(err)
		}
		for _, procs := range []int{1, 4} {
			before := runtime.GOMAXPROCS(procs)
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					if out, _, err := Rewrite(m, DefaultCaps()); err != nil || !bytes.Equal(out, want) {
						t.Errorf("%s: %v, other bytes", name, err)
					}
				})
			}
			wg.Wait()
			runtime.GOMAXPROCS(before)
		}
	}
}
