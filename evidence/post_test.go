package evidence

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/signednote"
)

// postRing holds private ML-DSA-44 keys by their public halves.
type postRing map[string]*PostPrivateKey

func (r postRing) key(public PostPublicKey) (*PostPrivateKey, error) {
	if k := r[string(public)]; k != nil {
		return k, nil
	}
	return nil, errors.New("not in the ring")
}

func (r postRing) make(t testing.TB) PostPublicKey {
	t.Helper()
	k, err := seal.GeneratePost()
	if err != nil {
		t.Fatal(err)
	}
	r[string(k.Public())] = k
	return k.Public()
}

// postLog is a log of two terms, the last one with an ML-DSA-44 key, and its export.
func postLog(t testing.TB) (o Options, l *Log, ring postRing, post PostPublicKey, dir string) {
	t.Helper()
	ring = postRing{}
	o = newLog(t, small, func(o *Options) { o.PostKey = ring.key })
	l = openLog(t, o)
	fill(t, l, 5)
	post = ring.make(t)
	if _, err := l.Rotate(t.Context(), newKey(t), post); err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(t.TempDir(), "tiles")
	return o, l, ring, post, dir
}

func exportPost(t testing.TB, o Options, dir string) []byte {
	t.Helper()
	export(t, o, dir, func(x *ExportOptions) { x.PostKey = o.PostKey })
	return readFile(t, filepath.Join(dir, checkpointName))
}

// stripped is the note n without its last line.
func stripped(t testing.TB, n []byte) []byte {
	t.Helper()
	at := bytes.LastIndexByte(n[:len(n)-1], '\n') + 1
	if c, err := signednote.Parse(n[:at]); err != nil || len(c.Sigs) != 1 {
		t.Fatal(err)
	}
	return n[:at]
}

// TestPostExport: as soon as the log is handed over, what is published has both
// signatures, and without the second one it is refused with any pin.
func TestPostExport(t *testing.T) {
	o, l, ring, post, dir := postLog(t)
	for range 3 {
		n := exportPost(t, o, dir)
		c, err := signednote.Parse(n)
		if err != nil || len(c.Sigs) != 2 || c.Size != l.Size() || len(c.Sigs[1].Sig) != 8+2420 {
			t.Fatalf("%s %v", n, err)
		}
		if r := mustVerifyTiles(t, o, dir); !bytes.Equal(r.Terms[1].Post, post) {
			t.Fatalf("%+v", r.Terms)
		}
		// Tools that know of Ed25519 only go on.
		first, _, _ := strings.Cut(string(readFile(t, filepath.Join(dir, vkeyName))), "\n")
		v, err := note.NewVerifier(first)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := note.Open(n, note.VerifierList(v)); err != nil || len(got.UnverifiedSigs) != 1 {
			t.Fatal(err)
		}
		if !strings.HasSuffix(string(readFile(t, filepath.Join(dir, vkeyName))), PostVerifierKey(c.Origin, post)+"\n") {
			t.Error("vkey does not name the ML-DSA-44 key")
		}
		wantCode(t, changed(t, o, dir, checkpointName, stripped(t, n)), CodePost)
		// With its ML-DSA-44 key alone it verifies too.
		if _, err := VerifyTiles(t.Context(), dir, nil, VerifyOptions{Post: []PostPublicKey{post}}); err != nil {
			t.Fatal(err)
		}
		_, err = VerifyTiles(t.Context(), dir, nil, VerifyOptions{Post: []PostPublicKey{post, ring.make(t)}})
		wantCode(t, err, CodePin)
		fill(t, l, 300)
	}
	// The line is put back, and nothing is published without it.
	n := readFile(t, filepath.Join(dir, checkpointName))
	now := exportPost(t, o, dir)
	writeFile(t, filepath.Join(dir, checkpointName), stripped(t, now))
	if got := exportPost(t, o, dir); !bytes.Equal(got, now) || bytes.Equal(n, now) {
		t.Errorf("the line is not put back:\n%s", got)
	}
	fill(t, l, 1)
	for _, keys := range []PostKeys{nil, postRing{}.key} {
		_, err := Export(t.Context(), o.Dir, dir, []PublicKey{o.Key.Public()}, ExportOptions{PostKey: keys})
		wantCode(t, err, CodePostKey)
		_, _, err = Prove(t.Context(), o.Dir, "", 1, []PublicKey{o.Key.Public()}, ProveOptions{PostKey: keys})
		wantCode(t, err, CodePostKey)
	}
	mustVerifyTiles(t, o, dir) // as it was
}

// TestPostLineForged: only the very key's signature over the very head counts.
func TestPostLineForged(t *testing.T) {
	o, l, ring, post, dir := postLog(t)
	exportPost(t, o, dir)
	old, err := parsePublished(readFile(t, filepath.Join(dir, checkpointName)))
	if err != nil {
		t.Fatal(err)
	}
	second := ring.make(t)
	if _, err := l.Rotate(t.Context(), newKey(t), second); err != nil {
		t.Fatal(err)
	}
	fill(t, l, 2)
	n := exportPost(t, o, dir)
	c, err := parsePublished(n)
	if err != nil {
		t.Fatal(err)
	}
	first, now := ring[string(post)], ring[string(second)]
	line := func(change func(c *checkpoint)) NoteSignature {
		x := c
		change(&x)
		s := postSign(now, x)
		s.Name, s.Hash = c.origin, postHash(c.origin, second)
		return s
	}
	sized := func(n int) NoteSignature {
		s := postSign(now, c)
		s.Sig = append(s.Sig, make([]byte, 9)...)[:n]
		return s
	}
	timed := func(at uint64, signed uint64) NoteSignature {
		sig := append(binary.BigEndian.AppendUint64(nil, at), now.SignRaw(postMessage(c.origin, signed, c.size, c.root))...)
		return NoteSignature{Name: c.origin, Hash: postHash(c.origin, second), Sig: sig}
	}
	passed := postSign(first, c) // under the present key's name
	passed.Hash = postHash(c.origin, second)
	for name, x := range map[string]struct {
		s    []NoteSignature
		code abi.Code
	}{
		"right":                       {[]NoteSignature{postSign(now, c)}, ""},
		"with a time":                 {[]NoteSignature{timed(1_700_000_000, 1_700_000_000)}, ""},
		"with another time":           {[]NoteSignature{timed(1_700_000_000, 0)}, CodePost},
		"with a time out of range":    {[]NoteSignature{timed(1<<63, 1<<63)}, CodePost},
		"none":                        {nil, CodePost},
		"an older term's":             {[]NoteSignature{postSign(first, c)}, CodePost},
		"an older term's, passed off": {[]NoteSignature{passed}, CodePost},
		"beside an older term's":      {[]NoteSignature{postSign(first, c), postSign(now, c)}, ""},
		"beside a wrong one":          {[]NoteSignature{passed, postSign(now, c)}, CodePost},
		"too short":                   {[]NoteSignature{sized(postSize - 1)}, CodePost},
		"too long":                    {[]NoteSignature{sized(postSize + 1)}, CodePost},
		"a time only":                 {[]NoteSignature{sized(8)}, CodePost},
		"over another root":           {[]NoteSignature{line(func(c *checkpoint) { c.root[7] ^= 1 })}, CodePost},
		"over another size":           {[]NoteSignature{line(func(c *checkpoint) { c.size++ })}, CodePost},
		"over an older head":          {[]NoteSignature{line(func(c *checkpoint) { *c = old })}, CodePost},
		"of another log":              {[]NoteSignature{line(func(c *checkpoint) { c.origin = "log.example/other" })}, CodePost},
	} {
		p, err := signednote.Parse(stripped(t, n))
		if err != nil {
			t.Fatal(err)
		}
		p.Sigs = append(p.Sigs, x.s...)
		if err := changed(t, o, dir, checkpointName, p.Bytes()); abi.CodeOf(err) != x.code {
			t.Errorf("%s: %v", name, err)
		}
		proof, _, err := Prove(t.Context(), o.Dir, "", 1, []PublicKey{o.Key.Public()}, ProveOptions{PostKey: o.PostKey})
		if err != nil {
			t.Fatal(err)
		}
		proof.Checkpoint = p.Bytes()
		ts := l.Terms()
		_, err = proof.Verify([]PublicKey{ts[2].Key}, VerifyOptions{Post: []PostPublicKey{second}})
		if abi.CodeOf(err) != x.code {
			t.Errorf("%s: the proof: %v", name, err)
		}
		// Nobody can tell a proof without a pin; an older term's key is no pin of this.
		_, err = proof.Verify([]PublicKey{ts[2].Key}, VerifyOptions{})
		wantCode(t, err, "")
	}
}

// TestPostProof: a proof carries both signatures, from the log and from tiles, also
// against an older head of the term; a key that is gone signs no more.
func TestPostProof(t *testing.T) {
	o, l, ring, post, dir := postLog(t)
	at := l.Size()
	fill(t, l, 20)
	keys := []PublicKey{o.Key.Public()}
	pin := VerifyOptions{Post: []PostPublicKey{post}}
	for _, tiles := range []string{"", dir} {
		for _, size := range []uint64{0, at} {
			p, _, err := Prove(t.Context(), o.Dir, tiles, 2, keys, ProveOptions{At: size, PostKey: o.PostKey, Post: pin.Post})
			if err != nil {
				t.Fatal(err)
			}
			b := p.Marshal()
			if p, err = ParseProof(b); err != nil {
				t.Fatal(err)
			}
			if _, err := p.Verify(nil, pin); err != nil {
				t.Error(err)
			}
			p.Checkpoint = stripped(t, p.Checkpoint)
			_, err = p.Verify(nil, pin)
			wantCode(t, err, CodePost)
		}
	}
	if _, _, err := ProveFromTiles(dir, 3, nil, pin); err != nil {
		t.Error(err)
	}
	_, err := (&Proof{}).Verify(nil, VerifyOptions{})
	wantCode(t, err, CodeUsage)
	next := ring.make(t)
	if _, err := l.Rotate(t.Context(), newKey(t), next); err != nil {
		t.Fatal(err)
	}
	delete(ring, string(post))
	_, _, err = Prove(t.Context(), o.Dir, "", 2, keys, ProveOptions{At: at, PostKey: o.PostKey})
	wantCode(t, err, CodePostKey)
	if _, _, err = Prove(t.Context(), o.Dir, "", 2, keys, ProveOptions{PostKey: o.PostKey}); err != nil {
		t.Error(err)
	}
}

// TestPostGivenUp: a term without such a key after one with. It verifies, but not
// for who gave the key.
func TestPostGivenUp(t *testing.T) {
	o, l, ring, post, dir := postLog(t)
	exportPost(t, o, dir)
	last := newKey(t)
	if _, err := l.Rotate(t.Context(), last, nil); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if c, err := signednote.Parse(exportPost(t, o, dir)); err != nil || len(c.Sigs) != 1 {
			t.Fatal(err)
		}
		mustVerifyTiles(t, o, dir)
		_, err := VerifyTiles(t.Context(), dir, nil, VerifyOptions{Post: []PostPublicKey{post}})
		wantCode(t, err, CodePost)
		_, err = Export(t.Context(), o.Dir, filepath.Join(t.TempDir(), "x"), []PublicKey{o.Key.Public()}, ExportOptions{Post: []PostPublicKey{post}})
		wantCode(t, err, CodePost)
		fill(t, l, 3)
	}
	// The segments themselves tell that it was a key of the log.
	if _, err := Verify(t.Context(), o.Dir, nil, VerifyOptions{Post: []PostPublicKey{post}}); err != nil {
		t.Error(err)
	}
	_, err := Verify(t.Context(), o.Dir, nil, VerifyOptions{Post: []PostPublicKey{ring.make(t)}})
	wantCode(t, err, CodePin)
	_, err = Verify(t.Context(), o.Dir, nil, VerifyOptions{Post: []PostPublicKey{nil}})
	wantCode(t, err, CodePin)
	// A key counts for one term.
	_, err = l.Rotate(t.Context(), newKey(t), post)
	wantCode(t, err, CodeTerm)
}

// TestPostHandOver: the ML-DSA-44 key signs its successor: who can forge Ed25519
// can't hand the log on to a key of his, or to none.
func TestPostHandOver(t *testing.T) {
	k0, k1, k2 := testKey(t), newKey(t), newKey(t)
	ring := postRing{}
	one, two := ring.make(t), ring.make(t)
	for name, x := range map[string]struct {
		post PostPublicKey
		by   *PostPrivateKey
		edit func(k *abi.LogKey)
		code abi.Code
	}{
		"by the rules":           {two, ring[string(one)], nil, ""},
		"given up":               {nil, ring[string(one)], nil, ""},
		"not signed":             {two, nil, nil, CodeTerm},
		"given up, not signed":   {nil, nil, nil, CodeTerm},
		"signed by its own":      {two, ring[string(two)], nil, CodeTerm},
		"cut":                    {two, ring[string(one)], func(k *abi.LogKey) { k.PostSig = k.PostSig[1:] }, CodeTerm},
		"flipped":                {two, ring[string(one)], func(k *abi.LogKey) { k.PostSig[99] ^= 1 }, CodeTerm},
		"to itself":              {one, ring[string(one)], nil, CodeTerm},
		"a key put in its place": {nil, ring[string(one)], func(k *abi.LogKey) { k.Post = two }, CodeTerm},
	} {
		f := newForger(t)
		f.genesis(k0)
		ts := terms{origin: f.name, list: make([]Term, 1)}
		f.batch(k0, ts.newLogKey(k0, k1, one, nil, f.c.tree.N, f.c.tree.Root(f.c.h)))
		ts.list = make([]Term, 2)
		k := ts.newLogKey(k1, k2, x.post, x.by, f.c.tree.N, f.c.tree.Root(f.c.h))
		if x.edit != nil {
			x.edit(k)
			msg := handOver(f.name, k, f.c.tree.N) // Ed25519 is forged
			k.Sig, k.Own = k1.Sign(handOverDomain, msg), k2.Sign(takeOverDomain, msg)
		}
		f.batch(k1, k)
		if _, err := Verify(t.Context(), f.log(), pins(k0), VerifyOptions{}); abi.CodeOf(err) != x.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A term that has none is not signed for.
	f := newForger(t)
	f.genesis(k0)
	ts := terms{origin: f.name, list: make([]Term, 1)}
	f.batch(k0, ts.newLogKey(k0, k1, one, ring[string(two)], f.c.tree.N, f.c.tree.Root(f.c.h)))
	wantVerify(t, f.log(), CodeTerm, k0)
	// Without the private key nothing is handed over, and the log goes on.
	o, l, kept, post, _ := postLog(t)
	held := kept[string(post)]
	delete(kept, string(post))
	_, err := l.Rotate(t.Context(), newKey(t), nil)
	wantCode(t, err, CodePostKey)
	fill(t, l, 1)
	kept[string(post)] = held
	if _, err := l.Rotate(context.Background(), newKey(t), nil); err != nil {
		t.Error(err)
	}
	mustVerify(t, o)
}

// TestPostLive: the tile folder of an open log has the signature as well.
func TestPostLive(t *testing.T) {
	o, l, _, post, _ := postLog(t)
	key := l.signer.Private()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	p := o
	p.Key, p.Keys, p.Tiles = key, []PublicKey{o.Key.Public()}, filepath.Join(t.TempDir(), "live")
	l = openLog(t, p)
	fill(t, l, 3)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := l.Tiles(); err != nil || n != l.Size() {
		t.Fatal(n, err)
	}
	if _, err := VerifyTiles(t.Context(), p.Tiles, nil, VerifyOptions{Post: []PostPublicKey{post}}); err != nil {
		t.Fatal(err)
	}
}
