package policy

import (
	"strings"
	"sync"

	"github.com/cedar-policy/cedar-go/types"

	"github.com/forgeone/forgeone/abi"
)

// Program decides the calls of one run's workload, by one policy epoch and one
// trust vector. It is immutable but for the decisions it remembers, which a lock
// guards, and safe for concurrent use.
//
// Nothing a decision depends on but what stands in its key changes during a
// program's life: policy, identity, grants, epoch and trust are the program's,
// context.approved is always false, and rules see neither arguments nor time. A
// feature that adds to what rules see adds to the key.
type Program struct {
	set     *ruleset
	trust   abi.Trust
	context [2]types.Record // without and with a grant

	mu     sync.Mutex
	made   map[cacheKey]*abi.Decision
	shared map[shape]*abi.Decision
	bytes  int // of the names in made
}

// Bounds of what a program remembers. When one is reached it forgets everything.
const (
	maxMade  = 8192
	maxNames = 4 << 20
)

// cacheKey is what a decision depends on, packed: two numbers and two strings
// hash faster than a field for each.
type cacheKey struct {
	what  uint64 // action, kind, Dir with Name2, refusal and its errno
	grant int
	name  string
	name2 string
}

func keyOf(a abi.Action, o *abi.Object) cacheKey {
	refusal := uint64(0)
	if o.Refused != abi.RefuseNone {
		if refusal = uint64(o.Refused)<<25 | uint64(o.Errno)<<32; !asksFirst(a, o) {
			return cacheKey{what: refusal}
		}
	} else if o.Kind == abi.ObjNone {
		return cacheKey{what: 1<<48 | uint64(min(o.Errno, 1))} // whether there is one
	}
	k := cacheKey{what: uint64(a) | uint64(o.Kind)<<16 | refusal, grant: o.Grant, name: o.Name, name2: o.Name2}
	if o.Dir && o.Name2 != "" {
		k.what |= 1 << 24
	}
	return k
}

// asksFirst tells that policy is asked about o although the world refuses a on it.
// Whether the world does may hang on what is there, whose name the rules may
// forbid: were the refusal answered to who may not know, it would tell. Calls on
// descriptors are on what is known to be there, and a name without a grant or
// above the root is refused whatever is there.
func asksFirst(a abi.Action, o *abi.Object) bool {
	if o.Kind != abi.ObjFile || o.Refused != abi.RefuseReadOnly && o.Refused != abi.RefuseRights && o.Refused != abi.RefuseSystem {
		return false
	}
	r := abi.Lookup(abi.Num(a))
	return a == abi.PathOpenWrite || r != nil && r.Paths() > 0
}

// memoKey is what a descriptor's memo holds for. The name is in it so that a
// memo never outlives a rename of what the descriptor stands for.
type memoKey struct {
	by    *Program
	kind  abi.ObjectKind
	grant int
	name  string
}

func newProgram(s *ruleset, t abi.Trust) *Program {
	return &Program{
		set: s, trust: t, context: [2]types.Record{contextOf(t, false), contextOf(t, true)},
		made: map[cacheKey]*abi.Decision{}, shared: map[shape]*abi.Decision{},
	}
}

// With returns the same program for another trust vector. It costs a
// microsecond: rules are shared, remembered decisions are not.
func (p *Program) With(t abi.Trust) *Program {
	if t == p.trust {
		return p
	}
	return newProgram(p.set, t)
}

// Trust returns the vector that the program decides by.
func (p *Program) Trust() abi.Trust { return p.trust }

// Epoch returns the policy's epoch.
func (p *Program) Epoch() uint64 { return p.set.epoch }

// Decide answers what may be done: c, on the object o that it was resolved to.
// It is never nil, is immutable and may be kept. It depends on c's action and on
// o's Kind, Name, Name2, Via, Dir, Grant, Refused and, for a refusal, Errno. A
// denial of a place in Via comes first, then one by the rules on the names, then
// what the world refuses. It sets o.Barring and fills o.Memo, which serves calls
// on the descriptor itself, not those on a path from it.
func (p *Program) Decide(c *abi.Call, o *abi.Object) *abi.Decision {
	if o.Memo != nil && o.Refused == abi.RefuseNone && c.Row.Paths() == 0 {
		if k, ok := o.Memo.By.(*memoKey); ok && k.by == p && k.kind == o.Kind && k.grant == o.Grant && k.name == o.Name {
			if d := o.Memo.Slots[abi.Action(c.Row.Num).Slot()]; d != nil {
				return d
			}
		}
	}
	a := c.Action()
	d := p.decide(a, o)
	if len(o.Via) > 0 || o.Barring != 0 {
		d = p.decideVia(a, o, d)
	}
	if s := a.Slot(); o.Memo != nil && o.Refused == abi.RefuseNone && o.Kind != abi.ObjNone && c.Row.Paths() == 0 && s != 0 {
		if k, ok := o.Memo.By.(*memoKey); !ok || k.by != p || k.kind != o.Kind || k.grant != o.Grant || k.name != o.Name {
			*o.Memo = abi.Memo{By: &memoKey{p, o.Kind, o.Grant, o.Name}}
		}
		o.Memo.Slots[s] = d
	}
	return d
}

// decideVia returns the denial of the first place in o.Via that is denied, and
// notes which it is; d where none is.
func (p *Program) decideVia(a abi.Action, o *abi.Object, d *abi.Decision) *abi.Decision {
	o.Barring = 0
	for i, v := range o.Via {
		if at := p.decide(a, &abi.Object{Kind: abi.ObjFile, Name: v.Name, Grant: v.Grant}); at.Verdict != abi.Allow {
			o.Barring = i + 1
			return at
		}
	}
	return d
}

func (p *Program) decide(a abi.Action, o *abi.Object) *abi.Decision {
	k := keyOf(a, o)
	p.mu.Lock()
	defer p.mu.Unlock()
	if d := p.made[k]; d != nil {
		return d
	}
	if len(p.made) >= maxMade || p.bytes+len(k.name)+len(k.name2) > maxNames {
		clear(p.made)
		clear(p.shared)
		p.bytes = 0
	}
	d := p.share(p.judge(a, o))
	k.name, k.name2 = strings.Clone(k.name), strings.Clone(k.name2)
	p.bytes += len(k.name) + len(k.name2)
	p.made[k] = d
	return d
}

// judge decides without remembering.
func (p *Program) judge(a abi.Action, o *abi.Object) (answer, abi.Errno, string) {
	switch {
	case o.Refused != abi.RefuseNone:
		if asksFirst(a, o) {
			if r, why := p.onNames(a, o); r.verdict != abi.Allow {
				return r, abi.EACCES, why
			}
		}
		reason, errno := abi.Refuse(o)
		return answer{reason: reason}, errno, ""
	case o.Kind == abi.ObjNone && o.Errno != abi.ESUCCESS:
		return answer{verdict: abi.Allow, reason: abi.ReasonNoEffect}, abi.ESUCCESS, ""
	case o.Kind == abi.ObjNone:
		// Nothing to decide on and nothing in the way: that should not be.
		return answer{reason: abi.ReasonError}, abi.EACCES, ""
	}
	r, why := p.onNames(a, o)
	if r.verdict == abi.Allow {
		return r, abi.ESUCCESS, ""
	}
	return r, abi.EACCES, why
}

// onNames decides a on all names of o.
func (p *Program) onNames(a abi.Action, o *abi.Object) (answer, string) {
	from := subject{o.Kind, o.Name, o.Grant}
	r := p.ask(a, from)
	if r.verdict != abi.Allow || o.Name2 == "" {
		return r, ""
	}
	to := p.set.destination(o)
	if second := p.ask(a, to); second.verdict != abi.Allow {
		return second, ""
	}
	if refused, why := p.widens(from, to, o.Dir); why != "" {
		return refused, why
	}
	return r, ""
}

// shape is what tells decisions of one program apart.
type shape struct {
	reason abi.Reason
	errno  abi.Errno
	rules  string
	advice string
}

// share returns the decision for an answer, the same one for the same answer, so
// that whoever keeps decisions keeps few.
func (p *Program) share(r answer, errno abi.Errno, advice string) *abi.Decision {
	var key strings.Builder
	for _, x := range r.rules {
		key.WriteString(string(x.key))
		key.WriteByte(' ')
	}
	sh := shape{r.reason, errno, key.String(), advice}
	if d := p.shared[sh]; d != nil {
		return d
	}
	d := &abi.Decision{Verdict: r.verdict, Reason: r.reason, Errno: errno, Advice: advice, Epoch: p.set.epoch, Trust: p.trust}
	for _, x := range r.rules {
		d.Rules = append(d.Rules, x.Rule)
		if r.reason == abi.ReasonForbid {
			d.Severity = max(d.Severity, x.severity)
			if d.Advice == "" {
				d.Advice = x.advice
			}
		}
	}
	p.shared[sh] = d
	return d
}
