package policy

import (
	"path"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"

	"github.com/forgeone/forgeone/abi"
)

// subject is one object by one name: what one question to cedar-go is about.
type subject struct {
	kind  abi.ObjectKind
	name  string
	grant int
}

// entities answers cedar-go's questions for one evaluation: the principal, the
// actions with their groups, and the one resource.
type entities struct {
	principal, resource *types.Entity
	actions             types.EntityMap
}

// Get implements cedar-go's EntityGetter.
func (e *entities) Get(u types.EntityUID) (types.Entity, bool) {
	switch u {
	case e.resource.UID:
		return *e.resource, true
	case e.principal.UID:
		return *e.principal, true
	}
	a, ok := e.actions[u]
	return a, ok
}

// resourceOf is the Cedar entity of x. A File's parents are those folders above
// it that rules name, however high above: with others no rule can tell it.
func (s *ruleset) resourceOf(x subject) types.Entity {
	id := x.name
	if ids := named(x.kind); len(ids) == 1 {
		id = ids[0]
	}
	e := types.Entity{UID: types.NewEntityUID(types.EntityType(x.kind.String()), types.String(id))}
	if x.kind != abi.ObjFile {
		return e
	}
	var in []types.EntityUID
	if len(s.folders) > 0 {
		for dir := x.name; dir != "/" && strings.HasPrefix(dir, "/"); {
			dir = path.Dir(dir)
			if _, ok := s.folders[dir]; ok {
				in = append(in, types.NewEntityUID(typeFile, types.String(dir)))
			}
		}
	}
	e.Parents = types.NewEntityUIDSet(in...)
	var g Grant
	if x.grant > 0 {
		g = s.grants[x.grant-1]
	}
	e.Attributes = types.NewRecord(types.RecordMap{
		"path": types.String(x.name), "mount": types.String(g.Guest), "readonly": types.Boolean(g.ReadOnly),
	})
	return e
}

// contextOf is Cedar's context. Nothing approves calls yet, so approved is false.
func contextOf(t abi.Trust, granted bool) types.Record {
	return types.NewRecord(types.RecordMap{
		"trust": types.Long(t.T()), "provenance": types.Long(t.P), "attestation": types.Long(t.A), "conduct": types.Long(t.C),
		"anomaly": types.Long(t.N), "resources": types.Long(t.R), "approved": types.False, "granted": types.Boolean(granted),
	})
}

// answer is what the rules say about one subject.
type answer struct {
	verdict abi.Verdict
	reason  abi.Reason
	rules   []*rule // that made it so
	diag    cedar.Diagnostic
}

// ask asks cedar-go whether a is allowed on x. A rule that fails while it is
// evaluated denies: it might have been a forbid that matches.
func (p *Program) ask(a abi.Action, x subject) answer {
	s, w := p.set, words()
	if !slices.Contains(w.applies[a.Slot()], x.kind) {
		return answer{reason: abi.ReasonNoPermit}
	}
	if x.kind == abi.ObjFile && (x.grant < 0 || x.grant > len(s.grants)) {
		return answer{reason: abi.ReasonError} // a grant that the run was not compiled for
	}
	decision, diag := p.authorize(s.index[a.Slot()][x.kind], a, x)
	ok := decision == cedar.Allow
	r := answer{diag: diag}
	for _, d := range diag.Reasons {
		r.rules = append(r.rules, s.byKey[d.PolicyID])
	}
	switch {
	case !ok && len(r.rules) > 0:
		r.reason = abi.ReasonForbid
		slices.SortStableFunc(r.rules, func(a, b *rule) int { return int(b.severity) - int(a.severity) })
	case len(diag.Errors) > 0:
		r.reason, r.rules = abi.ReasonError, nil
		for _, e := range diag.Errors {
			r.rules = append(r.rules, s.byKey[e.PolicyID])
		}
	case ok:
		r.verdict, r.reason = abi.Allow, abi.ReasonPermit
	default:
		r.reason = abi.ReasonNoPermit
	}
	return r
}

// authorize has cedar-go evaluate rules.
func (p *Program) authorize(rules ruleList, a abi.Action, x subject) (cedar.Decision, cedar.Diagnostic) {
	s, w := p.set, words()
	res := s.resourceOf(x)
	return cedar.Authorize(rules, &entities{&s.principal, &res, w.actions}, cedar.Request{
		Principal: s.principal.UID, Action: w.uids[a.Slot()], Resource: res.UID, Context: p.context[btoi(x.grant > 0)],
	})
}

// holds tells whether the permit r alone would allow a on x.
func (p *Program) holds(a abi.Action, x subject, r *rule) bool {
	d, _ := p.authorize(ruleList{r}, a, x)
	return d == cedar.Allow
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
