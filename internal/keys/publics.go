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
const maxPublics = 1 << 20

// LoadPublics reads a file of Ed25519 public keys, one a line; empty lines are
// passed over. There is at least one.
func LoadPublics(path string) ([]seal.PublicKey, error) {
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read from
	b, err := io.ReadAll(io.LimitReader(f, maxPublics+1))
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer clear(b)
	switch text := string(b); {
	case len(b) > maxPublics:
		return nil, &abi.Error{Code: abi.CodeKeyFormat, What: fmt.Sprintf("the file of public keys is larger than %d bytes", maxPublics), Where: path}
	case strings.Contains(text, "PRIVATE KEY"), strings.Contains(text, secretType):
		return nil, &abi.Error{Code: abi.CodeKeyPrivate, What: "this file holds a private key; public ones are wanted", Where: path}
	}
	var list []seal.PublicKey
	n := 0
	for line := range strings.Lines(string(b)) {
		n++
		if strings.TrimSpace(line) == "" {
			continue
		}
		p, err := seal.ParsePublic(line)
		if err != nil {
			return nil, &abi.Error{Code: abi.CodeKeyFormat, What: fmt.Sprintf("line %d is not a public key", n), Where: path, Err: err}
		}
		list = append(list, p)
	}
	if len(list) == 0 {
		return nil, &abi.Error{Code: abi.CodeKeyFormat, What: "there is no public key in the file", Where: path}
	}
	return list, nil
}
