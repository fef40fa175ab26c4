package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// limit is how long one run, or its replay, may take: what hangs is killed.
const limit = 10 * time.Minute

// done is what a program did.
type done struct {
	stdout, stderr string
	code           int
	took           time.Duration
}

// start runs a program to its end.
func start(t *testing.T, env []string, name string, args ...string) done {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), limit)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...)
	c.Env = append(os.Environ(), env...)
	c.WaitDelay = time.Second
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	begin := time.Now()
	err := c.Run()
	d := done{stdout.String(), stderr.String(), c.ProcessState.ExitCode(), time.Since(begin)}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("%s %q: %v\n%s", filepath.Base(name), args, err, tail(d.stderr))
	}
	return d
}

// node is a state folder.
type node struct{ home string }

// theNode is the state folder. When the test is over its log is verified, and that
// what is in it follows from what was before.
func theNode(t *testing.T) node {
	t.Helper()
	n := node{home}
	t.Cleanup(func() { n.must(t, "log", "verify", "--semantics") })
	return n
}

func (n node) command(t *testing.T, args ...string) done {
	t.Helper()
	return start(t, []string{"FORGEONE_HOME=" + n.home}, forgeone, args...)
}

func (n node) must(t *testing.T, args ...string) string {
	t.Helper()
	d := n.command(t, args...)
	if d.code != 0 {
		t.Fatalf("forgeone %q: exit %d\n%s", args, d.code, tail(d.stderr))
	}
	return d.stdout
}

// ran is a run as the node tells it.
type ran struct {
	done
	Run     string `json:"run"`
	Outcome string `json:"outcome"`
	Calls   int    `json:"calls"`
	Denials int    `json:"denials"`
}

// run runs a guest under the policy of testdata and what else flags grant.
func (n node) run(t *testing.T, wasm string, flags []string, args ...string) ran {
	t.Helper()
	flags = append([]string{"run", "-o", "json", wasm, "--memory", "1024", "--policy", "testdata/policy.cedar"}, flags...)
	r := ran{done: n.command(t, append(append(flags, "--"), args...)...)}
	for line := range strings.Lines(r.stderr) {
		if strings.HasPrefix(line, `{"schema":"forgeone.run/v1"`) {
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatal(err)
			}
		}
	}
	if r.Run == "" {
		t.Fatalf("no run: exit %d\n%s", r.code, tail(r.stderr))
	}
	return r
}

// replay replays a run and returns how long that took. All that the guest wrote
// to its standard output is written again.
func (n node) replay(t *testing.T, r ran) time.Duration {
	t.Helper()
	d := n.command(t, "replay", r.Run)
	if d.code != 0 || !strings.Contains(d.stderr, "replay: identical") {
		t.Errorf("replay: exit %d\n%s", d.code, tail(d.stderr))
	}
	if d.stdout != r.stdout {
		t.Errorf("the replay wrote other things: %d bytes instead of %d", len(d.stdout), len(r.stdout))
	}
	return d.took
}

// recording is the size of a run's recording, in bytes.
func (n node) recording(t *testing.T, r ran) int64 {
	t.Helper()
	st, err := os.Stat(filepath.Join(n.home, "recordings", r.Run+".f1rec"))
	if err != nil {
		t.Fatal(err)
	}
	return st.Size()
}

// bare runs a guest on bare wazero with its own WASI.
func bare(t *testing.T, wasm string, flags []string, args ...string) done {
	t.Helper()
	flags = append([]string{"run", "-cachedir=" + filepath.Join(work, "wazero-cache")}, flags...)
	return start(t, nil, wazero, append(append(flags, wasm), args...)...)
}

// tail is the end of a long text.
func tail(s string) string {
	const most = 3000
	if len(s) > most {
		return "…" + s[len(s)-most:]
	}
	return s
}
