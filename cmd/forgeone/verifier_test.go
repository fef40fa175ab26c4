package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/internal/seal"
)

// TestForeignVerifier: a verifier in Python, written from docs/FORMATS.md alone,
// accepts exports made by the real binary: of a node's log, of one whose key has
// changed, of one with tiles on several levels.
func TestForeignVerifier(t *testing.T) {
	t.Parallel()
	n := killNode{t, filepath.Join(t.TempDir(), "home")}
	n.must("init")
	dir := filepath.Join(t.TempDir(), "export")
	n.must("log", "export", "--tiles", dir)
	vkey, err := os.ReadFile(filepath.Join(dir, "vkey"))
	if err != nil {
		t.Fatal(err)
	}
	accepts(t, dir, "records of forgeone.local/", strings.TrimSpace(string(vkey)))

	// With an ML-DSA-44 key, of which it knows that a signature must be there; given
	// up in the end.
	for _, how := range [][]string{{"--post-quantum"}, nil, {"--no-post-quantum"}} {
		n.must(append([]string{"key", "rotate"}, how...)...)
		n.must("log", "export", "--tiles", dir)
		first, _, _ := strings.Cut(string(vkey), "\n")
		accepts(t, dir, "term(s)", first)
		path := filepath.Join(dir, "checkpoint")
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		lines := bytes.SplitAfter(bytes.TrimSuffix(b, []byte("\n")), []byte("\n"))
		if has := len(lines) == 6; has == (how != nil && how[0] == "--no-post-quantum") {
			t.Fatalf("%q: the checkpoint has %d lines", how, len(lines))
		} else if !has {
			continue
		}
		for _, bad := range [][]byte{bytes.Join(lines[:5], nil), append(bytes.Join(lines[:5], nil), append(bytes.Clone(lines[5][:len(lines[5])-4]), '\n')...)} {
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			if out, code := verifier(t, dir, first); code != 1 || !strings.Contains(out, "ML-DSA-44") {
				t.Errorf("without the line: %d %s", code, out)
			}
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}

	big, name, keys := rotatedLog(t, 66_500) // more than 256 tiles of 256
	dir = export(t, n, big, keys[0])
	accepts(t, dir, "verified: 66500 records of "+name+", 3 term(s)", keys...)
}

// TestForeignVerifierRefuses: whatever is changed in an export, the verifier in
// Python says so and where, as ours does.
func TestForeignVerifierRefuses(t *testing.T) {
	t.Parallel()
	n := killNode{t, filepath.Join(t.TempDir(), "home")}
	n.must("init")
	log, _, keys := rotatedLog(t, 600)
	good := export(t, n, log, keys[0])
	accepts(t, good, "verified: 600 records", keys...)
	stranger, err := seal.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	if out, code := verifier(t, good, keys[0], stranger.Public().String()); code != 1 || !strings.Contains(out, "signed no term") {
		t.Errorf("by a stranger's key: %d %s", code, out)
	}
	var files []string
	if err := filepath.WalkDir(good, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && !strings.HasPrefix(d.Name(), ".") {
			files = append(files, p)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if len(files) < 8 {
		t.Fatalf("the export has only %v", files)
	}
	harms := map[string]func(b []byte) []byte{
		"flipped": func(b []byte) []byte { b[rand.IntN(len(b))] ^= 1 << rand.IntN(8); return b },
		"cut":     func(b []byte) []byte { return b[:rand.IntN(len(b))] },
		"longer":  func(b []byte) []byte { return append(b, 0) },
		"gone":    func([]byte) []byte { return nil },
	}
	for i, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for name, harm := range harms {
			bad := harm(bytes.Clone(b))
			if bad == nil && filepath.Base(path) == "vkey" {
				continue // nobody needs it
			}
			if os.Getenv("FORGEONE_SOAK") == "" && (name == "cut" && i%2 == 0 || name == "longer" && i%2 == 1) {
				continue // each starts Python and OpenSSL
			}
			err := os.Remove(path)
			if bad != nil {
				err = os.WriteFile(path, bad, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			if out, code := verifier(t, good, keys[0]); code != 1 || !strings.HasPrefix(out, "NOT verified: ") {
				t.Errorf("%s %s: exit %d: %s", filepath.Base(path), name, code, out)
			}
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	accepts(t, good, "verified: 600 records", keys...)
}

// rotatedLog makes a log whose key has changed twice, and returns its folder, its
// name, and its keys' text forms, the first one first.
func rotatedLog(t *testing.T, records int) (dir, name string, keys []string) {
	t.Helper()
	key, err := seal.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	o := evidence.Options{Dir: filepath.Join(t.TempDir(), "log"), Key: key, SegmentBytes: 1 << 20}
	if err := evidence.Create(o); err != nil {
		t.Fatal(err)
	}
	l, err := evidence.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	keys = []string{key.Public().String()}
	for third := range uint64(3) {
		for upTo := uint64(records) * (third + 1) / 3; l.Size() < upTo; {
			left := min(500, upTo-l.Size())
			_, err := l.Update(context.Background(), func() ([]abi.Record, error) {
				rs := make([]abi.Record, 0, left)
				for i := range min(left, upTo-l.Size()) { // (a change of segments has its own)
					rs = append(rs, abi.Record{Body: &abi.RunEnd{Run: abi.RunID(fmt.Sprintf("r%016x", i)), Outcome: abi.OutcomeExit}})
				}
				return rs, nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if third == 2 {
			break
		}
		if key, err = seal.GenerateKey(); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Rotate(context.Background(), key, nil); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key.Public().String())
	}
	if l.Size() != uint64(records) {
		t.Fatalf("the log has %d records", l.Size())
	}
	return o.Dir, l.Origin(), keys
}

func export(t *testing.T, n killNode, log, key string) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "export")
	n.must("log", "export", "--tiles", dir, "--key", key, log)
	return dir
}

// verifier runs the verifier in Python.
func verifier(t *testing.T, dir string, keys ...string) (out string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "python3", append([]string{"../../test/verifier/verify_export.py", dir}, keys...)...)
	b, err := c.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("python3: %v (`make need` installs it): %s", err, b)
	}
	return string(b), c.ProcessState.ExitCode()
}

func accepts(t *testing.T, dir, says string, keys ...string) {
	t.Helper()
	out, code := verifier(t, dir, keys...)
	if code != 0 || !strings.HasPrefix(out, "verified: ") || !strings.Contains(out, says) {
		t.Errorf("exit %d: %s", code, out)
	}
}
