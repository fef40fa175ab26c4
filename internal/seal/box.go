package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrOpen says that sealed bytes do not open: damaged, foreign or another key.
var ErrOpen = errors.New("does not authenticate under this key")

// Key is a symmetric key of 256 bits. Its String shows nothing of it.
type Key [32]byte

// String hides the key.
func (Key) String() string { return "key (hidden)" }

// GoString hides the key.
func (Key) GoString() string { return "key (hidden)" }

// NewKey makes a key from the system's randomness.
func NewKey() (k Key) {
	Random(k[:])
	return k
}

// Derive returns an independent key for the purpose label (HKDF-SHA256, RFC 5869).
func (k Key) Derive(label string) (d Key) {
	b, err := hkdf.Expand(sha256.New, k[:], label, len(d))
	if err != nil {
		panic(err) // 32 bytes are always to be had
	}
	copy(d[:], b)
	return d
}

func newGCM(k Key) cipher.AEAD {
	blk, err := aes.NewCipher(k[:])
	if err != nil {
		panic(err) // the key's length is right
	}
	g, err := cipher.NewGCM(blk)
	if err != nil {
		panic(err)
	}
	return g
}

// Box seals and opens numbered messages with AES-256-GCM. The number is the
// nonce: under one key a number may seal one message only. Safe for
// concurrent use.
type Box struct{ g cipher.AEAD }

// BoxOverhead is what Seal adds, in bytes.
const BoxOverhead = 16

// NewBox returns a Box of key k.
func NewBox(k Key) *Box { return &Box{newGCM(k)} }

func nonce(n uint64) (b [12]byte) {
	binary.BigEndian.PutUint64(b[4:], n)
	return b
}

// Seal appends to dst message number n, sealed together with ad.
func (b *Box) Seal(dst []byte, n uint64, ad, plain []byte) []byte {
	no := nonce(n)
	return b.g.Seal(dst, no[:], plain, ad)
}

// Open appends to dst what Seal sealed, or says ErrOpen.
func (b *Box) Open(dst []byte, n uint64, ad, sealed []byte) ([]byte, error) {
	no := nonce(n)
	out, err := b.g.Open(dst, no[:], sealed, ad)
	if err != nil {
		return nil, ErrOpen
	}
	return out, nil
}

const wrapDomain = "forgeone/wrap/v1"

// WrapSize is the length of a wrapped key.
const WrapSize = 12 + 32 + BoxOverhead

// Wrap seals k under kek with a random nonce; a kek wraps far fewer than 2^32 keys.
func Wrap(kek, k Key) []byte {
	g := newGCM(kek.Derive(wrapDomain))
	out := make([]byte, 12, WrapSize)
	Random(out)
	return g.Seal(out, out, k[:], []byte(wrapDomain))
}

// Unwrap opens what Wrap made.
func Unwrap(kek Key, b []byte) (k Key, err error) {
	if len(b) != WrapSize {
		return k, fmt.Errorf("wrapped key has %d bytes, not %d: %w", len(b), WrapSize, ErrOpen)
	}
	p, err := newGCM(kek.Derive(wrapDomain)).Open(nil, b[:12], b[12:], []byte(wrapDomain))
	if err != nil {
		return k, ErrOpen
	}
	copy(k[:], p)
	return k, nil
}

// MAC makes AES-GMAC tags (NIST SP 800-38D) without allocating. The nonce is
// (index, buffer): under one key a pair may tag one message only, so a MAC has
// a key of its own. Not safe for concurrent use.
type MAC struct {
	g     cipher.AEAD
	nonce [12]byte
	tag   [16]byte
}

// NewMAC returns a MAC of key k.
func NewMAC(k Key) *MAC { return &MAC{g: newGCM(k)} }

// Tag returns the tag of data under the nonce (index, buffer).
func (m *MAC) Tag(index uint64, buffer uint32, data []byte) [16]byte {
	binary.BigEndian.PutUint64(m.nonce[:8], index)
	binary.BigEndian.PutUint32(m.nonce[8:], buffer)
	m.g.Seal(m.tag[:0], m.nonce[:], nil, data)
	return m.tag
}
