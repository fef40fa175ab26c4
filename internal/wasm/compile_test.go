package wasm

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/rewrite"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/wasmtest"
)

// slow is a rewritten module that takes minutes to compile: a test that waits
// for the whole of it fails by its own time.
func slow(t *testing.T) []byte {
	t.Helper()
	code, _, err := rewrite.Rewrite(wasmtest.Slow(800), rewrite.DefaultCaps())
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// TestCompileStops: whoever calls a compilation off is answered, and the engine
// really stops: the next module is compiled, and the engine is freed.
func TestCompileStops(t *testing.T) {
	for name, cache := range map[string]*Cache{"cached": NewCache(t.TempDir(), seal.NewKey()), "uncached": nil} {
		t.Run(name, func(t *testing.T) {
			e := engine(t, cache)
			code := slow(t)
			d := seal.Sum("test", code)
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(50*time.Millisecond, cancel)
			if m, err := e.Compile(ctx, code, d); !errors.Is(err, context.Canceled) || m != nil {
				t.Fatalf("called off: %v", err)
			}
			compile(t, e, wasmtest.Guests()["exit"])
			if cache != nil && holds(cache, d) {
				t.Error("half a module is in the cache")
			}
			// Waiting for another's compilation can be called off as well.
			ctx, cancel = context.WithCancel(t.Context())
			go e.Compile(ctx, code, d)
			for len(e.slot) == 0 {
				time.Sleep(time.Millisecond)
			}
			impatient, stop := context.WithTimeout(t.Context(), 10*time.Millisecond)
			defer stop()
			if _, err := e.Compile(impatient, code, d); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("waited: %v", err)
			}
			cancel()
			e.slot <- struct{}{}
			<-e.slot
		})
	}
}

// TestCompileDeadline: a compilation ends at the engine's deadline, with a code.
func TestCompileDeadline(t *testing.T) {
	e := engine(t, NewCache(t.TempDir(), seal.NewKey()))
	code := slow(t)
	e.Deadline = 50 * time.Millisecond
	_, err := e.Compile(t.Context(), code, seal.Sum("test", code))
	if abi.CodeOf(err) != abi.CodeCompileDeadline {
		t.Errorf("got %v", err)
	}
	e.slot <- struct{}{}
	<-e.slot
	e.Deadline = time.Hour
	compile(t, e, wasmtest.Guests()["exit"])
}

// TestCloseTwice: the second time there is nothing to wait for.
func TestCloseTwice(t *testing.T) {
	e, err := New(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := e.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// TestCloseDoesNotWait: who closes an engine with a context that has ended does
// not wait for a compilation that was given up.
func TestCloseDoesNotWait(t *testing.T) {
	e, err := New(t.Context(), NewCache(t.TempDir(), seal.NewKey()))
	if err != nil {
		t.Fatal(err)
	}
	e.slot <- struct{}{} // one that does not end
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.Close(ended); err != nil {
		t.Error(err)
	}
	<-e.slot // it ends after all
	if err := e.Close(t.Context()); err != nil {
		t.Errorf("closed again: %v", err)
	}
}

// TestInvalidIsNotLate: a module that does not validate is never told to have
// taken too long.
func TestInvalidIsNotLate(t *testing.T) {
	e := engine(t, nil)
	e.Deadline = time.Hour
	bad := []byte("\x00asm\x01\x00\x00\x00\xff")
	for range 2000 {
		if _, err := e.Compile(t.Context(), bad, abi.Digest{}); abi.CodeOf(err) != "F1-MOD-100" {
			t.Fatal(err)
		}
	}
}
