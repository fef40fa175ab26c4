package sys

import (
	"fmt"
	"os"
	"runtime/debug"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Lost is what Counter.Load answers when the mapped file is gone from under
// it (truncated, or its disk failed). It differs from every true value, so a
// reader who compares for equality sees a change and stops to look.
const Lost = ^uint64(0)

const counterSize = 8

// Counter is a number in a file that every process has mapped: a store in one
// is seen by a load in all. It only rises. It is not durable, and whoever may
// write the file may set it to anything, so readers compare for "not equal"
// and never for "greater".
type Counter struct {
	mem  []byte
	info os.FileInfo
}

// OpenCounter maps the counter in file path, making it with value 0 if it is
// not there. Its folder must exist.
func OpenCounter(path string) (*Counter, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() < counterSize {
		// Several processes may do so at once: it only ever grows the file.
		if err := f.Truncate(counterSize); err != nil {
			return nil, err
		}
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, counterSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", path, err)
	}
	return &Counter{mem: mem, info: info}, nil
}

func (c *Counter) cell() *atomic.Uint64 {
	return (*atomic.Uint64)(unsafe.Pointer(unsafe.SliceData(c.mem))) // a mapping begins on a page: aligned
}

// Load returns the counter's value, or Lost. It makes no system call and may
// be called on any goroutine.
//
// Touching a page whose file was truncated raises SIGBUS, which would end the
// process; here it becomes a Go panic (per goroutine, see
// debug.SetPanicOnFault) that is caught on the spot.
func (c *Counter) Load() (v uint64) {
	old := debug.SetPanicOnFault(true)
	v = Lost
	defer settle(&v, old)
	v = c.cell().Load()
	return v
}

// settle ends a guarded access. It calls recover only after a fault: recover
// is a good part of the cost.
func settle(v *uint64, old bool) {
	if *v == Lost {
		_ = recover()
	}
	if !old {
		debug.SetPanicOnFault(false)
	}
}

// Guard runs f, in which this goroutine may call Peek.
func (c *Counter) Guard(f func()) {
	if old := debug.SetPanicOnFault(true); !old {
		defer debug.SetPanicOnFault(false)
	}
	f()
}

// Peek is Load at a third of its price: what Load sets up for each access, Guard
// has set up already. Outside Guard a truncated file ends the process.
func (c *Counter) Peek() (v uint64) {
	v = Lost
	defer func() {
		if v == Lost {
			_ = recover()
		}
	}()
	v = c.cell().Load()
	return v
}

// Raise lifts the counter to at least to, which must be below Lost, and tells
// whether it could: false means that the file is gone from under the mapping.
func (c *Counter) Raise(to uint64) bool { return c.raise(to) != Lost }

func (c *Counter) raise(to uint64) (v uint64) {
	old := debug.SetPanicOnFault(true)
	v = Lost
	defer settle(&v, old)
	p := c.cell()
	for {
		// A cell that somebody set to Lost would stay so for ever: it may sink.
		if cur := p.Load(); cur >= to && cur != Lost {
			v = cur
			return v
		} else if p.CompareAndSwap(cur, to) {
			v = to
			return v
		}
	}
}

// Info describes the mapped file, so that os.SameFile can tell whether a path
// still leads to it.
func (c *Counter) Info() os.FileInfo { return c.info }

// Close unmaps the counter, which must not be used any more.
func (c *Counter) Close() error { return unix.Munmap(c.mem) }
