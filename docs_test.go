package forgeone_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/forgeone/forgeone/abi"
)

var update = flag.Bool("update", false, "write the generated tables of docs/FORMATS.md")

// doc reads a page.
func doc(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// source is one Go file of this module, examples and bench excluded.
type source struct {
	dir  string // slash-separated, "" is the root
	name string
	text string
	file *ast.File
}

func sources(t *testing.T) (all []source) {
	t.Helper()
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch {
		case d.IsDir() && (slices.Contains([]string{"bench", "examples", "testdata", "test", "tools"}, d.Name()) || len(p) > 1 && d.Name()[0] == '.'):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(p, ".go"):
			return nil
		}
		text := doc(t, p)
		f, err := parser.ParseFile(token.NewFileSet(), p, text, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(filepath.Dir(p))
		if dir == "." {
			dir = ""
		}
		all = append(all, source{dir, d.Name(), text, f})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (s source) isTest() bool { return strings.HasSuffix(s.name, "_test.go") }

// golden compares the text between two markers of docs/FORMATS.md with want.
func golden(t *testing.T, marker, want string) {
	t.Helper()
	const name = "docs/FORMATS.md"
	page := doc(t, name)
	begin, end := "<!-- "+marker+": made by `go test . -run TestFormats -update` -->\n", "<!-- end -->\n"
	i := strings.Index(page, begin)
	if i < 0 {
		t.Fatalf("%s has no marker %q", name, begin)
	}
	i += len(begin)
	n := strings.Index(page[i:], end)
	if n < 0 {
		t.Fatalf("%s: %s does not end", name, marker)
	}
	if page[i:i+n] == want {
		return
	}
	if !*update {
		t.Errorf("%s: the table of %s is stale (go test . -run TestFormats -update); want\n%s", name, marker, want)
		return
	}
	if err := os.WriteFile(name, []byte(page[:i]+want+page[i+n:]), 0o644); err != nil {
		t.Fatal(err)
	}
}

var keyTag = regexp.MustCompile(`cbor:"(\d+),keyasint(,omitempty)?"`)

// TestFormatsFields: FORMATS.md lists every structure that is kept as CBOR,
// with its field numbers.
func TestFormatsFields(t *testing.T) {
	var rows []string
	for _, s := range sources(t) {
		if s.isTest() {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			st, ok := spec.Type.(*ast.StructType)
			if !ok {
				return true
			}
			var fields []string
			for _, f := range st.Fields.List {
				if f.Tag == nil || len(f.Names) != 1 {
					continue
				}
				if m := keyTag.FindStringSubmatch(f.Tag.Value); m != nil {
					opt := ""
					if m[2] != "" {
						opt = "°"
					}
					fields = append(fields, fmt.Sprintf("%s%s %s %s", m[1], opt, f.Names[0].Name, strings.ReplaceAll(types.ExprString(f.Type), "abi.", "")))
				}
			}
			if len(fields) > 0 {
				rows = append(rows, fmt.Sprintf("| `%s.%s` | %s |\n", s.dir, spec.Name.Name, strings.Join(fields, ", ")))
			}
			return true
		})
	}
	if len(rows) < 15 {
		t.Fatalf("only %d structures found", len(rows))
	}
	golden(t, "fields", "| structure | fields |\n|---|---|\n"+strings.Join(rows, ""))
}

// TestFormatsKinds: FORMATS.md lists every record kind with its body.
func TestFormatsKinds(t *testing.T) {
	want := "| number | kind | body |\n|---|---|---|\n"
	n := 0
	for k := range abi.Kind(1000) {
		if body := abi.NewBody(k); body != nil {
			want += fmt.Sprintf("| %d | `%s` | `abi.%s` |\n", k, k, reflect.TypeOf(body).Elem().Name())
			n++
		}
	}
	if n < 10 {
		t.Fatalf("only %d kinds found", n)
	}
	golden(t, "kinds", want)
}

// TestFormatsEnums: FORMATS.md has the numbers of every enumeration in records.
func TestFormatsEnums(t *testing.T) {
	list := func(from int, name func(uint8) string, none string) string {
		var all []string
		for i := from; i < 50 && !strings.HasPrefix(name(uint8(i)), none); i++ {
			all = append(all, fmt.Sprintf("%d %s", i, name(uint8(i))))
		}
		if len(all) > 40 {
			t.Fatalf("%s does not end", all[0])
		}
		return strings.Join(all, ", ")
	}
	golden(t, "enums", "| enumeration | numbers |\n|---|---|\n"+
		"| standing | "+list(0, func(n uint8) string { return abi.Standing(n).String() }, "standing(")+" |\n"+
		"| outcome | "+list(1, func(n uint8) string { return abi.Outcome(n).String() }, "diverged")+", "+
		list(int(abi.OutcomeDiverged)+1, func(n uint8) string { return abi.Outcome(n).String() }, "outcome(")+" |\n"+
		"| reason | "+list(1, func(n uint8) string { return abi.Reason(n).String() }, "reason(")+" |\n"+
		fmt.Sprintf("| verdict | %d deny, %d allow, %d escalate |\n", abi.Deny, abi.Allow, abi.Escalate)+
		fmt.Sprintf("| refusal | %d none, %d no grant, %d read-only, %d missing right, %d escape, %d move, %d kernel's own files |\n", abi.RefuseNone, abi.RefuseNoGrant, abi.RefuseReadOnly, abi.RefuseRights, abi.RefuseEscape, abi.RefuseMove, abi.RefuseSystem)+
		"| object kind | "+list(0, func(n uint8) string { return abi.ObjectKind(n).String() }, "kind(")+" |\n")
}

var (
	domainText = regexp.MustCompile("\"(forgeone/[a-z/-]+/v[0-9]+)\"")
	domainRow  = regexp.MustCompile("(?m)^\\| `(forgeone/[a-z/-]+/v[0-9]+)` \\|")
)

// TestFormatsDomains: the table of domains is complete and has no others.
func TestFormatsDomains(t *testing.T) {
	code, table := map[string]bool{}, map[string]bool{}
	for _, s := range sources(t) {
		if !s.isTest() {
			for _, m := range domainText.FindAllStringSubmatch(s.text, -1) {
				code[m[1]] = true
			}
		}
	}
	for _, m := range domainRow.FindAllStringSubmatch(doc(t, "docs/FORMATS.md"), -1) {
		if table[m[1]] {
			t.Errorf("domain %s stands twice in the table", m[1])
		}
		table[m[1]] = true
	}
	for d := range code {
		if !table[d] {
			t.Errorf("domain %s is in the code and not in docs/FORMATS.md", d)
		}
	}
	for d := range table {
		if !code[d] {
			t.Errorf("domain %s is in docs/FORMATS.md and not in the code", d)
		}
	}
	if len(code) < 20 {
		t.Errorf("only %d domains found", len(code))
	}
}

var (
	heading   = regexp.MustCompile("^## .*\\(`([a-z/]+)`\\)")
	testName  = regexp.MustCompile(`\b(?:([a-z][a-z0-9/]*)\.)?((?:Test|Fuzz)[A-Z]\w*|[a-z0-9_]+\.txtar)`)
	scriptDir = "cmd/forgeone/testdata/script/"
)

// TestSecurityTests: every test that SECURITY.md names is there. A name without
// a package is one of the package in the section's heading.
func TestSecurityTests(t *testing.T) {
	have := map[string]bool{}
	for _, s := range sources(t) {
		if !s.isTest() {
			continue
		}
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
				have[s.dir+"."+f.Name.Name] = true
			}
		}
	}
	dir, named, table := "", 0, false
	for i, l := range strings.Split(doc(t, "docs/SECURITY.md"), "\n") {
		if strings.HasPrefix(l, "## ") {
			dir = ""
		}
		if m := heading.FindStringSubmatch(l); m != nil {
			dir = m[1]
		}
		for _, m := range testName.FindAllStringSubmatch(l, -1) {
			named++
			if strings.HasSuffix(m[2], ".txtar") {
				if _, err := os.Stat(scriptDir + m[2]); err != nil {
					t.Errorf("docs/SECURITY.md:%d: %v", i+1, err)
				}
				continue
			}
			in := dir
			if m[1] == "root" {
				in = ""
			} else if m[1] != "" {
				in = m[1]
			}
			if !have[in+"."+m[2]] {
				t.Errorf("docs/SECURITY.md:%d: package %q has no %s", i+1, in, m[2])
			}
		}
		switch cells := strings.Split(l, "|"); {
		case l == "| attack | defence | test |":
			table = true
		case !strings.HasPrefix(l, "|"):
			table = false
		case table && !strings.HasPrefix(l, "|---") && (len(cells) != 5 || !testName.MatchString(cells[3])):
			t.Errorf("docs/SECURITY.md:%d: a row has attack, defence and test", i+1)
		}
	}
	if named < 80 {
		t.Errorf("docs/SECURITY.md names only %d tests", named)
	}
}

var floorRow = regexp.MustCompile("(?m)^\\| (\\d+) \\| `([a-zA-Z0-9/ ()]+)`[^|]*\\| [^|]+ \\|$")

// TestArchitecture: ARCHITECTURE.md has every package on its floor, and no other.
func TestArchitecture(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range floorRow.FindAllStringSubmatch(doc(t, "docs/ARCHITECTURE.md"), -1) {
		p := m[2]
		if p == "forgeone" {
			p = ""
		}
		at, ok := layer[p]
		if !ok {
			t.Errorf("docs/ARCHITECTURE.md: there is no package %q", m[2])
		} else if m[1] != fmt.Sprint(at) {
			t.Errorf("docs/ARCHITECTURE.md: %q stands on floor %d, not %s", m[2], at, m[1])
		}
		seen[p] = true
	}
	for p := range layer {
		if !seen[p] {
			t.Errorf("docs/ARCHITECTURE.md lacks package %q", p)
		}
	}
}

var link = regexp.MustCompile(`\]\(([^)#\s]*)(#[^)]*)?\)`)

// TestLinks: what the pages link to is there, anchors of headings included.
func TestLinks(t *testing.T) {
	pages, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range append(pages, "README.md", "CHANGELOG.md") {
		for _, m := range link.FindAllStringSubmatch(doc(t, p), -1) {
			if strings.HasPrefix(m[1], "https://") {
				continue
			}
			to := p
			if m[1] != "" {
				to = filepath.Join(filepath.Dir(p), m[1])
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s links to %s: %v", p, m[1], err)
				continue
			}
			if m[2] != "" && !anchors(doc(t, to))[m[2][1:]] {
				t.Errorf("%s links to %s%s, which has no such heading", p, m[1], m[2])
			}
		}
	}
}

var noAnchor = regexp.MustCompile(`[^\p{L}\p{N} _-]`)

// anchors are those that a page's headings get.
func anchors(page string) map[string]bool {
	as := map[string]bool{}
	for l := range strings.Lines(page) {
		if strings.HasPrefix(l, "#") {
			a := strings.ToLower(strings.TrimSpace(strings.TrimLeft(l, "#")))
			as[strings.ReplaceAll(noAnchor.ReplaceAllString(a, ""), " ", "-")] = true
		}
	}
	return as
}

// TestWrap: the lines of a page's text have at most 100 columns. Tables, blocks of code
// and a word that is longer stay as they are.
func TestWrap(t *testing.T) {
	pages, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, "README.md", "CHANGELOG.md") {
		code := false
		for i, line := range strings.Split(doc(t, page), "\n") {
			if strings.HasPrefix(strings.TrimSpace(line), "```") {
				code = !code
			}
			apart := code || strings.HasPrefix(line, "|") || strings.HasPrefix(line, "    ") || strings.HasPrefix(line, "`") && strings.Count(line, "`") == 2
			if n := len([]rune(line)); n > 100 && !apart {
				t.Errorf("%s:%d: %d columns", page, i+1, n)
			}
		}
	}
}
