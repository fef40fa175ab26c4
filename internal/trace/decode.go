package trace

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/forgeone/forgeone/abi"
)

// errLayout says that bytes are not as a writer lays them down.
var errLayout = errors.New("its layout is wrong")

// decoder reads the calls of one chunk. It believes nothing of what it reads:
// every length is held against what is left before it is used.
type decoder struct {
	shapes shapes
	rows   int // rows of the table that the recording knows
	heads  []byte
	outs   []byte
	index  uint64
	left   uint32
	objs   []object
	decs   []*abi.Decision
	short  bool // something was longer than what is left
}

// reset begins the chunk plain, which must stay unchanged while it is read and
// must begin with call index first.
func (d *decoder) reset(plain []byte, first uint64) error {
	d.left = 0
	d.objs, d.decs, d.short = d.objs[:0], d.decs[:0], false
	if len(plain) < footSize {
		return fmt.Errorf("%w: a chunk of %d bytes", errLayout, len(plain))
	}
	body, foot := plain[:len(plain)-footSize], plain[len(plain)-footSize:]
	heads := uint64(binary.LittleEndian.Uint32(foot[12:]))
	if heads > uint64(len(body)) || heads > maxHeads {
		return fmt.Errorf("%w: heads of %d bytes in a chunk of %d", errLayout, heads, len(plain))
	}
	at := len(body) - int(heads)
	d.outs, d.heads = body[:at:at], body[at:]
	d.index, d.left = binary.LittleEndian.Uint64(foot), binary.LittleEndian.Uint32(foot[8:])
	if d.index != first {
		return fmt.Errorf("%w: the chunk begins with call %d, not %d", errLayout, d.index, first)
	}
	if d.left == 0 {
		return fmt.Errorf("%w: a chunk without calls", errLayout)
	}
	return nil
}

// next reads a call, or says io.EOF after the chunk's last.
func (d *decoder) next(ev *Event) error {
	if d.left == 0 {
		if len(d.heads) > 0 || len(d.outs) > 0 {
			return fmt.Errorf("%w: %d bytes after the last call", errLayout, len(d.heads)+len(d.outs))
		}
		return io.EOF
	}
	if err := d.call(ev); err != nil {
		return fmt.Errorf("%w: call %d: %w", errLayout, d.index, err)
	}
	d.index++
	d.left--
	return nil
}

func (d *decoder) call(ev *Event) error {
	*ev = Event{Index: d.index, Duration: -1}
	num := d.uvarint()
	if num == 0 || num > uint64(d.rows) {
		return fmt.Errorf("syscall %d is not in the table", num)
	}
	ev.Num = abi.Num(num)
	s := &d.shapes[num]
	flags := d.byte()
	if flags&^byte(flagsAll) != 0 {
		return fmt.Errorf("unknown flags %#x", flags)
	}
	for i := range s.n {
		v := d.uvarint()
		if s.signed[i] {
			v = uint64(unzigzag(v))
		}
		ev.Args[s.arg[i]] = v
	}
	for i := range s.paths {
		ev.Path[i] = d.string()
	}
	if flags&flagIn != 0 {
		n := d.uvarint()
		if n == 0 || n > math.MaxInt32 {
			return fmt.Errorf("an input of %d bytes", n)
		}
		ev.InLen = int(n)
		copy(ev.InTag[:], d.bytes(uint64(len(ev.InTag))))
	}
	if err := d.object(ev); err != nil {
		return err
	}
	if err := d.decision(ev); err != nil {
		return err
	}
	if flags&flagErrno != 0 {
		e := d.uvarint()
		if e == 0 || e > math.MaxUint16 || flags&flagOut != 0 {
			return fmt.Errorf("errno %d with flags %#x", e, flags)
		}
		ev.Errno = abi.Errno(e)
	} else {
		ev.Ret = d.bytes(uint64(s.ret))
	}
	if flags&flagOut != 0 {
		n := d.uvarint()
		if n == 0 || n > uint64(len(d.outs)) {
			return fmt.Errorf("an output of %d bytes, %d are left", n, len(d.outs))
		}
		ev.Out, d.outs = d.outs[:n:n], d.outs[n:]
	}
	if flags&flagStop != 0 {
		if ev.Stop = abi.Outcome(d.byte()); ev.Stop == abi.OutcomeNone {
			return errors.New("a stop without an outcome")
		}
	}
	if flags&flagSample != 0 {
		ev.Duration = int64(min(d.uvarint(), math.MaxInt64))
		if b := d.bytes(8); len(b) == 8 {
			ev.Time = int64(binary.LittleEndian.Uint64(b))
		}
	}
	if flags&flagLimit != 0 {
		l := d.uvarint()
		if l == 0 || l > uint64(abi.LimitsAll) {
			return fmt.Errorf("no limits have the numbers %#x", l)
		}
		ev.Limit = abi.Limit(l)
	}
	if flags&flagCharge != 0 {
		if ev.Charge = d.uvarint(); ev.Charge == 0 || ev.Charge > abi.MaxCharge {
			return fmt.Errorf("a charge of %d", ev.Charge)
		}
	}
	if d.short {
		return io.ErrUnexpectedEOF
	}
	return nil
}

func (d *decoder) object(ev *Event) error {
	ref := d.uvarint()
	if ref == 0 {
		var k object
		k.kind = abi.ObjectKind(d.byte())
		flags := d.byte()
		k.dir = flags&objectDir != 0
		k.refused = abi.Refusal(d.byte())
		e, g := d.uvarint(), d.uvarint()
		k.name, k.name2 = d.string(), d.string()
		if flags&objectVia != 0 {
			if err := d.via(&k); err != nil {
				return err
			}
		}
		if flags > objectDir|objectVia || e > math.MaxUint16 || g > math.MaxInt32 {
			return errors.New("an object out of range")
		}
		k.errno, k.grant = abi.Errno(e), int(g)
		d.objs = append(d.objs, k)
		ref = uint64(len(d.objs))
	}
	if ref > uint64(len(d.objs)) {
		return fmt.Errorf("object %d of %d", ref, len(d.objs))
	}
	k := &d.objs[ref-1]
	ev.Kind, ev.Dir, ev.Refused, ev.Barred, ev.Grant, ev.Name, ev.Name2 = k.kind, k.dir, k.refused, k.errno, k.grant, k.name, k.name2
	ev.Via, ev.Barring = k.places, k.barring
	return nil
}

// object is an object as it was read.
type object struct {
	objKey
	places  []abi.Place
	barring int
}

// via reads the places of k.
func (d *decoder) via(k *object) error {
	barring, n := d.uvarint(), d.uvarint()
	if n == 0 || n > maxPlaces || barring > n {
		return fmt.Errorf("%d places, of which %d was denied", n, barring)
	}
	k.barring = int(barring)
	for range n {
		grant := d.uvarint()
		p := abi.Place{Name: d.string(), Grant: int(min(grant, math.MaxInt32))}
		if grant > math.MaxInt32 {
			return errors.New("a place out of range")
		}
		k.places = append(k.places, p)
	}
	return nil
}

func (d *decoder) decision(ev *Event) error {
	ref := d.uvarint()
	if ref == 0 {
		n := &abi.Decision{Verdict: abi.Verdict(d.byte()), Reason: abi.Reason(d.byte()), Severity: d.byte()}
		n.Trust = abi.Trust{P: d.byte(), A: d.byte(), C: d.byte(), N: d.byte(), R: d.byte()}
		e := d.uvarint()
		n.Epoch, n.Advice = d.uvarint(), d.string()
		rules := d.uvarint()
		if n.Verdict > abi.Escalate || e > math.MaxUint16 || rules > maxRules {
			return errors.New("a decision out of range")
		}
		n.Errno = abi.Errno(e)
		for range rules {
			r := abi.Rule{ID: d.string(), File: d.string()}
			line := d.uvarint()
			if line > math.MaxInt32 {
				return errors.New("a rule out of range")
			}
			r.Line = int(line)
			n.Rules = append(n.Rules, r)
		}
		d.decs = append(d.decs, n)
		ref = uint64(len(d.decs))
	}
	if ref > uint64(len(d.decs)) {
		return fmt.Errorf("decision %d of %d", ref, len(d.decs))
	}
	ev.Decision = d.decs[ref-1]
	return nil
}

// The four below return zero once something was short; call looks at the end.

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.heads)
	if n <= 0 {
		d.heads, d.short = nil, true
		return 0
	}
	d.heads = d.heads[n:]
	return v
}

func (d *decoder) byte() byte {
	if b := d.bytes(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (d *decoder) bytes(n uint64) []byte {
	if n > uint64(len(d.heads)) {
		d.heads, d.short = nil, true
		return nil
	}
	b := d.heads[:n:n]
	d.heads = d.heads[n:]
	return b
}

func (d *decoder) string() string { return string(d.bytes(d.uvarint())) }
