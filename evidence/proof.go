package evidence

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/codec"
	"github.com/forgeone/forgeone/internal/merkle"
	"github.com/forgeone/forgeone/internal/signednote"
)

const (
	proofFirst = "c2sp.org/tlog-proof@v1"
	maxHashes  = 63
	// maxProof bounds a proof's text.
	maxProof = MaxCheckpoint + maxHashes*45 + (codec.MaxRecord+2)/3*4 + 128
)

// Proof shows, with a log's public key alone, that the log has a record: C2SP
// tlog-proof.
type Proof struct {
	Index      uint64
	Entry      []byte       // the record as the log has it; nil: not in the proof
	Hashes     []abi.Digest // from the leaf's sibling up to the child of the root
	Checkpoint []byte       // signed note
}

// Proven is what a proof shows.
type Proven struct {
	Origin  string
	Records uint64 // in the tree of the checkpoint
	Root    abi.Digest
	Index   uint64
	Record  abi.Record
	// Witnessed is what witnesses say of the checkpoint.
	Witnessed Witnessed
}

// Marshal returns the text of p. The record goes into the line "extra", so that
// the text alone shows it; without Entry there is no such line.
func (p *Proof) Marshal() []byte {
	b := append([]byte(proofFirst), '\n')
	if p.Entry != nil {
		b = base64.StdEncoding.AppendEncode(append(b, "extra "...), p.Entry)
		b = append(b, '\n')
	}
	b = append(strconv.AppendUint(append(b, "index "...), p.Index, 10), '\n')
	for _, h := range p.Hashes {
		b = append(base64.StdEncoding.AppendEncode(b, h[:]), '\n')
	}
	return append(append(b, '\n'), p.Checkpoint...)
}

// IsProof tells whether b begins as a proof does.
func IsProof(b []byte) bool { return bytes.HasPrefix(b, []byte(proofFirst+"\n")) }

// ParseProof reads a proof. It checks its form; Verify what it shows. An error is
// CodeNoProof and says which line.
func ParseProof(b []byte) (*Proof, error) {
	p, err := parseProof(b)
	if err != nil {
		return nil, &abi.Error{Code: CodeNoProof, What: "this is no proof: " + err.Error()}
	}
	return p, nil
}

func parseProof(b []byte) (*Proof, error) {
	if len(b) > maxProof {
		return nil, fmt.Errorf("it has more than %d bytes", maxProof)
	}
	head, note, ok := strings.Cut(string(b), "\n\n")
	if !ok {
		return nil, errors.New("no empty line stands before a checkpoint")
	}
	lines := strings.Split(head, "\n")
	if lines[0] != proofFirst {
		return nil, fmt.Errorf("it does not begin with %s", proofFirst)
	}
	p, at := &Proof{Checkpoint: []byte(note)}, 1
	strict := base64.StdEncoding.Strict()
	if at < len(lines) && strings.HasPrefix(lines[at], "extra ") {
		e, err := strict.DecodeString(lines[at][len("extra "):])
		if err != nil || len(e) == 0 || len(e) > codec.MaxRecord {
			return nil, errors.New("line 2 is not extra and a record in base64")
		}
		p.Entry = e
		at++
	}
	if at == len(lines) || !strings.HasPrefix(lines[at], "index ") {
		return nil, fmt.Errorf("line %d is not index and a number", at+1)
	}
	digits := lines[at][len("index "):]
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || strconv.FormatUint(n, 10) != digits {
		return nil, fmt.Errorf("line %d is not index and a number", at+1)
	}
	p.Index = n
	hashes := lines[at+1:]
	if len(hashes) > maxHashes {
		return nil, fmt.Errorf("it has %d hashes, at most %d lead to a root", len(hashes), maxHashes)
	}
	for i, l := range hashes {
		h, err := strict.DecodeString(l)
		if err != nil || len(h) != merkle.HashSize {
			return nil, fmt.Errorf("line %d is not a hash in base64", at+2+i)
		}
		p.Hashes = append(p.Hashes, abi.Digest(h))
	}
	if _, err := parsePublished(p.Checkpoint); err != nil {
		return nil, errors.New("behind the empty line there is no signed checkpoint")
	}
	// Base64 has line breaks that a decoder skips, so the text is compared.
	if !bytes.Equal(p.Marshal(), b) {
		return nil, errors.New("it is not in canonical form")
	}
	return p, nil
}

// Verify checks that one of keys signed the checkpoint, and that the tree of the
// checkpoint has the entry in the proof at its index; and returns what is shown
// so. The record must be one that this software writes. A proof does not say that
// its log has an ML-DSA-44 key: only with o.Post is such a signature, by one of
// these, demanded; keys may be empty then. Of o nothing but Post, Witnesses, Quorum
// and Since is looked at, since a proof does not say who should have witnessed its
// log; Each, Heads and Cosigned, which need more of the log, are refused.
//
// # Errors
//
// CodePost: no key of o.Post signed. CodeQuorum: too few of the witnesses signed the checkpoint.
// CodeSignature: no key that was given signed. CodeProof: the hashes do not lead
// to the root. CodeNoProof: the proof has no record. CodeRecord: what is shown
// can't be decoded. CodeUsage: no key was given, or what a proof can't show is asked.
func (p *Proof) Verify(keys []PublicKey, o VerifyOptions) (Proven, error) {
	if len(keys)+len(o.Post) == 0 {
		return Proven{}, &abi.Error{Code: CodeUsage, What: "a proof is verified with a public key, and none is given"}
	}
	if len(o.Heads) > 0 || o.Cosigned != nil || o.Each != nil {
		return Proven{}, &abi.Error{Code: CodeUsage, What: "a proof shows one record under one checkpoint: what needs other checkpoints or records is asked of the log, or of an export of it"}
	}
	c, err := parsePublished(p.Checkpoint)
	if err == nil && len(keys) > 0 {
		_, err = openPublished(p.Checkpoint, keys)
	}
	switch {
	case errors.Is(err, errPublished):
		return Proven{}, &abi.Error{Code: CodeNoProof, What: "the proof has no signed checkpoint", Err: err}
	case err != nil:
		return Proven{}, &abi.Error{Code: CodeSignature, What: "the checkpoint of the proof is not signed by a key that was given", Err: err}
	case p.Entry == nil:
		return Proven{}, &abi.Error{Code: CodeNoProof, What: "the proof does not carry its record: it has no line extra"}
	}
	if err := signedByPost(p.Checkpoint, c, o.Post); err != nil {
		return Proven{}, err
	}
	if err := VerifyInclusion(c.root, c.size, p.Index, p.Entry, p.Hashes); err != nil {
		return Proven{}, err
	}
	r, err := codec.DecodeRecord(p.Entry)
	if err != nil {
		return Proven{}, &abi.Error{Code: CodeRecord, What: "the record that is proven cannot be decoded", Err: err}
	}
	shown := Proven{Origin: c.origin, Records: c.size, Root: c.root, Index: p.Index, Record: r}
	shown.Witnessed, err = witnessesOf(p.Checkpoint, c, &o)
	return shown, err
}

// signedByPost checks that one of keys, if there are any, signed the checkpoint c,
// whose note is n.
func signedByPost(n []byte, c checkpoint, keys []PostPublicKey) (err error) {
	for _, k := range keys {
		e := checkPost(n, c, k)
		if e == nil {
			return nil
		}
		if err == nil {
			err = noPost("", k, e)
		}
	}
	return err
}

// witnessesOf judges the cosignatures on the checkpoint c, whose note is n.
func witnessesOf(n []byte, c checkpoint, o *VerifyOptions) (Witnessed, error) {
	cosigned, err := signednote.Parse(n)
	if err != nil {
		return Witnessed{}, err
	}
	if err := checkWitnesses(o.Witnesses, o.Quorum); err != nil {
		return Witnessed{}, err
	}
	k := headCheck{cosigned: cosigned, found: true, root: c.root}
	return k.end("", o, c.origin, c.size)
}
