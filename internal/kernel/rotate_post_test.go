package kernel_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/internal/kernel"
	"github.com/forgeone/forgeone/internal/keys"
	"github.com/forgeone/forgeone/internal/seal"
)

// published exports the log and verifies that, and tells which ML-DSA-44 key signed.
func (n *node) published(first seal.PublicKey) evidence.PostPublicKey {
	n.t.Helper()
	dir := filepath.Join(n.t.TempDir(), "tiles")
	pins := []evidence.PublicKey{first}
	vault := keys.NewVault(n.Home().Keys(), "")
	if _, err := evidence.Export(n.t.Context(), n.Home().Log(), dir, pins, evidence.ExportOptions{PostKey: vault.LogPost}); err != nil {
		n.t.Fatal(err)
	}
	r, err := evidence.VerifyTiles(n.t.Context(), dir, pins, evidence.VerifyOptions{})
	if err != nil {
		n.t.Fatal(err)
	}
	return r.Terms[len(r.Terms)-1].Post
}

func (n *node) has(name string) bool {
	_, err := os.Lstat(n.keyFile(name))
	return err == nil
}

// TestRotatePost: the log gets an ML-DSA-44 key, another one with each rotation, and
// none in the end; of each the private half is nowhere afterwards.
func TestRotatePost(t *testing.T) {
	n := newNode(t)
	first := n.LogKey()
	var old []byte
	for i, choice := range []kernel.PostQuantum{kernel.PostYes, kernel.PostAsBefore, kernel.PostYes, kernel.PostNo, kernel.PostAsBefore} {
		r, err := n.RotateLogKey(t.Context(), choice)
		if err != nil {
			t.Fatal(err)
		}
		if want := i < 3; (r.New.Post != nil) != want || n.has(keys.PostLogFile) != want || !bytes.Equal(n.published(first), r.New.Post) {
			t.Fatalf("rotation %d: %v, key file %v", i+1, r.New.Post != nil, n.has(keys.PostLogFile))
		}
		if old != nil {
			n.gone(old)
		}
		if old = nil; r.New.Post != nil {
			old = read(t, n.keyFile(keys.PostLogFile))
		}
	}
	n.again(first, 6)
}

// TestRotatePostDies: the power fails after each step of a rotation of a log that
// has an ML-DSA-44 key, or had, or gets one.
func TestRotatePostDies(t *testing.T) {
	type left struct {
		n      *node
		next   *seal.PrivateKey
		post   *seal.PostPrivateKey // nil: to no such key
		handed bool
		t      *testing.T
	}
	write := func(l *left, name string, b []byte) {
		l.t.Helper()
		if err := os.WriteFile(l.n.keyFile(name), b, 0o600); err != nil {
			l.t.Fatal(err)
		}
	}
	postNext := func(l *left) {
		if l.post != nil {
			write(l, keys.NextPostLogFile, seal.MarshalPost(l.post))
		}
	}
	handed := func(l *left) {
		postNext(l)
		l.n.leave(l.next)
		var public seal.PostPublicKey
		if l.post != nil {
			public = l.post.Public()
		}
		if err := l.n.HandOver(l.t.Context(), l.next, public); err != nil {
			l.t.Fatal(err)
		}
		l.handed = true
	}
	postSettled := func(l *left) {
		handed(l)
		if l.post != nil {
			if err := os.Rename(l.n.keyFile(keys.NextPostLogFile), l.n.keyFile(keys.PostLogFile)); err != nil {
				l.t.Fatal(err)
			}
		} else if err := os.Remove(l.n.keyFile(keys.PostLogFile)); err != nil && !os.IsNotExist(err) {
			l.t.Fatal(err)
		}
	}
	steps := []struct {
		name string
		die  func(l *left)
	}{
		{"while the new key is written", func(l *left) { write(l, "."+keys.NextPostLogFile+".1.new", []byte("-----BEGIN")) }},
		{"the ML-DSA-44 key only", postNext},
		{"both keys", func(l *left) { postNext(l); l.n.leave(l.next) }},
		{"handed over", handed},
		{"the ML-DSA-44 key in place", postSettled},
		{"all but the erasing", func(l *left) {
			postSettled(l)
			if err := os.Rename(l.n.keyFile(keys.NextLogFile), l.n.keyFile(keys.LogFile)); err != nil {
				l.t.Fatal(err)
			}
		}},
		{"a ruined key that is not needed", func(l *left) { write(l, keys.NextPostLogFile, []byte("no key")) }},
	}
	for _, from := range []bool{false, true} {
		for _, to := range []bool{false, true} {
			if !from && !to {
				continue // TestRotationDies
			}
			for _, s := range steps {
				t.Run(map[bool]string{false: "none to ", true: "one to "}[from]+map[bool]string{false: "none", true: "one"}[to]+"/"+s.name, func(t *testing.T) {
					n := newNode(t)
					first, terms := n.LogKey(), 1
					if from {
						if _, err := n.RotateLogKey(t.Context(), kernel.PostYes); err != nil {
							t.Fatal(err)
						}
						terms++
					}
					before := n.published(first)
					l := &left{n: n, t: t}
					var err error
					if l.next, err = seal.GenerateKey(); err != nil {
						t.Fatal(err)
					}
					if to {
						if l.post, err = seal.GeneratePost(); err != nil {
							t.Fatal(err)
						}
					}
					s.die(l)
					want := before
					if l.handed {
						terms++
						want = nil
						if to {
							want = l.post.Public()
						}
					}
					n.published(first) // whoever only reads finds the key as well
					n.again(first, terms)
					if got := n.published(first); !bytes.Equal(got, want) || n.has(keys.PostLogFile) != (want != nil) {
						t.Fatalf("signed by an ML-DSA-44 key: %v, wanted: %v", got != nil, want != nil)
					}
					if _, err := n.RotateLogKey(t.Context(), kernel.PostYes); err != nil {
						t.Fatal(err)
					}
					n.again(first, terms+1)
				})
			}
		}
	}
}

// TestPostKeyLost: without the private ML-DSA-44 key guests run; the log is neither
// handed over nor published, and doctor says so.
func TestPostKeyLost(t *testing.T) {
	n := newNode(t)
	if _, err := n.RotateLogKey(t.Context(), kernel.PostYes); err != nil {
		t.Fatal(err)
	}
	kept := read(t, n.keyFile(keys.PostLogFile))
	if err := os.Remove(n.keyFile(keys.PostLogFile)); err != nil {
		t.Fatal(err)
	}
	m := &node{t: t, guests: n.guests, Kernel: openKernel(t, string(n.Home()))}
	m.run(kernel.Spec{Target: m.guest("hello")})
	for _, choice := range []kernel.PostQuantum{kernel.PostAsBefore, kernel.PostNo, kernel.PostYes} {
		if _, err := m.RotateLogKey(t.Context(), choice); abi.CodeOf(err) != abi.CodeKeyMissing {
			t.Fatal(err)
		}
	}
	bad := 0
	for _, c := range kernel.Doctor(t.Context(), string(n.Home()), "") {
		if !c.OK {
			bad++
		}
	}
	if bad != 1 {
		t.Errorf("doctor found %d", bad)
	}
	if err := os.WriteFile(n.keyFile(keys.PostLogFile), kept, 0o600); err != nil {
		t.Fatal(err)
	}
	n.again(n.LogTerms()[0].Key, 2)
}
