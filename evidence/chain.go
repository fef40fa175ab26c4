package evidence

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/codec"
	"github.com/forgeone/forgeone/internal/merkle"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/signednote"
)

const sealDomain = "forgeone/seal/v1"

// chain is what is known of a log up to a commit: the state against which
// the next batch is checked. The one that appends and the one that verifies
// use the same.
type chain struct {
	h      *merkle.Hasher
	origin string // "" before segment 0 is open
	tree   merkle.Tree
	time   int64      // of the last record
	seg    uint64     // number of the segment
	off    int64      // end of the last commit in it
	first  uint64     // index of its first record
	prev   abi.Digest // seal of the segment before
	sum    hash.Hash  // SHA-256 over its bytes before off
	root   abi.Digest // of the tree
	note   []byte     // the last commit
	terms  terms
	// checked says that the signature of every commit is checked, and not only of
	// those over a hand-over to another key.
	checked bool
	known   signednote.Verifiers // of the key knownOf
	knownOf PublicKey
	// opened says that the segment's first batch is still to come.
	opened bool
}

func newChain() chain { return chain{h: merkle.NewHasher(), sum: seal.NewSHA256()} }

// damage returns damage at off in the chain's segment.
func (c *chain) damage(code abi.Code, off int64, index uint64, what string, err error) *damage {
	return &damage{code: code, what: what, seg: c.seg, off: off, index: index, err: err}
}

// seal returns the seal of the chain's segment, as long as it ends here.
func (c *chain) seal() abi.Digest {
	var size [8]byte
	binary.LittleEndian.PutUint64(size[:], c.tree.N)
	return seal.Sum(sealDomain, c.prev[:], size[:], c.root[:], c.sum.Sum(nil))
}

// enter moves the chain to the segment whose header is b. n is its number
// by its name.
func (c *chain) enter(n uint64, b []byte) error {
	h, err := parseHeader(b)
	at := &damage{code: CodeDamaged, seg: n, index: c.tree.N, err: err}
	switch want := c.next(); {
	case err != nil:
		at.what = "the segment header is damaged"
	case h.Number != n || h.First != want.First || (n > 0 && n != c.seg+1):
		at.code, at.what = CodeChain, fmt.Sprintf("the segment is number %d from record %d, it should be %d from record %d", h.Number, h.First, n, want.First)
	case c.origin != "" && h.Origin != c.origin:
		at.code, at.what = CodeOrigin, fmt.Sprintf("the segment is of the log %q, not of %q", h.Origin, c.origin)
	case h.Prev != want.Prev:
		at.code, at.what = CodeChain, "the segment does not carry the seal of the one before it"
	default:
		c.origin, c.seg, c.first, c.prev = h.Origin, n, h.First, h.Prev
		c.off, c.opened = headerSize, true
		c.sum.Reset()
		c.sum.Write(b)
		return nil
	}
	return at
}

// next is the header of the segment that follows.
func (c *chain) next() header {
	if c.off == 0 {
		return header{Origin: c.origin}
	}
	return header{Number: c.seg + 1, First: c.tree.N, Prev: c.seal(), Origin: c.origin}
}

// sealed is the record that begins the segment that follows.
func (c *chain) sealed() *abi.SegmentSealed {
	return &abi.SegmentSealed{Segment: c.seg, Size: c.tree.N, Seal: c.seal()}
}

// apply checks b and moves past it. On an error the chain is as before.
func (c *chain) apply(b *batch) error {
	says, err := c.says(b)
	if err != nil {
		return err
	}
	t, last, terms := c.tree, c.time, c.terms
	signer := terms.current()
	for i, e := range b.entries {
		kind, when, ok := peek(e)
		if !ok {
			return c.damage(CodeRecord, b.offsets[i], t.N, "a record is malformed", nil)
		}
		if when < last {
			return c.damage(CodeRecord, b.offsets[i], t.N, "a record is dated before the one ahead of it", nil)
		}
		if err := c.place(kind, e, i == 0 && c.opened); err != nil {
			return c.damage(CodeRecord, b.offsets[i], t.N, err.Error(), nil)
		}
		if kind == abi.KindLogKey && i != len(b.entries)-1 {
			return c.damage(CodeTerm, b.offsets[i], t.N, "the log is handed over to another key in the middle of a batch", nil)
		}
		if kind == abi.KindGenesis || kind == abi.KindLogKey { // (seldom: a copy of the tree costs)
			at := t
			if err := terms.apply(kind, e, t.N, func() abi.Digest { return at.Root(c.h) }); err != nil {
				return c.damage(CodeTerm, b.offsets[i], t.N, err.Error(), nil)
			}
			if signer == nil { // the log's beginning
				signer = terms.current()
			}
		}
		last = when
		t.Push(c.h, c.h.Leaf(e))
	}
	root := t.Root(c.h)
	switch {
	case says.size != t.N:
		return c.damage(CodeTree, b.commitAt, t.N, fmt.Sprintf("a commit counts %d records where there are %d", says.size, t.N), nil)
	case says.root != root:
		return c.damage(CodeTree, b.commitAt, t.N, "the records are not those of the commit: the tree has another root", nil)
	}
	if c.checked || len(terms.list) != len(c.terms.list) {
		if err := c.signed(b.note, signer); err != nil {
			return c.damage(CodeSignature, b.commitAt, t.N, "a commit is not signed by the key of its term", err)
		}
	}
	c.move(b.raw, t, root, last, b.note)
	c.terms = terms
	return nil
}

// signed checks that key signed the note of a commit.
func (c *chain) signed(n []byte, key PublicKey) error {
	if !bytes.Equal(key, c.knownOf) {
		c.known, c.knownOf = signednote.NewVerifiers(c.origin, key), key
	}
	return c.known.Alone(n)
}

// says reads the commit of b, which must be of this log.
func (c *chain) says(b *batch) (checkpoint, error) {
	n, err := parseNote(b.note)
	switch size := c.tree.N + uint64(len(b.entries)); {
	case err != nil:
		return n, c.damage(CodeDamaged, b.commitAt, size, "a commit is malformed", err)
	case n.origin != c.origin:
		return n, c.damage(CodeOrigin, b.commitAt, size, fmt.Sprintf("a commit is of the log %q, not of %q", n.origin, c.origin), nil)
	}
	return n, nil
}

// move takes in a batch that is known to be right.
func (c *chain) move(raw []byte, t merkle.Tree, root abi.Digest, last int64, note []byte) {
	c.tree, c.root, c.time, c.opened = t, root, last, false
	c.off += int64(len(raw))
	c.sum.Write(raw)
	c.note = append(c.note[:0], note...)
}

// place checks that a record of a kind of the log's own stands where it must.
// begins: it is the first of its segment.
func (c *chain) place(kind abi.Kind, entry []byte, begins bool) error {
	switch {
	case begins && c.seg == 0:
		return c.genesis(kind, entry)
	case begins:
		return c.sealedRecord(kind, entry)
	case kind == abi.KindGenesis || kind == abi.KindSegmentSealed:
		return fmt.Errorf("a record of kind %v stands in the middle of a segment", kind)
	}
	return nil
}

func (c *chain) genesis(kind abi.Kind, entry []byte) error {
	if kind != abi.KindGenesis {
		return fmt.Errorf("the log begins with %v", kind)
	}
	r, err := codec.DecodeRecord(entry)
	if err != nil {
		return err
	}
	if g := r.Body.(*abi.Genesis); g.Origin != c.origin {
		return fmt.Errorf("the log began as %q and its header says %q", g.Origin, c.origin)
	}
	return nil
}

func (c *chain) sealedRecord(kind abi.Kind, entry []byte) error {
	if kind != abi.KindSegmentSealed {
		return fmt.Errorf("the segment begins with %v", kind)
	}
	r, err := codec.DecodeRecord(entry)
	if err != nil {
		return err
	}
	if s := r.Body.(*abi.SegmentSealed); s.Segment != c.seg-1 || s.Size != c.first || s.Seal != c.prev {
		return errors.New("the record of the seal is not of the segment before")
	}
	return nil
}
