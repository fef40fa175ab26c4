package policy

import (
	"path"
	"strconv"
	"testing"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"pgregory.net/rapid"

	"github.com/forgeone/forgeone/abi"
)

const zoo = `
@id("a") permit (principal in Publisher::"acme", action in Action::"net", resource is Socket);
@id("b") @severity("3") forbid (principal, action, resource in File::"/in/secret");
@id("c") @severity("1") @advice("use /in/pub") forbid (principal, action in [Action::"fs_write"], resource is File) when { resource.path like "/in/*/x*" } unless { context.approved };
@id("d") permit (principal == Workload::"hello", action == Action::"fd_read", resource == Stream::"stderr") when { context.trust > 10 };
@id("e") forbid (principal is Workload in Tenant::"elsewhere", action, resource);
@id("f") permit (principal, action, resource) when { resource is File && resource.readonly && resource.mount == "/in" };
@id("g") forbid (principal, action == Action::"fd_seek", resource) when { context.conduct * 200000000000000000 > 0 };
@id("h") permit (principal, action, resource is File in File::"/out/a") when { principal.standing == "Signed" && !principal.bare };
@id("i") forbid (principal, action == Action::"fd_tell", resource is File) when { ["/in/a", "/out/b"].contains(resource.path) || resource in [File::"/out/a", File::"/in/secret/x"] };
@id("j") forbid (principal, action, resource == Clock::"monotonic");
permit (principal, action in Action::"process", resource);
forbid (principal in Publisher::"evil", action, resource);
`

// plain is what cedar-go itself says with all policies, and the whole hierarchy
// of folders as entities.
func plain(t *rapid.T, set *cedar.PolicySet, p *Program, a abi.Action, x subject) (cedar.Decision, cedar.Diagnostic) {
	ents := types.EntityMap{p.set.principal.UID: p.set.principal}
	for u, e := range words().actions {
		ents[u] = e
	}
	res := p.set.resourceOf(x)
	if x.kind == abi.ObjFile {
		for n := x.name; ; n = path.Dir(n) {
			e := types.Entity{UID: types.NewEntityUID(typeFile, types.String(n))}
			if n == x.name {
				e.Attributes = res.Attributes
			}
			if n != "/" {
				e.Parents = types.NewEntityUIDSet(types.NewEntityUID(typeFile, types.String(path.Dir(n))))
			}
			ents[e.UID] = e
			if n == "/" {
				break
			}
		}
	} else {
		ents[res.UID] = res
	}
	req := cedar.Request{
		Principal: p.set.principal.UID, Action: words().uids[a.Slot()], Resource: res.UID,
		Context: contextOf(p.trust, x.grant > 0),
	}
	if err := words().validator.Request(req); err != nil {
		t.Fatalf("the request does not fit the schema: %v", err)
	}
	return cedar.Authorize(set, ents, req)
}

// What a program answers, by index, cache and memo, is what cedar-go answers
// for all policies without any of them.
func TestProgramAgreesWithCedar(t *testing.T) {
	user := Source{Name: "zoo.cedar", Text: []byte(zoo)}
	set := cedar.NewPolicySet()
	for _, s := range []Source{Base(), user} {
		list, err := cedar.NewPolicyListFromBytes(s.Name, s.Text)
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range list {
			set.Add(cedar.PolicyID(s.Name+strconv.Itoa(i)), p)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		id := Identity{
			Workload:  rapid.SampledFrom([]string{"hello", "other", "/in/a"}).Draw(t, "workload"),
			Publisher: rapid.SampledFrom([]string{"acme", "", "evil"}).Draw(t, "publisher"),
			Tenant:    rapid.SampledFrom([]string{"", "elsewhere"}).Draw(t, "tenant"),
			Standing:  rapid.SampledFrom([]abi.Standing{0, 1, 2}).Draw(t, "standing"),
			Bare:      rapid.Bool().Draw(t, "bare"),
		}
		comp := rapid.Uint8Range(0, 100)
		tr := abi.Trust{P: comp.Draw(t, "p"), A: 100, C: comp.Draw(t, "c"), N: 100, R: 100}
		p, err := Compile([]Source{Base(), user}, id, 3, tr, grants)
		if err != nil {
			t.Fatal(err)
		}
		memos := map[subject]*abi.Memo{}
		var last *Program
		for range 12 {
			if rapid.IntRange(0, 5).Draw(t, "swap") == 0 {
				tr.C = comp.Draw(t, "c2")
				last, p = p, p.With(tr)
			}
			a := rapid.SampledFrom(abi.Actions()).Draw(t, "action")
			x := subject{kind: rapid.SampledFrom(applies(a)).Draw(t, "kind")}
			switch ids := named(x.kind); {
			case ids != nil:
				x.name = rapid.SampledFrom(ids).Draw(t, "id")
			case x.kind == abi.ObjFile:
				x.name = rapid.SampledFrom([]string{"/", "/in", "/in/a", "/in/secret", "/in/secret/x", "/in/secret2", "/in/b/xyz", "/out/a", "/out/a/deep/x", "/out/b", "/out/ab", "/scratch/q\xff"}).Draw(t, "name")
				x.grant = rapid.IntRange(0, 2).Draw(t, "grant")
			default:
				x.name = "peer"
			}
			o := abi.Object{Kind: x.kind, Name: x.name, Grant: x.grant}
			if c := call(a); c.Row.Paths() == 0 {
				if memos[x] == nil {
					memos[x] = new(abi.Memo)
				}
				o.Memo = memos[x]
			}
			d := p.Decide(call(a), &o)
			if again := p.Decide(call(a), &o); again != d {
				t.Fatal("the same call got two decisions")
			}
			want, diag := plain(t, set, p, a, x)
			wantAllow := bool(want) && len(diag.Errors) == 0
			if (d.Verdict == abi.Allow) != wantAllow {
				t.Fatalf("%v on %+v: %v (%v), cedar-go: %v %+v", a, x, d.Verdict, d.Reason, want, diag)
			}
			wantRules := len(diag.Reasons)
			if d.Reason == abi.ReasonError {
				wantRules = len(diag.Errors)
			}
			if len(d.Rules) != wantRules {
				t.Fatalf("%v on %+v: rules %v, cedar-go: %+v", a, x, d.Rules, diag)
			}
			if d.Trust != tr || d.Epoch != 3 {
				t.Fatalf("decision of trust %v, epoch %d", d.Trust, d.Epoch)
			}
			if last != nil && last != p {
				last.Decide(call(a), &o) // fills the memo with another program's decision
			}
		}
	})
}
