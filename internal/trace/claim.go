package trace

import (
	"errors"
	"io"
	"io/fs"

	"github.com/forgeone/forgeone/abi"
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

// Check looks at the size of the recording of a run that has ended, and at its
// seal, each zero where it is not known: F1-RPL-013 where another file lies under
// its name. It believes what stands at the end of the file; Open does not. Other
// errors are those of opening.
func Check(path string, want Sealed) error {
	f, err := sys.OS{}.Open(path)
	if err != nil {
		return openError(path, err)
	}
	defer func() { _ = f.Close() }() // only read
	st, err := f.Stat()
	switch {
	case err != nil:
		return readError(path, err)
	case !st.Mode().IsRegular():
		return readError(path, errors.New("not a file"))
	}
	same := want.Size == 0 || uint64(st.Size()) == want.Size
	if same && want.Seal != (abi.Digest{}) {
		b := make([]byte, trailerSize)
		if _, err := f.ReadAt(b, max(0, st.Size()-int64(trailerSize))); err != nil && err != io.EOF {
			return readError(path, err)
		}
		t, ok := parseTrailer(b)
		same = ok && t.seal == want.Seal
	}
	if !same {
		return otherSeal(path)
	}
	return nil
}
