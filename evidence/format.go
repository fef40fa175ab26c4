package evidence

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/codec"
	"github.com/forgeone/forgeone/internal/signednote"
)

// The bytes of a segment. Integers are little-endian.
const (
	headerSize    = 4096
	headerMagic   = "F1LOGSEG"
	headerVersion = 1

	frameHead   = 9 // u32 length of the body, u32 crc32c, u8 type
	frameRecord = 1
	frameCommit = 2

	maxNote  = 1024    // bytes of a commit's body
	maxBatch = 4 << 20 // bytes of a batch's frames, its commit included

	maxTransaction = 1 << 20   // bytes of one transaction's frames
	chunk          = 1 << 20   // bytes preallocated at a time
	reserve        = 128 << 10 // bytes kept ahead for last words

	defaultSegment = 64 << 20
	minSegment     = 16 << 10
	maxSegment     = 1 << 30
	maxFile        = maxSegment + 64<<20 // bytes of a segment file
)

// castagnoli is the table of crc32c; the standard library keeps one of them,
// so this is a look-up and not a computation.
func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

func segmentName(n uint64) string { return fmt.Sprintf("%08d.seg", n) }

// parseSegmentName returns the number of a segment file.
func parseSegmentName(name string) (uint64, bool) {
	num, ok := strings.CutSuffix(name, ".seg")
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(num, 10, 64)
	return n, err == nil && segmentName(n) == name
}

// header begins a segment.
type header struct {
	Number uint64     // from 0
	First  uint64     // index of the segment's first record
	Prev   abi.Digest // seal of the segment before; zero in segment 0
	Origin string
}

// Offsets in a header.
const (
	hVersion = 8
	hNumber  = 16
	hFirst   = 24
	hPrev    = 32
	hOrigin  = 64 // u16 length, then the bytes
	hCRC     = headerSize - 4
)

func (h header) encode() []byte {
	b := make([]byte, headerSize)
	le := binary.LittleEndian
	copy(b, headerMagic)
	le.PutUint32(b[hVersion:], headerVersion)
	le.PutUint64(b[hNumber:], h.Number)
	le.PutUint64(b[hFirst:], h.First)
	copy(b[hPrev:], h.Prev[:])
	le.PutUint16(b[hOrigin:], uint16(len(h.Origin)))
	copy(b[hOrigin+2:], h.Origin)
	le.PutUint32(b[hCRC:], crc32.Checksum(b[:hCRC], castagnoli()))
	return b
}

// parseHeader reads what encode wrote, and nothing else: every unused byte is zero.
func parseHeader(b []byte) (h header, err error) {
	le := binary.LittleEndian
	switch {
	case len(b) < headerSize:
		return h, fmt.Errorf("segment header has %d of %d bytes", len(b), headerSize)
	case string(b[:len(headerMagic)]) != headerMagic:
		return h, fmt.Errorf("segment does not begin with %q", headerMagic)
	case le.Uint32(b[hCRC:]) != crc32.Checksum(b[:hCRC], castagnoli()):
		return h, fmt.Errorf("segment header has a wrong checksum")
	case le.Uint32(b[hVersion:]) != headerVersion:
		return h, fmt.Errorf("segment is of version %d, this software reads version %d", le.Uint32(b[hVersion:]), headerVersion)
	}
	n := int(le.Uint16(b[hOrigin:]))
	if n > signednote.MaxName {
		return h, fmt.Errorf("segment header has an origin of %d bytes", n)
	}
	h = header{Number: le.Uint64(b[hNumber:]), First: le.Uint64(b[hFirst:]), Origin: string(b[hOrigin+2 : hOrigin+2+n])}
	copy(h.Prev[:], b[hPrev:])
	if !signednote.ValidName(h.Origin) || !bytes.Equal(h.encode(), b[:headerSize]) {
		return h, fmt.Errorf("segment header is not in canonical form")
	}
	return h, nil
}

// appendFrame appends the frame of body to dst. The checksum covers length,
// type and body.
func appendFrame(dst []byte, kind byte, body []byte) []byte {
	var h [frameHead]byte
	binary.LittleEndian.PutUint32(h[:], uint32(len(body)))
	h[8] = kind
	binary.LittleEndian.PutUint32(h[4:], frameSum(h[:], body))
	return append(append(dst, h[:]...), body...)
}

func frameSum(h, body []byte) uint32 {
	// Length and type in one piece: crc32 over two short pieces is slower.
	s := [5]byte{h[0], h[1], h[2], h[3], h[8]}
	return crc32.Update(crc32.Checksum(s[:], castagnoli()), castagnoli(), body)
}

// frameLimit is the longest body of a frame of a kind; 0 for unknown kinds.
func frameLimit(kind byte) int {
	switch kind {
	case frameRecord:
		return codec.MaxRecord
	case frameCommit:
		return maxNote
	}
	return 0
}

// peek reads the head of an entry, the CBOR array [1, kind, time, map], without
// decoding its body. It accepts canonical integers only.
func peek(e []byte) (kind abi.Kind, time int64, ok bool) {
	if len(e) < 5 || e[0] != 0x84 || e[1] != 1 {
		return 0, 0, false
	}
	major, k, n := cborHead(e[2:])
	if n == 0 || major != 0 || k == 0 || k > 0xffff {
		return 0, 0, false
	}
	e = e[2+n:]
	major, t, n := cborHead(e)
	if n == 0 || major > 1 || t > 1<<63-1 || len(e) == n || e[n]>>5 != 5 {
		return 0, 0, false
	}
	if time = int64(t); major == 1 {
		time = -1 - time
	}
	return abi.Kind(k), time, true
}

// cborHead reads a CBOR head and returns its length, 0 if it is not canonical.
func cborHead(b []byte) (major byte, v uint64, n int) {
	if len(b) == 0 {
		return 0, 0, 0
	}
	major, low := b[0]>>5, b[0]&31
	if low < 24 {
		return major, uint64(low), 1
	}
	if low > 27 {
		return 0, 0, 0
	}
	n = 1 << (low - 24)
	if len(b) < 1+n {
		return 0, 0, 0
	}
	for _, c := range b[1 : 1+n] {
		v = v<<8 | uint64(c)
	}
	least := [...]uint64{24, 1 << 8, 1 << 16, 1 << 32}[low-24]
	if v < least {
		return 0, 0, 0
	}
	return major, v, 1 + n
}
