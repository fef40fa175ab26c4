package policy

import (
	"encoding/binary"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
)

// Limits of policies.
const (
	// MaxText bounds a source, in bytes.
	MaxText = 1 << 20
	// MaxRules bounds the rules of a source, and of all sources of a program.
	MaxRules = 10_000
	// maxSources bounds the sources of a program.
	maxSources = 64
	// maxDepth bounds the nesting of brackets in a rule, maxOperators what makes
	// expressions deep or evaluation long, maxPath the parts of a type's name.
	// cedar-go recurses without a bound and would end the process.
	maxDepth     = 100
	maxOperators = 1000
	maxPath      = 8
)

// domain separates policy digests from others.
const domain = "forgeone/policy/v1"

// Digest names the sources: their number, names and texts, in order, each with
// its length before it (big-endian, 8 bytes).
func Digest(sources []Source) abi.Digest {
	h := seal.NewHash(domain)
	num := func(n int) {
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], uint64(n))
		_, _ = h.Write(b[:]) // never fails
	}
	num(len(sources))
	for _, s := range sources {
		num(len(s.Name))
		_, _ = h.Write([]byte(s.Name))
		num(len(s.Text))
		_, _ = h.Write(s.Text)
	}
	return h.Digest()
}
