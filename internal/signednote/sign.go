package signednote

import (
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
)

// MaxTree bounds sizes of trees: package tlog counts in int64, and multiplies.
const MaxTree = 1 << 61

// MaxName bounds a name, in bytes.
const MaxName = 255

// ValidName tells whether s can name a log: it is the key name of a signed
// note, so it has no white space and no plus sign.
func ValidName(s string) bool {
	return s != "" && len(s) <= MaxName && utf8.ValidString(s) && !strings.Contains(s, "+") &&
		strings.IndexFunc(s, func(r rune) bool { return unicode.IsSpace(r) || r < 0x20 || r == 0x7f }) < 0
}

// AppendText appends the text that is signed (C2SP tlog-checkpoint).
func AppendText(dst []byte, origin string, size uint64, root abi.Digest) []byte {
	dst = append(append(dst, origin...), '\n')
	dst = append(strconv.AppendUint(dst, size, 10), '\n')
	dst = base64.StdEncoding.AppendEncode(dst, root[:])
	return append(dst, '\n')
}

// Signer signs the checkpoints of a log.
type Signer struct {
	log  Key
	hash uint32
	key  *seal.PrivateKey
}

// NewSigner returns the signer of the log origin.
func NewSigner(origin string, key *seal.PrivateKey) *Signer {
	k := Key{origin, SigLog, key.Public()}
	return &Signer{k, k.Hash(), key}
}

// Private is the key that signs.
func (s *Signer) Private() *seal.PrivateKey { return s.key }

// Note returns the note of a checkpoint's text.
func (s *Signer) Note(text []byte) ([]byte, error) {
	return note.Sign(&note.Note{Text: string(text)}, noteSigner{s})
}

// noteSigner implements note.Signer.
type noteSigner struct{ s *Signer }

func (n noteSigner) Name() string                    { return n.s.log.Name }
func (n noteSigner) KeyHash() uint32                 { return n.s.hash }
func (n noteSigner) Sign(msg []byte) ([]byte, error) { return n.s.key.SignRaw(msg), nil }

// noteVerifier implements note.Verifier.
type noteVerifier struct {
	k    Key
	hash uint32
}

func (v noteVerifier) Name() string                { return v.k.Name }
func (v noteVerifier) KeyHash() uint32             { return v.hash }
func (v noteVerifier) Verify(msg, sig []byte) bool { return v.k.Key.VerifyRaw(msg, sig) }

// Verifiers are keys of one log, any of which may have signed. The zero value
// verifies nothing.
type Verifiers struct{ list note.Verifiers }

// NewVerifiers returns the keys as verifiers of the log origin.
func NewVerifiers(origin string, keys ...seal.PublicKey) Verifiers {
	var list []note.Verifier
	seen := map[string]bool{}
	for _, k := range keys {
		if !seen[string(k)] {
			seen[string(k)] = true
			key := Key{origin, SigLog, k}
			list = append(list, noteVerifier{key, key.Hash()})
		}
	}
	return Verifiers{note.VerifierList(list...)}
}

// Open returns the text of the note n that one of the keys signed. Signatures by
// others are ignored, as C2SP signed-note wants it.
func (v Verifiers) Open(n []byte) (text string, err error) {
	opened, err := v.open(n)
	if err != nil {
		return "", err
	}
	return opened.Text, nil
}

// Alone checks that one of the keys signed the note n, and nobody else.
func (v Verifiers) Alone(n []byte) error {
	opened, err := v.open(n)
	if err == nil && (len(opened.Sigs) != 1 || len(opened.UnverifiedSigs) != 0) {
		err = errors.New("the commit does not have exactly one signature")
	}
	return err
}

func (v Verifiers) open(n []byte) (*note.Note, error) {
	if v.list == nil {
		return nil, errors.New("no key is known")
	}
	return note.Open(n, v.list)
}
