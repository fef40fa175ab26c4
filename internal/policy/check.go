package policy

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/cedar-policy/cedar-go"
	xast "github.com/cedar-policy/cedar-go/x/exp/ast"

	"github.com/forgeone/forgeone/abi"
)

// maxProblems bounds what Check reports of one source.
const maxProblems = 100

// Problem is why a policy is not accepted.
type Problem struct {
	File string
	Line int // from 1
	Col  int // in characters, from 1
	Code abi.Code
	Msg  string
}

// String returns "file:line:col: message".
func (p Problem) String() string { return fmt.Sprintf("%s: %s", p.where(), p.Msg) }

func (p Problem) where() string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col) }

// Err returns p as an error for people.
func (p Problem) Err() *abi.Error {
	return &abi.Error{Code: p.Code, What: "policy is not accepted: " + p.Msg, Where: p.where(), Hint: "forgeone policy check " + abi.Shell(p.File)}
}

// Check reads s and holds it strictly against the schema. It returns every
// problem it finds, at most 100, in order of line; none means that the source is
// valid. It keeps nothing of s.
func Check(s Source) []Problem {
	_, ps := parse(s)
	return ps
}

// parse returns the rules of s, or its problems.
func parse(s Source) ([]*rule, []Problem) {
	if len(s.Text) > MaxText {
		return nil, []Problem{problemAt(s, 0, abi.CodePolicyTooLarge, fmt.Sprintf("the text has %d bytes, at most %d are allowed", len(s.Text), MaxText))}
	}
	if p := scan(s); p != nil {
		return nil, []Problem{*p}
	}
	list, err := cedar.NewPolicyListFromBytes(s.Name, s.Text)
	if err != nil {
		return nil, []Problem{syntax(s, err)}
	}
	var rules []*rule
	var ps []Problem
	ids := map[string]int{}
	for i, p := range list {
		end := len(s.Text)
		if i+1 < len(list) {
			end = list[i+1].Position().Offset
		}
		sp := span{s, p.Position().Offset, end}
		r, found := newRule(i, p, sp)
		found = append(found, fits(p, sp)...)
		found = append(found, names(p, sp)...)
		if line, dup := ids[r.ID]; dup {
			found = append(found, sp.problem("@id", abi.CodePolicyDuplicate, fmt.Sprintf("the rule in line %d has the id %q too", line, r.ID)))
		} else if r.named {
			ids[r.ID] = r.Line
		}
		rules = append(rules, r)
		if ps = append(ps, found...); len(ps) >= maxProblems {
			ps = ps[:maxProblems]
			break
		}
	}
	if len(ps) > 0 {
		slices.SortStableFunc(ps, func(a, b Problem) int { return cmp.Or(a.Line-b.Line, a.Col-b.Col) })
		return nil, ps
	}
	return rules, nil
}

// span is the text of one rule within its source.
type span struct {
	src        Source
	start, end int
}

// problem is a problem at the first of the needles (given joined by NUL) that
// the rule's text holds, or else at its beginning.
func (sp span) problem(needles string, code abi.Code, msg string) Problem {
	text := string(sp.src.Text[sp.start:sp.end])
	for n := range strings.SplitSeq(needles, "\x00") {
		if i := strings.Index(text, n); n != "" && i >= 0 {
			return problemAt(sp.src, sp.start+i, code, clean(msg))
		}
	}
	return problemAt(sp.src, sp.start, code, clean(msg))
}

var (
	syntaxPlace = regexp.MustCompile(`<input>:(\d+):(\d+):? ?`)
	perAction   = regexp.MustCompile(` in context for Action::"[^"]*"`)
	quoted      = regexp.MustCompile("`([^`]+)`")
	missingAttr = regexp.MustCompile("^attribute `([^`]+)` on entity type `([^`]+)` not found")
)

// syntax turns cedar-go's error into a problem with its place.
func syntax(s Source, err error) Problem {
	msg := strings.TrimPrefix(err.Error(), "parser error: ")
	p := Problem{File: s.Name, Line: 1, Col: 1, Code: abi.CodePolicySyntax}
	if m := syntaxPlace.FindStringSubmatchIndex(msg); m != nil {
		p.Line, _ = strconv.Atoi(msg[m[2]:m[3]]) // digits
		p.Col, _ = strconv.Atoi(msg[m[4]:m[5]])
		msg = strings.TrimPrefix(msg[:m[0]]+msg[m[1]:], "parse error at ")
	}
	p.Line, p.Col = max(p.Line, 1), max(p.Col, 1)
	p.Msg = "syntax error: " + clean(msg)
	return p
}

// fits holds p against the schema.
func fits(p *cedar.Policy, sp span) []Problem {
	err := words().validator.Policy("", (*xast.Policy)(p.AST()))
	if err == nil {
		return nil
	}
	// The validator goes through maps: without order its messages would change.
	msgs := map[string]bool{}
	for _, e := range flatten(err) {
		msgs[perAction.ReplaceAllString(e.Error(), " in context")] = true
	}
	var ps []Problem
	for m := range msgs {
		needle := ""
		if q := quoted.FindStringSubmatch(m); q != nil {
			needle = "." + q[1] + "\x00" + q[1]
		}
		if a := missingAttr.FindStringSubmatch(m); a != nil {
			m += fmt.Sprintf("; where the rule can be on other types, ask first: resource is File && resource.%s", a[1])
		}
		ps = append(ps, sp.problem(needle, abi.CodePolicyInvalid, m))
	}
	slices.SortFunc(ps, func(a, b Problem) int { return cmp.Or(a.Line-b.Line, a.Col-b.Col, cmp.Compare(a.Msg, b.Msg)) })
	return ps[:min(len(ps), 5)]
}

func flatten(err error) []error {
	if j, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, e := range j.Unwrap() {
			all = append(all, flatten(e)...)
		}
		return all
	}
	return []error{err}
}

// invalid joins the problems of a source into one error for people: the first
// one's place, and how many more there are.
func invalid(ps []Problem) error {
	e := ps[0].Err()
	if n := len(ps) - 1; n > 0 {
		e.Err = errors.New(strconv.Itoa(n) + " more problems")
	}
	return e
}
