package wasm

import (
	"os"
	"syscall"
)

// memoryRoot is where private folders lie in memory: "" where there is no such
// place, or less than room bytes in it (64 MiB is all that a container has by
// default).
func memoryRoot(room uint64) string {
	const shm = "/dev/shm"
	if st, err := os.Stat(shm); err != nil || !st.IsDir() {
		return ""
	}
	sweep(shm) // what dead processes left there takes room
	var fs syscall.Statfs_t
	if err := syscall.Statfs(shm, &fs); err != nil || fs.Bavail*uint64(fs.Bsize) < room {
		return ""
	}
	return shm
}
