package seal

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/forgeone/forgeone/abi"
)

// Ed25519 is the algorithm's name in keyrings, packages and key ids.
const Ed25519 = "ed25519"

// PublicPrefix begins a public key in text form.
const PublicPrefix = "f1pub-ed25519:"

const (
	privateType = "FORGEONE PRIVATE KEY"
	keyIDDomain = "forgeone/key-id/v1"
)

// ErrKey says that a key's text form could not be read.
var ErrKey = errors.New("not a ForgeOne key")

// PublicKey is an Ed25519 public key of 32 bytes.
type PublicKey []byte

// PrivateKey is an Ed25519 private key. Its String and format verbs show
// nothing of it.
type PrivateKey struct{ k ed25519.PrivateKey }

// String hides the key.
func (*PrivateKey) String() string { return "private key (hidden)" }

// GoString hides the key.
func (*PrivateKey) GoString() string { return "private key (hidden)" }

// GenerateKey makes a new key from the system's randomness.
func GenerateKey() (*PrivateKey, error) {
	_, k, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, err
	}
	return &PrivateKey{k}, nil
}

// Public returns the public half.
func (p *PrivateKey) Public() PublicKey {
	return PublicKey(p.k.Public().(ed25519.PublicKey))
}

// Sign signs Sum(domain, msg), so that no signature made for one purpose
// serves another.
func (p *PrivateKey) Sign(domain string, msg []byte) []byte {
	d := Sum(domain, msg)
	return ed25519.Sign(p.k, d[:])
}

// SignRaw signs msg itself, as signed notes (C2SP signed-note) want it.
func (p *PrivateKey) SignRaw(msg []byte) []byte { return ed25519.Sign(p.k, msg) }

// MarshalPrivate returns the text form of p, to be kept in a 0600 file.
func MarshalPrivate(p *PrivateKey) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: privateType, Headers: map[string]string{"Algorithm": Ed25519}, Bytes: p.k.Seed()})
}

// ParsePrivate reads what MarshalPrivate wrote.
func ParsePrivate(b []byte) (*PrivateKey, error) {
	blk, rest := pem.Decode(b)
	if blk == nil || blk.Type != privateType || blk.Headers["Algorithm"] != Ed25519 ||
		len(blk.Bytes) != ed25519.SeedSize || len(strings.TrimSpace(string(rest))) > 0 {
		return nil, fmt.Errorf("%w: want one block %q", ErrKey, privateType)
	}
	return &PrivateKey{ed25519.NewKeyFromSeed(blk.Bytes)}, nil
}

// ID returns the key's id: Sum over the algorithm's name, a zero byte, and the key.
func (p PublicKey) ID() abi.Digest { return KeyID(Ed25519, p) }

// Verify checks what Sign made. A key of a wrong length verifies nothing.
func (p PublicKey) Verify(domain string, msg, sig []byte) bool {
	d := Sum(domain, msg)
	return p.VerifyRaw(d[:], sig)
}

// VerifyRaw checks what SignRaw made.
func (p PublicKey) VerifyRaw(msg, sig []byte) bool {
	return len(p) == ed25519.PublicKeySize && len(sig) == ed25519.SignatureSize && ed25519.Verify(ed25519.PublicKey(p), msg, sig)
}

// String returns the text form: PublicPrefix and standard base64.
func (p PublicKey) String() string { return PublicPrefix + base64.StdEncoding.EncodeToString(p) }

// ParsePublic reads the text form, with white space around it allowed.
func ParsePublic(s string) (PublicKey, error) {
	b, err := parsePublic(s, PublicPrefix, ed25519.PublicKeySize)
	return PublicKey(b), err
}
