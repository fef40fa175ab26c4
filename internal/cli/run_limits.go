package cli

import (
	"fmt"
	"math"
	"time"

	"github.com/spf13/pflag"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/rewrite"
)

// limitFlags are the flags of run that bound it. Zero is the configuration's.
type limitFlags struct {
	fuel, denials                            uint64
	deadline                                 time.Duration
	descriptors                              uint32
	memory, output, recording, scratch, disk uint64 // MiB
}

func (f *limitFlags) bind(fl *pflag.FlagSet) {
	fl.Uint64Var(&f.fuel, "fuel", 0, "stop after this many instructions, about, calls being charged by their work (0: as the configuration says)")
	fl.DurationVar(&f.deadline, "deadline", 0, "stop after this long, as in 500ms or 10s (0: as the configuration says)")
	fl.Uint64Var(&f.memory, "memory", 0, "memory limit in MiB (0: as the configuration says)")
	fl.Uint64Var(&f.output, "output-limit", 0, "stop when stdout and stderr together pass this, in MiB (0: as the configuration says)")
	fl.Uint64Var(&f.recording, "recording", 0, "stop when the recording is this large, in MiB (0: as the configuration says)")
	fl.Uint64Var(&f.scratch, "scratch", 0, "room for files in /tmp, which lie in memory beside the guest's, in MiB (0: as the configuration says)")
	fl.Uint64Var(&f.disk, "disk", 0, "how much files in writable mounts may grow, in MiB (0: as the configuration says)")
	fl.Uint32Var(&f.descriptors, "descriptors", 0, "descriptors open at a time (0: as the configuration says)")
	fl.Uint64Var(&f.denials, "denials", 0, "stop after this many denied calls, slow down from a tenth of them on (0: as the configuration says)")
}

// Bounds of flags in MiB.
const (
	maxMemoryMiB  = 4096
	maxScratchMiB = 16 << 10
	maxMiB        = math.MaxInt64 >> 20
)

// limits are the limits that the flags ask for.
func (f *limitFlags) limits() (abi.Limits, error) {
	if f.deadline < 0 {
		return abi.Limits{}, usage("--deadline must not be negative", "--deadline 10s")
	}
	if f.memory > maxMemoryMiB {
		return abi.Limits{}, usage("--memory: a guest has at most 4096 MiB", "--memory 4096")
	}
	if f.scratch > maxScratchMiB {
		return abi.Limits{}, usage("--scratch: it lies in memory, at most 16384 MiB", "--scratch 64")
	}
	if n := f.descriptors; n != 0 && (n < 4 || n > 1<<20) {
		return abi.Limits{}, usage("--descriptors: from 4, which every run has, to 1048576", "--descriptors 1024")
	}
	for _, l := range []struct {
		flag string
		mib  uint64
	}{{"output-limit", f.output}, {"recording", f.recording}, {"disk", f.disk}} {
		if l.mib > maxMiB {
			return abi.Limits{}, usage("--"+l.flag+": there is no disk of so many MiB", "--"+l.flag+" 1024")
		}
	}
	return abi.Limits{
		Fuel: f.fuel, Deadline: int64(f.deadline), Memory: f.memory << 20, Descriptors: f.descriptors, Output: f.output << 20,
		Recording: f.recording << 20, Scratch: f.scratch << 20, Disk: f.disk << 20, Denials: f.denials,
	}, nil
}

// reachedLimit is a limit that refused a guest something.
type reachedLimit struct {
	Limit string   `json:"limit"`
	Code  abi.Code `json:"code"`
	What  string   `json:"what"`
	Hint  string   `json:"hint"`
}

// reached says of each limit in r what it was and what raises it.
func reached(r abi.Limit, l *abi.Limits) []reachedLimit {
	list := []reachedLimit{}
	mib := func(name, what string, flag string, n, most uint64) reachedLimit {
		const size = 1 << 20
		return reachedLimit{name, "F1-RUN-132", fmt.Sprintf("%s (%d MiB)", what, n/size), fmt.Sprintf("--%s %d", flag, min((2*n+size-1)/size, most))}
	}
	for _, name := range r.Names() {
		switch name {
		case abi.LimitMemory.String():
			list = append(list, mib(name, "the guest asked for more memory than its limit", "memory", l.Memory, maxMemoryMiB))
		case abi.LimitScratch.String():
			list = append(list, mib(name, "/tmp is full", "scratch", l.Scratch, maxScratchMiB))
		case abi.LimitDisk.String():
			list = append(list, mib(name, "the files in writable mounts may not grow any more", "disk", l.Disk, maxMiB))
		case abi.LimitTable.String():
			list = append(list, reachedLimit{
				name, "F1-RUN-132", fmt.Sprintf("the guest asked for more table elements than its limit, %d in all tables together", l.Table),
				fmt.Sprintf("set limits.table to %d in the configuration: forgeone init --config FILE", min(2*uint64(l.Table), uint64(rewrite.MaxCaps().Table))),
			})
		case abi.LimitDescriptors.String():
			list = append(list, reachedLimit{name, "F1-RUN-132", fmt.Sprintf("the guest has as many descriptors open as it may (%d)", l.Descriptors), fmt.Sprintf("--descriptors %d", min(2*uint64(l.Descriptors), 1<<20))})
		default:
			list = append(list, reachedLimit{name, "F1-RUN-133", "the process has as many files open as the host lets it", "ulimit -n"})
		}
	}
	return list
}
