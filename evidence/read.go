package evidence

import (
	"errors"
	"io"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/sys"
)

// Read calls each with every committed record from index from on, in order,
// without a key: it checks checksums, the tree and the chain of seals, but not
// who signed. It reads what is there when it begins, takes no lock, and stops,
// without an error, at bytes behind the last commit, which may be a write in
// progress. An error of each ends it
// and comes back as it is.
//
// Damage is reported as by Verify; use that to know whether a log is genuine.
func Read(dir string, from uint64, each func(index uint64, r abi.Record) error) error {
	w := newWalker(sys.OS{}, dir)
	defer func() { _ = w.close() }() // it was only read
	goal, err := w.extent()
	if isMissing(err) {
		return missing(dir, err)
	} else if err != nil {
		return publish(dir, err)
	}
	for !w.reached(goal) {
		first := w.c.tree.N
		b, err := w.next()
		switch {
		case err == io.EOF:
			return nil
		case err != nil && w.file == nil && isMissing(err):
			return missing(dir, err)
		case err != nil:
			if d, ok := err.(*damage); ok && unfinished(w, d) {
				return nil
			}
			return publish(dir, err)
		}
		if w.c.tree.N <= from {
			continue
		}
		var own error
		err = w.each(b, first, func(index uint64, r abi.Record) error {
			if index >= from {
				own = each(index, r)
			}
			return own
		})
		if own != nil {
			return own
		}
		if err != nil {
			return publish(dir, err)
		}
	}
	return nil
}

// unfinished tells whether d may be a write in progress: damage behind the last
// commit of the last segment, with no commit behind it.
func unfinished(w *walker, d *damage) bool {
	if w.file == nil || w.c.opened || d.seg != w.c.seg {
		return false
	}
	if _, err := w.fs.Stat(w.path(w.c.seg + 1)); !isMissing(err) {
		return false
	}
	end, err := w.tail()
	if err != nil {
		return false
	}
	later, err := w.findCommit(end, func([]byte) bool { return true })
	return err == nil && later == nil
}

// errStop ends a reading early.
var errStop = errors.New("stop")

// Entry returns the record with the given index, checked as by Read.
func Entry(dir string, index uint64) (r abi.Record, err error) {
	err = Read(dir, index, func(_ uint64, got abi.Record) error {
		r = got
		return errStop
	})
	if errors.Is(err, errStop) {
		return r, nil
	}
	if err == nil {
		err = &abi.Error{Code: CodeRecord, What: "the log has no such record", Where: dir, Hint: "forgeone log list"}
	}
	return r, err
}
