package kernel_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/forgepkg"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/kernel"
	"github.com/forgeone/forgeone/internal/seal"
)

// TestDowngradeRace: while a package is let go back and installs of both serials
// race, the state that results has a floor at or below what is installed.
func TestDowngradeRace(t *testing.T) {
	n := newNode(t)
	for round := range uint64(3) {
		low := 2*round + 1
		one, two := n.packed("exit", low), n.packed("hello", low+1)
		if _, err := n.Install(t.Context(), two); err != nil {
			t.Fatal(err)
		}
		if _, err := n.Install(t.Context(), one); abi.CodeOf(err) != abi.CodePkgDowngrade {
			t.Fatalf("back without an act: %v", err)
		}
		var wg sync.WaitGroup
		for _, file := range []string{one, two, one, two} {
			wg.Go(func() {
				_, err := n.Install(t.Context(), file)
				switch abi.CodeOf(err) {
				case "", abi.CodePkgDowngrade, "F1-PKG-051":
				default:
					t.Errorf("install: %v", err)
				}
			})
		}
		wg.Go(func() {
			if _, err := n.Act(t.Context(), kernel.Downgrade("app", low)); err != nil {
				t.Errorf("downgrade: %v", err)
			}
		})
		wg.Wait()
		n.View(func(s *brain.State) {
			if p, ok := s.Package("app"); !ok || p.Serial < s.Serial("app") {
				t.Errorf("serial %d is installed, the floor is %d", p.Serial, s.Serial("app"))
			}
		})
		var out bytes.Buffer
		if _, err := n.Run(t.Context(), spec("app", &out)); err != nil {
			t.Error(err)
		}
	}
}

// TestImportLarge: a list of the most entries there may be takes several
// transactions, a second import adds nothing, and all of it counts.
func TestImportLarge(t *testing.T) {
	n := newNode(t)
	k, err := seal.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Act(t.Context(), n.AddKey(abi.KeyAdd{Name: "issuer", Role: abi.RoleOperator, Alg: seal.Ed25519, Public: k.Public(), ID: k.Public().ID()})); err != nil {
		t.Fatal(err)
	}
	entries := make([]abi.Revoked, forgepkg.MaxRevoked)
	for i := range entries {
		entries[i].What = abi.RevokedModule
		binary.BigEndian.PutUint32(entries[i].Digest[:], uint32(i+1))
	}
	b, err := forgepkg.MakeRevocations(1, 1, entries, forgepkg.SignerOf(k))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 2 { // two at once record it once
		wg.Go(func() {
			if _, _, err := n.ImportRevocations(t.Context(), file); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if _, fresh, err := n.ImportRevocations(t.Context(), file); err != nil || fresh {
		t.Errorf("again: new %v, %v", fresh, err)
	}
	n.View(func(s *brain.State) {
		l, ok := s.RevocationList(k.Public().ID())
		if !ok || !l.Complete() || l.Parts != 391 || len(s.Revocations()) != len(entries) {
			t.Errorf("list %+v with %d entries", l, len(s.Revocations()))
		}
	})
}
