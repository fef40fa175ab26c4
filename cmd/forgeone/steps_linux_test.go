package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A step is a call of the operating system with which a command changes a file or a
// folder, or asks that a change be kept. Steps are counted from 1, in the order in
// which the command comes to them; children and threads count with it.
//
// The command has a filter (seccomp(2), user notification) that hands each such call to
// this process before it happens. What happens then is the fault's to say.
type fault struct {
	name string
	at   int // the first step that it concerns
	kind faultKind
}

type faultKind int

const (
	none    faultKind = iota
	killed            // the process is killed before the step
	torn              // a write is half done, and the process is killed
	full              // from the step on nothing grows: ENOSPC
	failing           // from the step on, the disk does not keep what it is given: EIO
)

// stepped is what a command came to.
type stepped struct {
	steps int
	hit   bool // the fault's step came
	code  int  // -1 if it was killed
	out   string
	names []string // of the steps
}

// stepsHelper names the descriptor by which a command that this test binary becomes
// hands over its filter's.
const stepsHelper = "FORGEONE_TEST_STEPS"

// watched are the calls that can be steps.
var watched = []uintptr{
	unix.SYS_OPENAT, unix.SYS_MKDIRAT, unix.SYS_UNLINKAT, unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2,
	unix.SYS_LINKAT, unix.SYS_SYMLINKAT, unix.SYS_FTRUNCATE, unix.SYS_FALLOCATE, unix.SYS_FSYNC,
	unix.SYS_FDATASYNC, unix.SYS_WRITE, unix.SYS_PWRITE64, unix.SYS_COPY_FILE_RANGE,
}

// becomeStepped puts the filter on and becomes the command. It does not return.
func becomeStepped() {
	runtime.LockOSThread()
	err := func() error {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return err
		}
		prog := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}} // the call's number
		for i, nr := range watched {
			prog = append(prog, unix.SockFilter{
				Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(nr), Jt: uint8(len(watched) - i),
			})
		}
		prog = append(prog,
			unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
			unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF})
		p := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}
		const socket = 3
		listen := func(flags uintptr) (uintptr, unix.Errno) {
			fd, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER|flags, uintptr(unsafe.Pointer(&p)))
			return fd, e
		}
		fd, e := listen(unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
		if e == unix.EINVAL { // before Linux 5.19
			fd, e = listen(0)
		}
		if e != 0 {
			return fmt.Errorf("%s: %w", noFilter, e)
		}
		err := unix.Sendmsg(socket, []byte{0}, unix.UnixRights(int(fd)), nil, 0)
		_ = unix.Close(int(fd)) // the other one has it, or nobody
		if err != nil {
			return fmt.Errorf("sendmsg: %w", err)
		}
		unix.CloseOnExec(socket)
		program, err := exec.LookPath("forgeone")
		if err != nil {
			return err
		}
		return unix.Exec(program, append([]string{"forgeone"}, os.Args[1:]...), os.Environ())
	}()
	fmt.Fprintln(os.Stderr, err)
	os.Exit(97)
}

// noFilter is what is said where the system has no such filters.
const noFilter = "seccomp"

// notice is struct seccomp_notif of seccomp_unotify(2).
type notice struct {
	ID    uint64
	PID   uint32
	Flags uint32
	Nr    int32
	Arch  uint32
	IP    uint64
	Args  [6]uint64
}

// answer is struct seccomp_notif_resp.
type answer struct {
	ID    uint64
	Val   int64
	Error int32
	Flags uint32
}

// step runs a command whose changes of files under root meet the fault.
func step(t *testing.T, root string, env []string, f fault, args ...string) stepped {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "theirs")
	c := exec.Command(os.Args[0], args...)
	c.Env = append(append(os.Environ(), env...), stepsHelper+"=1", "GODEBUG=asyncpreemptoff=1")
	c.Dir = root
	c.ExtraFiles = []*os.File{theirs}
	out, err := os.Create(filepath.Join(t.TempDir(), "out")) // no pipe: a child that is left holds none up
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	c.Stdout, c.Stderr = out, out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	_ = theirs.Close()
	oob := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(pair[0], make([]byte, 1), oob, 0)
	_ = unix.Close(pair[0])
	if err != nil || n == 0 {
		_ = c.Wait()
		said, _ := os.ReadFile(out.Name())
		if !strings.HasPrefix(string(said), noFilter) {
			t.Fatalf("no filter came: %v\n%s", err, said)
		}
		t.Skipf("SKIPPED: this system has no user notifications of seccomp, steps can't be told: %s", said)
	}
	m, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil {
		t.Fatal(err)
	}
	fds, err := unix.ParseUnixRights(&m[0])
	if err != nil {
		t.Fatal(err)
	}
	s := supervisor{listener: fds[0], root: root, fault: f, pid: c.Process.Pid}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.serve()
	}()
	timer := time.AfterFunc(2*time.Minute, func() { s.hung = true; _ = c.Process.Kill() })
	_ = c.Wait()
	timer.Stop()
	<-done
	_ = unix.Close(fds[0])
	b, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	if s.hung {
		t.Errorf("forgeone %v hangs at %s %d\n%s", args, f.name, f.at, b)
	}
	return stepped{steps: len(s.names), hit: s.hit, code: c.ProcessState.ExitCode(), out: string(b), names: s.names}
}

// A supervisor answers the notices of one command. It belongs to the goroutine that
// serves, until that ends.
type supervisor struct {
	listener int
	root     string
	pid      int
	fault    fault
	names    []string
	hit      bool
	hung     bool
}

func (s *supervisor) serve() {
	for {
		p := []unix.PollFd{{Fd: int32(s.listener), Events: unix.POLLIN}}
		if _, err := unix.Poll(p, -1); err != nil {
			if errors.Is(err, unix.EINTR) {
				continue
			}
			return
		}
		if p[0].Revents&unix.POLLIN == 0 {
			return // nobody with the filter is left
		}
		var n notice
		if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(s.listener), unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(&n))); e != 0 {
			if e == unix.EINTR || e == unix.ENOENT { // who asked is gone
				continue
			}
			return
		}
		a := answer{ID: n.ID, Flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
		if e := s.meet(&n); e != 0 {
			a.Flags, a.Error = 0, -int32(e)
		}
		_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(s.listener), unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&a))) // else it is gone
	}
}

// meet counts a call that is a step, and says with what it fails, if it does.
func (s *supervisor) meet(n *notice) unix.Errno {
	name := s.name(n)
	if name == "" {
		return 0
	}
	s.names = append(s.names, name)
	at := len(s.names)
	if s.fault.kind == none || at < s.fault.at {
		return 0
	}
	switch s.fault.kind {
	case killed, torn:
		if s.hit {
			return 0
		}
		s.hit = true
		if s.fault.kind == torn {
			s.tear(n)
		}
		_ = unix.Kill(s.pid, unix.SIGKILL)
	case full:
		switch uintptr(n.Nr) {
		case unix.SYS_UNLINKAT, unix.SYS_FTRUNCATE, unix.SYS_FSYNC, unix.SYS_FDATASYNC:
			return 0
		}
		s.hit = true
		return unix.ENOSPC
	case failing:
		switch uintptr(n.Nr) {
		case unix.SYS_FSYNC, unix.SYS_FDATASYNC:
			s.hit = true
			return unix.EIO
		}
	}
	return 0
}

// name says what a call does to a file under the root, or nothing if it does not
// change one.
func (s *supervisor) name(n *notice) string {
	var what, path string
	descriptor := func(fd uint64) string {
		to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", n.PID, int32(fd)))
		if err != nil {
			return ""
		}
		return strings.TrimSuffix(to, " (deleted)")
	}
	named := func(dir, at uint64) string {
		p := s.text(n, at)
		switch {
		case filepath.IsAbs(p):
			return p
		case int32(dir) == unix.AT_FDCWD:
			to, _ := os.Readlink(fmt.Sprintf("/proc/%d/cwd", n.PID)) // else it is gone, and so is its call
			return filepath.Join(to, p)
		}
		return filepath.Join(descriptor(dir), p)
	}
	switch uintptr(n.Nr) {
	case unix.SYS_OPENAT:
		if n.Args[2]&unix.O_CREAT == 0 {
			return ""
		}
		what, path = "create", named(n.Args[0], n.Args[1])
		if _, err := os.Lstat(path); err == nil {
			return "" // it is there
		}
	case unix.SYS_MKDIRAT:
		what, path = "mkdir", named(n.Args[0], n.Args[1])
	case unix.SYS_UNLINKAT:
		what, path = "unlink", named(n.Args[0], n.Args[1])
	case unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2:
		what, path = "rename", named(n.Args[2], n.Args[3])
	case unix.SYS_LINKAT:
		what, path = "link", named(n.Args[2], n.Args[3])
	case unix.SYS_SYMLINKAT:
		what, path = "symlink", named(n.Args[1], n.Args[2])
	case unix.SYS_FTRUNCATE:
		what, path = "truncate", descriptor(n.Args[0])
	case unix.SYS_FALLOCATE:
		what, path = "allocate", descriptor(n.Args[0])
	case unix.SYS_FSYNC, unix.SYS_FDATASYNC:
		what, path = "sync", descriptor(n.Args[0])
	case unix.SYS_WRITE, unix.SYS_PWRITE64:
		what, path = "write", descriptor(n.Args[0])
	case unix.SYS_COPY_FILE_RANGE:
		what, path = "copy", descriptor(n.Args[2])
	}
	rel, ok := strings.CutPrefix(path, s.root+"/")
	if !ok {
		return ""
	}
	return what + " " + rel
}

// text reads a name from the memory of who asks.
func (s *supervisor) text(n *notice, at uint64) string {
	b := s.read(n, at, unix.PathMax)
	if end := bytes.IndexByte(b, 0); end >= 0 {
		b = b[:end]
	}
	return string(b)
}

func (s *supervisor) read(n *notice, at uint64, size int) []byte {
	f, err := os.Open(fmt.Sprintf("/proc/%d/mem", n.PID))
	if err != nil {
		return nil
	}
	defer f.Close()
	b := make([]byte, size)
	got, _ := f.ReadAt(b, int64(at)) // what there is up to the end of the mapping
	return b[:got]
}

// tear does the first half of a write.
func (s *supervisor) tear(n *notice) {
	if nr := uintptr(n.Nr); nr != unix.SYS_WRITE && nr != unix.SYS_PWRITE64 {
		return
	}
	half := s.read(n, n.Args[1], int(n.Args[2]/2))
	p, err := unix.PidfdOpen(int(n.PID), 0)
	if err != nil {
		return // it is a thread's number: nothing of it happens
	}
	defer unix.Close(p)
	fd, err := unix.PidfdGetfd(p, int(n.Args[0]), 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if uintptr(n.Nr) == unix.SYS_WRITE {
		_, _ = unix.Write(fd, half)
	} else {
		_, _ = unix.Pwrite(fd, half, int64(n.Args[3]))
	}
}
