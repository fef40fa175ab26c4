package trace

import (
	"encoding/binary"

	"github.com/forgeone/forgeone/abi"
)

// A chunk before compression:
//
//	outs   the outputs of its calls, one after another
//	heads  all else of its calls, one after another
//	foot   u64 index of the first call, u32 calls, u32 length of heads
//
// Outputs lie apart from the rest so that a provider writes them into their
// final place before anything of the call is known, and nothing is ever moved.
const footSize = 16

// Flags of a head: what follows.
const (
	flagErrno  = 1 << iota // an errno; else Ret
	flagIn                 // length and tag of what went in
	flagOut                // length of the output
	flagStop               // an outcome
	flagSample             // duration and time
	flagLimit              // the limit that the errno comes from
	flagCharge             // the fuel that the call cost
	flagsAll   = flagCharge<<1 - 1
)

// Limits that the text of a decision is cut to, so that its size is bounded.
const (
	maxRules    = 64
	maxRuleText = 256
	maxAdvice   = 4096
	maxDecision = maxAdvice + maxRules*(2*maxRuleText+16) + 64
)

// maxPlaces bounds the places of an object: both paths of a call may lead
// through as many as abi.MaxVia, and what the call is on may be one more.
const maxPlaces = 2*abi.MaxVia + 1

// maxHead bounds a head, but for its names and paths, and the overhead of the
// chunk that it may begin.
const maxHead = maxDecision + 512 + 16*maxPlaces

// shape says how the arguments of a row stand in a head: one varint for each
// parameter that carries a value.
type shape struct {
	n      int
	arg    [8]uint8 // indices into Args
	signed [8]bool  // by position in arg
	paths  int
	ret    int
}

// shapes is indexed by abi.Num.
type shapes []shape

func newShapes() shapes {
	rows := abi.Rows()
	ss := make(shapes, len(rows)+1)
	for _, r := range rows {
		s := &ss[r.Num]
		s.paths, s.ret = r.Paths(), r.RetSize()
		for i, p := range r.Params {
			if p.Type.Size() > 0 || p.Type == abi.StringsOut {
				continue // results: nothing of the guest's
			}
			s.arg[s.n], s.signed[s.n] = uint8(i), p.Type == abi.S64
			s.n++
		}
	}
	return ss
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func cut(s string, n int) string { return s[:min(len(s), n)] }

// appendDecision lays a decision down; it has at most maxDecision bytes.
func appendDecision(b []byte, d *abi.Decision) []byte {
	b = append(b, byte(d.Verdict), byte(d.Reason), d.Severity)
	b = append(b, d.Trust.P, d.Trust.A, d.Trust.C, d.Trust.N, d.Trust.R)
	b = binary.AppendUvarint(b, uint64(d.Errno))
	b = binary.AppendUvarint(b, d.Epoch)
	b = appendString(b, cut(d.Advice, maxAdvice))
	rules := d.Rules[:min(len(d.Rules), maxRules)]
	b = binary.AppendUvarint(b, uint64(len(rules)))
	for _, r := range rules {
		b = appendString(b, cut(r.ID, maxRuleText))
		b = appendString(b, cut(r.File, maxRuleText))
		b = binary.AppendUvarint(b, uint64(max(r.Line, 0)))
	}
	return b
}

// objKey is an object as far as a recording keeps it.
type objKey struct {
	kind        abi.ObjectKind
	dir         bool
	refused     abi.Refusal
	errno       abi.Errno
	grant       int
	name, name2 string
	via         string // as appendVia lays it down; "" for none
}

// Flags of an object.
const (
	objectDir = 1 << iota // it is a folder
	objectVia             // places follow
)

func keyOf(o *abi.Object) objKey {
	k := objKey{o.Kind, o.Dir, o.Refused, o.Errno, o.Grant, o.Name, o.Name2, ""}
	if len(o.Via) > 0 {
		k.via = string(appendVia(nil, o))
	}
	return k
}

func (k *objKey) is(o *abi.Object) bool {
	return k.kind == o.Kind && k.dir == o.Dir && k.refused == o.Refused && k.errno == o.Errno && k.grant == o.Grant &&
		k.name == o.Name && k.name2 == o.Name2 && k.via == "" && len(o.Via) == 0
}

func appendObject(b []byte, o *abi.Object) []byte {
	flags := byte(0)
	if o.Dir {
		flags = objectDir
	}
	if len(o.Via) > 0 {
		flags |= objectVia
	}
	b = append(b, byte(o.Kind), flags, byte(o.Refused))
	b = binary.AppendUvarint(b, uint64(o.Errno))
	b = binary.AppendUvarint(b, uint64(max(o.Grant, 0)))
	b = appendString(b, o.Name)
	b = appendString(b, o.Name2)
	if len(o.Via) > 0 {
		b = appendVia(b, o)
	}
	return b
}

// appendVia lays down which place was denied, and the places.
func appendVia(b []byte, o *abi.Object) []byte {
	b = binary.AppendUvarint(b, uint64(o.Barring))
	b = binary.AppendUvarint(b, uint64(len(o.Via)))
	for _, p := range o.Via {
		b = binary.AppendUvarint(b, uint64(max(p.Grant, 0)))
		b = appendString(b, p.Name)
	}
	return b
}
