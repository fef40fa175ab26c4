package policy

import (
	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/trust"
)

// Match is one rule that had something to say about a call.
type Match struct {
	Rule     abi.Rule
	Effect   string // "permit" or "forbid"
	Name     string // which of the call's names it was about
	Error    string // why it could not be evaluated, "" if it matched
	Severity uint8  // of a forbid
	Advice   string
}

// Explanation is everything that can be said about a decision.
type Explanation struct {
	Decision *abi.Decision
	Matches  []Match // rules that matched or failed, in order of the sources
	// Threshold is the least trust at which the same call would be allowed, -1 if
	// there is none. For a lower trust components are lowered to it, for a higher
	// one raised to it.
	Threshold int
	// Change is what would turn a denial around (Hint), "" for an allowed call.
	Change string
}

// Explain decides action on o anew by the given sources, which are those that
// Compile had, and says why. It costs some hundred evaluations. The decision's
// epoch is 0: sources do not know the epoch they were in force as.
func Explain(sources []Source, id Identity, t abi.Trust, action abi.Action, o *abi.Object, grants ...Grant) (*Explanation, error) {
	p, err := Compile(sources, id, 0, t, grants)
	if err != nil {
		return nil, err
	}
	x := &Explanation{Decision: p.decideVia(action, o, p.decide(action, o)), Threshold: -1}
	x.Change = Hint(x.Decision, action, o, id, grants...)
	var about []subject
	for _, v := range o.Via {
		about = append(about, subject{abi.ObjFile, v.Name, v.Grant})
	}
	if o.Kind != abi.ObjNone && (o.Refused == abi.RefuseNone || asksFirst(action, o)) {
		about = append(about, subject{o.Kind, o.Name, o.Grant})
		if o.Name2 != "" {
			about = append(about, p.set.destination(o))
		}
	}
	if len(about) == 0 {
		return x, nil
	}
	for _, s := range about {
		x.Matches = append(x.Matches, p.matches(action, s)...)
	}
	for level := uint8(0); level <= trust.Max; level++ {
		at, was := p.With(leveled(t, level)), *o
		if at.decideVia(action, &was, at.decide(action, &was)).Verdict == abi.Allow {
			x.Threshold = int(level)
			break
		}
	}
	return x, nil
}

// leveled is t brought to trust level by changing no component more than it takes.
func leveled(t abi.Trust, level uint8) abi.Trust {
	to := func(c uint8) uint8 {
		if level < t.T() {
			return min(c, level)
		}
		return max(c, level)
	}
	return abi.Trust{P: to(t.P), A: to(t.A), C: to(t.C), N: to(t.N), R: to(t.R)}
}

func (p *Program) matches(a abi.Action, x subject) []Match {
	r := p.ask(a, x)
	said := map[*rule]string{}
	for _, d := range r.diag.Reasons {
		said[p.set.byKey[d.PolicyID]] = ""
	}
	for _, e := range r.diag.Errors {
		said[p.set.byKey[e.PolicyID]] = clean(e.Message)
	}
	// When a forbid holds, cedar-go does not say which permits did.
	var ms []Match
	for _, l := range p.set.index[a.Slot()][x.kind] {
		msg, ok := said[l]
		if !ok {
			if !l.permit || r.reason != abi.ReasonForbid || !p.holds(a, x, l) {
				continue
			}
		}
		effect := "forbid"
		if l.permit {
			effect = "permit"
		}
		ms = append(ms, Match{Rule: l.Rule, Effect: effect, Name: x.name, Error: msg, Severity: l.severity, Advice: l.advice})
	}
	return ms
}
