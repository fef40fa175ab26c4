package kernel

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/gate"
	"github.com/forgeone/forgeone/internal/keys"
	"github.com/forgeone/forgeone/internal/policy"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/trust"
)

// denier is a run's sink under a policy that forbids files by a thousand rules,
// each with a pattern. Nothing of it reaches a log.
func denier(tb testing.TB) (*sink, *policy.Program) {
	tb.Helper()
	var text strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&text, "@id(\"no.%d\") @severity(\"0\") forbid (principal, action, resource is File) when { resource.path like \"/in/%d/*\" };\n", i, i)
	}
	w := &workload{name: "bare:guest", bare: true}
	prog, err := policy.Compile([]policy.Source{policy.Base(), {Name: "many.cedar", Text: []byte(text.String())}}, w.identity(), 1, trust.Start(50), []policy.Grant{{Host: "in", Guest: "/in"}})
	if err != nil {
		tb.Fatal(err)
	}
	k := &Kernel{now: time.Now, keys: &keys.Local{Recording: seal.NewKey()}}
	s := newSink(k, &run{k: k, id: newRunID(), w: w, ctl: gate.NewControl(), prog: prog})
	s.timer = time.NewTimer(time.Hour)
	return s, prog
}

// TestDenialsOfManyRules: what a guest makes the log and the kernel's memory take
// has a bound, whatever it tries of a thousand rules and all syscalls.
func TestDenialsOfManyRules(t *testing.T) {
	s, prog := denier(t)
	tried := uint64(0)
	for round := range 2 {
		for rule := range 1000 {
			for _, row := range abi.Rows() {
				c := &abi.Call{Row: row}
				o := &abi.Object{Kind: abi.ObjFile, Name: fmt.Sprintf("/in/%d/%d-%d", rule, round, row.Num), Grant: 1}
				d := prog.Decide(c, o)
				if d.Verdict == abi.Allow {
					continue // not about a file
				}
				s.Denied(c, o, d)
				tried++
			}
		}
	}
	if tried < 20_000 || s.count() != tried {
		t.Fatalf("%d denials were tried, %d counted", tried, s.count())
	}
	if len(s.pending) != maxFirst || len(s.first) != maxFirst || len(s.seen) != maxFirst {
		t.Errorf("%d records, %d kept, %d remembered; want %d of each", len(s.pending), len(s.first), len(s.seen), maxFirst)
	}
	if n := len(s.counts()); n != 64 {
		t.Errorf("the run's end counts %d kinds", n)
	}
	for range 100 { // the same again costs the log nothing
		c, o := &abi.Call{Row: abi.Lookup(abi.PathOpen)}, &abi.Object{Kind: abi.ObjFile, Name: "/in/7/x", Grant: 1}
		d := prog.Decide(c, o)
		s.Denied(c, o, d)
	}
	if len(s.pending) != maxFirst {
		t.Errorf("%d records", len(s.pending))
	}
}

// BenchmarkDenied: a denied open under a thousand rules, decided and counted: of
// the same name, and of another name each time.
func BenchmarkDenied(b *testing.B) {
	names := make([]string, 1<<16)
	for i := range names {
		names[i] = fmt.Sprintf("/in/%d/%d", i%1000, i)
	}
	for _, bc := range []struct {
		what string
		mask int
	}{{"same", 0}, {"another", 1<<16 - 1}} {
		b.Run(bc.what, func(b *testing.B) {
			s, prog := denier(b)
			c := &abi.Call{Row: abi.Lookup(abi.PathOpen)}
			o := abi.Object{Kind: abi.ObjFile, Grant: 1}
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				o.Name = names[i&bc.mask]
				d := prog.Decide(c, &o)
				s.Denied(c, &o, d)
				i++
			}
		})
	}
}

// TestDenialsAreSlowed: a tenth of the denials that a run may have is answered at
// once, each further tenth a millisecond later, and a run that is stopped does
// not wait.
func TestDenialsAreSlowed(t *testing.T) {
	s := &sink{run: &run{ctl: gate.NewControl()}, limit: 1000}
	slow := func(total uint64) time.Duration {
		s.total = total
		begin := time.Now()
		s.slow()
		return time.Since(begin)
	}
	for total, least := range map[uint64]time.Duration{101: time.Millisecond, 555: 5 * time.Millisecond, 999: 9 * time.Millisecond} {
		if d := slow(total); d < least {
			t.Errorf("denial %d was answered after %v, not %v", total, d, least)
		}
	}
	free := time.Now()
	for range 20_000 { // a millisecond each would be 20 s
		s.total = 100
		s.slow()
	}
	if d := time.Since(free); d > 15*time.Second {
		t.Errorf("free denials took %v", d)
	}
	s.limit = 1 << 62
	s.total = s.limit - 1
	s.run.ctl.Stop(abi.OutcomeStopped)
	s.slow()
	// Without a limit nobody waits.
	s.limit, s.total = 0, 1<<62
	s.slow()
}
