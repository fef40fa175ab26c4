package kernel_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/wasmtest"
)

// TestCompiledOnce: of two that want the same module, the one that is called off
// does not take the other with it, and nobody waits for another module.
func TestCompiledOnce(t *testing.T) {
	n := newNode(t)
	if err := os.WriteFile(n.guest("slow"), wasmtest.Slow(4), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := n.Run(t.Context(), spec(n.guest("exit"), &out)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() {
		var out bytes.Buffer
		time.AfterFunc(100*time.Millisecond, cancel)
		if _, err := n.Run(ctx, spec(n.guest("slow"), &out)); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	for range 3 {
		all.Go(func() {
			var out bytes.Buffer
			if r, err := n.Run(t.Context(), spec(n.guest("slow"), &out)); err != nil || r.Outcome != abi.OutcomeExit {
				t.Errorf("%+v %v", r, err)
			}
		})
	}
	all.Go(func() {
		var out bytes.Buffer
		if _, err := n.Run(t.Context(), spec(n.guest("exit"), &out)); err != nil {
			t.Error(err)
		}
	})
	all.Wait()
	n.View(func(s *brain.State) {
		if len(s.OpenRuns()) != 0 {
			t.Errorf("%d runs are open", len(s.OpenRuns()))
		}
	})
}
