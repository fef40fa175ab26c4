// Package seal is ForgeOne's only user of cryptography: domain-separated
// SHA3-256 digests, Ed25519 and ML-DSA-44 signatures, AES-GMAC tags, AES-256-GCM
// boxes and key wrapping. Everything here comes from Go's standard library,
// ML-DSA from filippo.io/mldsa; nothing is home-made but the domains.
package seal

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/subtle"
	"hash"

	"github.com/forgeone/forgeone/abi"
)

// Sum returns SHA3-256(len(domain) as one byte ‖ domain ‖ parts…). Parts are
// not delimited: callers give at most one part of free length, or lengths of
// their own. A domain has at most 255 bytes.
func Sum(domain string, parts ...[]byte) abi.Digest {
	h := NewHash(domain)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Digest()
}

// Hash is a running Sum. It is not safe for concurrent use.
type Hash struct{ s *sha3.SHA3 }

// NewHash begins a Sum of domain.
func NewHash(domain string) *Hash {
	if len(domain) > 255 {
		panic("seal: domain too long") // domains are constants of ours
	}
	h := &Hash{sha3.New256()}
	h.s.Write([]byte{byte(len(domain))})
	h.s.Write([]byte(domain))
	return h
}

// Write adds p. It never fails.
func (h *Hash) Write(p []byte) (int, error) { return h.s.Write(p) }

// Digest returns the digest of what was written so far.
func (h *Hash) Digest() (d abi.Digest) {
	h.s.Sum(d[:0])
	return d
}

// SHA256 returns the SHA-256 of the parts joined. It is for the evidence
// log's tree and for what other tools check; identities use Sum.
func SHA256(parts ...[]byte) (d [32]byte) {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p)
	}
	h.Sum(d[:0])
	return d
}

// NewSHA256 returns a running SHA-256.
func NewSHA256() hash.Hash { return sha256.New() }

// Authenticate returns HMAC-SHA256 of domain and data under key.
func Authenticate(key Key, domain string, data []byte) (t [32]byte) {
	m := NewAuthenticator(key, domain)
	m.Write(data)
	m.Sum(t[:0])
	return t
}

// NewAuthenticator returns a running Authenticate, for data that is streamed.
func NewAuthenticator(key Key, domain string) hash.Hash {
	m := hmac.New(sha256.New, key[:])
	m.Write([]byte{byte(len(domain))})
	m.Write([]byte(domain))
	return m
}

// Equal compares in constant time.
func Equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }

// Random fills p with random bytes of the operating system. It does not
// return when there are none: crypto/rand ends the process.
func Random(p []byte) {
	if _, err := rand.Read(p); err != nil {
		panic(err) // documented never to happen since Go 1.24
	}
}
