package witness

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"
)

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
