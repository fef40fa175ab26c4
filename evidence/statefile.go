package evidence

import (
	"encoding"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/codec"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/sys"
)

// The bytes of a state file (docs/FORMATS.md "State"). Integers are little-endian.
const (
	stateMagic   = "F1STATE\n"
	stateVersion = 1
	stateHeader  = 128
	stateTag     = 32

	pageBytes = 4096
	pageTag   = 16

	stateDomain = "forgeone/state/v1"
	labelBytes  = 32
)

// Offsets in the header of a state file; what is not named is zero.
const (
	sVersion = 8
	sPage    = 12
	sLabel   = 16
	sSize    = 48
	sPages   = 56
	sHead    = 64
)

// stateHead is the head of a state file: where the log stood, and the follower's
// own head.
type stateHead struct {
	_        struct{} `cbor:",toarray"`
	Origin   string
	Size     uint64
	Root     abi.Digest
	Time     int64 // of the last record
	Frontier []abi.Digest
	Segment  uint64
	Offset   int64 // end of the commit
	First    uint64
	Prev     abi.Digest
	Sum      []byte // state of the running SHA-256 over the segment
	Note     []byte // the commit
	Terms    []stateTerm
	Control  uint64 // index of the last control record, plus 1
	Follower []byte
}

type stateTerm struct {
	_    struct{} `cbor:",toarray"`
	Key  []byte
	Post []byte
	From uint64
}

var errState = errors.New("not a state file of this key and version")

func stateKeys(k seal.Key, label []byte) (head, pages seal.Key) {
	k = k.Derive(stateDomain + string(label))
	return k.Derive("head"), k.Derive("pages")
}

// pagesAt is where the pages begin behind a head of n bytes.
func pagesAt(n int) int64 {
	end := int64(stateHeader + n + stateTag)
	return (end + pageBytes - 1) / pageBytes * pageBytes
}

// encodeState returns what stands before the pages, and the key for them. Every
// file has keys of its own, by a random label: a nonce never returns.
func encodeState(k seal.Key, h *stateHead, pages uint64) ([]byte, seal.Key, error) {
	body, err := codec.Marshal(h)
	if err == nil && len(body) > MaxHead {
		err = fmt.Errorf("the head has %d bytes", len(body))
	}
	if err != nil {
		return nil, seal.Key{}, err
	}
	b := make([]byte, stateHeader, pagesAt(len(body)))
	le := binary.LittleEndian
	copy(b, stateMagic)
	le.PutUint32(b[sVersion:], stateVersion)
	le.PutUint32(b[sPage:], pageBytes)
	seal.Random(b[sLabel : sLabel+labelBytes])
	le.PutUint64(b[sSize:], h.Size)
	le.PutUint64(b[sPages:], pages)
	le.PutUint32(b[sHead:], uint32(len(body)))
	headKey, pageKey := stateKeys(k, b[sLabel:sLabel+labelBytes])
	b = append(b, body...)
	tag := seal.Authenticate(headKey, stateDomain, b)
	b = append(b, tag[:]...)
	return b[:cap(b)], pageKey, nil
}

// decodeState reads the head of a state file of that length. Nothing in it is
// believed before all of it is authentic, but the lengths, which are bounded.
func decodeState(k seal.Key, f io.ReaderAt, length int64) (*stateHead, *pageFile, error) {
	b := make([]byte, stateHeader)
	if _, err := f.ReadAt(b, 0); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errState, err)
	}
	le := binary.LittleEndian
	n, pages := int64(le.Uint32(b[sHead:])), le.Uint64(b[sPages:])
	switch {
	case string(b[:len(stateMagic)]) != stateMagic:
		return nil, nil, fmt.Errorf("%w: it begins with something else", errState)
	case le.Uint32(b[sVersion:]) != stateVersion || le.Uint32(b[sPage:]) != pageBytes:
		return nil, nil, fmt.Errorf("%w: it is of version %d, this software reads version %d", errState, le.Uint32(b[sVersion:]), stateVersion)
	case n > MaxHead || pages > 1<<40 || length != pagesAt(int(n))+int64(pages)*pageBytes:
		return nil, nil, fmt.Errorf("%w: its length is not what it says", errState)
	}
	b = append(b, make([]byte, n+stateTag)...)
	if _, err := f.ReadAt(b[stateHeader:], stateHeader); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errState, err)
	}
	headKey, pageKey := stateKeys(k, b[sLabel:sLabel+labelBytes])
	signed := b[:stateHeader+n]
	if tag := seal.Authenticate(headKey, stateDomain, signed); !seal.Equal(tag[:], b[stateHeader+n:]) {
		return nil, nil, fmt.Errorf("%w: it does not authenticate", errState)
	}
	h := new(stateHead)
	if err := codec.Unmarshal(signed[stateHeader:], h); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errState, err)
	}
	if h.Size != le.Uint64(b[sSize:]) {
		return nil, nil, fmt.Errorf("%w: it counts twice, and differently", errState)
	}
	return h, newPageFile(f, pagesAt(int(n)), pages, pageKey), nil
}

// stateOf returns the head for the commit where c stands.
func stateOf(c *chain, control uint64, follower []byte) (*stateHead, error) {
	sum, ok := c.sum.(encoding.BinaryMarshaler)
	if !ok {
		return nil, errors.New("the running checksum can't be kept")
	}
	h := &stateHead{
		Origin: c.origin, Size: c.tree.N, Root: c.root, Time: c.time, Segment: c.seg, Offset: c.off, First: c.first, Prev: c.prev,
		Note: append([]byte(nil), c.note...), Control: control, Follower: follower,
	}
	var err error
	if h.Sum, err = sum.MarshalBinary(); err != nil {
		return nil, err
	}
	for i := range bits.Len64(c.tree.N) {
		if c.tree.N>>i&1 == 1 {
			h.Frontier = append(h.Frontier, c.tree.Stack[i])
		}
	}
	for _, t := range c.terms.list {
		h.Terms = append(h.Terms, stateTerm{Key: t.Key, Post: t.Post, From: t.From})
	}
	return h, nil
}

// chain returns the chain where it stood. An authentic head that makes none is
// of a software that kept it otherwise.
func (h *stateHead) chain() (c chain, err error) {
	c = newChain()
	c.origin, c.time, c.seg, c.off, c.first, c.prev = h.Origin, h.Time, h.Segment, h.Offset, h.First, h.Prev
	c.root, c.note, c.tree.N = h.Root, append([]byte(nil), h.Note...), h.Size
	if len(h.Frontier) != bits.OnesCount64(h.Size) || len(h.Terms) == 0 {
		return c, errState
	}
	for i, next := 0, h.Frontier; i < 64; i++ {
		if h.Size>>i&1 == 1 {
			c.tree.Stack[i], next = next[0], next[1:]
		}
	}
	c.terms.origin = h.Origin
	for i, t := range h.Terms {
		c.terms.list = append(c.terms.list, Term{Number: uint64(i), Key: t.Key, Post: t.Post, From: t.From})
	}
	sum, ok := c.sum.(encoding.BinaryUnmarshaler)
	if !ok {
		return c, errState
	}
	if err := sum.UnmarshalBinary(h.Sum); err != nil {
		return c, fmt.Errorf("%w: %w", errState, err)
	}
	n, err := parseNote(c.note)
	if err != nil || n.size != h.Size || n.root != h.Root || n.origin != h.Origin || c.tree.Root(c.h) != h.Root {
		return c, fmt.Errorf("%w: its commit is not its own", errState)
	}
	if h.Offset < headerSize+int64(frameHead+len(c.note)) || h.Offset > maxFile {
		return c, fmt.Errorf("%w: its commit is nowhere", errState)
	}
	return c, nil
}

// kept is a state file that was read and is used. It stays open: its pages are
// read when they are asked for, also when another has taken its name.
type kept struct {
	head  *stateHead
	pages *pageFile
}

// readState reads the file at path. A missing one is fs.ErrNotExist.
func readState(fs sys.FS, path string, key seal.Key) (*kept, error) {
	i, err := fs.Stat(path)
	if err != nil {
		return nil, err
	}
	if !i.Mode().IsRegular() { // (a FIFO would be waited for)
		return nil, fmt.Errorf("%w: it is no file", errState)
	}
	f, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	if i, err = f.Stat(); err != nil {
		return nil, closing(f, err)
	}
	h, pages, err := decodeState(key, f, i.Size())
	if err != nil {
		return nil, closing(f, err)
	}
	pages.info = i
	return &kept{head: h, pages: pages}, nil
}
