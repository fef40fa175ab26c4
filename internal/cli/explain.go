package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/kernel"
	"github.com/forgeone/forgeone/internal/observer"
	"github.com/forgeone/forgeone/internal/policy"
)

func (a *app) explainCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "explain CODE|RUN|RUN:SEQ",
		Short:   "Say what an error code means, how a run ended, or why a call was decided as it was",
		Example: "  forgeone explain F1-POL-003\n  forgeone explain last\n  forgeone explain last:12",
		Args:    args(1, 1, "a code, a run, or a run and a call index"),
		RunE: func(_ *cobra.Command, got []string) error {
			if run, seq, ok := strings.Cut(got[0], ":"); ok {
				n, err := strconv.ParseUint(seq, 10, 64)
				if err != nil {
					return usage(quote(seq)+" is no call index", "forgeone explain last:0")
				}
				return a.explainCall(run, n)
			}
			if namesRun(got[0]) {
				return a.explainRun(got[0])
			}
			return a.explainCode(abi.Code(strings.ToUpper(got[0])))
		},
	}
}

func (a *app) explainCode(c abi.Code) error {
	info, ok := abi.LookupCode(c)
	if !ok {
		return &abi.Error{Code: "F1-CLI-004", What: "there is no such code", Where: string(c), Hint: "forgeone explain F1-POL-003"}
	}
	return a.emit(struct {
		Schema string   `json:"schema"`
		Code   abi.Code `json:"code"`
		Title  string   `json:"title"`
		Text   string   `json:"text"`
		Exit   int      `json:"exit"`
	}{"forgeone.explain.code/v1", info.Code, info.Title, info.Text, info.Exit}, func(w io.Writer) {
		printf(w, "%s: %s (exit code %d)\n\n%s\n", info.Code, info.Title, info.Exit, block(wrap(info.Text, 80)))
	})
}

// wrap breaks a text into lines of at most n characters, at spaces.
func wrap(s string, n int) string {
	var b strings.Builder
	at := 0
	for i, word := range strings.Fields(s) {
		switch {
		case i == 0:
		case at+1+len(word) > n:
			b.WriteByte('\n')
			at = 0
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += len(word)
	}
	return b.String()
}

type matchJSON struct {
	Rule   string `json:"rule"`
	Effect string `json:"effect"`
	File   string `json:"file"`
	Line   int    `json:"line"`
	Name   string `json:"name,omitempty"`
	Error  string `json:"error,omitempty"`
	Advice string `json:"advice,omitempty"`
}

func (a *app) explainCall(run string, seq uint64) error {
	k, err := a.open(kernel.ModEvidence, kernel.ModRecorder)
	if err != nil {
		return err
	}
	defer k.Close(a.ctx)
	r, err := k.FindRun(run)
	if err != nil {
		return err
	}
	e, err := k.Explain(r, seq)
	if err != nil {
		return err
	}
	matches := []matchJSON{}
	for _, m := range e.Matches {
		matches = append(matches, matchJSON{m.Rule.ID, m.Effect, m.Rule.File, m.Rule.Line, m.Name, m.Error, m.Advice})
	}
	d := e.Event.Decision
	return a.emit(struct {
		Schema   string        `json:"schema"`
		Run      abi.RunID     `json:"run"`
		Workload string        `json:"workload"`
		Policy   abi.Digest    `json:"policy"`
		Code     abi.Code      `json:"code,omitempty"`
		Reached  []string      `json:"reached"`
		Call     observer.Call `json:"call"`
		Matches  []matchJSON   `json:"matches"`
		Change   string        `json:"change,omitempty"`
	}{"forgeone.explain.call/v1", r.ID, e.Workload, e.Policy, abi.CodeForReason(d.Reason), e.Event.Limit.Names(), observer.NewCall(&e.Event, false), matches, e.Change}, func(w io.Writer) {
		printf(w, "%s\n\n", observer.Line(&e.Event))
		printf(w, "run       %s of %s\n", r.ID, e.Workload)
		printf(w, "decision  %s\n", observer.Verdict(d))
		if code := abi.CodeForReason(d.Reason); code != "" && d.Verdict != abi.Allow {
			info, _ := abi.LookupCode(code)
			printf(w, "why       %s: %s\n", code, info.Title)
		}
		for _, l := range reached(e.Event.Limit, &e.Limits) {
			printf(w, "limit     %s: %s: %s\nhint      %s\n", l.Code, l.Limit, l.What, l.Hint)
		}
		printf(w, "trust     %v\nepoch     %d\npolicy    %s\n", d.Trust, d.Epoch, e.Policy.Short())
		if len(matches) == 0 && d.Verdict != abi.Allow {
			printn(w, "rules     none was asked or matched")
		}
		for _, m := range e.Matches {
			printf(w, "rule      %s\n", ruleLine(m))
		}
		if e.Threshold >= 0 && d.Verdict != abi.Allow {
			printf(w, "          with a trust of %d or more it would be allowed\n", e.Threshold)
		}
		if e.Change != "" {
			printf(w, "hint      %s\n", e.Change)
		}
	})
}

func ruleLine(m policy.Match) string {
	s := fmt.Sprintf("%s %s (%s:%d)", m.Effect, m.Rule.ID, m.Rule.File, m.Rule.Line)
	if m.Error != "" {
		s += ": " + m.Error
	}
	if m.Advice != "" {
		s += " – " + m.Advice
	}
	return s
}
