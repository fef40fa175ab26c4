// Package signednote reads, signs and verifies the notes that logs and witnesses
// exchange: C2SP signed-note, tlog-checkpoint and tlog-cosignature.
package signednote

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/forgeone/forgeone/abi"
)

const (
	// MaxCheckpoint bounds a checkpoint with its signatures, in bytes: 16 of the
	// longest that are in use.
	MaxCheckpoint = 128 << 10

	maxSignatures = 64
)

// Checkpoint is a tree head with the signatures on it (C2SP tlog-checkpoint and
// signed-note), of which none is checked.
type Checkpoint struct {
	Origin string
	Size   uint64 // at most 2^61
	Root   abi.Digest
	Text   []byte // what is signed, extension lines included
	Sigs   []Signature
}

// Signature is a signature line of a note.
type Signature struct {
	Name string
	Hash uint32 // of the key
	Sig  []byte // of the key's type
}

// Parse reads a checkpoint strictly: Bytes gives b again. The error is for people,
// without a code.
func Parse(b []byte) (*Checkpoint, error) {
	if len(b) > MaxCheckpoint {
		return nil, fmt.Errorf("more than %d bytes", MaxCheckpoint)
	}
	if !utf8.Valid(b) || bytes.ContainsFunc(b, func(r rune) bool { return r < 0x20 && r != '\n' }) {
		return nil, fmt.Errorf("it is not text")
	}
	at := bytes.LastIndex(b, []byte("\n\n"))
	if at < 0 || b[len(b)-1] != '\n' {
		return nil, fmt.Errorf("it is not a text, an empty line, and signature lines")
	}
	c := &Checkpoint{Text: bytes.Clone(b[:at+1])}
	if err := c.parseText(); err != nil {
		return nil, err
	}
	sigs, err := parseSignatures(string(b[at+2:]))
	c.Sigs = sigs
	return c, err
}

// parseText reads the lines of what is signed.
func (c *Checkpoint) parseText() error {
	line := strings.Split(string(c.Text), "\n") // the last one is empty
	if len(line) < 4 {
		return fmt.Errorf("the text has %d lines, and three are needed", len(line)-1)
	}
	for _, l := range line[:len(line)-1] {
		if l == "" {
			return fmt.Errorf("a line of the text is empty")
		}
	}
	size, err := strconv.ParseUint(line[1], 10, 64)
	if err != nil || strconv.FormatUint(size, 10) != line[1] || size > MaxTree {
		return fmt.Errorf("%q is no tree size", clip(line[1]))
	}
	root, err := base64.StdEncoding.Strict().DecodeString(line[2])
	if err != nil || len(root) != len(c.Root) {
		return fmt.Errorf("%q is no root", clip(line[2]))
	}
	if !ValidName(line[0]) {
		return fmt.Errorf("%q is no origin", clip(line[0]))
	}
	c.Origin, c.Size = line[0], size
	copy(c.Root[:], root)
	return nil
}

// parseSignatures reads the signature lines of a note, at least one.
func parseSignatures(text string) (sigs []Signature, err error) {
	if strings.Count(text, "\n") > maxSignatures {
		return nil, fmt.Errorf("more than %d signatures", maxSignatures)
	}
	for l := range strings.Lines(text) {
		s, err := parseSignature(l)
		if err != nil {
			return nil, err
		}
		sigs = append(sigs, s)
	}
	if len(sigs) == 0 {
		return nil, fmt.Errorf("there is no signature")
	}
	return sigs, nil
}

func parseSignature(l string) (s Signature, err error) {
	rest, dash := strings.CutPrefix(l, "— ")
	rest, end := strings.CutSuffix(rest, "\n")
	name, enc, ok := strings.Cut(rest, " ")
	raw, err := base64.StdEncoding.Strict().DecodeString(enc)
	if !dash || !end || !ok || err != nil || len(raw) < 5 || !ValidName(name) {
		return s, fmt.Errorf("%q is no signature line", clip(l))
	}
	s = Signature{Name: name, Hash: binary.BigEndian.Uint32(raw), Sig: raw[4:]}
	if s.Line() != l { // a line break within the base64
		return s, fmt.Errorf("%q is no signature line", clip(l))
	}
	return s, nil
}

// Line returns the line as it stands in a note.
func (s Signature) Line() string {
	raw := append(binary.BigEndian.AppendUint32(nil, s.Hash), s.Sig...)
	return "— " + s.Name + " " + base64.StdEncoding.EncodeToString(raw) + "\n"
}

// Bytes returns the note: the text, an empty line, and the signature lines.
func (c *Checkpoint) Bytes() []byte {
	b := append(bytes.Clone(c.Text), '\n')
	for _, s := range c.Sigs {
		b = append(b, s.Line()...)
	}
	return b
}

// Same tells whether both say the same of the same log, whoever signed.
func (c *Checkpoint) Same(o *Checkpoint) bool {
	return c.Origin == o.Origin && c.Size == o.Size && c.Root == o.Root
}
