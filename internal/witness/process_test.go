package witness

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/forgeone/forgeone/evidence"
)

const serveHelper = "FORGEONE_WITNESS_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(serveHelper); dir != "" {
		w, err := Open(Options{Dir: dir})
		if err == nil {
			l, e := Listen(context.Background(), "127.0.0.1:0")
			if err = e; err == nil {
				err = w.Serve(context.Background(), l)
			}
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// TestKilled kills a witness again and again while it cosigns. What it vouched
// for it knows ever after.
func TestKilled(t *testing.T) {
	l := newLog(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, LogsFile), []byte(l.vkey.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	kills := 12
	if testing.Short() {
		kills = 3
	}
	var vouched atomic.Uint64
	fork := l.fork(t)
	fork.add(t, "false")
	for range kills {
		os.Remove(filepath.Join(dir, AddressFile))
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), serveHelper+"="+dir)
		var stderr strings.Builder
		c.Stderr = &stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		url := awaitAddress(t, dir)
		p := Peer{URL: url}
		// What it vouched for is known before anything else is asked.
		a, err := submit(t.Context(), client, p.URL, request{old: fork.Size(), head: fork.head(t)})
		if err != nil || a.status != http.StatusConflict || a.size < vouched.Load() {
			t.Fatalf("it vouched for %d records and answers %+v %v %s", vouched.Load(), a, err, stderr.String())
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			for known := a.size; ; known = l.Size() {
				l.add(t, "true")
				proof, err := evidence.LogConsistency(context.Background(), l.o.Dir, known, l.Size())
				if err != nil {
					t.Error(err)
					return
				}
				a, err := submit(context.Background(), client, p.URL, request{old: known, proof: proof, head: l.head(t)})
				if err != nil {
					return // it was killed
				}
				if a.status != 200 {
					t.Errorf("from %d to %d records: %+v", known, l.Size(), a)
					return
				}
				vouched.Store(l.Size())
			}
		}()
		time.Sleep(time.Duration(20+rand.IntN(60)) * time.Millisecond)
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait() // it was killed
		<-done
	}
	if vouched.Load() == 0 {
		t.Error("nothing was ever cosigned")
	}
	t.Logf("%d records cosigned through %d kills", vouched.Load(), kills)
}

func awaitAddress(t *testing.T, dir string) string {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		b, err := os.ReadFile(filepath.Join(dir, AddressFile))
		if err == nil {
			return strings.TrimSpace(string(b))
		}
		if !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	t.Fatal("the witness does not come up")
	return ""
}
