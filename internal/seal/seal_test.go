package seal

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// Vectors computed once with an independent implementation (Python's hashlib
// and hmac); docs/FORMATS.md shows them.
func TestVectors(t *testing.T) {
	if got, want := Sum("forgeone/test/v1", []byte("abc")).Hex(), "7a1331f968c86d0288e4d44d50d507064e058be69011cdfad293060ea7915648"; got != want {
		t.Errorf("Sum = %s, want %s", got, want)
	}
	pub := PublicKey(bytes.Repeat([]byte{7}, 32))
	if got, want := pub.ID().Hex(), "4b2cd6b8df18d6dbfb5a27b393f09f9c2315a927fa23dd334f1c559e2ba79063"; got != want {
		t.Errorf("ID = %s, want %s", got, want)
	}
	k := Key(bytes.Repeat([]byte{1}, 32))
	tag := Authenticate(k, "forgeone/test/v1", []byte("abc"))
	if got, want := hex.EncodeToString(tag[:]), "28417b3b434e6a5337a36d39504a5e81e1b62123cc64c9a7918ede2635a81c3c"; got != want {
		t.Errorf("Authenticate = %s, want %s", got, want)
	}
}

func TestSign(t *testing.T) {
	k, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParsePrivate(MarshalPrivate(k))
	if err != nil {
		t.Fatal(err)
	}
	pub, err := ParsePublic(k.Public().String() + "\n")
	if err != nil {
		t.Fatal(err)
	}
	msg := []byte("message")
	sig := again.Sign("a", msg)
	if !pub.Verify("a", msg, sig) {
		t.Fatal("own signature refused")
	}
	if pub.Verify("b", msg, sig) || pub.Verify("a", []byte("messagf"), sig) || pub.Verify("a", msg, sig[:63]) || PublicKey(nil).Verify("a", msg, sig) {
		t.Fatal("a signature verified that should not")
	}
	for _, shown := range []string{fmt.Sprint(k), fmt.Sprintf("%v %+v %#v", k, k, k), fmt.Sprint(NewKey())} {
		if !strings.Contains(shown, "hidden") {
			t.Errorf("a private key shows itself: %s", shown)
		}
	}
}

func TestParseKeys(t *testing.T) {
	k, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	text := string(MarshalPrivate(k))
	for _, s := range []string{"", "x", text + "more", strings.Replace(text, "ed25519", "rsa", 1), strings.Replace(text, "FORGEONE", "OTHER", 2)} {
		if _, err := ParsePrivate([]byte(s)); !errors.Is(err, ErrKey) {
			t.Errorf("ParsePrivate(%q) = %v", s, err)
		}
	}
	for _, s := range []string{"", "f1pub-ed25519:", "f1pub-ed25519:AAAA", "f1pub-ed25519:!", k.Public().String() + "A", k.Public().String()[1:]} {
		if _, err := ParsePublic(s); !errors.Is(err, ErrKey) {
			t.Errorf("ParsePublic(%q) = %v", s, err)
		}
	}
}

func FuzzParsePublic(f *testing.F) {
	f.Add("f1pub-ed25519:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := ParsePublic(s); err == nil && p.String() != strings.TrimSpace(s) {
			t.Fatalf("%q reads as %s", s, p)
		}
	})
}

func TestBox(t *testing.T) {
	k := NewKey()
	b := NewBox(k)
	sealed := b.Seal(nil, 7, []byte("ad"), []byte("plain"))
	if got, err := b.Open(nil, 7, []byte("ad"), sealed); err != nil || string(got) != "plain" {
		t.Fatalf("Open = %q, %v", got, err)
	}
	if _, err := b.Open(nil, 8, []byte("ad"), sealed); !errors.Is(err, ErrOpen) {
		t.Error("opened under another number")
	}
	if _, err := b.Open(nil, 7, []byte("aD"), sealed); !errors.Is(err, ErrOpen) {
		t.Error("opened with other data")
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if _, err := b.Open(nil, 7, []byte("ad"), bad); !errors.Is(err, ErrOpen) {
			t.Errorf("opened with byte %d flipped", i)
		}
	}
	w := Wrap(k, NewKey())
	if _, err := Unwrap(NewKey(), w); !errors.Is(err, ErrOpen) {
		t.Error("unwrapped under another key")
	}
	if _, err := Unwrap(k, w[1:]); !errors.Is(err, ErrOpen) {
		t.Error("unwrapped a short one")
	}
}

func TestMAC(t *testing.T) {
	k := NewKey()
	m := NewMAC(k)
	a := m.Tag(1, 0, []byte("x"))
	if a != NewMAC(k).Tag(1, 0, []byte("x")) {
		t.Error("not deterministic")
	}
	for i, b := range [][16]byte{m.Tag(2, 0, []byte("x")), m.Tag(1, 1, []byte("x")), m.Tag(1, 0, []byte("y")), NewMAC(NewKey()).Tag(1, 0, []byte("x"))} {
		if a == b {
			t.Errorf("case %d: same tag", i)
		}
	}
	data := make([]byte, 64)
	if n := testing.AllocsPerRun(100, func() { m.Tag(9, 0, data) }); n != 0 {
		t.Errorf("%v allocations a tag", n)
	}
}

func BenchmarkTag64(b *testing.B) {
	m, data := NewMAC(NewKey()), make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		m.Tag(1, 0, data)
	}
}
