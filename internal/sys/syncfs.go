package sys

import (
	"os"

	"golang.org/x/sys/unix"
)

// SyncFS makes everything durable that was written to the file system which
// holds dir, names included. For thousands of new files it is much cheaper than
// syncing each.
func SyncFS(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	for {
		if err := unix.Syncfs(int(d.Fd())); err != unix.EINTR {
			return os.NewSyscallError("syncfs", err)
		}
	}
}
