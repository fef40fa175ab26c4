package evidence

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/forgeone/forgeone/internal/signednote"
)

var errPublished = errors.New("not a signed checkpoint of a log")

// parsePublished reads a checkpoint that may have several signatures, and checks
// none of them. It has no extension lines and is over one record at least.
func parsePublished(b []byte) (c checkpoint, err error) {
	p, err := signednote.Parse(b)
	if err != nil {
		return c, fmt.Errorf("%w: %w", errPublished, err)
	}
	if p.Size == 0 || bytes.Count(p.Text, []byte{'\n'}) != 3 {
		return c, fmt.Errorf("%w: it is over no record, or has lines that ours have not", errPublished)
	}
	return checkpoint{text: string(p.Text), origin: p.Origin, size: p.Size, root: p.Root}, nil
}

// signer is the key that signs the checkpoint over size records: a commit over a
// hand-over is signed by the key before.
func (t *terms) signer(size uint64) PublicKey {
	for _, x := range slices.Backward(t.list) {
		if x.From < size {
			return x.Key
		}
	}
	return nil
}

// vkeys is what the file vkey holds beside a checkpoint over size records: the
// log's keys as signed-note tools take them, one a line, the one that signed the
// checkpoint first and then those before it; and last the ML-DSA-44 key that signed
// it too.
func (t *terms) vkeys(size uint64) (b []byte) {
	for _, x := range slices.Backward(t.list) {
		if x.From < size {
			b = append(append(b, VerifierKey(t.origin, x.Key)...), '\n')
		}
	}
	if post := t.post(size); post != nil {
		b = append(append(b, PostVerifierKey(t.origin, post)...), '\n')
	}
	return b
}

// openPublished is parsePublished and checks that one of keys signed. Signatures
// by others are ignored, as C2SP signed-note wants it.
func openPublished(b []byte, keys []PublicKey) (checkpoint, error) {
	c, err := parsePublished(b)
	if err != nil {
		return c, err
	}
	text, err := signednote.NewVerifiers(c.origin, keys...).Open(b)
	if err != nil {
		return c, err
	}
	if text != c.text {
		return c, errPublished
	}
	return c, nil
}
