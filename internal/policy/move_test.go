package policy

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/forgeone/forgeone/abi"
)

func TestMovingIsAccess(t *testing.T) {
	for _, tt := range []struct {
		name, policy string
		action       abi.Num
		from, to     string
		dir          bool
		want         abi.Reason
	}{
		{"plain", "", abi.PathRename, "/out/a", "/out/b", false, abi.ReasonPermit},
		{"folder", "", abi.PathRename, "/out/a", "/out/b", true, abi.ReasonPermit},
		{"onto itself", `forbid (principal, action == Action::"fd_read", resource == File::"/out/a");`, abi.PathRename, "/out/a", "/out/a", false, abi.ReasonPermit},
		{"source forbidden", `forbid (principal, action, resource == File::"/out/a");`, abi.PathRename, "/out/a", "/out/b", false, abi.ReasonForbid},
		{"destination forbidden", `forbid (principal, action, resource == File::"/out/b");`, abi.PathRename, "/out/a", "/out/b", false, abi.ReasonForbid},
		{"out of a shadow", `forbid (principal, action == Action::"fd_read", resource == File::"/out/a");`, abi.PathRename, "/out/a", "/out/b", false, abi.ReasonMove},
		{"link out of a shadow", `forbid (principal, action == Action::"path_open_write", resource in File::"/out/ro");`, abi.PathLink, "/out/ro/a", "/out/b", false, abi.ReasonMove},
		{"into a shadow", `forbid (principal, action == Action::"fd_read", resource == File::"/out/b");`, abi.PathRename, "/out/a", "/out/b", false, abi.ReasonPermit},
		{"within a shadow", `forbid (principal, action == Action::"fd_read", resource in File::"/out/d");`, abi.PathRename, "/out/d/a", "/out/d/b", false, abi.ReasonPermit},
		{"by its ending", `forbid (principal, action == Action::"fd_read", resource is File) when { resource.path like "*.key" };`, abi.PathRename, "/out/a.key", "/out/a.txt", false, abi.ReasonMove},
		{"folder with a rule beneath", `forbid (principal, action, resource == File::"/out/a/secret");`, abi.PathRename, "/out/a", "/out/b", true, abi.ReasonMove},
		{"file of that name", `forbid (principal, action, resource == File::"/out/a/secret");`, abi.PathRename, "/out/a", "/out/b", false, abi.ReasonPermit},
		{"folder under a name with a rule beneath", `permit (principal, action, resource == File::"/out/b/open");`, abi.PathRename, "/out/a", "/out/b", true, abi.ReasonMove},
		{"folder, rule beside", `forbid (principal, action, resource in File::"/out/ab");`, abi.PathRename, "/out/a", "/out/b", true, abi.ReasonPermit},
		{"folder, rule by ending", `forbid (principal, action, resource is File) when { resource.path like "*.key" };`, abi.PathRename, "/out/a", "/out/b", true, abi.ReasonPermit},
		{"folder, rule by middle", `forbid (principal, action == Action::"fd_read", resource is File) when { resource.path like "/out/a*/x" };`, abi.PathRename, "/out/a", "/out/b", true, abi.ReasonMove},
		{"folder, both in the folder of a rule", `forbid (principal, action == Action::"fd_read", resource in File::"/out/d");`, abi.PathRename, "/out/d/a", "/out/d/b", true, abi.ReasonPermit},
		{"folder, name in a set", `forbid (principal, action == Action::"fd_read", resource is File) when { ["/out/a/x", "/y"].contains(resource.path) };`, abi.PathRename, "/out/a", "/out/b", true, abi.ReasonMove},
		{"another workload's rule", `forbid (principal == Workload::"other", action, resource == File::"/out/a/secret");`, abi.PathRename, "/out/a", "/out/b", true, abi.ReasonPermit},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := compile(t, tt.policy, 70)
			o := abi.Object{Kind: abi.ObjFile, Name: tt.from, Name2: tt.to, Dir: tt.dir, Grant: 2}
			d := p.Decide(call(abi.Action(tt.action)), &o)
			if d.Reason != tt.want {
				t.Fatalf("%v (%s), want %v", d.Reason, d.Advice, tt.want)
			}
			if d.Reason == abi.ReasonMove && (d.Verdict != abi.Deny || d.Errno != abi.EACCES || d.Advice == "") {
				t.Errorf("%+v", d)
			}
		})
	}
}

// Where a folder may be moved, no name beneath it changes what is allowed on it.
func TestFolderMovesChangeNothingBeneath(t *testing.T) {
	word := rapid.SampledFrom([]string{"a", "b", "ab", "*", "a*", "*b", "a/b", "b/a", "*a*b"})
	rapid.Check(t, func(t *rapid.T) {
		var text strings.Builder
		for range rapid.IntRange(1, 4).Draw(t, "rules") {
			w := word.Draw(t, "word")
			switch rapid.IntRange(0, 2).Draw(t, "form") {
			case 0:
				text.WriteString(`forbid (principal, action == Action::"fd_read", resource is File) when { resource.path like "/out/` + w + `" };`)
			case 1:
				text.WriteString(`forbid (principal, action == Action::"fd_read", resource in File::"/out/` + strings.ReplaceAll(w, "*", "c") + `");`)
			case 2:
				text.WriteString(`forbid (principal, action == Action::"fd_read", resource is File) when { resource.path == "/out/` + strings.ReplaceAll(w, "*", "c") + `" };`)
			}
		}
		p, err := Compile([]Source{Base(), {Name: "u", Text: []byte(text.String())}}, who, 1, abi.Trust{P: 70, A: 100, C: 60, N: 100, R: 100}, grants)
		if err != nil {
			t.Fatal(err)
		}
		name := rapid.StringMatching(`/out/[abc]{1,2}(/[abc]{1,2})?`)
		from, to := name.Draw(t, "from"), name.Draw(t, "to")
		d := p.Decide(call(abi.Action(abi.PathRename)), &abi.Object{Kind: abi.ObjFile, Name: from, Name2: to, Dir: true, Grant: 2})
		if d.Verdict != abi.Allow {
			return
		}
		for range 10 {
			rest := rapid.StringMatching(`(/[abc]{1,2}){1,2}`).Draw(t, "rest")
			before := p.ask(abi.Action(abi.FdRead), subject{abi.ObjFile, from + rest, 2})
			after := p.ask(abi.Action(abi.FdRead), subject{abi.ObjFile, to + rest, 2})
			if before.verdict != after.verdict {
				t.Fatalf("%s: %v, %s: %v\n%s", from+rest, before.verdict, to+rest, after.verdict, text.String())
			}
		}
	})
}

func TestGlob(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[ab*]{0,8}`).Draw(t, "pattern")
		var g glob
		for _, c := range []byte(text) {
			if c == '*' {
				g = append(g, star)
			} else {
				g = append(g, int16(c))
			}
		}
		s := rapid.StringMatching(`[ab]{0,10}`).Draw(t, "s")
		if got, want := g.done(g.walk([]int{0}, s)), match(text, s); got != want {
			t.Fatalf("%q matches %q: %v, want %v", text, s, got, want)
		}
	})
}

// match is the plainest matcher there is.
func match(p, s string) bool {
	if p == "" {
		return s == ""
	}
	if p[0] == '*' {
		return match(p[1:], s) || s != "" && match(p, s[1:])
	}
	return s != "" && p[0] == s[0] && match(p[1:], s[1:])
}
