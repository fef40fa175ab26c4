package brain

import (
	"encoding/hex"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/forgeone/forgeone/abi"
)

// two is a node with two operators, who must both sign.
func two() *book {
	b := newBook()
	b.must(b.act(key("op2", abi.RoleOperator, false), "ops"))
	b.must(b.act(&abi.KeyThreshold{Threshold: 2}, "ops"))
	return b
}

// unchanged adds body, which must be refused with code and leave no trace.
func unchanged(t *testing.T, b *book, body any, code abi.Code) {
	t.Helper()
	before, err := fold(b.list)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.add(body); abi.CodeOf(err) != code {
		t.Errorf("%v, want %s", err, code)
	}
	if !reflect.DeepEqual(b.s, before) {
		t.Error("the record was refused but changed the state")
	}
}

func TestActs(t *testing.T) {
	b := two()
	if b.s.Ring() != 3 || b.s.Threshold() != 2 || b.s.Operators() != 2 {
		t.Fatalf("ring %d, threshold %d of %d", b.s.Ring(), b.s.Threshold(), b.s.Operators())
	}
	b.must(b.act(key("new", abi.RolePublisher, false), "op2", "ops"))
	b.must(b.act(&abi.KeyRevoke{ID: key("new", "", false).ID, Reason: "stolen"}, "ops", "op2"))
	v, ok := b.s.RevokedKey(key("new", "", false).ID)
	if !ok || v.Name != "new" || v.Role != abi.RolePublisher || v.Reason != "stolen" || v.Time == 0 || v.Index+1 != b.s.Size() || len(b.s.RevokedKeys()) != 1 {
		t.Errorf("%+v", v)
	}
	if _, ok := b.s.KeyByName("new"); ok {
		t.Error("a revoked key is in the keyring")
	}
	ws := &abi.WitnessSet{Quorum: 1, Witnesses: []abi.Witness{{Key: "a.example+00+AA", URL: "https://a.example/"}, {Key: "b.example+00+AA"}}}
	b.must(b.act(ws, "ops", "op2"))
	if w := b.s.Witnesses(); w.Quorum != 1 || len(w.Witnesses) != 2 {
		t.Errorf("%+v", w)
	}
	b.must(b.act(&abi.KeyThreshold{Threshold: 1}, "ops", "op2"))
	b.must(b.act(&abi.KeyRemove{ID: key("ops", "", false).ID}, "ops")) // signed by the keyring as it was before
	if b.s.Ring() != 8 || b.s.Operators() != 1 {
		t.Errorf("ring %d, %d operators", b.s.Ring(), b.s.Operators())
	}
}

// TestActAttacks: whoever lacks the operators' keys can't change the keyring,
// not even with the log's key.
func TestActAttacks(t *testing.T) {
	add := func() *abi.KeyAdd { return key("mallory", abi.RolePublisher, false) }
	for name, tt := range map[string]struct {
		body func(b *book) any
		code abi.Code
	}{
		"no signature, as by one who holds the log's key": {func(b *book) any { return b.act(add()) }, abi.CodeBrainSigs},
		"no act at all":        {func(*book) any { return add() }, abi.CodeBrainRing},
		"below the threshold":  {func(b *book) any { return b.act(add(), "ops") }, abi.CodeBrainSigs},
		"the other one alone":  {func(b *book) any { return b.act(add(), "op2") }, abi.CodeBrainSigs},
		"threshold lowered":    {func(b *book) any { return b.act(&abi.KeyThreshold{Threshold: 1}, "ops") }, abi.CodeBrainSigs},
		"by a publisher":       {func(b *book) any { return b.act(add(), "ops", "acme") }, abi.CodeBrainSigs},
		"by the node":          {func(b *book) any { return b.act(add(), "ops", "node") }, abi.CodeBrainSigs},
		"by the key it adds":   {func(b *book) any { return b.act(key("op3", abi.RoleOperator, false), "ops", "op3") }, abi.CodeBrainSigs},
		"by a stranger beside": {func(b *book) any { return b.act(add(), "ops", "op2", "stranger") }, abi.CodeBrainSigs},
		"one signature twice": {func(b *book) any {
			k := b.act(add(), "ops").(*abi.KeyAdd)
			k.Act.Sigs = append(k.Act.Sigs, k.Act.Sigs[0])
			return k
		}, abi.CodeBrainSigs},
		"one signature under two names": {func(b *book) any {
			k := b.act(add(), "ops", "op2").(*abi.KeyAdd)
			k.Act.Sigs[1].Sig = k.Act.Sigs[0].Sig
			return k
		}, abi.CodeBrainSigs},
		"out of order": {func(b *book) any {
			k := b.act(add(), "ops", "op2").(*abi.KeyAdd)
			slices.Reverse(k.Act.Sigs)
			return k
		}, abi.CodeBrainSigs},
		"a flipped bit": {func(b *book) any {
			k := b.act(add(), "ops", "op2").(*abi.KeyAdd)
			k.Act.Sigs[1].Sig[5] ^= 1
			return k
		}, abi.CodeBrainSigs},
		"another name than was signed": {func(b *book) any {
			k := b.act(add(), "ops", "op2").(*abi.KeyAdd)
			k.Name = "someone"
			return k
		}, abi.CodeBrainSigs},
		"another role than was signed": {func(b *book) any {
			k := b.act(add(), "ops", "op2").(*abi.KeyAdd)
			k.Role = abi.RoleOperator
			return k
		}, abi.CodeBrainSigs},
		"signed as another kind": {func(b *book) any {
			k := b.act(&abi.KeyRemove{ID: key("acme", "", false).ID}, "ops", "op2").(*abi.KeyRemove)
			return &abi.KeyRevoke{ID: k.ID, Act: k.Act}
		}, abi.CodeBrainSigs},
		"for another log": {func(b *book) any {
			k := add()
			k.Act.Ring = b.s.Ring()
			for _, o := range []string{"ops", "op2"} {
				if err := SignAct("forgeone.local/y", k, private(o)); err != nil {
					panic(err)
				}
			}
			return k
		}, abi.CodeBrainSigs},
		"for the ring before": {func(b *book) any {
			k := b.act(add(), "ops", "op2").(*abi.KeyAdd)
			b.must(b.act(key("other", abi.RolePolicy, false), "ops", "op2"))
			return k
		}, abi.CodeBrainRing},
		"for the ring before, its number edited": {func(b *book) any {
			k := b.act(add(), "ops", "op2").(*abi.KeyAdd)
			b.must(b.act(key("other", abi.RolePolicy, false), "ops", "op2"))
			k.Act.Ring++
			return k
		}, abi.CodeBrainSigs},
		"for the ring to come": {func(b *book) any {
			k := add()
			k.Act.Ring = b.s.Ring() + 1
			return k
		}, abi.CodeBrainRing},
		// Keyring rollback: an add that was right in its time is put in again
		// after the key was removed.
		"replayed": {func(b *book) any {
			k := b.act(add(), "ops", "op2")
			b.must(k)
			b.must(b.act(&abi.KeyRemove{ID: add().ID}, "ops", "op2"))
			return k
		}, abi.CodeBrainRing},
		"by a removed operator": {func(b *book) any {
			b.must(b.act(&abi.KeyThreshold{Threshold: 1}, "ops", "op2"))
			b.must(b.act(&abi.KeyRemove{ID: key("op2", "", false).ID}, "ops"))
			return b.act(add(), "op2")
		}, abi.CodeBrainSigs},
		"by a revoked operator": {func(b *book) any {
			b.must(b.act(&abi.KeyThreshold{Threshold: 1}, "ops", "op2"))
			b.must(b.act(&abi.KeyRevoke{ID: key("op2", "", false).ID}, "ops"))
			return b.act(add(), "op2")
		}, abi.CodeBrainSigs},
		"a revoked key comes back": {func(b *book) any {
			b.must(b.act(&abi.KeyRevoke{ID: add().ID}, "ops", "op2"))
			return b.act(add(), "ops", "op2")
		}, abi.CodeBrainRevoked},
		"revoked again": {func(b *book) any {
			b.must(b.act(&abi.KeyRevoke{ID: add().ID}, "ops", "op2"))
			return b.act(&abi.KeyRevoke{ID: add().ID}, "ops", "op2")
		}, abi.CodeBrainRevoked},
		"an operator below the threshold removed": {func(b *book) any { return b.act(&abi.KeyRemove{ID: key("op2", "", false).ID}, "ops", "op2") }, abi.CodeBrainThreshold},
		"an operator below the threshold revoked": {func(b *book) any { return b.act(&abi.KeyRevoke{ID: key("op2", "", false).ID}, "ops", "op2") }, abi.CodeBrainThreshold},
		"the last operator removed": {func(b *book) any {
			b.must(b.act(&abi.KeyThreshold{Threshold: 1}, "ops", "op2"))
			b.must(b.act(&abi.KeyRemove{ID: key("op2", "", false).ID}, "ops"))
			return b.act(&abi.KeyRemove{ID: key("ops", "", false).ID}, "ops")
		}, abi.CodeBrainThreshold},
		"a threshold above the operators": {func(b *book) any { return b.act(&abi.KeyThreshold{Threshold: 3}, "ops", "op2") }, abi.CodeBrainThreshold},
		"a threshold of nobody":           {func(b *book) any { return b.act(&abi.KeyThreshold{}, "ops", "op2") }, abi.CodeBrainThreshold},
		"the node's key removed":          {func(b *book) any { return b.act(&abi.KeyRemove{ID: key("node", "", false).ID}, "ops", "op2") }, abi.CodeBrainKey},
		"the node's key revoked":          {func(b *book) any { return b.act(&abi.KeyRevoke{ID: key("node", "", false).ID}, "ops", "op2") }, abi.CodeBrainKey},
		"a second node key":               {func(b *book) any { return b.act(key("n2", abi.RoleNode, false), "ops", "op2") }, abi.CodeBrainKey},
		"a reason that draws":             {func(b *book) any { return b.act(&abi.KeyRevoke{Reason: "\x1b[2J"}, "ops", "op2") }, abi.CodeBrainKey},
		"a reason without end": {func(b *book) any {
			return b.act(&abi.KeyRevoke{Reason: strings.Repeat("x", 257)}, "ops", "op2")
		}, abi.CodeBrainKey},
		"a name that draws": {func(b *book) any { k := add(); k.Name = "a\nb"; return b.act(k, "ops", "op2") }, abi.CodeBrainKey},
		"a name like an id": {func(b *book) any {
			k := add()
			k.Name = hex.EncodeToString(make([]byte, 32))
			return b.act(k, "ops", "op2")
		}, abi.CodeBrainKey},
		"unsigned witnesses": {func(*book) any { return &abi.WitnessSet{} }, abi.CodeBrainRing},
		"quorum above the witnesses": {func(b *book) any {
			return b.act(&abi.WitnessSet{Quorum: 2, Witnesses: []abi.Witness{{Key: "a+0+A"}}}, "ops", "op2")
		}, abi.CodeBrainWitness},
		"one witness twice": {func(b *book) any {
			return b.act(&abi.WitnessSet{Quorum: 2, Witnesses: []abi.Witness{{Key: "a+0+A"}, {Key: "a+1+B"}}}, "ops", "op2")
		}, abi.CodeBrainWitness},
		"a witness without a name": {func(b *book) any {
			return b.act(&abi.WitnessSet{Witnesses: []abi.Witness{{Key: "+0+A"}}}, "ops", "op2")
		}, abi.CodeBrainWitness},
		"a witness without a key": {func(b *book) any {
			return b.act(&abi.WitnessSet{Witnesses: []abi.Witness{{Key: "a"}}}, "ops", "op2")
		}, abi.CodeBrainWitness},
		"an address that draws": {func(b *book) any {
			return b.act(&abi.WitnessSet{Witnesses: []abi.Witness{{Key: "a+0+A", URL: "x\n"}}}, "ops", "op2")
		}, abi.CodeBrainWitness},
	} {
		t.Run(name, func(t *testing.T) {
			b := two()
			unchanged(t, b, tt.body(b), tt.code)
		})
	}
}

// TestFounding: only the batch that founds a node adds keys unsigned, and only adds.
func TestFounding(t *testing.T) {
	b := &book{s: New()}
	b.must(&abi.Genesis{Origin: "forgeone.local/x", LogKey: make([]byte, 32)})
	b.must(key("node", abi.RoleNode, true))
	b.must(key("ops", abi.RoleOperator, true))
	unchanged(t, b, &abi.KeyRemove{ID: key("ops", "", false).ID}, abi.CodeBrainRing)
	unchanged(t, b, &abi.KeyThreshold{Threshold: 1}, abi.CodeBrainRing)
	unchanged(t, b, b.act(key("a", abi.RolePublisher, false)), abi.CodeBrainSigs)
	b.must(&abi.Config{Version: 1})
	unchanged(t, b, key("a", abi.RolePublisher, false), abi.CodeBrainRing)
	if b.s.Ring() != 1 {
		t.Errorf("founding made version %d of the keyring", b.s.Ring())
	}
}

// TestRevokedPublisher: what a revoked or removed key signed starts no more.
func TestRevokedPublisher(t *testing.T) {
	for code, body := range map[abi.Code]any{
		abi.CodeBrainRevoked: &abi.KeyRevoke{ID: key("acme", "", false).ID},
		abi.CodeBrainStart:   &abi.KeyRemove{ID: key("acme", "", false).ID},
	} {
		b := newBook()
		if err := b.install("hello", "acme", 1); err != nil {
			t.Fatal(err)
		}
		b.must(b.startOf("hello", id(1)))
		b.must(b.act(body, "ops"))
		unchanged(t, b, b.startOf("hello", id(2)), code)
		if err := b.install("hello", "acme", 2); abi.CodeOf(err) != abi.CodeBrainPackage {
			t.Errorf("installed: %v", err)
		}
	}
}

// TestSignAct: signing again replaces, and never touches what others share.
func TestSignAct(t *testing.T) {
	b := two()
	k := b.act(key("new", abi.RolePublisher, false), "ops", "op2", "ops").(*abi.KeyAdd)
	if len(k.Act.Sigs) != 2 {
		t.Errorf("%d signatures", len(k.Act.Sigs))
	}
	if err := SignAct("x", &abi.Config{}, private("ops")); err != ErrNoAct {
		t.Errorf("a configuration was signed: %v", err)
	}
	if err := SignAct(strings.Repeat("x", 256), k, private("ops")); err != ErrNoAct {
		t.Errorf("an origin of 256 bytes: %v", err)
	}
}
