package evidence

import (
	"fmt"
	"io"
	"path/filepath"
	"strconv"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/sys"
)

const tornDomain = "forgeone/torn-tail/v1"

// sector is the least that a disk writes as a whole.
const sector = 512

// inspectTail looks at what is behind the last commit: zeros, or a torn tail to
// mend. d is the damage met there, nil if there was none at its beginning.
// The lock is held.
func (l *Log) inspectTail(d *damage) error {
	if err := l.w.strays(); err != nil {
		return tampered(err)
	}
	end, err := l.w.tail()
	if err != nil {
		return err
	}
	if end == l.w.c.off && d == nil {
		return nil
	}
	return l.mendTail(d, end)
}

// mend is called when the batch at the chain's offset is damaged, the lock
// being held.
func (l *Log) mend(d *damage) error {
	if l.w.file == nil || d.seg != l.w.c.seg {
		return tampered(d) // a header, or a segment that should not be there
	}
	return l.inspectTail(d)
}

// tampered reports damage that no crash makes.
func tampered(err error) error {
	d, ok := err.(*damage)
	if !ok {
		return err
	}
	return &damage{code: CodeTampered, what: "the evidence log was tampered with: " + d.what, seg: d.seg, off: d.off, index: d.index, err: d.err}
}

// mendTail moves the bytes from the last commit to end aside, if a crash can have
// left them.
func (l *Log) mendTail(d *damage, end int64) error {
	w := l.w
	if d == nil {
		d = w.c.damage(CodeTorn, w.c.off, w.c.tree.n, "bytes behind the last commit", nil)
	}
	if _, err := w.fs.Stat(w.path(w.c.seg + 1)); err == nil || w.c.opened || end == w.c.off {
		return tampered(d) // the segment is sealed, or lacks even its first commit
	} else if !isMissing(err) {
		return err
	}
	later, err := w.findCommit(end, l.signedByUs)
	if err != nil {
		return err
	}
	if later != nil {
		if torn, err := w.lostSectors(d, later, end); err != nil {
			return err
		} else if !torn {
			return tampered(d)
		}
	}
	if l.o.Key == nil {
		return nil // the next writer mends
	}
	return l.moveAside(end, later)
}

// signedByUs tells whether the note of a commit is of this log's key; to a
// reader without keys every one is.
func (l *Log) signedByUs(note []byte) bool {
	keys := l.o.Keys
	if l.o.Key != nil {
		keys = append([]PublicKey{l.o.Key.Public()}, keys...)
	}
	return len(keys) == 0 || verifyNote(note, newVerifiers(l.w.c.origin, keys)) == nil
}

// span is where a commit's frame lies.
type span struct{ at, end int64 }

// findCommit looks, byte by byte, for a commit of this log over more records
// than the chain has, between the chain's offset and end.
func (w *walker) findCommit(end int64, signed func(note []byte) bool) (*span, error) {
	const window = 1 << 20
	buf := make([]byte, min(window+commitSpace, end-w.c.off))
	for off := w.c.off; off < end; off += window {
		n, err := w.file.ReadAt(buf[:min(int64(len(buf)), end-off)], off)
		if err != nil && err != io.EOF {
			return nil, err
		}
		for i := 0; i < min(n, window); i++ {
			b := buf[i:n]
			if len(b) < frameHead || b[8] != frameCommit || b[2] != 0 || b[3] != 0 {
				continue
			}
			size := int(b[0]) | int(b[1])<<8
			if size > maxNote || len(b) < frameHead+size || w.sumOf(b[:frameHead+size]) != uint32(b[4])|uint32(b[5])<<8|uint32(b[6])<<16|uint32(b[7])<<24 {
				continue
			}
			note := b[frameHead : frameHead+size]
			if c, err := parseNote(note); err == nil && c.origin == w.c.origin && c.size > w.c.tree.n && signed(note) {
				at := off + int64(i)
				return &span{at, at + int64(frameHead+size)}, nil
			}
		}
	}
	return nil, nil
}

func (w *walker) sumOf(f []byte) uint32 { return frameSum(f[:frameHead], f[frameHead:]) }

// lostSectors tells whether the damage d ahead of the commit later looks like a
// power failure in the middle of the last write: a disk writes sectors in any
// order, so the commit may have come there and records of its batch not, whose
// sectors then are still zero. Nothing may follow, or it was not the last
// write. Whoever makes such damage on purpose gains nothing: he could have put
// zeros over the whole batch.
func (w *walker) lostSectors(d *damage, later *span, end int64) (bool, error) {
	off := w.c.off
	if later.end != end || d.off < off || d.off >= later.at || later.at-off > maxBatch {
		return false, nil
	}
	b := make([]byte, later.at-off)
	if _, err := w.file.ReadAt(b, off); err != nil && err != io.EOF {
		return false, err
	}
	for s := d.off - d.off%sector; s < min(d.off+max(d.size, frameHead), later.at); s += sector {
		from, to := max(s, off), min(s+sector, later.at)
		if to-from >= 16 && allZero(b[from-off:to-off]) {
			return true, nil
		}
	}
	return false, nil
}

// moveAside copies the bytes between the last commit and end into a file of
// their own, durably, then appends a Recovered record over them, then zeros
// the rest. A crash in between leaves a torn tail again.
func (l *Log) moveAside(end int64, later *span) error {
	w, off := l.w, l.w.c.off
	rec := &abi.Recovered{Segment: w.c.seg, Offset: uint64(off), Length: uint64(end - off)}
	var err error
	if rec.SHA3, err = l.copyAside(off, end); err != nil {
		return ioError("move a torn tail aside", l.o.Dir, err)
	}
	if later != nil {
		// First of all the commit, or it would stand behind the new one as a
		// sign of tampering.
		if _, err := sys.Preallocate(w.file, later.at, later.end); err != nil {
			return ioError("clear a torn tail", w.path(w.c.seg), err)
		}
		if err := w.file.Datasync(); err != nil {
			return ioError("clear a torn tail", w.path(w.c.seg), err)
		}
	}
	i, err := w.file.Stat()
	if err != nil {
		return err
	}
	l.alloc = i.Size()
	r := abi.Record{Kind: abi.KindRecovered, Time: max(l.o.Now().UnixNano(), w.c.time), Body: rec}
	c := w.c
	c.sum, c.note = seal.NewSHA256(), nil // only the bytes are wanted; the transaction moves the chain
	raw, err := c.opening(r, l.signer)
	if err != nil {
		return err
	}
	if err := l.allocate(int64(len(raw)), true); err != nil {
		return err
	}
	return l.appendRecovered(r, raw, c, end)
}

// appendRecovered writes the batch raw of the record r, after which the chain
// is c but for its sums, and clears what is left of the torn tail up to end.
func (l *Log) appendRecovered(r abi.Record, raw []byte, c chain, end int64) error {
	w := l.w
	where := w.path(w.c.seg)
	if _, err := w.file.WriteAt(raw, w.c.off); err != nil {
		return ioError("write the evidence log", where, err)
	}
	l.stats.syncs.Add(1)
	if err := w.file.Datasync(); err != nil {
		return ioError("make the evidence log durable", where, err)
	}
	w.c.move(raw, c.tree, c.root, r.Time, c.note)
	w.again()
	if _, err := sys.Preallocate(w.file, w.c.off, max(end, w.c.off)); err != nil {
		return ioError("clear a torn tail", where, err)
	}
	if err := w.file.Datasync(); err != nil {
		return ioError("clear a torn tail", where, err)
	}
	l.stats.records.Add(1)
	l.stats.batches.Add(1)
	l.publishHead()
	return l.tell(r)
}

// copyAside copies bytes of the segment into a new file torn-SEGMENT-OFFSET and
// returns their digest.
func (l *Log) copyAside(off, end int64) (d abi.Digest, err error) {
	base := filepath.Join(l.o.Dir, fmt.Sprintf("torn-%08d-%d", l.w.c.seg, off))
	f, err := l.o.FS.Create(base)
	for n := 1; isExist(err) && n < 1000; n++ {
		f, err = l.o.FS.Create(base + "." + strconv.Itoa(n))
	}
	if err != nil {
		return d, err
	}
	h := seal.NewHash(tornDomain)
	_, err = io.Copy(io.MultiWriter(h, io.NewOffsetWriter(f, 0)), io.NewSectionReader(l.w.file, off, end-off))
	if err == nil {
		err = f.Datasync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = l.o.FS.SyncDir(l.o.Dir)
	}
	return h.Digest(), err
}
