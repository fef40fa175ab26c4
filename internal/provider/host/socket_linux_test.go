package host

import (
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/sock"
)

func TestParseAddress(t *testing.T) {
	for in, want := range map[string]string{
		"127.0.0.1:8080":          "127.0.0.1:8080",
		"[::1]:0":                 "[::1]:0",
		"0.0.0.0:80":              "0.0.0.0:80", // the operator's word
		"[::ffff:127.0.0.1]:8080": "127.0.0.1:8080",
	} {
		if a, err := ParseAddress(in); err != nil || a.String() != want {
			t.Errorf("%q: %v %v", in, a, err)
		}
	}
	for in, why := range map[string]string{
		"":                  "ADDRESS:PORT",
		"8080":              "ADDRESS:PORT",
		":8080":             "names no address",
		"localhost:8080":    "names are not looked up",
		"example.com:80":    "names are not looked up",
		"127.0.0.1:http":    "the port is a number",
		"127.0.0.1:65536":   "the port is a number",
		"127.0.0.1:-1":      "the port is a number",
		"127.0.0.1":         "ADDRESS:PORT",
		"127.0.0.1:":        "the port is a number",
		"::1:80":            "brackets",
		"[fe80::1%eth0]:80": "without a zone",
		"127.1:80":          "names are not looked up",
		"0x7f.1:80":         "names are not looked up",
		" 127.0.0.1:80":     "names are not looked up",
	} {
		_, err := ParseAddress(in)
		var e *abi.Error
		if !errors.As(err, &e) || e.Code != CodeAddress || !strings.Contains(e.What, why) || !strings.HasPrefix(e.Hint, "--listen ") {
			t.Errorf("%q: %v", in, err)
			continue
		}
		if _, err := ParseAddress(strings.TrimPrefix(e.Hint, "--listen ")); err != nil {
			t.Errorf("%q: the hint is no better: %v", in, err)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"127.0.0.1:8080", "[::1]:0", ":1", "a:b", "[::1%lo]:1", "\x00:80", "127.0.0.1:00080"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAddress(s)
		if err != nil {
			return
		}
		if again, err := ParseAddress(a.String()); err != nil || again != a {
			t.Errorf("%q is %v, which is %v %v", s, a, again, err)
		}
	})
}

func TestListen(t *testing.T) {
	l, err := Listen("127.0.0.1:0")
	check(t, err)
	defer l.Close()
	if a, err := ParseAddress(l.Addr()); err != nil || a.Port() == 0 || !a.Addr().IsLoopback() {
		t.Error(l.Addr())
	}
	for addr, why := range map[string]string{l.Addr(): "another program", "192.0.2.1:0": "does not have that address"} {
		var e *abi.Error
		if _, err := Listen(addr); !errors.As(err, &e) || e.Code != CodeListen || !strings.Contains(e.What, why) {
			t.Errorf("%s: %v", addr, err)
		}
	}
	// A port is free again as soon as its listener is closed, whatever it served.
	c, err := net.Dial("tcp", l.Addr())
	check(t, err)
	defer c.Close()
	WaitSockets([]sock.Interest{{Socket: l}}, -1, nil)
	conn, e := l.Accept()
	want(t, "accept", e, 0)
	want(t, "close", conn.Close(), 0)
	want(t, "close", l.Close(), 0)
	want(t, "close twice", l.Close(), abi.EBADF)
	again, err := Listen(l.Addr())
	check(t, err)
	again.Close()
}

func TestListenSix(t *testing.T) {
	l, err := Listen("[::1]:0")
	if err != nil {
		t.Skip("no IPv6 here:", err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr())
	check(t, err)
	c.Close()
	if on, err := unix.GetsockoptInt(l.(*listener).fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY); err != nil || on != 1 {
		t.Error("an IPv6 address takes IPv4 too:", on, err)
	}
	if _, port, _ := net.SplitHostPort(l.Addr()); port != "" {
		if c, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			c.Close()
			t.Error("IPv4 reaches a listener on an IPv6 address")
		}
	}
}

// TestSocketsAreOurs: not inherited by other programs, and never blocking.
func TestSocketsAreOurs(t *testing.T) {
	l, err := Listen("127.0.0.1:0")
	check(t, err)
	defer l.Close()
	if _, e := l.Accept(); e != abi.EAGAIN {
		t.Error(e)
	}
	c, err := net.Dial("tcp", l.Addr())
	check(t, err)
	defer c.Close()
	WaitSockets([]sock.Interest{{Socket: l}}, -1, nil)
	conn, e := l.Accept()
	want(t, "accept", e, 0)
	defer conn.Close()
	inTime(t, "an empty receive", func() {
		if n, e := conn.Receive(make([]byte, 1), false); n != 0 || e != abi.EAGAIN {
			t.Error(n, e)
		}
	})
	for _, fd := range []int{l.(*listener).fd, conn.(*connection).fd} {
		b, err := os.ReadFile("/proc/self/fdinfo/" + strconv.Itoa(fd))
		check(t, err)
		if !strings.Contains(string(b), "flags:\t02004002") { // O_CLOEXEC, O_NONBLOCK, O_RDWR
			t.Errorf("%s", b)
		}
	}
	start := time.Now()
	inTime(t, "a short wait", func() { WaitSockets([]sock.Interest{{Socket: conn}}, 20*time.Millisecond, nil) })
	if time.Since(start) < 20*time.Millisecond {
		t.Error("early")
	}
	inTime(t, "a cancelled wait", func() { WaitSockets([]sock.Interest{{Socket: conn}, {Socket: l}}, -1, afterDelay()) })
	// Closing waits for nobody, whatever the peer has not read.
	for e := abi.ESUCCESS; e == 0; {
		_, e = conn.Send(make([]byte, 1<<20))
	}
	inTime(t, "closing a full connection", func() { conn.Close() })
}
