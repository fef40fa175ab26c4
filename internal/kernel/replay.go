package kernel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/replay"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/trace"
	"github.com/forgeone/forgeone/internal/wasm"
)

// FindRun returns the run with that id, or the only one whose id begins so;
// "last" is the newest.
func (k *Kernel) FindRun(id string) (r brain.Run, err error) {
	k.ledger.view(func(s *brain.State) { r, err = findRun(s, id) })
	return r, err
}

func findRun(s *brain.State, id string) (found brain.Run, err error) {
	n := 0
	if last := s.NewestRuns(1); id == "last" && len(last) == 1 {
		found, n = last[0], 1
	} else if len(id) >= 4 {
		found, n = s.RunsLike(id)
	}
	switch {
	case s.Err() != nil:
		return brain.Run{}, s.Err()
	case n == 1:
		return found, nil
	case n == 0:
		return found, &abi.Error{Code: "F1-RUN-130", What: "no such run", Where: id, Hint: "forgeone runs"}
	}
	return brain.Run{}, &abi.Error{Code: "F1-RUN-130", What: fmt.Sprintf("%d runs begin with that", n), Where: id, Hint: "forgeone runs"}
}

// Recording opens the recording of a run for views, checked against the log
// where the run has ended. F1-RET-001: it was dropped. So with LoadReplay.
func (k *Kernel) Recording(r brain.Run) (*trace.Reader, error) {
	rec, err := k.opened(r, func() (*trace.Reader, error) { return trace.OpenTruncated(k.home.Recording(r.ID), k.keys.Recording) })
	if err != nil {
		return nil, err
	}
	if err := k.bind(rec, r); err != nil {
		rec.Close()
		return nil, err
	}
	return rec, nil
}

// bind checks that a recording is the one the log says: by its seal where the
// run has ended, else by its header.
func (k *Kernel) bind(rec *trace.Reader, r brain.Run) error {
	if !r.Open() && r.Outcome != abi.OutcomeAborted {
		return rec.CheckSeal(r.Seal)
	}
	var want abi.Digest
	err := evidence.Read(k.home.Log(), r.Start, func(_ uint64, rec abi.Record) error {
		if b, ok := rec.Body.(*abi.RunStart); ok {
			want = b.Recording
		}
		return errEnough
	})
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	if rec.HeaderDigest() != want {
		return &abi.Error{Code: trace.CodeOtherSeal, What: "this recording is not the one the log names for the run", Where: k.home.Recording(r.ID)}
	}
	return nil
}

// errEnough ends a reading of the log.
var errEnough = errors.New("enough")

// Replay is a replay that is loaded: nothing outside memory is needed any more
// but the open recording.
type Replay struct {
	Run brain.Run
	in  replay.Input
}

// LoadReplay makes the replay of a run ready. The recording must be whole, and
// the log's.
func (k *Kernel) LoadReplay(ctx context.Context, r brain.Run) (*Replay, error) {
	rec, err := k.opened(r, func() (*trace.Reader, error) { return trace.Open(k.home.Recording(r.ID), k.keys.Recording) })
	if err != nil {
		return nil, err
	}
	m, err := k.replayable(ctx, rec, r)
	if err != nil {
		rec.Close()
		return nil, err
	}
	return &Replay{Run: r, in: replay.Input{Recording: rec, Module: m}}, nil
}

func (k *Kernel) replayable(ctx context.Context, rec *trace.Reader, r brain.Run) (*wasm.Module, error) {
	if err := k.bind(rec, r); err != nil {
		return nil, err
	}
	h := rec.Header()
	if h.Floats && h.Arch != runtime.GOARCH {
		return nil, &abi.Error{Code: "F1-RPL-020", What: "the module computes with floats, so its run replays on " + h.Arch + " only", Where: string(h.Run)}
	}
	code, err := os.ReadFile(k.moduleFile(h.Rewritten))
	if err != nil {
		return nil, &abi.Error{Code: "F1-RPL-021", What: "the run's module is not kept here", Where: h.Rewritten.Short(), Err: err}
	}
	if seal.Sum(rewrittenDomain, code) != h.Rewritten {
		return nil, &abi.Error{Code: "F1-RPL-022", What: "the kept module is not the one that ran", Where: k.moduleFile(h.Rewritten)}
	}
	return k.module(ctx, code, h.Rewritten)
}

// Go replays once. It may be repeated.
func (r *Replay) Go(ctx context.Context, stdout, stderr io.Writer) (*replay.Result, error) {
	if err := r.in.Recording.Rewind(); err != nil {
		return nil, err
	}
	in := r.in
	in.Stdout, in.Stderr = stdout, stderr
	return replay.Run(ctx, in)
}

// Close lets go of the recording.
func (r *Replay) Close() error { return r.in.Recording.Close() }
