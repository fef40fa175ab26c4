package provider

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestSqueeze: a squeezed text has the components that it had, and as many slashes at
// its end as matter.
func TestSqueeze(t *testing.T) {
	for to, want := range map[string]string{
		"a": "a", "a/b": "a/b", "a//b": "a/b", "a////": "a/", "a/./b": "a/b", "./a": "./a", ".//././a": "./a", "a/.": "a/.", "a/./": "a/",
		"..": "..", "../..//./x/": "../../x/", ".": ".", "./": "./", "a/.//./.b": "a/.b",
	} {
		if got := squeeze(to); got != want {
			t.Errorf("squeeze(%q) = %q, want %q", to, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		to := strings.TrimLeft(rapid.StringMatching(`[a./]{1,12}`).Draw(t, "to"), "/")
		comps := func(s string) (list []string, slash bool) {
			for _, c := range strings.Split(s, "/") {
				if c != "" && c != "." {
					list = append(list, c)
				}
			}
			return list, strings.HasSuffix(s, "/")
		}
		was, slash := comps(to)
		is, still := comps(squeeze(to))
		if strings.Join(was, "/") != strings.Join(is, "/") || slash != still {
			t.Fatalf("%q is %q", to, squeeze(to))
		}
	})
}
