package abi

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line returns s as part of one line for people: what does not print is escaped, line
// breaks, control and direction characters, and bytes that are not UTF-8.
func Line(s string) string { return printable(s, "") }

// Block is Line for text of several lines: line breaks and tabs stay.
func Block(s string) string { return printable(s, "\n\t") }

func printable(s, also string) string {
	ok := func(c rune, n int) bool {
		return (unicode.IsPrint(c) || strings.ContainsRune(also, c)) && (c != utf8.RuneError || n > 1)
	}
	at := 0
	for at < len(s) {
		c, n := utf8.DecodeRuneInString(s[at:])
		if !ok(c, n) {
			break
		}
		at += n
	}
	if at == len(s) {
		return s
	}
	b := append(make([]byte, 0, len(s)+16), s[:at]...)
	for at < len(s) {
		c, n := utf8.DecodeRuneInString(s[at:])
		switch part := s[at : at+n]; {
		case ok(c, n):
			b = append(b, part...)
		default:
			q := strconv.Quote(part)
			b = append(b, q[1:len(q)-1]...)
		}
		at += n
	}
	return string(b)
}

// Shell returns s as one word of a shell's command line, for a hint to paste, with
// nothing in it that does not print. What plain quotes can't hold is written in the $'…'
// form of bash, zsh and POSIX 2024. No quote stands within it, so that a shell which does
// not know the form takes it for another word, and for one word. A word that begins as a
// flag does is taken for a file's.
func Shell(s string) string {
	if strings.HasPrefix(s, "-") {
		s = "./" + s
	}
	bare, plainQuotes := s != "", true
	for i, c := range s {
		if c == utf8.RuneError || !unicode.IsPrint(c) {
			bare, plainQuotes = false, false
		} else if !(c < utf8.RuneSelf && (isAlnum(byte(c)) || strings.ContainsRune("_./-:@+,=%", c))) || i == 0 && c == '=' {
			bare = false
		}
	}
	switch {
	case bare:
		return s
	case plainQuotes:
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	b := []byte("$'")
	for i := 0; i < len(s); {
		c, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case unicode.IsPrint(c) && (c != utf8.RuneError || n > 1) && c != '\'' && c != '\\':
			b = append(b, s[i:i+n]...)
		default:
			for _, x := range []byte(s[i : i+n]) {
				b = append(b, '\\', '0'+x>>6, '0'+x>>3&7, '0'+x&7)
			}
		}
		i += n
	}
	return string(append(b, '\''))
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
