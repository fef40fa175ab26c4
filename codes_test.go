package forgeone_test

import (
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
