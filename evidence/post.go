package evidence

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/signednote"
)

// PostPublicKey is the ML-DSA-44 key (FIPS 204) by which a term's published
// checkpoints are verified beside the Ed25519 one.
type PostPublicKey = seal.PostPublicKey

// PostPrivateKey is the ML-DSA-44 key that signs published checkpoints of a term.
type PostPrivateKey = seal.PostPrivateKey

// ParsePostPublicKey reads the text form "f1pub-mldsa44:<base64>".
func ParsePostPublicKey(text string) (PostPublicKey, error) { return seal.ParsePostPublic(text) }

// PostKeys returns the private half of an ML-DSA-44 key of the log. It must not
// use the log. An error says that it is not here.
type PostKeys func(public PostPublicKey) (*PostPrivateKey, error)

// SigPost is the signature type of ML-DSA-44 in signed notes (C2SP
// tlog-cosignature).
const SigPost byte = 6

const (
	// postLabel begins what is signed, and keeps it apart from anything else.
	postLabel = "subtree/v1\n\x00"
	// postSize is a line's signature: a time, and what ML-DSA-44 makes.
	postSize = 8 + seal.PostSignatureSize
)

// postHash is the key id of C2SP tlog-cosignature.
func postHash(origin string, key PostPublicKey) uint32 {
	d := seal.SHA256([]byte(origin), []byte{'\n', SigPost}, key)
	return binary.BigEndian.Uint32(d[:])
}

// PostVerifierKey returns key in the form of VerifierKey, of type SigPost.
func PostVerifierKey(origin string, key PostPublicKey) string {
	return fmt.Sprintf("%s+%08x+%s", origin, postHash(origin, key), base64.StdEncoding.EncodeToString(append([]byte{SigPost}, key...)))
}

// postMessage is what the ML-DSA-44 key of the log origin signs: the struct
// cosigned_message of C2SP tlog-cosignature, over the tree's first size records.
func postMessage(origin string, at, size uint64, root abi.Digest) []byte {
	name := append([]byte{byte(len(origin))}, origin...)
	b := append([]byte(postLabel), name...) // the cosigner is the log itself
	b = append(binary.BigEndian.AppendUint64(b, at), name...)
	b = binary.BigEndian.AppendUint64(b, 0)
	return append(binary.BigEndian.AppendUint64(b, size), root[:]...)
}

// postSign is the signature of the log's own key. Its time is 0, which says that
// no statement is made about when this was the newest head: so the same checkpoint
// is the same bytes, whoever publishes it.
func postSign(key *PostPrivateKey, c checkpoint) NoteSignature {
	sig := append(make([]byte, 8), key.SignRaw(postMessage(c.origin, 0, c.size, c.root))...)
	return NoteSignature{Name: c.origin, Hash: postHash(c.origin, key.Public()), Sig: sig}
}

// checkPost checks that key signed the note n, of which c is what it says. A line
// that names the key and is not the key's is refused, whatever else there is.
func checkPost(n []byte, c checkpoint, key PostPublicKey) error {
	p, err := signednote.Parse(n)
	if err != nil {
		return err
	}
	found, hash := false, postHash(c.origin, key)
	for _, s := range p.Sigs {
		if s.Name != c.origin || s.Hash != hash {
			continue
		}
		if len(s.Sig) != postSize {
			return fmt.Errorf("the ML-DSA-44 signature has %d bytes and not %d", len(s.Sig), postSize)
		}
		at := binary.BigEndian.Uint64(s.Sig)
		if at > math.MaxInt64 || !key.VerifyRaw(postMessage(c.origin, at, c.size, c.root), s.Sig[8:]) {
			return fmt.Errorf("the ML-DSA-44 signature is not over this checkpoint")
		}
		found = true
	}
	if !found {
		return fmt.Errorf("there is no ML-DSA-44 signature by it")
	}
	return nil
}

// noPost says that a published checkpoint lacks what makes it safe.
func noPost(where string, key PostPublicKey, err error) error {
	return &abi.Error{Code: CodePost, What: "the checkpoint is not signed by the log's post-quantum key " + key.ID().Short(), Where: where, Err: err}
}

// post is the ML-DSA-44 key that must sign the checkpoint over size records when
// it is published, nil for none: that of the newest term that they name. A
// hand-over counts at once, for who publishes it has the new key.
func (t *terms) post(size uint64) PostPublicKey {
	for i := len(t.list) - 1; i >= 0; i-- {
		if t.list[i].From <= size {
			return t.list[i].Post
		}
	}
	return nil
}

// publish returns the note n with the ML-DSA-44 signature that the terms ask for,
// made with a key of keys unless it is there. Other lines stay as they are.
func (t *terms) publish(n []byte, keys PostKeys) ([]byte, error) {
	c, err := parsePublished(n)
	if err != nil {
		return nil, err
	}
	public := t.post(c.size)
	if public == nil || checkPost(n, c, public) == nil {
		return n, nil
	}
	if keys == nil {
		return nil, noPostKey(c.size, public, nil)
	}
	key, err := keys(public)
	if err != nil || string(key.Public()) != string(public) {
		return nil, noPostKey(c.size, public, err)
	}
	p, err := signednote.Parse(n)
	if err != nil {
		return nil, err
	}
	p.Put(postSign(key, c))
	return p.Bytes(), nil
}

func noPostKey(size uint64, public PostPublicKey, err error) error {
	return &abi.Error{
		Code: CodePostKey, What: fmt.Sprintf("the checkpoint over %d records can't be published: the private part of the log's post-quantum key %s is not here", size, public.ID().Short()),
		Hint: "forgeone doctor", Err: err,
	}
}

// bound checks the ML-DSA-44 pins: each must be of a term, and from the first of
// these terms on each has such a key. So each was handed over to by the one
// before, and the last one signs what is published. The error is CodePin, or
// CodePost where the log gave it up.
func (t *terms) bound(pins []PostPublicKey, where string) error {
	from, err := t.pinned(pins, where)
	if err != nil {
		return err
	}
	for _, x := range t.list[from:] {
		if x.Post == nil {
			return &abi.Error{Code: CodePost, What: fmt.Sprintf("the log has no post-quantum key any more since term %d, and you gave one", x.Number), Where: where}
		}
	}
	return nil
}

// pinned returns the first of the terms that the pins are of; the number of terms
// without pins. The error is CodePin.
func (t *terms) pinned(pins []PostPublicKey, where string) (int, error) {
	from := len(t.list)
next:
	for _, k := range pins {
		for i, x := range t.list {
			if len(k) > 0 && string(x.Post) == string(k) {
				from = min(from, i)
				continue next
			}
		}
		return 0, &abi.Error{Code: CodePin, What: "the post-quantum key " + k.ID().Short() + " is of no term of this log", Where: where}
	}
	return from, nil
}
