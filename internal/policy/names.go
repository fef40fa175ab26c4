package policy

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	xast "github.com/cedar-policy/cedar-go/x/exp/ast"

	"github.com/forgeone/forgeone/abi"
)

// names finds names in p that can never occur: a forbid that names a file in a
// form that no call has would silently forbid nothing.
func names(p *cedar.Policy, sp span) []Problem {
	var ps []Problem
	wrong := func(needle, format string, args ...any) {
		ps = append(ps, sp.problem(needle, abi.CodePolicyName, fmt.Sprintf(format, args...)))
	}
	entity := func(u types.EntityUID) {
		needle := u.String()
		if u.Type == typeFile && !canonical(string(u.ID)) {
			wrong(needle, "no file has the name %q: names are absolute, without a slash at the end, doubled slashes, . or ..", string(u.ID))
		}
		if string(u.Type) == abi.ObjSocket.String() && !address(string(u.ID)) {
			wrong(needle, "no socket has the name %q: they are named by the address listened on, as 127.0.0.1:8080", string(u.ID))
		}
		for _, k := range resourceKinds() {
			if ids := named(k); string(u.Type) == k.String() && ids != nil && !slices.Contains(ids, string(u.ID)) {
				wrong(needle, "there is no %s: there is %s", needle, strings.Join(ids, ", "))
			}
		}
	}
	visit(p, entity, func(n xast.IsNode) {
		switch n := n.(type) {
		case xast.NodeTypeLike:
			if g := parseGlob(n.Value); isPath(n.Arg) && !g.rooted() {
				wrong("like", "no path is like that: paths begin with a slash")
			}
		case xast.NodeTypeEquals:
			for _, side := range [][2]xast.IsNode{{n.Left, n.Right}, {n.Right, n.Left}} {
				if s, ok := literal(side[1]); ok && isPath(side[0]) && !canonical(s) {
					wrong(string(types.String(s).MarshalCedar()), "no path is %q: paths are absolute, without a slash at the end, doubled slashes, . or ..", s)
				}
			}
		}
	})
	return ps
}

func canonical(name string) bool { return strings.HasPrefix(name, "/") && path.Clean(name) == name }

// address tells whether s is what a listener is named by: a numeric address and
// a port, in their one form.
func address(s string) bool {
	a, err := netip.ParseAddrPort(s)
	return err == nil && a.Port() != 0 && !a.Addr().Is4In6() && a.String() == s
}

// isPath tells whether n is resource.path.
func isPath(n xast.IsNode) bool {
	a, ok := n.(xast.NodeTypeAccess)
	if !ok || a.Value != "path" {
		return false
	}
	v, ok := a.Arg.(xast.NodeTypeVariable)
	return ok && v.Name == "resource"
}

func literal(n xast.IsNode) (string, bool) {
	v, ok := n.(xast.NodeValue)
	if !ok {
		return "", false
	}
	s, ok := v.Value.(types.String)
	return string(s), ok
}

// visit calls entity for every entity that p names and node for every node of
// its conditions.
func visit(p *cedar.Policy, entity func(types.EntityUID), node func(xast.IsNode)) {
	a := p.AST()
	for _, scope := range []any{a.Principal, a.Action, a.Resource} {
		switch s := scope.(type) {
		case xast.ScopeTypeEq:
			entity(s.Entity)
		case xast.ScopeTypeIn:
			entity(s.Entity)
		case xast.ScopeTypeIsIn:
			entity(s.Entity)
		case xast.ScopeTypeInSet:
			for _, e := range s.Entities {
				entity(e)
			}
		}
	}
	for _, c := range a.Conditions {
		xast.Inspect(xast.NewNode(c.Body), func(n xast.IsNode) bool {
			if v, ok := n.(xast.NodeValue); ok {
				if u, ok := v.Value.(types.EntityUID); ok {
					entity(u)
				}
			}
			node(n)
			return true
		})
	}
}
