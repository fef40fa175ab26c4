package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/kernel"
	"github.com/forgeone/forgeone/internal/trace"
)

// namesRun tells whether what was given to explain is a run and no code.
func namesRun(s string) bool {
	return s == "last" || len(s) > 1 && s[0] == 'r' && strings.Trim(s[1:], "0123456789abcdef") == ""
}

// explainRun says how a run ended and which limits it reached.
func (a *app) explainRun(id string) error {
	k, err := a.open(kernel.ModEvidence)
	if err != nil {
		return err
	}
	defer k.Close(a.ctx)
	r, err := k.FindRun(id)
	if err != nil {
		return err
	}
	about, err := k.About(r)
	if err != nil {
		return err
	}
	var limits abi.Limits
	if about.Start != nil {
		limits = about.Start.Body.Limits
	}
	var end abi.RunEnd // of a run under way there is none
	if about.End != nil {
		end = about.End.Body
	}
	header := headerOf(k, r)
	engine, everywhere := "", (*bool)(nil)
	if header != nil {
		p := header.Portable()
		engine, everywhere = header.Engine, &p
	}
	info, _ := abi.LookupCode(r.Outcome.Code())
	return a.emit(struct {
		Schema   string            `json:"schema"`
		Run      abi.RunID         `json:"run"`
		Workload string            `json:"workload"`
		Outcome  abi.Outcome       `json:"outcome"`
		Exit     uint32            `json:"exit"`
		Code     abi.Code          `json:"code,omitempty"`
		Title    string            `json:"title,omitempty"`
		Text     string            `json:"text,omitempty"`
		Calls    uint64            `json:"calls"`
		Denials  uint64            `json:"denials"`
		Denied   []abi.DenialCount `json:"denied"`
		Fuel     uint64            `json:"fuel"`
		Limits   abi.Limits        `json:"limits"`
		Reached  []reachedLimit    `json:"reached"`
		Engine   string            `json:"engine,omitempty"`
		Portable *bool             `json:"portable,omitempty"`
		aboutJSON
	}{
		"forgeone.explain.run/v1", r.ID, r.Workload, r.Outcome, r.Exit, info.Code, info.Title, info.Text, r.Calls, r.Denials,
		append([]abi.DenialCount{}, end.Denied...), end.Fuel, limits, reached(end.Reached, &limits),
		engine, everywhere, aboutOf(r, about),
	}, func(w io.Writer) {
		how := r.Outcome.String()
		if r.Outcome == abi.OutcomeExit {
			how = fmt.Sprintf("exit %d", r.Exit)
		}
		printf(w, "run       %s of %s\noutcome   %s\n", r.ID, r.Workload, how)
		if info.Code != "" {
			printf(w, "why       %s: %s\n\n%s\n\n", info.Code, info.Title, block(wrap(info.Text, 80)))
		}
		printf(w, "calls     %d, %d denied\nfuel      %d\n", r.Calls, r.Denials, end.Fuel)
		rest := r.Denials
		for _, d := range end.Denied {
			printf(w, "denied    %d × %s by %s\n", d.Count, abi.Action(d.Num), quote(d.Rule))
			rest -= min(d.Count, rest)
		}
		if rest > 0 { // the log names so many only
			printf(w, "denied    %d more, by other rules: forgeone trace %s --deny-only\n", rest, id)
		}
		if header != nil {
			printf(w, "engine    %s\nportable  %s\n", engine, portable(header))
		}
		aboutRun(w, r, about)
		for _, l := range reached(end.Reached, &limits) {
			printf(w, "limit     %s: %s: %s\nhint      %s\n", l.Code, l.Limit, l.What, l.Hint)
		}
	})
}

// headerOf is the header of r's recording, nil where it can't be read: commands
// that need it say why.
func headerOf(k *kernel.Kernel, r brain.Run) *trace.Header {
	rec, err := k.Recording(r)
	if err != nil {
		return nil
	}
	defer rec.Close()
	return rec.Header()
}
