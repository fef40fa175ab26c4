package kernel_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/kernel"
)

// TestLookingTooLate: who looks after a run that has ended meanwhile says nothing of
// a log that was closed with it.
func TestLookingTooLate(t *testing.T) {
	n := newNode(t)
	var said []string
	k, err := kernel.Open(t.Context(), kernel.Options{Home: string(n.Home()), Warn: func(s string) { said = append(said, s) }})
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if k.LookAfterTheDead() || len(said) > 0 {
		t.Error(said)
	}
}

// start runs guest in the background, returns once its start is durable, and
// then how it ended.
func (n *node) start(guest string) (id abi.RunID, ended func() *kernel.Report) {
	n.t.Helper()
	return n.begin(n.guest(guest))
}

// begin is start of any target.
func (n *node) begin(target string) (id abi.RunID, ended func() *kernel.Report) {
	n.t.Helper()
	var out bytes.Buffer
	s := spec(target, &out)
	s.Limits.Deadline = int64(30 * time.Second) // so that a failing test ends
	started := make(chan abi.RunID, 1)
	s.Started = func(id abi.RunID, _ string, _ bool) { started <- id }
	done := make(chan *kernel.Report, 1)
	go func() {
		r, err := n.Run(context.Background(), s)
		if err != nil {
			n.t.Error(err)
			close(started)
		}
		done <- r
	}()
	return <-started, func() *kernel.Report { n.t.Helper(); return <-done }
}

// TestStop: one kernel stops the runs of another, whatever they do, and each
// replays to the same end.
func TestStop(t *testing.T) {
	n := newNode(t)
	other := openKernel(t, string(n.Home()))
	for _, guest := range []string{"loop", "yield", "sleep"} {
		id, ended := n.start(guest)
		if err := other.Stop(t.Context(), id, "enough"); err != nil {
			t.Fatal(err)
		}
		if r := ended(); r == nil || r.Outcome != abi.OutcomeStopped {
			t.Fatalf("%s ended as %+v", guest, r)
		}
		u, err := other.AwaitEnd(t.Context(), id)
		if err != nil || u.Outcome != abi.OutcomeStopped {
			t.Errorf("%s: %v, %v", guest, u.Outcome, err)
		}
		if res, err := n.replay(id).Go(t.Context(), nil, nil); err != nil || !res.Identical {
			t.Errorf("%s replays otherwise: %+v, %v", guest, res, err)
		}
		if err := other.Stop(t.Context(), id, "enough"); abi.CodeOf(err) != "F1-RUN-152" {
			t.Errorf("stopped again: %v", err)
		}
	}
	n.verify()
}

// TestCounterCut: a guest whose kernel can't hear of control records any more
// does not run on.
func TestCounterCut(t *testing.T) {
	for _, guest := range []string{"loop", "yield", "sleep"} {
		n := newNode(t)
		_, ended := n.start(guest)
		if err := os.Truncate(filepath.Join(n.Home().Log(), "counter"), 0); err != nil {
			t.Fatal(err)
		}
		if r := ended(); r != nil && r.Outcome != abi.OutcomeLogFailed {
			t.Errorf("%s ended as %v", guest, r.Outcome)
		}
	}
}

// TestTrustReachesRuns: a workload that another of its runs has compromised stops
// where it stands.
func TestTrustReachesRuns(t *testing.T) {
	n := newNode(t)
	_, ended := n.start("yield")
	other := openKernel(t, string(n.Home()))
	other.EndBadly(t.Context(), n.guest("yield"), 55)
	if r := ended(); r == nil || r.Outcome != abi.OutcomeQuarantined || r.After.T() >= 10 {
		t.Errorf("the run of a compromised workload ended as %+v", r)
	}
}
