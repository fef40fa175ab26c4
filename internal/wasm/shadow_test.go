package wasm

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/conform"
	"github.com/forgeone/forgeone/internal/provider/pure"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

// slot is a piece of guest memory that a call names.
type slot struct {
	param int
	size  uint64
	out   bool // written by the host
	ptr   uint32
	table bool     // of iovecs
	bytes []byte   // what the guest puts there; of a table nothing yet
	of    []uint64 // of a table: the lengths of its iovecs, whose slots follow
}

// vectors cuts n bytes into iovecs, one of them empty.
func vectors(n uint64) []uint64 {
	if n == 0 {
		return []uint64{0}
	}
	return []uint64{n / 3, 0, n - n/3 - n/4, n / 4}
}

// slots lists what a case's call names, in order of its parameters.
func (r *rig) slots(c conform.Case) (list []slot) {
	row, args := abi.Lookup(c.Num), c.Args
	subs := uint64(0)
	for i, p := range row.Params {
		var arg any
		if conform.Takes(p.Type) {
			arg, args = args[0], args[1:]
		}
		switch p.Type {
		case abi.Path:
			list = append(list, slot{param: i, size: uint64(len(arg.(string))), bytes: []byte(arg.(string))})
		case abi.SubsIn:
			subs = uint64(len(arg.([]byte))) / abi.SubscriptionSize
			list = append(list, slot{param: i, size: uint64(len(arg.([]byte))), bytes: arg.([]byte)})
		case abi.EventsOut:
			list = append(list, slot{param: i, size: subs * abi.EventSize, out: true})
		case abi.StringsOut:
			n, size := r.StringsSize(c.Num)
			list = append(list, slot{param: i, size: uint64(n) * 4, out: true}, slot{param: i, size: uint64(size), out: true})
		case abi.BufferOut:
			list = append(list, slot{param: i, size: uint64(arg.(conform.Room)), out: true})
		case abi.BytesIn, abi.BytesOut:
			if n, ok := arg.(conform.Iovecs); ok {
				list = append(list, slot{param: i, size: uint64(n) * abi.IovecSize})
				break
			}
			text, out := []byte(nil), p.Type == abi.BytesOut
			var of []uint64
			if out {
				of = vectors(uint64(arg.(conform.Room)))
			} else {
				text = []byte(arg.(string))
				of = vectors(uint64(len(text)))
			}
			list = append(list, slot{param: i, size: uint64(len(of)) * abi.IovecSize, table: true, of: of})
			for _, n := range of {
				s := slot{param: i, size: n, out: out}
				if !out {
					s.bytes, text = text[:n], text[n:]
				}
				list = append(list, s)
			}
		default:
			if n := p.Type.Size(); n > 0 {
				list = append(list, slot{param: i, size: uint64(n), out: true})
			}
		}
	}
	return list
}

// lay fills memory with dirt, puts what the guest says into the slots that lie
// within it, and returns the call's core arguments.
func (r *rig) lay(c conform.Case, list []slot) (stack []uint64) {
	for i := range r.mem {
		r.mem[i] = byte(i*7 + i>>8)
	}
	put := func(ptr uint32, b []byte) {
		if uint64(ptr)+uint64(len(b)) <= uint64(len(r.mem)) {
			copy(r.mem[ptr:], b)
		}
	}
	for i, s := range list {
		put(s.ptr, s.bytes)
		for k := range s.of {
			put(s.ptr+uint32(k)*abi.IovecSize, iovecs(list[i+1+k].ptr, uint32(s.of[k])))
		}
	}
	args := c.Args
	for i, p := range abi.Lookup(c.Num).Params {
		var arg any
		if conform.Takes(p.Type) {
			arg, args = args[0], args[1:]
		}
		at := slices.IndexFunc(list, func(s slot) bool { return s.param == i })
		if at < 0 {
			stack = append(stack, conform.Scalar(arg))
			if len(p.Type.Core()) == 1 && p.Type.Core() == "i" {
				stack[len(stack)-1] = uint64(uint32(stack[len(stack)-1]))
			}
			continue
		}
		s := list[at]
		stack = append(stack, uint64(s.ptr))
		switch {
		case p.Type == abi.StringsOut:
			stack = append(stack, uint64(list[at+1].ptr))
		case s.table:
			stack = append(stack, uint64(len(s.of)))
		case p.Type == abi.BytesIn, p.Type == abi.BytesOut:
			stack = append(stack, s.size/abi.IovecSize)
		case len(p.Type.Core()) == 2:
			stack = append(stack, s.size)
		}
	}
	return stack
}

// layouts are ways to place slots. Slots too large for the memory, which a call
// that fails has, lie at its start.
func (r *rig) layouts(list []slot) map[string][]slot {
	all := map[string][]slot{}
	place := func(name string, f func(l []slot)) {
		l := slices.Clone(list)
		f(l)
		all[name] = l
	}
	spread := func(l []slot, odd uint32) {
		at := uint32(1 << 10)
		for i := range l {
			if l[i].ptr = at | odd; l[i].size < 1<<15 {
				at = (at + uint32(l[i].size) + 40) &^ 7
			}
		}
	}
	place("spread", func(l []slot) { spread(l, 0) })
	place("odd", func(l []slot) { spread(l, 1) })
	// Everything that is written lies over the first slot: results over buffers,
	// buffers over the table that names them.
	place("over", func(l []slot) {
		spread(l, 0)
		for i := range l {
			if l[i].out {
				l[i].ptr = l[0].ptr + uint32(i&1)*3
			}
		}
	})
	// The same, beginning with the third iovec of a table: what the first one gets
	// must not lead the third one elsewhere.
	place("onto", func(l []slot) {
		spread(l, 0)
		for i := range l {
			if l[i].out {
				l[i].ptr = l[0].ptr + 2*abi.IovecSize
			}
		}
	})
	for k := range list {
		if list[k].size < 1<<15 {
			place("end "+string(rune('0'+k)), func(l []slot) {
				spread(l, 0)
				l[k].ptr = uint32(len(r.mem)) - uint32(l[k].size)
			})
		}
	}
	return all
}

// shadow makes every case of the table, laid out in every way that pick lets,
// against trees of kind k.
func (r *rig) shadow(t *testing.T, k conform.Tree, pick func(layout string) bool) {
	same := conform.New(t, k)
	for _, c := range conform.Cases() {
		if !k.Fits(c) {
			continue
		}
		r.enter(same)
		for name, list := range r.layouts(r.slots(c)) {
			if !pick(name) {
				continue
			}
			f := same
			if c.Errno == 0 || c.Setup != nil {
				f = conform.New(t, k)
			}
			if c.Setup != nil {
				c.Setup(f)
			}
			r.enter(f)
			if e := r.call(abi.Lookup(c.Num), r.lay(c, list)); e != c.Errno {
				t.Errorf("%s, %s: %v", c, name, e)
			}
			r.counts(t, c)
		}
	}
}

// counts checks that what a call says it wrote is what it wrote.
func (r *rig) counts(t *testing.T, c conform.Case) {
	t.Helper()
	row := abi.Lookup(c.Num)
	if c.Errno != 0 || row.OutParam() < 0 || row.RetSize() < 4 {
		return
	}
	n, unit := int(binary.LittleEndian.Uint32(r.ret)), 1
	if c.Num == abi.PollOneoff {
		unit = abi.EventSize
	}
	if n*unit != len(r.out) {
		t.Errorf("%s: says %d, wrote %d bytes", c, n, len(r.out))
	}
}

// TestShadow: for each function and errno, the host writes exactly what the table
// declares, wherever the guest's pointers lead.
func TestShadow(t *testing.T) {
	newRig(t).shadow(t, scratchTree(), func(string) bool { return true })
}

// scratchTree is a tree in memory.
func scratchTree() conform.Tree {
	now := uint64(1_700_000_000_000_000_000)
	return conform.Tree{Quota: true, New: func(testing.TB) tree.Dir {
		return pure.NewScratch(func() uint64 { now++; return now }, conform.QuotaBytes-1, conform.QuotaNodes-1)
	}}
}

// TestShadowFault: each address that a call names is checked before anything is
// done. One that leads out of memory, by a byte or past the last address there
// is, answers EFAULT, and nothing was performed.
func TestShadowFault(t *testing.T) {
	r := newRig(t)
	f := conform.New(t, scratchTree())
	r.enter(f)
	tried := map[abi.Num]int{}
	for _, c := range conform.Cases() {
		if c.Errno != 0 && abi.Lookup(c.Num).Provided {
			continue
		}
		spread := r.layouts(r.slots(c))["spread"]
		for k, s := range spread {
			size := uint32(len(r.mem))
			for _, ptr := range []uint32{size - uint32(s.size) + 1, size + 1, math.MaxUint32 - uint32(s.size), math.MaxUint32, 1 << 31} {
				if uint64(ptr)+s.size <= uint64(size) {
					continue
				}
				list := slices.Clone(spread)
				list[k].ptr = ptr
				if e := r.call(abi.Lookup(c.Num), r.lay(c, list)); e != abi.EFAULT || r.lifted != abi.EFAULT {
					t.Fatalf("%s, slot %d at %#x: %v, and %v at the gate", c, k, ptr, e, r.lifted)
				}
				tried[c.Num]++
			}
		}
	}
	for _, row := range abi.Rows() {
		if declares := slices.Contains(row.Errnos(), abi.EFAULT); declares != (tried[row.Num] > 0) {
			t.Errorf("%s: declares EFAULT: %v, tried %d times", row.Name, declares, tried[row.Num])
		}
	}
}

// TestShadowRandom: the same of calls with whatever arguments a guest comes up
// with: pointers into each other, into tables, over the end, huge counts.
func TestShadowRandom(t *testing.T) {
	r := newRig(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	size := uint32(rigPages * PageSize)
	paths := []string{"f", "d", "full", "l", "new", "../x", "d/", "loop", "w/f", "."}
	const tables, names = 256, 4096 // where there are iovecs and subscriptions, and paths
	pointer := func() uint64 {
		near := []uint32{0, 1, tables, tables + 8, tables + 13, names, names + 64, size - 64, size - 8, size - 1, size, size + 1, 1 << 31, math.MaxUint32 - 7, math.MaxUint32}
		p := near[rnd.IntN(len(near))]
		if rnd.IntN(4) == 0 {
			p = rnd.Uint32N(size)
		}
		return uint64(p)
	}
	number := func() uint64 {
		some := []uint64{0, 1, 2, 3, 4, 5, 8, 48, 100, 255, 256, 65536, 1 << 20, 1<<20 + 1, 16<<20 + 1, math.MaxInt64, math.MaxUint64}
		return some[rnd.IntN(len(some))]
	}
	answers := map[abi.Errno]int{}
	for i := range 8_000 {
		if i%50 == 0 {
			f := conform.New(t, scratchTree())
			close(f.Done) // nothing blocks
			r.enter(f)
			for k := range r.mem {
				r.mem[k] = byte(rnd.Uint32())
			}
		}
		for k := range 40 {
			copy(r.mem[tables+k*8:], iovecs(uint32(pointer()), uint32(min(number(), 300))))
			copy(r.mem[names+k*64:], paths[rnd.IntN(len(paths))]+"\x00")
		}
		row := abi.Rows()[rnd.IntN(len(abi.Rows()))]
		var stack []uint64
		for _, p := range row.Params {
			switch p.Type {
			case abi.Handle:
				stack = append(stack, uint64(rnd.IntN(20)))
			case abi.Path:
				k := rnd.IntN(40)
				stack = append(stack, uint64(names+k*64), uint64(bytes.IndexByte(r.mem[names+k*64:], 0)))
			case abi.BytesIn, abi.BytesOut:
				stack = append(stack, uint64(tables+rnd.IntN(40)*8), number()&math.MaxUint32)
			case abi.U8, abi.U16, abi.U32:
				stack = append(stack, number()&math.MaxUint32)
			case abi.U64, abi.S64:
				stack = append(stack, number()|uint64(rnd.IntN(2))*uint64(abi.AllRights))
			default:
				stack = append(stack, pointer())
				if len(p.Type.Core()) == 2 {
					stack = append(stack, number()&math.MaxUint32)
				}
			}
		}
		e := r.call(row, stack)
		if answers[e]++; e != 0 && row.Provided && !slices.Contains(row.Errnos(), e) {
			t.Errorf("%s%x: %v, which the table does not say", row.Name, stack, e)
		}
	}
	if answers[0] < 500 || len(answers) < 12 {
		t.Errorf("the calls come to little: %v", answers)
	}
}
