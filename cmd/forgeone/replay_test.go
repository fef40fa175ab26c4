package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/forgeone/forgeone/internal/kernel"
	"github.com/forgeone/forgeone/internal/provider/host"
	"github.com/forgeone/forgeone/internal/trace"
)

// replayHelper, set in the environment, makes the test binary load the replay
// of the newest run in that state folder, say so, and replay it.
const replayHelper = "FORGEONE_TEST_REPLAY"

const loaded = "loaded; nothing is opened from here on\n"

func replayOnce(home string) error {
	ctx := context.Background()
	k, err := kernel.Open(ctx, kernel.Options{Home: home, Modules: []string{kernel.ModEvidence, kernel.ModReplay}})
	if err != nil {
		return err
	}
	r, err := k.FindRun("last")
	if err != nil {
		return err
	}
	p, err := k.LoadReplay(ctx, r)
	if err != nil {
		return err
	}
	if _, err := os.Stderr.WriteString(loaded); err != nil {
		return err
	}
	res, err := p.Go(ctx, os.Stdout, os.Stderr)
	if err == nil && !res.Identical {
		err = res.Divergence
	}
	return err
}

// probed is a state folder with one run of the probe, and what the run wrote.
func probed(t *testing.T, args ...string) (k *kernel.Kernel, id, out string) {
	t.Helper()
	probe := filepath.Join(t.TempDir(), "probe.wasm")
	if err := buildGuest(probe, ".", "./testdata/guests/probe"); err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(t.TempDir(), "home")
	if _, err := kernel.Init(t.Context(), home, "", nil); err != nil {
		t.Fatal(err)
	}
	k, err := kernel.Open(t.Context(), kernel.Options{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close(context.Background()) })
	in := t.TempDir()
	if err := os.WriteFile(filepath.Join(in, "a"), bytes.Repeat([]byte("line\n"), 10_000), 0o600); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	r, err := k.Run(t.Context(), kernel.Spec{
		Target: probe, Args: args, Mounts: []trace.Mount{{Host: in, Guest: "/in", ReadOnly: true}},
		Stdin: host.NewReader(strings.NewReader("")), Stdout: host.NewWriter(&b), Stderr: host.NewWriter(&b),
	})
	if err != nil || r.Exit != 0 {
		t.Fatalf("%+v %v\n%s", r, err, b.String())
	}
	return k, string(r.Run), b.String()
}

// TestReplay100: a run with clocks, randomness, map order, goroutines and
// sleeps replays identically, a hundred times of a hundred.
func TestReplay100(t *testing.T) {
	k, id, want := probed(t, "everything")
	r, err := k.FindRun(id)
	if err != nil {
		t.Fatal(err)
	}
	p, err := k.LoadReplay(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for i := range 100 {
		var out bytes.Buffer
		res, err := p.Go(t.Context(), &out, &out)
		if err != nil {
			t.Fatal(err)
		}
		if !res.Identical || out.String() != want || res.Recorded != res.Replayed {
			t.Fatalf("replay %d: %+v, output equal: %v", i, res.Divergence, out.String() == want)
		}
	}
}

// TestReplayOpensNothing: once loaded, a replay opens no file and no socket and
// starts no process.
func TestReplayOpensNothing(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil || runtime.GOOS != "linux" {
		t.Skip("no strace on this machine: what a replay opens can't be watched")
	}
	k, _, want := probed(t, "cat", "/in/a")
	home := string(k.Home())
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "strace")
	c := exec.Command(strace, "-f", "-o", log, "-e", "trace=open,openat,openat2,creat,socket,connect,bind,execve,fork,vfork,rename,renameat2,unlink,unlinkat,write", self)
	c.Env = append(os.Environ(), replayHelper+"="+home)
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	if err := c.Run(); err != nil {
		if strings.Contains(stderr.String(), "PTRACE") || strings.Contains(stderr.String(), "ptrace") {
			t.Skip("this machine does not let processes be traced: " + stderr.String())
		}
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	if stdout.String() != want {
		t.Errorf("the replay wrote %d bytes, the run %d", stdout.Len(), len(want))
	}
	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	before, after, ok := strings.Cut(string(b), "loaded; nothing")
	if !ok || !strings.Contains(before, "openat") {
		t.Fatalf("the trace does not show what it should: %d bytes", len(b))
	}
	for _, l := range strings.Split(after, "\n")[1:] {
		if m := regexp.MustCompile(`(?m)^\d+ +(\w+)\(`).FindStringSubmatch(l); m != nil && m[1] != "write" {
			t.Errorf("after loading: %s", l)
		}
	}
}
