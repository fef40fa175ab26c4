package observer

import (
	"encoding/hex"
	"strconv"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/trace"
)

// Call is the JSON form of a recorded call. Values of 64 bits are strings of
// decimal digits, since JSON's numbers lose them.
type Call struct {
	Call     uint64    `json:"call"` // call index: the SEQ of `explain RUN:SEQ`
	Name     string    `json:"name"`
	Class    string    `json:"class"`
	Action   string    `json:"action"`
	Args     []Value   `json:"args,omitempty"`
	In       *Input    `json:"in,omitempty"`
	Errno    string    `json:"errno"`
	Limit    string    `json:"limit,omitempty"` // that the errno comes from
	Results  []Value   `json:"results,omitempty"`
	OutBytes int       `json:"out_bytes"`
	Out      []byte    `json:"out,omitempty"` // base64; only where asked for
	Object   *Object   `json:"object,omitempty"`
	Decision *Decision `json:"decision,omitempty"`
	Stop     string    `json:"stop,omitempty"`        // the outcome, if the call itself ended the run
	Duration *int64    `json:"duration_ns,omitempty"` // where sampled
	Time     int64     `json:"time_ns,string,omitempty"`
}

// Value is one argument or result.
type Value struct {
	Name  string   `json:"name"`
	Type  string   `json:"type"`
	Value any      `json:"value"`
	Words []string `json:"words,omitempty"`
}

// Input is what went in: the recording has its length and tag only.
type Input struct {
	Bytes int    `json:"bytes"`
	Tag   string `json:"tag"`
}

// Object is what the call was on.
type Object struct {
	Kind  string `json:"kind"`
	Name  string `json:"name"`
	Name2 string `json:"name2,omitempty"`
	// Via are the places that the paths led through, Denied the one of them that
	// was denied.
	Via    []string `json:"via,omitempty"`
	Denied string   `json:"denied,omitempty"`
	Grant  int      `json:"grant,omitempty"`
}

// Decision is what was decided, and by what.
type Decision struct {
	Verdict  string    `json:"verdict"`
	Reason   string    `json:"reason,omitempty"`
	Rules    []Rule    `json:"rules,omitempty"`
	Errno    string    `json:"errno,omitempty"`
	Severity uint8     `json:"severity,omitempty"`
	Advice   string    `json:"advice,omitempty"`
	Epoch    uint64    `json:"epoch"`
	Trust    abi.Trust `json:"trust"`
}

// Rule is one rule of a policy.
type Rule struct {
	ID   string `json:"id"`
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
}

// NewCall returns the JSON form of ev, with the bytes the call answered if out is set.
func NewCall(ev *trace.Event, out bool) Call {
	row := ev.Row()
	c := Call{
		Call: ev.Index, Name: row.Name, Class: row.Class.String(), Action: action(ev).String(), Errno: ev.Errno.String(),
		Limit: ev.Limit.String(), OutBytes: len(ev.Out), Time: ev.Time,
	}
	path := 0
	for i, p := range row.Params {
		if p.Type.Size() > 0 || p.Type == abi.StringsOut {
			continue
		}
		v := Value{Name: p.Name, Type: p.Type.String(), Words: Words(p.Words, ev.Args[i])}
		switch p.Type {
		case abi.Path:
			v.Value = ev.Path[path]
			path++
		case abi.U64:
			v.Value = strconv.FormatUint(ev.Args[i], 10)
		case abi.S64:
			v.Value = strconv.FormatInt(int64(ev.Args[i]), 10)
		default:
			v.Value = ev.Args[i]
		}
		c.Args = append(c.Args, v)
	}
	if ev.InLen > 0 {
		c.In = &Input{ev.InLen, hex.EncodeToString(ev.InTag[:])}
	}
	c.Results = values(ev)
	if out {
		c.Out = append([]byte(nil), ev.Out...)
	}
	if ev.Kind != abi.ObjNone {
		c.Object = &Object{Kind: ev.Kind.String(), Name: ev.Name, Name2: ev.Name2, Grant: ev.Grant}
		for i, p := range ev.Via {
			c.Object.Via = append(c.Object.Via, p.Name)
			if i+1 == ev.Barring {
				c.Object.Denied = p.Name
			}
		}
	}
	if d := ev.Decision; d != nil {
		c.Decision = newDecision(d)
	}
	if ev.Stop != abi.OutcomeNone {
		c.Stop = ev.Stop.String()
	}
	if ev.Duration >= 0 {
		n := ev.Duration
		c.Duration = &n
	}
	return c
}

func values(ev *trace.Event) []Value {
	types := map[string]abi.Type{}
	for _, p := range ev.Row().Params {
		types[p.Name] = p.Type
	}
	var out []Value
	for _, r := range results(ev) {
		v := Value{Name: r.name, Type: types[r.name].String(), Value: any(r.text)}
		if r.number && types[r.name] != abi.RetU64 {
			v.Value = r.value
		}
		out = append(out, v)
	}
	return out
}

func newDecision(d *abi.Decision) *Decision {
	j := &Decision{
		Verdict: d.Verdict.String(), Reason: d.Reason.String(), Severity: d.Severity, Advice: d.Advice,
		Epoch: d.Epoch, Trust: d.Trust,
	}
	if d.Verdict != abi.Allow {
		j.Errno = d.Errno.String()
	}
	for _, r := range d.Rules {
		j.Rules = append(j.Rules, Rule(r))
	}
	return j
}

// action returns what policy decided the call as.
func action(ev *trace.Event) abi.Action {
	c := abi.Call{Row: ev.Row(), Args: ev.Args}
	return c.Action()
}
