package kernel_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/kernel"
	"github.com/forgeone/forgeone/internal/policy"
	"github.com/forgeone/forgeone/internal/provider/host"
	"github.com/forgeone/forgeone/internal/trace"
	"github.com/forgeone/forgeone/internal/wasmtest"
)

// node is a state folder with a kernel on it.
type node struct {
	*kernel.Kernel
	t      *testing.T
	guests string
}

func newNode(t *testing.T) *node {
	t.Helper()
	home := filepath.Join(t.TempDir(), "home")
	if _, err := kernel.Init(t.Context(), kernel.InitOptions{Home: home}); err != nil {
		t.Fatal(err)
	}
	n := &node{t: t, guests: t.TempDir()}
	n.Kernel = openKernel(t, home)
	for name, b := range wasmtest.Guests() {
		if err := os.WriteFile(n.guest(name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

func openKernel(t *testing.T, home string) *kernel.Kernel {
	t.Helper()
	k, err := kernel.Open(t.Context(), kernel.Options{Home: home, Warn: func(s string) { t.Log(s) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close(context.Background()) })
	return k
}

func (n *node) guest(name string) string { return filepath.Join(n.guests, name+".wasm") }

func spec(target string, out *bytes.Buffer) kernel.Spec {
	return kernel.Spec{Target: target, Stdin: host.NewReader(strings.NewReader("")), Stdout: host.NewWriter(out), Stderr: host.NewWriter(out)}
}

// run runs a guest and returns what it wrote.
func (n *node) run(s kernel.Spec) (*kernel.Report, string) {
	n.t.Helper()
	var out bytes.Buffer
	s.Stdin, s.Stdout, s.Stderr = host.NewReader(strings.NewReader("")), host.NewWriter(&out), host.NewWriter(&out)
	r, err := n.Run(n.t.Context(), s)
	if err != nil {
		n.t.Fatal(err)
	}
	return r, out.String()
}

func (n *node) replay(id abi.RunID) *kernel.Replay {
	n.t.Helper()
	r, err := n.FindRun(string(id))
	if err != nil {
		n.t.Fatal(err)
	}
	p, err := n.LoadReplay(n.t.Context(), r)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { p.Close() })
	return p
}

// TestOutcomes: every way a run can end is recorded, replays, and follows from
// the log.
func TestOutcomes(t *testing.T) {
	n := newNode(t)
	for _, tc := range []struct {
		guest  string
		limits abi.Limits
		want   abi.Outcome
		exit   uint32
	}{
		{"hello", abi.Limits{}, abi.OutcomeExit, 0},
		{"exit", abi.Limits{}, abi.OutcomeExit, 7},
		{"exit200", abi.Limits{}, abi.OutcomeExit, 200},
		{"trap", abi.Limits{}, abi.OutcomeTrap, 0},
		{"recurse", abi.Limits{}, abi.OutcomeDepth, 0},
		{"loop", abi.Limits{Fuel: 50_000_000}, abi.OutcomeFuel, 0},
		{"fill", abi.Limits{Fuel: 5_000_000}, abi.OutcomeFuel, 0},
		{"loop", abi.Limits{Deadline: 50e6}, abi.OutcomeDeadline, 0},
		{"yield", abi.Limits{Deadline: 50e6}, abi.OutcomeDeadline, 0},
		{"sleep", abi.Limits{Deadline: 50e6}, abi.OutcomeDeadline, 0},
		{"flood", abi.Limits{Output: 1 << 20}, abi.OutcomeOutput, 0},
		{"yield", abi.Limits{Recording: 300 << 10}, abi.OutcomeRecordingFull, 0},
		{"deny", abi.Limits{}, abi.OutcomeExit, 0},
		{"nomem", abi.Limits{}, abi.OutcomeExit, 7},
		{"nomem-random", abi.Limits{}, abi.OutcomeExit, uint32(abi.EFAULT)},
		{"segment", abi.Limits{}, abi.OutcomeTrap, 0},
	} {
		t.Run(tc.guest+" "+tc.want.String(), func(t *testing.T) {
			n.t = t
			r, out := n.run(kernel.Spec{Target: n.guest(tc.guest), Limits: tc.limits})
			if r.Outcome != tc.want || r.Exit != tc.exit {
				t.Fatalf("ended as %v %d, want %v %d", r.Outcome, r.Exit, tc.want, tc.exit)
			}
			p := n.replay(r.Run)
			for range 3 {
				var again bytes.Buffer
				res, err := p.Go(t.Context(), &again, &again)
				if err != nil {
					t.Fatal(err)
				}
				if !res.Identical || again.String() != out || res.Outcome != tc.want {
					t.Fatalf("replay: %+v %+v, %d bytes of output, %d recorded", res, res.Divergence, again.Len(), len(out))
				}
			}
		})
	}
	n.t = t
	n.verify()
}

// verify verifies the log and that each record follows from those before.
func (n *node) verify() evidence.Report {
	n.t.Helper()
	st := brain.New()
	r, err := evidence.Verify(n.t.Context(), n.Home().Log(), []evidence.PublicKey{n.LogKey()}, evidence.VerifyOptions{Each: st.Follow})
	if err != nil {
		n.t.Fatal(err)
	}
	return r
}

// TestDenials: the first of a kind is logged, all are counted and recorded, and
// trust falls by what rules say.
func TestDenials(t *testing.T) {
	n := newNode(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	forbid := policy.Source{Name: "p.cedar", Text: []byte(`@id("no") @severity("4") forbid (principal, action, resource is File) when { resource.path like "*secret" };`)}
	r, _ := n.run(kernel.Spec{Target: n.guest("deny"), Policies: []policy.Source{forbid}, Mounts: []trace.Mount{{Host: dir, Guest: "/", ReadOnly: true}}})
	if r.Denials != 100 || len(r.First) != 1 || r.First[0].Reason != abi.ReasonForbid {
		t.Fatalf("%d denials, first %+v", r.Denials, r.First)
	}
	if r.Before.C != 60 || r.After.C != 35 {
		t.Errorf("conduct from %d to %d, want 60 to 35: severity 4 costs 25, once", r.Before.C, r.After.C)
	}
	var denials, changes int
	err := evidence.Read(n.Home().Log(), 0, func(_ uint64, rec abi.Record) error {
		switch b := rec.Body.(type) {
		case *abi.Denial:
			denials++
			if b.Rule != "no" || b.Num != abi.PathOpen {
				t.Errorf("denial %+v", b)
			}
		case *abi.TrustChange:
			changes++
		case *abi.RunEnd:
			if !slices.Equal(b.Denied, []abi.DenialCount{{Rule: "no", Num: abi.PathOpen, Count: 100}}) {
				t.Errorf("counts %+v", b.Denied)
			}
		}
		return nil
	})
	if err != nil || denials != 1 || changes != 1 {
		t.Errorf("%d denials and %d changes of trust in the log: %v", denials, changes, err)
	}
	// Trust has fallen below 40: the base policy now permits nothing but an exit.
	r, out := n.run(kernel.Spec{Target: n.guest("deny")})
	if r.Denials != 100 || out != "" || r.Before.T() != 35 {
		t.Errorf("%d denials at trust %d", r.Denials, r.Before.T())
	}
	n.verify()
}

// TestFlippedRecording: whatever byte of a recording is flipped, a replay finds
// it, says where, and exits 1.
func TestFlippedRecording(t *testing.T) {
	n := newNode(t)
	r, _ := n.run(kernel.Spec{Target: n.guest("hello")})
	run, err := n.FindRun(string(r.Run))
	if err != nil {
		t.Fatal(err)
	}
	path := n.Home().Recording(r.Run)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1 << (i % 8)
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := n.LoadReplay(t.Context(), run)
		if err == nil {
			p.Close()
			t.Fatalf("byte %d of %d: nothing found", i, len(good))
		}
		var e *abi.Error
		if !errors.As(err, &e) || e.Where == "" {
			t.Fatalf("byte %d: no place: %v", i, err)
		}
		if info, ok := abi.LookupCode(e.Code); !ok || info.Exit != 1 {
			t.Fatalf("byte %d: %s exits %d", i, e.Code, info.Exit)
		}
	}
	// Another run's recording, as good in itself.
	other, _ := n.run(kernel.Spec{Target: n.guest("hello")})
	b, err := os.ReadFile(n.Home().Recording(other.Run))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := n.LoadReplay(t.Context(), run); abi.CodeOf(err) != trace.CodeOtherSeal {
		t.Errorf("another run's recording: %v", err)
	}
}

// TestFlippedModule: a replay runs the module that ran, or none.
func TestFlippedModule(t *testing.T) {
	n := newNode(t)
	r, _ := n.run(kernel.Spec{Target: n.guest("hello")})
	files, err := filepath.Glob(filepath.Join(n.Home().Modules(), "*.wasm"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-1] ^= 1
	if err := os.WriteFile(files[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	run, err := n.FindRun(string(r.Run))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.LoadReplay(t.Context(), run); abi.CodeOf(err) != "F1-RPL-022" {
		t.Errorf("replay on a changed module: %v", err)
	}
	// A run does not trust it either: it admits the original again.
	if again, out := n.run(kernel.Spec{Target: n.guest("hello")}); again.Outcome != abi.OutcomeExit || out != "hello by hand\n" {
		t.Errorf("%+v %q", again, out)
	}
}

// TestConcurrentRuns: several runs at once in one process and one log.
func TestConcurrentRuns(t *testing.T) {
	n := newNode(t)
	errs := make(chan error)
	const each = 20
	for i := range 4 {
		go func() {
			for j := range each {
				var out bytes.Buffer
				r, err := n.Run(t.Context(), spec(n.guest([]string{"hello", "deny"}[(i+j)%2]), &out))
				if err == nil && r.Outcome != abi.OutcomeExit {
					err = fmt.Errorf("%v", r.Outcome)
				}
				errs <- err
			}
		}()
	}
	for range 4 * each {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	n.View(func(s *brain.State) {
		if len(s.Runs()) != 4*each || len(s.OpenRuns()) != 0 {
			t.Errorf("%d runs, %d open", len(s.Runs()), len(s.OpenRuns()))
		}
	})
	n.verify()
}

// TestTooManyDenials: the run ends with the denial that fills its limit; the log
// has the first and the count.
func TestTooManyDenials(t *testing.T) {
	n := newNode(t)
	var out bytes.Buffer
	s := spec(n.guest("deny"), &out)
	s.Limits.Denials = 50
	r, err := n.Run(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if r.Outcome != abi.OutcomeDenials || r.Denials != 50 || r.Calls != 50 || len(r.First) != 1 {
		t.Errorf("%v after %d calls, %d denied, %d told", r.Outcome, r.Calls, r.Denials, len(r.First))
	}
	s.Limits.Denials = 101
	if r, err := n.Run(t.Context(), s); err != nil || r.Outcome != abi.OutcomeExit || r.Denials != 100 {
		t.Errorf("below the limit: %+v, %v", r, err)
	}
}
