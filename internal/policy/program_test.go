package policy

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/trust"
)

var (
	who    = Identity{Workload: "hello", Publisher: "acme", Standing: abi.StandingSigned}
	grants = []Grant{{Host: "./in", Guest: "/in", ReadOnly: true}, {Host: "./out", Guest: "/out"}}
)

// compile makes a program of the base policy and one more text.
func compile(t testing.TB, text string, p uint8) *Program {
	t.Helper()
	prog, err := Compile([]Source{Base(), {Name: "user.cedar", Text: []byte(text)}}, who, 7, trust.Start(p), grants)
	if err != nil {
		t.Fatal(err)
	}
	return prog
}

// call makes the call that is decided as a.
func call(a abi.Action) *abi.Call {
	c := new(abi.Call)
	n := abi.Num(a)
	if a == abi.PathOpenWrite {
		n = abi.PathOpen
	}
	c.Reset(abi.Lookup(n), 0)
	if a == abi.PathOpenWrite {
		c.Args[4] = uint64(abi.RightFDWrite)
	}
	return c
}

func TestBase(t *testing.T) {
	file := func(name string, grant int) abi.Object {
		return abi.Object{Kind: abi.ObjFile, Name: name, Grant: grant}
	}
	for _, tt := range []struct {
		what   string
		action abi.Action
		object abi.Object
		p      uint8
		want   abi.Reason
		rule   string
	}{
		{"stdout", abi.Action(abi.FdWrite), abi.Object{Kind: abi.ObjStream, Name: "stdout"}, 50, abi.ReasonPermit, "base.stdio"},
		{"stdin stat", abi.Action(abi.FdFdstatGet), abi.Object{Kind: abi.ObjStream, Name: "stdin"}, 40, abi.ReasonPermit, "base.stdio"},
		{"low trust", abi.Action(abi.FdWrite), abi.Object{Kind: abi.ObjStream, Name: "stdout"}, 39, abi.ReasonNoPermit, ""},
		{"args", abi.Action(abi.ArgsGet), abi.Object{Kind: abi.ObjArgs, Name: "args"}, 50, abi.ReasonPermit, "base.args"},
		{"env", abi.Action(abi.EnvironSizesGet), abi.Object{Kind: abi.ObjEnv, Name: "environ"}, 50, abi.ReasonPermit, "base.env"},
		{"clock", abi.Action(abi.ClockTimeGet), abi.Object{Kind: abi.ObjClock, Name: "realtime"}, 50, abi.ReasonPermit, "base.clocks"},
		{"random", abi.Action(abi.RandomGet), abi.Object{Kind: abi.ObjRandom, Name: "random"}, 50, abi.ReasonPermit, "base.random"},
		{"poll", abi.Action(abi.PollOneoff), abi.Object{Kind: abi.ObjProcess, Name: "self"}, 50, abi.ReasonPermit, "base.process"},
		{"yield", abi.Action(abi.SchedYield), abi.Object{Kind: abi.ObjProcess, Name: "self"}, 50, abi.ReasonPermit, "base.process"},
		{"exit without trust", abi.Action(abi.ProcExit), abi.Object{Kind: abi.ObjProcess, Name: "self"}, 0, abi.ReasonPermit, "base.exit"},
		{"assets", abi.Action(abi.PathOpen), file("/assets/x", 0), 50, abi.ReasonPermit, "base.files"},
		{"mount", abi.Action(abi.PathOpen), file("/in/x", 1), 50, abi.ReasonPermit, "base.granted"},
		{"write to mount", abi.PathOpenWrite, file("/out/x", 2), 50, abi.ReasonPermit, "base.granted"},
		{"mount, low trust", abi.Action(abi.PathOpen), file("/in/x", 1), 39, abi.ReasonNoPermit, ""},
		{"socket", abi.Action(abi.SockSend), abi.Object{Kind: abi.ObjSocket, Name: "s"}, 100, abi.ReasonNoPermit, ""},
		{"socket that was granted", abi.Action(abi.SockAccept), abi.Object{Kind: abi.ObjSocket, Name: "127.0.0.1:80", Grant: 3}, 40, abi.ReasonPermit, "base.sockets"},
		{"its connection", abi.Action(abi.FdRead), abi.Object{Kind: abi.ObjSocket, Name: "127.0.0.1:80", Grant: 3}, 50, abi.ReasonPermit, "base.sockets"},
		{"its flags", abi.Action(abi.FdFdstatSetFlags), abi.Object{Kind: abi.ObjSocket, Name: "127.0.0.1:80", Grant: 3}, 50, abi.ReasonPermit, "base.sockets"},
		{"socket, low trust", abi.Action(abi.SockAccept), abi.Object{Kind: abi.ObjSocket, Name: "127.0.0.1:80", Grant: 3}, 39, abi.ReasonNoPermit, ""},
		{"no socket granted", abi.Action(abi.SockAccept), abi.Object{Kind: abi.ObjSocket, Name: "descriptor 4", Refused: abi.RefuseNoGrant, Errno: abi.EBADF}, 100, abi.ReasonNoGrant, ""},
		{"unknown grant", abi.Action(abi.PathOpen), file("/in/x", 9), 100, abi.ReasonError, ""},
		{"wrong kind", abi.Action(abi.RandomGet), file("/in/x", 1), 100, abi.ReasonNoPermit, ""},
		{"nothing", abi.Action(abi.FdRead), abi.Object{Errno: abi.EBADF}, 0, abi.ReasonNoEffect, ""},
		{"nothing, and no errno", abi.Action(abi.FdRead), abi.Object{}, 100, abi.ReasonError, ""},
		{"no grant", abi.Action(abi.PathOpen), abi.Object{Kind: abi.ObjFile, Name: "/etc/passwd", Refused: abi.RefuseNoGrant}, 100, abi.ReasonNoGrant, ""},
	} {
		t.Run(tt.what, func(t *testing.T) {
			prog := compile(t, "", tt.p)
			d := prog.Decide(call(tt.action), &tt.object)
			allow := tt.want == abi.ReasonPermit || tt.want == abi.ReasonNoEffect
			if d.Reason != tt.want || (d.Verdict == abi.Allow) != allow {
				t.Fatalf("%v for %q, want %v", d.Verdict, d.Reason, tt.want)
			}
			if !allow && d.Errno == abi.ESUCCESS {
				t.Error("a denial without an errno")
			}
			if d.Epoch != 7 || d.Trust != prog.Trust() {
				t.Errorf("epoch %d, trust %v", d.Epoch, d.Trust)
			}
			if tt.rule != "" && (len(d.Rules) != 1 || d.Rules[0].ID != tt.rule || d.Rules[0].File != "base.cedar" || d.Rules[0].Line == 0) {
				t.Errorf("rules %v, want %s", d.Rules, tt.rule)
			}
		})
	}
}

// A forbid that fails while it is evaluated must not let the call through.
func TestErrorsDeny(t *testing.T) {
	for _, text := range []string{
		`@id("bad") forbid (principal, action, resource is File) when { context.trust * 9223372036854775807 > 0 && resource.path == "/in/x" };`,
		`@id("bad") permit (principal, action, resource is File) when { context.trust * 9223372036854775807 > 0 };`,
	} {
		d := compile(t, text, 70).Decide(call(abi.Action(abi.PathOpen)), &abi.Object{Kind: abi.ObjFile, Name: "/in/x", Grant: 1})
		if d.Verdict != abi.Deny || d.Reason != abi.ReasonError || d.Errno != abi.EACCES || len(d.Rules) != 1 || d.Rules[0].ID != "bad" {
			t.Errorf("%+v", d)
		}
	}
	// A forbid that holds is the better reason.
	text := `@id("bad") forbid (principal, action, resource is File) when { context.trust * 9223372036854775807 > 0 }; @id("good") forbid (principal, action, resource is File);`
	if d := compile(t, text, 70).Decide(call(abi.Action(abi.PathOpen)), &abi.Object{Kind: abi.ObjFile, Name: "/in/x", Grant: 1}); d.Reason != abi.ReasonForbid || d.Rules[0].ID != "good" {
		t.Errorf("%+v", d)
	}
}

func TestForbid(t *testing.T) {
	p := compile(t, `
@id("mild") @severity("1") @advice("mild advice") forbid (principal, action, resource in File::"/in/secret");
@id("hard") @severity("4") @advice("hard advice") forbid (principal, action, resource == File::"/in/secret/x");
forbid (principal, action, resource == File::"/in/secret/y");`, 70)
	d := p.Decide(call(abi.Action(abi.PathOpen)), &abi.Object{Kind: abi.ObjFile, Name: "/in/secret/x", Grant: 1, Errno: abi.ENOENT})
	if d.Reason != abi.ReasonForbid || d.Errno != abi.EACCES || d.Severity != 4 || d.Advice != "hard advice" || len(d.Rules) != 2 || d.Rules[0] != (abi.Rule{ID: "hard", File: "user.cedar", Line: 3}) {
		t.Errorf("%+v", d)
	}
	d = p.Decide(call(abi.Action(abi.PathOpen)), &abi.Object{Kind: abi.ObjFile, Name: "/in/secret/y", Grant: 1})
	if d.Severity != 2 || len(d.Rules) != 2 || d.Rules[0].ID != "policy2" {
		t.Errorf("%+v", d)
	}
	if d := p.Decide(call(abi.Action(abi.PathOpen)), &abi.Object{Kind: abi.ObjFile, Name: "/in/secrets", Grant: 1}); d.Verdict != abi.Allow {
		t.Errorf("/in/secrets: %+v", d)
	}
}

// A descriptor's memo serves no other name, grant, program or path.
func TestMemo(t *testing.T) {
	p := compile(t, `forbid (principal, action, resource == File::"/in/secret");`, 70)
	memo := new(abi.Memo)
	read := call(abi.Action(abi.FdRead))
	o := abi.Object{Kind: abi.ObjFile, Name: "/in/a", Grant: 1, Memo: memo}
	first := p.Decide(read, &o)
	if first.Verdict != abi.Allow || memo.Slots[abi.Action(abi.FdRead).Slot()] != first {
		t.Fatalf("%+v, memo not filled", first)
	}
	o.Name = "/in/secret"
	if d := p.Decide(read, &o); d.Reason != abi.ReasonForbid {
		t.Errorf("after a rename: %+v", d)
	}
	o.Name = "/in/a"
	if d := p.With(trust.Start(0)).Decide(read, &o); d.Reason != abi.ReasonNoPermit {
		t.Errorf("without trust: %+v", d)
	}
	if d := p.Decide(read, &o); d.Verdict != abi.Allow {
		t.Errorf("with trust again: %+v", d)
	}
	o.Refused = abi.RefuseRights
	if d := p.Decide(read, &o); d.Reason != abi.ReasonRights {
		t.Errorf("refused: %+v", d)
	}
	// path_open through the descriptor is on another object.
	o = abi.Object{Kind: abi.ObjFile, Name: "/in/a", Grant: 1, Memo: memo}
	p.Decide(call(abi.Action(abi.PathOpen)), &o)
	if memo.Slots[abi.Action(abi.PathOpen).Slot()] != nil {
		t.Error("a memo was kept for a path")
	}
	if n := testing.AllocsPerRun(100, func() { p.Decide(read, &o) }); n != 0 {
		t.Errorf("%v allocations for a memo hit", n)
	}
}

func TestCacheIsBounded(t *testing.T) {
	p := compile(t, "", 70)
	c := call(abi.Action(abi.PathOpen))
	for i := range 3 * maxMade {
		if d := p.Decide(c, &abi.Object{Kind: abi.ObjFile, Name: "/in/" + strconv.Itoa(i), Grant: 1}); d.Verdict != abi.Allow {
			t.Fatalf("%+v", d)
		}
		if len(p.made) > maxMade || len(p.shared) > maxMade {
			t.Fatalf("%d decisions kept", len(p.made))
		}
	}
	long := strings.Repeat("x", 1<<20)
	for i := range 20 {
		p.Decide(c, &abi.Object{Kind: abi.ObjFile, Name: "/in/" + strconv.Itoa(i) + long, Grant: 1})
		if p.bytes > maxNames {
			t.Fatalf("%d bytes of names kept", p.bytes)
		}
	}
	if len(p.shared) != 1 {
		t.Errorf("%d decisions for one answer", len(p.shared))
	}
}

func TestProgramIsSafeForConcurrentUse(t *testing.T) {
	p := compile(t, zoo, 70)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			memo := new(abi.Memo)
			for i := range 200 {
				p.Decide(call(abi.Action(abi.FdRead)), &abi.Object{Kind: abi.ObjFile, Name: "/in/" + strconv.Itoa(i%7+g), Grant: 1, Memo: memo})
				p.With(trust.Start(uint8(i%100))).Decide(call(abi.PathOpenWrite), &abi.Object{Kind: abi.ObjFile, Name: "/out/a", Grant: 2})
			}
		})
	}
	wg.Wait()
}

func TestCompileRefuses(t *testing.T) {
	src := func(name, text string) Source { return Source{Name: name, Text: []byte(text)} }
	for _, tt := range []struct {
		name    string
		sources []Source
		code    abi.Code
	}{
		{"invalid", []Source{src("p", "permit")}, abi.CodePolicySyntax},
		{"same file name", []Source{src("p", ""), src("p", "")}, abi.CodePolicyDuplicate},
		{"same id", []Source{src("p", `@id("x") permit (principal, action, resource);`), src("q", `@id("x") forbid (principal, action, resource);`)}, abi.CodePolicyDuplicate},
		{"files", make([]Source, maxSources+1), abi.CodePolicyTooLarge},
		{"rules together", []Source{src("p", strings.Repeat(`permit (principal, action == Action::"fd_read", resource is File);`, 6000)), src("q", strings.Repeat(`permit (principal, action == Action::"fd_read", resource is File);`, 6000))}, abi.CodePolicyTooLarge},
		{"a false base", []Source{src("base.cedar", `@id("base.x") permit (principal, action, resource);`)}, abi.CodePolicyAnnotation},
	} {
		_, err := Compile(tt.sources, who, 1, trust.Start(50), nil)
		if abi.CodeOf(err) != tt.code {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.code)
		}
	}
}

func TestRulesHaveIDsOfTheirOwn(t *testing.T) {
	rules, err := join([]Source{
		{Name: "a", Text: []byte(`permit (principal, action, resource); @id("policy3") permit (principal, action, resource);`)},
		{Name: "b", Text: []byte(strings.Repeat("permit (principal, action, resource);", 4))},
	})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, r := range rules {
		ids = append(ids, r.ID)
	}
	if got, want := strings.Join(ids, " "), "policy0 policy3 b#policy0 policy1 policy2 b#policy3"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestDigest(t *testing.T) {
	s := func(kv ...string) (l []Source) {
		for i := 0; i < len(kv); i += 2 {
			l = append(l, Source{Name: kv[i], Text: []byte(kv[i+1])})
		}
		return l
	}
	seen := map[abi.Digest]int{}
	for i, l := range [][]Source{nil, s("", ""), s("a", "b"), s("ab", ""), s("", "ab"), s("a", "", "b", ""), s("b", "", "a", "")} {
		d := Digest(l)
		if j, ok := seen[d]; ok {
			t.Errorf("lists %d and %d have one digest", i, j)
		}
		seen[d] = i
	}
	if got := Digest(s("a", "b")).Short(); got != "3d1259fa8a4d" {
		t.Errorf("the digest of one file is %s: recordings name policies by it", got)
	}
}

func TestExplain(t *testing.T) {
	user := Source{Name: "user.cedar", Text: []byte(`@id("low") permit (principal, action == Action::"path_open", resource in File::"/in/pub") when { context.trust >= 20 };
@id("stop") @severity("3") @advice("not that") forbid (principal, action, resource == File::"/in/pub/secret");
@id("bad") permit (principal, action, resource == File::"/in/bad") when { context.trust + 9223372036854775807 > 0 };`)}
	sources := []Source{Base(), user}
	for _, tt := range []struct {
		name      string
		object    abi.Object
		p         uint8
		reason    abi.Reason
		matches   string
		threshold int
		change    string
	}{
		{"allowed", abi.Object{Kind: abi.ObjFile, Name: "/in/pub/x", Grant: 1}, 70, abi.ReasonPermit, "permit base.granted, permit low", 20, ""},
		{"allowed by one", abi.Object{Kind: abi.ObjFile, Name: "/in/x", Grant: 1}, 70, abi.ReasonPermit, "permit base.granted", 40, ""},
		{"too little trust", abi.Object{Kind: abi.ObjFile, Name: "/in/pub/x", Grant: 1}, 10, abi.ReasonNoPermit, "", 20, "permit ("},
		{"forbidden", abi.Object{Kind: abi.ObjFile, Name: "/in/pub/secret", Grant: 1}, 70, abi.ReasonForbid, "permit base.granted, permit low, forbid stop", -1, "rule stop at user.cedar:2 (not that)"},
		{"failing", abi.Object{Kind: abi.ObjFile, Name: "/in/bad", Grant: 1}, 70, abi.ReasonError, "permit base.granted, permit bad!", 0, "rule bad at user.cedar:3"},
		{"no grant", abi.Object{Kind: abi.ObjFile, Name: "/etc/passwd", Refused: abi.RefuseNoGrant}, 70, abi.ReasonNoGrant, "", -1, "--mount ./etc:/etc:ro"},
		{"nothing", abi.Object{Errno: abi.EBADF}, 70, abi.ReasonNoEffect, "", -1, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x, err := Explain(sources, who, trust.Start(tt.p), abi.Action(abi.PathOpen), &tt.object, grants...)
			if err != nil {
				t.Fatal(err)
			}
			var ms []string
			for _, m := range x.Matches {
				s := m.Effect + " " + m.Rule.ID
				if m.Error != "" {
					s += "!"
				}
				ms = append(ms, s)
			}
			if got := strings.Join(ms, ", "); got != tt.matches {
				t.Errorf("matches %s, want %s", got, tt.matches)
			}
			if x.Decision.Reason != tt.reason || !strings.Contains(x.Change, tt.change) || tt.change == "" && x.Change != "" {
				t.Errorf("%v, change %q", x.Decision.Reason, x.Change)
			}
			if tt.name != "failing" && x.Threshold != tt.threshold {
				t.Errorf("threshold %d, want %d", x.Threshold, tt.threshold)
			}
		})
	}
	if _, err := Explain([]Source{{Name: "x", Text: []byte("permit")}}, who, trust.Start(50), abi.Action(abi.FdRead), &abi.Object{}); err == nil {
		t.Error("explained by an invalid policy")
	}
}

func manyRules(n int) string {
	var b strings.Builder
	for i := range n - 9 { // the base policy has nine
		fmt.Fprintf(&b, "permit (principal, action == Action::\"path_open\", resource is File) when { resource.path like \"/data/%d/*\" };\n", i)
	}
	return b.String()
}

func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{13, 1000} {
		p := compile(b, manyRules(n), 70)
		o := abi.Object{Kind: abi.ObjFile, Name: "/in/some/file/name.txt", Grant: 1, Memo: new(abi.Memo)}
		read, open := call(abi.Action(abi.FdRead)), call(abi.Action(abi.PathOpen))
		b.Run(fmt.Sprintf("memo/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Decide(read, &o)
			}
		})
		b.Run(fmt.Sprintf("cache/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Decide(open, &o)
			}
		})
		b.Run(fmt.Sprintf("miss/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.ask(abi.Action(abi.PathOpen), subject{o.Kind, o.Name, o.Grant})
			}
		})
	}
}

func BenchmarkCompile1000(b *testing.B) {
	text := manyRules(1000)
	for b.Loop() {
		compile(b, text, 70)
	}
}
