package seal

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/forgeone/forgeone/abi"
)

// PublicSize returns the length of public keys of the algorithm in bytes, 0 for
// an unknown one.
func PublicSize(alg string) int {
	switch alg {
	case Ed25519:
		return 32
	case MLDSA44:
		return PostPublicSize
	}
	return 0
}

// SignatureSize returns the length of signatures of the algorithm in bytes, 0
// for an unknown one.
func SignatureSize(alg string) int {
	switch alg {
	case Ed25519:
		return 64
	case MLDSA44:
		return PostSignatureSize
	}
	return 0
}

// KeyID returns the id of a public key: Sum over the algorithm's name, a zero
// byte, and the key. So a key has another id under another algorithm.
func KeyID(alg string, public []byte) abi.Digest {
	return Sum(keyIDDomain, []byte(alg), []byte{0}, public)
}

// VerifyAs checks a signature that a key of the algorithm made with Sign. An
// unknown algorithm, or a key of a wrong length, verifies nothing.
func VerifyAs(alg string, public []byte, domain string, msg, sig []byte) bool {
	switch alg {
	case Ed25519:
		return PublicKey(public).Verify(domain, msg, sig)
	case MLDSA44:
		return PostPublicKey(public).Verify(domain, msg, sig)
	}
	return false
}

// FormatPublic returns the text form of a key of either algorithm.
func FormatPublic(alg string, public []byte) string {
	if alg == MLDSA44 {
		return PostPublicKey(public).String()
	}
	return PublicKey(public).String()
}

// ParseAnyPublic reads the text form of a public key of either algorithm, which
// its prefix names.
func ParseAnyPublic(s string) (alg string, public []byte, err error) {
	if strings.HasPrefix(strings.TrimSpace(s), PostPrefix) {
		public, err = ParsePostPublic(s)
		return MLDSA44, public, err
	}
	public, err = ParsePublic(s)
	return Ed25519, public, err
}

// parsePublic reads a prefix and size bytes in base64.
func parsePublic(s, prefix string, size int) ([]byte, error) {
	enc, ok := strings.CutPrefix(strings.TrimSpace(s), prefix)
	if !ok {
		return nil, fmt.Errorf("%w: want %q and base64", ErrKey, prefix)
	}
	b, err := base64.StdEncoding.Strict().DecodeString(enc)
	if err != nil || len(b) != size {
		return nil, fmt.Errorf("%w: want %d bytes in base64", ErrKey, size)
	}
	return b, nil
}
