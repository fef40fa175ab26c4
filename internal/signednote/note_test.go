package signednote

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
	"golang.org/x/mod/sumdb/note"
)

// signedHead returns a signed checkpoint of size records.
func signedHead(t testing.TB, key *seal.PrivateKey, origin string, size uint64, root abi.Digest) *Checkpoint {
	t.Helper()
	n, err := NewSigner(origin, key).Note(AppendText(nil, origin, size, root))
	if err != nil {
		t.Fatal(err)
	}
	return parsed(t, n)
}

func parsed(t testing.TB, b []byte) *Checkpoint {
	t.Helper()
	c, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// cosign adds the cosignature of a witness.
func cosign(t testing.TB, c *Checkpoint, key *seal.PrivateKey, name string, at int64) Key {
	t.Helper()
	k := Key{name, SigWitness, key.Public()}
	if n, err := c.Add([]byte(Cosign(key, name, time.Unix(at, 0), c)), k); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	return k
}

// cosigVerifier is how the specification says it, written without our code.
type cosigVerifier struct{ k Key }

func (v cosigVerifier) Name() string    { return v.k.Name }
func (v cosigVerifier) KeyHash() uint32 { return v.k.Hash() }
func (v cosigVerifier) Verify(msg, sig []byte) bool {
	return len(sig) == 72 && v.k.Key.VerifyRaw([]byte(fmt.Sprintf("cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(sig), msg)), sig[8:])
}

func TestCosignatureIsANote(t *testing.T) {
	log, wit := newKey(t), newKey(t)
	c := signedHead(t, log, "example.com/log", 7, abi.Digest{1})
	k := cosign(t, c, wit, "w.example/1", 1700000000)
	lv, err := note.NewVerifier(Key{"example.com/log", SigLog, log.Public()}.String())
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Open(c.Bytes(), note.VerifierList(lv, cosigVerifier{k}))
	if err != nil || len(n.Sigs) != 2 || len(n.UnverifiedSigs) != 0 {
		t.Fatalf("%+v %v", n, err)
	}
	at, ok, err := c.SignedBy(k)
	if !ok || err != nil || at.Unix() != 1700000000 {
		t.Error(at, ok, err)
	}
	if _, ok, err := c.SignedBy(Key{"example.com/log", SigLog, log.Public()}); !ok || err != nil {
		t.Error(ok, err)
	}
	if again := parsed(t, c.Bytes()); !bytes.Equal(again.Bytes(), c.Bytes()) {
		t.Error("the note changes when read")
	}
}

// TestCosignatureAttacks: what is edited is refused, what is unknown does not count.
func TestCosignatureAttacks(t *testing.T) {
	log, wit, other := newKey(t), newKey(t), newKey(t)
	c := signedHead(t, log, "example.com/log", 7, abi.Digest{1})
	k := cosign(t, c, wit, "w.example/1", 1700000000)
	whole := c.Bytes()
	if _, ok, err := c.SignedBy(Key{"w.example/1", SigWitness, other.Public()}); ok || err != nil {
		t.Error("another key of that name counts", err)
	}
	if _, ok, _ := c.SignedBy(Key{"w.example/2", SigWitness, wit.Public()}); ok {
		t.Error("the key counts by another name")
	}
	if _, ok, _ := c.SignedBy(Key{"w.example/1", SigLog, wit.Public()}); ok {
		t.Error("a cosignature counts as a log's signature")
	}
	for i := range whole {
		for _, flip := range []byte{1, 0x20, 0x80} {
			b := bytes.Clone(whole)
			b[i] ^= flip
			got, err := Parse(b)
			if err != nil {
				continue
			}
			// Either the signature is seen to be wrong, or it is not k's any more; or
			// only the log's own line was touched.
			if _, ok, err := got.SignedBy(k); ok && err == nil && !bytes.Equal(got.Text, c.Text) {
				t.Fatalf("byte %d: the cosignature holds for %q", i, got.Text)
			}
		}
	}
	// The time is signed too.
	edited := parsed(t, whole)
	edited.Sigs[1].Sig[7]++
	if _, _, err := edited.SignedBy(k); abi.CodeOf(err) != CodeCosignature {
		t.Error("an edited time:", err)
	}
	// A replayed line of another checkpoint is not taken in.
	next := signedHead(t, log, "example.com/log", 8, abi.Digest{2})
	if n, err := next.Add([]byte(c.Sigs[1].Line()), k); n != 0 || err != nil || len(next.Sigs) != 1 {
		t.Error("replayed:", n, err)
	}
	// A time past the year 9999.
	far := parsed(t, whole)
	line := Cosign(wit, k.Name, time.Unix(maxTime+1, 0), far)
	if n, _ := far.Add([]byte(line), k); n != 0 {
		t.Error("a time without a text form is taken")
	}
}

func TestKeys(t *testing.T) {
	key := newKey(t).Public()
	for _, typ := range []byte{SigLog, SigWitness} {
		k := Key{"w.example/1", typ, key}
		got, err := ParseKey(" " + k.String() + "\n")
		if err != nil || got.String() != k.String() {
			t.Error(got, err)
		}
	}
	good := Key{"w.example/1", SigWitness, key}.String()
	for _, bad := range []string{
		"", "x", "w.example/1+00000000", strings.Replace(good, "w.", "v.", 1), strings.ToUpper(good), good + "A", "w x" + good,
		Key{"w.example/1", 6, key}.String(), Key{"", SigWitness, key}.String(), Key{"w", SigWitness, key[:31]}.String(),
		strings.Repeat("a", 400), Key{strings.Repeat("a", 256), SigWitness, key}.String(),
	} {
		if k, err := ParseKey(bad); abi.CodeOf(err) != CodeKey {
			t.Errorf("%q is %v: %v", bad, k, err)
		}
	}
}

func TestCheckpointIsStrict(t *testing.T) {
	good := string(signedHead(t, newKey(t), "o", 5, abi.Digest{3}).Bytes())
	sig := good[strings.Index(good, "—"):]
	root := base64.StdEncoding.EncodeToString(make([]byte, 32))
	for _, ok := range []string{good, strings.Replace(good, "\n\n", "\nextension\n\n", 1), good + sig} {
		if c, err := Parse([]byte(ok)); err != nil || string(c.Bytes()) != ok {
			t.Errorf("%q: %v", ok, err)
		}
	}
	for _, bad := range []string{
		"", "\n\n", good[:len(good)-1], good + "\n", "\n" + good, strings.ReplaceAll(good, "\n", "\r\n"), strings.TrimSuffix(good, sig),
		strings.Replace(good, "\n5\n", "\n05\n", 1), strings.Replace(good, "\n5\n", "\n-5\n", 1), strings.Replace(good, "\n5\n", "\n2305843009213693953\n", 1),
		"o\n5\n" + root[:43] + "\n\n" + sig, "o\n5\n\n" + sig, "o o\n5\n" + root + "\n\n" + sig, "o+\n5\n" + root + "\n\n" + sig,
		strings.Replace(good, "— o ", "- o ", 1), strings.Replace(good, "— o ", "— o  ", 1), strings.Replace(good, "— o ", "—  ", 1),
		strings.Replace(good, "\n\n", "\n\x01\n\n", 1), strings.Replace(good, "\n\n", "\n\xff\n\n", 1), "o\n5\n" + root + "\n\n— o AAAA\n",
		good + strings.Repeat(sig, maxSignatures), good + strings.Repeat("x", MaxCheckpoint),
	} {
		if c, err := Parse([]byte(bad)); err == nil {
			t.Errorf("%.200q is %+v: %v", bad, c, err)
		}
	}
}

func FuzzCheckpoint(f *testing.F) {
	c := signedHead(f, newKey(f), "example.com/log", 7, abi.Digest{1})
	f.Add(c.Bytes())
	k := cosign(f, c, newKey(f), "w.example/1", 1700000000)
	f.Add(c.Bytes())
	f.Add([]byte("o\n0\n\n\n— o AAAAAAA=\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Parse(b)
		if err != nil {
			return
		}
		if !bytes.Equal(c.Bytes(), b) {
			t.Fatalf("%q reads as %q", b, c.Bytes())
		}
		_, _, _ = c.SignedBy(k)
		_, _ = c.Add(b, k)
	})
}

func FuzzKey(f *testing.F) {
	f.Add(Key{"w.example/1", SigWitness, newKey(f).Public()}.String())
	f.Add("a+00000000+AAAA")
	f.Fuzz(func(t *testing.T, s string) {
		if k, err := ParseKey(s); err == nil && k.String() != strings.TrimSpace(s) {
			t.Fatalf("%q reads as %q", s, k)
		}
	})
}

func newKey(t testing.TB) *seal.PrivateKey {
	t.Helper()
	k, err := seal.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}
