package box

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const gib = 1 << 30

// jobs are what children of the tests do; "breakout" tries to get out.
func jobs() []Job {
	return []Job{
		{"echo", func(_ string, in io.Reader, out io.Writer) error { _, err := io.Copy(out, in); return err }},
		{"fail", func(arg string, _ io.Reader, _ io.Writer) error { return errors.New(arg) }},
		{"panic", func(string, io.Reader, io.Writer) error { panic("a fault\nof two lines") }},
		{"panic elsewhere", func(string, io.Reader, io.Writer) error { go func() { panic("a fault") }(); select {} }},
		{"answer", func(_ string, _ io.Reader, out io.Writer) (err error) {
			for b := make([]byte, 1<<16); err == nil; {
				_, err = out.Write(b)
			}
			return err
		}},
		{"memory", func(_ string, _ io.Reader, out io.Writer) error {
			var all [][]byte
			for range 1 << 20 {
				b := make([]byte, 1<<20)
				for i := 0; i < len(b); i += 4096 {
					b[i] = 1
				}
				all = append(all, b)
			}
			return fmt.Errorf("%d MiB", len(all))
		}},
		{"shared memory", func(_ string, _ io.Reader, out io.Writer) error {
			_, err := syscall.Mmap(-1, 0, 8<<30, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED|syscall.MAP_ANON)
			fmt.Fprint(out, err)
			return nil
		}},
		{"growing memory", func(string, io.Reader, io.Writer) error { // that RLIMIT_DATA does not count
			const size = 64 << 20
			for range 64 {
				b, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
				if err != nil {
					return err
				}
				for i := 0; i < len(b); i += 4096 {
					b[i] = 1
				}
				if err := syscall.Mprotect(b, syscall.PROT_READ); err != nil {
					return err
				}
			}
			return nil
		}},
		{"stack memory", func(_ string, _ io.Reader, out io.Writer) error {
			_, err := syscall.Mmap(-1, 0, 1<<20, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON|syscall.MAP_GROWSDOWN)
			fmt.Fprint(out, err)
			return nil
		}},
		{"threads", func(_ string, _ io.Reader, out io.Writer) error { // an honest one
			ready, stop := make(chan bool), make(chan bool)
			for range 40 {
				go func() { runtime.LockOSThread(); ready <- true; <-stop }()
			}
			for range 40 {
				<-ready
			}
			_, err := out.Write([]byte("40"))
			return err
		}},
		{"spin", func(string, io.Reader, io.Writer) error {
			for n := uint64(1); n != 0; n++ {
			}
			return nil
		}},
		{"sleep", func(_ string, _ io.Reader, out io.Writer) error {
			fmt.Fprintln(out, "asleep")
			time.Sleep(time.Hour)
			return nil
		}},
		{"long", func(_ string, in io.Reader, out io.Writer) error { // the runtime at work for seconds
			end := time.Now().Add(3 * time.Second)
			var keep [][]byte
			for time.Now().Before(end) {
				done := make(chan bool)
				for range 10 {
					go func() { runtime.Gosched(); done <- true }()
				}
				for range 10 {
					<-done
				}
				if keep = append(keep, make([]byte, 1<<16)); len(keep) > 1000 {
					keep = nil
					runtime.GC()
				}
				time.Sleep(time.Millisecond)
			}
			_, err := io.Copy(out, in)
			return err
		}},
		{"breakout", func(arg string, _ io.Reader, out io.Writer) error { fmt.Fprint(out, breakout(arg)); return nil }},
	}
}

// breakout tries to get out of the box in one of many ways, and tells what came of it.
func breakout(way string) error {
	kind, arg, _ := strings.Cut(way, " ")
	switch kind {
	case "read":
		_, err := os.ReadFile(arg)
		return err
	case "write":
		return os.WriteFile(arg, []byte("out"), 0o600)
	case "exec":
		return exec.Command("/bin/true").Run()
	case "execve":
		return syscall.Exec("/bin/true", []string{"true"}, nil)
	case "dial":
		c, err := net.Dial("tcp", arg)
		if err == nil {
			c.Close()
		}
		return err
	case "listen":
		_, err := net.Listen("unix", arg)
		return err
	case "kill":
		pid, _ := strconv.Atoi(arg)
		return syscall.Kill(pid, 0)
	case "descriptors":
		for fd := 3; fd < 64; fd++ {
			if n, err := syscall.Write(fd, []byte("out")); err == nil && n > 0 {
				return nil
			}
		}
		return errors.New("none can be written")
	case "signals": // of a pipe, to the parent
		_, err := unix.FcntlInt(1, unix.F_SETOWN, os.Getppid())
		return err
	case "pipes":
		return syscall.Pipe2(make([]int, 2), 0)
	case "pipe": // memory of the kernel's
		_, err := unix.FcntlInt(1, unix.F_SETPIPE_SZ, 1<<20)
		return err
	case "tgkill":
		pid, _ := strconv.Atoi(arg)
		return unix.Tgkill(pid, pid, 0)
	case "limit":
		return syscall.Setrlimit(syscall.RLIMIT_DATA, &syscall.Rlimit{Cur: 1 << 40, Max: 1 << 40})
	case "call":
		nr, _ := strconv.Atoi(arg)
		if _, _, e := syscall.RawSyscall6(uintptr(nr), 0, 0, 0, 0, 0, 0); e != 0 {
			return e
		}
		return nil
	}
	return fmt.Errorf("no way %q", way)
}

func TestMain(m *testing.M) {
	Main(jobs()...)
	os.Exit(m.Run())
}

func theBox(t testing.TB) *Box {
	t.Helper()
	b, err := New("")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func run(t testing.TB, task Task) End {
	t.Helper()
	if task.Memory == 0 {
		task.Memory = 2 * gib
	}
	if task.Answer == 0 {
		task.Answer = 1 << 20
	}
	c, err := theBox(t).Start(task)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-c.Done():
	case <-time.After(time.Minute):
		c.Kill()
		t.Errorf("%s: it does not end", task.Job)
	}
	return c.Wait()
}

// TestEnds: each way in which a child can end is told from the others.
func TestEnds(t *testing.T) {
	for _, tc := range []struct {
		task Task
		want Cause
		text string
	}{
		{Task{Job: "echo", In: []byte("hello"), Answer: 5}, CauseDone, ""},
		{Task{Job: "echo", In: make([]byte, 1<<20)}, CauseDone, ""},
		{Task{Job: "echo", In: make([]byte, 100), Answer: 99}, CauseAnswer, ""},
		{Task{Job: "answer"}, CauseAnswer, ""},
		{Task{Job: "fail", Arg: "for a reason"}, CauseCrash, "for a reason"},
		{Task{Job: "panic"}, CauseCrash, "panic: a fault"},
		{Task{Job: "panic elsewhere"}, CauseCrash, "panic: a fault"},
		{Task{Job: "memory", Memory: 256 << 20}, CauseMemory, "memory"},
		{Task{Job: "spin", CPU: time.Second}, CauseCPU, ""},
		{Task{Job: "no such job"}, CauseWalls, `no job "no such job"`},
	} {
		t.Run(fmt.Sprint(tc.task.Job, len(tc.task.In)), func(t *testing.T) {
			if tc.want == CauseMemory && otherLimits() {
				tc.want = CauseMachine
			}
			e := run(t, tc.task)
			if e.Cause != tc.want || !strings.Contains(e.Text, tc.text) || strings.Contains(e.Text, "\n") {
				t.Errorf("%+v", e)
			}
			if tc.want == CauseDone && len(e.Answer) != len(tc.task.In) || tc.want != CauseDone && e.Answer != nil {
				t.Errorf("%d bytes of answer", len(e.Answer))
			}
			if e.Memory > tc.task.Memory+128<<20 && tc.task.Memory > 0 {
				t.Errorf("%d MiB resident", e.Memory>>20)
			}
		})
	}
}

// TestRuntimeLives: the filter lets a program run for seconds, with threads, garbage
// and timers.
func TestRuntimeLives(t *testing.T) {
	if e := run(t, Task{Job: "threads"}); e.Cause != CauseDone || string(e.Answer) != "40" {
		t.Errorf("many threads: %+v", e)
	}
	if e := run(t, Task{Job: "long", In: []byte("alive")}); e.Cause != CauseDone || string(e.Answer) != "alive" {
		t.Errorf("%+v", e)
	}
}

// TestBreakout: a child that hostile code has taken over reaches nothing.
func TestBreakout(t *testing.T) {
	dir := t.TempDir()
	secret, out := filepath.Join(dir, "secret"), filepath.Join(dir, "out")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	// A descriptor that a careless program would hand to its children.
	inherited, err := syscall.Open(out, syscall.O_CREAT|syscall.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(inherited)
	for _, way := range []string{
		"read " + secret, "read /proc/self/environ", "read /proc/" + strconv.Itoa(os.Getpid()) + "/maps", "read /etc/passwd",
		"write " + filepath.Join(dir, "new"), "write " + secret, "write /dev/shm/forgeone-test", "write /proc/self/oom_score_adj",
		"exec", "execve", "dial " + l.Addr().String(), "listen " + filepath.Join(dir, "socket"), "listen @forgeone-test",
		"call " + strconv.Itoa(unix.SYS_MEMFD_CREATE), "call " + strconv.Itoa(unix.SYS_CLONE), "call " + strconv.Itoa(unix.SYS_CLONE3), "call " + strconv.Itoa(unix.SYS_IO_URING_SETUP),
		"kill " + strconv.Itoa(os.Getpid()), "descriptors", "limit", "signals", "pipes", "pipe", "tgkill " + strconv.Itoa(os.Getpid()),
	} {
		t.Run(strings.NewReplacer("/", " ", dir, "dir").Replace(way), func(t *testing.T) {
			e := run(t, Task{Job: "breakout", Arg: way})
			if e.Cause != CauseBreach && (e.Cause != CauseDone || string(e.Answer) == "<nil>") {
				t.Errorf("%+v, answer %q", e, e.Answer)
			}
			t.Logf("cause %d, %q", e.Cause, e.Answer)
		})
	}
	if b, err := os.ReadFile(secret); err != nil || string(b) != "secret" {
		t.Errorf("%q %v", b, err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 2 {
		t.Errorf("%v %v", files, err)
	}
	if b, err := os.ReadFile(out); err != nil || len(b) != 0 {
		t.Errorf("%q was written to a descriptor that was let through", b)
	}
	for _, job := range []string{"shared memory", "stack memory"} {
		if e := run(t, Task{Job: job}); e.Cause != CauseDone || string(e.Answer) == "<nil>" {
			t.Errorf("%s, which no limit counts: %+v, %q", job, e, e.Answer)
		}
	}
	if e := run(t, Task{Job: "growing memory", Memory: 256 << 20}); e.Cause == CauseDone || e.Memory > 256<<20+room+128<<20 {
		t.Errorf("memory that is written and then read only: %+v", e)
	}
}

// TestKill ends children that work, wait and are paused.
func TestKill(t *testing.T) {
	for _, job := range []string{"spin", "sleep"} {
		for _, paused := range []bool{false, true} {
			c, err := theBox(t).Start(Task{Job: job, Memory: 2 * gib, Answer: 100})
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(50 * time.Millisecond)
			if paused {
				c.Pause()
			}
			c.Kill()
			if e := c.Wait(); e.Cause != CauseKilled {
				t.Errorf("%s, paused %v: %+v", job, paused, e)
			}
			c.Kill() // of one that has ended does nothing
		}
	}
}

// TestSignals: what somebody else sends says nothing of the task, and what a terminal
// sends to this process's group does not reach a child.
func TestSignals(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			if signal.Ignored(sig) { // under nohup, and so would a child
				heard := make(chan os.Signal, 1)
				signal.Notify(heard, sig)
				defer signal.Stop(heard)
			}
			c, err := theBox(t).Start(Task{Job: "sleep", Memory: 2 * gib, Answer: 100})
			if err != nil {
				t.Fatal(err)
			}
			if group, err := syscall.Getpgid(c.cmd.Process.Pid); err != nil || group == syscall.Getpgrp() {
				t.Errorf("group %d, %v", group, err)
			}
			time.Sleep(time.Second) // until it sleeps
			_ = c.cmd.Process.Signal(sig)
			if e := c.Wait(); e.Cause != CauseMachine {
				t.Errorf("%+v", e)
			}
		})
	}
}

// TestPause: a paused child takes no processor time, and goes on where it was.
func TestPause(t *testing.T) {
	c, err := theBox(t).Start(Task{Job: "spin", Memory: 2 * gib, Answer: 100})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Wait()
	defer c.Kill()
	busy := func() bool {
		before := c.CPU()
		time.Sleep(300 * time.Millisecond)
		return c.CPU() > before
	}
	if !busy() {
		t.Error("it does nothing")
	}
	c.Pause()
	time.Sleep(50 * time.Millisecond)
	if busy() {
		t.Error("it works while it is paused")
	}
	if c.Continue(); !busy() {
		t.Error("it does not go on")
	}
}

const orphanHelper = "FORGEONE_TEST_ORPHAN"

// TestOrphan: a child dies with its parent, also if it is paused, or the parent is
// killed.
func TestOrphan(t *testing.T) {
	if how := os.Getenv(orphanHelper); how != "" {
		c, err := theBox(t).Start(Task{Job: "sleep", Memory: 2 * gib, Answer: 100})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
		if how == "paused" {
			c.Pause()
		}
		fmt.Printf("child %d\n", c.cmd.Process.Pid)
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	for _, how := range []string{"at work", "paused"} {
		c := exec.Command(os.Args[0], "-test.run=^TestOrphan$")
		c.Env = append(os.Environ(), orphanHelper+"="+how)
		out, _ := c.Output() // it is killed
		_, text, _ := strings.Cut(string(out), "child ")
		pid, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil {
			t.Fatalf("%q", out)
		}
		for end := time.Now().Add(10 * time.Second); syscall.Kill(pid, 0) == nil && !zombie(pid); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: process %d goes on", how, pid)
			}
		}
	}
}

// zombie tells whether the process has ended and nobody has asked for how.
func zombie(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || strings.Contains(string(b), ") Z ")
}

// TestWalls: a box says what keeps its children in.
func TestWalls(t *testing.T) {
	if w, err := theBox(t).Walls(); err != nil || !strings.Contains(w, "Landlock") || !strings.HasSuffix(w, ", seccomp") {
		t.Errorf("%q %v: TestBreakout says little on this machine", w, err)
	}
}

// TestNotReady: a program that does not call Main is never started again.
func TestNotReady(t *testing.T) {
	ready.Store(false)
	defer ready.Store(true)
	if _, err := New(""); !errors.Is(err, ErrNotReady) {
		t.Errorf("%v", err)
	}
	if _, err := New("/no/such/binary"); err == nil {
		t.Error("a binary that is not there")
	}
}

// TestTablesOfCalls: nothing is both allowed and a breach, nor twice in one table.
func TestTablesOfCalls(t *testing.T) {
	all := append(allowed[:], breach[:]...)
	slices.Sort(all)
	if n := len(all); len(slices.Compact(all)) != n || slices.Contains(all, "mmap") || slices.Contains(all, "clone") {
		t.Error("a call stands twice")
	}
}

func BenchmarkChild(b *testing.B) {
	for b.Loop() {
		if e := run(b, Task{Job: "echo", In: []byte("hi")}); e.Cause != CauseDone {
			b.Fatalf("%+v", e)
		}
	}
}
