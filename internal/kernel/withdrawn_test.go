package kernel_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/forgepkg"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/kernel"
)

// revoke makes a list by the node's operator count on k.
func (n *node) revoke(k *kernel.Kernel, serial uint64, entries ...abi.Revoked) {
	n.t.Helper()
	b, err := forgepkg.MakeRevocations(serial, 1, entries, forgepkg.SignerOf(n.Keys().Operator))
	if err != nil {
		n.t.Fatal(err)
	}
	file := filepath.Join(n.t.TempDir(), "list")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		n.t.Fatal(err)
	}
	if _, _, err := k.ImportRevocations(n.t.Context(), file); err != nil {
		n.t.Fatal(err)
	}
}

// TestRevokedWhileRunning: another process revokes what a guest is of, while it
// computes, calls or waits in a call. It stops where it stands, the reason is in
// its report and in the log ahead of its end, and it replays to the same end.
func TestRevokedWhileRunning(t *testing.T) {
	pkg := func(n *node) string { n.install("yield"); return "app" }
	var digest, module abi.Digest
	for name, c := range map[string]struct {
		target func(n *node) string
		revoke func(n *node, k *kernel.Kernel)
		why    string
	}{
		"module of a package": {pkg, func(n *node, k *kernel.Kernel) {
			n.revoke(k, 1, abi.Revoked{What: abi.RevokedModule, Digest: module, Reason: "it leaks"})
		}, `the module is revoked by "operator": it leaks`},
		"package": {pkg, func(n *node, k *kernel.Kernel) {
			n.revoke(k, 1, abi.Revoked{What: abi.RevokedPackage, Digest: digest})
		}, `the package is revoked by "operator"`},
		"key in a list": {pkg, func(n *node, k *kernel.Kernel) {
			n.revoke(k, 1, abi.Revoked{What: abi.RevokedKey, Digest: n.Keys().Developer.Public().ID()})
		}, `a key that signed the package is revoked by "operator"`},
		"key by an act": {pkg, func(n *node, k *kernel.Kernel) {
			n.acts(k, k.RevokeKey("developer", "stolen"))
		}, "a key that signed the package was removed or revoked ("},
		"key removed": {pkg, func(n *node, k *kernel.Kernel) {
			n.acts(k, k.RemoveKey("developer"))
		}, "a key that signed the package was removed or revoked ("},
		"bare module that waits": {func(n *node) string { return n.guest("sleep") }, func(n *node, k *kernel.Kernel) {
			b, err := os.ReadFile(n.guest("sleep"))
			if err != nil {
				t.Fatal(err)
			}
			n.revoke(k, 1, abi.Revoked{What: abi.RevokedModule, Digest: forgepkg.ModuleDigest(b)})
		}, `the module is revoked by "operator"`},
		"another package": {pkg, func(n *node, k *kernel.Kernel) {
			n.revoke(k, 1, abi.Revoked{What: abi.RevokedPackage, Digest: abi.Digest{1}})
			n.stopLast(k)
		}, "enough"},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t)
			other := openKernel(t, string(n.Home()))
			id, ended := n.begin(c.target(n))
			n.View(func(s *brain.State) {
				if p, ok := s.Package("app"); ok {
					digest, module = p.Package, p.Module
				}
			})
			c.revoke(n, other)
			r := ended()
			if r == nil || r.Outcome != abi.OutcomeStopped || !strings.HasPrefix(r.Why, c.why) {
				t.Fatalf("%+v", r)
			}
			var why []string
			if err := evidence.Read(n.Home().Log(), 0, func(_ uint64, rec abi.Record) error {
				if b, ok := rec.Body.(*abi.RunStop); ok && b.Run == id {
					why = append(why, b.Reason)
				}
				return nil
			}); err != nil || len(why) != 1 || why[0] != r.Why {
				t.Errorf("the log says %q: %v", why, err)
			}
			if res, err := n.replay(id).Go(t.Context(), nil, nil); err != nil || !res.Identical {
				t.Errorf("%+v, %v", res, err)
			}
			n.verify()
		})
	}
}

// install packs and installs a guest as "app".
func (n *node) install(guest string) {
	n.t.Helper()
	if _, err := n.Install(n.t.Context(), n.packed(guest, 1)); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) acts(k *kernel.Kernel, c kernel.Change) {
	n.t.Helper()
	if _, err := k.Act(n.t.Context(), c); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) stopLast(k *kernel.Kernel) {
	n.t.Helper()
	if err := k.Refresh(n.t.Context()); err != nil {
		n.t.Fatal(err)
	}
	var id abi.RunID
	k.View(func(s *brain.State) { id = s.OpenRuns()[0].ID })
	if err := k.Stop(n.t.Context(), id, "enough"); err != nil {
		n.t.Fatal(err)
	}
}
