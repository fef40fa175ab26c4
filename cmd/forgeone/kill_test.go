package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/forgeone/forgeone/internal/wasmtest"
)

// kills is how many runs TestKill kills; `make soak` raises it.
func kills(t *testing.T) int {
	if os.Getenv("FORGEONE_SOAK") != "" {
		return 2000
	}
	if testing.Short() {
		return 40
	}
	return 200
}

type killNode struct {
	t    *testing.T
	home string
}

func (n killNode) command(args ...string) *exec.Cmd {
	c := exec.Command("forgeone", args...)
	c.Env = append(os.Environ(), "FORGEONE_HOME="+n.home)
	return c
}

func (n killNode) must(args ...string) []byte {
	n.t.Helper()
	out, err := n.command(args...).CombinedOutput()
	if err != nil {
		n.t.Fatalf("forgeone %v: %v\n%s", args, err, out)
	}
	return out
}

type listed struct {
	Runs []struct {
		Run     string `json:"run"`
		Outcome string `json:"outcome"`
	} `json:"runs"`
}

// TestKill kills runs at random moments while others go on in the same state
// folder. The log always recovers and verifies, what was reported is there, and
// no run stays open.
func TestKill(t *testing.T) {
	n := killNode{t, filepath.Join(t.TempDir(), "home")}
	guest := filepath.Join(t.TempDir(), "deny.wasm")
	if err := os.WriteFile(guest, wasmtest.Guests()["deny"], 0o600); err != nil {
		t.Fatal(err)
	}
	n.must("init")
	n.must("run", guest)
	begin := time.Now()
	n.must("run", guest)
	whole := time.Since(begin) // how long a run takes here and now

	var mu sync.Mutex
	var reported []string
	killed := 0
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				mu.Lock()
				enough := killed >= kills(t)
				mu.Unlock()
				if enough {
					return
				}
				c := n.command("run", guest)
				var stderr bytes.Buffer
				c.Stderr = &stderr
				if err := c.Start(); err != nil {
					t.Error(err)
					return
				}
				timer := time.AfterFunc(rand.N(8*whole), func() { c.Process.Kill() })
				err := c.Wait()
				timer.Stop()
				id := regexp.MustCompile(`run (r[0-9a-f]{16})`).FindStringSubmatch(stderr.String())
				mu.Lock()
				switch {
				case err == nil && id != nil:
					reported = append(reported, id[1])
				case c.ProcessState.ExitCode() == -1:
					killed++
				default:
					t.Errorf("a run failed by itself: %v\n%s", err, stderr.String())
					killed++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()

	n.must("run", guest) // the next writer
	n.must("log", "verify")
	out := n.must("runs", "-o", "json")
	var l listed
	if err := json.Unmarshal(out, &l); err != nil {
		t.Fatal(err)
	}
	outcome := map[string]string{}
	aborted := 0
	for _, r := range l.Runs {
		outcome[r.Run] = r.Outcome
		switch r.Outcome {
		case "aborted":
			aborted++
		case "exit":
		default:
			t.Errorf("run %s is %s", r.Run, r.Outcome)
		}
	}
	for _, id := range reported {
		if outcome[id] != "exit" {
			t.Errorf("run %s was reported and is %q", id, outcome[id])
		}
	}
	t.Logf("%d killed, %d of them in the middle of a run, %d reported", killed, aborted, len(reported))
	if aborted == 0 || len(reported) == 0 {
		t.Errorf("the kills missed: %d aborted, %d reported", aborted, len(reported))
	}
}

// TestKillPrune kills processes in the midst of dropping recordings, as soon as
// one is gone. Whoever opens next finishes: no file of a dropped run stays, and
// none that is kept is missing.
func TestKillPrune(t *testing.T) {
	n := killNode{t, filepath.Join(t.TempDir(), "home")}
	files := t.TempDir()
	guest, tiny := filepath.Join(files, "hello.wasm"), filepath.Join(files, "tiny.yaml")
	if err := errors.Join(
		os.WriteFile(guest, wasmtest.Guests()["hello"], 0o600),
		os.WriteFile(tiny, []byte("format: 1\nretention: {total: 4KiB, workload: 4KiB}\n"), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	n.must("init")
	for range 150 { // in three transactions
		n.must("run", "-q", guest)
	}
	n.must("init", "--config", tiny)
	kept := func() int {
		files, err := filepath.Glob(filepath.Join(n.home, "recordings", "*.f1rec"))
		if err != nil {
			t.Fatal(err)
		}
		return len(files)
	}
	between, before := 0, kept()
	var l listed
	for before > 8 {
		if err := json.Unmarshal(n.must("runs", "-o", "json"), &l); err != nil {
			t.Fatal(err)
		}
		oldest := filepath.Join(n.home, "recordings", l.Runs[150-before].Run+".f1rec")
		c := n.command("prune")
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		dead := make(chan struct{})
		go func() {
			defer close(dead)
			_ = c.Wait() // it is killed
		}()
		for gone := false; !gone; {
			select {
			case <-dead:
				gone = true
			default:
				_, err := os.Lstat(oldest)
				gone = err != nil
			}
		}
		_ = c.Process.Kill() // it may have ended
		<-dead
		left := kept()
		out := n.must("runs", "-o", "json") // opens, and so finishes
		dropped := bytes.Count(out, []byte(`"drop_record"`))
		if before = kept(); before != 150-dropped {
			t.Fatalf("%d recordings are there, %d of 150 were dropped", before, dropped)
		}
		if before < left {
			between++
		}
	}
	n.must("log", "verify", "--semantics")
	if out := n.must("doctor"); bytes.Contains(out, []byte("FAIL")) {
		t.Errorf("%s", out)
	}
	t.Logf("%d died between a drop and its removal", between)
}
