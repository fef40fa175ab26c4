package merkle

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// MaxBundle bounds an entry bundle, in bytes.
const MaxBundle = TileWidth * (2 + math.MaxUint16)

// ErrBundle says that an entry bundle is malformed.
var ErrBundle = errors.New("the entry bundle is malformed")

// SplitBundle calls each with the entries of a bundle of width entries and their
// offsets. Its own errors wrap ErrBundle.
func SplitBundle(b []byte, width int, each func(i, off int, entry []byte) error) error {
	off := 0
	for i := range width {
		if len(b)-off < 2 {
			return fmt.Errorf("%w: it ends at byte %d, after %d of %d entries", ErrBundle, len(b), i, width)
		}
		n := int(binary.BigEndian.Uint16(b[off:]))
		off += 2
		if n == 0 || len(b)-off < n {
			return fmt.Errorf("%w: entry %d at byte %d is said to have %d bytes, and %d are left", ErrBundle, i, off-2, n, len(b)-off)
		}
		if err := each(i, off, b[off:off+n:off+n]); err != nil {
			return err
		}
		off += n
	}
	if off != len(b) {
		return fmt.Errorf("%w: %d bytes follow its %d entries", ErrBundle, len(b)-off, width)
	}
	return nil
}
