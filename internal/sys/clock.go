package sys

import (
	"time"

	"golang.org/x/sys/unix"
)

// Monotonic is the machine's clock that only goes forward: the same in all processes,
// since some moment before they began.
func Monotonic() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
