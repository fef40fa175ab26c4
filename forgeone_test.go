package forgeone_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/forgeone/forgeone"
	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/internal/wasmtest"
)

// open makes a node in a folder of the test's.
func open(t *testing.T) *forgeone.Node {
	t.Helper()
	n, err := forgeone.Open(t.Context(), forgeone.Options{Home: filepath.Join(t.TempDir(), "home"), Create: true, Warn: func(m string) { t.Log(m) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// guest writes a module made by hand and returns its path.
func guest(t *testing.T, name string) string {
	t.Helper()
	m, ok := wasmtest.Guests()[name]
	if !ok {
		t.Fatalf("there is no guest %q", name)
	}
	f := filepath.Join(t.TempDir(), name+".wasm")
	if err := os.WriteFile(f, m, 0o600); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestRunReplayVerify(t *testing.T) {
	n := open(t)
	var out, again bytes.Buffer
	var started forgeone.RunID
	res, err := n.Run(t.Context(), forgeone.RunSpec{Target: guest(t, "hello"), Stdout: &out, Started: func(id forgeone.RunID) { started = id }})
	if err != nil {
		t.Fatal(err)
	}
	if res.Outcome != forgeone.OutcomeExit || res.ExitStatus() != 0 || res.Run != started || !res.Bare || res.Calls == 0 {
		t.Errorf("result %+v, started as %s", res, started)
	}
	rep, err := n.Replay(t.Context(), res.Run, &again, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !rep.Identical || rep.Recorded != res.End || rep.Replayed != res.End || rep.Divergence != nil || rep.Calls != res.Calls {
		t.Errorf("replay %+v, run %+v", rep, res)
	}
	if out.Len() == 0 || out.String() != again.String() {
		t.Errorf("the run wrote %q, its replay %q", &out, &again)
	}
	report, err := n.Verify(t.Context())
	if err != nil || report.Records < 2 {
		t.Errorf("verify: %+v, %v", report, err)
	}
}

func TestDenialsComeWithHints(t *testing.T) {
	res, err := open(t).Run(t.Context(), forgeone.RunSpec{Target: guest(t, "deny")})
	if err != nil {
		t.Fatal(err)
	}
	if res.Denials != 100 || len(res.Denied) != 1 {
		t.Fatalf("%d denials, of them shown %+v", res.Denials, res.Denied)
	}
	d := res.Denied[0]
	if d.Action != "path_open" || d.Name != "/secret" || d.Code != abi.CodeNoGrant || d.Errno != abi.ENOENT || !strings.Contains(d.Hint, "--mount") {
		t.Errorf("denied %+v", d)
	}
}

func TestPoliciesNarrow(t *testing.T) {
	forbid := forgeone.Policy{Name: "quiet.cedar", Text: []byte(`@id("quiet") forbid (principal, action == Action::"fd_write", resource is Stream);`)}
	var out bytes.Buffer
	res, err := open(t).Run(t.Context(), forgeone.RunSpec{Target: guest(t, "hello"), Stdout: &out, Policies: []forgeone.Policy{forbid}})
	if err != nil {
		t.Fatal(err)
	}
	if out.Len() != 0 || len(res.Denied) != 1 || res.Denied[0].Code != abi.CodeForbidden || len(res.Denied[0].Rules) != 1 {
		t.Errorf("wrote %q, denied %+v", &out, res.Denied)
	}
}

func TestStdin(t *testing.T) {
	n := open(t)
	res, err := n.Run(t.Context(), forgeone.RunSpec{Target: guest(t, "stdin"), Stdin: strings.NewReader("0123456789abcdef")})
	if err != nil || res.Outcome != forgeone.OutcomeExit {
		t.Fatalf("%+v, %v", res, err)
	}
	rep, err := n.Replay(t.Context(), res.Run, nil, nil)
	if err != nil || !rep.Identical {
		t.Errorf("%+v, %v", rep, err)
	}
}

func TestContextStopsTheGuest(t *testing.T) {
	n := open(t)
	for _, name := range []string{"loop", "sleep"} {
		ctx, stop := context.WithCancel(t.Context())
		res, err := n.Run(ctx, forgeone.RunSpec{Target: guest(t, name), Started: func(forgeone.RunID) { time.AfterFunc(10*time.Millisecond, stop) }})
		if err != nil || res.Outcome != forgeone.OutcomeStopped {
			t.Fatalf("%s: %+v, %v", name, res, err)
		}
		if rep, err := n.Replay(t.Context(), res.Run, nil, nil); err != nil || !rep.Identical || rep.Outcome != forgeone.OutcomeStopped {
			t.Errorf("%s: replay %+v, %v", name, rep, err)
		}
	}
}

// TestListen: the program that embeds learns where its guest listens.
func TestListen(t *testing.T) {
	n := open(t)
	var order []string
	res, err := n.Run(t.Context(), forgeone.RunSpec{
		Target: guest(t, "hello"), Listen: []string{"127.0.0.1:0", "127.0.0.1:0"},
		Listening: func(addrs []string) {
			order = append(order, "listening")
			if len(addrs) != 2 || addrs[0] == addrs[1] {
				t.Error(addrs)
			}
			for _, a := range addrs {
				c, err := net.Dial("tcp", a)
				if err != nil {
					t.Error(err)
					continue
				}
				c.Close()
			}
		},
		Started: func(forgeone.RunID) { order = append(order, "started") },
	})
	if err != nil || res.Outcome != forgeone.OutcomeExit || !slices.Equal(order, []string{"listening", "started"}) {
		t.Fatalf("%+v, %v, %v", res, err, order)
	}
	if rep, err := n.Replay(t.Context(), res.Run, nil, nil); err != nil || !rep.Identical {
		t.Errorf("%+v, %v", rep, err)
	}
}

func TestErrors(t *testing.T) {
	n := open(t)
	hello := guest(t, "hello")
	for name, tc := range map[string]struct {
		spec forgeone.RunSpec
		want forgeone.Code
	}{
		"no target":      {forgeone.RunSpec{Target: "nobody"}, "F1-RUN-127"},
		"no folder":      {forgeone.RunSpec{Target: hello, Mounts: []forgeone.Mount{{Host: "/nowhere/at/all", Guest: "/in"}}}, "F1-FIL-001"},
		"relative mount": {forgeone.RunSpec{Target: hello, Mounts: []forgeone.Mount{{Host: ".", Guest: "in"}}}, "F1-RUN-010"},
		"mounts collide": {forgeone.RunSpec{Target: hello, Mounts: []forgeone.Mount{{Host: ".", Guest: "/in"}, {Host: ".", Guest: "/in"}}}, "F1-RUN-010"},
		"env":            {forgeone.RunSpec{Target: hello, Env: []string{"=x"}}, "F1-RUN-010"},
		"deadline":       {forgeone.RunSpec{Target: hello, Limits: forgeone.Limits{Deadline: -1}}, "F1-RUN-010"},
		"listen":         {forgeone.RunSpec{Target: hello, Listen: []string{"localhost:1"}}, "F1-RUN-160"},
		"policy":         {forgeone.RunSpec{Target: hello, Policies: []forgeone.Policy{{Name: "p.cedar", Text: []byte("permit")}}}, abi.CodePolicySyntax},
	} {
		if res, err := n.Run(t.Context(), tc.spec); forgeone.CodeOf(err) != tc.want {
			t.Errorf("%s: %+v, %v; want %s", name, res, err, tc.want)
		}
	}
	if _, err := n.Replay(t.Context(), "r0123456789", nil, nil); forgeone.CodeOf(err) != "F1-RUN-130" {
		t.Errorf("replay of no run: %v", err)
	}
	if _, err := n.Install(t.Context(), hello); forgeone.CodeOf(err) != abi.CodePkgHeader {
		t.Errorf("install of a module: %v", err)
	}
	if _, err := n.VerifyPackage("nowhere.forgepkg"); forgeone.CodeOf(err) != abi.CodePkgRead {
		t.Errorf("verify of nothing: %v", err)
	}
	if _, err := forgeone.Open(t.Context(), forgeone.Options{Home: filepath.Join(t.TempDir(), "none")}); forgeone.CodeOf(err) != "F1-CFG-050" {
		t.Errorf("open of nothing: %v", err)
	}
}

func TestVerifyLogOfACopy(t *testing.T) {
	n := open(t)
	if _, err := n.Run(t.Context(), forgeone.RunSpec{Target: guest(t, "hello")}); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(dir, os.DirFS(n.LogDir())); err != nil {
		t.Fatal(err)
	}
	mine, err := n.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, err := forgeone.VerifyLog(t.Context(), dir, n.PublicKey())
	if err != nil || r.Root != mine.Root || r.Records != mine.Records {
		t.Errorf("%+v, %v; want %+v", r, err, mine)
	}
	if _, err := forgeone.VerifyLog(t.Context(), dir, open(t).PublicKey()); err == nil {
		t.Error("another node's key verifies the log")
	}
	for _, keys := range [][]string{nil, {"f1pub-ed25519:AA"}} {
		if _, err := forgeone.VerifyLog(t.Context(), dir, keys...); forgeone.CodeOf(err) != evidence.CodeUsage {
			t.Errorf("keys %q: %v", keys, err)
		}
	}
	segments, err := filepath.Glob(filepath.Join(dir, "*.seg"))
	if err != nil || len(segments) == 0 {
		t.Fatalf("segments %q, %v", segments, err)
	}
	b, err := os.ReadFile(segments[0])
	if err != nil {
		t.Fatal(err)
	}
	b[len(bytes.TrimRight(b, "\x00"))/2] ^= 1
	if err := os.WriteFile(segments[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := forgeone.VerifyLog(t.Context(), dir, n.PublicKey()); err == nil {
		t.Error("a changed copy verifies")
	}
}

func TestRunsAtOnceAndClose(t *testing.T) {
	n := open(t)
	loop, hello := guest(t, "loop"), guest(t, "hello")
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if res, err := n.Run(t.Context(), forgeone.RunSpec{Target: hello}); err != nil || res.Outcome != forgeone.OutcomeExit {
				t.Errorf("%+v, %v", res, err)
			}
		})
	}
	started := make(chan struct{})
	wg.Go(func() {
		res, err := n.Run(ctx, forgeone.RunSpec{Target: loop, Started: func(forgeone.RunID) { close(started) }})
		if err != nil || res.Outcome != forgeone.OutcomeStopped {
			t.Errorf("the run that Close waited for: %+v, %v", res, err)
		}
	})
	<-started
	closed := make(chan error)
	go func() { closed <- n.Close() }()
	select {
	case err := <-closed:
		t.Errorf("Close did not wait for the run: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	stop()
	if err := <-closed; err != nil {
		t.Error(err)
	}
	wg.Wait()
	if err := n.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
	_, err := n.Run(t.Context(), forgeone.RunSpec{Target: hello})
	if !errors.Is(err, &forgeone.Error{Code: evidence.CodeClosed}) {
		t.Errorf("a run on a closed node: %v", err)
	}
}
