package kernel

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/forgeone/forgeone/abi"
)

// noted returns the graph, whose modules note in names that they start.
func noted(names *[]string) []Module {
	g := Graph()
	for i := range g {
		start := g[i].start
		g[i].start = func(ctx context.Context, k *Kernel) error {
			*names = append(*names, g[i].Name)
			return start(ctx, k)
		}
	}
	return g
}

// TestBootOrder: the graph is what the kernel boots from.
func TestBootOrder(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	if _, err := Init(t.Context(), InitOptions{Home: home}); err != nil {
		t.Fatal(err)
	}
	var booted, part []string
	k, err := boot(t.Context(), noted(&booted), Options{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close(context.Background())
	plan, err := Plan(Graph(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for i, m := range plan {
		names = append(names, m.Name)
		for _, n := range m.Needs {
			if at := slices.Index(names, n); at < 0 || at >= i {
				t.Errorf("%s boots before %s, which it needs", m.Name, n)
			}
		}
	}
	if !slices.Equal(names, booted) {
		t.Errorf("planned %v, booted %v", names, booted)
	}

	log, err := boot(t.Context(), noted(&part), Options{Home: home, Modules: []string{ModEvidence}})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close(context.Background())
	if want := []string{ModHome, ModKeys, ModConfig, ModBrain, ModEvidence}; !slices.Equal(part, want) {
		t.Errorf("for the log alone booted %v, want %v", part, want)
	}
}

// TestBootWithoutADependency: a module that is not there keeps from booting
// what needs it, and nothing else; a cycle is found.
func TestBootWithoutADependency(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	if _, err := Init(t.Context(), InitOptions{Home: home}); err != nil {
		t.Fatal(err)
	}
	for _, gone := range Graph() {
		g := slices.DeleteFunc(Graph(), func(m Module) bool { return m.Name == gone.Name })
		needed := false
		for _, m := range g {
			needed = needed || slices.Contains(m.Needs, gone.Name)
		}
		k, err := boot(t.Context(), g, Options{Home: home})
		if err == nil {
			k.Close(context.Background())
		}
		if needed && (abi.CodeOf(err) != "F1-RUN-150" || !strings.Contains(err.Error(), gone.Name)) {
			t.Errorf("without %s: %v", gone.Name, err)
		}
		if !needed && err != nil {
			t.Errorf("without %s, which nothing needs: %v", gone.Name, err)
		}
	}
	g := Graph()
	g[0].Needs = []string{ModGate}
	if _, err := Plan(g, nil); err == nil || !strings.Contains(err.Error(), "each other") {
		t.Errorf("a cycle: %v", err)
	}
	// A dependency that is declared away must be missed where it is used.
	g = Graph()
	for i := range g {
		if g[i].Name == ModEvidence {
			g[i].Needs = nil
		}
	}
	func() {
		defer func() { _ = recover() }()
		if k, err := boot(t.Context(), g, Options{Home: home, Modules: []string{ModEvidence}}); err == nil {
			k.Close(context.Background())
			t.Error("the log opened without the keys it says it needs")
		}
	}()
}
