package trace

import (
	"encoding/binary"
	"fmt"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
)

// A frame is a head of frameSize bytes (u8 kind, u32 length of the body, u32
// length of the plaintext) and the body: ciphertext.
const frameSize = 9

// Kinds of frames.
const (
	frameStored = 1 // a chunk as it is
	frameZstd   = 2 // a chunk, compressed
	frameEnd    = 3 // the End, in CBOR; the last frame
	frameS2     = 4 // a chunk, compressed by S2 (github.com/klauspost/compress/s2, block format)
)

// overhead is what a chunk takes beside its calls when nothing is gained by
// compression.
const overhead = frameSize + seal.BoxOverhead + footSize

// maxEnd bounds an end frame's plaintext.
const maxEnd = 1 << 10

type frame struct {
	kind byte
	body uint32 // bytes of ciphertext
	size uint32 // bytes of plaintext, uncompressed
}

func (f frame) put(b []byte) {
	b[0] = f.kind
	binary.LittleEndian.PutUint32(b[1:], f.body)
	binary.LittleEndian.PutUint32(b[5:], f.size)
}

// parseFrame reads a frame's head and holds its lengths against the bounds.
func parseFrame(b []byte) (f frame, err error) {
	f = frame{b[0], binary.LittleEndian.Uint32(b[1:]), binary.LittleEndian.Uint32(b[5:])}
	ok := f.body > seal.BoxOverhead && f.size <= maxPlain
	switch f.kind {
	case frameStored:
		ok = ok && f.size > footSize && f.body == f.size+seal.BoxOverhead
	case frameZstd, frameS2:
		ok = ok && f.size > footSize && f.body < f.size+seal.BoxOverhead
	case frameEnd:
		ok = ok && f.size <= maxEnd && f.body == f.size+seal.BoxOverhead
	default:
		return f, fmt.Errorf("unknown kind of frame %d", f.kind)
	}
	if !ok {
		return f, fmt.Errorf("frame of kind %d with lengths %d and %d", f.kind, f.body, f.size)
	}
	return f, nil
}

// associated is what a frame is authenticated together with: the header's
// digest, so that it fits no other recording, and its own head.
func associated(header abi.Digest, head []byte) (ad [32 + frameSize]byte) {
	copy(ad[:], header[:])
	copy(ad[len(header):], head)
	return ad
}

// link returns the next value of the chain, which begins with the header's digest.
func link(chain [32]byte, frame []byte) [32]byte { return seal.SHA256(chain[:], frame) }

// A trailer ends a sealed recording: the magic, u64 chunks, u64 calls, the
// chain after the end frame, the seal.
const (
	trailerMagic = "F1RECEND"
	trailerSize  = len(trailerMagic) + 8 + 8 + 32 + 32
)

type trailer struct {
	chunks, calls uint64
	chain         [32]byte
	seal          abi.Digest
}

// sealOf is what the evidence log keeps of a recording. It needs no key.
func sealOf(header abi.Digest, chain [32]byte, chunks, calls uint64) abi.Digest {
	var n [16]byte
	binary.LittleEndian.PutUint64(n[:], chunks)
	binary.LittleEndian.PutUint64(n[8:], calls)
	return seal.Sum(recordingDomain, header[:], chain[:], n[:])
}

func (t *trailer) append(b []byte) []byte {
	b = append(b, trailerMagic...)
	b = binary.LittleEndian.AppendUint64(b, t.chunks)
	b = binary.LittleEndian.AppendUint64(b, t.calls)
	b = append(b, t.chain[:]...)
	return append(b, t.seal[:]...)
}

// parseTrailer reads b, which has trailerSize bytes.
func parseTrailer(b []byte) (t trailer, ok bool) {
	n := len(trailerMagic)
	t.chunks, t.calls = binary.LittleEndian.Uint64(b[n:]), binary.LittleEndian.Uint64(b[n+8:])
	copy(t.chain[:], b[n+16:])
	copy(t.seal[:], b[n+48:])
	return t, string(b[:n]) == trailerMagic
}

// End says how the run ended.
type End struct {
	Outcome abi.Outcome `cbor:"1,keyasint"`
	Exit    uint32      `cbor:"2,keyasint"`
	Trap    string      `cbor:"3,keyasint"` // the trap's code, not its text
	Calls   uint64      `cbor:"4,keyasint"` // set by Finish
	Denials uint64      `cbor:"5,keyasint"`
	Ticks   uint64      `cbor:"6,keyasint"`
	Fuel    uint64      `cbor:"7,keyasint"`
	State   [16]byte    `cbor:"8,keyasint"`            // by StateMAC, over memory and globals
	Entry   bool        `cbor:"9,keyasint,omitempty"`  // it ended before a call that was not recorded
	Reached abi.Limit   `cbor:"10,keyasint,omitempty"` // limits that refused the guest something
}

// Sealed is what remains to be said of a finished recording.
type Sealed struct {
	Seal abi.Digest
	Size uint64 // bytes on disk
}
