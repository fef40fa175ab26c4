package policy

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// cedarString returns valid UTF-8 text as a Cedar string literal on one line,
// with nothing unprintable in it.
func cedarString(s string) string { return `"` + cedarEscape(s, false) + `"` }

func cedarEscape(s string, pattern bool) string {
	var b strings.Builder
	for _, c := range s {
		switch {
		case c == '"' || c == '\\' || c == '*' && pattern:
			b.WriteByte('\\')
			b.WriteRune(c)
		case unicode.IsPrint(c):
			b.WriteRune(c)
		default:
			fmt.Fprintf(&b, `\u{%x}`, c)
		}
	}
	return b.String()
}

// shell returns s as one word of a shell's command line, with nothing
// unprintable in it. What plain quotes can't hold is written in the $'…' form of
// bash, zsh and POSIX 2024.
func shell(s string) string {
	plain, plainQuotes := s != "", true
	for _, c := range s {
		if c == utf8.RuneError || !unicode.IsPrint(c) {
			plain, plainQuotes = false, false
		} else if !(c < utf8.RuneSelf && isWord(byte(c)) || strings.ContainsRune("./-:@+,=%", c)) {
			plain = false
		}
	}
	switch {
	case plain:
		return s
	case plainQuotes:
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	var b strings.Builder
	b.WriteString("$'")
	for i := 0; i < len(s); {
		c, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case c == '\'' || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case unicode.IsPrint(c) && (c != utf8.RuneError || n > 1):
			b.WriteRune(c)
		default:
			for _, x := range []byte(s[i : i+n]) {
				fmt.Fprintf(&b, `\%03o`, x)
			}
		}
		i += n
	}
	b.WriteByte('\'')
	return b.String()
}

// clean makes a message that may quote foreign text fit for a terminal: one
// line, printable, not endless.
func clean(s string) string {
	const most = 400
	var b strings.Builder
	for _, c := range s {
		if b.Len() > most {
			b.WriteString("…")
			break
		}
		if unicode.IsPrint(c) {
			b.WriteRune(c)
		} else {
			fmt.Fprintf(&b, `\u{%x}`, c)
		}
	}
	return b.String()
}
