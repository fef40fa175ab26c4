package forgeone_test

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/forgeone/forgeone/abi"
)

// TestCodes: every code that the source names is explained, once, and well.
func TestCodes(t *testing.T) {
	known := map[string]bool{}
	for _, c := range abi.Codes() {
		if known[string(c.Code)] {
			t.Errorf("%s is explained twice", c.Code)
		}
		known[string(c.Code)] = true
		if c.Title == "" || len(c.Text) < 40 || c.Exit == 0 {
			t.Errorf("%s is explained too briefly: %+v", c.Code, c)
		}
	}
	code := regexp.MustCompile(`F1-[A-Z]{3}-[0-9]{3}`)
	named := 0
	err := filepath.WalkDir(".", func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
			return err
		}
		b, err := os.ReadFile(p)
		for _, c := range code.FindAllString(string(b), -1) {
			named++
			if !known[c] {
				t.Errorf("%s names %s, which `forgeone explain` does not know", p, c)
			}
		}
		return err
	})
	if err != nil || named < 50 {
		t.Fatalf("%d codes named: %v", named, err)
	}
}

// TestHintsPaste: what a hint takes from elsewhere is one word of a shell, whatever it
// holds: a name with a space or a line break must not become a command of its own.
func TestHintsPaste(t *testing.T) {
	// Texts that can't hold anything a shell would take apart: ids, constants, numbers, and
	// hints that were made elsewhere.
	tame := regexp.MustCompile(`^(string\((id|r\.ID|h\.Run|e\.Role|v\.f|in\.Recording\.Header\(\)\.Run)\)|hint|doctor|o\.Engine\.String\(\)|` +
		`netip\.AddrPortFrom\(.*\)\.String\(\)|strconv\.Format.*|h\.Run|size\(.*\)|more|found|text)$`)
	n := 0
	for _, s := range sources(t) {
		if s.isTest() || strings.HasPrefix(s.dir, "internal/rewrite") { // names of fields of the configuration
			continue
		}
		ast.Inspect(s.file, func(node ast.Node) bool {
			kv, ok := node.(*ast.KeyValueExpr)
			if !ok {
				return true
			}
			if k, ok := kv.Key.(*ast.Ident); !ok || k.Name != "Hint" {
				return true
			}
			var parts func(e ast.Expr)
			parts = func(e ast.Expr) {
				switch e := e.(type) {
				case *ast.BinaryExpr:
					parts(e.X)
					parts(e.Y)
				case *ast.BasicLit:
				default:
					n++
					from, to := e.Pos()-s.file.FileStart, e.End()-s.file.FileStart
					text := s.text[from:to]
					if !strings.HasPrefix(text, "abi.Shell(") && !tame.MatchString(text) {
						t.Errorf("%s/%s: a hint holds %s as it is", s.dir, s.name, text)
					}
				}
			}
			if b, ok := kv.Value.(*ast.BinaryExpr); ok {
				parts(b)
			}
			return true
		})
	}
	if n < 20 {
		t.Errorf("only %d parts of hints were found", n)
	}
}
