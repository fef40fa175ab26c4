package register

import (
	"bytes"
	"encoding/binary"
	"errors"
	"path/filepath"
	"strings"

	"github.com/forgeone/forgeone/internal/codec"
	"github.com/forgeone/forgeone/internal/sys"
)

const (
	magic    = "F1REGIS1"
	maxFile  = 8 << 20
	maxPath  = 1 << 16
	maxAbove = 512
	idSize   = 16
)

// file is what stands behind the magic.
type file struct {
	Things []entry `cbor:"1,keyasint"`
}

// entry is a Thing. Paths need not be UTF-8; numbers are packed, since most of a
// register is numbers: inode, then nanoseconds of birth, big-endian.
type entry struct {
	Path  []byte `cbor:"1,keyasint"`
	Names []byte `cbor:"2,keyasint,omitempty"` // of the parts, each behind a NUL
	IDs   []byte `cbor:"3,keyasint"`           // the thing's, then its parts'
	Above []byte `cbor:"4,keyasint,omitempty"`
}

var errMalformed = errors.New("not a register of state folders, or damaged")

// Encode returns the bytes of a register that holds things.
func Encode(things []Thing) ([]byte, error) {
	var f file
	for i := range things {
		f.Things = append(f.Things, pack(&things[i]))
	}
	return encode(f)
}

func encode(f file) ([]byte, error) {
	b, err := codec.Marshal(f)
	return append([]byte(magic), b...), err
}

// Decode reads what Encode made.
func Decode(b []byte) (things []Thing, err error) {
	f, err := decode(b)
	for i := range f.Things {
		things = append(things, f.Things[i].thing())
	}
	return things, err
}

func decode(b []byte) (f file, err error) {
	body, ok := bytes.CutPrefix(b, []byte(magic))
	if !ok {
		return file{}, errMalformed
	}
	if err := codec.Unmarshal(body, &f); err != nil {
		return file{}, errors.Join(errMalformed, err)
	}
	for i := range f.Things {
		if !f.Things[i].whole() {
			return file{}, errMalformed
		}
	}
	return f, nil
}

// whole tells whether e says what an entry says.
func (e *entry) whole() bool {
	path := string(e.Path)
	names := bytes.Count(e.Names, []byte{0})
	return len(e.Path) <= maxPath && filepath.IsAbs(path) && filepath.Clean(path) == path && strings.IndexByte(path, 0) < 0 &&
		(len(e.Names) == 0 || e.Names[0] == 0) && len(e.IDs) == (names+1)*idSize &&
		len(e.Above)%idSize == 0 && len(e.Above) <= maxAbove*idSize
}

func pack(t *Thing) (e entry) {
	e.Path = []byte(t.Path)
	e.IDs = packID(nil, t.ID)
	for _, p := range t.Parts {
		e.Names = append(append(e.Names, 0), p.Name...)
		e.IDs = packID(e.IDs, p.ID)
	}
	for _, id := range t.Above {
		e.Above = packID(e.Above, id)
	}
	return e
}

func packID(b []byte, id sys.Identity) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, id.Ino), uint64(id.Birth))
}

func unpackID(b []byte, i int) sys.Identity {
	b = b[i*idSize:]
	return sys.Identity{Ino: binary.BigEndian.Uint64(b), Birth: int64(binary.BigEndian.Uint64(b[8:]))}
}

func (e *entry) thing() Thing {
	t := Thing{Path: string(e.Path), ID: unpackID(e.IDs, 0)}
	i := 0
	for name := range strings.SplitSeq(string(e.Names), "\x00") {
		if i > 0 {
			t.Parts = append(t.Parts, Part{name, unpackID(e.IDs, i)})
		}
		i++
	}
	for i := range len(e.Above) / idSize {
		t.Above = append(t.Above, unpackID(e.Above, i))
	}
	return t
}

func (e *entry) equal(o *entry) bool {
	return bytes.Equal(e.Path, o.Path) && bytes.Equal(e.Names, o.Names) && bytes.Equal(e.IDs, o.IDs) && bytes.Equal(e.Above, o.Above)
}

// supersedes tells whether e is a newer word on what o is about.
func (e *entry) supersedes(o *entry) bool {
	return bytes.Equal(e.Path, o.Path) && bytes.Equal(e.IDs[:idSize], o.IDs[:idSize])
}
