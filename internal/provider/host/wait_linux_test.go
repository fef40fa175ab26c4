package host

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestWaitsWait: a wait whose system call fails, however it does, neither spins nor
// outlasts its time or its run, and still sees what becomes ready.
func TestWaitsWait(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	fd := fdOf(r)
	for name, fails := range map[string]func(fds []unix.PollFd) error{
		"EINVAL": func([]unix.PollFd) error { return unix.EINVAL },
		"EINTR":  func([]unix.PollFd) error { return unix.EINTR },
		"ENOMEM": func([]unix.PollFd) error { return unix.ENOMEM },
		"EFAULT": func([]unix.PollFd) error { return unix.EFAULT },
	} {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int64
			poll := ppoll(func(fds []unix.PollFd, timeout *unix.Timespec) (int, error) {
				calls.Add(1)
				if err := fails(fds); err != nil {
					return -1, err
				}
				return system(fds, timeout)
			})
			want := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(fd), Events: unix.POLLIN}}
			begun := time.Now()
			if poll.any(want, 200*time.Millisecond, nil) {
				t.Error("nothing is ready")
			}
			if took := time.Since(begun); took < 150*time.Millisecond || took > 5*time.Second {
				t.Errorf("it waited %v of 200 ms", took)
			}
			if n := calls.Load(); n > 500 {
				t.Errorf("it asked %d times in 200 ms", n)
			}
			done := make(chan struct{})
			time.AfterFunc(50*time.Millisecond, func() { close(done) })
			begun = time.Now()
			if poll.any(want, -1, done) || time.Since(begun) > 5*time.Second {
				t.Errorf("stopped after %v", time.Since(begun))
			}
			time.AfterFunc(50*time.Millisecond, func() { _, _ = w.Write([]byte("x")) })
			if !poll.any(want, 5*time.Second, nil) {
				t.Error("what became ready was not seen")
			}
			_, _ = r.Read(make([]byte, 1))
		})
	}
	// A descriptor that is closed is told at once.
	if !waitAny([]unix.PollFd{{Fd: 1 << 20, Events: unix.POLLIN}}, -1, nil) {
		t.Error("a closed descriptor is waited for")
	}
}

// TestMerged: what is waited for twice is one descriptor of the system's.
func TestMerged(t *testing.T) {
	got := merged([]unix.PollFd{{Fd: 3, Events: 1}, {Fd: 4, Events: 1}, {Fd: 3, Events: 4}, {Fd: 3, Events: 1}})
	if len(got) != 2 || got[0] != (unix.PollFd{Fd: 3, Events: 5}) || got[1] != (unix.PollFd{Fd: 4, Events: 1}) {
		t.Errorf("%+v", got)
	}
}

// TestOneWait: descriptors are waited for in one place, which the tests above have fail.
func TestOneWait(t *testing.T) {
	call := regexp.MustCompile(`\b(unix|syscall)\.(Poll|Ppoll|Select|Pselect|EpollWait|EpollPwait)\(`)
	found := 0
	root := filepath.Join("..", "..", "..")
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
			if d != nil && d.IsDir() && d.Name() == "node_modules" {
				return fs.SkipDir
			}
			return err
		}
		b, err := os.ReadFile(p)
		for _, m := range call.FindAllString(string(b), -1) {
			if found++; filepath.Base(p) != "wait_linux.go" {
				t.Errorf("%s: %s", p, m)
			}
		}
		return err
	})
	if err != nil || found == 0 {
		t.Errorf("%d places, %v", found, err)
	}
}
