package evidence

import (
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/signednote"
	"github.com/forgeone/forgeone/internal/sys"
)

// Follower folds the log into state. The log calls it on one goroutine at a
// time, with every record once and in order, whoever appended it.
//
// The records of this Log's own transactions come as soon as their function
// has returned, before they are durable, so that the next function of the same
// batch sees them. If the batch then can't be written, Reset is called and
// everything that is durable comes again (a Snapshotter is folded aside: see
// Become). Whoever acts on the state outside a
// transaction waits for his own Update to return.
type Follower interface {
	// Follow takes in the record with that index. The record belongs to the
	// log and must not be changed. An error says that the record does not
	// follow from those before: in a transaction it is refused, in the log it
	// stops the log.
	Follow(index uint64, r abi.Record) error
	// Reset forgets everything.
	Reset()
}

// Options say which log, and how it is used.
type Options struct {
	// Dir is the log's folder.
	Dir string
	// Origin names the log: one word without "+". Create gives it; Open
	// refuses a log of another name. Empty: DefaultOrigin when creating, any
	// when opening.
	Origin string
	// Key signs commits; nil opens the log for reading. It must be the key of the
	// log's current term, or NextKey must know that one.
	Key *PrivateKey
	// NextKey returns the private key of the log's current term when that is not
	// Key any more: another Log handed over (Rotate). It is called on a goroutine
	// of the log's, must not use the log, and is asked again at the next
	// transaction when it failed. Nil: a Log whose key is no longer current
	// appends no more.
	NextKey func(public PublicKey) (*PrivateKey, error)
	// PostKey returns the private half of the ML-DSA-44 key of a term that has one:
	// to hand the log over (Rotate) and to publish checkpoints (Tiles). It is called
	// on goroutines of the log's. Nil: this Log does neither.
	PostKey PostKeys
	// Keys are pins: each must be the key of some term of the log (see Verify).
	// With neither Key nor Keys a log is opened that only agrees with itself.
	Keys []PublicKey
	// Follower may be nil; then records are not decoded.
	Follower Follower
	// Snapshot, if not nil, keeps the follower's state in a file, so that opening
	// folds only what came after it. Create ignores it; without Key it is only
	// read.
	Snapshot *SnapshotOptions
	// Control tells for which kinds of record the shared counter is raised. Nil:
	// DefaultControl.
	Control func(abi.Kind) bool
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// SegmentBytes is the size at which a segment is sealed, 64 MiB if 0.
	SegmentBytes int64
	// Tiles, if not empty, is a folder that is kept up to date as Export does it,
	// while the log is open: about once a second, and when it is closed. Tiles come
	// after acknowledgement: a record is durable in the log when its transaction
	// returns, and in the tiles a moment later; nobody who appends waits for them,
	// and an error there stops nothing (see Log.Tiles). Several logs may name one
	// folder.
	Tiles string
	// FS is the file system, for tests that inject faults; nil is the real one.
	FS sys.FS
}

// DefaultControl holds for every kind that may change what running guests are
// allowed: for all but the log's own and those that only tell of runs.
func DefaultControl(k abi.Kind) bool {
	switch k {
	case abi.KindGenesis, abi.KindRecovered, abi.KindSegmentSealed, abi.KindLogKey, abi.KindRunStart, abi.KindRunEnd, abi.KindDenial:
		return false
	}
	return true
}

// complete fills in defaults and checks the rest.
func (o Options) complete() (Options, error) {
	bad := func(what string) (Options, error) {
		return o, &abi.Error{Code: CodeUsage, What: what, Where: o.Dir}
	}
	if o.Control == nil {
		o.Control = DefaultControl
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.FS == nil {
		o.FS = sys.OS{}
	}
	if o.SegmentBytes == 0 {
		o.SegmentBytes = defaultSegment
	}
	switch {
	case o.Dir == "":
		return bad("no folder is given for the evidence log")
	case o.Origin != "" && !signednote.ValidName(o.Origin):
		return bad("the origin is not one word of at most 255 bytes without +")
	case o.SegmentBytes < minSegment || o.SegmentBytes > maxSegment:
		return bad("the segment size is not between 16 KiB and 1 GiB")
	}
	return o, nil
}

// transaction is how many bytes the frames of one transaction may take.
func (o *Options) transaction() int64 { return min(maxTransaction, o.SegmentBytes/4) }

// chunk is how much is preallocated at a time.
func (o *Options) chunk() int64 { return min(chunk, o.SegmentBytes/4) }

// reserve is how much is kept ahead for last words.
func (o *Options) reserve() int64 { return min(reserve, o.SegmentBytes/4) }
