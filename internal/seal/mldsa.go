package seal

import (
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strings"

	"filippo.io/mldsa"

	"github.com/forgeone/forgeone/abi"
)

// MLDSA44 is the name of ML-DSA-44 (FIPS 204) in keyrings, packages and key ids.
const MLDSA44 = "mldsa44"

// PostPrefix begins a post-quantum public key in text form.
const PostPrefix = "f1pub-mldsa44:"

// Sizes of ML-DSA-44, in bytes.
const (
	PostPublicSize    = mldsa.MLDSA44PublicKeySize
	PostSignatureSize = mldsa.MLDSA44SignatureSize
)

// PostPublicKey is an ML-DSA-44 public key of PostPublicSize bytes.
type PostPublicKey []byte

// PostPrivateKey is an ML-DSA-44 private key. Its String and format verbs show
// nothing of it.
type PostPrivateKey struct{ k *mldsa.PrivateKey }

// String hides the key.
func (*PostPrivateKey) String() string { return "private key (hidden)" }

// GoString hides the key.
func (*PostPrivateKey) GoString() string { return "private key (hidden)" }

// GeneratePost makes a new key from the system's randomness.
func GeneratePost() (*PostPrivateKey, error) {
	k, err := mldsa.GenerateKey(mldsa.MLDSA44())
	if err != nil {
		return nil, err
	}
	return &PostPrivateKey{k}, nil
}

// Public returns the public half.
func (p *PostPrivateKey) Public() PostPublicKey { return p.k.PublicKey().Bytes() }

// Sign signs Sum(domain, msg), with the domain as the context string of FIPS
// 204 too. The same message has the same signature.
func (p *PostPrivateKey) Sign(domain string, msg []byte) []byte {
	d := Sum(domain, msg)
	return p.SignContext(domain, d[:])
}

// SignRaw signs msg itself with an empty context, as C2SP cosignatures want it.
func (p *PostPrivateKey) SignRaw(msg []byte) []byte { return p.SignContext("", msg) }

// SignContext signs msg itself with a context of at most 255 bytes.
func (p *PostPrivateKey) SignContext(context string, msg []byte) []byte {
	sig, err := p.k.SignDeterministic(msg, &mldsa.Options{Context: context})
	if err != nil {
		panic(err) // only for a context over 255 bytes, and domains are shorter
	}
	return sig
}

// MarshalPost returns the text form of p, to be kept in a 0600 file.
func MarshalPost(p *PostPrivateKey) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: privateType, Headers: map[string]string{"Algorithm": MLDSA44}, Bytes: p.k.Bytes()})
}

// ParsePost reads what MarshalPost wrote.
func ParsePost(b []byte) (*PostPrivateKey, error) {
	blk, rest := pem.Decode(b)
	if blk == nil || blk.Type != privateType || blk.Headers["Algorithm"] != MLDSA44 || len(strings.TrimSpace(string(rest))) > 0 {
		return nil, fmt.Errorf("%w: want one block %q of algorithm %s", ErrKey, privateType, MLDSA44)
	}
	k, err := mldsa.NewPrivateKey(mldsa.MLDSA44(), blk.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return &PostPrivateKey{k}, nil
}

// ID returns the key's id: Sum over the algorithm's name, a zero byte, and the key.
func (p PostPublicKey) ID() abi.Digest { return KeyID(MLDSA44, p) }

// Verify checks what Sign made. A key of a wrong length verifies nothing.
func (p PostPublicKey) Verify(domain string, msg, sig []byte) bool {
	d := Sum(domain, msg)
	return p.verify(domain, d[:], sig)
}

// VerifyRaw checks what SignRaw made.
func (p PostPublicKey) VerifyRaw(msg, sig []byte) bool { return p.verify("", msg, sig) }

func (p PostPublicKey) verify(context string, msg, sig []byte) bool {
	k, err := mldsa.NewPublicKey(mldsa.MLDSA44(), p)
	return err == nil && mldsa.Verify(k, msg, sig, &mldsa.Options{Context: context}) == nil
}

// String returns the text form: PostPrefix and standard base64.
func (p PostPublicKey) String() string { return PostPrefix + base64.StdEncoding.EncodeToString(p) }

// ParsePostPublic reads the text form, with white space around it allowed.
func ParsePostPublic(s string) (PostPublicKey, error) {
	b, err := parsePublic(s, PostPrefix, PostPublicSize)
	return PostPublicKey(b), err
}
