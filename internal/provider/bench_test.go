package provider

import (
	"strings"
	"testing"

	"github.com/forgeone/forgeone/abi"
)

// again returns a function that repeats the call c, as the gate would.
func (h *harness) again(c *abi.Call, outCap int) func() {
	out := make([]byte, outCap)
	return func() {
		var o abi.Object
		c.OutLen, c.Errno = 0, 0
		h.w.Resolve(c, &o)
		if o.Errno != 0 {
			h.Fatal(o.Errno)
		}
		c.Out = out
		h.w.Perform(c, &o)
		h.w.Release(&o)
		if c.Errno != 0 {
			h.Fatal(c.Errno)
		}
	}
}

// hot are the calls that must not allocate.
func hot(h *harness) map[string]func() {
	h.write("w/f", strings.Repeat("x", 4096))
	fd := h.open("w/f", 0, abi.FileRights)
	seek := h.again(call(abi.FdSeek, fd, 0, abi.WhenceSet), 0)
	read, write := h.again(call(abi.FdRead, fd, room(4096)), 4096), h.again(call(abi.FdWrite, fd, strings.Repeat("y", 4096)), 0)
	h.stdout.full = false
	return map[string]func(){
		"fd_read 4096":   func() { seek(); read() },
		"fd_write 4096":  func() { seek(); write() },
		"fd_pread 4096":  h.again(call(abi.FdPread, fd, room(4096), 0), 4096),
		"clock_time_get": h.again(call(abi.ClockTimeGet, 1, 0), 0),
		"fd_fdstat_get":  h.again(call(abi.FdFdstatGet, fd), 0),
		"fd_prestat_get": h.again(call(abi.FdPrestatGet, 3), 0),
		"random_get 16":  h.again(call(abi.RandomGet, room(16)), 16),
	}
}

func TestHotCallsDoNotAllocate(t *testing.T) {
	for name, f := range hot(usual(t)) {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkCalls(b *testing.B) {
	h := usual(b)
	calls := hot(h)
	h.write("w/a", "x")
	h.ok(abi.PathCreateDirectory, 3, "w/d")
	h.ok(abi.PathCreateDirectory, 3, "w/d/e")
	h.write("w/d/e/f", "x")
	calls["path_filestat_get"] = h.again(call(abi.PathFilestatGet, 3, 0, "w/d/e/f"), 0)
	for name, path := range map[string]string{"path_open+fd_close": "w/a", "path_open+fd_close deep": "w/d/e/f"} {
		c := call(abi.PathOpen, 3, 0, path, 0, readable, all, 0)
		open := h.again(c, 0)
		cl := call(abi.FdClose, 5)
		shut := h.again(cl, 0)
		calls[name] = func() {
			open()
			cl.Args[0] = uint64(c.Ret[0])
			shut()
		}
	}
	for name, f := range calls {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
		})
	}
}
