package wasm

import (
	"encoding/binary"
	"math"

	"github.com/tetratelabs/wazero/api"

	"github.com/forgeone/forgeone/abi"
)

// plan is what marshalling needs of a row, worked out once.
type plan struct {
	row  *abi.Row
	core []api.ValueType
	at   []int // by parameter: index of its first core value
	n    int   // index of the core value "nsubscriptions", -1 if the row has none
}

func newPlan(r *abi.Row) *plan {
	p := &plan{row: r, n: -1}
	for _, q := range r.Params {
		p.at = append(p.at, len(p.core))
		if q.Name == "nsubscriptions" {
			p.n = len(p.core)
		}
		for _, c := range q.Type.Core() {
			t := api.ValueTypeI32
			if c == 'l' {
				t = api.ValueTypeI64
			}
			p.core = append(p.core, t)
		}
	}
	return p
}

// enter makes the guest's call: as one, or random_get of many bytes as several.
func (g *Guest) enter(p *plan, mod api.Module, stack []uint64) {
	if p.row.Num == abi.RandomGet && uint32(stack[1]) > abi.MaxRandom {
		g.random(p, mod, stack)
		return
	}
	g.call(p, mod, stack)
}

// random answers a random_get that is too large to be recorded in one piece:
// preview 1 knows no short answer to it. Each piece is a call of its own.
func (g *Guest) random(p *plan, mod api.Module, stack []uint64) {
	g.bind(mod)
	ptr, left := uint32(stack[0]), uint32(stack[1])
	if uint64(ptr)+uint64(left) > uint64(g.size()) {
		g.call(p, mod, stack) // which says so, and fills nothing
		return
	}
	for left > 0 {
		n := min(left, abi.MaxRandom)
		piece := [2]uint64{uint64(ptr), uint64(n)}
		if g.call(p, mod, piece[:]); piece[0] != uint64(abi.ESUCCESS) {
			stack[0] = piece[0]
			return
		}
		ptr, left = ptr+n, left-n
	}
	stack[0] = uint64(abi.ESUCCESS)
}

// call lifts one call, sends it through the door and lowers its answer. The
// upper halves of 32-bit values on the engine's stack are garbage: each is
// masked to its type.
func (g *Guest) call(p *plan, mod api.Module, stack []uint64) {
	g.bind(mod)
	c := &g.c
	c.Reset(p.row, 0)
	for i := range p.row.Params {
		if c.Errno != abi.ESUCCESS {
			break // recorded with what was read so far
		}
		g.lift(p, i, stack)
	}
	if g.gas != nil {
		c.Gas = int64(g.gas.Get())
	}
	errno := g.door.Do(c)
	if c.Charge != 0 && g.gas != nil {
		g.gas.Set(g.gas.Get() - c.Charge) // below zero the next tick sees to it
	}
	if c.Stop != abi.OutcomeNone {
		g.stop, g.exit = c.Stop, c.ExitCode()
		unwind()
	}
	if errno == abi.ESUCCESS {
		g.lower(p, stack)
	}
	if p.row.Returns() {
		stack[0] = uint64(errno)
	}
}

// lift reads parameter i of the call and checks every address it names, so that
// nothing is performed that could not be answered.
func (g *Guest) lift(p *plan, i int, stack []uint64) {
	c, at := &g.c, p.at[i]
	v := stack[at]
	switch t := p.row.Params[i].Type; t {
	case abi.U8, abi.U16:
		// A number too large for its type is no value of it.
		limit := uint32(math.MaxUint8)
		if t == abi.U16 {
			limit = math.MaxUint16
		}
		c.Args[i] = uint64(uint32(v))
		if uint32(v) > limit {
			c.Errno = abi.EINVAL
		}
	case abi.U32, abi.Handle:
		c.Args[i] = uint64(uint32(v))
	case abi.U64, abi.S64:
		c.Args[i] = v
	case abi.Path:
		g.liftPath(i, uint32(v), uint32(stack[at+1]))
	case abi.BytesIn:
		g.gather(i, uint32(v), uint32(stack[at+1]))
	case abi.BytesOut:
		n := g.capacity(uint32(v), uint32(stack[at+1]))
		c.OutCap, c.Args[i] = n, uint64(n)
	case abi.BufferOut:
		n := uint32(stack[at+1])
		c.Args[i] = uint64(n)
		if n > abi.MaxBuffer && p.row.Num != abi.RandomGet { // (what comes here of that is out of bounds)
			c.Errno = abi.EINVAL
		} else if g.check(uint32(v), n) {
			c.OutCap = int(n)
		}
	case abi.StringsOut:
		count, bytes := g.door.StringsSize(p.row.Num)
		if g.check(uint32(v), uint32(count)*4) && g.check(uint32(stack[at+1]), uint32(bytes)) {
			c.OutCap = bytes
		}
	case abi.SubsIn:
		n := uint32(stack[p.n])
		if n > abi.MaxSubscriptions {
			c.Errno = abi.EINVAL
		} else if b, ok := g.read(uint32(v), n*abi.SubscriptionSize); ok {
			// Copied: the output may lie over it.
			g.in = append(g.in[:0], b...)
			c.In, c.Args[i] = g.in, uint64(len(b))
		} else {
			c.Errno = abi.EFAULT
		}
	case abi.EventsOut:
		n := uint32(stack[p.n]) * abi.EventSize
		if g.check(uint32(v), n) {
			c.OutCap, c.Args[i] = int(n), uint64(n)
		}
	default:
		g.check(uint32(v), uint32(t.Size()))
	}
}

// check tells whether the guest's memory holds n bytes at ptr, and sets EFAULT if not.
func (g *Guest) check(ptr, n uint32) bool {
	if uint64(ptr)+uint64(n) > uint64(g.size()) {
		g.c.Errno = abi.EFAULT
		return false
	}
	return true
}

// size is that of the guest's memory, 0 if it has none.
func (g *Guest) size() uint32 {
	if g.mem == nil {
		return 0
	}
	return g.mem.Size()
}

// read returns n bytes of guest memory at ptr, which alias it.
func (g *Guest) read(ptr, n uint32) ([]byte, bool) {
	if g.mem == nil {
		return nil, n == 0
	}
	return g.mem.Read(ptr, n)
}

// write copies b to ptr; that it fits was checked.
func (g *Guest) write(ptr uint32, b []byte) {
	if g.mem != nil {
		g.mem.Write(ptr, b)
	}
}

func (g *Guest) liftPath(i int, ptr, n uint32) {
	c := &g.c
	c.Args[i] = uint64(n)
	if n > abi.MaxPath {
		c.Errno = abi.ENAMETOOLONG
		return
	}
	b, ok := g.read(ptr, n)
	if !ok {
		c.Errno = abi.EFAULT
		return
	}
	k := 0
	for _, q := range c.Row.Params[:i] {
		if q.Type == abi.Path {
			k++
		}
	}
	c.Path[k] = string(b) // the one copy: decided on and used
}

// iovecs returns the table of n iovecs at ptr.
func (g *Guest) iovecs(ptr, n uint32) []byte {
	if n > abi.MaxIovecs {
		g.c.Errno = abi.EINVAL
		return nil
	}
	t, ok := g.read(ptr, n*abi.IovecSize)
	if !ok {
		g.c.Errno = abi.EFAULT
	}
	g.c.Work.Add(abi.WorkVector, len(t)/abi.IovecSize)
	return t
}

// gather sets c.In to what the iovecs name, up to MaxTransfer. A single iovec
// is not copied: the guest stands still while the call is performed.
func (g *Guest) gather(i int, ptr, n uint32) {
	c := &g.c
	t := g.iovecs(ptr, n)
	g.in = g.in[:0]
	room := uint32(abi.MaxTransfer)
	for k := 0; k+abi.IovecSize <= len(t); k += abi.IovecSize {
		b, ok := g.read(binary.LittleEndian.Uint32(t[k:]), binary.LittleEndian.Uint32(t[k+4:]))
		if !ok {
			c.Errno = abi.EFAULT
			return
		}
		b = b[:min(uint32(len(b)), room)]
		room -= uint32(len(b))
		if len(t) == abi.IovecSize {
			c.In = b
		} else {
			g.in = append(g.in, b...)
			c.In = g.in
		}
	}
	c.Args[i] = uint64(len(c.In))
}

// capacity checks the iovecs and returns the bytes they offer, up to MaxTransfer.
// It keeps them: what the call writes may lie over their table, and must go where
// was checked.
func (g *Guest) capacity(ptr, n uint32) int {
	t := g.iovecs(ptr, n)
	g.vecs = append(g.vecs[:0], t...)
	total := uint64(0)
	for k := 0; k+abi.IovecSize <= len(t); k += abi.IovecSize {
		b, size := binary.LittleEndian.Uint32(t[k:]), binary.LittleEndian.Uint32(t[k+4:])
		if !g.check(b, size) {
			return 0
		}
		total += uint64(size)
	}
	return int(min(total, abi.MaxTransfer))
}

// lower writes a successful answer: the variable output first, then the fixed
// results. Every address was checked when the call was lifted.
func (g *Guest) lower(p *plan, stack []uint64) {
	c, ret := &g.c, 0
	out := c.Out[:c.OutLen]
	for i := range p.row.Params {
		at := p.at[i]
		ptr := uint32(stack[at])
		switch t := p.row.Params[i].Type; t {
		case abi.BytesOut:
			g.scatter(out)
		case abi.BufferOut, abi.EventsOut:
			g.write(ptr, out)
		case abi.StringsOut:
			g.lowerStrings(ptr, uint32(stack[at+1]), out)
		default:
			if n := t.Size(); n > 0 {
				g.write(ptr, c.Ret[ret:ret+n])
				ret += n
			}
		}
	}
}

// scatter fills the iovecs in order, as they were when the call was lifted.
func (g *Guest) scatter(out []byte) {
	for t := g.vecs; len(out) > 0 && len(t) >= abi.IovecSize; t = t[abi.IovecSize:] {
		n := min(uint32(len(out)), binary.LittleEndian.Uint32(t[4:]))
		g.write(binary.LittleEndian.Uint32(t), out[:n])
		out = out[n:]
	}
}

// lowerStrings writes NUL-ended strings to buf and their addresses to ptrs.
func (g *Guest) lowerStrings(ptrs, buf uint32, out []byte) {
	g.write(buf, out)
	start := 0
	var at [4]byte
	for i, ch := range out {
		if ch == 0 {
			binary.LittleEndian.PutUint32(at[:], buf+uint32(start))
			g.write(ptrs, at[:])
			ptrs += 4
			start = i + 1
		}
	}
}
