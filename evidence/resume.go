package evidence

import (
	"errors"
	"fmt"
	"io"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/merkle"
	"github.com/forgeone/forgeone/internal/sys"
)

// resume continues after the checkpoint c of the folder: the tree comes from its
// tiles, which are checked against c's root, and the log is read from the
// beginning of the segment in which the commit over c.size stands. It returns
// false if the tiles are not whole or the log has no such commit.
func (e *Exporter) resume(c checkpoint) (bool, error) {
	f := tileFolder(e.dir)
	t, err := f.frontier(c)
	if err != nil {
		return false, nil //nolint:nilerr // made anew, and compared
	}
	last, err := f.lastBundle(c, e.t.Hasher)
	if err != nil {
		return false, nil //nolint:nilerr // the same
	}
	if err := e.t.Resume(t, f.hashes(c), last); err != nil {
		return false, nil //nolint:nilerr // the same
	}
	_, when, ok := peek(last[len(last)-1])
	if !ok {
		return false, nil
	}
	w := e.v.w
	if e.terms, err = f.recoverTerms(c, e.note, &w.c.terms); err != nil {
		return false, nil //nolint:nilerr // the same
	}
	found, err := w.seek(c.size)
	if err != nil || !found {
		return false, err
	}
	if w.c.root != c.root {
		return false, e.forked(checkpointName, errors.New("over as many records the log has another root"))
	}
	w.c.tree, w.c.time = t, when
	e.v.report.Records = c.size
	return true, nil
}

// frontier returns the tree that c is over.
func (f tileFolder) frontier(c checkpoint) (t merkle.Tree, err error) {
	var want []int64
	for i := range bits.Len64(c.size) {
		if c.size>>i&1 == 1 {
			want = append(want, tlog.StoredHashIndex(i, int64(c.size>>i)-1))
		}
	}
	got, err := f.hashes(c).ReadHashes(want)
	if err != nil {
		return t, err
	}
	t.N = c.size
	for i := range bits.Len64(c.size) {
		if c.size>>i&1 == 1 {
			t.Stack[i], got = got[0], got[1:]
		}
	}
	return t, nil
}

// lastBundle returns the entries of the tree that c is over which stand in one
// bundle with its last.
func (f tileFolder) lastBundle(c checkpoint, h *merkle.Hasher) ([][]byte, error) {
	last := c.size - 1
	at := merkle.Tile{Level: merkle.EntriesLevel, N: last / merkle.TileWidth, Width: int(last%merkle.TileWidth) + 1}
	entries, err := f.bundle(at)
	if err != nil {
		return nil, err
	}
	return entries, f.leaves(c, h, at.First(), entries)
}

// leaves checks that entries, the first of which has index first, are those of
// the tree that c is over.
func (f tileFolder) leaves(c checkpoint, h *merkle.Hasher, first uint64, entries [][]byte) error {
	var want []int64
	for i := range entries {
		want = append(want, tlog.StoredHashIndex(0, int64(first)+int64(i)))
	}
	got, err := f.hashes(c).ReadHashes(want)
	if err != nil {
		return err
	}
	for i, e := range entries {
		if h.Leaf(e) != got[i] {
			return &abi.Error{Code: CodeTree, What: "a record is not the one in the tree", Where: string(f)}
		}
	}
	return nil
}

// termsName is a file of an export's folder that whoever continues it reads: the
// indexes of the records that say who signs the log, one a line. It is not part of
// the export.
const termsName = ".terms"

func writeTerms(list []uint64) (b []byte) {
	for _, n := range list {
		b = append(strconv.AppendUint(b, n, 10), '\n')
	}
	return b
}

// recoverTerms follows who signs, up to c, whose note is n, and checks that the
// right key signed it. It returns the records' indexes.
func (f tileFolder) recoverTerms(c checkpoint, n []byte, t *terms) (list []uint64, err error) {
	b, err := f.read(termsName, maxTerms*24)
	if err != nil {
		return nil, err
	}
	r, h := f.hashes(c), merkle.NewHasher()
	for l := range strings.Lines(string(b)) {
		index, err := strconv.ParseUint(strings.TrimSuffix(l, "\n"), 10, 63)
		if err != nil || index >= c.size {
			return nil, fmt.Errorf("%s: no index of a record: %q", termsName, l)
		}
		e, err := f.entry(index, c.size)
		if err != nil {
			return nil, err
		}
		if err := f.leaves(c, h, index, [][]byte{e}); err != nil {
			return nil, err
		}
		kind, _, _ := peek(e)
		var failed error
		err = t.apply(kind, e, index, func() (d abi.Digest) {
			root, err := tlog.TreeHash(int64(index), r)
			failed = err
			return abi.Digest(root)
		})
		if err = errors.Join(err, failed); err != nil {
			return nil, err
		}
		list = append(list, index)
	}
	_, err = openPublished(n, []PublicKey{t.signer(c.size)})
	return list, err
}

// seek puts the walker behind the commit over size records, without reading what
// is in front of its segment. The caller knows the tree up to there, and the
// last record's time. False: there is no such commit, and the walker is of no
// more use.
func (w *walker) seek(size uint64) (bool, error) {
	list, err := w.fs.ReadDir(w.dir)
	if err != nil {
		return false, err
	}
	var segs []uint64
	for _, x := range list {
		if n, ok := parseSegmentName(x.Name()); ok {
			segs = append(segs, n)
		}
	}
	slices.Sort(segs)
	for _, n := range slices.Backward(segs) {
		f, err := w.open(w.path(n))
		if err != nil {
			return false, err
		}
		b := make([]byte, headerSize)
		m, err := f.ReadAt(b, 0)
		if err != nil && err != io.EOF {
			return false, closing(f, err)
		}
		h, err := parseHeader(b[:m])
		if err != nil {
			return false, closing(f, nil) // whoever reads it all says where
		}
		if h.First < size {
			w.file = f
			w.c.origin, w.c.seg, w.c.first, w.c.prev = h.Origin, n, h.First, h.Prev
			w.c.off, w.c.opened = headerSize, false
			w.c.sum.Write(b)
			return w.skip(size)
		}
		if err := f.Close(); err != nil {
			return false, err
		}
	}
	return false, nil
}

// skip goes on to the commit over size records, checking no more than checksums
// and the count.
func (w *walker) skip(size uint64) (bool, error) {
	w.sc.reset(w.file, headerSize)
	for at := w.c.first; at < size; {
		b, err := w.sc.next()
		if err != nil {
			return false, nil //nolint:nilerr // whoever reads it all says what is wrong
		}
		n, err := parseNote(b.note)
		at += uint64(len(b.entries))
		if err != nil || n.size != at || n.origin != w.c.origin {
			return false, nil
		}
		w.c.sum.Write(b.raw)
		w.c.off, w.c.root = b.end, n.root
		w.c.note = append(w.c.note[:0], b.note...)
		if at == size {
			return true, nil
		}
	}
	return false, nil
}

// newestCommit returns how many records the newest commit of the log counts.
// Nothing but checksums is checked.
func newestCommit(log string) (uint64, error) {
	w := newWalker(sys.OS{}, log)
	defer func() { _ = w.close() }() // it was only read
	_, err := w.seek(^uint64(0))
	if isMissing(err) {
		return 0, missing(log, err)
	} else if err != nil {
		return 0, publish(log, err)
	}
	n, err := parseNote(w.c.note)
	if err != nil {
		return 0, missing(log, err)
	}
	return n.size, nil
}
