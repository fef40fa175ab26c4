package keys

import (
	"fmt"
	"io"
	"strings"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
)

// maxPublics bounds a file of public keys, in bytes: there is room for one of each
// term that a log may have.
const maxPublics = 4 << 20

// Publics are public keys of a log.
type Publics struct {
	Ed25519 []seal.PublicKey
	Post    []seal.PostPublicKey // ML-DSA-44
}

// ParsePublics reads a public key of either algorithm.
func ParsePublics(text string) (p Publics, err error) {
	alg, public, err := seal.ParseAnyPublic(text)
	switch {
	case err != nil:
	case alg == seal.MLDSA44:
		p.Post = []seal.PostPublicKey{public}
	default:
		p.Ed25519 = []seal.PublicKey{public}
	}
	return p, err
}

// Add adds the keys of o.
func (p *Publics) Add(o Publics) {
	p.Ed25519, p.Post = append(p.Ed25519, o.Ed25519...), append(p.Post, o.Post...)
}

// LoadPublics reads a file of public keys, one a line; empty lines are passed
// over. There is at least one.
func LoadPublics(path string) (list Publics, err error) {
	f, err := open(path)
	if err != nil {
		return list, err
	}
	defer f.Close() // only read from
	b, err := io.ReadAll(io.LimitReader(f, maxPublics+1))
	if err != nil {
		return list, unreadable(path, err)
	}
	defer clear(b)
	switch text := string(b); {
	case len(b) > maxPublics:
		return Publics{}, &abi.Error{Code: abi.CodeKeyFormat, What: fmt.Sprintf("the file of public keys is larger than %d bytes", maxPublics), Where: path}
	case strings.Contains(text, "PRIVATE KEY"), strings.Contains(text, secretType):
		return Publics{}, &abi.Error{Code: abi.CodeKeyPrivate, What: "this file holds a private key; public ones are wanted", Where: path}
	}
	n := 0
	for line := range strings.Lines(string(b)) {
		n++
		if strings.TrimSpace(line) == "" {
			continue
		}
		p, err := ParsePublics(line)
		if err != nil {
			return Publics{}, &abi.Error{Code: abi.CodeKeyFormat, What: fmt.Sprintf("line %d is not a public key", n), Where: path, Err: err}
		}
		list.Add(p)
	}
	if len(list.Ed25519)+len(list.Post) == 0 {
		return Publics{}, &abi.Error{Code: abi.CodeKeyFormat, What: "there is no public key in the file", Where: path}
	}
	return list, nil
}
