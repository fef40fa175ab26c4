package host

import (
	"time"

	"github.com/forgeone/forgeone/abi"
)

// Clock is the time a run sees. It is immutable and safe for concurrent use.
type Clock struct{ origin time.Time }

// monotonicStart is what a new Clock's monotonic clock shows, in nanoseconds.
// Not 0, which programs take for "never".
const monotonicStart = uint64(time.Second)

// NewClock returns a Clock whose monotonic clock starts now, at one second: how
// long the machine has been up is none of a guest's business.
func NewClock() *Clock { return &Clock{origin: time.Now()} }

// Now reads the clock id in nanoseconds: since 1970 for the realtime clock,
// since an arbitrary moment for the monotonic one, which never goes back and
// stands still while the machine sleeps. Other clocks answer EINVAL, as
// preview 1 says of those a host does not support: a guest has no process and
// no thread of its own whose CPU time could be told.
func (c *Clock) Now(id uint32) (uint64, abi.Errno) {
	switch id {
	case abi.ClockRealtime:
		return uint64(max(time.Now().UnixNano(), 0)), abi.ESUCCESS
	case abi.ClockMonotonic:
		return monotonicStart + uint64(time.Since(c.origin)), abi.ESUCCESS
	}
	return 0, abi.EINVAL
}

// Resolution tells the resolution of the clock id in nanoseconds.
func (c *Clock) Resolution(id uint32) (uint64, abi.Errno) {
	switch id {
	case abi.ClockRealtime, abi.ClockMonotonic:
		return 1, abi.ESUCCESS
	}
	return 0, abi.EINVAL
}
