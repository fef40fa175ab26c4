package evidence

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/forgeone/forgeone/internal/codec"
)

// maxBundle bounds an entry bundle, in bytes.
const maxBundle = tileWidth * (2 + codec.MaxRecord)

var errBundle = errors.New("the entry bundle is malformed")

// splitBundle calls each with the entries of a bundle of width entries and their
// offsets. Its own errors wrap errBundle.
func splitBundle(b []byte, width int, each func(i, off int, entry []byte) error) error {
	off := 0
	for i := range width {
		if len(b)-off < 2 {
			return fmt.Errorf("%w: it ends at byte %d, after %d of %d entries", errBundle, len(b), i, width)
		}
		n := int(binary.BigEndian.Uint16(b[off:]))
		off += 2
		if n == 0 || len(b)-off < n {
			return fmt.Errorf("%w: entry %d at byte %d is said to have %d bytes, and %d are left", errBundle, i, off-2, n, len(b)-off)
		}
		if err := each(i, off, b[off:off+n:off+n]); err != nil {
			return err
		}
		off += n
	}
	if off != len(b) {
		return fmt.Errorf("%w: %d bytes follow its %d entries", errBundle, len(b)-off, width)
	}
	return nil
}
