package policy

import (
	"fmt"
	"strings"
	"unicode"
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
