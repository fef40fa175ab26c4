package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/forgeone/forgeone/abi"
)

// TestOneWriter: nothing in this package writes, or makes JSON, but print.go; a command
// that does it by itself would escape nothing.
func TestOneWriter(t *testing.T) {
	// What may: pages that are made of our own tables when the program is built, and the
	// streams that become the guest's.
	may := map[string][]string{
		"reference.go": {"fmt.Fprintf"},
		"cli.go":       {"os.Stdout", "os.Stderr"},
		"run.go":       {"os.Stdout", "os.Stderr"},
	}
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 20 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") || file == "print.go" {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, ok := s.X.(*ast.Ident)
			if !ok {
				return true
			}
			name := x.Name + "." + s.Sel.Name
			bad := strings.HasPrefix(name, "fmt.Fprint") || strings.HasPrefix(name, "fmt.Print") || name == "io.WriteString" ||
				name == "os.Stdout" || name == "os.Stderr" || strings.HasPrefix(name, "log.") ||
				name == "json.NewEncoder" || strings.HasPrefix(name, "json.Marshal") || name == "json.Indent"
			for _, m := range may[file] {
				bad = bad && name != m
			}
			if bad {
				t.Errorf("%s: %s", file, name)
			}
			return true
		})
	}
}

type inner struct {
	Name string            `json:"name"`
	Map  map[string]string `json:"map,omitempty"`
}

type outer struct {
	inner
	Schema string    `json:"schema"`
	List   []inner   `json:"list"`
	Any    any       `json:"any"`
	Next   *inner    `json:"next"`
	Bytes  []byte    `json:"bytes"`
	Two    [2]string `json:"two"`
	hidden string    // what JSON does not see
}

func everywhere(s string) outer {
	in := inner{s, map[string]string{s: s}}
	return outer{inner: in, Schema: "forgeone.test/v1", List: []inner{in}, Any: in, Next: &in, Bytes: []byte(s), Two: [2]string{s, s}, hidden: s}
}

// quiet tells what in b a terminal would obey, or could not show.
func loud(b []byte, lines bool) string {
	if !utf8.Valid(b) {
		return "bytes that are not UTF-8"
	}
	for _, r := range string(b) {
		if unicode.IsControl(r) && !(lines && r == '\n') || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
			return fmt.Sprintf("%U", r)
		}
	}
	return ""
}

// unspell undoes spell, as whoever reads our JSON would.
func unspell(s string) string {
	var b []byte
	for s != "" {
		rest, found := strings.CutPrefix(s, "\ufffd")
		switch {
		case !found:
			b, s = append(b, s[0]), s[1:]
		case strings.HasPrefix(rest, "\ufffd"):
			b, s = append(b, "\ufffd"...), rest[len("\ufffd"):]
		default:
			var x byte
			if _, err := fmt.Sscanf(rest[:2], "%02x", &x); err != nil {
				panic(err)
			}
			b, s = append(b, x), rest[2:]
		}
	}
	return string(b)
}

// FuzzPrint puts a text that strangers choose wherever a value may have it. What is
// printed obeys nobody and stays on its line; JSON tells it from every other text.
func FuzzPrint(f *testing.F) {
	for _, s := range []string{
		"", "plain", "a\nverified: b", "\x1b[2J", "\u202egpj", "\u2066", "\u009b31m", "\xff", "\xfe", "\ufffd", "\ufffdff", "\ufffd\xff", `\xff`, `\ufffd`,
		"\u2028", "\ufeff", "\U000e0041", "<&>", "\x00", "\x7f", "e\u0301", "\xed\xa0\x80", "\xc3",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, v := range []any{s, errors.New(s), abi.RunID(s), []byte(s), &abi.Error{What: s, Where: s, Err: errors.New(s)}, []string{s}, struct{ S string }{s}} {
			for _, verb := range []string{"%s", "%v", "%q", "%-20s", "%5.3s"} {
				var b bytes.Buffer
				if err := printf(&b, verb+"|\n", v); err != nil {
					t.Fatal(err)
				}
				if l := loud(b.Bytes(), true); l != "" || bytes.Count(b.Bytes(), []byte("\n")) != 1 {
					t.Errorf("%s of %q (%T) prints %q: %s", verb, s, v, b.Bytes(), l)
				}
			}
		}
		var row bytes.Buffer
		table(&row, "A", "B").row(s, s)
		var shown bytes.Buffer
		c := table(&shown, "A", "B")
		c.row(s, s)
		c.Flush()
		if l := loud(shown.Bytes(), true); l != "" || bytes.Count(shown.Bytes(), []byte("\n")) != 2 {
			t.Errorf("%q in a table: %q %s", s, shown.Bytes(), l)
		}

		was := everywhere(s)
		b, err := encode(was, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if l := loud(b, true); l != "" {
			t.Errorf("%q in JSON: %s in %s", s, l, b)
		}
		var got outer
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatalf("%v in %s", err, b)
		}
		a, _ := got.Any.(map[string]any)
		for where, text := range map[string]string{
			"a field": got.Name, "a list": got.List[0].Name, "a pointer": got.Next.Name, "an array": got.Two[1], "an interface": a["name"].(string),
		} {
			if unspell(text) != s || !strings.ContainsRune(s, utf8.RuneError) && utf8.ValidString(s) && text != s {
				t.Errorf("%q in %s is %q", s, where, text)
			}
		}
		for k, v := range got.Map {
			if unspell(k) != s || unspell(v) != s {
				t.Errorf("%q in a map is %q: %q", s, k, v)
			}
		}
		if string(got.Bytes) != s || !reflect.DeepEqual(was, everywhere(s)) {
			t.Errorf("%q: bytes are %q, or what was encoded was changed", s, got.Bytes)
		}
	})
}

// TestForeignJSON: JSON that others made is passed on, and obeys nobody either.
func TestForeignJSON(t *testing.T) {
	b, err := encode(json.RawMessage("{\"a\": \"\u202e\x7f\xff\"}"), "", "")
	if err != nil || string(b) != `{"a":"\u202e\u007f\ufffdff"}` {
		t.Errorf("%s %v", b, err)
	}
}
