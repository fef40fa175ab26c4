package policy

import (
	"fmt"
	"iter"
	"slices"
	"strconv"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	xast "github.com/cedar-policy/cedar-go/x/exp/ast"

	"github.com/forgeone/forgeone/abi"
)

// ruleset is what a program decides by, whatever the trust: the rules of all
// sources for one identity. It is immutable.
type ruleset struct {
	id        Identity
	grants    []Grant
	epoch     uint64
	principal types.Entity
	byKey     map[cedar.PolicyID]*rule
	// index holds, for each action and kind, the rules whose scope can match, in
	// order of source. A rule whose scope does not match can neither hold nor err,
	// so leaving it out changes nothing.
	index [abi.ActionSlots][]ruleList
	// folders are the files that rules name: those that a File may have to be
	// known to lie in.
	folders map[string]struct{}
	marks   []landmark
}

// ruleList is a list of rules in the form that cedar-go iterates over.
type ruleList []*rule

// All returns the rules with their keys.
func (l ruleList) All() iter.Seq2[cedar.PolicyID, *cedar.Policy] {
	return func(yield func(cedar.PolicyID, *cedar.Policy) bool) {
		for _, r := range l {
			if !yield(r.key, r.policy) {
				return
			}
		}
	}
}

// Compile makes the program of the sources, which are joined, for one identity:
// what any permit of theirs permits is allowed unless a forbid of theirs forbids
// it. Base is among them only if the caller puts it there. The grants are those
// of the run, by the numbers in abi.Object.Grant. Sources that Check would not
// pass are refused.
func Compile(sources []Source, id Identity, epoch uint64, t abi.Trust, grants []Grant) (*Program, error) {
	rules, err := join(sources)
	if err != nil {
		return nil, err
	}
	s := &ruleset{id: id, grants: append([]Grant(nil), grants...), epoch: epoch, byKey: make(map[cedar.PolicyID]*rule, len(rules))}
	s.principal = principalOf(id)
	for _, r := range rules {
		s.byKey[r.key] = r
	}
	onFiles := map[*rule]bool{}
	for _, a := range abi.Actions() {
		lists := make([]ruleList, len(resourceKinds())+1)
		for _, k := range applies(a) {
			for _, r := range rules {
				if s.inScope(r, words().uids[a.Slot()], k) {
					lists[k] = append(lists[k], r)
					onFiles[r] = onFiles[r] || k == abi.ObjFile
				}
			}
		}
		s.index[a.Slot()] = lists
	}
	s.survey(slices.DeleteFunc(rules, func(r *rule) bool { return !onFiles[r] }))
	return newProgram(s, t), nil
}

// join parses the sources and gives every rule an id and key of its own.
func join(sources []Source) ([]*rule, error) {
	if len(sources) > maxSources {
		return nil, &abi.Error{Code: abi.CodePolicyTooLarge, What: fmt.Sprintf("%d policy files, at most %d are allowed", len(sources), maxSources)}
	}
	var rules []*rule
	files, ids := map[string]bool{}, map[string]*rule{}
	for _, src := range sources {
		if files[src.Name] {
			return nil, &abi.Error{Code: abi.CodePolicyDuplicate, What: "two policy files have the same name", Where: src.Name, Hint: "rename one of them"}
		}
		files[src.Name] = true
		rs, ps := parse(src)
		if len(ps) > 0 {
			return nil, invalid(ps)
		}
		if rules = append(rules, rs...); len(rules) > MaxRules {
			return nil, &abi.Error{Code: abi.CodePolicyTooLarge, What: fmt.Sprintf("the policy files have more than %d rules together", MaxRules), Where: src.Name}
		}
	}
	for i, r := range rules {
		r.order, r.key = i, cedar.PolicyID(strconv.Itoa(i))
		if !r.named {
			continue
		}
		if o := ids[r.ID]; o != nil {
			return nil, &abi.Error{
				Code: abi.CodePolicyDuplicate, What: fmt.Sprintf("the rule %q is there twice, also at %s:%d", r.ID, o.File, o.Line),
				Where: fmt.Sprintf("%s:%d", r.File, r.Line), Hint: "give one of them another @id",
			}
		}
		ids[r.ID] = r
	}
	for _, r := range rules {
		if r.named {
			continue
		}
		if ids[r.ID] != nil {
			// An @id has no "#" and file names differ, so this one is free.
			r.ID = r.File + "#" + r.ID
		}
		ids[r.ID] = r
	}
	return rules, nil
}

// tenant is the tenant of workloads that have none.
const tenant = "local"

func principalOf(id Identity) types.Entity {
	in := id.Tenant
	if in == "" {
		in = tenant
	}
	parents := []types.EntityUID{types.NewEntityUID(typeTenant, types.String(in))}
	if id.Publisher != "" {
		parents = append(parents, types.NewEntityUID(typePublisher, types.String(id.Publisher)))
	}
	return types.Entity{
		UID:     types.NewEntityUID(typeWorkload, types.String(id.Workload)),
		Parents: types.NewEntityUIDSet(parents...),
		Attributes: types.NewRecord(types.RecordMap{
			"name": types.String(id.Workload), "publisher": types.String(id.Publisher),
			"standing": types.String(id.Standing.String()), "bare": types.Boolean(id.Bare),
		}),
	}
}

// inScope tells whether r's scope can match the action on an object of kind k.
func (s *ruleset) inScope(r *rule, action types.EntityUID, k abi.ObjectKind) bool {
	a := r.policy.AST()
	within := func(e types.Entity, u types.EntityUID) bool { return e.UID == u || e.Parents.Contains(u) }
	kind := types.EntityType(k.String())
	switch p := any(a.Principal).(type) {
	case xast.ScopeTypeEq:
		if p.Entity != s.principal.UID {
			return false
		}
	case xast.ScopeTypeIn:
		if !within(s.principal, p.Entity) {
			return false
		}
	case xast.ScopeTypeIs:
		if p.Type != typeWorkload {
			return false
		}
	case xast.ScopeTypeIsIn:
		if p.Type != typeWorkload || !within(s.principal, p.Entity) {
			return false
		}
	}
	act := words().actions[action]
	switch c := any(a.Action).(type) {
	case xast.ScopeTypeEq:
		if c.Entity != action {
			return false
		}
	case xast.ScopeTypeIn:
		if !within(act, c.Entity) {
			return false
		}
	case xast.ScopeTypeInSet:
		if !slices.ContainsFunc(c.Entities, func(u types.EntityUID) bool { return within(act, u) }) {
			return false
		}
	}
	switch c := any(a.Resource).(type) {
	case xast.ScopeTypeEq:
		return c.Entity.Type == kind
	case xast.ScopeTypeIn:
		return c.Entity.Type == kind
	case xast.ScopeTypeIs:
		return c.Type == kind
	case xast.ScopeTypeIsIn:
		return c.Type == kind && c.Entity.Type == kind
	}
	return true
}
