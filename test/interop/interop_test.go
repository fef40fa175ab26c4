// Package interop verifies exports and proofs of logs with programs that are not
// ours. Their modules are pinned here and never enter the product's go.mod.
package interop

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/internal/seal"
)

// limit is how long one program may take.
const limit = 2 * time.Minute

// records in the log: more than one tile of level 1.
const records = 70_000

// made is a log and what the real binary made of it.
type made struct {
	forgeone, log, key         string
	tiles, proof               string
	old, consistency           string // an earlier checkpoint, and the hashes that lead from it
	vkey, size                 string
	torchwood, sumdb, sigstore string // programs; sigstore is a script
}

// start runs a program and returns its answer; ok says whether it succeeded.
func start(t *testing.T, name string, args ...string) (out string, ok bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...)
	c.WaitDelay = time.Second
	b, err := c.CombinedOutput()
	if ctx.Err() != nil {
		t.Fatalf("%s %v did not end", name, args)
	}
	return string(b), err == nil
}

func must(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, ok := start(t, name, args...)
	if !ok {
		t.Fatalf("%s %v:\n%s", name, args, out)
	}
	return out
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// build builds the programs and has the binary export a log.
func build(t *testing.T) *made {
	t.Helper()
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	m := &made{
		forgeone: in("forgeone"), log: in("log"), key: in("node.pub"), tiles: in("tiles"), proof: in("record.tlog-proof"), old: in("old"), consistency: in("consistency"),
		vkey: in("tiles/vkey"), torchwood: in("torchwood"), sumdb: in("sumdb"), sigstore: "sigstore/verify.js",
	}
	must(t, "go", "-C", "../..", "build", "-o", m.forgeone, "./cmd/forgeone")
	must(t, "go", "build", "-o", m.torchwood, "./torchwood")
	must(t, "go", "build", "-o", m.sumdb, "./sumdb")
	m.append(t)
	write(t, m.proof, []byte(must(t, m.forgeone, "log", "prove", "--key", m.key, "54321", m.log)))
	must(t, m.forgeone, "log", "export", "--key", m.key, "--tiles", m.tiles, m.log)
	m.size = strings.Split(string(read(t, filepath.Join(m.tiles, "checkpoint"))), "\n")[1]
	old, err := evidence.ParseCheckpoint(read(t, m.old))
	if err != nil {
		t.Fatal(err)
	}
	size, _ := strconv.ParseUint(m.size, 10, 64)
	hashes, err := evidence.ProveConsistency(m.tiles, old.Size, size)
	if err != nil {
		t.Fatal(err)
	}
	var text []byte
	for _, h := range hashes {
		text = append(base64.StdEncoding.AppendEncode(text, h[:]), '\n')
	}
	write(t, m.consistency, text)
	return m
}

// append makes the log.
func (m *made) append(t *testing.T) {
	t.Helper()
	key, err := seal.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	write(t, m.key, []byte(key.Public().String()+"\n"))
	o := evidence.Options{Dir: m.log, Key: key, SegmentBytes: 1 << 20}
	if err := evidence.Create(o); err != nil {
		t.Fatal(err)
	}
	l, err := evidence.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for l.Size() < records {
		_, err := l.Update(t.Context(), func() ([]abi.Record, error) {
			rs := make([]abi.Record, 1000)
			for i := range rs {
				rs[i] = abi.Record{Body: &abi.RunEnd{Run: abi.RunID(fmt.Sprintf("r%016x", i)), Outcome: abi.OutcomeExit, Calls: l.Size()}}
			}
			return rs, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if l.Size() < records/2 {
			write(t, m.old, l.Checkpoint())
		}
	}
}

// flipped is a copy of an export with one byte of one file changed.
func flipped(t *testing.T, dir, name string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "tiles")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(to, filepath.FromSlash(name))
	b := read(t, path)
	b[len(b)/2] ^= 1
	write(t, path, b)
	return to
}

// flippedLine is a copy of a text with a base64 digit of the line that begins so
// changed; an empty beginning is the third line.
func flippedLine(t *testing.T, file, begins string) string {
	t.Helper()
	lines := strings.SplitAfter(string(read(t, file)), "\n")
	for i, l := range lines {
		if begins == "" && i == 3 || begins != "" && strings.HasPrefix(l, begins) {
			at := len(l) - 9
			c := byte('A')
			if l[at] == c {
				c = 'B'
			}
			lines[i] = l[:at] + string(c) + l[at+1:]
			path := filepath.Join(t.TempDir(), "altered")
			write(t, path, []byte(strings.Join(lines, "")))
			return path
		}
	}
	t.Fatalf("%s has no line %q", file, begins)
	return ""
}

// says runs a verifier and wants its line.
func says(t *testing.T, line, name string, args ...string) {
	t.Helper()
	if out := must(t, name, args...); strings.TrimSpace(out) != line {
		t.Errorf("%s says %q, want %q", name, out, line)
	}
}

// refuses runs a verifier on something altered.
func refuses(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, ok := start(t, name, args...); ok || strings.Contains(out, "verified") {
		t.Errorf("%s %v accepts what was altered: %s", name, args, out)
	}
}

func TestInterop(t *testing.T) {
	m := build(t)
	origin, _, _ := strings.Cut(string(read(t, m.vkey)), "+")
	t.Run("torchwood", func(t *testing.T) {
		line := fmt.Sprintf("torchwood: verified %s entries and a proof of %s", m.size, origin)
		says(t, line, m.torchwood, m.vkey, m.tiles, m.size, m.proof)
		for _, name := range []string{"tile/entries/123", "tile/0/200", "tile/1/000", "checkpoint"} {
			refuses(t, m.torchwood, m.vkey, flipped(t, m.tiles, name), m.size, m.proof)
		}
		refuses(t, m.torchwood, m.vkey, m.tiles, m.size, flippedLine(t, m.proof, ""))
		refuses(t, m.torchwood, m.vkey, m.tiles, m.size, flippedLine(t, m.proof, "extra "))
		says(t, line, m.torchwood, m.vkey, m.serve(t, m.log), m.size, m.proof)
	})
	t.Run("sumdb", func(t *testing.T) {
		old := strings.Split(string(read(t, m.old)), "\n")[1]
		says(t, fmt.Sprintf("sumdb: verified record 54321, and that %s records continue %s", m.size, old), m.sumdb, m.vkey, m.tiles, m.proof, m.old, m.consistency)
		for _, name := range []string{"tile/0/212", "tile/1/000", "checkpoint"} {
			refuses(t, m.sumdb, m.vkey, flipped(t, m.tiles, name), m.proof, m.old, m.consistency)
		}
		refuses(t, m.sumdb, m.vkey, m.tiles, flippedLine(t, m.proof, ""), m.old, m.consistency)
		refuses(t, m.sumdb, m.vkey, m.tiles, m.proof, flippedLine(t, m.old, "— "), m.consistency)
		lines := bytes.SplitAfter(read(t, m.consistency), []byte("\n"))
		short := filepath.Join(t.TempDir(), "short")
		write(t, short, bytes.Join(lines[1:], nil))
		refuses(t, m.sumdb, m.vkey, m.tiles, m.proof, m.old, short)
	})
	t.Run("sigstore", func(t *testing.T) {
		if _, err := os.Stat("sigstore/node_modules"); err != nil {
			t.Fatalf("@sigstore/verify is not installed (%v): run scripts/need", err)
		}
		says(t, "sigstore: verified record 54321 of "+m.size, "node", m.sigstore, m.vkey, m.proof)
		for _, line := range []string{"extra ", "", "— "} {
			refuses(t, "node", m.sigstore, m.vkey, flippedLine(t, m.proof, line))
		}
		other := strings.Replace(string(read(t, m.proof)), "index 54321", "index 54320", 1)
		path := filepath.Join(t.TempDir(), "moved")
		write(t, path, []byte(other))
		refuses(t, "node", m.sigstore, m.vkey, path)
	})
}

var listening = regexp.MustCompile(`listening on (http://\S+)`)

// serve has the binary serve the log, until the test ends, and returns the URL.
func (m *made) serve(t *testing.T, log string) string {
	t.Helper()
	said := filepath.Join(t.TempDir(), "said")
	f, err := os.Create(said)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*limit) // (the test's own ends before its cleanup)
	c := exec.CommandContext(ctx, m.forgeone, "log", "serve", "--listen", "127.0.0.1:0", "--key", m.key, "--tiles", filepath.Join(t.TempDir(), "served"), log)
	c.Stderr = f
	if err := c.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		defer cancel()
		_ = c.Process.Signal(os.Interrupt)
		if err := c.Wait(); err != nil {
			t.Errorf("log serve: %v: %s", err, read(t, said))
		}
	})
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if u := listening.FindSubmatch(read(t, said)); u != nil {
			if r, err := http.Get(string(u[1]) + "checkpoint"); err == nil {
				_ = r.Body.Close()
				return string(u[1])
			}
		}
	}
	t.Fatalf("log serve does not listen: %s", read(t, said))
	return ""
}
