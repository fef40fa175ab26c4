package trace

import (
	"errors"
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/codec"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/sys"
)

// source is a recording's file.
type source interface {
	io.ReaderAt
	io.Closer
}

// Reader reads one recording. It is not safe for concurrent use.
type Reader struct {
	path   string
	file   source
	lock   *sys.FileLock // shared; nil: none
	size   int64
	header Header
	digest abi.Digest
	body   int64 // offset of the first frame
	box    *seal.Box
	state  *seal.MAC
	input  *seal.MAC
	found  *scanned
	end    *End

	dec    decoder
	zstd   *zstd.Decoder // made when a chunk needs it
	offset int64         // of the next frame
	chunk  uint64        // its number
	index  uint64        // of the next call
	frame  []byte        // scratch: a frame
	plain  []byte        // scratch: a chunk
	err    error         // what Next says from now on
}

// Open opens a sealed recording: before it returns, the header is decrypted, and the
// chain over the whole file, the seal and the end are checked. Whether the seal
// is the one in the evidence log is CheckSeal's question.
//
// # Errors
//
// F1-RPL-011 no such file, 005 empty, 006 not a recording or of another format, 003 cut short, 004 of
// another node or key, 007 of another syscall table, 002 damaged, with the
// place, 010 can't be read.
func Open(path string, kek seal.Key) (*Reader, error) { return openFile(path, kek, false) }

// OpenTruncated is Open for views: it also opens a recording without a seal (its run goes
// on, or its process died), which reads up to its last whole chunk. Nothing
// vouches for where it ends, so it is no ground for a replay.
func OpenTruncated(path string, kek seal.Key) (*Reader, error) { return openFile(path, kek, true) }

func openFile(path string, kek seal.Key, cutShort bool) (*Reader, error) {
	f, err := sys.OS{}.Open(path)
	if err != nil {
		return nil, openError(path, err)
	}
	var size int64
	if st, err := f.Stat(); err != nil {
		_ = f.Close() // only read
		return nil, readError(path, err)
	} else if size = st.Size(); !st.Mode().IsRegular() {
		_ = f.Close()
		return nil, readError(path, errors.New("not a file"))
	}
	r, err := newReader(path, f, size, kek, cutShort)
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return r, nil
}

// newReader reads a recording of size bytes from f, which the Reader closes.
func newReader(path string, f source, size int64, kek seal.Key, cutShort bool) (*Reader, error) {
	h, err := readHeader(path, f, size)
	if err != nil {
		return nil, err
	}
	r := &Reader{path: path, file: f, size: size, body: h.size, digest: h.digest}
	key, err := h.open(path, kek, &r.header)
	if err != nil {
		return nil, err
	}
	r.box = seal.NewBox(key.Derive(labelChunk))
	r.state, r.input = seal.NewMAC(key.Derive(labelState)), seal.NewMAC(key.Derive(labelInput))
	r.dec = decoder{shapes: newShapes(), rows: h.public.Rows}
	if r.found, err = r.scan(); err != nil {
		if abi.CodeOf(err) == CodeDamaged {
			if first := r.locate(); first != nil {
				return nil, first
			}
		}
		return nil, err
	}
	if !r.found.sealed && !cutShort {
		return nil, unsealed(path, r.found.part, r.found.stop)
	}
	if r.found.sealed {
		if err := r.checkEnd(); err != nil {
			return nil, err
		}
	}
	return r, r.Rewind()
}

// checkEnd holds what the scan found against the trailer and the end frame.
func (r *Reader) checkEnd() error {
	s := r.found
	t := &s.trailer
	if t.chunks != s.chunks || t.chain != s.chain || t.seal != sealOf(r.digest, s.chain, t.chunks, t.calls) {
		if err := r.locate(); err != nil {
			return err
		}
		return damaged(r.path, "end or trailer", s.stop, errors.New("the seal is not that of what stands before it"))
	}
	b, err := r.openEnd(s)
	if err != nil {
		return err
	}
	r.end = new(End)
	if err := codec.Unmarshal(b, r.end); err != nil {
		return damaged(r.path, "end", s.stop, err)
	}
	if r.end.Calls != t.calls {
		return damaged(r.path, "trailer", s.after, errors.New("the count of calls is not the end's"))
	}
	return nil
}

// openEnd decrypts the end frame that the scan found.
func (r *Reader) openEnd(s *scanned) ([]byte, error) {
	frame := make([]byte, s.end.body+frameSize)
	if _, err := r.file.ReadAt(frame, s.stop); err != nil {
		return nil, readError(r.path, err)
	}
	ad := associated(r.digest, frame[:frameSize])
	b, err := r.box.Open(nil, s.chunks, ad[:], frame[frameSize:])
	if err != nil {
		return nil, damaged(r.path, "end, or "+s.part, s.stop, err)
	}
	return b, nil
}

// locate returns the error of the first of the found chunks that does not
// authenticate, nil if all do: where the chain, the seal or a frame is wrong,
// something before it may be what was changed.
func (r *Reader) locate() error {
	if err := r.Rewind(); err != nil {
		return err
	}
	for r.offset < r.found.stop {
		if _, err := r.load(); err != nil {
			return err
		}
	}
	return nil
}

// Header returns the header. It belongs to the Reader.
func (r *Reader) Header() *Header { return &r.header }

// HeaderDigest returns the digest that the log has of the header.
func (r *Reader) HeaderDigest() abi.Digest { return r.digest }

// Seal returns the seal, and whether there is one.
func (r *Reader) Seal() (abi.Digest, bool) { return r.found.trailer.seal, r.found.sealed }

// CheckSeal says F1-RPL-013 unless want is the seal.
func (r *Reader) CheckSeal(want abi.Digest) error {
	if got, ok := r.Seal(); !ok || got != want {
		return otherSeal(r.path)
	}
	return nil
}

// End returns how the run ended, and whether the recording says so.
func (r *Reader) End() (*End, bool) { return r.end, r.end != nil }

// Truncated tells whether the recording has no seal, and where it breaks off.
func (r *Reader) Truncated() (where string, yes bool) {
	if r.found.sealed {
		return "", false
	}
	return at(r.path, r.found.part, r.found.stop), true
}

// StateMAC returns the MAC that End.State was made with.
func (r *Reader) StateMAC() *seal.MAC { return r.state }

// CheckIn returns the tag that in would have as the input of call index, to be
// compared with Event.InTag. It must stay in memory: two tags under one index
// would give the key away.
func (r *Reader) CheckIn(index uint64, in []byte) [16]byte { return r.input.Tag(index, 0, in) }

// Rewind goes back to the first call.
func (r *Reader) Rewind() error {
	r.offset, r.chunk, r.index, r.err = r.body, 0, 0, nil
	r.dec.left, r.dec.heads, r.dec.outs = 0, nil, nil
	return nil
}

// Close lets go of the file, and of what Share did.
func (r *Reader) Close() error {
	if r.zstd != nil {
		r.zstd.Close()
	}
	if r.lock != nil {
		_ = r.lock.Unlock()
	}
	return r.file.Close()
}
