package trace

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/codec"
	"github.com/forgeone/forgeone/internal/seal"
)

// fileHeader is a header as it stands in the file.
type fileHeader struct {
	raw    []byte
	plain  int // where the sealed part begins
	size   int64
	public public
	digest abi.Digest
}

// readHeader reads the header of a recording of size bytes, without a key.
func readHeader(path string, f io.ReaderAt, size int64) (*fileHeader, error) {
	if size == 0 {
		return nil, &abi.Error{Code: CodeEmpty, What: "the recording is empty", Where: path, Hint: hintDoctor}
	}
	prefix := make([]byte, min(size, int64(prefixSize)))
	if _, err := f.ReadAt(prefix, 0); err != nil && err != io.EOF {
		return nil, readError(path, err)
	}
	if n := min(len(prefix), len(magic)); string(prefix[:n]) != magic[:n] {
		return nil, &abi.Error{
			Code: CodeFormat, What: "this is not a recording, or one of another version", Where: at(path, "magic", 0),
			Hint: "forgeone version",
		}
	}
	if len(prefix) < prefixSize {
		return nil, unsealed(path, "header", size)
	}
	pub, sealed := binary.LittleEndian.Uint32(prefix[len(magic):]), binary.LittleEndian.Uint32(prefix[len(magic)+4:])
	if pub > maxPublic || sealed > maxSealed {
		return nil, damaged(path, "header", int64(len(magic)), fmt.Errorf("parts of %d and %d bytes", pub, sealed))
	}
	h := &fileHeader{plain: prefixSize + int(pub), size: int64(prefixSize) + int64(pub) + int64(sealed)}
	if h.size > size {
		return nil, unsealed(path, "header", size)
	}
	h.raw = make([]byte, h.size)
	if _, err := f.ReadAt(h.raw, 0); err != nil && err != io.EOF {
		return nil, readError(path, err)
	}
	if err := codec.Unmarshal(h.raw[prefixSize:h.plain], &h.public); err != nil {
		return nil, damaged(path, "header", int64(prefixSize), err)
	}
	h.digest = seal.Sum(headerDomain, h.raw)
	return h, nil
}

// open decrypts the sealed part into to and returns the recording's data key.
func (h *fileHeader) open(path string, kek seal.Key, to *Header) (seal.Key, error) {
	key, err := seal.Unwrap(kek, h.public.Key)
	if err != nil {
		if seal.Equal(h.public.KeyID, keyID(kek)) {
			return key, damaged(path, "header", int64(prefixSize), err)
		}
		return key, &abi.Error{
			Code: CodeForeign, What: "the recording was made under another key", Where: path,
			Hint: "forgeone doctor", Err: err,
		}
	}
	b, err := seal.NewBox(key.Derive(labelHeader)).Open(nil, 0, h.raw[:h.plain], h.raw[h.plain:])
	if err == nil {
		err = to.unmarshal(b)
	}
	if err == nil && (to.Run != h.public.Run || to.Table != h.public.Table) {
		err = errors.New("its two parts disagree")
	}
	if err != nil {
		return key, damaged(path, "header", int64(prefixSize), err)
	}
	return key, h.checkTable(path)
}

// checkTable refuses a recording whose syscalls are not the first of ours.
func (h *fileHeader) checkTable(path string) error {
	if rows := h.public.Rows; rows < 1 || rows > len(abi.Rows()) || TableDigest(rows) != h.public.Table {
		return &abi.Error{
			Code: CodeTable, What: "the recording was made with another table of syscalls", Where: path,
			Hint: "forgeone version",
		}
	}
	return nil
}

// scanned is what a pass over the frames found.
type scanned struct {
	sealed  bool
	chunks  uint64
	stop    int64  // offset after the last whole chunk
	part    string // what stands, or should, at stop
	end     frame
	after   int64 // offset after the end frame
	chain   [32]byte
	trailer trailer
}

// scan walks the frames and computes the chain. It needs no key and believes
// no length. An error says that the file is damaged or can't be read, and comes
// with what was found before; a file that merely breaks off is not sealed.
func (r *Reader) scan() (*scanned, error) {
	s := &scanned{stop: r.body, chain: r.digest}
	whole := r.endsWithTrailer()
	in := bufio.NewReaderSize(io.NewSectionReader(r.file, r.body, r.size-r.body), 64<<10)
	var head [frameSize]byte
	for {
		s.part = chunkName(s.chunks)
		left := r.size - s.stop
		if left < frameSize {
			if whole {
				return s, damaged(r.path, s.part, s.stop, errLayout)
			}
			return s, nil
		}
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return s, readError(r.path, err)
		}
		if head == [frameSize]byte{} && !whole {
			return s, nil // blocks that were kept ready
		}
		f, err := parseFrame(head[:])
		if err != nil {
			return s, damaged(r.path, s.part, s.stop, err)
		}
		if int64(f.body) > left-frameSize {
			if whole {
				return s, damaged(r.path, s.part, s.stop, fmt.Errorf("frame of %d bytes, %d are left", f.body, left))
			}
			return s, nil
		}
		h := seal.NewSHA256()
		h.Write(s.chain[:])
		h.Write(head[:])
		if _, err := io.CopyN(h, in, int64(f.body)); err != nil {
			return s, readError(r.path, err)
		}
		h.Sum(s.chain[:0])
		if f.kind == frameEnd {
			s.end, s.after = f, s.stop+frameSize+int64(f.body)
			return s, r.readTrailer(s, whole)
		}
		s.stop += frameSize + int64(f.body)
		s.chunks++
	}
}

// endsWithTrailer tells whether the file ends as a sealed one does: what is
// wrong before that is damage, not a cut.
func (r *Reader) endsWithTrailer() bool {
	b := make([]byte, len(trailerMagic))
	at := r.size - int64(trailerSize)
	if at < r.body {
		return false
	}
	_, err := r.file.ReadAt(b, at)
	return err == nil && string(b) == trailerMagic
}

func (r *Reader) readTrailer(s *scanned, whole bool) error {
	left := r.size - s.after
	if left < int64(trailerSize) {
		if whole {
			return damaged(r.path, "end", s.stop, errLayout)
		}
		s.part = "end"
		return nil
	}
	if left > int64(trailerSize) {
		if _, err := r.openEnd(s); err != nil {
			return err // no end: a chunk whose kind was changed
		}
		return damaged(r.path, "trailer", s.after, fmt.Errorf("%d bytes too many", left-int64(trailerSize)))
	}
	b := make([]byte, trailerSize)
	if _, err := r.file.ReadAt(b, s.after); err != nil && err != io.EOF {
		return readError(r.path, err)
	}
	var ok bool
	if s.trailer, ok = parseTrailer(b); !ok {
		return damaged(r.path, "trailer", s.after, errLayout)
	}
	s.sealed = true
	return nil
}
