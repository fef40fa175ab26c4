package cli

import (
	"fmt"
	"io"
	"math"

	"github.com/spf13/cobra"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/config"
	"github.com/forgeone/forgeone/internal/kernel"
)

type holdJSON struct {
	Schema string    `json:"schema"`
	Run    abi.RunID `json:"run"`
	Held   bool      `json:"held"`
}

func (a *app) holdCmd() *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use:   "hold RUN [--reason WHY]",
		Short: "Keep a run's recording, whatever the budgets say",
		Long: `Keep a run's recording, whatever the configuration's retention says, until
"unhold". RUN is an id, the beginning of one, or "last"; it may be running still.
What is held does not count against the budgets.`,
		Example: "  forgeone hold last --reason 'case 4711'",
		Args:    args(1, 1, "a run"),
		RunE: func(_ *cobra.Command, got []string) error {
			k, err := a.open(kernel.ModEvidence)
			if err != nil {
				return err
			}
			defer k.Close(a.ctx)
			r, err := k.FindRun(got[0])
			if err != nil {
				return err
			}
			if err := k.Hold(a.ctx, r.ID, reason); err != nil {
				return err
			}
			return a.emit(holdJSON{"forgeone.hold/v1", r.ID, true}, func(w io.Writer) { printf(w, "%s is held\n", r.ID) })
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "why, for the log (at most 256 bytes)")
	return c
}

func (a *app) unholdCmd() *cobra.Command {
	var draft string
	c := &cobra.Command{
		Use:   "unhold RUN",
		Short: "End the hold on a run's recording",
		Long: `End the hold on a run's recording: an operator's signed act, since it lets evidence
go. If the budgets have no room for it, the next run's end, or "prune", drops it.`,
		Example: "  forgeone unhold r0123456789abcdef",
		Args:    args(1, 1, "a run"),
		RunE: func(_ *cobra.Command, got []string) error {
			k, err := a.open(kernel.ModEvidence)
			if err != nil {
				return err
			}
			r, err := k.FindRun(got[0])
			k.Close(a.ctx)
			if err != nil {
				return err
			}
			return a.act(draft, func(*kernel.Kernel) kernel.Change { return kernel.Unhold(r.ID) },
				holdJSON{"forgeone.hold/v1", r.ID, false}, fmt.Sprintf("%s is held no more", r.ID))
		},
	}
	draftFlag(c, &draft)
	return c
}

type droppedJSON struct {
	Run      abi.RunID     `json:"run"`
	Workload string        `json:"workload"`
	Ended    string        `json:"ended"`
	Size     uint64        `json:"size"`
	Cause    abi.DropCause `json:"cause"`
}

func (a *app) pruneCmd() *cobra.Command {
	var dry bool
	c := &cobra.Command{
		Use:   "prune [--dry-run]",
		Short: "Drop the recordings that the budgets have no room for",
		Long: `Drop the recordings that the configuration's retention has no room for, as every
end of a run does: whole, the oldest first, of a workload that keeps more than
its budget, then of whichever workload keeps most. What is held, is being read,
or belongs to the run that ended last stays. Each drop is a record of the log.
Rewritten modules that neither a recording nor an installed package needs any
more go with them; policies stay, since denials in the log name their rules.`,
		Example: "  forgeone prune --dry-run",
		Args:    args(0, 0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			k, err := a.open(kernel.ModEvidence, kernel.ModRecorder)
			if err != nil {
				return err
			}
			defer k.Close(a.ctx)
			p, err := k.Prune(a.ctx, dry)
			if err != nil {
				return err
			}
			return a.pruned(p, dry)
		},
	}
	c.Flags().BoolVar(&dry, "dry-run", false, "only say what would be dropped")
	return c
}

// unneededJSON tells of rewritten modules that no recording needs.
type unneededJSON struct {
	Files int    `json:"files"`
	Bytes uint64 `json:"bytes"`
	Known bool   `json:"known"` // false: all stayed, as a message on stderr says why
}

// unusedJSON tells of package files of which none is installed.
type unusedJSON struct {
	Files int    `json:"files"`
	Bytes uint64 `json:"bytes"`
}

func (a *app) pruned(p *kernel.Pruned, dry bool) error {
	if err := p.Tidied.Stay; err != nil {
		printn(a.stderr, "forgeone: modules stay: "+err.Error())
	}
	list := []droppedJSON{}
	for i, u := range p.Dropped {
		list = append(list, droppedJSON{u.ID, u.Workload, nano(u.Ended), u.Size, p.Causes[i]})
	}
	return a.emit(struct {
		Schema   string        `json:"schema"`
		Dry      bool          `json:"dry_run"`
		Dropped  []droppedJSON `json:"dropped"`
		Kept     uint64        `json:"kept"`
		Held     uint64        `json:"held"`
		Total    uint64        `json:"total"`      // the budget; 2^64-1: unlimited
		Workload uint64        `json:"workload"`   // the budget; 2^64-1: unlimited
		Left     int           `json:"unfinished"` // files that processes which died were writing
		Unneeded unneededJSON  `json:"unneeded"`
		Packages unusedJSON    `json:"packages"`
	}{
		"forgeone.prune/v1", dry, list, p.Kept, p.Held, p.Budget.Total, p.Budget.Workload, p.Left,
		unneededJSON{p.Tidied.Modules.Files, p.Tidied.Modules.Bytes, p.Tidied.Stay == nil},
		unusedJSON(p.Tidied.Packages),
	}, func(w io.Writer) {
		did := "dropped"
		if dry {
			did = "would drop"
		}
		for _, d := range list {
			printf(w, "%s %s of %s: %s, ended %s (%s)\n", did, d.Run, d.Workload, config.FormatSize(d.Size), d.Ended[:19]+"Z", d.Cause)
		}
		if p.Finished > 0 {
			printf(w, "removed %d file(s) of recordings that were dropped before\n", p.Finished)
		}
		if p.Left > 0 {
			printf(w, "%s %d file(s) that processes which died were writing\n", did, p.Left)
		}
		if t := p.Tidied.Packages; t.Files > 0 {
			printf(w, "%s %d package file(s) that are not installed, of %d bytes\n", did, t.Files, t.Bytes)
		}
		if t := p.Tidied.Modules; t.Files > 0 {
			printf(w, "%s %d rewritten module(s) that no recording needs, of %d bytes\n", did, t.Files, t.Bytes)
		}
		printf(w, "%s %d; %d bytes kept of %s, %d held\n", did, len(list), p.Kept, bound(p.Budget.Total), p.Held)
	})
}

// bound writes a budget.
func bound(n uint64) string {
	if n == math.MaxUint64 {
		return "unlimited"
	}
	return config.FormatSize(n)
}

// aboutJSON is what the log says of what became of a run and its recording.
type aboutJSON struct {
	Seal       string        `json:"seal,omitempty"`
	StopReason string        `json:"stop_reason,omitempty"`
	Recording  string        `json:"recording,omitempty"` // its size, "held", "dropped"
	HoldReason string        `json:"hold_reason,omitempty"`
	DropTime   string        `json:"drop_time,omitempty"`
	DropCause  abi.DropCause `json:"drop_cause,omitempty"`
	DropBudget uint64        `json:"drop_budget,omitempty"`
}

func aboutOf(r brain.Run, about kernel.About) aboutJSON {
	u := runOf(r)
	j := aboutJSON{Seal: u.Seal, Recording: u.recording()}
	if about.Stop != nil {
		j.StopReason = about.Stop.Body.Reason
	}
	if about.Held != nil {
		j.HoldReason = about.Held.Body.Reason
	}
	if d := about.Dropped; d != nil {
		j.DropTime, j.DropCause, j.DropBudget = nano(d.Time), d.Body.Cause, d.Body.Budget
	}
	return j
}

// aboutRun says why a run was stopped, is held or has no recording.
func aboutRun(w io.Writer, r brain.Run, about kernel.About) {
	if s := about.Stop; s != nil {
		printf(w, "stopped   %s, record %d: %q\n", nano(s.Time), s.Index, s.Body.Reason)
	}
	if h := about.Held; h != nil {
		printf(w, "held      since %s, record %d: %q\n", nano(h.Time), h.Index, h.Body.Reason)
	}
	if d := about.Dropped; d != nil {
		printf(w, "recording dropped %s, record %d\n", kernel.DropWords(d), d.Index)
	} else if !r.Open() {
		printf(w, "recording %s\n", runOf(r).recording())
	}
	if !r.Open() {
		printf(w, "seal      %s\n", r.Seal.Hex())
	}
}
