package evidence

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/codec"
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
	return readBatches(dir, func(w *walker, b *batch, first uint64) (own, err error) {
		if w.c.tree.N <= from {
			return nil, nil
		}
		err = w.each(b, first, func(index uint64, r abi.Record) error {
			if index >= from {
				own = each(index, r)
			}
			return own
		})
		return own, err
	})
}

// readBatches calls f with every committed batch, the first record of which has
// index first. own ends the reading and comes back as it is, err as damage of the
// log.
func readBatches(dir string, f func(w *walker, b *batch, first uint64) (own, err error)) error {
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
		own, err := f(w, b, first)
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
	rs, err := Entries(dir, index)
	if err != nil {
		return r, err
	}
	return rs[0], nil
}

// Entries returns the records with the given indexes, in that order, checked as
// by Read, in one reading of the log up to the last of them; no others are
// decoded. CodeRecord: the log has not all of them.
func Entries(dir string, indexes ...uint64) ([]abi.Record, error) {
	wanted := slices.Sorted(slices.Values(indexes))
	wanted = slices.Compact(wanted)
	found := make(map[uint64]abi.Record, len(wanted))
	err := readBatches(dir, func(w *walker, b *batch, first uint64) (own, err error) {
		for len(wanted) > 0 && wanted[0] < w.c.tree.N {
			i := wanted[0] - first
			r, err := codec.DecodeRecord(b.entries[i])
			if err != nil {
				return nil, w.c.damage(CodeRecord, b.offsets[i], wanted[0], "a record cannot be decoded", err)
			}
			found[wanted[0]], wanted = r, wanted[1:]
		}
		if len(wanted) == 0 {
			return errStop, nil
		}
		return nil, nil
	})
	if err != nil && !errors.Is(err, errStop) {
		return nil, err
	}
	if len(wanted) > 0 {
		return nil, &abi.Error{Code: CodeRecord, What: fmt.Sprintf("the log has no record %d", wanted[0]), Where: dir, Hint: "forgeone log list"}
	}
	rs := make([]abi.Record, len(indexes))
	for i, n := range indexes {
		rs[i] = found[n]
	}
	return rs, nil
}
