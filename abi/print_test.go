package abi

import (
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestLine(t *testing.T) {
	for s, want := range map[string]string{
		"plain, ünïcode \\ \"":  "plain, ünïcode \\ \"",
		"":                      "",
		"a\nb\tc\x1b[2J\x7f":    `a\nb\tc\x1b[2J\x7f`,
		"\u202ea\u2066\u200b":   `\u202ea\u2066\u200b`,
		"\u2028\u2029\u0085":    `\u2028\u2029\u0085`,
		"\xff\xfe":              `\xff\xfe`,
		"\ufffd":                "\ufffd",
		"\U000e0041":            `\U000e0041`,
		"before\xc3":            `before\xc3`,
		"no-break\u00a0space":   `no-break\u00a0space`,
		"\ufeffa byte order":    `\ufeffa byte order`,
		"日本語 👍 e\u0301":         "日本語 👍 e\u0301",
		"soft\u00adhyphen\r\n":  `soft\u00adhyphen\r\n`,
		"a back\\slash\nstays ": `a back\slash\nstays `,
	} {
		if got := Line(s); got != want {
			t.Errorf("%q: %s, want %s", s, got, want)
		}
	}
	if got := Block("a\n\tb\x1b\u202e"); got != "a\n\tb\\x1b\\u202e" {
		t.Errorf("%q", got)
	}
}

// tame tells whether s is one printable line.
func tame(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

func FuzzLine(f *testing.F) {
	for _, s := range []string{"", "a\nb", "\xff", "\u202e", "'\\", "-x", "=x", "a b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if l := Line(s); !tame(l) || tame(s) && l != s {
			t.Errorf("%q is %q", s, l)
		}
		if q := Shell(s); !tame(q) || q == "" {
			t.Errorf("%q is quoted as %q", s, q)
		}
		if q, ok := strings.CutPrefix(Shell(s), "$'"); ok {
			if strings.ContainsRune(strings.TrimSuffix(q, "'"), '\'') {
				t.Errorf("%q is quoted as %q, which ends early in a shell without such quotes", s, q)
			}
			return
		}
		if strings.HasPrefix(s, "-") {
			s = "./" + s
		}
		// Within plain quotes a shell takes everything as it is.
		if q := Shell(s); strings.HasPrefix(q, "'") && strings.ReplaceAll(q[1:len(q)-1], `'\''`, "'") != s {
			t.Errorf("%q is quoted as %q: %s", s, q, strconv.Quote(s))
		}
	})
}
