package provider

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/forgeone/forgeone/abi"
)

func subs(list ...abi.Subscription) []byte {
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

func (h *harness) poll(list ...abi.Subscription) []abi.Event {
	h.Helper()
	r := h.ok(abi.PollOneoff, subs(list...), len(list))
	if int(r.u32(0))*abi.EventSize != len(r.out) {
		h.Fatal(r.u32(0), len(r.out))
	}
	var evs []abi.Event
	for b := r.out; len(b) > 0; b = b[abi.EventSize:] {
		le := binary.LittleEndian
		evs = append(evs, abi.Event{
			Userdata: le.Uint64(b), Errno: abi.Errno(le.Uint16(b[8:])), Type: b[10], NBytes: le.Uint64(b[16:]), Flags: le.Uint16(b[24:]),
		})
	}
	return evs
}

func clockSub(user uint64, clock uint32, timeout uint64, flags uint16) abi.Subscription {
	return abi.Subscription{Userdata: user, Type: abi.EventClock, Clock: clock, Timeout: timeout, Flags: flags}
}

func fdSub(user uint64, typ uint8, fd uint32) abi.Subscription {
	return abi.Subscription{Userdata: user, Type: typ, FD: fd}
}

const ms = uint64(time.Millisecond)

func TestPollAtOnce(t *testing.T) {
	h := usual(t)
	h.write("w/f", "12345")
	fd := uint32(h.open("w/f", 0, abi.FileRights))
	h.ok(abi.FdSeek, fd, 2, abi.WhenceSet)
	deaf := uint32(h.open("w/f", 0, abi.FileRights&^abi.RightPollFDReadwrite))
	h.stdin.end = false
	long := clockSub(99, abi.ClockMonotonic, math.MaxUint64, 0)
	abs := h.clock.now
	for name, c := range map[string]struct {
		subs []abi.Subscription
		want []abi.Event
	}{
		"files": {
			[]abi.Subscription{fdSub(1, abi.EventFDRead, fd), long, fdSub(2, abi.EventFDWrite, fd)},
			[]abi.Event{{Userdata: 1, Type: abi.EventFDRead, NBytes: 3}, {Userdata: 2, Type: abi.EventFDWrite, NBytes: abi.MaxTransfer}},
		},
		"stdout, not stdin":   {[]abi.Subscription{fdSub(1, abi.EventFDRead, 0), fdSub(2, abi.EventFDWrite, 1)}, []abi.Event{{Userdata: 2, Type: abi.EventFDWrite, NBytes: 1}}},
		"bad descriptor":      {[]abi.Subscription{fdSub(1, abi.EventFDRead, 77), long}, []abi.Event{{Userdata: 1, Type: abi.EventFDRead, Errno: abi.EBADF}}},
		"no right":            {[]abi.Subscription{fdSub(1, abi.EventFDRead, deaf)}, []abi.Event{{Userdata: 1, Type: abi.EventFDRead, Errno: abi.ENOTCAPABLE}}},
		"folder":              {[]abi.Subscription{fdSub(1, abi.EventFDRead, 3)}, []abi.Event{{Userdata: 1, Type: abi.EventFDRead, Errno: abi.ENOTCAPABLE}}},
		"zero timeout":        {[]abi.Subscription{long, clockSub(1, abi.ClockRealtime, 0, 0)}, []abi.Event{{Userdata: 1}}},
		"past":                {[]abi.Subscription{clockSub(1, abi.ClockRealtime, abs-1, abi.SubclockAbstime)}, []abi.Event{{Userdata: 1}}},
		"unknown clock":       {[]abi.Subscription{clockSub(1, 4, 0, 0)}, []abi.Event{{Userdata: 1, Errno: abi.EINVAL}}},
		"unknown clock flags": {[]abi.Subscription{clockSub(1, 0, 0, 2)}, []abi.Event{{Userdata: 1, Errno: abi.EINVAL}}},
		"processor clock":     {[]abi.Subscription{clockSub(1, abi.ClockProcessCPU, 1, 0)}, []abi.Event{{Userdata: 1, Errno: abi.ENOTSUP}}},
	} {
		if got := h.poll(c.subs...); !slices.Equal(got, c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
	h.ok(abi.FdSeek, fd, 100, abi.WhenceSet)
	if got := h.poll(fdSub(1, abi.EventFDRead, fd)); got[0].NBytes != 0 || got[0].Errno != 0 {
		t.Errorf("%+v", got)
	}
}

func TestPollRefuses(t *testing.T) {
	h := usual(t)
	h.want(abi.EINVAL, abi.PollOneoff, []byte{}, 0)
	h.want(abi.EINVAL, abi.PollOneoff, []byte{}, abi.MaxSubscriptions+1)
	h.want(abi.EINVAL, abi.PollOneoff, subs(clockSub(1, 0, 0, 0)), 2) // fewer than announced
	h.want(abi.EINVAL, abi.PollOneoff, subs(abi.Subscription{Type: 3}), 1)
	if r := h.ok(abi.PollOneoff, subs(clockSub(1, 0, 0, 0)), 1); r.Kind != abi.ObjProcess || r.Name != "self" {
		t.Errorf("%+v", r)
	}
}

func TestPollWaits(t *testing.T) {
	h := usual(t)
	h.stdin.end = false
	began := time.Now()
	got := h.poll(
		clockSub(1, abi.ClockMonotonic, 20*ms, 0), fdSub(2, abi.EventFDRead, 0), clockSub(3, abi.ClockRealtime, 60_000*ms, 0),
		clockSub(4, abi.ClockMonotonic, h.clock.now+1+15*ms, abi.SubclockAbstime),
	)
	if took := time.Since(began); took < 15*time.Millisecond || took > 10*time.Second {
		t.Error(took)
	}
	if len(got) == 0 || got[len(got)-1].Userdata != 4 || slices.ContainsFunc(got, func(e abi.Event) bool { return e.Userdata == 2 || e.Userdata == 3 }) {
		t.Errorf("%+v", got)
	}
	if got := h.poll(clockSub(1, abi.ClockMonotonic, ms, 0), clockSub(2, abi.ClockMonotonic, ms, 0)); len(got) != 2 {
		t.Errorf("both are due: %+v", got)
	}
}

func TestPollWakes(t *testing.T) {
	for name, list := range map[string][]abi.Subscription{
		"one stream":  {fdSub(1, abi.EventFDRead, 0)},
		"and a clock": {clockSub(9, 0, 60_000*ms, 0), fdSub(1, abi.EventFDRead, 0), fdSub(1, abi.EventFDRead, 0)},
		"two streams": {fdSub(8, abi.EventFDWrite, 1), fdSub(1, abi.EventFDRead, 0), clockSub(9, 0, 60_000*ms, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			h := usual(t)
			h.stdin.end, h.stdout.full = false, true
			time.AfterFunc(10*time.Millisecond, func() { h.stdin.change(func() { h.stdin.in = []string{"x"} }) })
			got := h.poll(list...)
			if len(got) == 0 || got[0] != (abi.Event{Userdata: 1, Type: abi.EventFDRead, NBytes: 1}) {
				t.Errorf("%+v", got)
			}
		})
	}
}

// nervous is a stream that wakes its waiters for nothing.
type nervous struct {
	*fakeStream
	waits []time.Duration
}

func (n *nervous) WaitReady(_ bool, d time.Duration, _ <-chan struct{}) bool {
	n.waits = append(n.waits, d)
	time.Sleep(2 * time.Millisecond)
	return false
}

func TestPollWakesForNothing(t *testing.T) {
	h := usual(t)
	h.stdin.end = false
	n := &nervous{fakeStream: h.stdin}
	h.w.fds[0].stream = n
	began := time.Now()
	got := h.poll(fdSub(1, abi.EventFDRead, 0), clockSub(2, 0, 20*ms, 0))
	if len(got) != 1 || got[0].Userdata != 2 || time.Since(began) < 20*time.Millisecond {
		t.Errorf("%+v after %v", got, time.Since(began))
	}
	for i, d := range n.waits {
		if i > 0 && d >= n.waits[i-1] {
			t.Errorf("waits %v", n.waits)
		}
	}
}

func TestPollIsCancelled(t *testing.T) {
	for name, list := range map[string][]abi.Subscription{
		"clock":      {clockSub(1, abi.ClockMonotonic, math.MaxUint64, 0)},
		"stream":     {fdSub(1, abi.EventFDRead, 0)},
		"two":        {fdSub(1, abi.EventFDRead, 0), fdSub(2, abi.EventFDWrite, 1)},
		"everything": {clockSub(1, 0, 60_000*ms, 0), fdSub(1, abi.EventFDRead, 0), fdSub(2, abi.EventFDWrite, 1)},
	} {
		t.Run(name, func(t *testing.T) {
			h := usual(t)
			h.stdin.end, h.stdout.full = false, true
			time.AfterFunc(10*time.Millisecond, func() { close(h.done) })
			h.want(abi.EINTR, abi.PollOneoff, subs(list...), len(list))
			h.want(abi.EINTR, abi.PollOneoff, subs(list...), len(list))
			// What is ready is answered even so.
			if got := h.poll(clockSub(1, 0, 0, 0)); len(got) != 1 {
				t.Errorf("%+v", got)
			}
		})
	}
}
