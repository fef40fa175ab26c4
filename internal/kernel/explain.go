package kernel

import (
	"errors"
	"io"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/policy"
	"github.com/forgeone/forgeone/internal/trace"
)

// Explained is everything that can be said about one decision of a run.
type Explained struct {
	Run      brain.Run
	Event    trace.Event
	Workload string
	Policy   abi.Digest
	Limits   abi.Limits // the run's
	*policy.Explanation
}

// Explain tells why call seq of run r was decided as it was. The decision is
// the recorded one; the rules come from the policy that was in force then.
func (k *Kernel) Explain(r brain.Run, seq uint64) (*Explained, error) {
	rec, err := k.Recording(r)
	if err != nil {
		return nil, err
	}
	defer rec.Close()
	e := &Explained{Run: r}
	for {
		err := rec.Next(&e.Event)
		if errors.Is(err, io.EOF) {
			return nil, &abi.Error{Code: "F1-RPL-023", What: "the run has no call of that index", Where: string(r.ID), Hint: "forgeone trace " + string(r.ID)}
		}
		if err != nil {
			return nil, err
		}
		if e.Event.Index == seq {
			break
		}
	}
	e.Event.Out = nil // the reader's
	h := rec.Header()
	e.Workload, e.Policy, e.Limits = h.Workload, h.Policy, h.Limits
	sources, err := k.policyOf(h.Policy)
	if err != nil {
		return nil, err
	}
	var grants []policy.Grant
	for _, m := range h.Mounts {
		grants = append(grants, policy.Grant{Host: m.Host, Guest: m.Guest, ReadOnly: m.ReadOnly})
	}
	id := policy.Identity{Workload: h.Workload, Publisher: h.Publisher, Standing: h.Standing, Bare: h.Bare}
	o := e.Event.Object()
	c := abi.Call{Row: e.Event.Row(), Args: e.Event.Args}
	e.Explanation, err = policy.Explain(sources, id, e.Event.Decision.Trust, c.Action(), &o, grants...)
	return e, err
}
