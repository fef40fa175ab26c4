package policy

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/forgeone/forgeone/abi"
)

// scan looks for what cedar-go's recursive parser and validator could not take,
// before they see the text: rules nested too deep, with too many operators, with
// endless type names. It reads strings and comments as cedar-go's scanner does,
// and leaves all other errors to it.
func scan(s Source) *Problem {
	text := string(s.Text)
	var depth, operators, path, rules int
	for i := 0; i < len(text); {
		at, c := i, text[i]
		i++
		step := 0
		switch {
		case c == '"':
			for i < len(text) && text[i] != '"' {
				if text[i] == '\\' {
					i++
				}
				i++
			}
			i++
			path = 0
		case c == '/' && i < len(text) && text[i] == '/':
			for i < len(text) && text[i] != '\n' {
				i++
			}
		case c == '/' && i < len(text) && text[i] == '*':
			end := strings.Index(text[i+1:], "*/")
			if end < 0 {
				return nil // a syntax error
			}
			i += 1 + end + 2
		case c == ':':
			path++
		case c == '(' || c == '[' || c == '{':
			depth++
			step = 1
		case c == ')' || c == ']' || c == '}':
			depth--
		case c == ';':
			depth, operators, path = 0, 0, 0
			rules++
		case strings.IndexByte("|&!=<>+-*.", c) >= 0:
			step = 1
			path = 0
		case isWord(c):
			for i < len(text) && isWord(text[i]) {
				i++
			}
			switch text[at:i] {
			case "if", "has", "like", "in", "is":
				step = 1
			}
		case strings.IndexByte(" \t\r\n", c) < 0:
			path = 0
		}
		operators += step
		what := ""
		switch {
		case depth > maxDepth:
			what = fmt.Sprintf("brackets are nested more than %d deep", maxDepth)
		case operators > 2*maxOperators: // most have two characters
			what = fmt.Sprintf("the rule has more than %d operators", maxOperators)
		case path > 2*maxPath:
			what = fmt.Sprintf("the name has more than %d parts", maxPath)
		case rules > MaxRules:
			what = fmt.Sprintf("there are more than %d rules", MaxRules)
		}
		if what != "" {
			p := problemAt(s, at, abi.CodePolicyTooLarge, what)
			return &p
		}
	}
	return nil
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// problemAt is a problem at the byte offset off of s.
func problemAt(s Source, off int, code abi.Code, msg string) Problem {
	before := string(s.Text[:min(off, len(s.Text))])
	start := strings.LastIndexByte(before, '\n') + 1
	return Problem{
		File: s.Name, Line: 1 + strings.Count(before, "\n"), Col: 1 + utf8.RuneCountInString(before[start:]),
		Code: code, Msg: msg,
	}
}
