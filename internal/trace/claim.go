package trace

import (
	"errors"
	"io/fs"

	"github.com/forgeone/forgeone/internal/sys"
)

// Share keeps the recording of a run that has ended from being claimed until
// Close. Where somebody has claimed it already, or its writer has not let go
// yet, it does nothing: what was opened is read to its end in any case.
func (r *Reader) Share() {
	if l, ok, err := sys.TryShareFile(r.path); err == nil && ok {
		r.lock = l
	}
}

// Claim takes the recording at path for its removal, until release is called:
// false says that somebody writes it, or reads it under Share. One that is not
// there is anybody's.
func Claim(path string) (release func(), ok bool, err error) {
	l, ok, err := sys.TryLockFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return func() {}, true, nil
	case err != nil:
		return nil, false, readError(path, err)
	case !ok:
		return nil, false, nil
	}
	return func() { _ = l.Unlock() }, true, nil
}
