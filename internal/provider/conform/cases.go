package conform

import (
	"encoding/binary"
	"math"
	"strings"

	"github.com/forgeone/forgeone/abi"
)

// Case is one call and what it must answer. Args has one value for each
// parameter that brings something in: a number, a string (a path or what is
// written), bytes (subscriptions), a Room or Iovecs.
type Case struct {
	Num    abi.Num
	Errno  abi.Errno
	Name   string
	Args   []any
	Setup  func(f *Fixture) // nil: none
	Engine bool             // what is wrong is seen by the engine's marshalling only
	Quota  bool             // only trees with a quota come to it
	Fifo   bool             // only trees with a FIFO
}

// String is "fd_read/EISDIR/a folder".
func (c Case) String() string {
	return abi.Lookup(c.Num).Name + "/" + c.Errno.String() + "/" + c.Name
}

// Cases is the table: for each function a call that succeeds and, for each errno
// of the function but EFAULT, calls that answer it. EFAULT depends on nothing but
// addresses, which whoever marshals makes up.
func Cases() []Case {
	return append(append(processCases(), fdCases()...), append(socketCases(), append(append(pathCases(), slashed()...), commonPathCases()...)...)...)
}

type args = []any

// Subs makes poll_oneoff's input.
func Subs(list ...abi.Subscription) []byte {
	b := make([]byte, len(list)*abi.SubscriptionSize)
	for i, s := range list {
		p, le := b[i*abi.SubscriptionSize:], binary.LittleEndian
		le.PutUint64(p, s.Userdata)
		p[8] = s.Type
		if s.Type == abi.EventClock {
			le.PutUint32(p[16:], s.Clock)
			le.PutUint64(p[24:], s.Timeout)
			le.PutUint64(p[32:], s.Precision)
			le.PutUint16(p[40:], s.Flags)
		} else {
			le.PutUint32(p[16:], s.FD)
		}
	}
	return b
}

func interrupt(f *Fixture) { close(f.Done) }

func processCases() []Case {
	at := abi.Subscription{Userdata: 7}
	never := abi.Subscription{Userdata: 8, Timeout: math.MaxUint64}
	in := abi.Subscription{Userdata: 9, Type: abi.EventFDRead, FD: Stdin}
	file := abi.Subscription{Userdata: 10, Type: abi.EventFDRead, FD: File}
	bad := abi.Subscription{Userdata: 11, Type: abi.EventFDWrite, FD: None}
	dry := func(f *Fixture) { f.Dry = true }
	return []Case{
		{Num: abi.ArgsGet, Name: "all"},
		{Num: abi.ArgsSizesGet, Name: "all"},
		{Num: abi.EnvironGet, Name: "all"},
		{Num: abi.EnvironSizesGet, Name: "all"},
		{Num: abi.ClockResGet, Name: "realtime", Args: args{abi.ClockRealtime}},
		{Num: abi.ClockResGet, Name: "monotonic", Args: args{abi.ClockMonotonic}},
		{Num: abi.ClockResGet, Errno: abi.EINVAL, Name: "unsupported", Args: args{abi.ClockThreadCPU}},
		{Num: abi.ClockResGet, Errno: abi.EINVAL, Name: "unknown", Args: args{4}},
		{Num: abi.ClockTimeGet, Name: "realtime", Args: args{abi.ClockRealtime, 1}},
		{Num: abi.ClockTimeGet, Name: "monotonic", Args: args{abi.ClockMonotonic, uint64(math.MaxUint64)}},
		{Num: abi.ClockTimeGet, Errno: abi.EINVAL, Name: "unsupported", Args: args{abi.ClockProcessCPU, 0}},
		{Num: abi.ClockTimeGet, Errno: abi.EINVAL, Name: "unknown", Args: args{uint32(math.MaxUint32), 0}},
		{Num: abi.PollOneoff, Name: "clock", Args: args{Subs(at, never), 2}},
		{Num: abi.PollOneoff, Name: "file", Args: args{Subs(never, in, file), 3}},
		{Num: abi.PollOneoff, Name: "an event's error", Args: args{Subs(in, bad, at, at), 4}},
		{Num: abi.PollOneoff, Errno: abi.EINVAL, Name: "none", Args: args{[]byte{}, 0}},
		{Num: abi.PollOneoff, Errno: abi.EINVAL, Name: "too many", Args: args{[]byte{}, abi.MaxSubscriptions + 1}},
		{Num: abi.PollOneoff, Errno: abi.EINVAL, Name: "more than there can be", Args: args{[]byte{}, uint32(math.MaxUint32)}},
		{Num: abi.PollOneoff, Errno: abi.EINVAL, Name: "type", Args: args{Subs(at, abi.Subscription{Type: 3}), 2}},
		{Num: abi.PollOneoff, Errno: abi.EINTR, Name: "clock", Args: args{Subs(never), 1}, Setup: interrupt},
		{Num: abi.PollOneoff, Errno: abi.EINTR, Name: "stream", Args: args{Subs(never, in), 2}, Setup: interrupt},
		{Num: abi.ProcExit, Name: "code", Args: args{3}},
		{Num: abi.ProcRaise, Name: "none", Args: args{0}},
		{Num: abi.ProcRaise, Name: "ignored", Args: args{16}},
		{Num: abi.ProcRaise, Errno: abi.ENOTSUP, Name: "stop", Args: args{18}},
		{Num: abi.ProcRaise, Errno: abi.EINVAL, Name: "unknown", Args: args{31}},
		{Num: abi.SchedYield, Name: "now"},
		{Num: abi.RandomGet, Name: "bytes", Args: args{Room(33)}},
		{Num: abi.RandomGet, Name: "none", Args: args{Room(0)}},
		{Num: abi.RandomGet, Errno: abi.EIO, Name: "none to be had", Args: args{Room(33)}, Setup: dry},
	}
}

// long is a name that no file system has room for.
var long = strings.Repeat("n", 256)
