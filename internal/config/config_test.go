package config

import (
	"bytes"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/rewrite"
	"github.com/forgeone/forgeone/internal/seal"
)

var update = flag.Bool("update", false, "write golden files")

func newKey(t testing.TB) *seal.PrivateKey {
	t.Helper()
	k, err := seal.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func code(t *testing.T, err error, want abi.Code) *abi.Error {
	t.Helper()
	var e *abi.Error
	if !errors.As(err, &e) || e.Code != want {
		t.Fatalf("error %v, want code %s", err, want)
	}
	return e
}

func TestDefault(t *testing.T) {
	golden := filepath.Join("testdata", "default.yaml")
	if *update {
		if err := os.WriteFile(golden, Default(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, Default()) {
		t.Errorf("the default text changed (go test -update):\n%s", Default())
	}
	c, err := Parse("config", Default())
	if err != nil {
		t.Fatal(err)
	}
	limits := abi.Limits{Memory: 256 << 20, Table: 1_000_000, Descriptors: 1024, Output: 256 << 20, Recording: 1 << 30, Depth: rewrite.DefaultCaps().Depth, Scratch: 64 << 20, Disk: 8 << 30, Denials: 100_000}
	if c.Limits() != limits || c.Caps() != rewrite.DefaultCaps() || !c.BareModules() || c.Quorum() != 1 || c.Origin() != "" || c.Recording() != "full" || c.Deadline() != 0 || c.CompileDeadline() != 2*time.Minute || c.CompileMemory() != 2<<30 {
		t.Errorf("default is %+v", c)
	}
	// What the text writes out is what an empty text means.
	empty, err := Parse("config", nil)
	if err != nil {
		t.Fatal(err)
	}
	if empty.Limits() != limits || empty.Caps() != c.Caps() || !empty.BareModules() || empty.Quorum() != 1 || empty.CompileDeadline() != c.CompileDeadline() || empty.CompileMemory() != c.CompileMemory() {
		t.Errorf("empty text is %+v", empty)
	}
}

func TestValues(t *testing.T) {
	c, err := Parse("config", []byte(`
origin: example.org/node-7
bare_modules: refuse
quorum: 2
limits: {fuel: 77, deadline: 1m30s, memory: 65536, table: 12, depth: 100, scratch: 8KiB, disk: 3MiB, denials: 50}
admission:
  module: 1 MiB
  nesting: 9
  compile_memory: 512MiB
  compile_deadline: 3s
  canonical_nan: true
retention: {total: unlimited, workload: 4KiB}
`))
	if err != nil {
		t.Fatal(err)
	}
	l, caps := c.Limits(), c.Caps()
	if c.Origin() != "example.org/node-7" || c.BareModules() || c.Quorum() != 2 || l.Fuel != 77 || c.Deadline() != 90*time.Second || l.Memory != 65536 ||
		l.Scratch != 8<<10 || l.Disk != 3<<20 || l.Denials != 50 ||
		caps.Table != 12 || caps.Depth != 100 || caps.ModuleBytes != 1<<20 || caps.Nesting != 9 || caps.Functions != rewrite.DefaultCaps().Functions || c.CompileDeadline() != 3*time.Second || c.CompileMemory() != 512<<20 || !caps.CanonicalNaN {
		t.Errorf("limits %+v, caps %+v, config %+v", l, caps, c)
	}
	if c.Retention() != (Retention{Total: math.MaxUint64, Workload: 4096}) {
		t.Errorf("retention %+v", c.Retention())
	}
	text := c.Text()
	text[0] ^= 1
	if Digest(c.Text()) != c.Digest() || Digest(text) == c.Digest() {
		t.Error("the text can be changed through its copy, or the digest ignores it")
	}
}

func TestRefused(t *testing.T) {
	for _, tc := range []struct{ name, text, where, says string }{
		{"unknown field", "format: 1\nfuel: 3\n", "config:2:1", "unknown field"},
		{"unknown field in section", "limits:\n  fule: 3\n", "config:2:3", "unknown field"},
		{"doubled field", "quorum: 1\nquorum: 2\n", "config:2:1", "already defined"},
		{"doubled field in section", "limits:\n  fuel: 1\n  fuel: 2\n", "config:3:3", "already defined"},
		{"newer format", "format: 2\n", "config:1:9", "knows only 1"},
		{"quorum 0", "quorum: 0\n", "config:1:9", "from 1 to 64"},
		{"negative", "quorum: -1\n", "config:1:9", "from 1 to 64"},
		{"hexadecimal", "quorum: 0x2\n", "config:1:9", "whole number"},
		{"overflow", "limits:\n  fuel: 18446744073709551617\n", "config:2:9", "whole number"},
		{"size overflow", "limits:\n  memory: 17179869185GiB\n", "config:2:11", "size"},
		{"memory too small", "limits:\n  memory: 1KiB\n", "config:2:11", "64KiB to 4GiB"},
		{"depth above what the engine bears", "limits:\n  depth: 4000000\n", "config:2:10", "whole number"},
		{"module above what can work", "admission: {module: 513MiB}\n", "config:1:21", "512MiB"},
		{"memory to compile with too small", "admission: {compile_memory: 63MiB}\n", "config:1:29", "64MiB to 1024GiB"},
		{"retention of nothing", "retention: {total: 0}\n", "config:1:20", "4KiB to 1048576GiB, such as 4KiB or 4096, or unlimited"},
		{"bare word", "bare_modules: yes\n", "config:1:15", "allow or refuse"},
		{"no truth value", "admission: {canonical_nan: perhaps}\n", "config:1:28", "true or false"},
		{"truth value for a number", "quorum: true\n", "config:1:9", "whole number"},
		{"mode", "recording: light\n", "config:1:12", "full"},
		{"duration without unit", "limits: {deadline: 90}\n", "config:1:20", "1m30s"},
		{"negative duration", "limits: {deadline: -1s}\n", "config:1:20", "1m30s"},
		{"origin with a space", "origin: \"a b\"\n", "config:1:9", "letters"},
		{"origin with a newline", "origin: \"a\\nb\"\n", "config:1:9", "letters"},
		{"missing value", "quorum:\n", "config:1:1", "missing"},
		{"null", "limits:\n  fuel: ~\n", "config:2:3", "missing"},
		{"list for a value", "quorum: [1]\n", "config:1:9", "single number or word"},
		{"value for a section", "limits: 5\n", "config:1:9", "mapping"},
		{"list for all", "- 1\n", "config:1:1", "mapping"},
		{"anchor", "quorum: &q 1\n", "config:1:9", "anchors"},
		{"tag", "quorum: !!int 1\n", "config:1:9", "tags"},
		{"merge", "limits:\n  <<: {fuel: 1}\n", "config:2:3", "merges"},
		{"second document", "format: 1\n---\nquorum: 2\n", "config:2:1", "document"},
		{"second document, empty", "format: 1\n---\n", "config:2:1", "document"},
		{"open bracket", "limits: {fuel: 1\n", "config:1:9", "end token"},
		{"bad indentation", "limits:\n   fuel: 1\n  depth: 99\n", "config:3:3", "not allowed"},
		{"tab", "limits:\n\tfuel: 1\n", "config:2:1", "tab"},
		{"control character", "origin: a\x1b[2J\n", "config:1:10", "control"},
		{"not UTF-8", "origin: \xff\n", "config:1:9", "UTF-8"},
		{"deep brackets", strings.Repeat("[", 65), "config:1:65", "nested"},
		{"deep indentation", strings.Repeat(" ", 66) + "a: 1", "config:1:66", "nested"},
		{"long line", strings.Repeat("- ", 1000), "config:1:513", "longer"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Parse("config", []byte(tc.text))
			var e *abi.Error
			if !errors.As(err, &e) || (e.Code != abi.CodeCfgSyntax && e.Code != abi.CodeCfgValue) {
				t.Fatalf("Parse = %v", err)
			}
			if e.Where != tc.where || !strings.Contains(e.What, tc.says) || e.Hint == "" {
				t.Errorf("at %q: %q (hint %q), want at %q: %q", e.Where, e.What, e.Hint, tc.where, tc.says)
			}
			if s := e.Error(); strings.ContainsAny(s, "\x1b\x00") || !utf8.ValidString(s) {
				t.Errorf("the message carries raw bytes: %q", e.Error())
			}
		})
	}
	_, err := Parse("config", bytes.Repeat([]byte("#\n"), MaxSize/2+1))
	code(t, err, abi.CodeCfgSize)
}

func TestCaret(t *testing.T) {
	_, err := Parse("config", []byte("format: 1\nquorum: 0\n"))
	if want := "\n   2 | quorum: 0\n               ^"; !strings.HasSuffix(err.Error(), want) {
		t.Errorf("message %q, want its end to be %q", err, want)
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	k := newKey(t)
	wrote, err := Write(path, Default(), k)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Load(path, k.Public())
	if err != nil {
		t.Fatal(err)
	}
	if c.Digest() != wrote.Digest() || !bytes.Equal(c.Text(), Default()) || c.Digest() != Digest(Default()) {
		t.Error("what was loaded is not what was written")
	}
	// A signed file copied and edited is signed anew, with one signature line.
	signed, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Write(path, bytes.Replace(signed, []byte("quorum: 1"), []byte("quorum: 3"), 1), k); err != nil {
		t.Fatal(err)
	}
	if c, err = Load(path, k.Public()); err != nil || c.Quorum() != 3 {
		t.Fatalf("after editing: %+v, %v", c, err)
	}
	if b := Sign(signed, k); !bytes.Equal(b, signed) {
		t.Error("signing twice is not signing once")
	}
	// A text that is wrong leaves the file as it is.
	if _, err := Write(path, []byte("quorum: 0\n"), k); err == nil {
		t.Fatal("wrote a wrong text")
	}
	if c, err = Load(path, k.Public()); err != nil || c.Quorum() != 3 {
		t.Fatalf("after a refused write: %+v, %v", c, err)
	}
	_, err = Load(path, newKey(t).Public())
	code(t, err, abi.CodeCfgSignature)
	_, err = Load(path, nil)
	code(t, err, abi.CodeCfgSignature)
	_, err = Load(path+"x", k.Public())
	code(t, err, abi.CodeCfgRead)
	_, err = Load(filepath.Dir(path), k.Public())
	code(t, err, abi.CodeCfgRead)
	_, err = Write(filepath.Join(path, "x"), Default(), k)
	code(t, err, abi.CodeCfgWrite)
}

// TestTampered: no byte of a signed configuration can be changed, removed or
// added, and what is signed for another purpose does not count.
func TestTampered(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	k := newKey(t)
	text := []byte("# small\nquorum: 2\n")
	good := Sign(text, k)
	try := func(name string, b []byte) {
		t.Helper()
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(path, k.Public())
		if c := abi.CodeOf(err); c != abi.CodeCfgSignature && c != abi.CodeCfgUnsigned {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range good {
		for _, bit := range []byte{1, 0x20, 0x80} {
			b := bytes.Clone(good)
			b[i] ^= bit
			try(fmt.Sprintf("byte %d ^ %d", i, bit), b)
		}
		try(fmt.Sprintf("cut at %d", i), good[:i])
	}
	try("unsigned", text)
	try("appended", append(bytes.Clone(good), "quorum: 1\n"...))
	try("newline appended", append(bytes.Clone(good), '\n'))
	try("prepended", append([]byte("quorum: 1\n"), good...))
	try("signature twice", append(bytes.Clone(good), good[len(text):]...))
	foreign := base64.StdEncoding.EncodeToString(k.Sign("forgeone/pkg/v1", text))
	try("signed for another purpose", fmt.Appendf(bytes.Clone(text), "%s%s %s\n", trailer, k.Public().ID().Hex(), foreign))
	try("another key", Sign(text, newKey(t)))
	if err := os.WriteFile(path, append(bytes.Repeat([]byte("#\n"), MaxSize), good...), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Load(path, k.Public())
	code(t, err, abi.CodeCfgSize)
}

func TestSizes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Uint64().Draw(t, "n") >> rapid.IntRange(0, 63).Draw(t, "shift") << rapid.IntRange(0, 30).Draw(t, "back")
		if got, ok := parseSize(FormatSize(n)); !ok || got != n {
			t.Fatalf("%d is written %q and read as %d, %v", n, FormatSize(n), got, ok)
		}
	})
}

// FuzzParse: whatever the text, no panic and no error without a code; what
// parses, parses again from its own text to the same.
func FuzzParse(f *testing.F) {
	f.Add(Default())
	f.Add([]byte("limits: {fuel: 1, deadline: 1s}\nquorum: 2"))
	f.Add([]byte("a: &x [*x, {<<: !!t |\n  b}]\n---\n%Y"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Parse("config", b)
		if err != nil {
			if abi.CodeOf(err) == "" {
				t.Fatalf("no code: %v", err)
			}
			return
		}
		again, err := Parse("config", c.Text())
		if err != nil || again.Digest() != c.Digest() || again.Limits() != c.Limits() || again.Caps() != c.Caps() {
			t.Fatalf("%q parses to %+v, then %+v (%v)", b, c, again, err)
		}
	})
}
