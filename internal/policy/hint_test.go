package policy

import (
	"os/exec"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/trust"
)

// hostile draws an absolute canonical name made to break quoting.
func hostile(t *rapid.T, label string) string {
	part := rapid.Custom(func(t *rapid.T) string {
		if rapid.Bool().Draw(t, "nice") {
			return rapid.SampledFrom([]string{"a", "b", "data", "secret.key"}).Draw(t, "word")
		}
		s := rapid.StringOfN(rapid.SampledFrom([]rune("a\"'\\*`$(){};:\n\r\t\x00\x1b\u202e\ufeff\u00e9\u0301😀\ufffd u{7}/"[:])), 1, 12, -1).Draw(t, "hostile")
		if rapid.Bool().Draw(t, "bytes") {
			s += string(rapid.SliceOfN(rapid.Byte(), 1, 4).Draw(t, "raw"))
		}
		s = strings.ReplaceAll(s, "/", "_")
		if s == "." || s == ".." {
			return "_"
		}
		return s
	})
	return "/" + strings.Join(rapid.SliceOfN(part, 1, 4).Draw(t, label), "/")
}

func onOneLine(t *rapid.T, s string) {
	for _, c := range s {
		if !unicode.IsPrint(c) {
			t.Fatalf("hint holds %U: %q", c, s)
		}
	}
}

// A hint for what nothing permits is valid Cedar and permits exactly that call,
// whatever the guest named.
func TestPermitHintWorks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.SampledFrom(abi.Actions()).Draw(t, "action")
		kind := rapid.SampledFrom(applies(a)).Draw(t, "kind")
		o := abi.Object{Kind: kind}
		switch ids := named(kind); {
		case ids != nil:
			o.Name = rapid.SampledFrom(ids).Draw(t, "id")
		case kind == abi.ObjFile:
			o.Name = hostile(t, "name")
			o.Grant = rapid.IntRange(0, 2).Draw(t, "grant")
			if n := abi.Num(a); n == abi.PathRename || n == abi.PathLink {
				o.Name2 = hostile(t, "name2")
			}
		default:
			// A guest never names a socket: it is the operator's address.
			o.Name = rapid.SampledFrom([]string{"127.0.0.1:8080", "[::1]:65535", "0.0.0.0:80"}).Draw(t, "socket")
		}
		id := Identity{Workload: rapid.SampledFrom([]string{"hello", "we\"ird\\\n*", "bare:0123456789ab"}).Draw(t, "workload")}
		tr := trust.Start(rapid.Uint8Range(0, 100).Draw(t, "p"))
		before, err := Compile(nil, id, 1, tr, grants)
		if err != nil {
			t.Fatal(err)
		}
		d := before.Decide(call(a), &o)
		if d.Reason != abi.ReasonNoPermit {
			t.Fatalf("without a policy: %v", d.Reason)
		}
		hint := Hint(d, a, &o, id, grants...)
		onOneLine(t, hint)
		s := Source{Name: "hint.cedar", Text: []byte(hint)}
		if ps := Check(s); len(ps) > 0 {
			t.Fatalf("%v\n%s", ps, hint)
		}
		after, err := Compile([]Source{s}, id, 1, tr, grants)
		if err != nil {
			t.Fatal(err)
		}
		if d := after.Decide(call(a), &o); d.Verdict != abi.Allow && d.Reason != abi.ReasonMove {
			t.Fatalf("still denied for %v with\n%s", d.Reason, hint)
		}
		// Exactly this: not another action, not another workload.
		for _, other := range abi.Actions() {
			if other != a && after.ask(other, subject{o.Kind, o.Name, o.Grant}).verdict == abi.Allow {
				t.Fatalf("permits %v too: %s", other, hint)
			}
		}
		stranger, err := Compile([]Source{s}, Identity{Workload: "stranger"}, 1, tr, grants)
		if err != nil {
			t.Fatal(err)
		}
		if stranger.Decide(call(a), &o).Verdict == abi.Allow {
			t.Fatalf("permits a stranger too: %s", hint)
		}
	})
}

// The clause that a hint gives for a forbid ends that rule validly and lets
// exactly this call through.
func TestForbidHintWorks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.SampledFrom([]abi.Action{abi.Action(abi.PathOpen), abi.PathOpenWrite, abi.Action(abi.FdRead), abi.Action(abi.PathRename)}).Draw(t, "action")
		o := abi.Object{Kind: abi.ObjFile, Name: hostile(t, "name"), Grant: 2}
		if abi.Num(a) == abi.PathRename {
			o.Name2 = hostile(t, "name2")
		}
		scope := rapid.SampledFrom([]string{"resource", "resource is File", `resource in File::"/"`}).Draw(t, "scope")
		rule := `@id("stop") @advice("ask first") forbid (principal, action, ` + scope + ")"
		decide := func(text string) *abi.Decision {
			p, err := Compile([]Source{Base(), {Name: "user.cedar", Text: []byte("\n" + text)}}, who, 1, trust.Start(70), grants)
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			return p.Decide(call(a), &o)
		}
		d := decide(rule + ";")
		hint := Hint(d, a, &o, who, grants...)
		onOneLine(t, hint)
		if d.Reason != abi.ReasonForbid || !strings.Contains(hint, "rule stop at user.cedar:2 (ask first)") {
			t.Fatalf("%v: %s", d.Reason, hint)
		}
		_, clause, ok := strings.Cut(hint, "with: ")
		if !ok {
			t.Fatalf("no clause: %s", hint)
		}
		if d := decide(rule + " " + clause + ";"); d.Verdict != abi.Allow && d.Reason != abi.ReasonMove {
			t.Fatalf("still denied for %v with\n%s", d.Reason, clause)
		}
	})
}

func TestMountHint(t *testing.T) {
	for _, tt := range []struct {
		action abi.Action
		object abi.Object
		want   string
	}{
		{abi.Action(abi.PathOpen), abi.Object{Name: "/etc/passwd"}, "--mount ./etc:/etc:ro"},
		{abi.PathOpenWrite, abi.Object{Name: "/var/log/x"}, "--mount ./log:/var/log:rw"},
		{abi.Action(abi.PathCreateDirectory), abi.Object{Name: "/out"}, "--mount ./out:/out:rw"},
		{abi.Action(abi.PathFilestatGet), abi.Object{Name: "/data", Dir: true}, "--mount ./data:/data:ro"},
		{abi.Action(abi.PathOpen), abi.Object{Name: "/my docs/it's"}, "--mount './my docs:/my docs:ro'"},
		{abi.Action(abi.PathOpen), abi.Object{Name: "/a'b/x"}, `--mount './a'\''b:/a'\''b:ro'`},
		{abi.Action(abi.PathOpen), abi.Object{Name: "/a\nb/x"}, `--mount $'./a\012b:/a\012b:ro'`},
		{abi.Action(abi.PathOpen), abi.Object{Name: "/a/b:c/x"}, "--mount ./a:/a:ro"},
		{abi.Action(abi.PathOpen), abi.Object{Name: "/a:b/x"}, "grant the folder that holds it with --mount HOST:GUEST"},
	} {
		o := tt.object
		o.Kind, o.Refused = abi.ObjFile, abi.RefuseNoGrant
		if got := Hint(&abi.Decision{Reason: abi.ReasonNoGrant}, tt.action, &o, who); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.object.Name, got, tt.want)
		}
	}
}

func TestOtherHints(t *testing.T) {
	o := abi.Object{Kind: abi.ObjFile, Name: "/in/x", Grant: 1}
	for _, tt := range []struct {
		d    abi.Decision
		want string
	}{
		{abi.Decision{Reason: abi.ReasonReadOnly}, "--mount ./in:/in:rw"},
		{abi.Decision{Reason: abi.ReasonRights}, "without the right to path_unlink_file"},
		{abi.Decision{Reason: abi.ReasonEscape}, "above the folder"},
		{abi.Decision{Reason: abi.ReasonMove, Advice: "because"}, "because"},
		{abi.Decision{Reason: abi.ReasonError, Rules: []abi.Rule{{ID: "bad", File: "p.cedar", Line: 3}}}, "mend rule bad at p.cedar:3"},
		{abi.Decision{Reason: abi.ReasonNoPermit, Trust: abi.Trust{P: 35}}, "trust is 0; the base policy permits nothing below 40"},
		{abi.Decision{Verdict: abi.Allow}, ""},
	} {
		got := Hint(&tt.d, abi.Action(abi.PathUnlinkFile), &o, who, grants...)
		if !strings.Contains(got, tt.want) || tt.want == "" && got != "" {
			t.Errorf("%v: %q, want %q in it", tt.d.Reason, got, tt.want)
		}
	}
}

// A shell reads back exactly what was quoted for it.
func TestShell(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		bash = ""
	}
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		s := strings.ReplaceAll(hostile(t, "word"), "\x00", "0")
		q := abi.Shell(s)
		onOneLine(t, q)
		if n++; bash == "" || n > 40 {
			return
		}
		out, err := exec.Command(bash, "-c", "printf %s "+q).Output()
		if err != nil || string(out) != s {
			t.Fatalf("%q quoted as %s reads as %q (%v)", s, q, out, err)
		}
	})
}
