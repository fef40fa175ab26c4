package evidence

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestPowerCut: the log is on a file system of its own, ext4 on a loop device.
// While processes append, what the device holds is copied, which is what a disk
// holds when the power fails: nothing that the file system keeps in memory is
// in it. The copy is mounted, so that ext4 replays its journal, and the log in
// it has everything that was acknowledged before, once.
//
// The writers are stopped for the copy, by a signal: no write begins, and what
// they wrote stays in memory if it was not synced. What of it the kernel
// writes back by itself meanwhile would make a copy that no disk ever held;
// so two copies in a row must be equal. Not modelled is a disk that lies about
// what it has synced, or that loses the sectors of a running write out of
// order: TestCrashStates is for that.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	cuts, rounds := 4, 1
	if soaking() {
		cuts, rounds = 10, 8
	}
	acked, mended := 0, 0
	for range rounds {
		a, m := cutPower(t, cuts)
		acked, mended = acked+a, mended+m
	}
	t.Logf("%d power cuts, %d times a record was looked for that was acknowledged: 0 lost; %d torn tails", cuts*rounds, acked, mended)
}

// mount mounts an image of ext4, or skips the test where that can't be done.
func mount(t *testing.T, image string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if out, err := exec.Command("mount", "-o", "loop", image, dir).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: this test needs root and loop devices: mount: %v: %s", err, out)
	}
	t.Cleanup(func() { unmount(t, dir) })
	return dir
}

// unmount is for a folder that may be unmounted already.
func unmount(t *testing.T, dir string) {
	t.Helper()
	var out []byte
	var err error
	for range 50 { // somebody may be on the way out
		if exec.Command("mountpoint", "-q", dir).Run() != nil {
			return
		}
		if out, err = exec.Command("umount", dir).CombinedOutput(); err == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	_ = exec.Command("umount", "-l", dir).Run()
	t.Errorf("umount %s: %v: %s", dir, err, out)
}

// newImage makes a file with an empty ext4 in it.
func newImage(t *testing.T) string {
	t.Helper()
	image := filepath.Join(t.TempDir(), "disk")
	f, err := os.Create(image)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(64 << 20); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	mkfs, err := exec.LookPath("mkfs.ext4")
	if err != nil {
		if mkfs, err = exec.LookPath("/usr/sbin/mkfs.ext4"); err != nil {
			t.Skipf("SKIPPED: this test needs mkfs.ext4 (`make need` installs it): %v", err)
		}
	}
	if out, err := exec.Command(mkfs, "-q", "-F", image).CombinedOutput(); err != nil {
		t.Fatalf("mkfs.ext4: %v: %s", err, out)
	}
	return image
}

// cutPower cuts the power of one disk some times, and goes on as if nothing had
// happened.
func cutPower(t *testing.T, cuts int) (acked, mended int) {
	t.Helper()
	image := newImage(t)
	disk := mount(t, image)
	o := Options{Dir: filepath.Join(disk, "log"), Key: testKey(t), SegmentBytes: 64 << 10}
	if err := Create(o); err != nil {
		t.Fatal(err)
	}
	looked, torn := checkCopy(t, image, nil) // right after it was made
	mended += torn
	var writers []*writer
	defer func() {
		for _, w := range writers {
			w.end(t)
		}
		unmount(t, disk)
	}()
	for i := range 3 {
		writers = append(writers, startWriter(t, o, fmt.Sprint("w", i)))
	}
	for late := time.Now().Add(time.Minute); len(writers[0].acked(t)) == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatal("nothing was acknowledged")
		}
	}
	for range cuts {
		time.Sleep(20*time.Millisecond + rand.N(150*time.Millisecond))
		for _, w := range writers {
			w.signal(t, syscall.SIGSTOP)
		}
		for _, w := range writers {
			w.stopped(t)
		}
		var names []string
		for _, w := range writers {
			names = append(names, w.acked(t)...)
		}
		n, torn := checkCopy(t, image, names)
		looked, mended = looked+n, mended+torn
		for _, w := range writers {
			w.signal(t, syscall.SIGCONT)
		}
	}
	return looked, mended
}

// checkCopy copies the image as it is and checks the log in the copy.
func checkCopy(t *testing.T, image string, acked []string) (looked, torn int) {
	t.Helper()
	b := readFile(t, image)
	for n := 0; ; n++ {
		again := readFile(t, image)
		if bytes.Equal(b, again) {
			break
		}
		if b = again; n > 100 {
			t.Fatal("the disk is never quiet")
		}
	}
	cut := image + ".cut"
	writeFile(t, cut, b)
	disk := mount(t, cut)
	defer os.Remove(cut)
	defer unmount(t, disk)
	// Opened elsewhere, for a counter stays mapped and the disk busy.
	o := Options{Dir: filepath.Join(memory(t), "log"), Key: testKey(t), SegmentBytes: 64 << 10}
	if err := os.CopyFS(o.Dir, os.DirFS(filepath.Join(disk, "log"))); err != nil {
		t.Fatal(err)
	}
	l, err := Open(o)
	if err != nil {
		t.Fatalf("after a power cut: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	mustVerify(t, o)
	got := names(t, o)
	for _, name := range acked {
		if got[name] != 1 {
			t.Errorf("acknowledged %q is there %d times after a power cut", name, got[name])
		}
	}
	for name, n := range got {
		if n != 1 {
			t.Errorf("%q is there %d times after a power cut", name, n)
		}
	}
	aside, err := filepath.Glob(filepath.Join(o.Dir, "torn-*"))
	if err != nil {
		t.Fatal(err)
	}
	return len(acked), len(aside)
}

// writer is a process that appends and writes down what was acknowledged.
type writer struct {
	cmd *exec.Cmd
	out string
}

func startWriter(t *testing.T, o Options, id string) *writer {
	t.Helper()
	w := &writer{cmd: exec.Command(os.Args[0]), out: filepath.Join(t.TempDir(), "acked")}
	f, err := os.Create(w.out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w.cmd.Env = append(os.Environ(), envRole+"=append", envDir+"="+o.Dir, envID+"="+id)
	w.cmd.Stdout, w.cmd.Stderr = f, os.Stderr
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *writer) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := w.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// stopped waits until every thread of w is stopped.
func (w *writer) stopped(t *testing.T) {
	t.Helper()
	for range 1000 {
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", w.cmd.Process.Pid))
		if err != nil || len(tasks) == 0 {
			t.Fatal("a writer is gone: ", err)
		}
		running := false
		for _, path := range tasks {
			b, err := os.ReadFile(path)
			_, state, _ := strings.Cut(string(b), ") ")
			running = running || err == nil && !strings.HasPrefix(state, "T")
		}
		if !running {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("a writer does not stop")
}

func (w *writer) acked(t *testing.T) []string {
	t.Helper()
	b := string(readFile(t, w.out))
	return strings.Fields(b[:strings.LastIndexByte(b, '\n')+1])
}

func (w *writer) end(t *testing.T) {
	t.Helper()
	if err := w.cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = w.cmd.Wait() // it was killed
}
