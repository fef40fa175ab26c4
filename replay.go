package forgeone

import (
	"context"
	"io"

	"github.com/forgeone/forgeone/internal/replay"
)

// ReplayResult says whether a replay was identical to its run.
type ReplayResult struct {
	Run        RunID
	Identical  bool
	Recorded   Digest // of the recorded final state
	Replayed   Digest // of the replayed one
	Outcome    Outcome
	Exit       uint32
	Calls      uint64
	Divergence *Divergence // the first one; nil when identical
}

// Divergence is the first point at which a replay left its recording.
type Divergence struct {
	Call     uint64 // call index; the number of calls made where the end differs
	What     string
	Expected string // the recorded call, "" when there was none
	Actual   string // the replayed call
	Last     string // the last call that was the same
}

// Replay executes a run again from its recording: the same module, every answer
// from the recording, nothing opened, asked or written. What the guest wrote to
// its standard output and error goes to stdout and stderr, which may be nil. A
// run is named by its id, by the beginning of one, or as "last".
//
// A divergence is a result. Errors: F1-RUN-130, no such run; F1-RET-001, its
// recording was dropped to keep within the configuration's retention; F1-RPL-…,
// the recording or its module is missing, damaged, or not the one that the log
// sealed.
func (n *Node) Replay(ctx context.Context, run RunID, stdout, stderr io.Writer) (*ReplayResult, error) {
	leave, err := n.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	if err := n.k.Refresh(ctx); err != nil {
		return nil, err
	}
	r, err := n.k.FindRun(string(run))
	if err != nil {
		return nil, err
	}
	loaded, err := n.k.LoadReplay(ctx, r)
	if err != nil {
		return nil, err
	}
	defer loaded.Close()
	res, err := loaded.Go(ctx, stdout, stderr)
	if err != nil {
		return nil, err
	}
	return replayOf(r.ID, res), nil
}

func replayOf(id RunID, r *replay.Result) *ReplayResult {
	res := &ReplayResult{
		Run: id, Identical: r.Identical, Recorded: r.Recorded, Replayed: r.Replayed,
		Outcome: r.Outcome, Exit: r.Exit, Calls: r.Calls,
	}
	if d := r.Divergence; d != nil {
		res.Divergence = &Divergence{Call: d.Call, What: d.What, Expected: d.Expected, Actual: d.Actual, Last: d.Last}
	}
	return res
}
