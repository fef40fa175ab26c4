package abi

// Limits of one call, in bytes. A guest may hand longer iovecs: preview 1 lets
// a host read and write less than it was asked for.
const (
	// MaxTransfer bounds what one call moves through iovecs.
	MaxTransfer = 1 << 20
	// MaxBuffer bounds a BufferOut, whose calls must not be cut short.
	// A longer buffer answers EINVAL, but for random_get.
	MaxBuffer = 1 << 20
	// MaxRandom bounds a random_get; a longer one is made as several calls.
	MaxRandom = 256 << 10
	// MaxPath bounds a path; a longer one answers ENAMETOOLONG.
	MaxPath = 4096
	// MaxIovecs bounds the iovecs of one call; more answer EINVAL.
	MaxIovecs = 1 << 20
	// MaxSubscriptions bounds poll_oneoff; more answer EINVAL.
	MaxSubscriptions = 4096
)

// Call is one syscall on its way through the gate. The engine's thread owns it
// and reuses it for the next call, so nothing may keep it or its slices beyond
// the call.
type Call struct {
	Row *Row
	// Index is the call's index in its run's recording, from 0.
	Index uint64
	// Args has one value per entry of Row.Params: scalars and handles masked to
	// their type; for a Path its length; for buffers and iovecs the number of
	// bytes the guest offered, cut to MaxTransfer; for StringsOut and Ret types 0
	// (guest addresses never leave the engine).
	Args [8]uint64
	// Path holds the Path parameters in table order. The text is the guest's:
	// any bytes, not canonical.
	Path [2]string
	// In holds what BytesIn or SubsIn gathered.
	In []byte
	// Out is where the variable output goes: the recorder's Reserve sets it to
	// OutCap bytes and the provider fills Out[:OutLen].
	Out    []byte
	OutCap int
	OutLen int
	// Ret holds the fixed results in guest layout, Row.RetSize bytes in Params
	// order. They reach the guest only when Errno is ESUCCESS.
	Ret [FilestatSize + 8]byte
	// Errno is the answer.
	Errno Errno
	// Limit names the limit of the run that Errno comes from, 0 if from none.
	Limit Limit
	// Stop, when not OutcomeNone, ends the run at this call.
	Stop Outcome
	// Gas is what the guest had left in fuel when it called, of what the gate handed out:
	// set by who lifts the call, and not recorded.
	Gas int64
	// Work is what the call did so far: each counts where it works.
	Work Tally
	// Charge is the fuel that the call costs. The gate sets it before the call is
	// recorded; it is 0 for a call that was refused a place in the recording.
	Charge uint64
}

// Reset makes c ready for a call of r at index.
func (c *Call) Reset(r *Row, index uint64) {
	*c = Call{Row: r, Index: index}
}

// ExitCode is the guest's exit code when c ended the run as OutcomeExit: what
// proc_exit was given; for a signal of proc_raise 128 and its number, as a shell
// shows it.
func (c *Call) ExitCode() uint32 {
	if c.Row.Num == ProcRaise {
		return 128 + uint32(c.Args[0])
	}
	return uint32(c.Args[0])
}

// SetU16 sets the result at byte offset off of Ret.
func (c *Call) SetU16(off int, v uint16) { c.Ret[off], c.Ret[off+1] = byte(v), byte(v>>8) }

// SetU32 sets the result at byte offset off of Ret.
func (c *Call) SetU32(off int, v uint32) {
	c.Ret[off], c.Ret[off+1], c.Ret[off+2], c.Ret[off+3] = byte(v), byte(v>>8), byte(v>>16), byte(v>>24)
}

// SetU64 sets the result at byte offset off of Ret.
func (c *Call) SetU64(off int, v uint64) {
	c.SetU32(off, uint32(v))
	c.SetU32(off+4, uint32(v>>32))
}

// Action is what policy decides on: a syscall's number, or for path_open the
// write variant where the open would change something.
type Action uint16

// PathOpenWrite is the action of a path_open that asks to write, create or
// truncate. It is in the group fs_write, the plain one in fs_read.
const PathOpenWrite Action = 1 << 12

// ActionSlots is the number of slots that Action.Slot returns.
const ActionSlots = int(SockShutdown) + 2

// Slot is a dense index of the action, below ActionSlots.
func (a Action) Slot() int {
	if a == PathOpenWrite {
		return ActionSlots - 1
	}
	if int(a) < ActionSlots-1 {
		return int(a)
	}
	return 0
}

// String returns the action as policies write it: "path_open", "path_open_write".
func (a Action) String() string {
	if a == PathOpenWrite {
		return "path_open_write"
	}
	if r := Lookup(Num(a)); r != nil {
		return r.Name
	}
	return "action(" + utoa(uint64(a)) + ")"
}

// Class returns the class, and so the action group, of a.
func (a Action) Class() Class {
	if a == PathOpenWrite {
		return FSWrite
	}
	if r := Lookup(Num(a)); r != nil {
		return r.Class
	}
	return 0
}

// Actions lists every action, in order of number, PathOpenWrite last.
func Actions() []Action {
	var as []Action
	for _, r := range Rows() {
		as = append(as, Action(r.Num))
	}
	return append(as, PathOpenWrite)
}

// Action returns what policy decides c as.
func (c *Call) Action() Action {
	if c.Row.Num == PathOpen {
		if Rights(c.Args[4])&RightFDWrite != 0 || uint16(c.Args[3])&(OFlagCreat|OFlagTrunc) != 0 {
			return PathOpenWrite
		}
	}
	return Action(c.Row.Num)
}

// ObjectKind says what kind of thing a call is on; it is the resource type in policy.
type ObjectKind uint8

// Kinds of objects.
const (
	ObjNone    ObjectKind = iota // nothing: the call can have no effect (a bad descriptor, say)
	ObjFile                      // a file or folder of the run's namespace, by canonical name
	ObjStream                    // "stdin", "stdout", "stderr"
	ObjArgs                      // the arguments
	ObjEnv                       // the environment
	ObjClock                     // "realtime", "monotonic", "process_cputime", "thread_cputime"
	ObjRandom                    // the source of randomness
	ObjProcess                   // the guest itself: exit, yield, raise, poll
	ObjSocket                    // a socket
	objEnd
)

var objNames = [objEnd]string{"None", "File", "Stream", "Args", "Env", "Clock", "Random", "Process", "Socket"}

// String returns the kind as policies name the type: "File".
func (k ObjectKind) String() string {
	if k < objEnd {
		return objNames[k]
	}
	return "kind(" + utoa(uint64(k)) + ")"
}

// Refusal is why the world will not ask policy at all.
type Refusal uint8

// Refusals.
const (
	RefuseNone     Refusal = iota
	RefuseNoGrant          // no grant covers the name
	RefuseReadOnly         // the grant is read-only and the call would write
	RefuseRights           // the descriptor lacks a right
	RefuseEscape           // the name leaves the root
	RefuseMove             // the move would widen what may be done with the object
	RefuseSystem           // the name lies on one of the kernel's own file systems, or in the state folder
	refusalEnd
)

// Object is what a call is on: resolved without effect, decided on, then
// performed on. The gate owns it and reuses it; Held belongs to the world.
type Object struct {
	Kind ObjectKind
	// Name is canonical: for files the absolute path in the run's namespace,
	// without ".", ".." or doubled slashes; where the object does not exist the
	// canonical prefix plus the rest.
	Name string
	// Name2 is the second name of rename and link: the destination.
	Name2 string
	// Via are the places that the call's paths led through. Each is decided on as
	// Name is, before it; a denial of one is the denial of the call. The world's,
	// valid until it releases the object.
	Via []Place
	// Barring is set by the decider: the index, from 1, of the place in Via that
	// was denied; 0 where none was.
	Barring int
	// Dir tells that Name is an existing folder.
	Dir bool
	// Grant is the index, from 1, of the grant that makes the object exist; 0
	// for what is there without one.
	Grant int
	// Refused, if set, denies the call: without asking policy where there is no
	// name to ask about, else if policy does not deny it first (Program.Decide).
	Refused Refusal
	// Errno is what stands in the way of an allowed call: the gate answers it
	// without performing. On a refusal it is the answer.
	Errno Errno
	// Memo, if not nil, keeps decisions with the descriptor the call came
	// through.
	Memo *Memo
	// Held is what the world needs to perform the call on this very object.
	Held any
	// H is a small number of the world's, to spare an allocation for Held.
	H int
}

// Memo keeps, with a descriptor, what was decided for it. It holds for one
// Decider only: for the same program, trust and epoch.
type Memo struct {
	By    any // the decider that filled it
	Slots [ActionSlots]*Decision
}

// Verdict is the outcome of a decision.
type Verdict uint8

// Verdicts. The zero value denies.
const (
	Deny Verdict = iota
	Allow
	Escalate
)

// String returns "deny", "allow" or "escalate".
func (v Verdict) String() string {
	switch v {
	case Allow:
		return "allow"
	case Escalate:
		return "escalate"
	}
	return "deny"
}

// Reason says what kind of thing made a decision.
type Reason uint8

// Reasons.
const (
	ReasonNone     Reason = iota
	ReasonPermit          // a permit rule matched and no forbid did
	ReasonForbid          // a forbid rule matched
	ReasonNoPermit        // no rule permits it
	ReasonNoGrant         // nothing was granted under that name
	ReasonReadOnly        // the grant is read-only
	ReasonRights          // the descriptor lacks a right
	ReasonEscape          // the name leaves the root
	ReasonMove            // the move would widen access
	ReasonNoEffect        // the call can do nothing (bad descriptor, say): there was nothing to decide
	ReasonError           // policy could not be evaluated; errors deny
	ReasonSystem          // the name lies on one of the kernel's own file systems, or in the state folder
	reasonEnd
)

var reasonNames = [reasonEnd]string{"", "permit", "forbid", "no permit", "no grant", "read-only grant", "missing right", "escape", "move widens access", "no effect", "policy error", "kernel's own files"}

// String returns the reason in a few words: "no grant".
func (r Reason) String() string {
	if r < reasonEnd {
		return reasonNames[r]
	}
	return "reason(" + utoa(uint64(r)) + ")"
}

// Rule names one rule of a policy.
type Rule struct {
	ID   string // the annotation @id, else "policyN"
	File string // the policy's file name, "base.cedar"
	Line int    // from 1
}

// Decision is an answer of the policy program. It is immutable and may be shared.
type Decision struct {
	Verdict  Verdict
	Reason   Reason
	Errno    Errno  // the answer to a denied call
	Rules    []Rule // the rules that determined it
	Severity uint8  // 0–5, of a denial
	Advice   string // @advice of the deciding rule
	Epoch    uint64
	Trust    Trust
}

// Refuse turns the world's refusal o into a decision's reason and errno.
func Refuse(o *Object) (Reason, Errno) {
	e := o.Errno
	switch o.Refused {
	case RefuseNoGrant:
		if e == 0 {
			e = ENOENT
		}
		return ReasonNoGrant, e
	case RefuseReadOnly:
		if e == 0 {
			e = EROFS
		}
		return ReasonReadOnly, e
	case RefuseEscape:
		return ReasonEscape, ENOTCAPABLE
	case RefuseMove:
		if e == 0 {
			e = EACCES
		}
		return ReasonMove, e
	case RefuseSystem:
		return ReasonSystem, ENOTCAPABLE
	}
	return ReasonRights, ENOTCAPABLE
}

// Trust is the trust vector: components from 0 to 100. Its field numbers stand in the log.
type Trust struct {
	P uint8 `cbor:"1,keyasint" json:"p"` // provenance
	A uint8 `cbor:"2,keyasint" json:"a"` // attestation
	C uint8 `cbor:"3,keyasint" json:"c"` // conduct
	N uint8 `cbor:"4,keyasint" json:"n"` // anomaly
	R uint8 `cbor:"5,keyasint" json:"r"` // resources
}

// T is trust itself: the minimum of the components.
func (t Trust) T() uint8 { return min(t.P, t.A, t.C, t.N, t.R) }

// String returns "T 50 (P 50 A 100 C 60 N 100 R 100)".
func (t Trust) String() string {
	u := func(v uint8) string { return utoa(uint64(v)) }
	return "T " + u(t.T()) + " (P " + u(t.P) + " A " + u(t.A) + " C " + u(t.C) + " N " + u(t.N) + " R " + u(t.R) + ")"
}
