package evidence

import (
	"io"
	"path/filepath"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/codec"
	"github.com/forgeone/forgeone/internal/sys"
)

// walker reads a log from its beginning, batch by batch and segment by segment,
// and checks each against the chain. It takes no lock: what it meets at the
// end of a log that is being written it may have to look at again.
type walker struct {
	fs   sys.FS
	dir  string
	c    chain
	file sys.File // the chain's segment
	sc   scanner
	// open opens a segment: for reading, or for appending.
	open func(path string) (sys.File, error)
}

func newWalker(fs sys.FS, dir string) *walker {
	return &walker{fs: fs, dir: dir, c: newChain(), open: fs.Open}
}

func (w *walker) path(n uint64) string { return filepath.Join(w.dir, segmentName(n)) }

// next checks the next batch and moves past it. io.EOF says that after the last
// commit of the last segment the file ends or zeros begin. A *damage leaves
// the walker where it was: again tries anew.
func (w *walker) next() (*batch, error) {
	if w.file == nil {
		if err := w.enter(0); err != nil {
			return nil, err
		}
	}
	for {
		b, err := w.scan()
		if err == nil || err != io.EOF {
			return b, err
		}
		next := w.c.seg + 1
		if _, err := w.fs.Stat(w.path(next)); isMissing(err) {
			if w.c.opened {
				return nil, w.c.damage(CodeDamaged, w.c.off, w.c.tree.N, "a segment has no commit", nil)
			}
			return nil, io.EOF
		} else if err != nil {
			return nil, err
		}
		// There is a next one, so this one changes no more: what was read of it
		// may be older.
		w.again()
		if b, err = w.scan(); err == nil || err != io.EOF {
			return b, err
		}
		if err := w.ends(); err != nil {
			return nil, err
		}
		if err := w.enter(next); err != nil {
			return nil, err
		}
	}
}

// again forgets what was read beyond the last commit.
func (w *walker) again() { w.sc.reset(w.file, w.c.off) }

// scan reads and checks a batch of the segment.
func (w *walker) scan() (*batch, error) {
	b, err := w.sc.next()
	if d, ok := err.(*damage); ok {
		d.seg, d.index = w.c.seg, w.c.tree.N+d.index
	}
	if err != nil {
		return nil, err
	}
	if err := w.c.apply(b); err != nil {
		w.again()
		return nil, err
	}
	return b, nil
}

// ends checks that a segment with a successor ends with its last commit.
func (w *walker) ends() error {
	i, err := w.file.Stat()
	if err != nil {
		return err
	}
	if i.Size() != w.c.off {
		return w.c.damage(CodeDamaged, w.c.off, w.c.tree.N, "a sealed segment does not end with its last commit", nil)
	}
	return nil
}

// enter opens segment n, which follows.
func (w *walker) enter(n uint64) error {
	f, err := w.open(w.path(n))
	if err != nil {
		return err
	}
	// A file of a tebibyte of nothing would keep a reader busy for hours.
	if i, err := f.Stat(); err != nil {
		return closing(f, err)
	} else if i.Size() > maxFile {
		return closing(f, &damage{code: CodeDamaged, what: "the segment file is too long", seg: n, off: maxFile, index: w.c.tree.N})
	}
	b := make([]byte, headerSize)
	m, err := f.ReadAt(b, 0)
	if err != nil && err != io.EOF {
		return closing(f, err)
	}
	if err := w.c.enter(n, b[:m]); err != nil {
		return closing(f, err)
	}
	if w.file != nil {
		_ = w.file.Close() // it was only read, or is synced
	}
	w.file = f
	w.sc.reset(f, headerSize)
	return nil
}

func closing(f sys.File, err error) error {
	_ = f.Close() // nothing was written to it
	return err
}

func (w *walker) close() error {
	if w.file == nil {
		return nil
	}
	err := w.file.Close()
	w.file = nil
	return err
}

// each calls f with every record of b, the first of which has index first.
func (w *walker) each(b *batch, first uint64, f func(index uint64, r abi.Record) error) error {
	for i, e := range b.entries {
		r, err := codec.DecodeRecord(e)
		if err != nil {
			return w.c.damage(CodeRecord, b.offsets[i], first+uint64(i), "a record cannot be decoded", err)
		}
		if err := f(first+uint64(i), r); err != nil {
			return err
		}
	}
	return nil
}
