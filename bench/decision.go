package main

import (
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/policy"
)

// benchTrust is a packaged workload's.
var benchTrust = abi.Trust{P: 70, A: 100, C: 100, N: 100, R: 100}

// decision measures decisions, beside cedar-go asked directly with all rules.
func (b *bench) decision() error {
	thousand := policy.Source{Name: "thousand.cedar", Text: []byte(thousandRules())}
	small := []policy.Source{policy.Base()}
	large := []policy.Source{policy.Base(), thousand}
	prog, err := program(small)
	if err != nil {
		return err
	}
	many, err := program(large)
	if err != nil {
		return err
	}
	var memo abi.Memo
	read := call(abi.FdRead)
	open := call(abi.PathOpen)
	known := file("/data/500/x")
	held := file("/data/500/x")
	held.Memo = &memo
	const n = 2_000_000
	b.decide("on a descriptor (memo)", n, atMost(10, "ns"), nil, func(int) { prog.Decide(read, &held) })
	b.decide("on a path seen before", n, bar{}, nil, func(int) { prog.Decide(open, &known) })
	fresh := func(p *policy.Program) func(int) {
		o := file("")
		return func(i int) {
			o.Name = "/data/" + itoa(i&1023) + "/" + itoa(i)
			p.Decide(open, &o)
		}
	}
	for _, c := range []struct {
		name    string
		sources []policy.Source
		prog    *policy.Program
		n       int
		bar     bar
	}{
		{"on a new path, base policy", small, prog, 50_000, bar{}},
		{"on a new path among 1,000 rules", large, many, 2_000, atMost(120, "ns")},
	} {
		direct, err := direct(c.sources)
		if err != nil {
			return err
		}
		b.decide(c.name, c.n, c.bar, direct, fresh(c.prog))
	}
	return b.compileRules(large)
}

// decide adds a row for ours, and beside it cedar-go where there is one.
func (b *bench) decide(name string, n int, limit bar, rival, ours func(i int)) {
	n = b.n(n)
	var mine, theirs, ratios []float64
	next := 0 // never the same number twice
	each := func(f func(int)) float64 {
		runtime.GC()
		start := time.Now()
		for i := next; i < next+n; i++ {
			f(i)
		}
		next += n
		return float64(time.Since(start)) / float64(n)
	}
	for range b.reps {
		mine = append(mine, each(ours))
		if rival != nil {
			theirs = append(theirs, each(rival))
			ratios = append(ratios, mine[len(mine)-1]/theirs[len(theirs)-1])
		}
	}
	r := Row{Name: name, Unit: "ns", Ours: median(mine)}
	if rival != nil {
		r.Rival, r.Ratio, r.Beside = median(theirs), median(ratios), "cedar-go, all rules"
	}
	b.add(r.with(limit))
}

func (b *bench) compileRules(sources []policy.Source) error {
	var ms []float64
	for range b.reps {
		cpu := cpuTime()
		for _, s := range sources {
			if ps := policy.Check(s); len(ps) > 0 {
				return ps[0].Err()
			}
		}
		if _, err := program(sources); err != nil {
			return err
		}
		ms = append(ms, float64(cpuTime()-cpu)/float64(time.Millisecond))
	}
	b.add(Row{Name: "1,000 rules: parse, validate, compile", Unit: "ms CPU", Ours: median(ms)}.with(atMost(150, "ms")))
	return nil
}

func program(sources []policy.Source) (*policy.Program, error) {
	id := policy.Identity{Workload: "bench", Publisher: "bench", Standing: abi.StandingSigned}
	return policy.Compile(sources, id, 1, benchTrust, []policy.Grant{{Host: "/srv/data", Guest: "/data", ReadOnly: true}})
}

func thousandRules() string {
	var b strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&b, "forbid (principal, action == Action::\"path_open\", resource is File) when { resource.path like \"/data/%d/secret*\" };\n", i)
	}
	return b.String()
}

func call(n abi.Num) *abi.Call {
	c := new(abi.Call)
	c.Reset(abi.Lookup(n), 0)
	return c
}

func file(name string) abi.Object { return abi.Object{Kind: abi.ObjFile, Name: name, Grant: 1} }

// direct asks cedar-go itself, as a program without ForgeOne's policy package
// would: one set of all rules, entities and request made per question.
func direct(sources []policy.Source) (func(i int), error) {
	set := cedar.NewPolicySet()
	for _, s := range sources {
		list, err := cedar.NewPolicyListFromBytes(s.Name, s.Text)
		if err != nil {
			return nil, err
		}
		for i, p := range list {
			set.Add(cedar.PolicyID(s.Name+itoa(i)), p)
		}
	}
	uid := func(kind, id string) types.EntityUID {
		return types.NewEntityUID(types.EntityType(kind), types.String(id))
	}
	action := types.Entity{UID: uid("Action", "path_open"), Parents: types.NewEntityUIDSet(uid("Action", "fs_read"))}
	who := types.Entity{
		UID: uid("Workload", "bench"), Parents: types.NewEntityUIDSet(uid("Publisher", "bench"), uid("Tenant", "local")),
		Attributes: types.NewRecord(types.RecordMap{"standing": types.String("Signed"), "bare": types.False}),
	}
	t := benchTrust
	context := types.NewRecord(types.RecordMap{
		"trust": types.Long(t.T()), "provenance": types.Long(t.P), "attestation": types.Long(t.A), "conduct": types.Long(t.C),
		"anomaly": types.Long(t.N), "resources": types.Long(t.R), "approved": types.False, "granted": types.True,
	})
	return func(i int) {
		name := "/data/" + itoa(i&1023) + "/" + itoa(i)
		what := types.Entity{UID: uid("File", name), Attributes: types.NewRecord(types.RecordMap{
			"path": types.String(name), "mount": types.String("/data"), "readonly": types.True,
		})}
		d, _ := cedar.Authorize(set, types.EntityMap{who.UID: who, what.UID: what, action.UID: action},
			cedar.Request{Principal: who.UID, Action: action.UID, Resource: what.UID, Context: context})
		if d != cedar.Allow {
			panic("cedar-go denies what the base policy permits")
		}
	}, nil
}
