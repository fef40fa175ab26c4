package kernel_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/internal/kernel"
	"github.com/forgeone/forgeone/internal/keys"
	"github.com/forgeone/forgeone/internal/provider/host"
	"github.com/forgeone/forgeone/internal/seal"
)

func (n *node) keyFile(name string) string { return filepath.Join(n.Home().Keys(), name) }

func (n *node) load(name string) *seal.PrivateKey {
	n.t.Helper()
	k, err := keys.Load(n.keyFile(name), "")
	if err != nil {
		n.t.Fatal(err)
	}
	return k
}

// gone checks that no file of the folder of keys holds that private key.
func (n *node) gone(old []byte) {
	n.t.Helper()
	es, err := os.ReadDir(n.Home().Keys())
	if err != nil {
		n.t.Fatal(err)
	}
	for _, e := range es {
		b, err := os.ReadFile(n.keyFile(e.Name()))
		if err != nil {
			n.t.Fatal(err)
		}
		if bytes.Equal(b, old) || e.Name() == keys.NextLogFile {
			n.t.Errorf("%s is still there", e.Name())
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// again opens the state folder anew, as the next process does, runs a guest, and
// verifies everything with the log's first key and the present one.
func (n *node) again(first seal.PublicKey, terms int) {
	n.t.Helper()
	m := &node{t: n.t, guests: n.guests, Kernel: openKernel(n.t, string(n.Home()))}
	m.run(kernel.Spec{Target: m.guest("hello")})
	m.verify()
	r, err := evidence.Verify(n.t.Context(), n.Home().Log(), []evidence.PublicKey{first, m.load(keys.LogFile).Public()}, evidence.VerifyOptions{})
	if err != nil || len(r.Terms) != terms {
		n.t.Fatalf("%d terms, %v", len(r.Terms), err)
	}
	for _, left := range []string{keys.NextLogFile, keys.NextPostLogFile} {
		if _, err := os.Stat(n.keyFile(left)); err == nil {
			n.t.Errorf("%s is left", left)
		}
	}
	for _, c := range kernel.Doctor(n.t.Context(), string(n.Home()), "") {
		if !c.OK {
			n.t.Errorf("%+v", c)
		}
	}
}

// TestRotateLogKey: the key is another, the old one is nowhere, and the same
// kernel, others that were open, and later ones go on.
func TestRotateLogKey(t *testing.T) {
	n := newNode(t)
	other := &node{t: t, guests: n.guests, Kernel: openKernel(t, string(n.Home()))}
	first, old := n.LogKey(), read(t, n.keyFile(keys.LogFile))
	held, err := os.Open(n.keyFile(keys.LogFile)) // whoever has the old file open
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	r, err := n.RotateLogKey(t.Context(), kernel.PostAsBefore)
	if err != nil {
		t.Fatal(err)
	}
	if r.Old.Number != 0 || r.New.Number != 1 || r.New.From != r.Index+1 || !bytes.Equal(r.Old.Key, first) || !bytes.Equal(r.New.Key, n.LogKey()) {
		t.Fatalf("%+v", r)
	}
	n.gone(old)
	if b, err := io.ReadAll(held); err != nil || len(b) == 0 || len(bytes.Trim(b, "\x00")) != 0 {
		t.Errorf("the old key was not overwritten: %d bytes, %v", len(b), err)
	}
	n.run(kernel.Spec{Target: n.guest("hello")})
	other.run(kernel.Spec{Target: n.guest("hello")})
	if _, err := other.RotateLogKey(t.Context(), kernel.PostAsBefore); err != nil {
		t.Fatal(err)
	}
	n.run(kernel.Spec{Target: n.guest("hello")})
	n.again(first, 3)
	// Init, repeated, finds all whole.
	got, err := kernel.Init(t.Context(), kernel.InitOptions{Home: string(n.Home())})
	if err != nil || got.Made || !bytes.Equal(got.LogKey, other.LogKey()) || got.Origin != evidence.DefaultOrigin(first) {
		t.Fatalf("%+v %v", got, err)
	}
}

// TestRotateInARun: a guest runs on while another process replaces the key, twice,
// and its end is in the log.
func TestRotateInARun(t *testing.T) {
	n := newNode(t)
	other := openKernel(t, string(n.Home()))
	first := n.LogKey()
	in, stdin := io.Pipe()
	s := kernel.Spec{Target: n.guest("stdin"), Stdin: host.NewReader(in), Stdout: host.NewWriter(io.Discard), Stderr: host.NewWriter(io.Discard)}
	s.Started = func(abi.RunID, string, bool) {
		for range 2 {
			if _, err := other.RotateLogKey(context.Background(), kernel.PostAsBefore); err != nil {
				t.Error(err)
			}
		}
		stdin.Close()
	}
	r, err := n.Run(t.Context(), s)
	if err != nil || r.Outcome != abi.OutcomeExit {
		t.Fatalf("%+v %v", r, err)
	}
	n.again(first, 3)
}

// TestRotationDies: the power fails after each step of a rotation. The next to open
// the state folder finishes or drops it.
func TestRotationDies(t *testing.T) {
	for _, tc := range []struct {
		name  string
		terms int
		die   func(n *node, next *seal.PrivateKey)
	}{
		{"while the new key is written", 1, func(n *node, _ *seal.PrivateKey) {
			if err := os.WriteFile(n.keyFile(".log.next.123.new"), []byte("-----BEGIN"), 0o600); err != nil {
				n.t.Fatal(err)
			}
		}},
		{"before the log was handed over", 1, func(n *node, next *seal.PrivateKey) { n.leave(next) }},
		{"before the renaming", 2, func(n *node, next *seal.PrivateKey) {
			n.leave(next)
			if err := n.HandOver(n.t.Context(), next, nil); err != nil {
				n.t.Fatal(err)
			}
		}},
		{"before the old key was erased", 2, func(n *node, next *seal.PrivateKey) {
			n.leave(next)
			if err := n.HandOver(n.t.Context(), next, nil); err != nil {
				n.t.Fatal(err)
			}
			if err := os.Rename(n.keyFile(keys.NextLogFile), n.keyFile(keys.LogFile)); err != nil {
				n.t.Fatal(err)
			}
		}},
		{"a ruined key that is not needed", 1, func(n *node, _ *seal.PrivateKey) {
			if err := os.WriteFile(n.keyFile(keys.NextLogFile), []byte("no key"), 0o600); err != nil {
				n.t.Fatal(err)
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n := newNode(t)
			first := n.LogKey()
			next, err := seal.GenerateKey()
			if err != nil {
				t.Fatal(err)
			}
			tc.die(n, next)
			n.again(first, tc.terms)
			if _, err := n.RotateLogKey(t.Context(), kernel.PostAsBefore); err != nil { // the old kernel too
				t.Fatal(err)
			}
			n.again(first, tc.terms+1)
		})
	}
}

// leave writes the key to come.
func (n *node) leave(next *seal.PrivateKey) {
	n.t.Helper()
	if err := os.WriteFile(n.keyFile(keys.NextLogFile), seal.MarshalPrivate(next), 0o600); err != nil {
		n.t.Fatal(err)
	}
}

// TestRotateAtOnce: of several that rotate at once each succeeds or is told that
// another is at it; who opens meanwhile touches nothing.
func TestRotateAtOnce(t *testing.T) {
	n := newNode(t)
	first := n.LogKey()
	lock, got, err := n.LockRotation()
	if err != nil || !got {
		t.Fatal(got, err)
	}
	next, err := seal.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	n.leave(next)
	openKernel(t, string(n.Home()))
	n.load(keys.NextLogFile) // still there
	if _, err := n.RotateLogKey(t.Context(), kernel.PostAsBefore); abi.CodeOf(err) != abi.CodeKeyRotating {
		t.Fatal(err)
	}
	if err := n.HandOver(t.Context(), next, nil); err != nil {
		t.Fatal(err)
	}
	openKernel(t, string(n.Home())) // with log.next as the current key
	n.load(keys.NextLogFile)
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	done := 0
	for range 4 {
		k := openKernel(t, string(n.Home()))
		wg.Go(func() {
			for range 3 {
				switch _, err := k.RotateLogKey(context.Background(), kernel.PostAsBefore); abi.CodeOf(err) {
				case "":
					mu.Lock()
					done++
					mu.Unlock()
				case abi.CodeKeyRotating:
				default:
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if done == 0 {
		t.Fatal("nobody won")
	}
	n.again(first, 2+done)
}

// TestLogKeyElsewhere: a log that was handed over on another machine is not
// continued here, and not mended either.
func TestLogKeyElsewhere(t *testing.T) {
	n := newNode(t)
	next, err := seal.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	if err := n.HandOver(t.Context(), next, nil); err != nil {
		t.Fatal(err)
	}
	_, err = kernel.Open(t.Context(), kernel.Options{Home: string(n.Home())})
	if abi.CodeOf(err) != evidence.CodeStale {
		t.Fatal(err)
	}
	other, err := seal.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	n.leave(other)
	if _, err = kernel.Open(t.Context(), kernel.Options{Home: string(n.Home())}); abi.CodeOf(err) != evidence.CodeStale {
		t.Fatal(err)
	}
	n.load(keys.NextLogFile) // nothing is dropped when it is not known what is right
}
