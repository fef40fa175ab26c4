package evidence

import (
	"fmt"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
)

// SnapshotOptions say where the state that the follower derives from the log is
// kept, so that opening folds only what came after. The follower must be a
// Snapshotter.
//
// The file is a cache: it holds nothing that is not in the log, is
// authenticated together with the log's size and root, and may be deleted at
// any time; the next Open then folds everything. A file that is damaged, or of
// another key, log or version, is reported, left aside, and written anew. But
// one that is authentic while the log lacks the commit it was made at is a log
// that was rolled back or replaced: Open refuses it (CodeRolledBack).
//
// What Open does not read because of a snapshot it does not check either: damage
// in there is found by Verify.
type SnapshotOptions struct {
	// Path is the file. Beside it lie Path+".lock" and, for moments, Path+".tmp".
	Path string
	// Key authenticates the file.
	Key seal.Key
	// Warn, if not nil, is told why a file could not be used or written. The log
	// goes on without. It is called on other goroutines.
	Warn func(err error)
	// Every is how many records at least come between two snapshots, 512 if 0.
	// In a large log it is a 64th of its records, so that all writing of snapshots
	// together costs a constant for each record.
	Every uint64
}

// Snapshotter is a Follower whose state can be kept in a file.
type Snapshotter interface {
	Follower
	// Snapshot returns the state as it is now. It is called between batches, and
	// everybody waits for it; its Write is called on another goroutine while the
	// Snapshotter goes on.
	Snapshot() (*Snapshot, error)
	// Restore makes the state that of a snapshot, and returns its size. On an error
	// nothing has changed. The pages may be read for as long as the Snapshotter is
	// used, also after Close.
	Restore(head []byte, pages Pages) (size uint64, err error)
	// Fresh returns another Snapshotter of this kind with the state of an empty log.
	Fresh() Snapshotter
	// Become takes over, at once, the state of one that Fresh returned and that is
	// not used any more.
	Become(fresh Snapshotter)
}

// Snapshot is a follower's state after Size records. Size records have one
// snapshot only, whichever way the state came about.
type Snapshot struct {
	Size  uint64
	Head  []byte // read at once by Restore, at most MaxHead bytes
	Pages uint64
	// Write gives that many pages to put, in order, each of at most PageSize bytes.
	// It returns the errors of put.
	Write func(put func(page []byte) error) error
}

// Pages reads back what Snapshot.Write wrote, with zeros up to PageSize behind
// it. It is safe for concurrent use. What it returns must not be changed. If the
// file is no longer what was written, the page is made again from the log; an
// error means that this can't be read either.
type Pages interface {
	Page(n uint64) ([]byte, error)
}

// Bounds of a snapshot, in bytes.
const (
	PageSize = pageBytes - pageTag
	MaxHead  = 256 << 20
)

// Opening tells how a log was opened.
type Opening struct {
	Snapshot uint64 // records in the snapshot that was used, 0 if there was none
	Folded   uint64 // records that were read and folded
	Unusable error  // why the snapshot that was there was not used
}

// Opening returns how l was opened.
func (l *Log) Opening() Opening { return l.opening }

const (
	defaultEvery = 512
	everyPart    = 64
)

// every is how many records come between snapshots of a log of that size.
func (o *SnapshotOptions) every(size uint64) uint64 {
	least := o.Every
	if least == 0 {
		least = defaultEvery
	}
	return max(least, size/everyPart)
}

func (o *SnapshotOptions) warn(code abi.Code, what string, err error) error {
	e := &abi.Error{Code: code, What: what, Where: o.Path, Err: err}
	if o.Warn != nil {
		o.Warn(e)
	}
	return e
}

// unusable reports a file that is not used.
func (o *SnapshotOptions) unusable(err error) error {
	return o.warn(CodeState, "the state file was not usable, and is rebuilt from the evidence log", err)
}

// rolledBack says that the log is not the one that the snapshot was made of.
func rolledBack(dir, path string, size uint64, err error) *abi.Error {
	return &abi.Error{
		Code: CodeRolledBack, Where: dir, Hint: "forgeone log verify", Err: err,
		What: fmt.Sprintf("the evidence log lacks the commit over %d records that %s was made at: an older or another log was put in its place. To go on with this one all the same, delete that file", size, path),
	}
}
