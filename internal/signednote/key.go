package signednote

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
)

// Codes of this package's errors; `forgeone explain` says what each means.
const (
	CodeNote        abi.Code = "F1-LOG-045"
	CodeCosignature abi.Code = "F1-LOG-046"
	CodeKey         abi.Code = "F1-LOG-047"
)

// Signature types of signed notes (C2SP signed-note) that this package knows.
const (
	SigLog     byte = 1 // Ed25519 over the text: a log
	SigWitness byte = 4 // Ed25519 with a time (C2SP tlog-cosignature): a witness
)

// Key is a verifier key of signed notes: whose signature, and of what type.
type Key struct {
	Name string // one word without "+"; of a log it is the origin
	Type byte   // SigLog or SigWitness
	Key  seal.PublicKey
}

// ParseKey reads the text form "name+hash+base64(type ‖ key)", with white
// space around it allowed. Keys of other types than the two known are refused
// with CodeKey.
func ParseKey(text string) (Key, error) {
	text = strings.TrimSpace(text)
	refuse := func(what string) (Key, error) {
		return Key{}, &abi.Error{Code: CodeKey, What: what, Where: clip(text), Hint: "forgeone log witness --help"}
	}
	part := strings.SplitN(text, "+", 3) // base64 may hold a plus
	if len(text) > MaxName+64 || len(part) != 3 || !ValidName(part[0]) {
		return refuse("a verifier key has the form name+hash+key")
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(part[2])
	if err != nil || len(raw) != 1+ed25519Bytes {
		return refuse("the verifier key is not of Ed25519: want 33 bytes in base64")
	}
	k := Key{part[0], raw[0], seal.PublicKey(raw[1:])}
	if k.Type != SigLog && k.Type != SigWitness {
		return refuse(fmt.Sprintf("verifier keys of signature type 0x%02x are not known here", k.Type))
	}
	if k.String() != text {
		return refuse("the hash in the verifier key is not of its name and key")
	}
	return k, nil
}

const ed25519Bytes = 32

// String returns the text form.
func (k Key) String() string {
	return fmt.Sprintf("%s+%08x+%s", k.Name, k.Hash(), base64.StdEncoding.EncodeToString(append([]byte{k.Type}, k.Key...)))
}

// Hash returns the key id: SHA-256(name ‖ "\n" ‖ type ‖ key)[:4].
func (k Key) Hash() uint32 {
	d := seal.SHA256([]byte(k.Name), []byte{'\n', k.Type}, k.Key)
	return binary.BigEndian.Uint32(d[:])
}

// clip shortens what was meant to be something else, for a message.
func clip(s string) string {
	if len(s) > 80 {
		return strings.ToValidUTF8(s[:80], "") + "…"
	}
	return s
}
