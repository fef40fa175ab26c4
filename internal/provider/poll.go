package provider

import (
	"math"
	"slices"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/sock"
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
	var waits waits
	c.Work.Add(abi.WorkWait, n)
	for i := range n {
		s := abi.ParseSubscription(c.In[i*abi.SubscriptionSize:])
		if s.Type > abi.EventFDWrite {
			return abi.EINVAL
		}
		ev := abi.Event{Userdata: s.Userdata, Type: s.Type}
		if s.Type == abi.EventClock {
			left[i], ev.Errno = w.until(s)
		} else {
			if on := w.ready(s, &ev); on != (waiter{}) {
				left[i] = never
				waits.add(on)
			}
		}
		switch {
		case left[i] == 0:
			answer(c, ev)
		case left[i] > 0 && (first < 0 || left[i] < first):
			first = left[i]
		}
	}
	for turns := (sock.Turns{}); c.OutLen == 0; {
		rest := first
		if first >= 0 {
			rest = max(0, first-time.Since(start))
		}
		if !await(waits.all(w.wait), rest, w.done) {
			return abi.EINTR
		}
		passed := time.Since(start)
		c.Work.Add(abi.WorkWait, n)
		for i := range n {
			s := abi.ParseSubscription(c.In[i*abi.SubscriptionSize:])
			ev := abi.Event{Userdata: s.Userdata, Type: s.Type}
			switch {
			case left[i] > 0 && left[i] <= passed:
				answer(c, ev)
			case left[i] < 0:
				if w.ready(s, &ev) == (waiter{}) {
					answer(c, ev)
				}
			}
		}
		if c.OutLen == 0 {
			turns.Next(rest, w.done)
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
// be waited for; else it puts into ev an errno, or how many bytes can be moved
// and whether the peer is gone. A stream does not tell how many: at least one. The
// right to poll holds only together with the right to do what is polled for.
func (w *World) ready(s abi.Subscription, ev *abi.Event) (on waiter) {
	d, write := w.get(uint64(s.FD)), s.Type == abi.EventFDWrite
	need := abi.RightPollFDReadwrite | abi.RightFDRead
	switch {
	case write:
		need = abi.RightPollFDReadwrite | abi.RightFDWrite
	case d != nil && d.kind == kindListener:
		need = abi.RightPollFDReadwrite | abi.RightSockAccept
	}
	switch {
	case d == nil:
		ev.Errno = abi.EBADF
	case d.base&need != need:
		ev.Errno = abi.ENOTCAPABLE
	case d.isSocket():
		r := d.socket().Ready(write)
		if !r.Ready {
			return waiter{socket: d.socket(), write: write}
		}
		if ev.NBytes = r.Bytes; r.Hangup {
			ev.Flags = abi.EventFDHangup
		}
	case d.kind == kindStream && d.stream.Ready(write):
		ev.NBytes = 1
	case d.kind == kindStream:
		return waiter{stream: d.stream, write: write}
	case write:
		ev.NBytes = abi.MaxTransfer
	default:
		var st abi.Filestat
		st, ev.Errno = d.file.Stat()
		ev.NBytes = st.Size - min(st.Size, uint64(d.pos))
	}
	return waiter{}
}

// waiter is a stream or a socket that a poll waits for.
type waiter struct {
	stream patient
	socket sock.Socket
	write  bool
}

// patient is what can be waited for: a stream, or sockets taken together.
type patient interface {
	WaitReady(write bool, d time.Duration, done <-chan struct{}) bool
}

// waits are the waiters of a poll, each once.
type waits struct {
	streams []waiter
	sockets []sock.Interest
}

func (ws *waits) add(on waiter) {
	if on.socket != nil {
		// Twice the same costs nothing, and looking for it in thousands would.
		ws.sockets = append(ws.sockets, sock.Interest{Socket: on.socket, Write: on.write})
	} else if !slices.Contains(ws.streams, on) {
		ws.streams = append(ws.streams, on)
	}
}

// all are the streams, and one waiter for all sockets.
func (ws *waits) all(wait sock.Waiter) []waiter {
	if len(ws.sockets) == 0 {
		return ws.streams
	}
	return append(slices.Clip(ws.streams), waiter{stream: &socketWait{wait, ws.sockets}})
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
