package evidence

import "io"

// tail returns the offset behind the last byte of the segment that is not zero,
// the chain's offset if there is none after it.
func (w *walker) tail() (int64, error) {
	i, err := w.file.Stat()
	if err != nil {
		return w.c.off, err
	}
	return lastByte(w.file, w.c.off, i.Size())
}

// lastByte returns the offset behind the last byte of f in [from, to) that is
// not zero; from if there is none.
func lastByte(f io.ReaderAt, from, to int64) (int64, error) {
	buf := make([]byte, 32<<10)
	for to > from {
		n := min(to-from, int64(len(buf)))
		m, err := f.ReadAt(buf[:n], to-n)
		if err != nil && err != io.EOF { // (cut meanwhile: what is gone is zero)
			return from, err
		}
		if !allZero(buf[:m]) {
			for buf[m-1] == 0 {
				m--
			}
			return to - n + int64(m), nil
		}
		to -= n
	}
	return from, nil
}

// extent is how far a log reaches: the last segment and the end of what is
// in it.
type extent struct {
	seg uint64
	off int64
}

// extent looks how far the log reaches now. A reader goes that far and no
// further: those who append may be faster than it is.
func (w *walker) extent() (e extent, err error) {
	list, err := w.fs.ReadDir(w.dir)
	if err != nil {
		return e, err
	}
	for _, x := range list {
		if n, ok := parseSegmentName(x.Name()); ok && n > e.seg {
			e.seg = n
		}
	}
	f, err := w.fs.Open(w.path(e.seg))
	if err != nil {
		return e, err
	}
	i, err := f.Stat()
	if err == nil {
		e.off, err = lastByte(f, 0, min(i.Size(), maxFile))
	}
	return e, closing(f, err)
}

// reached tells whether the chain stands behind a commit at e or beyond.
func (w *walker) reached(e extent) bool {
	return w.file != nil && !w.c.opened && (w.c.seg > e.seg || w.c.seg == e.seg && w.c.off >= e.off)
}

// strays returns damage if there are segments beyond the last one: something
// between is missing.
func (w *walker) strays() error {
	list, err := w.fs.ReadDir(w.dir)
	if err != nil {
		return err
	}
	for _, e := range list {
		if n, ok := parseSegmentName(e.Name()); ok && n > w.c.seg+1 {
			return w.c.damage(CodeChain, w.c.off, w.c.tree.N, "segment "+segmentName(w.c.seg+1)+" is missing: there is "+e.Name(), nil)
		}
	}
	return nil
}
