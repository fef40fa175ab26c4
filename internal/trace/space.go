package trace

import (
	"errors"
	"fmt"

	"github.com/forgeone/forgeone/internal/sys"
)

// errFull says that the recording is at its limit.
var errFull = errors.New("the recording is at its limit")

// errFinished says that a recording was finished before.
var errFinished = errors.New("it is finished already")

func errLimit(limit uint64, header int) error {
	return fmt.Errorf("a limit of %d bytes is too small: at least %d beside the header of %d are needed", limit, MinLimit, header)
}

// held is the room kept for what must fit in any case: frames of the chunks
// under way, the end frame and the trailer.
const held = 8 << 10

// step is how far at a time the file is made to have blocks.
const step = 128 << 10

// space keeps account of the disk, so that what is committed can always be
// written: used is what the file takes at most once everything committed is in
// it (chunks count uncompressed until they are written), room how far the file
// has blocks.
type space struct {
	used, room, limit int64
	full              bool // for good
}

func (s *space) fits(need int64) bool { return s.used+need+held <= s.room }

// extend gives the file blocks for need more bytes. It says errFull at the limit.
func (s *space) extend(f sys.File, need int64) error {
	want := s.used + need + held
	if want > s.limit {
		return errFull
	}
	to := min((want+step-1)/step*step, s.limit)
	if to <= s.room {
		return nil
	}
	// Zeros would overwrite what the background has written: begin beyond it.
	n, err := sys.Preallocate(f, max(s.room, s.used), to)
	s.room = max(s.room, n)
	if s.fits(need) {
		return nil // the rest was only for later
	}
	return err
}
