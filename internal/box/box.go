// Package box starts children of this program's own binary that can do nothing but
// their one job. A job's bytes are hostile; so a child has what it is handed and a
// bounded answer to give, and nothing else: no file, no network, no other program, no
// more memory and processor time than it is given. It dies with its parent.
//
// What holds on Linux, from before the child reads the first byte of its task:
//
//   - Landlock, where the kernel has it, denies every file, every connection, and
//     signals to others.
//   - seccomp, where the kernel has it, lets through what the Go runtime needs once it
//     runs, and no call by which a file is opened, a program or process started, a
//     socket made, or another process touched.
//   - RLIMIT_DATA, RLIMIT_AS and RLIMIT_CPU end it; it has no descriptors but three
//     pipes, and no name leads to those.
//   - PR_SET_PDEATHSIG ends it with its parent, stopped or not.
//
// Elsewhere a child is a process of its own without these walls. Box.Walls says which
// there are.
package box

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// childName is what a child is called, in the first of its arguments. Nobody types
// it: a program of that name would be started by its path.
const childName = "forgeone: box"

// ready is set once Main was called: this program's binary can be started as a child.
// It is the one thing of a process that package main alone can tell us.
var ready atomic.Bool

// Job is what a child can do: it reads its task from in to the end and writes its
// answer to out. An error ends the child as a failure.
type Job struct {
	Name string
	Run  func(arg string, in io.Reader, out io.Writer) error
}

// Main does its job and ends the process, if this process was started as a child. If
// not it returns at once. It is called first in main: what comes before it runs in
// children too.
func Main(jobs ...Job) {
	if len(os.Args) == 0 || os.Args[0] != childName {
		ready.Store(true)
		return
	}
	os.Exit(childMain(os.Args[1:], jobs))
}

// The child's exit status, beside those of the Go runtime.
const (
	exitDone   = 0
	exitFailed = 3 // the job's error is on its standard error
	exitWalls  = 4 // the walls could not be put up
)

// childMain is the child: arguments are the job's name and argument and the limits.
func childMain(args []string, jobs []Job) int {
	failed := func(status int, err error) int {
		fmt.Fprintln(os.Stderr, err)
		return status
	}
	if len(args) != 4 {
		return failed(exitWalls, errors.New("arguments are missing"))
	}
	memory, err1 := strconv.ParseUint(args[2], 10, 63)
	cpu, err2 := strconv.ParseUint(args[3], 10, 63)
	if err := errors.Join(err1, err2); err != nil {
		return failed(exitWalls, err)
	}
	walls := ""
	jobs = append(jobs, Job{wallsJob, func(_ string, _ io.Reader, out io.Writer) error {
		_, err := io.WriteString(out, walls)
		return err
	}})
	for _, j := range jobs {
		if j.Name != args[0] {
			continue
		}
		var err error
		if walls, err = confine(memory, cpu); err != nil {
			return failed(exitWalls, err)
		}
		// What ends before this is no word on the task.
		if _, err := os.Stdout.Write([]byte{begun}); err != nil {
			return failed(exitWalls, err)
		}
		collectLate(memory)
		if err := j.Run(args[1], os.Stdin, os.Stdout); err != nil {
			return failed(exitFailed, err)
		}
		return exitDone
	}
	return failed(exitWalls, fmt.Errorf("no job %q", args[0]))
}

// collectLate has this process, which may use memory bytes, collect garbage late as long
// as little of them is live: most children end before it is worth it. From a sixteenth
// on it is collected as usual, so that what fits is not refused and what does not ends
// soon.
func collectLate(memory uint64) {
	usual := debug.SetGCPercent(400)
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	var look func(*[32]byte)
	look = func(*[32]byte) { // after each collection
		if metrics.Read(live); live[0].Value.Uint64() > memory/16 {
			debug.SetGCPercent(usual)
			return
		}
		runtime.SetFinalizer(new([32]byte), look)
	}
	runtime.SetFinalizer(new([32]byte), look)
}

// begun is the first byte of what a child writes: it is confined, and begins its job.
const begun = 1

// ErrNotReady says that this program's binary can't be started as a child.
var ErrNotReady = errors.New("the program does not call forgeone.Main() first in main")

// Box starts children. It is safe for concurrent use.
type Box struct{ path string }

// New returns a box whose children are of the binary at path, one that calls Main
// first, or if path is empty of this program's. ErrNotReady: this one does not.
func New(path string) (*Box, error) {
	if path != "" {
		path, err := filepath.Abs(path) // a child begins in another folder
		if err == nil {
			_, err = os.Stat(path)
		}
		return &Box{path}, err
	}
	if !ready.Load() {
		return nil, ErrNotReady
	}
	path, err := own()
	return &Box{path}, err
}

// Executable is the file of this program's binary by its name, which is what a next
// process runs, and this one's children where there is no /proc. It is empty where
// nobody knows the name.
func Executable() string {
	p, _ := named() // no children either, then
	return p
}

func named() (string, error) {
	if p, err := os.Executable(); err == nil {
		return p, nil
	}
	p, err := exec.LookPath(os.Args[0])
	if err != nil {
		return "", err
	}
	return filepath.Abs(p)
}

// wallsJob is a job of all boxes: to say what walls there are.
const wallsJob = "walls"

// Walls says what keeps a child in, besides its limits.
func (b *Box) Walls() (string, error) {
	c, err := b.Start(Task{Job: wallsJob, Memory: 1 << 30, CPU: time.Minute, Answer: 1 << 10})
	if err != nil {
		return "", err
	}
	e := c.Wait()
	if e.Cause != CauseDone {
		return "", fmt.Errorf("it can't be put up: %s", e.Text)
	}
	return string(e.Answer), nil
}

// Task is one job for a child.
type Task struct {
	Job, Arg string
	In       []byte
	Memory   uint64        // the most bytes of data
	CPU      time.Duration // the most processor time; 0: any
	Answer   int64         // the most bytes that it may answer
}

// Child is a child at work. Its methods may be called from several goroutines.
type Child struct {
	cmd    *exec.Cmd
	memory uint64 // that it may have
	done   chan struct{}
	killed atomic.Bool

	answer, stderr limited // written by the goroutines of cmd, read once done is closed
}

// Start starts a child. Whoever starts one waits for it.
func (b *Box) Start(t Task) (*Child, error) {
	c := &Child{memory: t.Memory, done: make(chan struct{}), answer: limited{max: t.Answer + 1}, stderr: limited{max: maxStderr}}
	seconds := uint64(0)
	if t.CPU > 0 {
		seconds = uint64((t.CPU + time.Second - 1) / time.Second)
	}
	c.cmd = &exec.Cmd{
		Path: b.path, Args: []string{childName, t.Job, t.Arg, strconv.FormatUint(t.Memory, 10), strconv.FormatUint(seconds, 10)},
		// The runtime would look up the processors of the control group again and again, and
		// the C library those of the machine.
		Env: []string{"GOMAXPROCS=2", "GOTRACEBACK=none", "MALLOC_ARENA_MAX=1"}, Dir: "/",
		Stdin: bytes.NewReader(t.In), Stdout: &c.answer, Stderr: &c.stderr,
		SysProcAttr: attributes(),
	}
	c.answer.full, c.stderr.full = c.Kill, c.Kill
	started := make(chan error)
	go func() {
		// The child dies with the thread that started it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.cmd.Start()
		started <- err
		if err == nil {
			_ = c.cmd.Wait() // how it ended stands in its state
			close(c.done)
		}
	}()
	return c, <-started
}

// Done is closed once the child has ended.
func (c *Child) Done() <-chan struct{} { return c.done }

// Kill ends the child, whatever it does.
func (c *Child) Kill() {
	c.killed.Store(true)
	_ = c.cmd.Process.Kill() // it can only have ended
}

// End is how a child ended.
type End struct {
	Cause  Cause
	Answer []byte        // of CauseDone
	Text   string        // what it said last, for people
	CPU    time.Duration // that it took
	Memory uint64        // the most bytes that it had resident
}

// Cause is why a child ended.
type Cause uint8

const (
	CauseNone    Cause = iota
	CauseDone          // with its answer
	CauseKilled        // by Kill
	CauseAnswer        // it answered too much
	CauseMemory        // it needed more memory than it may have
	CauseCPU           // it needed more processor time
	CauseBreach        // it tried what no child may
	CauseCrash         // it ended by a fault
	CauseMachine       // somebody else ended it: the machine is short of memory, most likely
	CauseWalls         // it could not be confined
)

// Wait waits for the child's end.
func (c *Child) Wait() End {
	<-c.done
	st := c.cmd.ProcessState
	e := End{Text: firstLine(string(c.stderr.b)), CPU: st.UserTime() + st.SystemTime(), Memory: resident(st)}
	e.Cause = c.cause(e)
	if e.Cause == CauseMemory && !strings.Contains(e.Text, "memory") { // a fault says nothing of why
		e.Text = strings.TrimSpace("out of memory: " + e.Text)
	}
	if e.Cause == CauseDone {
		e.Answer = c.answer.b[1:]
	}
	return e
}

func (c *Child) cause(e End) Cause {
	st := c.cmd.ProcessState
	text := string(c.stderr.b)
	switch {
	case c.answer.over:
		return CauseAnswer
	case c.stderr.over:
		return CauseCrash
	case c.killed.Load() && st.ExitCode() < 0:
		return CauseKilled
	case (len(c.answer.b) == 0 || c.answer.b[0] != begun) && !outOfMemory(text, e.Memory, c.memory):
		return CauseWalls // with so little memory that it can't begin it is the limit
	case st.ExitCode() == exitDone:
		return CauseDone // also if it was killed too late
	case outOfThreads(text) && e.Memory < c.memory/2: // else its stack found no room in its memory
		return CauseMachine
	case outOfThreads(text), st.ExitCode() >= 0 && outOfMemory(text, e.Memory, c.memory):
		if otherLimits() {
			return CauseMachine
		}
		return CauseMemory
	case strings.HasPrefix(e.Text, "SIGQUIT"):
		return CauseMachine // somebody wanted to know what it does
	case st.ExitCode() >= 0:
		return CauseCrash
	}
	return signalled(st, e.CPU, c.cmd.Args[len(c.cmd.Args)-1])
}

// outOfMemory tells from what a child said whether it was refused memory. used is what
// it had resident, limit what it may have: a program that is linked with the C library
// ends by a fault where a thread's stack can't grow, and so does Go's own garbage
// collector, which runs outside of goroutines, where there is no room for its lists.
func outOfMemory(text string, used, limit uint64) bool {
	return strings.Contains(text, "out of memory") || strings.Contains(text, "cannot allocate memory") ||
		strings.Contains(text, "SIGSEGV") && (used >= limit/2 || used >= limit/4 && strings.Contains(text, "\ngoroutine 0 "))
}

// outOfThreads tells whether the machine would not give a child another thread.
func outOfThreads(text string) bool {
	return strings.Contains(text, "pthread_create failed") || strings.Contains(text, "failed to create new OS thread")
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return strings.ToValidUTF8(s[:min(len(s), 200)], "?")
}

// maxStderr bounds what is kept of a child's standard error.
const maxStderr = 64 << 10

// limited keeps at most max bytes. One more is too many: then full is called.
type limited struct {
	b    []byte
	max  int64
	over bool
	full func()
}

// ReadFrom takes what r has to the end. It never fails: who would be told is a child.
func (l *limited) ReadFrom(r io.Reader) (n int64, err error) {
	for {
		if len(l.b) == cap(l.b) {
			l.b = slices.Grow(l.b, max(64<<10, len(l.b)))
		}
		m, err := r.Read(l.b[len(l.b):cap(l.b)])
		n += int64(m)
		if !l.over {
			l.b = l.b[:len(l.b)+m]
		}
		if int64(len(l.b)) > l.max && !l.over {
			l.over, l.b = true, l.b[:l.max]
			l.full()
		}
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// Write is there so that a limited is a writer: all comes by ReadFrom.
func (l *limited) Write(p []byte) (int, error) {
	n, err := l.ReadFrom(bytes.NewReader(p))
	return int(n), err
}
