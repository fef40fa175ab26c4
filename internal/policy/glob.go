package policy

import (
	"encoding/json"
	"slices"

	"github.com/cedar-policy/cedar-go/types"
)

// glob is a pattern of Cedar's like: bytes, and star for any number of them.
type glob []int16

const star = -1

func literalGlob(s string) glob {
	g := make(glob, len(s))
	for i := range len(s) {
		g[i] = int16(s[i])
	}
	return g
}

// parseGlob reads a pattern by its JSON form, the only public one.
func parseGlob(p types.Pattern) glob {
	var parts []any
	b, err := p.MarshalJSON()
	if err == nil {
		err = json.Unmarshal(b, &parts)
	}
	if err != nil {
		return glob{star} // taken to match everything
	}
	var g glob
	for _, part := range parts {
		if m, ok := part.(map[string]any); ok {
			s, _ := m["Literal"].(string)
			g = append(g, literalGlob(s)...)
		} else {
			g = append(g, star)
		}
	}
	return g
}

// rooted tells whether g can match anything that begins with a slash.
func (g glob) rooted() bool { return len(g) > 0 && (g[0] == star || g[0] == '/') }

// walk returns the positions in g that reading s from the positions in leads
// to, in rising order. Positions before the last star reached are left out: what
// they would match, the star matches too. So equal positions are equal futures.
func (g glob) walk(in []int, s string) []int {
	cur := g.settle(slices.Clone(in))
	var next []int
	for i := 0; i < len(s) && len(cur) > 0; i++ {
		next = next[:0]
		for _, p := range cur {
			if p == len(g) {
				continue
			}
			if g[p] == star {
				next = append(next, p)
			} else if g[p] == int16(s[i]) {
				next = append(next, p+1)
			}
		}
		cur, next = g.settle(next), cur
	}
	return cur
}

// settle adds the positions that need no byte and drops those that a star rules.
func (g glob) settle(ps []int) []int {
	for i := 0; i < len(ps); i++ {
		if p := ps[i]; p < len(g) && g[p] == star {
			ps = append(ps, p+1)
		}
	}
	slices.Sort(ps)
	ps = slices.Compact(ps)
	last := 0
	for i, p := range ps {
		if p < len(g) && g[p] == star {
			last = i
		}
	}
	return slices.Clip(ps[last:])
}

// done tells whether the positions are a match.
func (g glob) done(ps []int) bool { return len(ps) > 0 && ps[len(ps)-1] == len(g) }
