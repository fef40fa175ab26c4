package kernel_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/internal/kernel"
	"github.com/forgeone/forgeone/internal/register"
	"github.com/forgeone/forgeone/internal/trace"
)

// TestRegisterFull: where the state folder can't be noted for want of room, no guest is
// run; what needs no guest works, and says what is amiss. Once there is room it is noted.
func TestRegisterFull(t *testing.T) {
	d := newSmallDisk(t)
	home, place := filepath.Join(t.TempDir(), "home"), filepath.Join(d.dir, "register")
	first := filepath.Join(t.TempDir(), "first")
	if _, err := kernel.Init(t.Context(), kernel.InitOptions{Home: home, Register: filepath.Join(t.TempDir(), "register")}); err != nil {
		t.Fatal(err)
	}
	d.fill(0)
	_, err := kernel.Init(t.Context(), kernel.InitOptions{Home: first, Register: place})
	wantUnwritten(t, "init", err)
	if left, _ := filepath.Glob(filepath.Join(first, "keys", "*")); len(left) > 0 {
		t.Errorf("keys are made that guests are not kept from: %q", left)
	}
	_, err = kernel.Open(t.Context(), kernel.Options{Home: home, Register: place})
	wantUnwritten(t, "all modules", err)

	var said []string
	k, err := kernel.Open(t.Context(), kernel.Options{
		Home: home, Register: place, Modules: []string{kernel.ModEvidence},
		Warn: func(s string) { said = append(said, s) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(said, func(s string) bool { return strings.Contains(s, "can't be noted") }) {
		t.Errorf("it says nothing of the register: %q", said)
	}
	if _, err := evidence.Verify(t.Context(), k.Home().Log(), []evidence.PublicKey{k.LogKey()}, evidence.VerifyOptions{}); err != nil {
		t.Errorf("verify: %v", err)
	}
	if _, err := k.Prune(t.Context(), false); err != nil {
		t.Errorf("prune: %v", err)
	}
	if err := k.Close(t.Context()); err != nil {
		t.Error(err)
	}

	d.free()
	k, err = kernel.Open(t.Context(), kernel.Options{Home: home, Register: place})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close(context.Background())
	things, err := register.At(place).Load()
	if err != nil || !slices.ContainsFunc(things, func(x register.Thing) bool { return x.Path == home }) {
		t.Errorf("with room it is not noted: %v %v", things, err)
	}
}

func wantUnwritten(t *testing.T, what string, err error) {
	t.Helper()
	var e *abi.Error
	if !errors.As(err, &e) || e.Code != register.CodeUnwritten || e.Hint == "" {
		t.Errorf("%s: %v, want %s", what, err, register.CodeUnwritten)
	}
}

// TestRegisterDamaged: once a register can't be read any more no guest gets a mount, of
// a kernel that is up or of a new one.
func TestRegisterDamaged(t *testing.T) {
	home, place, mine := filepath.Join(t.TempDir(), "home"), filepath.Join(t.TempDir(), "register"), t.TempDir()
	if _, err := kernel.Init(t.Context(), kernel.InitOptions{Home: home, Register: place}); err != nil {
		t.Fatal(err)
	}
	k, err := kernel.Open(t.Context(), kernel.Options{Home: home, Register: place})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close(context.Background())
	n := &node{t: t, guests: t.TempDir(), Kernel: k}
	n.asks()
	if err := os.WriteFile(filepath.Join(place, "things"), []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	s := spec(n.guest("asks"), &out)
	s.Mounts = []trace.Mount{{Host: mine, Guest: "/"}}
	if _, err := k.Run(t.Context(), s); abi.CodeOf(err) != register.CodeDamaged {
		t.Errorf("with a mount: %v, want %s", err, register.CodeDamaged)
	}
	if _, err := kernel.Open(t.Context(), kernel.Options{Home: home, Register: place}); abi.CodeOf(err) != register.CodeDamaged {
		t.Errorf("open: %v, want %s", err, register.CodeDamaged)
	}
}
