package box

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"github.com/landlock-lsm/go-landlock/landlock"
	lsys "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// own is the way to this program's binary, the one that runs, whatever lies under its
// name by now.
func own() (string, error) {
	const self = "/proc/self/exe"
	if _, err := os.Stat(self); err == nil {
		return self, nil
	}
	return named()
}

// attributes make a child die with its parent, and keep what a terminal sends from
// it: an interrupt is the parent's to understand.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// confine puts the walls up around this process, and says which.
func confine(memory, cpu uint64) (walls string, err error) {
	// A program with rights of its file's gets here without what attributes says.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return "", fmt.Errorf("prctl: %w", err)
	}
	closeOthers()
	for fd := range 2 { // fewer turns between the two; it is as well without
		_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, 1<<20)
	}
	// Where memory runs out it is the child that goes. Without /proc it is as good a
	// choice as any.
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0)
	limits := []struct {
		what  int
		value uint64
	}{
		{unix.RLIMIT_DATA, memory},
		{unix.RLIMIT_AS, addresses() + memory + room},
		{unix.RLIMIT_CPU, cpu},
		{unix.RLIMIT_CORE, 0},
		{unix.RLIMIT_NOFILE, 32},
		{unix.RLIMIT_FSIZE, 0},
		{unix.RLIMIT_MEMLOCK, 0},
		{unix.RLIMIT_MSGQUEUE, 0},
	}
	for _, l := range limits {
		if l.what == unix.RLIMIT_CPU && l.value == 0 {
			continue
		}
		var is unix.Rlimit
		if unix.Getrlimit(l.what, &is) == nil {
			l.value = min(l.value, is.Max) // the operator may have set a lower one
		}
		if err := unix.Setrlimit(l.what, &unix.Rlimit{Cur: l.value, Max: l.value}); err != nil {
			return "", fmt.Errorf("setrlimit %d: %w", l.what, err)
		}
	}
	walls = "no Landlock"
	if abi, err := lsys.LandlockGetABIVersion(); err == nil && abi > 0 {
		walls = fmt.Sprintf("Landlock (version %d)", abi)
	}
	if err := landlock.V11.BestEffort().Restrict(); err != nil {
		return "", fmt.Errorf("landlock: %w", err)
	}
	if !seccomp.Supported() {
		return walls + ", no seccomp", nil
	}
	return walls + ", seccomp", seccomp.LoadFilter(filter())
}

// room is the address space that a child has beside what it has at its start and its
// memory, in bytes: the runtime reserves before it uses. RLIMIT_DATA alone would not
// count what is written and then made read-only, nor tables of pages.
const room = 1 << 30

// addresses is the address space that this process has, in bytes.
func addresses() uint64 {
	b, err := os.ReadFile("/proc/self/statm")
	pages, _, _ := strings.Cut(string(b), " ")
	n, perr := strconv.ParseUint(pages, 10, 40)
	if err != nil || perr != nil {
		return 1 << 40 // without /proc; what a race detector needs is in it
	}
	return n * uint64(os.Getpagesize())
}

// closeOthers closes the descriptors that the parent's program let through. The
// runtime's own, which are of no file, stay.
func closeOthers() {
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		fds = nil // no /proc; those that a program starts with are the lowest
	}
	names := make([]string, 0, 256)
	for _, f := range fds {
		names = append(names, f.Name())
	}
	for i := 3; len(fds) == 0 && i < cap(names); i++ {
		names = append(names, strconv.Itoa(i))
	}
	for _, name := range names {
		fd, err := strconv.Atoi(name)
		if err != nil || fd <= 2 {
			continue
		}
		var st unix.Stat_t
		if unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT != 0 {
			unix.Close(fd)
		}
	}
}

// allowed are the calls that the Go runtime makes once a program runs, on pipes, for
// memory, threads and time. Each of those that an architecture lacks is left out.
var allowed = [...]string{
	"read", "write", "writev", "pread64", "close", "fstat", "lseek",
	"mprotect", "munmap", "mremap", "brk", "mincore",
	"futex", "sched_yield", "sched_getaffinity", "nanosleep", "clock_nanosleep", "clock_gettime", "gettimeofday",
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall",
	"gettid", "getpid", "getrandom", "getrlimit", "set_robust_list", "rseq", "arch_prctl", "set_tid_address", "membarrier",
	"epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "eventfd2",
	"timer_create", "timer_settime", "timer_delete", "setitimer",
	"exit", "exit_group",
}

// breach are calls that only a child makes which is no longer its own: it is killed.
// All that are neither here nor allowed fail: the C library that a program may be
// linked with asks for limits and opens files now and then.
var breach = [...]string{
	"execve", "execveat", "fork", "vfork", "socket", "socketpair", "connect", "bind", "listen", "accept", "accept4", "sendto", "sendmsg", "sendmmsg",
	"creat", "unlink", "unlinkat", "rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "mknod", "mknodat", "mkdir", "mkdirat",
	"truncate", "chmod", "fchmodat", "chown", "fchownat", "ptrace", "process_vm_readv", "process_vm_writev", "kill", "tkill", "pidfd_open", "pidfd_getfd", "pidfd_send_signal",
	"mount", "umount2", "pivot_root", "chroot", "setns", "unshare", "bpf", "perf_event_open", "io_uring_setup", "userfaultfd", "memfd_create", "memfd_secret", "shmget", "shmat",
	"keyctl", "add_key", "request_key", "init_module", "finit_module", "kexec_load", "open_by_handle_at", "name_to_handle_at", "seccomp", "personality",
}

// filter is what the child may ask of the operating system.
func filter() seccomp.Filter {
	info, err := arch.GetInfo("")
	known := func(names []string) (some []string) {
		for _, n := range names {
			if _, ok := info.SyscallNames[n]; err == nil && ok {
				some = append(some, n)
			}
		}
		return some
	}
	return seccomp.Filter{
		NoNewPrivs: true, Flag: seccomp.FilterFlagTSync,
		Policy: seccomp.Policy{
			DefaultAction: seccomp.ActionErrno,
			Syscalls: []seccomp.SyscallGroup{
				{Action: seccomp.ActionAllow, Names: known(allowed[:]), NamesWithCondtions: []seccomp.NameWithConditions{
					// Memory that is shared, or grows like a stack, is not counted as data: there is none.
					{Name: "mmap", Conditions: seccomp.ArgumentConditions{{Argument: 3, Operation: seccomp.BitsNotSet, Value: unix.MAP_SHARED | unix.MAP_GROWSDOWN}}},
					{Name: "clone", Conditions: seccomp.ArgumentConditions{{Argument: 0, Operation: seccomp.BitsSet, Value: unix.CLONE_THREAD}}},
					// Signals are for its own threads, by which the runtime interrupts them.
					{Name: "tgkill", Conditions: seccomp.ArgumentConditions{{Argument: 0, Operation: seccomp.Equal, Value: uint64(os.Getpid())}}},
					// Advice above these concerns the machine's pages.
					{Name: "madvise", Conditions: seccomp.ArgumentConditions{{Argument: 2, Operation: seccomp.LessThan, Value: 100}}},
					// Not the owner of a pipe's signals, nor its size.
					fcntl(unix.F_GETFD), fcntl(unix.F_SETFD), fcntl(unix.F_GETFL), fcntl(unix.F_SETFL), fcntl(unix.F_DUPFD_CLOEXEC),
				}},
				{Action: seccomp.ActionKillProcess, Names: known(breach[:])},
				// Its flags lie in memory, where a filter can't look. The C library of a program
				// that is linked with one takes clone instead.
				{Action: seccomp.ActionErrno | seccomp.Action(unix.ENOSYS), Names: known([]string{"clone3"})},
			},
		},
	}
}

func fcntl(command uint64) seccomp.NameWithConditions {
	return seccomp.NameWithConditions{Name: "fcntl", Conditions: seccomp.ArgumentConditions{{Argument: 1, Operation: seccomp.Equal, Value: command}}}
}

// resident is the most memory that a process had resident, in bytes.
func resident(st *os.ProcessState) uint64 {
	if u, ok := st.SysUsage().(*syscall.Rusage); ok {
		return uint64(u.Maxrss) << 10
	}
	return 0
}

// signalled tells why a child ended that a signal ended; limit is its processor time
// in seconds.
func signalled(st *os.ProcessState, cpu time.Duration, limit string) Cause {
	ws, ok := st.Sys().(syscall.WaitStatus)
	if !ok {
		return CauseCrash
	}
	seconds, _ := strconv.ParseUint(limit, 10, 63)
	switch sig := ws.Signal(); {
	case sig == syscall.SIGSYS:
		return CauseBreach
	case sig == syscall.SIGXCPU:
		return CauseCPU
	case sig == syscall.SIGKILL && seconds > 0 && cpu+time.Second >= time.Duration(seconds)*time.Second:
		return CauseCPU
	case slices.Contains([]syscall.Signal{syscall.SIGSEGV, syscall.SIGBUS, syscall.SIGILL, syscall.SIGFPE, syscall.SIGTRAP, syscall.SIGABRT}, sig):
		return CauseCrash
	}
	return CauseMachine
}

// otherLimits tells whether a child that is refused memory may be within its limit:
// the machine refuses what it has not got, or the operator has limited the address
// space.
func otherLimits() bool {
	b, err := os.ReadFile("/proc/sys/vm/overcommit_memory")
	var space unix.Rlimit
	return err == nil && strings.TrimSpace(string(b)) == "2" ||
		unix.Getrlimit(unix.RLIMIT_AS, &space) == nil && space.Cur != unix.RLIM_INFINITY
}

// MostMemory is the most memory that a child can be given: the operator may have
// limited this process's, which a child can't raise.
func MostMemory() uint64 {
	var data unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_DATA, &data) != nil {
		return math.MaxUint64
	}
	return data.Max
}

// Pause stops the child until Continue. It can only fail where it has ended.
func (c *Child) Pause() { _ = c.cmd.Process.Signal(syscall.SIGSTOP) }

// Continue lets a paused child go on.
func (c *Child) Continue() { _ = c.cmd.Process.Signal(syscall.SIGCONT) }

// CPU returns the processor time that the child has taken so far, 0 if that can't be
// told.
func (c *Child) CPU() time.Duration {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(c.cmd.Process.Pid) + "/stat")
	_, rest, found := strings.Cut(string(b), ") ")
	f := strings.Fields(rest)
	if err != nil || !found || len(f) < 13 {
		return 0
	}
	user, err1 := strconv.ParseInt(f[11], 10, 64)
	system, err2 := strconv.ParseInt(f[12], 10, 64)
	if errors.Join(err1, err2) != nil {
		return 0
	}
	return time.Duration(user+system) * (time.Second / 100) // USER_HZ
}
