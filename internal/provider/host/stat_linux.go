package host

import (
	"math"

	"golang.org/x/sys/unix"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

// filestat translates what the host says of a file.
func (r *Root) filestat(st *unix.Stat_t) abi.Filestat {
	return abi.Filestat{
		Dev:   r.device(uint64(st.Dev)),
		Ino:   st.Ino,
		Type:  filetype(uint32(st.Mode)),
		Nlink: uint64(st.Nlink),
		Size:  uint64(max(st.Size, 0)),
		Atim:  nanoseconds(st.Atim),
		Mtim:  nanoseconds(st.Mtim),
		Ctim:  nanoseconds(st.Ctim),
	}
}

// filetype translates a mode. Preview 1 has no FIFO: it is unknown. A socket's
// kind can't be told from its name; a stream is the likely one.
func filetype(mode uint32) abi.Filetype {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return abi.FiletypeRegularFile
	case unix.S_IFDIR:
		return abi.FiletypeDirectory
	case unix.S_IFLNK:
		return abi.FiletypeSymbolicLink
	case unix.S_IFCHR:
		return abi.FiletypeCharacterDevice
	case unix.S_IFBLK:
		return abi.FiletypeBlockDevice
	case unix.S_IFSOCK:
		return abi.FiletypeSocketStream
	}
	return abi.FiletypeUnknown
}

// nanoseconds turns a time into preview 1's unsigned unix nanoseconds; what
// they can't say becomes the nearest they can.
func nanoseconds(t unix.Timespec) uint64 {
	sec, nsec := int64(t.Sec), int64(t.Nsec)
	switch {
	case sec < 0:
		return 0
	case sec >= math.MaxUint64/1_000_000_000:
		return math.MaxUint64
	}
	return uint64(sec)*1_000_000_000 + uint64(nsec)
}

// timespecs translates t for utimensat: access time, then modification time.
func timespecs(t tree.Times) [2]unix.Timespec {
	one := func(set, now bool, ns uint64) unix.Timespec {
		switch {
		case now:
			return unix.Timespec{Nsec: unix.UTIME_NOW}
		case set:
			return unix.Timespec{Sec: int64(ns / 1_000_000_000), Nsec: int64(ns % 1_000_000_000)}
		}
		return unix.Timespec{Nsec: unix.UTIME_OMIT}
	}
	return [2]unix.Timespec{one(t.SetAtim, t.AtimNow, t.Atim), one(t.SetMtim, t.MtimNow, t.Mtim)}
}

// setsNothing tells that t leaves both times alone.
func setsNothing(t tree.Times) bool {
	return !t.SetAtim && !t.AtimNow && !t.SetMtim && !t.MtimNow
}
