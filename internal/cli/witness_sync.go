package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/kernel"
	"github.com/forgeone/forgeone/internal/witness"
)

func (a *app) witnessSyncCmd() *cobra.Command {
	var every time.Duration
	c := &cobra.Command{
		Use:   "sync [--every TIME]",
		Short: "Have the log's newest checkpoint cosigned",
		Long: `Ask each witness to cosign the log's newest checkpoint. When as many as the
quorum did, the checkpoint with their signatures takes the place of the one
before, in the log's folder. A witness that has seen more of the log than is
here, or another history of it, is reported: F1-LOG-040, F1-LOG-041. With
--every the command goes on until it is interrupted.`,
		Example: "  forgeone log witness sync\n  forgeone log witness sync --every 1m",
		Args:    args(0, 0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			if every < 0 || (every > 0 && every < time.Second) {
				return usage("witnesses can't be asked every "+every.String(), "forgeone log witness sync --every 1m")
			}
			k, err := a.open(kernel.ModEvidence)
			if err != nil {
				return err
			}
			defer k.Close(a.ctx)
			if every == 0 {
				return a.syncOnce(k)
			}
			return a.syncEvery(k, every)
		},
	}
	c.Flags().DurationVar(&every, "every", 0, "ask again at this interval (0: once)")
	return c
}

// syncEvery asks again and again. What goes wrong is told and does not end it.
func (a *app) syncEvery(k *kernel.Kernel, every time.Duration) error {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		a.exit = exitYes
		if err := a.syncOnce(k); err != nil && a.ctx.Err() == nil {
			a.exit = a.fail(err)
		}
		select {
		case <-a.ctx.Done():
			return nil
		case <-t.C:
		}
		if err := k.Refresh(a.ctx); err != nil {
			return err
		}
	}
}

type askedJSON struct {
	Name string     `json:"name"`
	URL  string     `json:"url"`
	OK   bool       `json:"ok"`
	Saw  uint64     `json:"saw"`
	Time *time.Time `json:"time,omitempty"`
	Code abi.Code   `json:"code,omitempty"`
	What string     `json:"what,omitempty"`
}

// syncOnce asks every witness once. Its error is the worst that was found:
// another history, an older log, then a quorum that was missed.
func (a *app) syncOnce(k *kernel.Kernel) error {
	var set abi.WitnessSet
	k.View(func(s *brain.State) { set = s.Witnesses() })
	if len(set.Witnesses) == 0 {
		return &abi.Error{Code: "F1-WIT-018", What: "this log has no witnesses", Where: a.logDir(nil), Hint: "forgeone log witness add VKEY URL"}
	}
	peers, err := witness.Peers(set)
	if err != nil {
		return err
	}
	newest := func() (*evidence.Checkpoint, error) {
		if err := k.Refresh(a.ctx); err != nil {
			return nil, err
		}
		return k.LogHead()
	}
	dir := a.logDir(nil)
	o, err := witness.Sync(a.ctx, witness.NewClient(), dir, newest, &witness.LogProver{Dir: dir}, peers, set.Quorum)
	if err != nil {
		return err
	}
	// What was kept from before may be damaged; what was answered now is said first.
	seen, damaged := witness.Look(dir, o.Head.Size, set)
	if seen.State == "" {
		return damaged
	}
	if err := a.synced(&o, &seen.Witnessed); err != nil {
		return err
	}
	if err := syncVerdict(dir, &o, set.Quorum); err != nil {
		return err
	}
	return damaged
}

func (a *app) synced(o *witness.Outcome, seen *evidence.Witnessed) error {
	asked := []askedJSON{}
	for _, r := range o.Results {
		j := askedJSON{Name: r.Peer.Key.Name, URL: r.Peer.URL, OK: r.Err == nil, Saw: r.Knows}
		if r.Err == nil {
			j.Time = &r.Time
		} else {
			j.Code, j.What = abi.CodeOf(r.Err), r.Err.Error()
		}
		asked = append(asked, j)
	}
	if a.format == "json" { // one line a round
		return a.json(a.stdout, struct {
			Schema  string        `json:"schema"`
			Records uint64        `json:"records"`
			Kept    bool          `json:"kept"`
			Asked   []askedJSON   `json:"asked"`
			Witness witnessedJSON `json:"witness"`
		}{"forgeone.log.witness.sync/v1", o.Head.Size, o.Kept, asked, witnessedOf(seen)}, "  ")
	}
	t := table(a.stdout, "WITNESS", "RESULT")
	for _, j := range asked {
		said := fmt.Sprintf("%s %s", j.Code, j.What)
		if j.OK {
			said = fmt.Sprintf("cosigned %d records at %s", o.Head.Size, j.Time.Format(time.RFC3339))
		}
		t.row(j.Name, said)
	}
	t.Flush()
	return printn(a.stdout, seen)
}

// syncVerdict is the error of a round, nil if the checkpoint is now witnessed.
func syncVerdict(dir string, o *witness.Outcome, quorum uint64) error {
	for _, code := range []abi.Code{witness.CodeHistory, witness.CodeOlder, witness.CodeForgot} {
		for _, r := range o.Results {
			if abi.CodeOf(r.Err) == code {
				return r.Err
			}
		}
	}
	if o.Kept {
		return nil
	}
	return &abi.Error{
		Code: evidence.CodeQuorum, What: fmt.Sprintf("%d of %d witnesses cosigned, and %d are asked for: the checkpoint from before stays", o.Count, len(o.Results), max(quorum, 1)), Where: dir,
		Hint: "forgeone log witness list",
	}
}
