package abi

import "strings"

// Iface names an interface, with its version track, that rows belong to.
type Iface uint8

// Interfaces with rows in the table.
const (
	WASIPreview1 Iface = 1
)

// Module is the import module name that guests use for the interface.
func (i Iface) Module() string {
	if i == WASIPreview1 {
		return "wasi_snapshot_preview1"
	}
	return "unknown"
}

// Num is a syscall's number. It stands in recordings: stable, never reused.
type Num uint16

// Class groups syscalls by what they reach; policy's action groups, telemetry
// and listings derive from it.
type Class uint8

// Classes.
const (
	FSRead Class = iota + 1
	FSWrite
	Net
	Time
	Entropy
	IPC
	Process
	classEnd
)

var classNames = [classEnd]string{FSRead: "fs_read", FSWrite: "fs_write", Net: "net", Time: "time", Entropy: "entropy", IPC: "ipc", Process: "process"}

// String returns the class as policies and listings write it: "fs_read".
func (c Class) String() string {
	if c < classEnd && classNames[c] != "" {
		return classNames[c]
	}
	return "class(" + utoa(uint64(c)) + ")"
}

// Classes lists every class in order.
func Classes() []Class { return []Class{FSRead, FSWrite, Net, Time, Entropy, IPC, Process} }

// Type is a parameter's type. It fixes how many core values carry the
// parameter, how the engine lifts and lowers it and how a recording keeps it.
type Type uint8

// Types. The comment says which core values carry it.
const (
	U8          Type = iota + 1 // i32
	U16                         // i32
	U32                         // i32
	U64                         // i64
	S64                         // i64
	Handle                      // i32, a descriptor
	Path                        // i32 pointer, i32 length: a string, copied once
	BytesIn                     // i32 pointer, i32 count of iovecs: gathered into Call.In
	BytesOut                    // i32 pointer, i32 count of iovecs: scattered from Call.Out
	BufferOut                   // i32 pointer, i32 length: from Call.Out
	StringsOut                  // i32 pointer array, i32 buffer: NUL-ended strings from Call.Out
	SubsIn                      // i32 pointer; count is the row's U32 named "nsubscriptions"
	EventsOut                   // i32 pointer; same count
	RetU16                      // i32 pointer to a result
	RetU32                      // i32 pointer to a result
	RetU64                      // i32 pointer to a result
	RetHandle                   // i32 pointer to a result
	RetFdstat                   // i32 pointer to a result of FdstatSize
	RetFilestat                 // i32 pointer to a result of FilestatSize
	RetPrestat                  // i32 pointer to a result of PrestatSize
)

// Dir is the direction data flows, seen from the guest.
type Dir uint8

// Directions.
const (
	In Dir = iota
	Out
)

// Size is the number of bytes a Ret type takes in guest memory; 0 for others.
func (t Type) Size() int {
	switch t {
	case RetU16:
		return 2
	case RetU32, RetHandle:
		return 4
	case RetU64:
		return 8
	case RetFdstat:
		return FdstatSize
	case RetFilestat:
		return FilestatSize
	case RetPrestat:
		return PrestatSize
	}
	return 0
}

// Dir returns the type's direction.
func (t Type) Dir() Dir {
	switch t {
	case BytesOut, BufferOut, StringsOut, EventsOut:
		return Out
	}
	if t.Size() > 0 {
		return Out
	}
	return In
}

// Core returns the core types that carry t, one byte each: 'i' for i32, 'l' for i64.
func (t Type) Core() string {
	switch t {
	case U64, S64:
		return "l"
	case Path, BytesIn, BytesOut, BufferOut, StringsOut:
		return "ii"
	}
	return "i"
}

var typeNames = [...]string{
	U8: "u8", U16: "u16", U32: "u32", U64: "u64", S64: "s64", Handle: "fd", Path: "path", BytesIn: "ciovec[]",
	BytesOut: "iovec[]", BufferOut: "buffer", StringsOut: "string[]", SubsIn: "subscription[]", EventsOut: "event[]",
	RetU16: "*u16", RetU32: "*u32", RetU64: "*u64", RetHandle: "*fd", RetFdstat: "*fdstat", RetFilestat: "*filestat",
	RetPrestat: "*prestat",
}

// String returns the type as listings write it.
func (t Type) String() string {
	if int(t) < len(typeNames) && typeNames[t] != "" {
		return typeNames[t]
	}
	return "type(" + utoa(uint64(t)) + ")"
}

// Param is one parameter of a syscall.
type Param struct {
	Name string
	Type Type
	// Words names the words of a flag or enumeration type ("oflags", "rights",
	// "fdflags", "lookupflags", "fstflags", "clockid", "whence", "advice", "riflags",
	// "roflags", "sdflags", "signal"), "" for a plain number. Views print values by it.
	Words string
}

// Row is one syscall of the table.
type Row struct {
	Num    Num
	Iface  Iface
	Name   string
	Class  Class
	Params []Param
	// Needs are the base rights that the descriptor in Params[0] must carry;
	// those that depend on arguments are the provider's to check.
	Needs Rights
	// Price is what a call is charged for its work, in fuel.
	Price Price
	// Blocks says that Perform may wait: its result is rechecked against the
	// policy in force before it reaches the guest.
	Blocks bool
	// Provided is false while no provider stands behind the row: the call is
	// decided and recorded like any other and answers ENOSYS.
	Provided bool
	// Doc says in one sentence what the call does.
	Doc string

	retSize  int
	pathN    int
	outParam int // index in Params of the variable output, -1 if none
	inParam  int // index of the variable input, -1 if none
}

// RetSize is the number of bytes of all fixed results, in Params order.
func (r *Row) RetSize() int { return r.retSize }

// OutParam is the index in Params of the variable output, -1 if there is none.
func (r *Row) OutParam() int { return r.outParam }

// InParam is the index in Params of the variable input, -1 if there is none.
func (r *Row) InParam() int { return r.inParam }

// Paths is the number of Path parameters.
func (r *Row) Paths() int { return r.pathN }

// Core returns the function's core parameter types, 'i' for i32 and 'l' for i64.
func (r *Row) Core() string {
	s := ""
	for _, p := range r.Params {
		s += p.Type.Core()
	}
	return s
}

// Returns tells whether the function returns an errno. Only proc_exit does not.
func (r *Row) Returns() bool { return r.Num != ProcExit }

// Rows returns the whole table in order of Num. The slice and what it points to
// belong to the package and must not be changed.
func Rows() []*Row { return table[1:] }

// Lookup returns the row of n, or nil.
func Lookup(n Num) *Row {
	if n == 0 || int(n) >= len(table) {
		return nil
	}
	return table[n]
}

// ByName returns the row of the named function of an interface, or nil.
func ByName(i Iface, name string) *Row {
	for _, r := range table[1:] {
		if r.Iface == i && r.Name == name {
			return r
		}
	}
	return nil
}

// Fingerprint is a text that changes when a row changes in a way that matters
// to a recording: its number, name or parameter types.
func Fingerprint() string {
	var b strings.Builder
	for _, r := range table[1:] {
		b.WriteString(utoa(uint64(r.Num)) + " " + r.Iface.Module() + "." + r.Name + "(")
		for i, p := range r.Params {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(p.Type.String())
		}
		b.WriteString(")\n")
	}
	return b.String()
}

// table is indexed by Num; entry 0 is empty.
var table = buildTable()

func buildTable() []*Row {
	t := make([]*Row, 1, len(preview1)+1)
	for i := range preview1 {
		r := &preview1[i]
		r.Iface = WASIPreview1
		r.outParam, r.inParam = -1, -1
		for j, p := range r.Params {
			r.retSize += p.Type.Size()
			switch p.Type {
			case Path:
				r.pathN++
			case BytesIn, SubsIn:
				r.inParam = j
			case BytesOut, BufferOut, StringsOut, EventsOut:
				r.outParam = j
			}
		}
		t = append(t, r)
	}
	return t
}
