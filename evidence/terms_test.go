package evidence

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/codec"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/signednote"
)

func newKey(t testing.TB) *PrivateKey {
	t.Helper()
	k, err := seal.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// forger writes a log of one segment as somebody would who has keys and does not
// keep to the rules. It checks nothing.
type forger struct {
	t    testing.TB
	c    chain
	b    []byte
	name string
}

const forgedOrigin = "log.example/forged"

func newForger(t testing.TB) *forger {
	f := &forger{t: t, c: newChain(), name: forgedOrigin}
	f.b = header{Origin: f.name}.encode()
	return f
}

// batch appends records and a commit over them by key.
func (f *forger) batch(key *PrivateKey, bodies ...any) {
	f.t.Helper()
	for _, b := range bodies {
		if g, ok := b.(*abi.Genesis); ok {
			g.Origin = f.name
		}
		e, err := codec.EncodeRecord(abi.Record{Kind: abi.KindOf(b), Time: 1, Body: b})
		if err != nil {
			f.t.Fatal(err)
		}
		f.c.tree.Push(f.c.h, f.c.h.Leaf(e))
		f.b = appendFrame(f.b, frameRecord, e)
	}
	note, err := signednote.NewSigner(f.name, key).Note(signednote.AppendText(nil, f.name, f.c.tree.N, f.c.tree.Root(f.c.h)))
	if err != nil {
		f.t.Fatal(err)
	}
	f.b = appendFrame(f.b, frameCommit, note)
}

func (f *forger) genesis(key *PrivateKey) { f.batch(key, &abi.Genesis{LogKey: key.Public()}) }

// handOver is a right log.key as the next record.
func (f *forger) handOver(term uint64, old, next *PrivateKey) *abi.LogKey {
	ts := terms{origin: f.name, list: make([]Term, term)}
	return ts.newLogKey(old, next, nil, nil, f.c.tree.N, f.c.tree.Root(f.c.h))
}

// rotate hands over by the rules.
func (f *forger) rotate(term uint64, old, next *PrivateKey) {
	f.batch(old, f.handOver(term, old, next))
}

// log writes the log and returns where.
func (f *forger) log() string {
	f.t.Helper()
	dir := filepath.Join(f.t.TempDir(), "log")
	if err := os.Mkdir(dir, 0o700); err != nil {
		f.t.Fatal(err)
	}
	writeFile(f.t, filepath.Join(dir, segmentName(0)), append(bytes.Clone(f.b), make([]byte, 4096)...))
	return dir
}

func pins(keys ...*PrivateKey) (ps []PublicKey) {
	for _, k := range keys {
		ps = append(ps, k.Public())
	}
	return ps
}

// wantVerify checks what Verify answers with these pins; "" is yes.
func wantVerify(t *testing.T, dir string, code abi.Code, keys ...*PrivateKey) {
	t.Helper()
	_, err := Verify(context.Background(), dir, pins(keys...), VerifyOptions{})
	if abi.CodeOf(err) != code {
		t.Errorf("got %q %v, want %q", abi.CodeOf(err), err, code)
	}
	if code != "" {
		return
	}
	if _, err := Open(Options{Dir: dir, Keys: pins(keys...)}); err != nil {
		t.Errorf("Open: %v", err)
	}
}

func end(s string) *abi.PackageUninstall { return &abi.PackageUninstall{Name: s} }

// honest is the log whose forgeries follow: three terms, some records in each.
func honest(t *testing.T, k0, k1, k2 *PrivateKey) *forger {
	f := newForger(t)
	f.genesis(k0)
	f.batch(k0, end("in term 0"))
	f.rotate(1, k0, k1)
	f.batch(k1, end("in term 1"))
	f.rotate(2, k1, k2)
	f.batch(k2, end("in term 2"))
	return f
}

// TestPins: what a pinned key protects from, and what it does not.
func TestPins(t *testing.T) {
	k0, k1, k2, thief := newKey(t), newKey(t), newKey(t), newKey(t)
	all := []*PrivateKey{k0, k1, k2}
	t.Run("honest", func(t *testing.T) {
		dir := honest(t, k0, k1, k2).log()
		wantVerify(t, dir, "", k0)
		wantVerify(t, dir, "", k1)
		wantVerify(t, dir, "", k2)
		wantVerify(t, dir, "", all...)
		wantVerify(t, dir, CodePin, thief)
		wantVerify(t, dir, CodePin, k0, k2, thief)
		_, err := Verify(context.Background(), dir, pins(k0, thief, k2), VerifyOptions{})
		if !strings.Contains(err.Error(), thief.Public().String()) {
			t.Errorf("%v does not name the key", err)
		}
		r, err := Verify(context.Background(), dir, pins(k0), VerifyOptions{})
		if err != nil || len(r.Terms) != 3 {
			t.Fatal(r.Terms, err)
		}
		for i, from := range []uint64{0, 3, 5} {
			if x := r.Terms[i]; x.Number != uint64(i) || x.From != from || !bytes.Equal(x.Key, all[i].Public()) {
				t.Errorf("term %d is %+v", i, x)
			}
		}
	})
	t.Run("all sealed anew with the newest key", func(t *testing.T) {
		f := newForger(t)
		f.genesis(k2)
		f.batch(k2, end("what never was"))
		dir := f.log()
		wantVerify(t, dir, CodePin, k0)
		wantVerify(t, dir, CodePin, k0, k2)
		wantVerify(t, dir, CodePin, k1, k2)
		wantVerify(t, dir, "", k2) // as documented: nothing ties it to the past
	})
	t.Run("old terms rewritten by who has the newest key", func(t *testing.T) {
		f := newForger(t)
		f.genesis(k0)
		f.batch(k2, end("what never was"))
		wantVerify(t, f.log(), CodeSignature, k0)
		f = newForger(t)
		f.genesis(k0)
		f.batch(k2, end("what never was"), f.handOver(1, k2, k2))
		wantVerify(t, f.log(), CodeTerm, k0)
	})
	t.Run("old terms kept in their commits, other records", func(t *testing.T) {
		// The records of term 1 replaced, the true hand-over to k2 kept.
		good := newForger(t)
		good.genesis(k0)
		good.rotate(1, k0, k1)
		good.batch(k1, end("true"))
		handOver := good.handOver(2, k1, k2)
		f := newForger(t)
		f.genesis(k0)
		f.rotate(1, k0, k1)
		f.batch(k2, end("false"))
		f.batch(k2, handOver)
		wantVerify(t, f.log(), CodeSignature, k0)
		_, err := Open(Options{Dir: f.log(), Keys: pins(k0)})
		wantCode(t, err, CodeTerm, CodeSignature)
	})
	t.Run("forked by a stolen old key", func(t *testing.T) {
		f := newForger(t)
		f.genesis(k0)
		f.batch(k0, end("in term 0"))
		f.batch(k0, end("what never was"))
		f.rotate(1, k0, thief)
		f.batch(thief, end("more of it"))
		dir := f.log()
		wantVerify(t, dir, "", k0) // as documented: the first key alone can't tell
		wantVerify(t, dir, CodePin, k0, k2)
		wantVerify(t, dir, CodePin, k2)
		wantVerify(t, dir, CodePin, k0, k1)
	})
	t.Run("forked by a stolen old key, in the name of the newest", func(t *testing.T) {
		// Anybody can write a public key into a record.
		f := newForger(t)
		f.genesis(k0)
		f.batch(k0, end("what never was"))
		k := f.handOver(1, k0, thief)
		k.Public = k2.Public()
		msg := handOver(f.name, k, f.c.tree.N)
		k.Sig, k.Own = k0.Sign(handOverDomain, msg), thief.Sign(takeOverDomain, msg)
		f.batch(k0, k)
		wantVerify(t, f.log(), CodeTerm, k0, k2)
	})
	t.Run("forked at a later time by a stolen old key", func(t *testing.T) {
		// He keeps the hand-over to k1, and goes on in k0's name.
		f := newForger(t)
		f.genesis(k0)
		f.batch(k0, end("in term 0"))
		f.rotate(1, k0, k1)
		f.batch(k0, end("what never was"))
		wantVerify(t, f.log(), CodeSignature, k0, k1)
	})
}

// TestTermRules: every way to hand over wrongly.
func TestTermRules(t *testing.T) {
	k0, k1, k2 := newKey(t), newKey(t), newKey(t)
	long := bytes.Repeat([]byte{7}, seal.PostPublicSize)
	for name, x := range map[string]struct {
		code  abi.Code
		forge func(f *forger)
	}{
		"by the rules":      {"", func(f *forger) { f.rotate(1, k0, k1); f.batch(k1, end("b")) }},
		"nothing behind it": {"", func(f *forger) { f.rotate(1, k0, k1) }},
		"last of a batch":   {"", func(f *forger) { f.batch2(k0, end("b"), 1, k0, k1); f.batch(k1, end("c")) }},
		"dropped":           {CodeSignature, func(f *forger) { f.batch(k1, end("b")) }},
		"in mid-batch": {CodeTerm, func(f *forger) {
			f.batch(k0, f.handOver(1, k0, k1), end("b"))
			f.batch(k1, end("c"))
		}},
		"commit over it by the new key":   {CodeSignature, func(f *forger) { f.batch(k1, f.handOver(1, k0, k1)) }},
		"next commit by the old key":      {CodeSignature, func(f *forger) { f.rotate(1, k0, k1); f.batch(k0, end("b")) }},
		"next commit by a third key":      {CodeSignature, func(f *forger) { f.rotate(1, k0, k1); f.batch(k2, end("b")) }},
		"commit of term 0 by the new key": {CodeSignature, func(f *forger) { f.batch(k1, end("b")); f.rotate(1, k0, k1) }},
		"term 2 after term 0":             {CodeTerm, func(f *forger) { f.rotate(2, k0, k1) }},
		"term 0 again":                    {CodeTerm, func(f *forger) { f.rotate(0, k0, k1) }},
		"to the same key":                 {CodeTerm, func(f *forger) { f.rotate(1, k0, k0) }},
		"back to an older key":            {CodeTerm, func(f *forger) { f.rotate(1, k0, k1); f.rotate(2, k1, k0) }},
		"signed by another key":           {CodeTerm, func(f *forger) { f.batch(k0, f.handOver(1, k2, k1)) }},
		"signed by the new key only":      {CodeTerm, func(f *forger) { f.batch(k0, f.handOver(1, k1, k1)) }},
		"of another place": {CodeTerm, func(f *forger) {
			k := f.handOver(1, k0, k1)
			f.batch(k0, end("b"))
			f.batch(k0, k)
		}},
		"of another place, with the root of this": {CodeTerm, func(f *forger) {
			k := f.handOver(1, k0, k1)
			f.batch(k0, end("b"))
			k.Root = f.c.tree.Root(f.c.h)
			f.batch(k0, k)
		}},
		"of another log":                     {CodeTerm, func(f *forger) { g := *f; g.name = "log.example/other"; f.batch(k0, g.handOver(1, k0, k1)) }},
		"another root":                       {CodeTerm, change(k0, k1, func(k *abi.LogKey) { k.Root[3] ^= 1 })},
		"another term":                       {CodeTerm, change(k0, k1, func(k *abi.LogKey) { k.Term++ })},
		"another key":                        {CodeTerm, change(k0, k1, func(k *abi.LogKey) { k.Public = k2.Public() })},
		"a post-quantum key added":           {CodeTerm, change(k0, k1, func(k *abi.LogKey) { k.Post = long })},
		"a post-quantum key of a wrong size": {CodeTerm, resigned(k0, k1, func(k *abi.LogKey) { k.Post = long[1:] })},
		"a post-quantum key":                 {"", resigned(k0, k1, func(k *abi.LogKey) { k.Post = long })},
		"a key of a wrong size":              {CodeTerm, resigned(k0, k1, func(k *abi.LogKey) { k.Public = k.Public[1:] })},
		"a wrong root, signed by both":       {CodeTerm, resigned(k0, k1, func(k *abi.LogKey) { k.Root[3] ^= 1 })},
		"another index, signed by both": {CodeTerm, func(f *forger) {
			k := f.handOver(1, k0, k1)
			msg := handOver(f.name, k, f.c.tree.N+1)
			k.Sig, k.Own = k0.Sign(handOverDomain, msg), k1.Sign(takeOverDomain, msg)
			f.batch(k0, k)
		}},
		"no key":                       {CodeTerm, resigned(k0, k1, func(k *abi.LogKey) { k.Public = nil })},
		"no signature":                 {CodeTerm, change(k0, k1, func(k *abi.LogKey) { k.Sig = nil })},
		"no signature of its own":      {CodeTerm, change(k0, k1, func(k *abi.LogKey) { k.Own = nil })},
		"the two signatures exchanged": {CodeTerm, change(k0, k1, func(k *abi.LogKey) { k.Sig, k.Own = k.Own, k.Sig })},
		"one signature for both":       {CodeTerm, change(k0, k1, func(k *abi.LogKey) { k.Own = k.Sig })},
		"a flipped signature":          {CodeTerm, change(k0, k1, func(k *abi.LogKey) { k.Sig[9] ^= 4 })},
		"a second genesis":             {CodeRecord, func(f *forger) { f.batch(k0, &abi.Genesis{LogKey: k1.Public()}) }},
	} {
		t.Run(name, func(t *testing.T) {
			f := newForger(t)
			f.genesis(k0)
			f.batch(k0, end("a"))
			x.forge(f)
			dir := f.log()
			wantVerify(t, dir, x.code, k0)
			if x.code == CodeTerm {
				_, err := Open(Options{Dir: dir, Key: k0})
				wantCode(t, err, CodeTerm, CodeTampered)
			}
		})
	}
}

// batch2 appends a record and a hand-over in one batch.
func (f *forger) batch2(key *PrivateKey, first any, term uint64, old, next *PrivateKey) {
	tr := f.c.tree
	e, err := codec.EncodeRecord(abi.Record{Kind: abi.KindOf(first), Time: 1, Body: first})
	if err != nil {
		f.t.Fatal(err)
	}
	f.c.tree.Push(f.c.h, f.c.h.Leaf(e))
	k := f.handOver(term, old, next)
	f.c.tree = tr
	f.batch(key, first, k)
}

func change(k0, k1 *PrivateKey, f func(*abi.LogKey)) func(*forger) {
	return func(fo *forger) {
		k := fo.handOver(1, k0, k1)
		f(k)
		fo.batch(k0, k)
	}
}

// resigned is change by one who has both keys.
func resigned(k0, k1 *PrivateKey, f func(*abi.LogKey)) func(*forger) {
	return change(k0, k1, func(k *abi.LogKey) {
		f(k)
		msg := handOver(forgedOrigin, k, 2)
		k.Sig, k.Own = k0.Sign(handOverDomain, msg), k1.Sign(takeOverDomain, msg)
	})
}

// TestFirstKey: a log that is named after a key begins with that key.
func TestFirstKey(t *testing.T) {
	k0, thief := newKey(t), newKey(t)
	f := newForger(t)
	f.name = DefaultOrigin(k0.Public())
	f.b = header{Origin: f.name}.encode()
	f.genesis(thief)
	f.rotate(1, thief, k0)
	f.batch(k0, end("a"))
	wantVerify(t, f.log(), CodeTerm, k0)
	f = newForger(t)
	f.batch(k0, &abi.Genesis{LogKey: k0.Public()[1:]})
	wantVerify(t, f.log(), CodeTerm, k0)
}

// TestManyTerms: as many hand-overs as a log may have are followed in no time,
// and more are refused.
func TestManyTerms(t *testing.T) {
	ts, old := terms{}, newKey(t)
	root := func() abi.Digest { return abi.Digest{1} }
	apply := func(body any, index uint64) error {
		e, err := codec.EncodeRecord(abi.Record{Kind: abi.KindOf(body), Body: body})
		if err != nil {
			t.Fatal(err)
		}
		return ts.apply(abi.KindOf(body), e, index, root)
	}
	if err := apply(&abi.LogKey{}, 0); err == nil {
		t.Fatal("a hand-over begins a log")
	}
	if err := apply(&abi.Genesis{Origin: "a", LogKey: old.Public()}, 0); err != nil {
		t.Fatal(err)
	}
	for i := range uint64(50) {
		next := newKey(t)
		if err := apply(ts.newLogKey(old, next, nil, nil, i+1, root()), i+1); err != nil {
			t.Fatal(err)
		}
		old = next
	}
	for len(ts.list) < maxTerms {
		ts.list = append(ts.list, Term{Key: PublicKey{1}})
	}
	ts.list[maxTerms-1].Key = old.Public()
	if err := apply(ts.newLogKey(old, newKey(t), nil, nil, 9, root()), 9); err == nil || len(ts.list) != maxTerms {
		t.Fatalf("term %d: %v", maxTerms, err)
	}
	// What is no record, or of another kind than was said, is refused too.
	if err := ts.apply(abi.KindLogKey, []byte{1}, 9, root); err == nil {
		t.Fatal("no record passed")
	}
	e, err := codec.EncodeRecord(uninstallAt("a"))
	if err != nil {
		t.Fatal(err)
	}
	if ts.apply(abi.KindPackageUninstall, e, 9, nil) != nil || ts.apply(abi.KindLogKey, e, 9, nil) == nil {
		t.Fatal("the kind is not what counts")
	}
}

func uninstallAt(name string) abi.Record {
	r := uninstall(name)
	r.Kind = abi.KindPackageUninstall
	return r
}

// FuzzTerms: whatever is said to be a log.key, nothing but the true one passes,
// and a refused one changes nothing.
func FuzzTerms(f *testing.F) {
	k0, err := seal.ParsePrivate([]byte(testKeyText))
	if err != nil {
		f.Fatal(err)
	}
	k1 := newKey(f)
	ts := terms{origin: "a", list: []Term{{Key: k0.Public()}}}
	good := ts.newLogKey(k0, k1, nil, nil, 5, abi.Digest{1})
	for _, b := range []any{good, &abi.LogKey{Term: 1}, &abi.Genesis{Origin: "a", LogKey: k0.Public()}, end("x")} {
		e, err := codec.EncodeRecord(abi.Record{Kind: abi.KindOf(b), Body: b})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint16(abi.KindOf(b)), e)
		f.Add(uint16(abi.KindLogKey), e)
	}
	f.Fuzz(func(t *testing.T, kind uint16, in []byte) {
		ts := terms{origin: "a", list: []Term{{Key: k0.Public()}}}
		err := ts.apply(abi.Kind(kind), in, 5, func() abi.Digest { return abi.Digest{1} })
		if err != nil || len(ts.list) == 1 {
			if len(ts.list) != 1 {
				t.Fatal("refused, and followed")
			}
			return
		}
		r, err := codec.DecodeRecord(in)
		if err != nil {
			t.Fatal(err)
		}
		if k := r.Body.(*abi.LogKey); !bytes.Equal(k.Sig, good.Sig) || !bytes.Equal(k.Own, good.Own) {
			t.Fatalf("%+v passed", k)
		}
	})
}
