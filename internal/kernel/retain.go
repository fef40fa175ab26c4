package kernel

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/config"
	"github.com/forgeone/forgeone/internal/trace"
)

// Pruned tells what Prune dropped, or would drop.
type Pruned struct {
	Dropped  []brain.Run // in the order in which they go
	Causes   []abi.DropCause
	Kept     uint64 // bytes that count against the budgets afterwards
	Held     uint64 // bytes that are held beside them
	Budget   config.Retention
	Finished int // files of recordings that were dropped before and were there still
	Left     int // files that processes which died were writing
	Tidied   Tidied
}

// Prune drops the recordings that the configuration's budgets have no room for:
// the rule is that of brain.State.Excess. A drop is durable in the log before its
// file is removed. What somebody reads just now stays. With dry nothing happens.
// F1-RET-005: a file can't be removed.
func (k *Kernel) Prune(ctx context.Context, dry bool) (*Pruned, error) {
	if dry {
		return k.wouldPrune()
	}
	done, err := k.sweep()
	if err != nil {
		return nil, err
	}
	p := &Pruned{Budget: k.config.Retention(), Finished: done}
	err = k.retain(ctx, func(s *brain.State, drops []*abi.RecordingDrop) { p.add(s, drops) })
	if err != nil {
		return nil, err
	}
	k.ledger.view(func(s *brain.State) { p.Kept, p.Held = s.Kept() })
	if p.Left, err = k.unfinished(false); err != nil {
		return nil, err
	}
	p.Tidied, err = k.tidy(nil, false)
	return p, err
}

func (k *Kernel) wouldPrune() (p *Pruned, err error) {
	p = &Pruned{Budget: k.config.Retention()}
	k.ledger.view(func(s *brain.State) {
		var drops []*abi.RecordingDrop
		drops, err = s.Excess(k.budget(), math.MaxInt, func(id abi.RunID) (bool, error) {
			release, ok, err := trace.Claim(k.home.Recording(id))
			if ok && err == nil {
				release()
			}
			return ok, nil
		})
		p.add(s, drops)
		p.Kept, p.Held = s.Kept()
		for _, d := range drops {
			p.Kept -= d.Size
		}
	})
	if err == nil {
		p.Left, err = k.unfinished(true)
	}
	if err == nil {
		p.Tidied, err = k.tidy(p.Dropped, true)
	}
	return p, err
}

func (p *Pruned) add(s *brain.State, drops []*abi.RecordingDrop) {
	for _, d := range drops {
		u, _ := s.Run(d.Run)
		p.Dropped, p.Causes = append(p.Dropped, u), append(p.Causes, d.Cause)
	}
}

func (k *Kernel) budget() brain.Budget { return brain.Budget(k.config.Retention()) }

// retain drops what the budgets have no room for, and calls told, if it is not
// nil, with each part of it that is in the log.
func (k *Kernel) retain(ctx context.Context, told func(*brain.State, []*abi.RecordingDrop)) error {
	for {
		var some []*abi.RecordingDrop
		var err error
		k.ledger.view(func(s *brain.State) {
			some, err = s.Excess(k.budget(), 1, func(abi.RunID) (bool, error) { return true, nil })
		})
		if err != nil || len(some) == 0 {
			return err // most often nothing is to be done, and nobody waits for the log
		}
		n, err := k.dropSome(ctx, told)
		if err != nil || n < brain.MaxDrops {
			return err
		}
	}
}

// dropSome drops at most brain.MaxDrops recordings. They are claimed inside the
// transaction, and nobody who opens one from then on till it is gone keeps it.
func (k *Kernel) dropSome(ctx context.Context, told func(*brain.State, []*abi.RecordingDrop)) (int, error) {
	c := choice{k: k}
	defer c.release()
	// Dropping is what makes room on a full disk, more than its records take.
	if err := k.insist(ctx, c.records); err != nil {
		return 0, err
	}
	if told != nil {
		k.ledger.view(func(s *brain.State) { told(s, c.drops) })
	}
	ids := make([]abi.RunID, len(c.drops))
	for i, d := range c.drops {
		ids[i] = d.Run
	}
	return len(c.drops), k.remove(ids)
}

// choice is what is dropped next, with the claims on it.
type choice struct {
	k      *Kernel
	drops  []*abi.RecordingDrop
	claims []func()
}

func (c *choice) release() {
	for _, release := range c.claims {
		release()
	}
	c.claims = nil
}

// records chooses anew, inside a transaction of the log.
func (c *choice) records() (records []abi.Record, err error) {
	c.release()
	// The state remembers so many drops only: their files go first.
	if err := c.k.finishDrops(); err != nil {
		return nil, err
	}
	c.k.ledger.view(func(s *brain.State) { c.drops, err = s.Excess(c.k.budget(), brain.MaxDrops, c.claim) })
	for _, d := range c.drops {
		records = append(records, abi.Record{Body: d})
	}
	return records, err
}

func (c *choice) claim(id abi.RunID) (bool, error) {
	release, ok, err := trace.Claim(c.k.home.Recording(id))
	if err != nil {
		c.k.warn(err.Error()) // the others are not kept for it
	}
	if ok {
		c.claims = append(c.claims, release)
	}
	return ok, nil
}

// remove removes the files of recordings that the log says were dropped.
func (k *Kernel) remove(ids []abi.RunID) error {
	for _, id := range ids {
		if err := os.Remove(k.home.Recording(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return &abi.Error{Code: "F1-RET-005", What: "a recording that was dropped can't be removed", Where: k.home.Recording(id), Err: err, Hint: "forgeone doctor"}
		}
	}
	return nil
}

// finishDrops removes what a process left that died between a drop and the
// removal of its file.
func (k *Kernel) finishDrops() error {
	var ids []abi.RunID
	k.ledger.view(func(s *brain.State) { ids = s.LastDropped() })
	return k.remove(ids)
}

// sweep looks at every file among the recordings and removes those of dropped
// runs: a copy that was put back, or one whose removal a power cut undid.
func (k *Kernel) sweep() (removed int, err error) {
	files, err := os.ReadDir(k.home.Recordings())
	if err != nil {
		return 0, err
	}
	for _, f := range files {
		id, ok := strings.CutSuffix(f.Name(), filepath.Ext(k.home.Recording("x")))
		if !ok {
			continue
		}
		var u brain.Run
		k.ledger.view(func(s *brain.State) { u, _ = s.Run(abi.RunID(id)) })
		if u.Drop == 0 {
			continue
		}
		if err := k.remove([]abi.RunID{u.ID}); err != nil {
			return removed, err
		}
		removed++
	}
	return removed, nil
}
