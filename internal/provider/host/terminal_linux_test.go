package host

import (
	"bytes"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/forgeone/forgeone/abi"
)

// terminalPair makes a pseudo-terminal; what is written to the slave waits in
// the master.
func terminalPair(t *testing.T) (master, slave *os.File) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	check(t, err)
	master = os.NewFile(uintptr(fd), "master")
	check(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	check(t, err)
	fd, err = unix.Open("/dev/pts/"+strconv.Itoa(n), unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	check(t, err)
	slave = os.NewFile(uintptr(fd), "slave")
	t.Cleanup(func() { master.Close(); slave.Close() })
	return master, slave
}

func TestTerminal(t *testing.T) {
	inModes(t, func(t *testing.T, old bool) {
		master, slave := terminalPair(t)
		in, out := NewStdin(slave), NewStdout(slave)
		if !out.end.(*stdio).free || !in.end.(*stdio).free {
			t.Fatal("the terminal was not opened anew")
		}
		if old { // as if there were no /proc
			out.Close()
			raw := &stdio{file: slave, fd: fdOf(slave), out: true}
			out = &Stream{end: &terminal{sink: sink{w: (*rawWriter)(raw)}}}
			in.Close()
			in = &Stream{end: &stdio{file: slave, fd: fdOf(slave)}}
			in.end.(*stdio).typ = abi.FiletypeCharacterDevice
		}
		if in.Type() != abi.FiletypeCharacterDevice || out.Type() != abi.FiletypeCharacterDevice {
			t.Error("no character device")
		}
		if in.Ready(false) || !out.Ready(true) {
			t.Error("readiness")
		}
		p := make([]byte, 100)
		inTime(t, "a cancelled read", func() {
			if n, e := in.Read(p, afterDelay()); n != 0 || e != abi.EINTR {
				t.Error(n, e)
			}
		})
		if _, err := master.Write([]byte("line\n")); err != nil {
			t.Fatal(err)
		}
		inTime(t, "a read", func() {
			n, e := in.Read(p, make(chan struct{}))
			if string(p[:n]) != "line\n" || e != 0 {
				t.Errorf("%q %v", p[:n], e)
			}
		})
		inTime(t, "a write", func() {
			if n, e := out.Write([]byte("shown\n"), nil); n != 6 || e != 0 {
				t.Error(n, e)
			}
		})
		for got := ""; !strings.Contains(got, "shown"); {
			n, err := master.Read(p) // times out with the test
			check(t, err)
			got += string(p[:n])
		}
		// Nobody reads the master any more.
		inTime(t, "a write to a stalled terminal", func() {
			// The kernel moves what it holds about, so there may be room again.
			for e := abi.ESUCCESS; e != abi.EINTR; {
				var n int
				n, e = out.Write(bytes.Repeat([]byte("x\n"), 1<<20), afterDelay())
				if n == 2<<20 || (e != 0 && e != abi.EINTR) || (n > 0) == (e != 0) {
					t.Error(n, e)
					return
				}
			}
		})
		if flags, err := unix.FcntlInt(uintptr(fdOf(slave)), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK != 0 {
			t.Errorf("flags %x %v", flags, err)
		}
		go io.Copy(io.Discard, master) // lets a writer left behind go
		in.Close()
		out.Close()
		out.Close()
	})
}
