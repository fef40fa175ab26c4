package rewrite

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/forgeone/forgeone/abi"
)

// tally counts a folder's modules: those that the engine takes, set to core 2.0,
// and of those that it refuses, the ones that admission refuses itself; and the
// ones that admission says have a feature beyond core 2.0.
type tally struct{ valid, invalid, malformed, features int }

// suiteFolders are the folders of the suite with what is in them: a suite that
// shrinks, or that is no longer refused as it was, shows. The proposals' folders
// hold modules of features that this build does not have.
var suiteFolders = []struct {
	folder    string
	proposals bool
	want      tally
}{
	{"v1/testdata", false, tally{883, 1644, 774, 15}},
	{"v2/testdata", false, tally{1721, 2860, 897, 19}},
	{"../fuzzcases/testdata", false, tally{70, 1, 1, 1}},
	{"exception-handling/testdata", true, tally{0, 30, 30, 27}},
	{"extended-const/testdata", true, tally{5, 49, 34, 9}},
	{"tail-call/testdata", true, tally{0, 30, 30, 29}},
	{"threads/testdata", true, tally{0, 53, 53, 53}},
	{"typed-function-references/testdata", true, tally{199, 359, 137, 164}},
}

// TestSuiteAdmission rewrites every module of the suite: what the engine takes
// must be admitted and still be taken, what it refuses must be refused by one of
// the two. Of the proposals, admission may refuse what the engine takes without
// looking at its settings, but only by the feature's name.
func TestSuiteAdmission(t *testing.T) {
	rt := wazero.NewRuntimeWithConfig(t.Context(), wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(api.CoreFeaturesV2))
	for _, f := range suiteFolders {
		t.Run(f.folder, func(t *testing.T) {
			files, err := filepath.Glob(filepath.Join(suite(t), f.folder, "*.wasm"))
			if err != nil {
				t.Fatal(err)
			}
			var got tally
			for _, file := range files {
				name := filepath.Base(file)
				src, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				before := compile(rt, src)
				out, _, err := rewrite(src, DefaultCaps(), true)
				if abi.CodeOf(err) == abi.CodeModuleUnsupported {
					got.features++
				}
				switch {
				case before == nil && err != nil:
					got.valid++
					if !f.proposals || abi.CodeOf(err) != abi.CodeModuleUnsupported {
						t.Errorf("%s is valid and refused: %v", name, err)
					}
				case before == nil:
					got.valid++
					if after := compile(rt, out); after != nil {
						t.Errorf("%s is valid, rewritten it is not: %v", name, after)
					}
				case err == nil:
					got.invalid++
					if compile(rt, out) == nil {
						t.Errorf("%s is invalid (%v), rewritten it is valid", name, before)
					}
				default:
					got.invalid++
					got.malformed++
				}
			}
			if got != f.want {
				t.Errorf("%+v, want %+v", got, f.want)
			}
		})
	}
}

// TestSuiteScripts holds the scripts against the folders: every module that a
// script says is malformed or invalid was there to be tried, and is refused; what
// is left out is text, which no part of this program reads.
func TestSuiteScripts(t *testing.T) {
	rt := wazero.NewRuntimeWithConfig(t.Context(), wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(api.CoreFeaturesV2))
	scripts, err := filepath.Glob(filepath.Join(suite(t), "v2", "testdata", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	// Constant expressions that read a mutable global, which the engine lets
	// through. It must be an imported one, and nobody may import a global here.
	lax := map[string]bool{"data.57.wasm": true, "data.60.wasm": true, "elem.47.wasm": true, "elem.50.wasm": true, "global.22.wasm": true}
	type count struct{ valid, malformed, ours, invalid, text int }
	var got count
	for _, script := range scripts {
		b, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		var s struct{ Commands []command }
		if err := json.Unmarshal(b, &s); err != nil {
			t.Fatal(err)
		}
		for _, c := range s.Commands {
			if c.Filename == "" {
				continue
			}
			if strings.HasSuffix(c.Filename, ".wat") {
				if c.Type != "assert_malformed" {
					t.Errorf("%s:%d: %s of text", filepath.Base(script), c.Line, c.Type)
				}
				got.text++
				continue
			}
			src, err := os.ReadFile(filepath.Join(filepath.Dir(script), c.Filename))
			if err != nil {
				t.Error(err)
				continue
			}
			out, _, err := rewrite(src, DefaultCaps(), true)
			accepted := err == nil && compile(rt, out) == nil
			switch c.Type {
			case "assert_malformed", "assert_invalid":
				if lax[c.Filename] {
					if _, err := Inspect(src, DefaultCaps()); abi.CodeOf(err) != abi.CodeModuleImportKind {
						t.Errorf("%s:%d: %v", c.Filename, c.Line, err)
					}
				} else if accepted {
					t.Errorf("%s:%d: %s, and accepted", c.Filename, c.Line, c.Type)
				}
				if c.Type == "assert_invalid" {
					got.invalid++
					break
				}
				got.malformed++
				if err != nil {
					got.ours++
				}
			default: // modules, and those that don't link or trap when they start
				got.valid++
				if !accepted {
					t.Errorf("%s:%d: valid, and refused: %v", c.Filename, c.Line, err)
				}
			}
		}
	}
	if want := (count{1716, 719, 719, 2146, 1091}); got != want || len(scripts) != 148 {
		t.Errorf("%d scripts, %+v, want %+v", len(scripts), got, want)
	}
}
