package host

import (
	"testing"
	"time"

	"github.com/forgeone/forgeone/abi"
)

func TestClock(t *testing.T) {
	c := NewClock()
	first, e := c.Now(abi.ClockMonotonic)
	must(t, e)
	if first < uint64(time.Second) || first > uint64(time.Minute) {
		t.Errorf("the monotonic clock starts at %d", first)
	}
	last := first
	for range 10_000 {
		now, e := c.Now(abi.ClockMonotonic)
		must(t, e)
		if now < last {
			t.Fatalf("%d after %d", now, last)
		}
		last = now
	}
	time.Sleep(20 * time.Millisecond)
	if now, _ := c.Now(abi.ClockMonotonic); now < last+uint64(20*time.Millisecond) {
		t.Errorf("%d after a sleep from %d", now, last)
	}
	if now, e := c.Now(abi.ClockRealtime); e != 0 || time.Since(time.Unix(0, int64(now))).Abs() > time.Second {
		t.Errorf("realtime %d %v", now, e)
	}
	// Two clocks know nothing of each other.
	if other, _ := NewClock().Now(abi.ClockMonotonic); other >= last {
		t.Errorf("a new clock starts at %d", other)
	}
	for id, w := range map[uint32]abi.Errno{
		abi.ClockRealtime: 0, abi.ClockMonotonic: 0, abi.ClockProcessCPU: abi.EINVAL, abi.ClockThreadCPU: abi.EINVAL, 4: abi.EINVAL, 1<<32 - 1: abi.EINVAL,
	} {
		r, e := c.Resolution(id)
		want(t, "resolution", e, w)
		if (r == 0) != (e != 0) {
			t.Errorf("clock %d: resolution %d", id, r)
		}
		_, e = c.Now(id)
		want(t, "now", e, w)
	}
	for _, id := range []uint32{abi.ClockRealtime, abi.ClockMonotonic} {
		if n := testing.AllocsPerRun(100, func() { c.Now(id) }); n != 0 {
			t.Errorf("clock %d: %v allocations", id, n)
		}
	}
}
