package kernel_test

import (
	"bytes"
	"encoding/pem"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/kernel"
	"github.com/forgeone/forgeone/internal/seal"
)

func drafts(t testing.TB) (all []*kernel.Draft) {
	key, err := seal.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	pub := key.Public()
	for _, body := range []any{
		&abi.KeyAdd{Name: "acme", Role: abi.RolePublisher, Alg: seal.Ed25519, Public: pub, ID: pub.ID()},
		&abi.KeyRemove{ID: pub.ID()}, &abi.KeyRevoke{ID: pub.ID(), Reason: "why"}, &abi.KeyThreshold{Threshold: 2},
		&abi.WitnessSet{Quorum: 1, Witnesses: []abi.Witness{{Key: "w+0+A", URL: "https://w/"}}}, &abi.Downgrade{Name: "a", Serial: 1, From: 2},
	} {
		brain.ActOf(body).Ring = 7
		d := &kernel.Draft{Origin: "forgeone.local/x", Body: body}
		if err := d.Sign(key); err != nil {
			t.Fatal(err)
		}
		all = append(all, d)
	}
	return all
}

func text(t testing.TB, d *kernel.Draft) []byte {
	t.Helper()
	b, err := d.Text()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDraft(t *testing.T) {
	for _, d := range drafts(t) {
		got, err := kernel.ParseDraft(text(t, d))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(d, got); diff != "" {
			t.Error(diff)
		}
	}
	d := drafts(t)[1]
	good := text(t, d)
	blk, _ := pem.Decode(good)
	block := func(b []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: "FORGEONE ACT", Bytes: b}) }
	for name, b := range map[string][]byte{
		"empty":      {},
		"preface":    append([]byte("first some words\n"), good...),
		"cut":        good[:len(good)-30],
		"twice":      append(bytes.Clone(good), good...),
		"too large":  append(bytes.Clone(good), make([]byte, kernel.MaxDraft)...),
		"other type": bytes.ReplaceAll(good, []byte("ACT"), []byte("KEY")),
		"a header":   bytes.Replace(good, []byte("-----\n"), []byte("-----\nNote: harmless\n\n"), 1),
		"trailing":   block(append(bytes.Clone(blk.Bytes), 0)),
		"version 2":  block(append([]byte{blk.Bytes[0], 2}, blk.Bytes[2:]...)),
		"no act":     block([]byte{0x84, 1, 0x61, 'x', 12, 0x41, 0xa0}),
		"no kind":    block([]byte{0x84, 1, 0x61, 'x', 0, 0x41, 0xa0}),
		"no origin":  block([]byte{0x84, 1, 0x60, 15, 0x43, 0xa1, 1, 1}),
		"no body":    block([]byte{0x84, 1, 0x61, 'x', 15, 0x40}),
		"no draft":   block([]byte("junk")),
	} {
		if _, err := kernel.ParseDraft(b); abi.CodeOf(err) != "F1-KEY-043" {
			t.Errorf("%s: %v", name, err)
		}
	}
	huge := &kernel.Draft{Origin: "x", Body: &abi.KeyRevoke{Reason: strings.Repeat("x", kernel.MaxDraft)}}
	if err := huge.Write(filepath.Join(t.TempDir(), "d")); abi.CodeOf(err) != "F1-KEY-043" {
		t.Errorf("a draft that can't be read was written: %v", err)
	}
	if err := d.Write(filepath.Join(t.TempDir(), "no", "d")); abi.CodeOf(err) != "F1-KEY-048" {
		t.Errorf("%v", err)
	}
	if _, err := kernel.ReadDraft(t.TempDir()); abi.CodeOf(err) != "F1-KEY-048" {
		t.Errorf("%v", err)
	}
}

// FuzzDraft: what parses is written again as what it was, and nothing panics.
func FuzzDraft(f *testing.F) {
	for _, d := range drafts(f) {
		f.Add(text(f, d))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := kernel.ParseDraft(b)
		if err != nil {
			if abi.CodeOf(err) != "F1-KEY-043" {
				t.Fatal(err)
			}
			return
		}
		again, err := d.Text()
		if err != nil {
			if len(b) > kernel.MaxDraft-4096 { // with other line breaks it was a little smaller
				return
			}
			t.Fatal(err)
		}
		got, err := kernel.ParseDraft(again)
		if err != nil || !cmp.Equal(got, d) {
			t.Fatalf("%v: %v", err, cmp.Diff(d, got))
		}
	})
}

// TestActsOfANode: what the kernel signs is what its log takes, changes are
// refused with their own codes, and drafts hold for one node and one keyring.
func TestActsOfANode(t *testing.T) {
	n, other := newNode(t), newNode(t)
	second, err := seal.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	pub := second.Public()
	add := n.AddKey(abi.KeyAdd{Name: "op2", Role: abi.RoleOperator, Alg: seal.Ed25519, Public: pub, ID: pub.ID()})
	code := func(want abi.Code, change kernel.Change) {
		t.Helper()
		if _, err := n.Act(t.Context(), change); abi.CodeOf(err) != want {
			t.Errorf("%v, want %q", err, want)
		}
	}
	apply := func(want abi.Code, k *kernel.Kernel, d *kernel.Draft) {
		t.Helper()
		if _, err := k.Apply(t.Context(), d); abi.CodeOf(err) != want {
			t.Errorf("%v, want %q", err, want)
		}
	}
	draft := func(change kernel.Change, keys ...*seal.PrivateKey) *kernel.Draft {
		t.Helper()
		d, err := n.Draft(change)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			if err := d.Sign(k); err != nil {
				t.Fatal(err)
			}
		}
		return d
	}
	own := n.Keys().Operator
	stale := draft(n.SetThreshold(1), own)
	code("F1-KEY-047", n.SetThreshold(2))
	code("F1-KEY-047", n.SetThreshold(0))
	code("F1-KEY-047", n.RemoveKey(kernel.OperatorKey))
	code("F1-KEY-047", n.RevokeKey(kernel.OperatorKey, ""))
	code("F1-KEY-053", n.RevokeKey(kernel.NodeKey, ""))
	code("F1-KEY-045", n.AddKey(abi.KeyAdd{Name: "a\x1b[2J"}))
	code("", add)
	apply("F1-KEY-042", n.Kernel, stale)
	code("", n.SetThreshold(2))
	code("F1-KEY-040", n.RemoveKey(kernel.DeveloperKey))

	remove := n.RemoveKey(kernel.DeveloperKey)
	apply("F1-KEY-044", n.Kernel, draft(remove))
	apply("F1-KEY-044", n.Kernel, draft(remove, own))
	apply("F1-KEY-044", n.Kernel, draft(remove, own, n.Keys().Developer))
	apply("F1-KEY-041", other.Kernel, draft(remove, own, second))
	edited := draft(remove, own, second)
	edited.Body.(*abi.KeyRemove).ID = n.Keys().Node.Public().ID()
	apply("F1-KEY-044", n.Kernel, edited)
	// What two operators sign may still be impossible: then the fold says why.
	apply(abi.CodeBrainKey, n.Kernel, draft(func(*brain.State) (any, error) {
		return &abi.KeyRemove{ID: n.Keys().Node.Public().ID()}, nil
	}, own, second))
	d := draft(remove, own, second)
	apply("", n.Kernel, d)
	apply("F1-KEY-042", n.Kernel, d)

	// A key that was removed can still be revoked, by its id, and stays out.
	dev := n.Keys().Developer.Public()
	apply("", n.Kernel, draft(n.RevokeKey(dev.ID().Hex(), "copied"), own, second))
	code("F1-KEY-046", n.AddKey(abi.KeyAdd{Name: "developer", Role: abi.RolePublisher, Alg: seal.Ed25519, Public: dev, ID: dev.ID()}))
	code("F1-KEY-046", n.RevokeKey(dev.ID().Hex(), ""))
	if _, err := n.Install(t.Context(), n.packed("exit", 1)); err == nil || !strings.Contains(err.Error(), "not in the keyring") {
		t.Errorf("signed by a revoked key: %v", err)
	}
	n.verify()
}
