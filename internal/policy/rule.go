package policy

import (
	"fmt"
	"regexp"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/cedar-policy/cedar-go"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/trust"
)

// defaultSeverity is that of a forbid without @severity.
const defaultSeverity = 2

// maxNote bounds @advice and @description, in bytes.
const maxNote = 512

var idForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}$`)

// rule is one rule of a source. It is immutable once its program is compiled.
type rule struct {
	abi.Rule
	named    bool // by @id
	permit   bool
	severity uint8
	advice   string
	policy   *cedar.Policy
	key      cedar.PolicyID // unique in its program
	order    int            // among the rules of its program
}

// newRule reads the annotations of p, rule number n (from 0) of its source.
func newRule(n int, p *cedar.Policy, sp span) (*rule, []Problem) {
	r := &rule{
		Rule:   abi.Rule{ID: "policy" + strconv.Itoa(n), File: sp.src.Name, Line: p.Position().Line},
		permit: p.Effect() == cedar.Permit, policy: p,
	}
	if !r.permit {
		r.severity = defaultSeverity
	}
	var ps []Problem
	wrong := func(key, msg string) {
		ps = append(ps, sp.problem("@"+key, abi.CodePolicyAnnotation, msg))
	}
	for _, a := range p.AST().Annotations {
		v := string(a.Value)
		switch a.Key {
		case "id":
			if !idForm.MatchString(v) {
				wrong("id", "@id has 1 to 128 letters, digits or any of . _ : / @ -, and begins with a letter or digit")
			} else if len(v) >= len(basePrefix) && v[:len(basePrefix)] == basePrefix && !sp.src.isBase() {
				wrong("id", fmt.Sprintf("ids that begin with %q belong to the base policy", basePrefix))
			}
			r.ID, r.named = v, true
		case "severity":
			if len(v) != 1 || v[0] < '0' || v[0] > '0'+trust.MaxSeverity {
				wrong("severity", `@severity is "0" to "5"`)
			} else if r.permit {
				wrong("severity", "@severity has no meaning on a permit")
			} else {
				r.severity = v[0] - '0'
			}
		case "advice":
			r.advice = v
			fallthrough
		case "description":
			if len(v) > maxNote || !printable(v) {
				wrong(string(a.Key), fmt.Sprintf("@%s has at most %d bytes of printable text", a.Key, maxNote))
			}
		default:
			wrong(string(a.Key), fmt.Sprintf("@%s is not understood: there are @id, @severity, @advice and @description", a.Key))
		}
	}
	return r, ps
}

func printable(s string) bool {
	for _, c := range s {
		if !unicode.IsPrint(c) || c == utf8.RuneError {
			return false
		}
	}
	return true
}
