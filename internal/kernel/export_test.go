package kernel

import (
	"context"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/gate"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/sys"
)

// StartAndDie begins a run of target and lets go of it, as a process that is
// killed does.
func (k *Kernel) StartAndDie(ctx context.Context, target string) abi.RunID {
	w, err := k.find(ctx, target, false)
	if err != nil {
		panic(err)
	}
	r := &run{k: k, w: w, id: newRunID(), ctl: gate.NewControl()}
	if err := r.begin(ctx, k.config.Limits()); err != nil {
		panic(err)
	}
	r.rec.Abort()
	return r.id
}

// LookAfterTheDead looks after a run that has ended.
func (k *Kernel) LookAfterTheDead() bool { return k.catchUp(&run{k: k, ctl: gate.NewControl()}) }

// EndBadly begins a run of target and ends it with a loss of that many points of
// conduct.
func (k *Kernel) EndBadly(ctx context.Context, target string, points uint32) {
	end := &abi.RunEnd{Run: k.StartAndDie(ctx, target), Outcome: abi.OutcomeTrap, Points: points}
	_, err := k.log.Update(ctx, func() (records []abi.Record, err error) {
		k.ledger.view(func(s *brain.State) { records = ended(s, nil, end) })
		return records, nil
	})
	if err != nil {
		panic(err)
	}
}

// HandOver hands the log over to next as RotateLogKey does, and dies then.
func (k *Kernel) HandOver(ctx context.Context, next *seal.PrivateKey, post seal.PostPublicKey) error {
	_, err := k.log.Rotate(ctx, next, post)
	return err
}

// LockRotation is what a process holds that replaces the log's key.
func (k *Kernel) LockRotation() (*sys.FileLock, bool, error) { return k.lockRotation() }

// DropAndDie records the drops that the budgets ask for, and dies before it
// removes a file.
func (k *Kernel) DropAndDie(ctx context.Context) (dropped []abi.RunID) {
	_, err := k.log.Update(ctx, func() (records []abi.Record, err error) {
		k.ledger.view(func(s *brain.State) {
			var drops []*abi.RecordingDrop
			drops, err = s.Excess(k.budget(), brain.MaxDrops, func(abi.RunID) (bool, error) { return true, nil })
			for _, d := range drops {
				records = append(records, abi.Record{Body: d})
				dropped = append(dropped, d.Run)
			}
		})
		return records, err
	})
	if err != nil {
		panic(err)
	}
	return dropped
}

// Locked calls f while nobody else can append to the log.
func (k *Kernel) Locked(ctx context.Context, f func()) {
	_, err := k.log.Update(ctx, func() ([]abi.Record, error) { f(); return nil, nil })
	if err != nil {
		panic(err)
	}
}
