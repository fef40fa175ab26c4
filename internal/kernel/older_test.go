package kernel_test

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/kernel"
	"github.com/forgeone/forgeone/internal/wasmtest"
)

// unpack unpacks an archive of testdata into the folder dir.
func unpack(t *testing.T, name, dir string) {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, filepath.FromSlash(h.Name))
		if h.FileInfo().IsDir() {
			err = os.MkdirAll(path, 0o700)
		} else {
			var b []byte
			if b, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(path, b, 0o600)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// older are nodes that earlier versions made, with everything in them: runs that ended
// in each way, one of a process that was killed, denials, packages of which one is
// removed, one revoked, one signed with a key that is revoked, a floor that was lowered,
// two rotations, the second to a post-quantum key, a witness and a quorum, a held
// recording and dropped ones, a second configuration, and acts of two operators. Beside
// each node lie its packages, in other/.
//
// testdata/seen.sh makes them, with the binary of a version. None is to be made again: a
// change that can't read them has to be one that can.
var older = []struct {
	archive string
	meter   int // of its recordings
}{
	{"seen-unmetered.tgz", 0}, // by the last version that charged no calls
	{"seen-metered.tgz", 1},
}

// TestOlderNodes: each is opened, verified, replayed, and continued.
func TestOlderNodes(t *testing.T) {
	for _, o := range older {
		t.Run(o.archive, func(t *testing.T) {
			dir := t.TempDir()
			unpack(t, o.archive, dir)
			n := &node{t: t, guests: t.TempDir(), Kernel: openKernel(t, filepath.Join(dir, "node"))}
			n.verify()
			n.replayAll(o.meter,
				abi.OutcomeExit, abi.OutcomeTrap, abi.OutcomeFuel, abi.OutcomeDeadline, abi.OutcomeDepth, abi.OutcomeStack,
				abi.OutcomeStopped, abi.OutcomeAborted)
			n.remembers()
			n.continues(filepath.Join(dir, "other"))
		})
	}
}

// replayAll replays every recording that is kept. Runs have ended in each of these ways.
func (n *node) replayAll(meter int, outcomes ...abi.Outcome) {
	n.t.Helper()
	ended, dropped := map[abi.Outcome]int{}, 0
	var ids []abi.RunID
	n.View(func(s *brain.State) {
		for _, r := range s.Runs() {
			ended[r.Outcome]++
			switch {
			case r.Drop != 0:
				dropped++
			case r.Outcome != abi.OutcomeAborted:
				ids = append(ids, r.ID)
			}
		}
	})
	for _, want := range outcomes {
		if ended[want] == 0 {
			n.t.Errorf("no run ended with %v", want)
		}
	}
	if dropped == 0 {
		n.t.Error("no recording was dropped")
	}
	for _, id := range ids {
		if got := n.replay(id).Header().Meter; got != meter {
			n.t.Errorf("%s: meter %d", id, got)
		}
		n.identical(id)
	}
}

// remembers checks what the state of an older node must hold.
func (n *node) remembers() {
	n.t.Helper()
	terms := n.LogTerms()
	n.View(func(s *brain.State) {
		app, installed := s.Package("app")
		_, gone := s.Package("gone")
		kept, held := s.Kept()
		for what, ok := range map[string]bool{
			"app is installed, at its lower serial":         installed && app.Serial == 1000000000001,
			"gone is not, and its floor stays":              !gone && s.Serial("gone") == 1000000000001,
			"a key is revoked":                              len(s.RevokedKeys()) == 1,
			"a package is revoked":                          len(s.Revocations()) == 1,
			"two operators must sign":                       s.Threshold() == 2 && s.Operators() == 2,
			"the developer's key is gone":                   !hasKey(s, kernel.DeveloperKey),
			"a witness, of a quorum of one":                 len(s.Witnesses().Witnesses) == 1 && s.Witnesses().Quorum == 1,
			"a second configuration":                        s.Config().Version == 2,
			"recordings are kept, and one is held":          kept > 0 && held > 0,
			"no run is open":                                len(s.OpenRuns()) == 0,
			"three terms, the last with a post-quantum key": len(terms) == 3 && terms[2].Post != nil,
		} {
			if !ok {
				n.t.Errorf("it is not so that %s", what)
			}
		}
	})
}

func hasKey(s *brain.State, name string) bool {
	_, ok := s.KeyByName(name)
	return ok
}

// continues goes on with an older node: what it refused it refuses, and new runs,
// packages and keys are as anywhere.
func (n *node) continues(other string) {
	n.t.Helper()
	ctx := n.t.Context()
	for _, name := range []string{"rev-1.pkg", "bad-1.pkg"} {
		if _, err := n.Run(ctx, kernel.Spec{Target: filepath.Join(other, name)}); err == nil {
			n.t.Errorf("%s runs", name)
		}
	}
	for _, name := range []string{"rev", "bad", "gone"} {
		if _, err := n.Run(ctx, kernel.Spec{Target: name}); err == nil {
			n.t.Errorf("%s runs", name)
		}
	}
	if _, out := n.run(kernel.Spec{Target: "app"}); out != "hello by hand\n" {
		n.t.Errorf("app says %q", out)
	}
	if _, err := n.Install(ctx, filepath.Join(other, "app-2.0.0.pkg")); err != nil {
		n.t.Error(err)
	}
	if _, err := n.Install(ctx, filepath.Join(other, "app-1.0.0.pkg")); err == nil {
		n.t.Error("a lower serial is installed after a higher one")
	}
	if err := os.WriteFile(n.guest("hello"), wasmtest.Guests()["hello"], 0o600); err != nil {
		n.t.Fatal(err)
	}
	if _, err := n.RotateLogKey(ctx, kernel.PostAsBefore); err != nil {
		n.t.Fatal(err)
	}
	r, out := n.run(kernel.Spec{Target: n.guest("hello")})
	if out != "hello by hand\n" || n.replay(r.Run).Header().Meter != abi.Meter {
		n.t.Errorf("%q, meter %d", out, n.replay(r.Run).Header().Meter)
	}
	n.identical(r.Run)
	n.verify()
	n.Kernel = openKernel(n.t, string(n.Home())) // by another process
	n.identical(r.Run)
}
