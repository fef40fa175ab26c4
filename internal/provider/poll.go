package provider

import (
	"math"
	"slices"
	"time"

	"github.com/forgeone/forgeone/abi"
)

// never is how long a subscription takes that only a stream can make ready.
const never = time.Duration(-1)

// poll performs poll_oneoff: it answers all that is ready at once, or else waits
// for the earliest and answers all that is ready then. Clocks are read once, at
// the start; then time is counted on the host's monotonic clock, so that a clock
// set meanwhile can't prolong a wait.
func (w *World) poll(c *abi.Call) abi.Errno {
	n := int(c.Args[2])
	if len(c.In) < n*abi.SubscriptionSize || len(c.Out) < n*abi.EventSize {
		return abi.EINVAL
	}
	start := time.Now()
	left := make([]time.Duration, n)
	first := never
	var waits []waiter
	for i := range n {
		s := abi.ParseSubscription(c.In[i*abi.SubscriptionSize:])
		if s.Type > abi.EventFDWrite {
			return abi.EINVAL
		}
		ev := abi.Event{Userdata: s.Userdata, Type: s.Type}
		if s.Type == abi.EventClock {
			left[i], ev.Errno = w.until(s)
		} else {
			var on waiter
			if on, ev.Errno, ev.NBytes = w.ready(s); on.stream != nil {
				left[i] = never
				if !slices.Contains(waits, on) {
					waits = append(waits, on)
				}
			}
		}
		switch {
		case left[i] == 0:
			answer(c, ev)
		case left[i] > 0 && (first < 0 || left[i] < first):
			first = left[i]
		}
	}
	for c.OutLen == 0 {
		rest := first
		if first >= 0 {
			rest = max(0, first-time.Since(start))
		}
		if !await(waits, rest, w.done) {
			return abi.EINTR
		}
		passed := time.Since(start)
		for i := range n {
			s := abi.ParseSubscription(c.In[i*abi.SubscriptionSize:])
			ev := abi.Event{Userdata: s.Userdata, Type: s.Type}
			switch {
			case left[i] > 0 && left[i] <= passed:
				answer(c, ev)
			case left[i] < 0:
				var on waiter
				if on, ev.Errno, ev.NBytes = w.ready(s); on.stream == nil {
					answer(c, ev)
				}
			}
		}
	}
	c.SetU32(0, uint32(c.OutLen/abi.EventSize))
	return 0
}

func answer(c *abi.Call, ev abi.Event) {
	ev.Put(c.Out[c.OutLen:])
	c.OutLen += abi.EventSize
}

// until is how long it is until the clock subscription s is due, at least 0.
func (w *World) until(s abi.Subscription) (time.Duration, abi.Errno) {
	switch {
	case s.Clock > abi.ClockThreadCPU || s.Flags&^abi.SubclockAbstime != 0:
		return 0, abi.EINVAL
	case s.Clock > abi.ClockMonotonic: // a sleeping guest's own time stands still
		return 0, abi.ENOTSUP
	}
	d := s.Timeout
	if s.Flags&abi.SubclockAbstime != 0 {
		now, e := w.clock.Now(s.Clock)
		if e != 0 {
			return 0, e
		}
		d -= min(d, now)
	}
	return time.Duration(min(d, math.MaxInt64)), 0
}

// ready tells what a descriptor's subscription s comes to: a waiter if it has to
// be waited for; else an errno, or how many bytes can be moved. A stream does not
// tell how many: at least one. The right to poll holds only together with the
// right to do what is polled for.
func (w *World) ready(s abi.Subscription) (waiter, abi.Errno, uint64) {
	d, write := w.get(uint64(s.FD)), s.Type == abi.EventFDWrite
	need := abi.RightPollFDReadwrite | abi.RightFDRead
	if write {
		need = abi.RightPollFDReadwrite | abi.RightFDWrite
	}
	switch {
	case d == nil:
		return waiter{}, abi.EBADF, 0
	case d.base&need != need:
		return waiter{}, abi.ENOTCAPABLE, 0
	case d.kind == kindStream && d.stream.Ready(write):
		return waiter{}, 0, 1
	case d.kind == kindStream:
		return waiter{d.stream, write}, 0, 0
	case write:
		return waiter{}, 0, abi.MaxTransfer
	}
	st, e := d.file.Stat()
	return waiter{}, e, st.Size - min(st.Size, uint64(d.pos))
}

// waiter is a stream that a poll waits for.
type waiter struct {
	stream Stream
	write  bool
}

// await waits until one of ws may be ready or d has passed (never: forever). It
// answers false once done is closed.
func await(ws []waiter, d time.Duration, done <-chan struct{}) bool {
	switch len(ws) {
	case 0:
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
		case <-done:
		}
	case 1:
		ws[0].stream.WaitReady(ws[0].write, d, done)
	default:
		// The first that returns calls the others back.
		stop := make(chan struct{})
		woke := make(chan struct{}, len(ws))
		for _, w := range ws {
			go func() {
				w.stream.WaitReady(w.write, d, stop)
				woke <- struct{}{}
			}()
		}
		back := 0
		select {
		case <-woke:
			back++
		case <-done:
		}
		close(stop)
		for ; back < len(ws); back++ {
			<-woke
		}
	}
	select {
	case <-done:
		return false
	default:
		return true
	}
}
