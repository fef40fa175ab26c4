package evidence

import (
	"encoding/binary"
	"io"
	"slices"
)

// batch is the frames up to and with one commit. Its slices are the scanner's
// and hold until its next batch.
type batch struct {
	start    int64 // offset in the segment of its first frame
	end      int64 // and of what follows its commit
	entries  [][]byte
	offsets  []int64 // of the entries' frames
	note     []byte
	commitAt int64
	raw      []byte // all its bytes
}

// scanner reads the frames of one segment, batch by batch. It believes
// nothing: lengths are checked before memory is taken, and it holds one batch
// at most.
type scanner struct {
	r     io.ReaderAt
	off   int64 // where the next batch begins
	buf   []byte
	at    int64 // offset of buf[0]
	ahead int   // how much is read at a time
	b     batch
}

const (
	minAhead = 4 << 10
	maxAhead = 1 << 20
)

// reset makes the scanner read r from off and forget what it read.
func (s *scanner) reset(r io.ReaderAt, off int64) {
	s.r, s.off, s.at, s.buf, s.ahead = r, off, off, s.buf[:0], minAhead
}

// bytes returns the n bytes at offset off of the segment, fewer at the end of
// the file.
func (s *scanner) bytes(off int64, n int) ([]byte, error) {
	rel := int(off - s.at)
	if have := len(s.buf); rel+n > have {
		want := max(rel+n, have+s.ahead)
		s.ahead = min(s.ahead*4, maxAhead)
		s.buf = slices.Grow(s.buf, want-have)
		m, err := s.r.ReadAt(s.buf[have:want], s.at+int64(have))
		s.buf = s.buf[:have+m]
		if err != nil && err != io.EOF {
			return nil, err
		}
	}
	return s.buf[min(rel, len(s.buf)):min(rel+n, len(s.buf))], nil
}

// bad reports damage at off; size is what the frame claims to take.
func (s *scanner) bad(off, size int64, what string) error {
	return &damage{code: CodeDamaged, what: what, off: off, index: uint64(len(s.b.offsets)), size: size}
}

// next returns the next batch; io.EOF where the file or its zeros begin
// right after a commit; a *damage whose index counts from the batch's first
// record and whose segment is not set; or an error of reading.
func (s *scanner) next() (*batch, error) {
	// Drop the batches before, but not often: a copy each time would be
	// quadratic.
	if gone := int(s.off - s.at); gone >= len(s.buf) {
		s.buf, s.at = s.buf[:0], s.off
	} else if gone > cap(s.buf)/2 {
		s.buf, s.at = append(s.buf[:0], s.buf[gone:]...), s.off
	}
	s.b = batch{start: s.off, entries: s.b.entries[:0], offsets: s.b.offsets[:0]}
	for off := s.off; ; {
		h, err := s.bytes(off, frameHead)
		if err != nil {
			return nil, err
		}
		if allZero(h) {
			if off == s.off {
				return nil, io.EOF
			}
			return nil, s.bad(off, 0, "the records end without a commit")
		}
		if len(h) < frameHead {
			return nil, s.bad(off, 0, "a frame is cut off at the end of the file")
		}
		n, sum, kind := int64(binary.LittleEndian.Uint32(h)), binary.LittleEndian.Uint32(h[4:]), h[8]
		if limit := int64(frameLimit(kind)); limit == 0 || n == 0 || n > limit {
			return nil, s.bad(off, 0, "a frame's type or length cannot be right")
		}
		size := frameHead + n
		if off+size-s.off > maxBatch {
			return nil, s.bad(off, size, "a batch is too long")
		}
		f, err := s.bytes(off, int(size))
		if err != nil {
			return nil, err
		}
		if int64(len(f)) < size {
			return nil, s.bad(off, size, "a frame is cut off at the end of the file")
		}
		if frameSum(f[:frameHead], f[frameHead:]) != sum {
			return nil, s.bad(off, size, "a frame has a wrong checksum")
		}
		if kind == frameCommit {
			if len(s.b.offsets) == 0 {
				return nil, s.bad(off, size, "a commit has no records")
			}
			return s.finish(off, size)
		}
		s.b.offsets = append(s.b.offsets, off)
		off += size
	}
}

// finish cuts the batch out of the buffer, which no longer moves. The frames
// were checked already.
func (s *scanner) finish(commitAt, size int64) (*batch, error) {
	b := &s.b
	b.commitAt, b.end = commitAt, commitAt+size
	b.raw = s.buf[b.start-s.at : b.end-s.at]
	for i, off := range b.offsets {
		end := commitAt
		if i+1 < len(b.offsets) {
			end = b.offsets[i+1]
		}
		b.entries = append(b.entries, b.raw[off-b.start+frameHead:end-b.start])
	}
	b.note = b.raw[commitAt-b.start+frameHead:]
	s.off = b.end
	return b, nil
}

func allZero(b []byte) bool {
	for len(b) >= 8 {
		if binary.LittleEndian.Uint64(b) != 0 {
			return false
		}
		b = b[8:]
	}
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
