package evidence

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
)

// PublicKey is the Ed25519 key that verifies a log, 32 bytes.
type PublicKey = seal.PublicKey

// PrivateKey is the Ed25519 key that signs a log.
type PrivateKey = seal.PrivateKey

// ParsePublicKey reads the text form "f1pub-ed25519:<base64>".
func ParsePublicKey(text string) (PublicKey, error) { return seal.ParsePublic(text) }

// ParsePrivateKey reads the text of a private key's file.
func ParsePrivateKey(text []byte) (*PrivateKey, error) { return seal.ParsePrivate(text) }

// DefaultOrigin names the log of a node that was not given a name, by its first
// key.
func DefaultOrigin(key PublicKey) string {
	return localPrefix + key.ID().Hex()[:localDigits]
}

const (
	localPrefix = "forgeone.local/"
	localDigits = 16
)

// VerifierKey returns key in the form that note and checkpoint tools take,
// "<origin>+<hash>+<base64>" (C2SP signed-note).
func VerifierKey(origin string, key PublicKey) string {
	return fmt.Sprintf("%s+%08x+%s", origin, keyHash(origin, key), base64.StdEncoding.EncodeToString(append([]byte{noteEd25519}, key...)))
}

// noteEd25519 is the signature type of Ed25519 in signed notes.
const noteEd25519 = 1

// keyHash is the key id of C2SP signed-note: SHA-256(name ‖ "\n" ‖ type ‖ key)[:4].
func keyHash(name string, key PublicKey) uint32 {
	d := seal.SHA256([]byte(name), []byte{'\n', noteEd25519}, key)
	return binary.BigEndian.Uint32(d[:])
}

// appendCheckpoint appends the text that is signed (C2SP tlog-checkpoint).
func appendCheckpoint(dst []byte, origin string, size uint64, root abi.Digest) []byte {
	dst = append(append(dst, origin...), '\n')
	dst = append(strconv.AppendUint(dst, size, 10), '\n')
	dst = base64.StdEncoding.AppendEncode(dst, root[:])
	return append(dst, '\n')
}

// noteSigner lets package note sign with our key.
type noteSigner struct {
	origin string
	hash   uint32
	key    *seal.PrivateKey
}

func newSigner(origin string, key *seal.PrivateKey) *noteSigner {
	return &noteSigner{origin, keyHash(origin, key.Public()), key}
}

func (s *noteSigner) Name() string                    { return s.origin }
func (s *noteSigner) KeyHash() uint32                 { return s.hash }
func (s *noteSigner) Sign(msg []byte) ([]byte, error) { return s.key.SignRaw(msg), nil }

// sign returns the note of a checkpoint text.
func (s *noteSigner) sign(text []byte) ([]byte, error) {
	return note.Sign(&note.Note{Text: string(text)}, s)
}

// noteVerifier lets package note verify with one of our keys.
type noteVerifier struct {
	origin string
	hash   uint32
	key    PublicKey
}

func (v *noteVerifier) Name() string                { return v.origin }
func (v *noteVerifier) KeyHash() uint32             { return v.hash }
func (v *noteVerifier) Verify(msg, sig []byte) bool { return v.key.VerifyRaw(msg, sig) }

// newVerifiers returns the keys as verifiers of notes named origin.
func newVerifiers(origin string, keys []PublicKey) note.Verifiers {
	var list []note.Verifier
	seen := map[string]bool{}
	for _, k := range keys {
		if !seen[string(k)] {
			seen[string(k)] = true
			list = append(list, &noteVerifier{origin, keyHash(origin, k), k})
		}
	}
	return note.VerifierList(list...)
}

// verifyNote checks that one of the known keys signed the note n.
func verifyNote(n []byte, known note.Verifiers) error {
	opened, err := note.Open(n, known)
	if err != nil {
		return err
	}
	if len(opened.Sigs) != 1 || len(opened.UnverifiedSigs) != 0 {
		return errors.New("the commit does not have exactly one signature")
	}
	return nil
}

var errNote = errors.New("not a checkpoint with one signature")

// checkpoint is what a commit's body says. Its signature is not checked.
type checkpoint struct {
	text   string // what is signed
	origin string
	size   uint64
	root   abi.Digest
}

// parseNote reads a commit's body strictly: the bytes are the only encoding of
// what they say.
func parseNote(b []byte) (c checkpoint, err error) {
	if len(b) > maxNote {
		return c, errNote
	}
	lines := strings.Split(string(b), "\n")
	if len(lines) != 6 || lines[3] != "" || lines[5] != "" || !validOrigin(lines[0]) {
		return c, errNote
	}
	size, err := strconv.ParseUint(lines[1], 10, 64)
	if err != nil || strconv.FormatUint(size, 10) != lines[1] {
		return c, errNote
	}
	strict := base64.StdEncoding.Strict()
	root, err := strict.DecodeString(lines[2])
	if err != nil || len(root) != len(c.root) {
		return c, errNote
	}
	sig, ok := strings.CutPrefix(lines[4], "— "+lines[0]+" ")
	if raw, err := strict.DecodeString(sig); !ok || err != nil || len(raw) != 4+64 {
		return c, errNote
	}
	c = checkpoint{text: string(b[:strings.Index(string(b), "\n\n")+1]), origin: lines[0], size: size}
	copy(c.root[:], root)
	return c, nil
}
