package host

import (
	"golang.org/x/sys/unix"

	"github.com/forgeone/forgeone/abi"
)

// Random fills p with randomness fit for keys, from the kernel's generator. It
// waits only while a machine that has just booted has too little of it. Error:
// F1-FIL-005.
func Random(p []byte) error {
	for len(p) > 0 {
		n, err := unix.Getrandom(p, 0) // at most 32 MiB at a time
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return &abi.Error{Code: "F1-FIL-005", What: "the kernel gives no random bytes", Where: "getrandom", Err: err}
		}
		p = p[n:]
	}
	return nil
}
