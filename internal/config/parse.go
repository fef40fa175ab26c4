package config

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/forgeone/forgeone/abi"
)

// The shape needs two levels and short lines. What could make a parser nest
// deeply or work long (brackets, indentation, one line of many dashes) is bounded
// before it sees the text.
const (
	maxNesting = 64
	maxLine    = 512 // bytes
)

// Parse checks text, which need not be signed, and returns it as a Config. name
// stands for the file in errors, which say line and column.
func Parse(name string, text []byte) (*Config, error) {
	text = canonical(text)
	if len(text) > MaxSize {
		return nil, tooLarge(name)
	}
	s := source{name, text}
	doc, err := s.decode()
	if err != nil {
		return nil, err
	}
	c := &Config{text: bytes.Clone(text), digest: Digest(text)}
	for _, f := range doc.bind(c) {
		if f.leaf.tok == nil {
			continue // absent: the default, which bind has set
		}
		if problem := f.set(f.leaf.text); problem != "" {
			return nil, s.problem(abi.CodeCfgValue, f.leaf.tok, fmt.Sprintf("%s: %s", f.name, problem))
		}
	}
	c.caps.Depth, c.caps.Table = c.limits.Depth, int(c.limits.Table)
	return c, nil
}

// source is a text with its name.
type source struct {
	name string
	text []byte
}

// decode reads the document's shape: known fields, each at most once, with
// plain values.
func (s source) decode() (*document, error) {
	if at, why := s.unsafe(); why != "" {
		line := bytes.Count(s.text[:at], []byte("\n")) + 1
		return nil, s.at(abi.CodeCfgSyntax, line, at-bytes.LastIndexByte(s.text[:at], '\n'), why)
	}
	file, err := guard(func() (*ast.File, error) { return parser.ParseBytes(s.text, 0) })
	if err != nil {
		return nil, s.syntax(err)
	}
	if len(file.Docs) > 1 {
		return nil, s.problem(abi.CodeCfgSyntax, file.Docs[1].Start, "a second document is not allowed")
	}
	plain := &plainness{}
	for _, doc := range file.Docs {
		ast.Walk(plain, doc)
	}
	if plain.why != "" {
		return nil, s.problem(abi.CodeCfgSyntax, plain.tok, plain.why)
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return &document{}, nil
	}
	d, err := guard(func() (*document, error) {
		d := &document{}
		return d, yaml.NewDecoder(bytes.NewReader(nil), yaml.Strict()).DecodeFromNode(file.Docs[0].Body, d)
	})
	if err != nil {
		return nil, s.syntax(err)
	}
	return d, nil
}

// guard runs a step of the YAML library and makes an error of its panics: a
// text, be it the operator's own, must not end the process.
func guard[T any](step func() (T, error)) (v T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the YAML library failed on this text: %v", p)
		}
	}()
	return step()
}

// unsafe returns the offset of the first byte that is not for the parser, and
// why; "" when there is none.
func (s source) unsafe() (at int, why string) {
	depth, line, indented := 0, 0, true // line is the offset of the line's first byte
	for i := 0; i < len(s.text); {
		r, n := utf8.DecodeRune(s.text[i:])
		switch {
		case r == utf8.RuneError && n < 2:
			return i, "text must be UTF-8"
		case r == '\t':
			return i, "a tab is not allowed: indent with spaces"
		case r < ' ' && r != '\n' && r != '\r', r == 0x7f:
			return i, "a control character is not allowed"
		case r == '[' || r == '{':
			depth++
		case (r == ']' || r == '}') && depth > 0:
			depth--
		}
		indented = indented && r == ' '
		switch {
		case r == '\n':
			line, indented = i+1, true
		case depth > maxNesting || indented && i-line > maxNesting:
			return i, "nested deeper than a configuration is"
		case i-line >= maxLine:
			return i, "a line is longer than " + strconv.Itoa(maxLine) + " bytes"
		}
		i += n
	}
	return 0, ""
}

// syntax makes an error of the YAML library's, at its place.
func (s source) syntax(err error) error {
	var e yaml.Error
	if errors.As(err, &e) && e.GetToken() != nil {
		return s.problem(abi.CodeCfgSyntax, e.GetToken(), e.GetMessage())
	}
	return &abi.Error{Code: abi.CodeCfgSyntax, What: "the configuration can't be read", Where: s.name, Err: err}
}

func (s source) problem(code abi.Code, t *token.Token, what string) error {
	if t == nil || t.Position == nil {
		return &abi.Error{Code: code, What: what, Where: s.name}
	}
	return s.at(code, t.Position.Line, t.Position.Column, what)
}

// at makes an error that shows the line with a caret under the column, both from 1.
func (s source) at(code abi.Code, line, column int, what string) error {
	e := &abi.Error{Code: code, What: what, Where: fmt.Sprintf("%s:%d:%d", s.name, line, column), Hint: "forgeone config show"}
	lines := strings.Split(string(s.text), "\n")
	if line < 1 || line > len(lines) {
		return e
	}
	shown := strings.TrimRight(strings.ToValidUTF8(lines[line-1], "?"), "\r")
	if len(shown) <= 160 {
		prefix := fmt.Sprintf("%4d | ", line)
		e.Err = errors.New("\n" + prefix + printable(shown) + "\n" + strings.Repeat(" ", len(prefix)+max(column-1, 0)) + "^")
	}
	return e
}

// printable replaces control characters, so that a line draws nothing.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s)
}

// plainness finds the first node that is more than a mapping or a plain value,
// or a value that is not there: the decoder would take both.
type plainness struct {
	tok *token.Token
	why string
}

// Visit implements ast.Visitor.
func (p *plainness) Visit(n ast.Node) ast.Visitor {
	switch n := n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode, *ast.DirectiveNode:
		p.refuse(n, "anchors, aliases, merges, tags and directives are not allowed")
	case *ast.MappingValueNode:
		// A section may be empty, its fields commented out; a field may not.
		name := n.Key.GetToken().Value
		if _, null := n.Value.(*ast.NullNode); null && name != "limits" && name != "admission" && name != "retention" {
			p.refuse(n.Key, "the value is missing")
		}
	}
	if p.why != "" {
		return nil
	}
	return p
}

func (p *plainness) refuse(n ast.Node, why string) {
	if p.why == "" {
		p.tok, p.why = n.GetToken(), why
	}
}

// leaf is one value as written; tok is nil while it is absent.
type leaf struct {
	text string
	tok  *token.Token
}

// UnmarshalYAML implements yaml.NodeUnmarshaler.
func (l *leaf) UnmarshalYAML(n ast.Node) error {
	switch n := n.(type) {
	case *ast.StringNode:
		l.text = n.Value
	case *ast.IntegerNode:
		l.text = n.Token.Value
	case *ast.BoolNode:
		l.text = n.Token.Value
	default:
		return &yaml.SyntaxError{Message: "a single number or word is wanted here", Token: n.GetToken()}
	}
	l.tok = n.GetToken()
	return nil
}
