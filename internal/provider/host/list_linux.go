package host

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

// direntBuffer is how much of a folder is read at once, in bytes.
const direntBuffer = 32 << 10

// List sorts by name: an order that stays while the folder does not change, on
// every file system. A folder that changes while it is read shows each name at
// most once.
func (d *folder) List() ([]tree.Entry, abi.Errno) {
	fd, e := d.readable()
	if e != abi.ESUCCESS {
		return nil, e
	}
	defer unix.Close(fd)
	var all []tree.Entry
	left := d.root.maxListing
	buf := make([]byte, direntBuffer)
	for {
		n, err := unix.Getdents(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, errnoOf(err)
		}
		if n <= 0 {
			break
		}
		if all, e = d.entries(all, buf[:n], &left); e != abi.ESUCCESS {
			return nil, e
		}
	}
	slices.SortFunc(all, func(a, b tree.Entry) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(all, func(a, b tree.Entry) bool { return a.Name == b.Name }), abi.ESUCCESS
}

// Offsets in struct linux_dirent64, alike on every machine.
const (
	direntLen  = int(unsafe.Offsetof(unix.Dirent{}.Reclen))
	direntType = int(unsafe.Offsetof(unix.Dirent{}.Type))
	direntName = int(unsafe.Offsetof(unix.Dirent{}.Name))
)

// entries adds to all what getdents64 wrote to buf, and takes its cost from left.
func (d *folder) entries(all []tree.Entry, buf []byte, left *int) ([]tree.Entry, abi.Errno) {
	for len(buf) > 0 {
		if len(buf) < direntName {
			return nil, abi.EIO
		}
		size := int(binary.NativeEndian.Uint16(buf[direntLen:]))
		if size < direntName || size > len(buf) {
			return nil, abi.EIO
		}
		name, _, _ := bytes.Cut(buf[direntName:size], []byte{0})
		entry := tree.Entry{Ino: binary.NativeEndian.Uint64(buf), Type: direntFiletype(buf[direntType]), Name: string(name)}
		unknown := buf[direntType] == unix.DT_UNKNOWN
		buf = buf[size:]
		// A name that no operation would take has no place in a listing either:
		// "." and "..", and what a damaged file system may hold.
		if checkName(entry.Name) != abi.ESUCCESS {
			continue
		}
		if *left -= entry.Cost(); *left < 0 {
			return nil, abi.EOVERFLOW
		}
		if unknown {
			if st, e := d.Lstat(entry.Name); e == abi.ESUCCESS {
				entry.Type = st.Type
			}
		}
		all = append(all, entry)
	}
	return all, abi.ESUCCESS
}

// direntFiletype translates d_type, which is a mode's type bits moved down.
func direntFiletype(t byte) abi.Filetype { return filetype(uint32(t) << 12) }
