package evidence

import (
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/signednote"
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
	return NoteKey{Name: origin, Type: SigLog, Key: key}.String()
}

// Notes and checkpoints as witnesses and others exchange them.
type (
	// Checkpoint is a tree head with the signatures on it, of which none is checked.
	Checkpoint = signednote.Checkpoint
	// NoteSignature is a signature line of a note.
	NoteSignature = signednote.Signature
	// NoteKey is a verifier key of signed notes: whose signature, and of what type.
	NoteKey = signednote.Key
)

// Signature types of notes, and the bound of a checkpoint with its signatures.
const (
	SigLog        = signednote.SigLog
	SigWitness    = signednote.SigWitness
	MaxCheckpoint = signednote.MaxCheckpoint
)

// ParseCheckpoint reads a checkpoint strictly: Bytes gives b again. Anything else
// is refused with CodeNote.
func ParseCheckpoint(b []byte) (*Checkpoint, error) {
	c, err := signednote.Parse(b)
	if err != nil {
		return nil, &abi.Error{Code: CodeNote, What: "this is not a checkpoint", Err: err}
	}
	return c, nil
}

// ParseNoteKey reads a verifier key, "name+hash+base64(type ‖ key)", with white
// space around it allowed. Keys of other types than the two known are refused with
// CodeNoteKey.
func ParseNoteKey(text string) (NoteKey, error) { return signednote.ParseKey(text) }

// Cosign returns the line by which the witness name says that at that time c was
// the largest head of its log that it had seen, and was consistent with all
// before (C2SP tlog-cosignature, cosignature/v1). The caller has made sure of it.
func Cosign(key *PrivateKey, name string, at time.Time, c *Checkpoint) string {
	return signednote.Cosign(key, name, at, c)
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
	if len(lines) != 6 || lines[3] != "" || lines[5] != "" || !signednote.ValidName(lines[0]) {
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
