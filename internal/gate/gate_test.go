package gate

import (
	"math"
	"slices"
	"testing"

	"github.com/forgeone/forgeone/abi"
)

// tape notes in which order the gate asks its rooms, and answers by script.
type tape struct {
	log     []string
	object  abi.Object
	answers []*abi.Decision // one per Decide; the last repeats
	reserve abi.Outcome
	perform func(*abi.Call)
}

func (t *tape) Resolve(_ *abi.Call, o *abi.Object) { t.log = append(t.log, "resolve"); *o = t.object }
func (t *tape) Release(*abi.Object)                { t.log = append(t.log, "release") }
func (t *tape) StringsSize(abi.Num) (int, int)     { return 0, 0 }

func (t *tape) Charge(*abi.Call, *abi.Object) uint64 { return 7 }
func (t *tape) Perform(c *abi.Call, _ *abi.Object) {
	t.log = append(t.log, "perform")
	if t.perform != nil {
		t.perform(c)
	}
}

func (t *tape) Decide(*abi.Call, *abi.Object) *abi.Decision {
	t.log = append(t.log, "decide")
	d := t.answers[0]
	if len(t.answers) > 1 {
		t.answers = t.answers[1:]
	}
	return d
}

func (t *tape) Reserve(c *abi.Call, _ *abi.Object) abi.Outcome {
	t.log = append(t.log, "reserve")
	c.Out = make([]byte, c.OutCap)
	return t.reserve
}

func (t *tape) Commit(c *abi.Call, _ *abi.Object, d *abi.Decision) {
	t.log = append(t.log, "commit "+c.Errno.String()+" "+d.Verdict.String())
	if c.Charge != 7 {
		t.log = append(t.log, "what it costs is not known yet")
	}
}
func (t *tape) Denied(*abi.Call, *abi.Object, *abi.Decision) { t.log = append(t.log, "denied") }

var (
	allow = &abi.Decision{Verdict: abi.Allow, Reason: abi.ReasonPermit}
	deny  = &abi.Decision{Verdict: abi.Deny, Reason: abi.ReasonForbid, Errno: abi.EACCES}
)

func TestOrder(t *testing.T) {
	for name, tc := range map[string]struct {
		tape  tape
		row   abi.Num
		errno abi.Errno // set while the call was read from the guest
		want  []string
		ends  abi.Outcome
	}{
		"allowed":                   {tape{answers: []*abi.Decision{allow}}, abi.PathOpen, 0, []string{"resolve", "decide", "reserve", "perform", "commit ESUCCESS allow", "release"}, 0},
		"allowed, nothing there":    {tape{answers: []*abi.Decision{allow}, object: abi.Object{Errno: abi.ENOENT}}, abi.PathOpen, 0, []string{"resolve", "decide", "reserve", "commit ENOENT allow", "release"}, 0},
		"denied":                    {tape{answers: []*abi.Decision{deny}}, abi.PathOpen, 0, []string{"resolve", "decide", "reserve", "denied", "commit EACCES deny", "release"}, 0},
		"denied, nothing there":     {tape{answers: []*abi.Decision{deny}, object: abi.Object{Errno: abi.ENOENT}}, abi.PathOpen, 0, []string{"resolve", "decide", "reserve", "denied", "commit EACCES deny", "release"}, 0},
		"an empty decision denies":  {tape{answers: []*abi.Decision{{Errno: abi.EACCES}}}, abi.PathOpen, 0, []string{"resolve", "decide", "reserve", "denied", "commit EACCES deny", "release"}, 0},
		"escalation is no allow":    {tape{answers: []*abi.Decision{{Verdict: abi.Escalate, Errno: abi.EACCES}}}, abi.PathOpen, 0, []string{"resolve", "decide", "reserve", "denied", "commit EACCES escalate", "release"}, 0},
		"bad pointer":               {tape{answers: []*abi.Decision{allow}}, abi.PathOpen, abi.EFAULT, []string{"decide", "reserve", "commit EFAULT allow", "release"}, 0},
		"no room to record":         {tape{answers: []*abi.Decision{allow}, reserve: abi.OutcomeRecordingFull}, abi.PathOpen, 0, []string{"resolve", "decide", "reserve", "release"}, abi.OutcomeRecordingFull},
		"no room, denied all alike": {tape{answers: []*abi.Decision{deny}, reserve: abi.OutcomeRecordingFull}, abi.PathOpen, 0, []string{"resolve", "decide", "reserve", "release"}, abi.OutcomeRecordingFull},
	} {
		t.Run(name, func(t *testing.T) {
			tp := &tc.tape
			g := New(tp, tp, tp, tp, NewControl(), NewMeter(0, Slice))
			var c abi.Call
			c.Reset(abi.Lookup(tc.row), 0)
			c.Errno = tc.errno
			g.Do(&c)
			if !slices.Equal(tp.log, tc.want) {
				t.Errorf("order %q, want %q", tp.log, tc.want)
			}
			if c.Stop != tc.ends {
				t.Errorf("stop %v, want %v", c.Stop, tc.ends)
			}
		})
	}
}

// A read that waits while policy turns against it must not reach the guest.
func TestBlockedCallIsRechecked(t *testing.T) {
	tp := &tape{answers: []*abi.Decision{allow, deny}}
	g := New(tp, tp, tp, tp, NewControl(), NewMeter(0, Slice))
	tp.perform = func(c *abi.Call) {
		c.OutLen = copy(c.Out, "secret")
		g.SetDecider(tp)
	}
	c := abi.Call{Row: abi.Lookup(abi.FdRead), OutCap: 16}
	if e := g.Do(&c); e != abi.EACCES || c.OutLen != 0 || string(c.Out[:6]) == "secret" {
		t.Errorf("errno %v, %d bytes, %q staged", e, c.OutLen, c.Out)
	}
	want := []string{"resolve", "decide", "reserve", "perform", "decide", "denied", "commit EACCES deny", "release"}
	if !slices.Equal(tp.log, want) {
		t.Errorf("order %q, want %q", tp.log, want)
	}
}

func TestStopTakesEffectAfterTheCall(t *testing.T) {
	tp := &tape{answers: []*abi.Decision{allow}}
	ctl := NewControl()
	g := New(tp, tp, tp, tp, ctl, NewMeter(0, Slice))
	tp.perform = func(*abi.Call) { ctl.Stop(abi.OutcomeDeadline); ctl.Stop(abi.OutcomeStopped) }
	c := abi.Call{Row: abi.Lookup(abi.SchedYield)}
	if g.Do(&c); c.Stop != abi.OutcomeDeadline || g.Calls() != 1 {
		t.Errorf("stop %v after %d calls", c.Stop, g.Calls())
	}
	if _, stop := g.Tick(-1); stop != abi.OutcomeDeadline {
		t.Errorf("tick goes on: %v", stop)
	}
}

// bell is what control records ring.
type bell struct {
	number uint64
	heed   func()
	heeded int
}

func (b *bell) Number() uint64 { return b.number }
func (b *bell) Heed()          { b.heeded++; b.heed() }

// What was decided elsewhere is in force before the next call has any effect,
// at the next tick, and for a call that blocked meanwhile.
func TestNotices(t *testing.T) {
	for name, tc := range map[string]struct {
		heed func(*Gate, *Control, *tape)
		call abi.Outcome
		want []string
	}{
		"an order to stop": {
			func(_ *Gate, c *Control, _ *tape) { c.Stop(abi.OutcomeStopped) },
			abi.OutcomeStopped, nil,
		},
		"another decider": {
			func(g *Gate, _ *Control, tp *tape) { tp.answers = []*abi.Decision{deny}; g.SetDecider(tp) },
			abi.OutcomeNone,
			[]string{"resolve", "decide", "reserve", "denied", "commit EACCES deny", "release"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tp := &tape{answers: []*abi.Decision{allow}}
			ctl := NewControl()
			g := New(tp, tp, tp, tp, ctl, NewMeter(0, Slice))
			b := &bell{number: 4, heed: func() { tc.heed(g, ctl, tp) }}
			g.Attend(b, 4)
			c := abi.Call{Row: abi.Lookup(abi.PathOpen)}
			if g.Do(&c); c.Stop != abi.OutcomeNone || b.heeded != 0 || g.Calls() != 1 {
				t.Fatalf("nothing came in: stop %v, heeded %d times", c.Stop, b.heeded)
			}
			tp.log, b.number = nil, 6
			c = abi.Call{Row: abi.Lookup(abi.PathOpen)}
			if g.Do(&c); c.Stop != tc.call || b.heeded != 1 || !slices.Equal(tp.log, tc.want) {
				t.Errorf("stop %v, heeded %d times, order %q, want %q", c.Stop, b.heeded, tp.log, tc.want)
			}
			if refused := tc.call != abi.OutcomeNone; g.Refused() != refused {
				t.Errorf("refused: %v", g.Refused())
			}
			b.number = 8
			if _, stop := g.Tick(-1); stop != tc.call || b.heeded != 2 {
				t.Errorf("tick: stop %v, heeded %d times", stop, b.heeded)
			}
		})
	}
	tp := &tape{answers: []*abi.Decision{allow, deny}}
	g := New(tp, tp, tp, tp, NewControl(), NewMeter(0, Slice))
	b := &bell{heed: func() { g.SetDecider(tp) }}
	g.Attend(b, 0)
	tp.perform = func(c *abi.Call) { c.OutLen = copy(c.Out, "secret"); b.number = 2 }
	c := abi.Call{Row: abi.Lookup(abi.FdRead), OutCap: 16}
	if e := g.Do(&c); e != abi.EACCES || c.OutLen != 0 {
		t.Errorf("a call that blocked while policy turned: errno %v, %d bytes", e, c.OutLen)
	}
}

func TestMeter(t *testing.T) {
	m := NewMeter(25, 10)
	gas, steps := int64(-1), 0
	for ; ; steps++ {
		var stop abi.Outcome
		if gas, stop = m.tick(gas); stop != abi.OutcomeNone {
			if stop != abi.OutcomeFuel {
				t.Fatalf("stopped by %v", stop)
			}
			break
		}
		if gas < 0 {
			t.Fatalf("went on with %d", gas)
		}
		gas = -1 // the guest uses the slice up and asks for one unit more
	}
	if m.granted != 25 || m.Used(gas) != 25 || steps != 3 {
		t.Errorf("granted %d, used %d, %d slices", m.granted, m.Used(gas), steps)
	}
	free := NewMeter(0, 10)
	if gas, stop := free.tick(-1 << 40); gas < 0 || stop != abi.OutcomeNone {
		t.Errorf("a bulk charge without a limit: gas %d, %v", gas, stop)
	}
	tight := NewMeter(100, 10)
	if _, stop := tight.tick(-1 << 40); stop != abi.OutcomeFuel {
		t.Errorf("a bulk charge beyond the limit goes on: %v", stop)
	}
}

// TestMeterAtCalls: a call that costs more than is left is the last one, where the run
// is metered so.
func TestMeterAtCalls(t *testing.T) {
	m := NewMeter(25, 10).AtCalls()
	gas, _ := m.tick(-1) // 9 of 10 are left
	for _, tc := range []struct {
		gas    int64
		charge uint64
		want   bool
	}{
		{gas, 0, false}, {gas, 24, false}, {gas, 25, true}, {0, 15, false}, {0, 16, true}, {-5, 10, false}, {-5, 11, true}, {-20, 0, true},
	} {
		if got := m.short(tc.gas, tc.charge); got != tc.want {
			t.Errorf("%d left, %d charged: %v", tc.gas, tc.charge, got)
		}
	}
	most := NewMeter(math.MaxUint64, 10).AtCalls()
	gas, _ = most.tick(-1)
	for name, m := range map[string]Meter{"no limit": NewMeter(0, 10).AtCalls(), "the largest": most, "as it was": NewMeter(25, 10)} {
		if m.short(gas, 100) {
			t.Errorf("%s: short", name)
		}
	}
}
