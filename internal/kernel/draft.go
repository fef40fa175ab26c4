package kernel

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/codec"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/sys"
)

// Draft is an operator's act that travels between those who sign it, as a file
// (docs/FORMATS.md, "Drafts of acts"). What it says is nobody's word until it
// is signed, and the log's fold has taken it.
type Draft struct {
	Origin string // of the log that it is for
	Body   any    // of the record; its act holds the keyring's version and the signatures so far
}

const (
	draftType    = "FORGEONE ACT"
	draftVersion = 1

	// MaxDraft bounds the file of a draft, in bytes.
	MaxDraft = 64 << 10
)

// draftBlock is what the block of a draft holds.
type draftBlock struct {
	_       struct{} `cbor:",toarray"`
	Version uint8
	Origin  string
	Kind    abi.Kind
	Body    []byte // the encoding of the record's body
}

// Act returns the act in the draft's body.
func (d *Draft) Act() *abi.Act { return brain.ActOf(d.Body) }

// Sign puts key's signature into the draft.
func (d *Draft) Sign(key *seal.PrivateKey) error { return brain.SignAct(d.Origin, d.Body, key) }

// Text returns the draft as its file holds it.
func (d *Draft) Text() ([]byte, error) {
	body, err := codec.Marshal(d.Body)
	if err != nil {
		return nil, err
	}
	b, err := codec.Marshal(draftBlock{Version: draftVersion, Origin: d.Origin, Kind: abi.KindOf(d.Body), Body: body})
	if err != nil {
		return nil, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: draftType, Bytes: b})
	if len(text) > MaxDraft {
		return nil, badDraft(fmt.Errorf("it would take %d bytes, at most %d fit", len(text), MaxDraft))
	}
	return text, nil
}

// ParseDraft reads what Text returned, and nothing else: F1-KEY-043.
func ParseDraft(text []byte) (*Draft, error) {
	if len(text) > MaxDraft {
		return nil, badDraft(fmt.Errorf("it is larger than %d bytes", MaxDraft))
	}
	blk, rest := pem.Decode(text)
	if blk == nil || !bytes.HasPrefix(text, []byte("-----BEGIN ")) || blk.Type != draftType || len(blk.Headers) > 0 || len(bytes.TrimSpace(rest)) > 0 {
		return nil, badDraft(errors.New("want one block " + draftType))
	}
	var b draftBlock
	if err := codec.Unmarshal(blk.Bytes, &b); err != nil {
		return nil, badDraft(err)
	}
	d := &Draft{Origin: b.Origin, Body: abi.NewBody(b.Kind)}
	switch {
	case b.Version != draftVersion:
		return nil, badDraft(fmt.Errorf("version %d is not known", b.Version))
	case d.Body == nil || d.Act() == nil:
		return nil, badDraft(fmt.Errorf("%w: %v", brain.ErrNoAct, b.Kind))
	case b.Origin == "" || len(b.Origin) > 255:
		return nil, badDraft(errors.New("it names no log"))
	}
	if err := codec.Unmarshal(b.Body, d.Body); err != nil {
		return nil, badDraft(err)
	}
	return d, nil
}

// ReadDraft reads the draft in a file.
func ReadDraft(path string) (*Draft, error) {
	text, err := sys.ReadRegular(path, MaxDraft)
	if errors.Is(err, sys.ErrTooLarge) {
		return nil, atFile(badDraft(fmt.Errorf("it is larger than %d bytes", MaxDraft)), path)
	}
	if err != nil {
		return nil, &abi.Error{Code: "F1-KEY-048", What: "the draft can't be read", Where: path, Err: err, Hint: "forgeone key --help"}
	}
	d, err := ParseDraft(text)
	if err != nil {
		return nil, atFile(err, path)
	}
	return d, nil
}

// Write writes the draft to a file, whole or not at all. It holds no secret.
func (d *Draft) Write(path string) error {
	text, err := d.Text()
	if err != nil {
		return err
	}
	if err := sys.WriteFile(path, text, 0o644); err != nil {
		return &abi.Error{Code: "F1-KEY-048", What: "the draft can't be written", Where: path, Err: err}
	}
	return nil
}

func badDraft(err error) error {
	return &abi.Error{Code: "F1-KEY-043", What: "not a draft of an operator's act", Err: err, Hint: "make it anew with --draft"}
}
