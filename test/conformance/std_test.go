package conformance

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// suite is a package of the standard library whose tests run as a guest.
type suite struct {
	pkg   string
	quick bool   // by `make test` too
	files bool   // once with its temporary folder in scratch, and once in a mount
	slow  string // a pattern of tests left out: they take minutes on any engine
}

var suites = []suite{
	{pkg: "os", quick: true, files: true},
	{pkg: "io/fs", quick: true, files: true},
	{pkg: "path/filepath", quick: true, files: true},
	{pkg: "bufio", quick: true},
	{pkg: "errors", quick: true},
	{pkg: "sort", quick: true},
	{pkg: "io/ioutil", files: true},
	{pkg: "testing/fstest", files: true},
	{pkg: "archive/zip", files: true},
	{pkg: "archive/tar", files: true},
	{pkg: "strings"},
	{pkg: "bytes"},
	{pkg: "strconv"},
	{pkg: "regexp"},
	{pkg: "encoding/json"},
	{pkg: "encoding/xml"},
	{pkg: "encoding/asn1"},
	{pkg: "encoding/csv"},
	{pkg: "encoding/binary"},
	{pkg: "compress/flate"},
	{pkg: "compress/zlib"},
	{pkg: "crypto/sha256"},
	{pkg: "crypto/sha3"},
	{pkg: "crypto/ed25519"},
	{pkg: "crypto/aes"},
	{pkg: "crypto/ecdsa"},
	{pkg: "text/template"},
	{pkg: "go/parser"},
	{pkg: "go/format"},
	{pkg: "go/ast"},
	{pkg: "image/png"},
	{pkg: "log/slog"},
	{pkg: "maps"},
	{pkg: "slices"},
	{pkg: "fmt"},
	{pkg: "io"},
	{pkg: "unicode/utf8"},
	{pkg: "time"},
}

// lines of -test.v that say how a test ended.
var verdict = regexp.MustCompile(`--- (PASS|FAIL|SKIP): (\S+) \(`)

// pointer is what names of some tests have in them; it differs from engine to
// engine.
var pointer = regexp.MustCompile(`0x[0-9a-f]{5,}`)

// verdicts returns how each test ended.
func verdicts(out string) map[string]string {
	v := map[string]string{}
	out = pointer.ReplaceAllString(out, "0x…")
	for _, m := range verdict.FindAllStringSubmatch(out, -1) {
		v[m[2]] = m[1]
	}
	return v
}

// environment is what the go command gives a test that it runs.
func (s suite) environment(flag, tmp string) (flags []string) {
	for _, e := range []string{"PWD=" + path.Join("/goroot/src", s.pkg), "GOROOT=/goroot", "TMPDIR=" + tmp} {
		flags = append(flags, flag, e)
	}
	return flags
}

func (s suite) args() []string {
	a := []string{"-test.short", "-test.v"}
	if s.slow != "" {
		a = append(a, "-test.skip="+s.slow)
	}
	return a
}

// grants is what a suite runs with here. With a mount, its temporary folder is a
// folder of the machine; without, scratch.
func (s suite) grants(t *testing.T, mount bool) []string {
	flags := []string{"--mount", goroot + ":/goroot:ro"}
	tmp := "/tmp"
	if mount {
		tmp = "/work"
		flags = append(flags, "--mount", t.TempDir()+":/work:rw")
	}
	return append(flags, s.environment("--env", tmp)...)
}

// bare runs the suite on bare wazero.
func (s suite) bare(t *testing.T, wasm string, args ...string) done {
	t.Helper()
	flags := []string{"-mount=" + goroot + ":/goroot:ro", "-mount=" + t.TempDir() + ":/tmp"}
	return bare(t, wasm, append(flags, s.environment("-env", "/tmp")...), args...)
}

// check holds how tests ended against what is known of them, and against bare
// wazero where that was asked.
func (s suite) check(t *testing.T, r ran, rival map[string]string) (tests int) {
	t.Helper()
	got, fail := verdicts(r.stdout), known[s.pkg]
	for _, name := range slices.Sorted(maps.Keys(got)) {
		switch why, listed := fail[name]; {
		case got[name] == "FAIL" && !listed:
			t.Errorf("%s fails", name)
		case got[name] != "FAIL" && listed:
			t.Errorf("%s no longer fails (%s): take it off the list", name, why)
		case got[name] != "PASS" && rival[name] == "PASS" && !listed:
			t.Errorf("%s passes on bare wazero, here it is %s", name, got[name])
		}
	}
	for _, names := range []map[string]string{fail, rival} {
		for name := range names {
			if got[name] == "" {
				t.Errorf("%s did not run", name)
			}
		}
	}
	want, last := 0, "PASS"
	if len(fail) > 0 {
		want, last = 1, "FAIL"
	}
	if r.Outcome != "exit" || r.code != want || strings.TrimSpace(r.stdout[strings.LastIndex(strings.TrimSpace(r.stdout), "\n")+1:]) != last {
		t.Errorf("%s %d\n%s\n%s", r.Outcome, r.code, tail(r.stdout), tail(r.stderr))
	}
	if len(got) == 0 {
		t.Error("no test ran")
	}
	if t.Failed() {
		s.keep(t, r)
	}
	return len(got)
}

// keep shows what the failing tests wrote.
func (s suite) keep(t *testing.T, r ran) {
	t.Helper()
	for name, v := range verdicts(r.stdout) {
		if _, listed := known[s.pkg][name]; v != "FAIL" || listed || strings.Contains(name, "/") {
			continue
		}
		if i := strings.Index(r.stdout, "=== RUN   "+name+"\n"); i >= 0 {
			t.Log(r.stdout[i:min(len(r.stdout), i+2000)])
		}
	}
}

// TestStandardLibrary runs the tests of Go's standard library as guests, under
// policy and recording. What passes on bare wazero passes here, unless it is
// known why not; and each run replays identically.
func TestStandardLibrary(t *testing.T) {
	n, figures := theNode(t), &table{}
	t.Cleanup(func() { figures.log(t) })
	for _, s := range suites {
		if testing.Short() && !s.quick {
			continue
		}
		t.Run(s.pkg, func(t *testing.T) {
			if testing.Short() {
				t.Parallel()
			}
			s.run(t, n, figures)
		})
	}
}

func (s suite) run(t *testing.T, n node, figures *table) {
	wasm := testBinary(t, s.pkg)
	var rival done
	if !testing.Short() {
		none := []string{"-test.run=^$"} // compiles on both
		n.run(t, wasm, s.grants(t, false), none...)
		s.bare(t, wasm, none...)
		rival = s.bare(t, wasm, s.args()...)
		if !slices.Contains(slices.Collect(maps.Values(verdicts(rival.stdout))), "PASS") {
			t.Errorf("nothing passes on bare wazero\n%s", tail(rival.stderr))
		}
	}
	for _, mount := range []bool{false, true} {
		if mount && !s.files {
			continue
		}
		name := s.pkg
		if mount {
			name += ", mounted"
		}
		r := n.run(t, wasm, s.grants(t, mount), s.args()...)
		tests := s.check(t, r, verdicts(rival.stdout))
		figures.add(row{
			name: name, tests: tests, calls: r.Calls,
			here: r.took, on: rival.took, back: n.replay(t, r), recording: n.recording(t, r),
		})
	}
}
