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

// ran is a state folder with one run of a guest that was given a folder of
// input, which is gone afterwards, and what the run wrote.
func ran(t *testing.T, guest string, input map[string]string, args ...string) (k *kernel.Kernel, id, out string) {
	t.Helper()
	home := filepath.Join(t.TempDir(), "home")
	if _, err := kernel.Init(t.Context(), kernel.InitOptions{Home: home}); err != nil {
		t.Fatal(err)
	}
	k, err := kernel.Open(t.Context(), kernel.Options{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close(context.Background()) })
	in := t.TempDir()
	for name, text := range input {
		if err := os.WriteFile(filepath.Join(in, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	r, err := k.Run(t.Context(), kernel.Spec{
		Target: guest, Args: args, Mounts: []trace.Mount{{Host: in, Guest: "/in", ReadOnly: true}},
		Stdin: host.NewReader(strings.NewReader("")), Stdout: host.NewWriter(&b), Stderr: host.NewWriter(&b),
	})
	if err != nil || r.Exit != 0 {
		t.Fatalf("%+v %v\n%s", r, err, b.String())
	}
	if err := os.RemoveAll(in); err != nil {
		t.Fatal(err)
	}
	return k, string(r.Run), b.String()
}

func built(t *testing.T, dir, pkg string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "guest.wasm")
	if err := buildGuest(out, dir, pkg); err != nil {
		t.Fatal(err)
	}
	return out
}

// hundred replays a run a hundred times in one process.
func hundred(t *testing.T, k *kernel.Kernel, id, want string) {
	t.Helper()
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

// TestReplay100: a run with clocks, randomness, map order, goroutines and
// sleeps replays identically, a hundred times of a hundred.
func TestReplay100(t *testing.T) {
	k, id, want := ran(t, built(t, ".", "./testdata/guests/probe"), nil, "everything")
	hundred(t, k, id, want)
}

// TestReplay100Jsonnet does the same with a real program whose input is gone.
func TestReplay100Jsonnet(t *testing.T) {
	guest := built(t, "../../test/programs", "github.com/google/go-jsonnet/cmd/jsonnet")
	k, id, want := ran(t, guest, map[string]string{"a.jsonnet": "{ a: std.sort(std.range(1, 50)), b: import 'b.libsonnet' }", "b.libsonnet": "1 + 1"}, "/in/a.jsonnet")
	if !strings.Contains(want, `"b": 2`) {
		t.Fatal(want)
	}
	hundred(t, k, id, want)
}

// TestReplayOpensNothing: once loaded, a replay opens no file and no socket and
// starts no process.
func TestReplayOpensNothing(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil || runtime.GOOS != "linux" {
		t.Skip("no strace on this machine: what a replay opens can't be watched")
	}
	k, _, want := ran(t, built(t, ".", "./testdata/guests/probe"), map[string]string{"a": strings.Repeat("line\n", 10_000)}, "cat", "/in/a")
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
