package abi

import "encoding/binary"

// Rights are the capabilities a descriptor carries (witx typename "rights").
type Rights uint64

// Rights of preview 1, bit by bit.
const (
	RightFDDatasync Rights = 1 << iota
	RightFDRead
	RightFDSeek
	RightFDFdstatSetFlags
	RightFDSync
	RightFDTell
	RightFDWrite
	RightFDAdvise
	RightFDAllocate
	RightPathCreateDirectory
	RightPathCreateFile
	RightPathLinkSource
	RightPathLinkTarget
	RightPathOpen
	RightFDReaddir
	RightPathReadlink
	RightPathRenameSource
	RightPathRenameTarget
	RightPathFilestatGet
	RightPathFilestatSetSize
	RightPathFilestatSetTimes
	RightFDFilestatGet
	RightFDFilestatSetSize
	RightFDFilestatSetTimes
	RightPathSymlink
	RightPathRemoveDirectory
	RightPathUnlinkFile
	RightPollFDReadwrite
	RightSockShutdown
	RightSockAccept
	rightsEnd
)

// Sets of rights.
const (
	// AllRights is every right that preview 1 defines.
	AllRights = rightsEnd - 1
	// MutatingRights are withheld from everything that lies in a read-only mount.
	MutatingRights = RightFDDatasync | RightFDWrite | RightFDAllocate | RightPathCreateDirectory | RightPathCreateFile |
		RightPathLinkSource | RightPathLinkTarget | RightPathRenameSource | RightPathRenameTarget |
		RightPathFilestatSetSize | RightPathFilestatSetTimes | RightFDFilestatSetSize | RightFDFilestatSetTimes |
		RightPathSymlink | RightPathRemoveDirectory | RightPathUnlinkFile
	// FileRights make sense on a regular file.
	FileRights = RightFDDatasync | RightFDRead | RightFDSeek | RightFDFdstatSetFlags | RightFDSync | RightFDTell |
		RightFDWrite | RightFDAdvise | RightFDAllocate | RightFDFilestatGet | RightFDFilestatSetSize |
		RightFDFilestatSetTimes | RightPollFDReadwrite
	// DirRights make sense on a folder.
	DirRights = RightFDFdstatSetFlags | RightFDSync | RightFDDatasync | RightFDAdvise | RightPathCreateDirectory | RightPathCreateFile |
		RightPathLinkSource | RightPathLinkTarget | RightPathOpen | RightFDReaddir | RightPathReadlink |
		RightPathRenameSource | RightPathRenameTarget | RightPathFilestatGet | RightPathFilestatSetSize |
		RightPathFilestatSetTimes | RightFDFilestatGet | RightFDFilestatSetTimes | RightPathSymlink |
		RightPathRemoveDirectory | RightPathUnlinkFile
)

// Rights of sockets.
const (
	// ListenerRights make sense on a socket that accepts connections.
	ListenerRights = RightSockAccept | RightPollFDReadwrite | RightFDFdstatSetFlags | RightFDFilestatGet
	// ConnectionRights make sense on a connection.
	ConnectionRights = RightFDRead | RightFDWrite | RightPollFDReadwrite | RightFDFdstatSetFlags | RightFDFilestatGet | RightSockShutdown
)

// Filetype is the kind of a file (witx typename "filetype").
type Filetype uint8

// File types of preview 1.
const (
	FiletypeUnknown Filetype = iota
	FiletypeBlockDevice
	FiletypeCharacterDevice
	FiletypeDirectory
	FiletypeRegularFile
	FiletypeSocketDgram
	FiletypeSocketStream
	FiletypeSymbolicLink
)

// Descriptor flags (witx typename "fdflags").
const (
	FDFlagAppend uint16 = 1 << iota
	FDFlagDsync
	FDFlagNonblock
	FDFlagRsync
	FDFlagSync
	FDFlagsAll = FDFlagSync<<1 - 1
)

// Open flags (witx typename "oflags").
const (
	OFlagCreat uint16 = 1 << iota
	OFlagDirectory
	OFlagExcl
	OFlagTrunc
	OFlagsAll = OFlagTrunc<<1 - 1
)

// LookupSymlinkFollow is the only lookup flag (witx typename "lookupflags").
const LookupSymlinkFollow uint32 = 1

// Flags of the *_filestat_set_times functions (witx typename "fstflags").
const (
	FstAtim uint16 = 1 << iota
	FstAtimNow
	FstMtim
	FstMtimNow
	FstAll = FstMtimNow<<1 - 1
)

// Whence values of fd_seek.
const (
	WhenceSet uint8 = iota
	WhenceCur
	WhenceEnd
)

// Clock ids.
const (
	ClockRealtime uint32 = iota
	ClockMonotonic
	ClockProcessCPU
	ClockThreadCPU
)

// Event types and flags of poll_oneoff.
const (
	EventClock   uint8 = 0
	EventFDRead  uint8 = 1
	EventFDWrite uint8 = 2

	SubclockAbstime uint16 = 1

	EventFDHangup uint16 = 1
)

// Flags of sock_recv (witx typenames "riflags" and "roflags"). sock_send has none.
const (
	RecvPeek uint16 = 1 << iota
	RecvWaitall
	RecvAll = RecvWaitall<<1 - 1
)

// Flags of sock_shutdown (witx typename "sdflags").
const (
	ShutRead uint8 = 1 << iota
	ShutWrite
	ShutAll = ShutWrite<<1 - 1
)

// Sizes of preview 1's structures in guest memory, in bytes.
const (
	FdstatSize       = 24
	FilestatSize     = 64
	PrestatSize      = 8
	SubscriptionSize = 48
	EventSize        = 32
	DirentSize       = 24
	IovecSize        = 8
)

// Fdstat is what fd_fdstat_get answers.
type Fdstat struct {
	Type             Filetype
	Flags            uint16
	Base, Inheriting Rights
}

// Put writes s in guest layout into b, which holds FdstatSize bytes.
func (s Fdstat) Put(b []byte) {
	clear(b[:FdstatSize])
	b[0] = byte(s.Type)
	binary.LittleEndian.PutUint16(b[2:], s.Flags)
	binary.LittleEndian.PutUint64(b[8:], uint64(s.Base))
	binary.LittleEndian.PutUint64(b[16:], uint64(s.Inheriting))
}

// Filestat is what the *_filestat_get functions answer. Times are unix
// nanoseconds, Size is in bytes.
type Filestat struct {
	Dev, Ino         uint64
	Type             Filetype
	Nlink, Size      uint64
	Atim, Mtim, Ctim uint64
}

// Put writes s in guest layout into b, which holds FilestatSize bytes.
func (s Filestat) Put(b []byte) {
	clear(b[:FilestatSize])
	le := binary.LittleEndian
	le.PutUint64(b[0:], s.Dev)
	le.PutUint64(b[8:], s.Ino)
	b[16] = byte(s.Type)
	le.PutUint64(b[24:], s.Nlink)
	le.PutUint64(b[32:], s.Size)
	le.PutUint64(b[40:], s.Atim)
	le.PutUint64(b[48:], s.Mtim)
	le.PutUint64(b[56:], s.Ctim)
}

// Subscription is one entry of poll_oneoff's input.
type Subscription struct {
	Userdata  uint64
	Type      uint8  // EventClock, EventFDRead, EventFDWrite
	Clock     uint32 // for EventClock
	Timeout   uint64 // nanoseconds
	Precision uint64
	Flags     uint16 // SubclockAbstime
	FD        uint32 // for the other two
}

// ParseSubscription reads b, which holds SubscriptionSize bytes in guest layout.
func ParseSubscription(b []byte) Subscription {
	le := binary.LittleEndian
	s := Subscription{Userdata: le.Uint64(b[0:]), Type: b[8]}
	if s.Type == EventClock {
		s.Clock, s.Timeout, s.Precision, s.Flags = le.Uint32(b[16:]), le.Uint64(b[24:]), le.Uint64(b[32:]), le.Uint16(b[40:])
	} else {
		s.FD = le.Uint32(b[16:])
	}
	return s
}

// Event is one entry of poll_oneoff's output.
type Event struct {
	Userdata uint64
	Errno    Errno
	Type     uint8
	NBytes   uint64
	Flags    uint16
}

// Put writes e in guest layout into b, which holds EventSize bytes.
func (e Event) Put(b []byte) {
	clear(b[:EventSize])
	le := binary.LittleEndian
	le.PutUint64(b[0:], e.Userdata)
	le.PutUint16(b[8:], uint16(e.Errno))
	b[10] = e.Type
	le.PutUint64(b[16:], e.NBytes)
	le.PutUint16(b[24:], e.Flags)
}
