package serve

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// start serves h until the test ends, and returns the address.
func start(t *testing.T, h http.Handler) string {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	s, err := Listen(ctx, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, h) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s.Addr()
}

// send sends a request line just as it is and returns the answer.
func send(t *testing.T, addr, line string) *http.Response {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", line)
	method, _, _ := strings.Cut(line, " ")
	r, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	r.Body = io.NopCloser(strings.NewReader(string(b)))
	return r
}

// TestTiles: the files of an export, by their names, and nothing else.
func TestTiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tiles")
	for name, text := range map[string]string{
		"tiles/checkpoint": "head", "tiles/vkey": "key", "tiles/tile/0/000": "hashes", "tiles/tile/entries/000.p/7": "entries",
		"tiles/.lock": "no", "tiles/tile/0/.000.tmp": "no", "secret": "no", "tiles/tile/0/notes": "no",
	} {
		path := filepath.Join(filepath.Dir(dir), name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../../../secret", filepath.Join(dir, "tile/0/001")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "tile/0/002"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "tile/0/003"), 0o700); err != nil {
		t.Fatal(err)
	}
	addr := start(t, Tiles(dir))
	for path, want := range map[string][3]string{
		"/checkpoint":           {"head", "text/plain; charset=utf-8", "no-cache"},
		"/vkey":                 {"key", "text/plain; charset=utf-8", "no-cache"},
		"/tile/0/000":           {"hashes", "application/octet-stream", "public, max-age=31536000, immutable"},
		"/tile/entries/000.p/7": {"entries", "application/octet-stream", "public, max-age=31536000, immutable"},
		"/tile/0/000?x=1":       {"hashes", "application/octet-stream", "public, max-age=31536000, immutable"},
	} {
		r := send(t, addr, "GET "+path)
		b, _ := io.ReadAll(r.Body)
		if r.StatusCode != 200 || string(b) != want[0] || r.Header.Get("Content-Type") != want[1] || r.Header.Get("Cache-Control") != want[2] {
			t.Errorf("%s: %s %q %v", path, r.Status, b, r.Header)
		}
		r = send(t, addr, "HEAD "+path)
		if b, _ := io.ReadAll(r.Body); r.StatusCode != 200 || len(b) != 0 || r.ContentLength != int64(len(want[0])) {
			t.Errorf("HEAD %s: %s, %d bytes", path, r.Status, len(b))
		}
	}
	for _, path := range []string{
		"/", "/tile", "/tile/", "/tile/0", "/tile/0/", "/.lock", "/tile/0/.000.tmp", "/tile/0/notes", "/secret", "/../secret", "/tile/../../secret", "/tile/0/%2e%2e/%2e%2e/%2e%2e/secret",
		"/%63heckpoint", "/checkpoint/", "//checkpoint", "/tile/0/001", "/tile/0/002", "/tile/0/003", "/tile/0/004", "/tile/0/000.p/1", "/tile/entries/000", "/tile/0/%30%30%30",
	} {
		r := send(t, addr, "GET "+path)
		if b, _ := io.ReadAll(r.Body); r.StatusCode != 404 || string(b) != "not found\n" || r.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %s %q", path, r.Status, b)
		}
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PROPFIND"} {
		if r := send(t, addr, method+" /checkpoint"); r.StatusCode != 405 || r.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %s", method, r.Status)
		}
	}
}

// TestLimits: a long header is refused, and connections are counted.
func TestLimits(t *testing.T) {
	addr := start(t, Tiles(t.TempDir()))
	long, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer long.Close()
	fmt.Fprintf(long, "GET /checkpoint HTTP/1.1\r\nHost: x\r\nLong: %s", strings.Repeat("a", 32<<10)) // and it does not end
	// An answer, or the end of the connection, whichever comes through.
	if b, _ := io.ReadAll(long); len(b) > 0 && !strings.HasPrefix(string(b), "HTTP/1.1 431 ") {
		t.Errorf("%q", b)
	}
	in, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln := limit(in, 2)
	got := make(chan net.Conn)
	go func() {
		defer close(got)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			got <- c
		}
	}()
	var clients []net.Conn
	for range 3 {
		c, err := net.Dial("tcp", in.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		clients = append(clients, c)
	}
	a := <-got
	<-got
	select {
	case <-got:
		t.Error("a third connection of two was taken")
	case <-time.After(50 * time.Millisecond):
	}
	_, _ = a.Close(), a.Close() // twice: it counts once
	<-got
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
	if _, ok := <-got; ok {
		t.Error("a connection after Close")
	}
	if len(clients) != 3 {
		t.Error(len(clients))
	}
}

// TestRunEnds: a request under way is answered, and then the server is gone.
func TestRunEnds(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	s, err := Listen(ctx, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		done <- s.Run(ctx, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			stop()
			time.Sleep(20 * time.Millisecond)
			_, _ = io.WriteString(w, "whole")
		}))
	}()
	r := send(t, s.Addr(), "GET /")
	if b, _ := io.ReadAll(r.Body); string(b) != "whole" {
		t.Errorf("%q", b)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", s.Addr()); err == nil {
		_ = c.Close()
		t.Error("it still listens")
	}
	if _, err := Listen(context.Background(), "no such address"); err == nil {
		t.Error("it listens on nothing")
	}
}
