package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go/types"
	xast "github.com/cedar-policy/cedar-go/x/exp/ast"

	"github.com/forgeone/forgeone/abi"
)

// landmark is a pattern of paths that a rule tells apart from others.
//
// Rules tell paths apart in three ways only: by a string or an entity id that
// the path equals, by a like, and by being in a folder. All strings, ids, likes
// and folders that rules name, and the principal's own strings, are landmarks;
// so two names that match the same landmarks are decided alike, and so are all
// names beneath two folders if no landmark can tell them apart from there on.
type landmark struct {
	glob glob
	rule *rule // nil for the principal's strings
}

// survey collects landmarks and folders from the rules.
func (s *ruleset) survey(rules []*rule) {
	s.folders = map[string]struct{}{}
	seen := map[string]bool{}
	add := func(g glob, r *rule) {
		if key := fmt.Sprint([]int16(g)); g.rooted() && !seen[key] {
			seen[key] = true
			s.marks = append(s.marks, landmark{g, r})
		}
	}
	add(literalGlob(s.id.Workload), nil)
	add(literalGlob(s.id.Publisher), nil)
	for _, r := range rules {
		visit(r.policy, func(u types.EntityUID) {
			if u.Type != typeFile {
				return
			}
			name := string(u.ID)
			s.folders[name] = struct{}{}
			add(literalGlob(name), r)
			add(append(literalGlob(strings.TrimSuffix(name, "/")+"/"), star), r)
		}, func(n xast.IsNode) {
			switch n := n.(type) {
			case xast.NodeTypeLike:
				add(parseGlob(n.Value), r)
			case xast.NodeValue:
				if v, ok := n.Value.(types.String); ok {
					add(literalGlob(string(v)), r)
				}
			}
		})
	}
}

// destination is the second name of o. It lies where its name says; if that is
// not in the source's grant, the world answers EXDEV whatever is decided.
func (s *ruleset) destination(o *abi.Object) subject {
	to := subject{kind: o.Kind, name: o.Name2}
	longest := -1
	for i, g := range s.grants {
		if in := g.Guest == "/" || o.Name2 == g.Guest || strings.HasPrefix(o.Name2, g.Guest+"/"); in && len(g.Guest) > longest {
			to.grant, longest = i+1, len(g.Guest)
		}
	}
	return to
}

// widens tells why moving or linking what is at from to the name to would widen
// what may be done with it, "" if it would not: "Moving is access". A folder
// takes what is in it along, so it may not pass a rule that names something
// beneath either name; and the destination may allow nothing that the source does
// not.
func (p *Program) widens(from, to subject, folder bool) (answer, string) {
	if from.name == to.name {
		return answer{}, ""
	}
	alike := from.grant == to.grant
	for _, m := range p.set.marks {
		a, b := m.glob.walk([]int{0}, from.name), m.glob.walk([]int{0}, to.name)
		alike = alike && m.glob.done(a) == m.glob.done(b)
		if folder && !slices.Equal(m.glob.walk(a, "/"), m.glob.walk(b, "/")) {
			r := answer{reason: abi.ReasonMove}
			if m.rule != nil {
				r.rules = []*rule{m.rule}
			}
			return r, "a rule tells names beneath the source and beneath the destination apart"
		}
	}
	if alike {
		return answer{}, ""
	}
	for _, a := range abi.Actions() {
		if !slices.Contains(words().applies[a.Slot()], abi.ObjFile) {
			continue
		}
		if p.ask(a, to).verdict != abi.Allow {
			continue
		}
		if r := p.ask(a, from); r.verdict != abi.Allow {
			return answer{reason: abi.ReasonMove, rules: r.rules}, fmt.Sprintf("the destination allows %v and the source does not", a)
		}
	}
	return answer{}, ""
}
