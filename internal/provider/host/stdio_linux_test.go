package host

import (
	"bytes"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/forgeone/forgeone/abi"
)

// soon is how long a cancelled call may take: far more than it does, so that a
// busy machine fails no test, and far less than for ever.
const soon = 5 * time.Second

// afterDelay closes the returned channel in a moment.
func afterDelay() <-chan struct{} {
	done := make(chan struct{})
	time.AfterFunc(15*time.Millisecond, func() { close(done) })
	return done
}

// inTime fails the test if f does not return soon.
func inTime(t *testing.T, what string, f func()) {
	t.Helper()
	end := make(chan struct{})
	go func() { defer close(end); f() }()
	select {
	case <-end:
	case <-time.After(soon):
		t.Fatalf("%s hangs", what)
	}
}

// pipe returns a pipe in blocking mode, as a shell makes it.
func pipe(t testing.TB) (r, w *os.File) {
	var fds [2]int
	check(t, unix.Pipe2(fds[:], unix.O_CLOEXEC))
	r, w = os.NewFile(uintptr(fds[0]), "r"), os.NewFile(uintptr(fds[1]), "w")
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

func sockets(t testing.TB, kind int) (r, w *os.File) {
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	check(t, err)
	r, w = os.NewFile(uintptr(fds[0]), "r"), os.NewFile(uintptr(fds[1]), "w")
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

// streams returns both ends of a pair as streams, in the old mode without RWF_NOWAIT.
func streams(r, w *os.File, old bool) (in, out *Stream) {
	in, out = NewStdin(r), NewStdout(w)
	if old {
		in.end.(*stdio).nowait.Store(false)
		out.end.(*stdio).nowait.Store(false)
	}
	return in, out
}

func TestStdio(t *testing.T) {
	for kind, pair := range map[string]func(testing.TB) (r, w *os.File){
		"pipe":        pipe,
		"socket":      func(t testing.TB) (r, w *os.File) { return sockets(t, unix.SOCK_STREAM) },
		"nonblocking": func(t testing.TB) (*os.File, *os.File) { r, w, err := os.Pipe(); check(t, err); return r, w },
	} {
		t.Run(kind, func(t *testing.T) { inModes(t, func(t *testing.T, old bool) { testStdio(t, pair, old) }) })
	}
}

func testStdio(t *testing.T, pair func(testing.TB) (r, w *os.File), old bool) {
	r, w := pair(t)
	in, out := streams(r, w, old)
	flags := func() [2]int {
		a, err := unix.FcntlInt(uintptr(in.end.(*stdio).fd), unix.F_GETFL, 0)
		check(t, err)
		b, err := unix.FcntlInt(uintptr(out.end.(*stdio).fd), unix.F_GETFL, 0)
		check(t, err)
		return [2]int{a, b}
	}
	before := flags()
	buf := make([]byte, 100)
	_, e := in.Write(buf, nil)
	want(t, "write to an input", e, abi.EBADF)
	_, e = out.Read(buf, nil)
	want(t, "read from an output", e, abi.EBADF)
	if in.Ready(false) || !out.Ready(true) || !in.Ready(true) || !out.Ready(false) {
		t.Error("readiness of an empty pair")
	}
	if n, e := in.Read(nil, nil); n != 0 || e != 0 {
		t.Error("reading nothing", n, e)
	}
	if n, e := out.Write(nil, nil); n != 0 || e != 0 {
		t.Error("writing nothing", n, e)
	}
	inTime(t, "a cancelled read", func() {
		n, e := in.Read(buf, afterDelay())
		if n != 0 || e != abi.EINTR {
			t.Error(n, e)
		}
	})
	inTime(t, "a cancelled wait", func() {
		if in.WaitReady(false, -1, afterDelay()) || in.WaitReady(false, time.Hour, afterDelay()) {
			t.Error("ready")
		}
	})
	inTime(t, "a short wait", func() {
		start := time.Now()
		if in.WaitReady(false, 20*time.Millisecond, nil) || time.Since(start) < 20*time.Millisecond {
			t.Error("ready, or early")
		}
	})
	inTime(t, "a read that waits", func() {
		time.AfterFunc(10*time.Millisecond, func() { out.Write([]byte("hello"), nil) })
		if !in.WaitReady(false, -1, make(chan struct{})) || !in.Ready(false) {
			t.Error("not ready")
		}
		n, e := in.Read(buf, nil)
		if string(buf[:n]) != "hello" || e != 0 {
			t.Errorf("%q %v", buf[:n], e)
		}
	})
	// What is written until the other side is full was taken, and no more.
	inTime(t, "a cancelled write", func() {
		// A busy machine may stop a write before it has filled the other side.
		n := 0
		for e := abi.ESUCCESS; e == abi.ESUCCESS; {
			var m int
			m, e = out.Write(make([]byte, 4<<20), afterDelay())
			if m == 4<<20 || (m > 0) == (e == abi.EINTR) || (e != 0 && e != abi.EINTR) {
				t.Error(m, e)
				return
			}
			n += m
			if m == 0 && n == 0 {
				e = abi.ESUCCESS
			}
		}
		if out.Ready(true) || out.WaitReady(true, -1, afterDelay()) {
			t.Error("a full one is ready")
		}
		got := 0
		for got < n {
			m, e := in.Read(make([]byte, 1<<20), nil)
			if m == 0 || e != 0 {
				t.Error(m, e)
				return
			}
			got += m
		}
		if got != n || in.Ready(false) || !out.Ready(true) {
			t.Error("left over", got, n)
		}
	})
	if got := flags(); got != before {
		t.Errorf("flags were %x and are %x", before, got)
	}
	inTime(t, "a large transfer", func() {
		big := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
		go func() {
			if n, e := out.Write(big, make(chan struct{})); n != len(big) || e != 0 {
				t.Error(n, e)
			}
			w.Close()
		}()
		var got []byte
		chunk := make([]byte, 30_000)
		for {
			n, e := in.Read(chunk, make(chan struct{}))
			if e != 0 {
				t.Error(e)
				return
			}
			if n == 0 {
				break
			}
			got = append(got, chunk[:n]...)
		}
		if !bytes.Equal(got, big) {
			t.Errorf("%d bytes of %d", len(got), len(big))
		}
	})
	if !in.Ready(false) {
		t.Error("the end is not ready")
	}
	// The goroutine above may still hold w.
	r2, w2 := pair(t)
	in, out = streams(r2, w2, old)
	r2.Close()
	inTime(t, "a write to nobody", func() {
		if n, e := out.Write(buf, nil); n != 0 || e != abi.EPIPE {
			t.Error(n, e)
		}
	})
	if !out.Ready(true) {
		t.Error("a broken pipe answers at once")
	}
	stopped := make(chan struct{})
	close(stopped)
	if n, e := out.Write(buf, stopped); n != 0 || e != abi.EINTR {
		t.Error("stopped", n, e)
	}
	in.Close()
	out.Close()
	if _, err := w2.Stat(); err != nil {
		t.Error("the stream closed the file")
	}
}

func TestStdioTypes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	write(t, file, "text")
	openFile := func(name string) *os.File {
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			f, err = os.Open(name)
		}
		check(t, err)
		t.Cleanup(func() { f.Close() })
		return f
	}
	closed := openFile(file)
	closed.Close()
	pr, _ := pipe(t)
	ss, _ := sockets(t, unix.SOCK_STREAM)
	sd, _ := sockets(t, unix.SOCK_DGRAM)
	for what, c := range map[string]struct {
		f    *os.File
		typ  abi.Filetype
		text string
		read abi.Errno
		wr   abi.Errno
	}{
		"regular": {openFile(file), abi.FiletypeRegularFile, "text", 0, 0},
		"null":    {openFile("/dev/null"), abi.FiletypeCharacterDevice, "", 0, 0},
		"zero":    {openFile("/dev/zero"), abi.FiletypeCharacterDevice, "\x00\x00\x00\x00\x00\x00\x00\x00", 0, 0},
		"folder":  {openFile(t.TempDir()), abi.FiletypeUnknown, "", abi.EISDIR, abi.EBADF},
		"nil":     {nil, abi.FiletypeUnknown, "", abi.EBADF, abi.EBADF},
		"closed":  {closed, abi.FiletypeUnknown, "", abi.EBADF, abi.EBADF},
		"pipe":    {pr, abi.FiletypeUnknown, "-", 0, 0},
		"stream":  {ss, abi.FiletypeSocketStream, "-", 0, 0},
		"dgram":   {sd, abi.FiletypeSocketDgram, "-", 0, 0},
	} {
		in, out := NewStdin(c.f), NewStdout(c.f)
		if in.Type() != c.typ || out.Type() != c.typ {
			t.Errorf("%s: type %d, want %d", what, in.Type(), c.typ)
		}
		// libc takes a device without a position for a terminal, and Go an unknown file for an
		// empty one: what is neither has one.
		if placed := c.typ == abi.FiletypeRegularFile || c.typ == abi.FiletypeCharacterDevice; in.Placed() != placed || out.Placed() != placed {
			t.Errorf("%s has a position: %v %v", what, in.Placed(), out.Placed())
		}
		if c.text == "-" {
			continue
		}
		if !in.Ready(false) || !out.Ready(true) || !in.WaitReady(false, -1, nil) {
			t.Errorf("%s is not ready", what)
		}
		p := make([]byte, 8)
		n, e := in.Read(p, nil)
		want(t, what+": read", e, c.read)
		if string(p[:n]) != c.text {
			t.Errorf("%s: %q", what, p[:n])
		}
		_, e = out.Write([]byte("+"), nil)
		want(t, what+": write", e, c.wr)
	}
	if got := read(t, file); got != "text+" {
		t.Errorf("%q", got)
	}
}

// TestStdioPlace: a redirected file has its size and position, and the guest does not get
// at what lies before where it was given.
func TestStdioPlace(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	write(t, name, "others' then the guest's")
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	check(t, err)
	defer f.Close()
	_, err = f.Seek(12, 0)
	check(t, err)
	s := NewStdin(f)
	st, e := s.Stat()
	must(t, e)
	if st.Type != abi.FiletypeRegularFile || st.Size != 24 || st.Mtim == 0 || st.Ino != 0 || st.Dev != 0 {
		t.Errorf("%+v", st)
	}
	for _, c := range []struct {
		off    int64
		whence uint8
		at     int64
		e      abi.Errno
	}{
		{0, abi.WhenceCur, 12, 0},
		{4, abi.WhenceCur, 16, 0},
		{-4, abi.WhenceCur, 12, 0},
		{-1, abi.WhenceCur, 0, abi.EINVAL},
		{-1, abi.WhenceEnd, 23, 0},
		{-13, abi.WhenceEnd, 0, abi.EINVAL},
		{11, abi.WhenceSet, 0, abi.EINVAL},
		{-1, abi.WhenceSet, 0, abi.EINVAL},
		{1 << 40, abi.WhenceSet, 1 << 40, 0},
		{math.MaxInt64, abi.WhenceCur, 0, abi.EOVERFLOW},
		{12, abi.WhenceSet, 12, 0},
	} {
		at, e := s.SeekTo(c.off, c.whence)
		if at != c.at || e != c.e {
			t.Errorf("seek %d from %d: %d %v, want %d %v", c.off, c.whence, at, e, c.at, c.e)
		}
	}
	p := make([]byte, 5)
	if n, e := s.Read(p, nil); e != 0 || string(p[:n]) != " the " {
		t.Errorf("%q %v", p[:n], e)
	}
	if _, e := NewReader(nil).SeekTo(0, abi.WhenceCur); e != abi.ESPIPE || NewReader(nil).Placed() {
		t.Error("a reader has a position")
	}
}

// TestNothingLeftBehind: waits leave no goroutine and no descriptor.
func TestNothingLeftBehind(t *testing.T) {
	count := func() (int, int) {
		fds, err := os.ReadDir("/proc/self/fd")
		check(t, err)
		return runtime.NumGoroutine(), len(fds)
	}
	r, _ := pipe(t)
	in := NewStdin(r)
	goroutines, fds := count()
	done := make(chan struct{}) // never closed
	for range 50 {
		in.WaitReady(false, time.Millisecond, done)
	}
	if g, f := count(); g > goroutines || f > fds {
		t.Errorf("%d goroutines and %d descriptors became %d and %d", goroutines, fds, g, f)
	}
	// A terminal that is forgotten is closed with its stream.
	_, slave := terminalPair(t)
	_, fds = count()
	for range 20 {
		NewStdin(slave)
	}
	deadline := time.Now().Add(soon)
	for {
		runtime.GC()
		if _, f := count(); f <= fds {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("forgotten terminals stay open")
		}
		time.Sleep(time.Millisecond)
	}
}

// TestWaitBlind cancels where no eventfd is to be had.
func TestWaitBlind(t *testing.T) {
	r, w := pipe(t)
	in, out := NewStdin(r), NewStdout(w)
	var limit unix.Rlimit
	check(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	check(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: limit.Max}))
	defer func() { check(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)) }()
	if blind := newWaker(make(chan struct{})); !blind.blind {
		t.Error("a descriptor was to be had")
	}
	inTime(t, "a cancelled read", func() {
		if n, e := in.Read(make([]byte, 1), afterDelay()); n != 0 || e != abi.EINTR {
			t.Error(n, e)
		}
	})
	inTime(t, "a read", func() {
		time.AfterFunc(15*time.Millisecond, func() { out.Write([]byte("x"), nil) })
		if n, e := in.Read(make([]byte, 1), make(chan struct{})); n != 1 || e != 0 {
			t.Error(n, e)
		}
	})
}

// TestBrokenStdout runs this binary with a standard output that nobody reads:
// it must learn EPIPE and live.
func TestBrokenStdout(t *testing.T) {
	if os.Getenv("FORGEONE_TEST_BROKEN_STDOUT") != "" {
		_, e := NewStdout(os.Stdout).Write([]byte("x"), nil)
		s := NewStdout(os.Stdout)
		s.end.(*stdio).nowait.Store(false)
		_, e2 := s.Write([]byte("x"), nil)
		_, err := (*rawWriter)(s.end.(*stdio)).Write([]byte("x"))
		os.Stderr.WriteString("answers " + e.String() + " " + e2.String() + " " + errnoOf(err).String() + "\n")
		os.Exit(7)
	}
	r, w := pipe(t)
	cmd := exec.Command(os.Args[0], "-test.run=^TestBrokenStdout$")
	cmd.Env = append(os.Environ(), "FORGEONE_TEST_BROKEN_STDOUT=1")
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = w, &stderr
	r.Close()
	err := cmd.Run()
	if cmd.ProcessState.ExitCode() != 7 || stderr.String() != "answers EPIPE EPIPE EPIPE\n" {
		t.Errorf("%v: %s", err, stderr.String())
	}
}
