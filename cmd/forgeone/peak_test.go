package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// peak runs a command as a user would who watches its memory: peak MIB COMMAND…
// It passes the command's exit code on, or says 99 if the command's resident
// memory was ever larger. Linux counts to a process what its parent had in
// memory when it was made, so this is a small process of its own.
func peak(args []string) int {
	limit, err := strconv.Atoi(args[0])
	if err != nil {
		fmt.Fprintln(os.Stderr, "peak:", err)
		return 98
	}
	c := exec.Command(args[1], args[2:]...)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := c.Run(); c.ProcessState == nil {
		fmt.Fprintln(os.Stderr, "peak:", err)
		return 98
	}
	used := c.ProcessState.SysUsage().(*syscall.Rusage).Maxrss >> 10
	fmt.Fprintf(os.Stderr, "peak: %d MiB of %d\n", used, limit)
	if used > int64(limit) {
		return 99
	}
	return c.ProcessState.ExitCode()
}
