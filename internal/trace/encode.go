package trace

import (
	"encoding/binary"

	"github.com/forgeone/forgeone/abi"
)

// encoder lays heads down. Objects and decisions are written where a chunk
// first needs them and referred to by number from then on, so a chunk stands
// by itself and its tables are bounded by its size. The steady path allocates nothing.
type encoder struct {
	shapes  shapes
	chunk   uint32 // counts chunks: what the caches hold is of this one or void
	objs    map[objKey]uint64
	decs    map[string]uint64 // by encoding
	seen    map[*abi.Decision]uint64
	lastObj [64]struct {
		chunk uint32
		ref   uint64
		key   objKey
	}
	lastDec [abi.ActionSlots]struct {
		chunk uint32
		ref   uint64
		d     *abi.Decision
	}
	scratch []byte
}

// maxSeen bounds the table of decisions known by pointer: a decider that makes
// a new one for every call would have it keep them all.
const maxSeen = 1024

func newEncoder() *encoder {
	return &encoder{
		shapes: newShapes(), chunk: 1,
		objs: map[objKey]uint64{}, decs: map[string]uint64{}, seen: map[*abi.Decision]uint64{},
	}
}

// next begins another chunk.
func (e *encoder) next() {
	e.chunk++
	clear(e.objs)
	clear(e.decs)
	clear(e.seen)
}

// extra is what the writer adds to a call.
type extra struct {
	tag      [16]byte // of c.In
	out      int      // bytes of output recorded
	sampled  bool
	duration int64
	time     int64
}

// head appends the head of a call.
func (e *encoder) head(b []byte, c *abi.Call, o *abi.Object, d *abi.Decision, x *extra) []byte {
	s := &e.shapes[c.Row.Num]
	flags := byte(0)
	if c.Errno != abi.ESUCCESS {
		flags |= flagErrno
	}
	if len(c.In) > 0 {
		flags |= flagIn
	}
	if x.out > 0 {
		flags |= flagOut
	}
	if c.Stop != abi.OutcomeNone {
		flags |= flagStop
	}
	if x.sampled {
		flags |= flagSample
	}
	if c.Limit != 0 {
		flags |= flagLimit
	}
	if c.Charge != 0 {
		flags |= flagCharge
	}
	b = append(binary.AppendUvarint(b, uint64(c.Row.Num)), flags)
	for i := range s.n {
		v := c.Args[s.arg[i]]
		if s.signed[i] {
			v = zigzag(int64(v))
		}
		if v < 0x80 {
			b = append(b, byte(v))
			continue
		}
		b = binary.AppendUvarint(b, v)
	}
	for i := range s.paths {
		b = appendString(b, c.Path[i])
	}
	if flags&flagIn != 0 {
		b = append(binary.AppendUvarint(b, uint64(len(c.In))), x.tag[:]...)
	}
	b = e.object(b, c, o)
	b = e.decision(b, c, d)
	if flags&flagErrno != 0 {
		b = binary.AppendUvarint(b, uint64(c.Errno))
	} else {
		b = append(b, c.Ret[:s.ret]...)
	}
	if flags&flagOut != 0 {
		b = binary.AppendUvarint(b, uint64(x.out))
	}
	if flags&flagStop != 0 {
		b = append(b, byte(c.Stop))
	}
	if flags&flagSample != 0 {
		b = binary.AppendUvarint(b, uint64(max(x.duration, 0)))
		b = binary.LittleEndian.AppendUint64(b, uint64(x.time))
	}
	if flags&flagLimit != 0 {
		b = binary.AppendUvarint(b, uint64(c.Limit))
	}
	if flags&flagCharge != 0 {
		b = binary.AppendUvarint(b, c.Charge)
	}
	return b
}

func zigzag(v int64) uint64   { return uint64(v)<<1 ^ uint64(v>>63) }
func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

// object appends the reference to o: 0 and the object itself where it is new to the
// chunk, else its number from 1. A guest's calls mostly repeat the object of
// the last call on the same descriptor, whose name is then the same string.
func (e *encoder) object(b []byte, c *abi.Call, o *abi.Object) []byte {
	last := &e.lastObj[(c.Args[0]^uint64(c.Row.Class)<<3)%uint64(len(e.lastObj))]
	if last.chunk == e.chunk && last.key.is(o) {
		return binary.AppendUvarint(b, last.ref)
	}
	k := keyOf(o)
	ref, known := e.objs[k]
	if !known {
		ref = uint64(len(e.objs)) + 1
		e.objs[k] = ref
		b = appendObject(append(b, 0), o)
	} else {
		b = binary.AppendUvarint(b, ref)
	}
	last.chunk, last.ref, last.key = e.chunk, ref, k
	return b
}

// decision appends the reference to d, in the manner of object.
func (e *encoder) decision(b []byte, c *abi.Call, d *abi.Decision) []byte {
	last := &e.lastDec[c.Action().Slot()]
	if last.d == d && last.chunk == e.chunk {
		return binary.AppendUvarint(b, last.ref)
	}
	ref, known := e.seen[d]
	if !known {
		e.scratch = appendDecision(e.scratch[:0], d)
		if ref, known = e.decs[string(e.scratch)]; !known {
			ref = uint64(len(e.decs)) + 1
			e.decs[string(e.scratch)] = ref
			b = append(append(b, 0), e.scratch...)
		}
		if len(e.seen) < maxSeen {
			e.seen[d] = ref
		}
	}
	if known {
		b = binary.AppendUvarint(b, ref)
	}
	last.chunk, last.ref, last.d = e.chunk, ref, d
	return b
}
