// Package trace writes and reads recordings: every call of a run with its
// decision, what went in (as a tag) and what came out (as bytes), so that the
// run can be judged again, replayed and explained.
//
// A recording is one file: a header, frames, a trailer. Frames hold chunks of
// calls, compressed, then encrypted under the recording's own data key; a
// SHA-256 chain runs over them, and a SHA3-256 seal over header, chain and
// counts goes into the evidence log. docs/FORMATS.md describes the bytes.
//
// # Who owns what while recording
//
// The guest's thread owns the page under way: it alone grows it, in Commit and
// under Writer.mu, so that between calls, and while a call blocks, the
// background goroutine may copy out what is committed. Reserve needs no lock:
// nobody else writes what it reads, and the bytes it hands out lie beyond what
// is committed. A full page changes hands over Writer.full and comes back over
// Writer.free. The background goroutine owns compression, encryption, the chain
// and, until Finish, the file.
package trace

import (
	"strings"
	"sync"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
)

// Bounds of the format, in bytes.
const (
	// pageSize is when a chunk is full: its calls go to the background.
	pageSize = 256 << 10
	// maxInline is the largest output that providers write straight into a
	// page; larger ones are staged, so that a guest that offers a MiB and gets
	// ten bytes does not turn each call into a chunk.
	maxInline = pageSize
	// maxOut bounds the output of one call. No guest is given so much room, but
	// what a run is given, its arguments say, may be large.
	maxOut = 16 << 20
	// maxPlain bounds a chunk before compression: a page just short of full
	// takes one more call, whose output has at most maxOut.
	maxPlain = 20 << 20
	// maxNames bounds the names and paths of one call.
	maxNames = 1 << 20
	// maxHeads bounds the part of a chunk that a reader turns into structs.
	maxHeads = pageSize + maxHead + maxNames
	// maxPublic and maxSealed bound the header's two parts.
	maxPublic = 4 << 10
	maxSealed = 4 << 20
	// MinLimit is the smallest limit a recording can have.
	MinLimit = 256 << 10
)

// Domains and key labels. Changing one changes the format.
const (
	headerDomain    = "forgeone/recording-header/v1"
	recordingDomain = "forgeone/recording/v1"
	tableDomain     = "forgeone/table/v1"
	keyIDDomain     = "forgeone/recording-key-id/v1"

	labelHeader = "forgeone/recording/header/v1"
	labelChunk  = "forgeone/recording/chunk/v1"
	labelInput  = "forgeone/recording/input/v1"
	labelState  = "forgeone/recording/state/v1"
)

// sampled tells whether call index is measured: one of every 64, since a clock
// read per call would cost more than many calls do. Which of the 64 changes, so
// that a guest's own rhythm does not choose what is measured.
func sampled(index uint64) bool { return index%64 == index/64*37%64 }

// TableDigest commits to the first rows rows of this program's syscall table:
// numbers, names and parameter types. A recording made with fewer rows reads
// as long as those are the same.
func TableDigest(rows int) abi.Digest {
	if rows == len(abi.Rows()) {
		return wholeTable()
	}
	return tableDigest(rows)
}

// wholeTable is computed once: each run needs it, and the table is constant.
var wholeTable = sync.OnceValue(func() abi.Digest { return tableDigest(len(abi.Rows())) })

func tableDigest(rows int) abi.Digest {
	lines := strings.SplitAfter(abi.Fingerprint(), "\n")
	return seal.Sum(tableDomain, []byte(strings.Join(lines[:min(rows, len(lines))], "")))
}
