package trace

import (
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// Next reads the next call into ev, and says io.EOF after the last. Any other
// error stays and names the place.
func (r *Reader) Next(ev *Event) error {
	for r.err == nil {
		if r.dec.left > 0 || len(r.dec.heads) > 0 || len(r.dec.outs) > 0 {
			at, chunk := r.offset, r.chunk-1
			err := r.dec.next(ev)
			if err == nil {
				r.index++
				return nil
			}
			if err != io.EOF {
				r.err = damaged(r.path, chunkName(chunk), at, err)
				break
			}
			r.dec.heads, r.dec.outs = nil, nil
		}
		r.err = r.advance()
	}
	return r.err
}

// advance makes the next chunk ready, or says io.EOF.
func (r *Reader) advance() error {
	if r.offset >= r.found.stop {
		if r.end != nil && r.end.Calls != r.index {
			return damaged(r.path, "end", r.found.stop, fmt.Errorf("%d calls, the end counts %d", r.index, r.end.Calls))
		}
		return io.EOF
	}
	from, chunk := r.offset, r.chunk
	plain, err := r.load()
	if err != nil {
		if !r.found.sealed && r.offset == r.found.stop {
			// The last write of a run that died may have left room without content.
			r.found.stop, r.found.part = from, chunkName(chunk)
			return io.EOF
		}
		return err
	}
	if err := r.dec.reset(plain, r.index); err != nil {
		return damaged(r.path, chunkName(chunk), from, err)
	}
	return nil
}

// load decrypts the frame at offset, moves beyond it, and returns the chunk,
// which is valid until the next load.
func (r *Reader) load() ([]byte, error) {
	from, chunk := r.offset, r.chunk
	bad := func(err error) ([]byte, error) { return nil, damaged(r.path, chunkName(chunk), from, err) }
	var head [frameSize]byte
	if _, err := r.file.ReadAt(head[:], from); err != nil {
		return nil, readError(r.path, err)
	}
	f, err := parseFrame(head[:])
	if err != nil {
		return bad(err)
	}
	// The file was scanned, but it may have been changed since.
	if f.kind == frameEnd || int64(f.body) > r.found.stop-from-frameSize {
		return bad(errLayout)
	}
	if cap(r.frame) < int(f.body) {
		r.frame = make([]byte, f.body)
	}
	body := r.frame[:f.body]
	if _, err := r.file.ReadAt(body, from+frameSize); err != nil {
		return nil, readError(r.path, err)
	}
	r.offset, r.chunk = from+frameSize+int64(f.body), chunk+1
	ad := associated(r.digest, head[:])
	plain, err := r.box.Open(body[:0], chunk, ad[:], body)
	if err != nil {
		return bad(err)
	}
	switch f.kind {
	case frameZstd:
		plain, err = r.expand(plain, int(f.size))
	case frameS2:
		plain, err = r.expandS2(plain, int(f.size))
	}
	if err != nil {
		return bad(err)
	}
	return plain, nil
}

// errSize says that a chunk is not as long as its frame says.
var errSize = errors.New("decompresses to another size")

// expandS2 is expand for S2, whose blocks begin with their decoded length.
func (r *Reader) expandS2(b []byte, size int) ([]byte, error) {
	n, err := s2.DecodedLen(b)
	if err != nil {
		return nil, err
	}
	if n != size {
		return nil, errSize
	}
	if cap(r.plain) < size {
		r.plain = make([]byte, 0, size)
	}
	return s2.Decode(r.plain[:size], b)
}

// expand decompresses b, which must have size bytes then, and no more memory
// than that is used for it.
func (r *Reader) expand(b []byte, size int) ([]byte, error) {
	if r.zstd == nil {
		z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxPlain),
			zstd.WithDecodeAllCapLimit(true))
		if err != nil {
			return nil, err
		}
		r.zstd = z
	}
	if cap(r.plain) < size {
		r.plain = make([]byte, 0, size)
	}
	plain, err := r.zstd.DecodeAll(b, r.plain[:0:size])
	if err != nil {
		return nil, err
	}
	if len(plain) != size {
		return nil, errSize
	}
	return plain, nil
}
