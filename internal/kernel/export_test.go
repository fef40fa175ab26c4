package kernel

import (
	"context"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/gate"
)

// StartAndDie begins a run of target and lets go of it, as a process that is
// killed does.
func (k *Kernel) StartAndDie(ctx context.Context, target string) abi.RunID {
	w, err := k.find(ctx, target)
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
