package provider

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/sock"
)

// hasty is a stream, listener and connection that nothing ever comes of, and whose waits
// do not wait.
type hasty struct{ asked *atomic.Int64 }

func (h hasty) Ready(bool) sock.Readiness             { h.asked.Add(1); return sock.Readiness{} }
func (h hasty) Close() abi.Errno                      { return 0 }
func (h hasty) Addr() string                          { return "127.0.0.1:1" }
func (h hasty) Accept() (sock.Connection, abi.Errno)  { h.asked.Add(1); return nil, abi.EAGAIN }
func (h hasty) Receive([]byte, bool) (int, abi.Errno) { h.asked.Add(1); return 0, abi.EAGAIN }
func (h hasty) Send([]byte) (int, abi.Errno)          { h.asked.Add(1); return 0, abi.EAGAIN }
func (h hasty) Shutdown(bool, bool) abi.Errno         { return 0 }

type hastyStream struct{ asked *atomic.Int64 }

func (h hastyStream) Ready(bool) bool    { h.asked.Add(1); return false }
func (h hastyStream) Type() abi.Filetype { return abi.FiletypeUnknown }
func (h hastyStream) WaitReady(bool, time.Duration, <-chan struct{}) bool {
	h.asked.Add(1)
	return true
}
func (h hastyStream) Write(p []byte, _ <-chan struct{}) (int, abi.Errno) { return len(p), 0 }
func (h hastyStream) Read(_ []byte, done <-chan struct{}) (int, abi.Errno) {
	<-done
	return 0, abi.EINTR
}

// TestHastyWaits: no call that blocks becomes a busy loop where its wait does not wait.
func TestHastyWaits(t *testing.T) {
	subscription := func(fd byte, kind uint8) []byte {
		b := make([]byte, abi.SubscriptionSize)
		b[8], b[16] = kind, fd
		return b
	}
	calls := map[string]struct {
		of   abi.Num
		args []any
	}{
		"accept":             {abi.SockAccept, []any{4, 0}},
		"receive":            {abi.SockRecv, []any{5, room(1), 0}},
		"send":               {abi.SockSend, []any{5, "x", 0}},
		"write to a socket":  {abi.FdWrite, []any{5, "x"}},
		"read from a socket": {abi.FdRead, []any{5, room(1)}},
		"read from stdin":    {abi.FdRead, []any{0, room(1)}},
		"poll a stream":      {abi.PollOneoff, []any{subscription(0, abi.EventFDRead), 1}},
		"poll a listener":    {abi.PollOneoff, []any{subscription(4, abi.EventFDRead), 1}},
		"poll a connection":  {abi.PollOneoff, []any{subscription(5, abi.EventFDWrite), 1}},
		"poll both":          {abi.PollOneoff, []any{append(subscription(5, abi.EventFDRead), subscription(0, abi.EventFDRead)...), 2}},
	}
	tried := map[abi.Num]bool{}
	for name, tc := range calls {
		tried[tc.of] = true
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int64
			hurry := func([]sock.Interest, time.Duration, <-chan struct{}) { asked.Add(1) }
			h := start(t, Config{Listeners: []Listener{{Socket: hasty{&asked}, Grant: 1}}, WaitSockets: hurry})
			h.w.fds[0].stream = hastyStream{&asked}
			h.w.fds[4].flags = 0
			h.w.put(5, &descriptor{kind: kindConnection, conn: hasty{&asked}, base: abi.ConnectionRights})
			time.AfterFunc(300*time.Millisecond, func() { close(h.done) })
			begun := time.Now()
			if r := h.do(tc.of, tc.args...); r.e != abi.EINTR {
				t.Errorf("%v", r.e)
			}
			if took := time.Since(begun); took < 200*time.Millisecond || took > 10*time.Second {
				t.Errorf("it ended after %v, the run after 300 ms", took)
			}
			if n := asked.Load(); n > 1000 {
				t.Errorf("it asked %d times in 300 ms", n)
			}
		})
	}
	for _, r := range abi.Rows() {
		if r.Blocks && !tried[r.Num] {
			t.Errorf("%s may wait, and is not tried", r.Name)
		}
	}
}
