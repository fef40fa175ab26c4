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

// TestOlderNodes: a state folder that an older version made is opened, verified,
// replayed and continued. unmetered.tgz was made by the last version that charged no
// calls: its runs ended in each way, and one was killed.
func TestOlderNodes(t *testing.T) {
	dir := t.TempDir()
	unpack(t, "unmetered.tgz", dir)
	n := &node{t: t, guests: t.TempDir(), Kernel: openKernel(t, filepath.Join(dir, "node"))}
	n.verify()
	ended := map[abi.Outcome]int{}
	var ids []abi.RunID
	n.View(func(s *brain.State) {
		for _, r := range s.Runs() {
			if ended[r.Outcome]++; r.Outcome != abi.OutcomeAborted {
				ids = append(ids, r.ID)
			}
		}
	})
	for _, want := range []abi.Outcome{
		abi.OutcomeExit, abi.OutcomeTrap, abi.OutcomeFuel, abi.OutcomeDeadline, abi.OutcomeDepth, abi.OutcomeAborted,
	} {
		if ended[want] == 0 {
			t.Errorf("no run ended with %v", want)
		}
	}
	for _, id := range ids {
		p := n.replay(id)
		if p.Header().Meter != 0 {
			t.Errorf("%s: meter %d", id, p.Header().Meter)
		}
		n.identical(id)
	}
	if err := os.WriteFile(n.guest("hello"), wasmtest.Guests()["hello"], 0o600); err != nil {
		t.Fatal(err)
	}
	r, out := n.run(kernel.Spec{Target: n.guest("hello")})
	if out != "hello by hand\n" || n.replay(r.Run).Header().Meter != abi.Meter {
		t.Errorf("%q, meter %d", out, n.replay(r.Run).Header().Meter)
	}
	n.identical(r.Run)
	n.verify()
}
