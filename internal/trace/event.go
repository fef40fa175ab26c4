package trace

import "github.com/forgeone/forgeone/abi"

// Event is one recorded call. Ret and Out are valid until the next Next; the
// rest may be kept.
type Event struct {
	// Index is the call index, from 0.
	Index uint64
	Num   abi.Num
	// Args, Path: as in abi.Call.
	Args [8]uint64
	Path [2]string
	// InLen is the number of bytes that went in, InTag their tag (zero when
	// there were none).
	InLen int
	InTag [16]byte
	// What the call was on, as resolved: see abi.Object.
	Kind  abi.ObjectKind
	Name  string
	Name2 string
	// Via and Barring are the places that the paths led through, and which of them
	// was denied.
	Via     []abi.Place
	Barring int
	Dir     bool
	Grant   int
	Refused abi.Refusal
	// Barred is the object's errno: what stood in the way of the call before
	// policy was asked.
	Barred abi.Errno
	// Decision is shared by the calls of a chunk that it was made for, and
	// immutable. Another chunk has its own copy: compare values, not pointers.
	Decision *abi.Decision
	Errno    abi.Errno
	// Limit is the limit that Errno comes from, 0 if none.
	Limit abi.Limit
	// Stop, when not OutcomeNone, is what the call itself ended the run with.
	Stop abi.Outcome
	// Charge is the fuel that the call cost, 0 where the header's Meter is.
	Charge uint64
	// Ret and Out are empty unless Errno is ESUCCESS.
	Ret []byte
	Out []byte
	// Duration is nanoseconds from Reserve to Commit, -1 where it was not
	// sampled; Time is when that began, unix nanoseconds, 0 likewise.
	Duration int64
	Time     int64
}

// Row returns the call's row of the syscall table. It is never nil in an event
// that a Reader gave.
func (ev *Event) Row() *abi.Row { return abi.Lookup(ev.Num) }

// Object returns what the call was on, to be decided again.
func (ev *Event) Object() abi.Object {
	return abi.Object{Kind: ev.Kind, Name: ev.Name, Name2: ev.Name2, Via: ev.Via, Barring: ev.Barring, Dir: ev.Dir, Grant: ev.Grant, Refused: ev.Refused, Errno: ev.Barred}
}
