package cli

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/kernel"
)

func (a *app) stopCmd() *cobra.Command {
	var reason string
	var wait time.Duration
	c := &cobra.Command{
		Use:   "stop RUN [--reason WHY]",
		Short: "Stop a run, whichever process it runs in",
		Long: `Stop a run. RUN is an id, the beginning of one, or "last". The order is a record
of the evidence log; the run obeys at its next call or tick, or out of a call
that waits, and its recording is sealed as always. A run whose process died is
closed. The command waits until the run's end is in the log. While its module is
being compiled a run has not begun: interrupt the process that started it.`,
		Example: "  forgeone stop last --reason 'writes too much'",
		Args:    args(1, 1, "a run"),
		RunE: func(_ *cobra.Command, got []string) error {
			if wait < 0 {
				return usage("a run can't be waited for "+wait.String(), "forgeone stop --wait 10s "+got[0])
			}
			k, err := a.open(kernel.ModEvidence, kernel.ModRecorder)
			if err != nil {
				return err
			}
			defer k.Close(a.ctx)
			r, err := k.FindRun(got[0])
			if err != nil {
				return err
			}
			if err := k.Stop(a.ctx, r.ID, reason); err != nil {
				return err
			}
			if wait > 0 {
				ctx, cancel := context.WithTimeout(a.ctx, wait)
				defer cancel()
				if r, err = k.AwaitEnd(ctx, r.ID); err != nil {
					return err
				}
			}
			return a.stopped(r)
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "why, for the log (at most 256 bytes)")
	c.Flags().DurationVar(&wait, "wait", 10*time.Second, "how long to wait for the end (0: not at all)")
	return c
}

func (a *app) stopped(r brain.Run) error {
	return a.emit(struct {
		Schema  string      `json:"schema"`
		Run     abi.RunID   `json:"run"`
		Ended   bool        `json:"ended"`
		Outcome abi.Outcome `json:"outcome"`
	}{"forgeone.stop/v1", r.ID, !r.Open(), r.Outcome}, func(w io.Writer) {
		if r.Open() {
			printf(w, "%s is told to stop\n", r.ID)
			return
		}
		printf(w, "%s has ended: %s\n", r.ID, r.Outcome)
	})
}
