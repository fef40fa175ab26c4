package sys

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Memory is how many bytes of memory this process may come to have: the machine's, or
// less where its control group has less. 0: that can't be told.
func Memory() uint64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	memory := uint64(info.Totalram) * uint64(info.Unit)
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return memory
	}
	return groupMemory("/sys/fs/cgroup", string(groups), memory)
}

// groupMemory is memory, or what the control groups beneath root leave of it: groups
// is what the system says of the process, a line "number:controllers:path" for each
// hierarchy. Version 2 has one without controllers; version 1 one with "memory".
func groupMemory(root, groups string, memory uint64) uint64 {
	for line := range strings.Lines(groups) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) < 3 {
			continue
		}
		top, file := root, "memory.max"
		if f[1] != "" {
			if !strings.Contains(","+f[1]+",", ",memory,") {
				continue
			}
			top, file = filepath.Join(root, "memory"), "memory.limit_in_bytes"
		}
		// A group is within those above it. In a container its path may lead nowhere.
		for dir := filepath.Clean("/" + f[2]); ; dir = filepath.Dir(dir) {
			b, err := os.ReadFile(filepath.Join(top, dir, file))
			if n, perr := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64); err == nil && perr == nil && n > 0 {
				memory = min(memory, n)
			}
			if dir == "/" {
				break
			}
		}
	}
	return memory
}
