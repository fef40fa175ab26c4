package policy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/forgeone/forgeone/abi"
)

func TestBaseIsValid(t *testing.T) {
	for _, p := range Check(Base()) {
		t.Error(p)
	}
}

func TestCheck(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		line, col  int
		code       abi.Code
		msg        string
	}{
		{"syntax", "permit (principal, action, resource)\nwhen { context.trust >= };", 2, 26, abi.CodePolicySyntax, "syntax error"},
		{"no semicolon", "permit (principal, action, resource)", 1, 37, abi.CodePolicySyntax, "want ;"},
		{"open string", "\n@id(\"x\npermit", 2, 5, abi.CodePolicySyntax, "not terminated"},
		{"template", "permit (principal == ?principal, action, resource);", 1, 23, abi.CodePolicySyntax, "ident"},
		{"unknown action", "permit (\n  principal,\n  action == Action::\"path_opn\",\n  resource\n);", 3, 13, abi.CodePolicyInvalid, "path_opn"},
		{"unknown type", "permit (principal, action, resource is Fil);", 1, 40, abi.CodePolicyInvalid, "Fil"},
		{"unknown attribute", "permit (principal, action, resource)\nwhen {\n  context.trst > 3\n};", 3, 10, abi.CodePolicyInvalid, "trst"},
		{"attribute of another type", "permit (principal, action, resource) when { resource.path == \"/x\" };", 1, 53, abi.CodePolicyInvalid, "resource is File &&"},
		{"wrong type", "permit (principal, action, resource) when { context.trust == \"40\" };", 1, 1, abi.CodePolicyInvalid, "compatible"},
		{"not a condition", "permit (principal, action, resource) when { context.trust };", 1, 1, abi.CodePolicyInvalid, "Bool"},
		{"action never on that type", "permit (principal, action == Action::\"random_get\", resource is File);", 1, 1, abi.CodePolicyInvalid, "applicable"},
		{"impossible principal", "permit (principal == File::\"/x\", action, resource);", 1, 1, abi.CodePolicyInvalid, "applicable"},
		{"unknown annotation", "@sevrity(\"5\")\nforbid (principal, action, resource);", 1, 1, abi.CodePolicyAnnotation, "@sevrity"},
		{"obligation of the future", "@obligation(\"quarantine\") forbid (principal, action, resource);", 1, 1, abi.CodePolicyAnnotation, "not understood"},
		{"severity", "@id(\"a\") @severity(\"6\") forbid (principal, action, resource);", 1, 10, abi.CodePolicyAnnotation, "0"},
		{"severity of a permit", "@severity(\"1\") permit (principal, action, resource);", 1, 1, abi.CodePolicyAnnotation, "no meaning"},
		{"id", "@id(\"no grant\") forbid (principal, action, resource);", 1, 1, abi.CodePolicyAnnotation, "@id"},
		{"empty id", "@id forbid (principal, action, resource);", 1, 1, abi.CodePolicyAnnotation, "@id"},
		{"base's id", "@id(\"base.exit\") permit (principal, action, resource);", 1, 1, abi.CodePolicyAnnotation, "base policy"},
		{"advice", "@advice(\"\\u{1b}[31m\") forbid (principal, action, resource);", 1, 1, abi.CodePolicyAnnotation, "printable"},
		{"same id twice", "@id(\"a\") permit (principal, action, resource);\n@id(\"a\") forbid (principal, action, resource);", 2, 1, abi.CodePolicyDuplicate, "line 1"},
		{"file not canonical", "forbid (principal, action, resource in File::\"/in/\");", 1, 40, abi.CodePolicyName, "/in/"},
		{"file not absolute", "forbid (principal, action, resource) when { resource == File::\"in\" };", 1, 57, abi.CodePolicyName, "in"},
		{"path not canonical", "forbid (principal, action, resource is File) when { resource.path == \"in\" };", 1, 70, abi.CodePolicyName, "in"},
		{"like without a slash", "forbid (principal, action, resource is File) when { resource.path like \"in/*\" };", 1, 67, abi.CodePolicyName, "slash"},
		{"socket by a name", "forbid (principal, action, resource == Socket::\"localhost:80\");", 1, 40, abi.CodePolicyName, "localhost"},
		{"socket without a port", "forbid (principal, action, resource == Socket::\"127.0.0.1\");", 1, 40, abi.CodePolicyName, "127.0.0.1"},
		{"socket in another form", "forbid (principal, action, resource == Socket::\"127.0.0.1:080\");", 1, 40, abi.CodePolicyName, "080"},
		{"stream that is none", "permit (principal, action, resource == Stream::\"sdtout\");", 1, 40, abi.CodePolicyName, "stdout"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ps := Check(Source{Name: "p.cedar", Text: []byte(tt.text)})
			if len(ps) == 0 {
				t.Fatal("accepted")
			}
			for _, p := range ps {
				if p.Line == tt.line && p.Col == tt.col && p.Code == tt.code && strings.Contains(p.Msg, tt.msg) && p.File == "p.cedar" {
					return
				}
			}
			t.Errorf("problems %v, want %d:%d %s …%s…", ps, tt.line, tt.col, tt.code, tt.msg)
		})
	}
}

func TestCheckAccepts(t *testing.T) {
	for _, text := range []string{
		"",
		"// only a comment: ((((((\n/* and \" another */",
		`permit (principal in Tenant::"local", action in Action::"fs_read", resource in File::"/in");`,
		`permit (principal is Workload in Publisher::"acme", action, resource) when { principal.standing == "Signed" && !principal.bare };`,
		`@severity("5") @advice("ask for approval") forbid (principal, action in [Action::"path_open", Action::"path_open_write"], resource is File) when { resource.path like "*.key" } unless { context.approved };`,
		`permit (principal, action == Action::"fd_write", resource == Stream::"stdout") when { context.conduct > 10 && context.trust + 1 > 2 };`,
		`forbid (principal, action, resource) when { resource is File && resource.mount == "/in" && resource.readonly };`,
		`permit (principal, action, resource is File) when { ["/a", "/b"].contains(resource.path) };`,
	} {
		for _, p := range Check(Source{Name: "p.cedar", Text: []byte(text)}) {
			t.Errorf("%s\n%v", text, p)
		}
	}
}

// What is too much is refused before cedar-go, which recurses, sees it.
func TestCheckLimits(t *testing.T) {
	body := func(s string) string { return "permit (principal, action, resource) when { " + s + " };" }
	for name, text := range map[string]string{
		"text":      strings.Repeat(" ", MaxText+1),
		"rules":     strings.Repeat("permit (principal, action, resource);\n", MaxRules+1),
		"brackets":  body(strings.Repeat("(", 200_000) + "true" + strings.Repeat(")", 200_000)),
		"not":       body(strings.Repeat("!", 500_000) + "true"),
		"and":       body("true" + strings.Repeat("&&true", 100_000)),
		"ifs":       body(strings.Repeat("if true then true else ", 20_000) + "true"),
		"sets":      body(strings.Repeat("[", 300_000)),
		"accesses":  body("context" + strings.Repeat(".a", 300_000) + " == 1"),
		"indexes":   body("context" + strings.Repeat(`["a"]`, 100_000) + " == 1"),
		"has":       body("context has a" + strings.Repeat(".a", 300_000)),
		"type name": body("resource is A" + strings.Repeat("::A", 300_000)),
	} {
		ps := Check(Source{Name: "p.cedar", Text: []byte(text)})
		if len(ps) != 1 || ps[0].Code != abi.CodePolicyTooLarge {
			t.Errorf("%s: %v", name, ps)
		}
	}
	if ps := Check(Source{Name: "p", Text: []byte(strings.Repeat("permit (principal, action == Action::\"fd_read\", resource is File);\n", MaxRules))}); len(ps) > 0 {
		t.Errorf("%d rules: %v", MaxRules, ps[0])
	}
}

func TestCheckStopsAtManyProblems(t *testing.T) {
	if ps := Check(Source{Name: "p", Text: []byte(strings.Repeat("permit (principal, action == Action::\"x\", resource);\n", 3000))}); len(ps) != maxProblems {
		t.Errorf("%d problems, want %d", len(ps), maxProblems)
	}
}

func TestCheckIsDeterministic(t *testing.T) {
	s := Source{Name: "p", Text: []byte(`forbid (principal, action, resource) when { resource.path == "x" && context.nope && principal.nope == 3 };`)}
	first := fmt.Sprint(Check(s))
	for range 20 {
		if again := fmt.Sprint(Check(s)); again != first {
			t.Fatalf("%s\n%s", first, again)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(baseText)
	f.Add([]byte("@id(\"a\") @severity(\"3\") forbid (principal == Workload::\"x\", action in [Action::\"net\"], resource is File in File::\"/a\") when { resource.path like \"/a*\\*\" } unless { if context.trust > 3 then true else [1,2].contains(3) };"))
	f.Add([]byte("permit (principal, action, resource) when { {a: 1, \"b\": ip(\"10.0.0.1\").isLoopback()}.a == -9223372036854775808 };"))
	f.Add([]byte("permit(principal,action,resource)when{context.trust*9223372036854775807>0};"))
	f.Add([]byte("// \xff\n/* ((( */ permit"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s := Source{Name: "f.cedar", Text: text}
		ps := Check(s)
		for _, p := range ps {
			if p.Line < 1 || p.Col < 1 || p.Msg == "" || p.Code == "" || strings.ContainsAny(p.Msg, "\n\x1b\x00") {
				t.Fatalf("bad problem %+v", p)
			}
		}
		prog, err := Compile([]Source{s}, who, 1, abi.Trust{P: 50, A: 50, C: 50, N: 50, R: 50}, grants)
		if (err == nil) != (len(ps) == 0) {
			t.Fatalf("Check says %v, Compile says %v", ps, err)
		}
		if err == nil {
			for _, a := range abi.Actions() {
				if d := prog.Decide(call(a), &abi.Object{Kind: applies(a)[0], Name: "/in/a", Grant: 1}); d == nil {
					t.Fatal("no decision")
				}
			}
		}
	})
}
