package provider

import (
	"bytes"
	"errors"
	"testing"

	"github.com/forgeone/forgeone/abi"
)

func TestStrings(t *testing.T) {
	h := start(t, Config{Args: []string{"prog", "", "ä b"}, Env: []string{"K=V"}})
	r := h.ok(abi.ArgsSizesGet)
	if r.Kind != abi.ObjArgs || r.Name != "args" || r.u32(0) != 3 || r.u32(4) != 11 {
		t.Errorf("%v %q %d %d", r.Kind, r.Name, r.u32(0), r.u32(4))
	}
	if r := h.ok(abi.ArgsGet); string(r.out) != "prog\x00\x00ä b\x00" {
		t.Errorf("%q", r.out)
	}
	r = h.ok(abi.EnvironSizesGet)
	if r.Kind != abi.ObjEnv || r.Name != "environ" || r.u32(0) != 1 || r.u32(4) != 4 {
		t.Errorf("%v %q %d %d", r.Kind, r.Name, r.u32(0), r.u32(4))
	}
	if r := h.ok(abi.EnvironGet); string(r.out) != "K=V\x00" {
		t.Errorf("%q", r.out)
	}
	if n, size := h.w.StringsSize(abi.FdRead); n != 0 || size != 0 {
		t.Error(n, size)
	}
	c := call(abi.ArgsGet)
	c.Out = make([]byte, 3)
	h.w.Perform(c, &abi.Object{})
	if c.Errno != abi.EOVERFLOW {
		t.Error(c.Errno)
	}
}

func TestClocks(t *testing.T) {
	h := start(t, Config{})
	for id, name := range clockNames {
		r := h.ok(abi.ClockTimeGet, id, 0)
		if r.Kind != abi.ObjClock || r.Name != name || r.u64(0) != h.clock.now+uint64(id) {
			t.Errorf("%d: %v %q %d", id, r.Kind, r.Name, r.u64(0))
		}
	}
	if r := h.ok(abi.ClockResGet, abi.ClockMonotonic); r.u64(0) != 2 {
		t.Error(r.u64(0))
	}
	h.want(abi.ENOTSUP, abi.ClockResGet, abi.ClockThreadCPU)
	for _, n := range []abi.Num{abi.ClockResGet, abi.ClockTimeGet} {
		args := []any{4, 0}[:len(abi.Lookup(n).Params)-1]
		if r := h.want(abi.EINVAL, n, args...); r.Kind != abi.ObjNone {
			t.Error(r.Kind)
		}
	}
}

func TestRandom(t *testing.T) {
	h := start(t, Config{})
	if r := h.ok(abi.RandomGet, room(3)); r.Kind != abi.ObjRandom || r.Name != "random" || !bytes.Equal(r.out, []byte{1, 2, 3}) {
		t.Errorf("%v %q %v", r.Kind, r.Name, r.out)
	}
	h = start(t, Config{Random: func([]byte) error { return errors.New("dry") }})
	h.want(abi.EIO, abi.RandomGet, room(3))
}

func TestSelf(t *testing.T) {
	h := start(t, Config{})
	if r := h.ok(abi.ProcExit, 7); r.stop != abi.OutcomeExit || r.Kind != abi.ObjProcess || r.Name != "self" {
		t.Errorf("%v %v %q", r.stop, r.Kind, r.Name)
	}
	if r := h.ok(abi.SchedYield); r.Kind != abi.ObjProcess {
		t.Error(r.Kind)
	}
}

// TestRaise: preview 1 has no handlers, so each signal does what it does without.
func TestRaise(t *testing.T) {
	ignored := map[int]bool{0: true, 16: true, 17: true, 22: true, 27: true}
	for sig := range 31 {
		h := start(t, Config{})
		if sig >= 18 && sig <= 21 {
			h.want(abi.ENOTSUP, abi.ProcRaise, sig) // stop, tstp, ttin, ttou
			continue
		}
		r := h.ok(abi.ProcRaise, sig)
		if r.Kind != abi.ObjProcess || (r.stop == abi.OutcomeExit) == ignored[sig] || r.stop != abi.OutcomeNone && r.stop != abi.OutcomeExit {
			t.Errorf("%d: %v on %v", sig, r.stop, r.Kind)
		}
		if c := call(abi.ProcRaise, sig); c.ExitCode() != uint32(128+sig) {
			t.Error(sig, c.ExitCode())
		}
	}
	h := start(t, Config{})
	for _, sig := range []int{31, 64, 255} {
		h.want(abi.EINVAL, abi.ProcRaise, sig)
	}
}

// TestEveryRow calls every function with zeros for arguments, on every kind of
// descriptor: each is resolved to something that can be decided, or has an errno.
func TestEveryRow(t *testing.T) {
	for _, row := range abi.Rows() {
		for fd := range 7 {
			h := usual(t)
			h.write("w/f", "x")
			h.open("w/f", 0, abi.FileRights)
			h.folder("w")
			c := &abi.Call{}
			c.Reset(row, 0)
			for i, p := range row.Params {
				if p.Type == abi.Handle {
					c.Args[i] = uint64(fd)
				}
			}
			c.Path = [2]string{"f", "g"}
			var o abi.Object
			h.w.Resolve(c, &o)
			if o.Kind == abi.ObjNone && o.Errno == 0 {
				t.Errorf("%s on %d: nothing, and no errno", row.Name, fd)
			}
			if o.Refused != 0 && o.Errno == 0 {
				t.Errorf("%s on %d: refused without an errno", row.Name, fd)
			}
			if !row.Provided && o.Errno == 0 {
				t.Errorf("%s is not provided and has no errno", row.Name)
			}
			if o.Refused == 0 && o.Errno == 0 {
				h.w.Perform(c, &o)
				if !c.Errno.Valid() || c.OutLen > len(c.Out) {
					t.Errorf("%s on %d: %v %d", row.Name, fd, c.Errno, c.OutLen)
				}
			}
			h.w.Release(&o)
		}
	}
}
