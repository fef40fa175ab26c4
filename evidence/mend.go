package evidence

import (
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/signednote"
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
		if l.o.Key == nil {
			return nil
		}
		return l.recordAside()
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
		d = w.c.damage(CodeTorn, w.c.off, w.c.tree.N, "bytes behind the last commit", nil)
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
	if l.o.Key == nil || l.adopt() != nil {
		return nil // the next writer mends
	}
	return l.moveAside(end, later)
}

// signedByUs tells whether the note of a commit is of one of this log's keys: the
// one of the term that was reached, or one that may come after; to a reader
// without keys every one is.
func (l *Log) signedByUs(note []byte) bool {
	keys := l.o.Keys
	if l.o.Key != nil {
		keys = append([]PublicKey{l.o.Key.Public()}, keys...)
	}
	if l.signer != nil {
		keys = append([]PublicKey{l.signer.Private().Public()}, keys...)
	}
	if len(keys) == 0 {
		return true
	}
	keys = append([]PublicKey{l.w.c.terms.current()}, keys...)
	return signednote.NewVerifiers(l.w.c.origin, keys...).Alone(note) == nil
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
			if c, err := parseNote(note); err == nil && c.origin == w.c.origin && c.size > w.c.tree.N && signed(note) {
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
		// A few zeros may stand in a record anyway; but the first sector may hold
		// only a few bytes of the batch.
		if (to-from >= 16 || from == off) && allZero(b[from-off:to-off]) {
			return true, nil
		}
	}
	return false, nil
}

// moveAside copies the bytes between the last commit and end into a file of
// their own, durably, then clears them, then appends a Recovered record.
//
// The power may fail in between, and a disk writes sectors in any order. So
// the record is never written over what is not zero: half of it among the
// bytes of the torn tail would look like tampering. If the power fails after
// the clearing, only the file tells of the torn tail: see recordAside.
func (l *Log) moveAside(end int64, later *span) error {
	w, off := l.w, l.w.c.off
	if err := l.copyAside(off, end); err != nil {
		return ioError("move a torn tail aside", l.o.Dir, err)
	}
	if later != nil {
		// First of all the commit: it is a sign of tampering where nothing that it
		// is over is left.
		if err := l.clear(later.at, later.end); err != nil {
			return err
		}
	}
	if err := l.clear(off, end); err != nil {
		return err
	}
	i, err := w.file.Stat()
	if err != nil {
		return err
	}
	l.alloc = i.Size()
	return l.recordAside()
}

// clear makes zeros of bytes of the segment, durably.
func (l *Log) clear(from, to int64) error {
	_, err := sys.Preallocate(l.w.file, from, to)
	if err == nil {
		err = l.w.file.Datasync()
	}
	if err != nil {
		return ioError("clear a torn tail", l.w.path(l.w.c.seg), err)
	}
	return nil
}

// asidePrefix begins the names of files with what stood at an offset of a segment.
func asidePrefix(seg uint64, off int64) string { return fmt.Sprintf("torn-%08d-%d", seg, off) }

// recordAside appends a Recovered record for every file with bytes that were
// moved aside from where the log ends now. Any such file is without one: its
// record would stand at that place.
func (l *Log) recordAside() error {
	prefix, rec := asidePrefix(l.w.c.seg, l.w.c.off), abi.Recovered{Segment: l.w.c.seg, Offset: uint64(l.w.c.off)}
	list, err := l.o.FS.ReadDir(l.o.Dir)
	if err != nil {
		return err
	}
	for _, e := range list {
		n, ok := strings.CutPrefix(e.Name(), prefix)
		if !ok || n != "" && n[0] != '.' || !e.Type().IsRegular() {
			continue // (a FIFO would be waited for)
		}
		rec := rec
		if rec.Length, rec.SHA3, err = l.digest(filepath.Join(l.o.Dir, e.Name())); err != nil {
			return ioError("read what was moved aside", l.o.Dir, err)
		}
		if rec.Length == 0 {
			continue // the crash came before anything was copied
		}
		if err := l.appendRecovered(&rec); err != nil {
			return err
		}
	}
	return nil
}

// digest returns the length and digest of a file of bytes moved aside.
func (l *Log) digest(path string) (n uint64, d abi.Digest, err error) {
	f, err := l.o.FS.Open(path)
	if err != nil {
		return 0, d, err
	}
	h := seal.NewHash(tornDomain)
	size, err := io.Copy(h, io.NewSectionReader(f, 0, maxFile))
	return uint64(size), h.Digest(), closing(f, err)
}

// appendRecovered appends a record of the log itself, as a batch of its own.
func (l *Log) appendRecovered(rec *abi.Recovered) error {
	w := l.w
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
	l.stats.records.Add(1)
	l.stats.batches.Add(1)
	l.publishHead()
	return l.tell(r)
}

// copyAside copies bytes of the segment into a new file torn-SEGMENT-OFFSET.
func (l *Log) copyAside(off, end int64) error {
	base := filepath.Join(l.o.Dir, asidePrefix(l.w.c.seg, off))
	f, err := l.o.FS.Create(base)
	for n := 1; isExist(err) && n < 1000; n++ {
		f, err = l.o.FS.Create(base + "." + strconv.Itoa(n))
	}
	if err != nil {
		return err
	}
	_, err = io.Copy(io.NewOffsetWriter(f, 0), io.NewSectionReader(l.w.file, off, end-off))
	if err == nil {
		err = f.Datasync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = l.o.FS.SyncDir(l.o.Dir)
	}
	return err
}
