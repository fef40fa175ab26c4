package forgeone_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/forgeone/forgeone"

// layer is the floor a package stands on. It may import lower floors only, and
// of its own floor only its own children.
var layer = map[string]int{
	"abi":                        0,
	"internal/seal":              1, // the only user of cryptography
	"internal/codec":             1,
	"internal/sys":               1, // the operating system with care
	"internal/sys/faultfs":       1, // its faults, for tests
	"internal/wasmtest":          1, // modules by hand, for tests
	"internal/trust":             1,
	"internal/merkle":            1, // trees of logs, and the tiles they are published in
	"internal/signednote":        1, // notes that logs and witnesses exchange
	"internal/rewrite":           1,
	"internal/provider/tree":     1, // the one interface of what can be mounted
	"internal/provider/sock":     1, // the one interface of sockets that a run is given
	"internal/provider/pure":     1,
	"internal/provider/host":     1,
	"internal/provider/treetest": 1, // tests of that interface
	"internal/provider":          2,
	"internal/keys":              2, // key files
	"forgepkg":                   2,
	"evidence":                   2,
	"internal/config":            2,
	"internal/policy":            2,
	"internal/trace":             2,
	"internal/register":          2, // which state folders a user has
	"internal/wasm":              2,
	"internal/compiletest":       3, // compiles in the process of a test
	"internal/provider/conform":  3, // preview 1, function by errno, for tests
	"internal/gate":              3,
	"internal/serve":             3, // HTTP, for commands that name an address
	"internal/brain":             3,
	"internal/replay":            4, // drives a guest from a recording, without any capability
	"internal/observer":          5,
	"internal/box":               5, // children of this binary that can do nothing but their one job
	"internal/compile":           5, // whose turn it is to compile in the box
	"internal/witness":           5, // cosigns other logs' checkpoints, and has ours cosigned
	"internal/kernel":            6, // the only appender to the log
	"":                           7, // the façade
	"internal/cli":               10,
	"cmd/forgeone":               11,
	"examples/hello":             11, // a guest: it imports nothing of ours
}

// within says which packages of one floor may import which others of it.
var within = map[string][]string{
	"internal/merkle":            {"internal/seal"}, // hashes
	"internal/signednote":        {"internal/seal"}, // signatures
	"internal/provider/pure":     {"internal/provider/tree"},
	"internal/provider/host":     {"internal/provider/tree", "internal/provider/sock"},
	"internal/provider/treetest": {"internal/provider/tree"},
	"internal/sys/faultfs":       {"internal/sys"},
	"internal/compile":           {"internal/box"},
}

// owner says who imports a third-party module: nobody else does, so that it can
// be replaced in one place.
var owner = map[string][]string{
	"github.com/tetratelabs/wazero":       {"internal/wasm"},
	"github.com/spf13/cobra":              {"internal/cli"},
	"github.com/spf13/pflag":              {"internal/cli"},
	"github.com/cedar-policy/cedar-go":    {"internal/policy"},
	"filippo.io/mldsa":                    {"internal/seal"},                                      // ML-DSA, until the standard library has it
	"filippo.io/age":                      {"internal/keys"},                                      // private keys at rest
	"golang.org/x/mod":                    {"evidence", "internal/merkle", "internal/signednote"}, // trees and notes, and their proofs
	"golang.org/x/sys":                    {"internal/sys", "internal/provider/host", "internal/box"},
	"github.com/landlock-lsm/go-landlock": {"internal/box"},
	"github.com/elastic/go-seccomp-bpf":   {"internal/box"},
	"github.com/goccy/go-yaml":            {"internal/config"},
	"github.com/fxamacker/cbor/v2":        {"internal/codec"},
	"github.com/klauspost/compress":       {"internal/trace"},
	"github.com/rogpeppe/go-internal":     {},
	"pgregory.net/rapid":                  {"internal/provider/treetest"},
	"github.com/google/go-cmp":            {},
	"github.com/forgeone/forgeone/test":   {},
}

// only says who may import a part of the standard library, and why.
var only = []struct {
	prefix, why string
	allowed     []string
}{
	{"crypto", "internal/seal is the only user of cryptography", []string{"internal/seal"}},
	{"os/exec", "the kernel starts no process but children of its own binary, in the box", []string{"internal/box"}},
	{"net", "no network at run time unless a command names an address: log serve and log witness do (a guest's sockets are system calls of internal/provider/host)", []string{"internal/serve", "internal/witness"}},
	{"unsafe", "only what maps memory or hands it to the kernel of the operating system, and the one file that hands code to the engine: see unsafeFile", []string{"internal/sys", "internal/provider/host", "internal/wasm"}},
}

// unsafeFile is the one file of a package that may use unsafe, where not all may.
var unsafeFile = map[string]string{"internal/wasm": "passage.go"}

// never says what must not be reachable from a package at all.
var never = []struct {
	from, target, why string
}{
	{"internal/replay", module + "/internal/provider/host", "a replay holds no capability"},
	{"internal/replay", module + "/internal/provider", "a replay has a world of its own"},
	{"internal/replay", module + "/internal/box", "a replay starts no process"},
	{"internal/wasm", module + "/internal/box", "the engine is handed what compiles, and does not know where that is"},
	{"internal/provider/pure", "golang.org/x/sys", "scratch and assets need no operating system"},
	{"internal/gate", module + "/internal", "the gate knows the shared words only"},
	{"abi", module, "the ground floor"},
}

// without says what none of our packages that are reachable from a package may import
// of the standard library. (What the engine brings along is not ours.)
var without = map[string][]string{"internal/replay": {"net", "os/exec"}}

type pkg struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Standard   bool
	Imports    []string
	Deps       []string
}

func list(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Dir,GoFiles,Standard,Imports,Deps", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var ps []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		ps = append(ps, p)
	}
	if len(ps) < 10 {
		t.Fatalf("only %d packages listed", len(ps))
	}
	return ps
}

func under(path, prefix string) bool { return path == prefix || strings.HasPrefix(path, prefix+"/") }

func short(path string) string {
	return strings.TrimPrefix(strings.TrimPrefix(path, module), "/")
}

// TestLayers holds the house of docs/ARCHITECTURE.md together.
func TestLayers(t *testing.T) {
	for _, p := range list(t) {
		from := short(p.ImportPath)
		at, ok := layer[from]
		if !ok {
			t.Errorf("%s stands on no floor: add it to the table with a reason", p.ImportPath)
			continue
		}
		for _, imp := range p.Imports {
			switch {
			case under(imp, module):
				to, ok := layer[short(imp)]
				if !ok || (to >= at && !slices.Contains(within[from], short(imp))) {
					t.Errorf("%s (floor %d) imports %s (floor %d): imports go down only", from, at, short(imp), to)
				}
			case strings.Contains(strings.SplitN(imp, "/", 2)[0], "."):
				third(t, from, imp)
			default:
				for _, o := range only {
					if under(imp, o.prefix) && imp != "net/netip" /* numbers, no network */ && !slices.Contains(o.allowed, from) {
						t.Errorf("%s imports %s: %s", from, imp, o.why)
					}
				}
			}
		}
		for _, n := range never {
			for _, d := range p.Deps {
				if from == n.from && under(d, n.target) {
					t.Errorf("%s reaches %s: %s", from, d, n.why)
				}
			}
		}
	}
}

// TestReachableFromReplay: neither a process nor the network can be reached through
// what a replay is made of.
func TestReachableFromReplay(t *testing.T) {
	ps := list(t)
	imports := map[string][]string{}
	for _, p := range ps {
		imports[p.ImportPath] = p.Imports
	}
	for _, p := range ps {
		for _, forbidden := range without[short(p.ImportPath)] {
			for _, d := range append(p.Deps, p.ImportPath) {
				if under(d, module) && slices.ContainsFunc(imports[d], func(i string) bool { return under(i, forbidden) && i != "net/netip" }) {
					t.Errorf("%s reaches %s, which imports %s", short(p.ImportPath), short(d), forbidden)
				}
			}
		}
	}
}

// TestUnsafeFiles: where one file may use unsafe, no other does.
func TestUnsafeFiles(t *testing.T) {
	seen := 0
	for _, p := range list(t) {
		one, ok := unsafeFile[short(p.ImportPath)]
		for _, f := range p.GoFiles {
			b, err := os.ReadFile(filepath.Join(p.Dir, f))
			if err != nil {
				t.Fatal(err)
			}
			switch uses := bytes.Contains(b, []byte("\"unsafe\"")); {
			case ok && uses && f == one:
				seen++
			case ok && uses:
				t.Errorf("%s/%s uses unsafe", p.ImportPath, f)
			}
		}
	}
	if seen != len(unsafeFile) {
		t.Errorf("%d of %d files use unsafe: is the table stale?", seen, len(unsafeFile))
	}
}

func third(t *testing.T, from, imp string) {
	t.Helper()
	for mod, who := range owner {
		if under(imp, mod) {
			if !slices.Contains(who, from) {
				t.Errorf("%s imports %s, which %v owns", from, imp, who)
			}
			return
		}
	}
	t.Errorf("%s imports %s, which nobody owns: see the table", from, imp)
}
