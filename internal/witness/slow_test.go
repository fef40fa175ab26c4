package witness

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
)

// TestDoubledLines: a stranger that sends the log's own line as often as a note holds
// lines does not spoil what the witness remembers.
func TestDoubledLines(t *testing.T) {
	l := newLog(t)
	w := newWitness(t, l)
	l.sync(t, 1, w.peer)
	head := l.head(t) // anybody has it
	for len(head.Sigs) < 64 {
		head.Sigs = append(head.Sigs, head.Sigs[0])
	}
	res, err := http.Post(w.peer.URL+addPath, "text/plain", bytes.NewReader(request{old: head.Size, head: head}.encode()))
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close() // which is of no interest
	if res.StatusCode != http.StatusOK {
		t.Errorf("a line that is there twice: %s", res.Status)
	}
	for range 2 {
		l.add(t, "more")
		if o := l.sync(t, 1, w.peer); o.Results[0].Err != nil {
			t.Errorf("the owner's: %v", o.Results[0].Err)
		}
		if err := w.Close(); err != nil { // and once more after a restart
			t.Fatal(err)
		}
		w.open(t, l)
	}
}

// TestPutBackIsNotKept: a log that was put back, and found a witness that never saw it,
// keeps what was cosigned of it before, and says so.
func TestPutBackIsNotKept(t *testing.T) {
	l := newLog(t)
	l.add(t, "a")
	old := l.fork(t)
	l.add(t, "b")
	a, b := newWitness(t, l), newWitness(t, l)
	l.sync(t, 1, a.peer)
	kept, err := os.ReadFile(filepath.Join(l.o.Dir, evidence.CosignedFile))
	if err != nil {
		t.Fatal(err)
	}
	cosigned := filepath.Join(old.o.Dir, evidence.CosignedFile)
	if err := os.WriteFile(cosigned, kept, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Sync(t.Context(), NewClient(), old.o.Dir, old.newest(t), &LogProver{Dir: old.o.Dir}, []Peer{b.peer}, 1)
	if abi.CodeOf(err) != CodeOlder {
		t.Errorf("%v", err)
	}
	if now, err := os.ReadFile(cosigned); err != nil || !bytes.Equal(now, kept) {
		t.Errorf("the newer checkpoint is gone: %v", err)
	}
}

// TestSlowPeers: strangers that send their requests slowly, or not to the end, hold up
// nobody who sends his.
func TestSlowPeers(t *testing.T) {
	l := newLog(t)
	w := newWitness(t, l)
	ctx, stop := context.WithCancel(t.Context())
	s, err := Listen(ctx, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- w.Serve(ctx, s) }()
	var slow []net.Conn
	for range 100 {
		c, err := net.Dial("tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		slow = append(slow, c)
		fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: w\r\nContent-Length: 1000\r\n\r\nold 0\n", addPath)
	}
	time.Sleep(100 * time.Millisecond) // they are all being served
	w.peer.URL = Address(s)
	begin := time.Now()
	if o := l.sync(t, 1, w.peer); !o.Kept {
		t.Fatalf("after %v: %+v", time.Since(begin), o.Results)
	}
	for _, c := range slow {
		_ = c.Close() // which need not be orderly
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestIdlePeers: strangers that ask once and stay hold no place.
func TestIdlePeers(t *testing.T) {
	l := newLog(t)
	w := newWitness(t, l)
	ctx, stop := context.WithCancel(t.Context())
	s, err := Listen(ctx, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- w.Serve(ctx, s) }()
	for range 300 {
		c, err := net.Dial("tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		// Less than the server waits for a connection that says nothing.
		if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: w\r\n\r\n")
		if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
			t.Fatal(err)
		}
	}
	w.peer.URL = Address(s)
	if o := l.sync(t, 1, w.peer); !o.Kept {
		t.Errorf("%+v", o.Results)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestClockBefore1970: a witness whose clock can't be right vouches for nothing, and goes
// on once it is.
func TestClockBefore1970(t *testing.T) {
	l := newLog(t)
	w := newWitness(t, l)
	w.now = func() time.Time { return time.Unix(-5, 0) }
	if o := l.sync(t, 1, w.peer); o.Results[0].Err == nil {
		t.Error("it vouches")
	}
	w.now = time.Now
	if o := l.sync(t, 1, w.peer); !o.Kept {
		t.Errorf("%+v", o.Results)
	}
}

// TestOpenFolder: a folder that others may write to is no witness's.
func TestOpenFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: dir}); abi.CodeOf(err) != "F1-WIT-020" {
		t.Error(err)
	}
}
