package config

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/sys"
)

// trailer begins the last line of a signed configuration, a comment to YAML:
//
//	# forgeone-signature: KEYID SIGNATURE
//
// with the key's id in hexadecimal and the signature in base64.
const trailer = "# forgeone-signature: "

// maxTrailer is more than the last line ever has.
const maxTrailer = 256

const resign = "forgeone init --config FILE"

// Load reads the file at path, checks that node signed it, and parses it.
func Load(path string, node seal.PublicKey) (*Config, error) {
	b, err := read(path)
	if err != nil {
		return nil, err
	}
	text, signature := split(b)
	if signature == "" {
		return nil, &abi.Error{Code: abi.CodeCfgUnsigned, What: "the configuration is not signed", Where: lastLine(path, b), Hint: resign}
	}
	if !verify(text, signature, node) {
		return nil, &abi.Error{Code: abi.CodeCfgSignature, What: "the configuration was changed after it was signed, or is not signed by this node", Where: lastLine(path, b), Hint: resign}
	}
	return Parse(path, text)
}

// Write checks text and puts it, signed by key, in place of the file at path.
// A signature line that text ends in is replaced. After a crash the file is
// the old one or the new one.
func Write(path string, text []byte, key *seal.PrivateKey) (*Config, error) {
	c, err := Parse(path, text)
	if err != nil {
		return nil, err
	}
	if err := sys.WriteFile(path, Sign(text, key), 0o600); err != nil {
		return nil, &abi.Error{Code: abi.CodeCfgWrite, What: "the configuration can't be written", Where: path, Err: err}
	}
	return c, nil
}

// Sign returns text with its signature by key as the last line. It does not
// check the text.
func Sign(text []byte, key *seal.PrivateKey) []byte {
	text = canonical(text)
	sig := base64.StdEncoding.EncodeToString(key.Sign(domain, text))
	return fmt.Appendf(bytes.Clone(text), "%s%s %s\n", trailer, key.Public().ID().Hex(), sig)
}

// split cuts a signature line off the end of b; signature is "" when there is none.
func split(b []byte) (text []byte, signature string) {
	body := bytes.TrimSuffix(b, []byte("\n"))
	start := bytes.LastIndexByte(body, '\n') + 1
	if line := string(body[start:]); strings.HasPrefix(line, trailer) {
		return b[:start:start], string(b[start:])
	}
	return b, ""
}

// verify checks a whole signature line, which has one form only.
func verify(text []byte, line string, node seal.PublicKey) bool {
	id, enc, ok := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(line, trailer), "\n"), " ")
	if !ok || id != node.ID().Hex() {
		return false
	}
	sig, err := base64.StdEncoding.Strict().DecodeString(enc)
	if err != nil || line != trailer+id+" "+base64.StdEncoding.EncodeToString(sig)+"\n" {
		return false
	}
	return node.Verify(domain, text, sig)
}

func read(path string) ([]byte, error) {
	unreadable := func(err error) error {
		return &abi.Error{Code: abi.CodeCfgRead, What: "the configuration can't be read", Where: path, Hint: "forgeone doctor", Err: err}
	}
	if info, err := os.Stat(path); err != nil {
		return nil, unreadable(err)
	} else if !info.Mode().IsRegular() { // opening a FIFO would wait
		return nil, unreadable(errors.New("not a regular file"))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable(err)
	}
	defer f.Close() // only read from
	b, err := io.ReadAll(io.LimitReader(f, MaxSize+maxTrailer+1))
	if err != nil {
		return nil, unreadable(err)
	}
	if len(b) > MaxSize+maxTrailer {
		return nil, tooLarge(path)
	}
	return b, nil
}

func tooLarge(name string) error {
	return &abi.Error{Code: abi.CodeCfgSize, What: fmt.Sprintf("a configuration has at most %d bytes", MaxSize), Where: name}
}

// lastLine names the place of the signature.
func lastLine(path string, b []byte) string {
	return fmt.Sprintf("%s:%d", path, bytes.Count(bytes.TrimSuffix(b, []byte("\n")), []byte("\n"))+1)
}
