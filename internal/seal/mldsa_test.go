package seal

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestPostSign(t *testing.T) {
	k, err := GeneratePost()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParsePost(MarshalPost(k))
	if err != nil {
		t.Fatal(err)
	}
	pub, err := ParsePostPublic(k.Public().String() + "\n")
	if err != nil {
		t.Fatal(err)
	}
	msg := []byte("message")
	sig := again.Sign("a", msg)
	if !pub.Verify("a", msg, sig) || !VerifyAs(MLDSA44, pub, "a", msg, sig) {
		t.Fatal("own signature refused")
	}
	if !bytes.Equal(sig, k.Sign("a", msg)) || len(sig) != PostSignatureSize {
		t.Error("the same message has another signature")
	}
	digest := Sum("a", msg)
	if pub.Verify("b", msg, sig) || pub.Verify("a", []byte("messagf"), sig) || pub.Verify("a", msg, sig[:len(sig)-1]) ||
		PostPublicKey(nil).Verify("a", msg, sig) || pub.VerifyRaw(digest[:], sig) || VerifyAs(Ed25519, pub, "a", msg, sig) || VerifyAs("", pub, "a", msg, sig) {
		t.Fatal("a signature verified that should not")
	}
	for i := range sig {
		bad := bytes.Clone(sig)
		if bad[i] ^= 1; i%97 == 0 && pub.Verify("a", msg, bad) {
			t.Fatalf("byte %d of the signature does not matter", i)
		}
	}
	if raw := k.SignRaw(msg); !pub.VerifyRaw(msg, raw) || pub.Verify("", msg, raw) {
		t.Error("signing messages as they are")
	}
	for _, shown := range []string{fmt.Sprint(k), fmt.Sprintf("%v %+v %#v", k, k, k)} {
		if !strings.Contains(shown, "hidden") {
			t.Errorf("a private key shows itself: %s", shown)
		}
	}
}

// TestAlgorithmsApart: a key is another one under another algorithm.
func TestAlgorithmsApart(t *testing.T) {
	ed, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	post, err := GeneratePost()
	if err != nil {
		t.Fatal(err)
	}
	if KeyID(Ed25519, ed.Public()) != ed.Public().ID() || KeyID(MLDSA44, ed.Public()) == ed.Public().ID() || post.Public().ID() == KeyID(Ed25519, post.Public()) {
		t.Error("ids do not depend on the algorithm")
	}
	if _, err := ParsePrivate(MarshalPost(post)); !errors.Is(err, ErrKey) {
		t.Errorf("ML-DSA seed as Ed25519: %v", err)
	}
	if _, err := ParsePost(MarshalPrivate(ed)); !errors.Is(err, ErrKey) {
		t.Errorf("Ed25519 seed as ML-DSA: %v", err)
	}
	text := string(MarshalPost(post))
	for _, s := range []string{"", text + "more", strings.Replace(text, "mldsa44", "mldsa65", 1), "-----BEGIN FORGEONE PRIVATE KEY-----\nAlgorithm: mldsa44\n\nAAAA\n-----END FORGEONE PRIVATE KEY-----\n"} {
		if _, err := ParsePost([]byte(s)); !errors.Is(err, ErrKey) {
			t.Errorf("ParsePost(%q) = %v", s, err)
		}
	}
	for _, k := range []struct {
		alg    string
		public []byte
	}{{Ed25519, ed.Public()}, {MLDSA44, post.Public()}} {
		alg, pub, err := ParseAnyPublic(FormatPublic(k.alg, k.public))
		if err != nil || alg != k.alg || !bytes.Equal(pub, k.public) || len(pub) != PublicSize(alg) {
			t.Errorf("%s reads as %s: %v", k.alg, alg, err)
		}
	}
	for _, s := range []string{"f1pub-mldsa44:AAAA", "f1pub-mldsa65:AAAA", PostPrefix + strings.TrimPrefix(ed.Public().String(), PublicPrefix), PublicPrefix + strings.TrimPrefix(post.Public().String(), PostPrefix)} {
		if _, _, err := ParseAnyPublic(s); !errors.Is(err, ErrKey) {
			t.Errorf("ParseAnyPublic(%q) = %v", s[:20], err)
		}
	}
}
