package kernel_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/internal/kernel"
	"github.com/forgeone/forgeone/internal/provider/host"
	"github.com/forgeone/forgeone/internal/trace"
)

// TestStateGone: while a guest runs, the state folder, or a part of it, is moved
// away, replaced by a copy, or its log deleted. The guest gets no further than
// to what can't be recorded, no result is reported, nothing new starts; and
// where the folder comes back, the run is closed and the log is whole.
func TestStateGone(t *testing.T) {
	for name, harm := range map[string]func(home string) error{
		"state folder moved": func(home string) error { return os.Rename(home, home+".away") },
		"log moved":          func(home string) error { return os.Rename(filepath.Join(home, "log"), home+".away") },
		"log replaced": func(home string) error {
			log := filepath.Join(home, "log")
			return errors.Join(os.Rename(log, home+".away"), os.CopyFS(log, os.DirFS(home+".away")))
		},
		"log deleted":     func(home string) error { return os.RemoveAll(filepath.Join(home, "log")) },
		"lock deleted":    func(home string) error { return os.Remove(filepath.Join(home, "log", "lock")) },
		"counter deleted": func(home string) error { return os.Remove(filepath.Join(home, "log", "counter")) },
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t)
			n.t = t
			n.asks()
			home := string(n.Home())
			in, stdin := io.Pipe()
			s := kernel.Spec{Target: n.guest("asks"), Stdin: host.NewReader(in), Stdout: host.NewWriter(io.Discard), Stderr: host.NewWriter(io.Discard)}
			started := make(chan abi.RunID, 1)
			s.Started = func(id abi.RunID, _ string, _ bool) { started <- id }
			ended := make(chan error, 1)
			go func() {
				r, err := n.Run(context.Background(), s)
				if err == nil {
					t.Errorf("reported: %+v", r)
				}
				ended <- err
			}()
			id := <-started
			if err := harm(home); err != nil {
				t.Fatal(err)
			}
			if _, err := stdin.Write([]byte{1}); err != nil {
				t.Fatal(err)
			}
			// Sealing the recording makes its folder durable: that may be what fails first.
			if err := <-ended; !slices.Contains([]abi.Code{evidence.CodeMoved, evidence.CodeStopped, trace.CodeWrite}, abi.CodeOf(err)) {
				t.Errorf("the run ended with %v", err)
			}
			if _, err := n.Run(t.Context(), kernel.Spec{Target: n.guest("exit"), Stdin: s.Stdin, Stdout: s.Stdout, Stderr: s.Stderr}); err == nil {
				t.Error("a run began on a state folder that is gone")
			}
			back := filepath.Join(home, "log")
			switch name {
			case "log deleted":
				return
			case "state folder moved":
				back = home
			}
			if _, err := os.Stat(home + ".away"); err == nil {
				if err := errors.Join(os.RemoveAll(back), os.Rename(home+".away", back)); err != nil {
					t.Fatal(err)
				}
			}
			other := openKernel(t, home)
			if u, err := other.AwaitEnd(t.Context(), id); err != nil || u.Outcome != abi.OutcomeAborted {
				t.Errorf("%v, %v", u.Outcome, err)
			}
			n.verify()
		})
	}
}
