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
	start, err := evidence.Entry(k.home.Log(), r.Start)
	if err != nil {
		return err
	}
	var want abi.Digest
	if b, ok := start.Body.(*abi.RunStart); ok {
		want = b.Recording
	}
	if rec.HeaderDigest() != want {
		return &abi.Error{Code: trace.CodeOtherSeal, What: "this recording is not the one the log names for the run", Where: k.home.Recording(r.ID)}
	}
	return nil
}

// Replay is a replay that is loaded: nothing outside memory is needed any more
// but the open recording.
type Replay struct {
	Run    brain.Run
	in     replay.Input
	engine *wasm.Engine // its own, nil where it is the kernel's
}

// ReplayOptions say on what a run is replayed.
type ReplayOptions struct {
	Engine wasm.Kind
	Force  bool // also where NaNs may have other bits than in the run
}

// LoadReplay makes the replay of a run ready, on what guests run on here. The
// recording must be whole, and the log's.
func (k *Kernel) LoadReplay(ctx context.Context, r brain.Run) (*Replay, error) {
	return k.LoadReplayOn(ctx, r, ReplayOptions{Engine: wasm.Native()})
}

// LoadReplayOn is LoadReplay on an engine of choice.
func (k *Kernel) LoadReplayOn(ctx context.Context, r brain.Run, o ReplayOptions) (*Replay, error) {
	rec, err := k.opened(r, func() (*trace.Reader, error) { return trace.Open(k.home.Recording(r.ID), k.keys.Recording) })
	if err != nil {
		return nil, err
	}
	p := &Replay{Run: r, in: replay.Input{Recording: rec}}
	if p.in.Module, err = k.replayable(ctx, p, o); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

func (k *Kernel) replayable(ctx context.Context, p *Replay, o ReplayOptions) (*wasm.Module, error) {
	if err := k.bind(p.in.Recording, p.Run); err != nil {
		return nil, err
	}
	h := p.in.Recording.Header()
	if kind := wasm.KindOf(h.Engine); !h.Portable() && !o.Force && (h.Arch != runtime.GOARCH || kind != o.Engine) {
		return nil, &abi.Error{
			Code: abi.CodeNotPortable, Where: string(h.Run),
			What: fmt.Sprintf("the module computes with floats, so its run replays on the %s on %s only, not on the %s on %s", kind, h.Arch, o.Engine, runtime.GOARCH),
			Hint: "try all the same, and believe an identical replay only: forgeone replay " + string(h.Run) + " --engine " + o.Engine.String() + " --force",
		}
	}
	code, err := os.ReadFile(k.moduleFile(h.Rewritten))
	if err != nil {
		return nil, &abi.Error{Code: "F1-RPL-021", What: "the run's module is not kept here", Where: h.Rewritten.Short(), Err: err}
	}
	if seal.Sum(rewrittenDomain, code) != h.Rewritten {
		return nil, &abi.Error{Code: "F1-RPL-022", What: "the kept module is not the one that ran", Where: k.moduleFile(h.Rewritten)}
	}
	job := wasm.Job{Code: code, Digest: h.Rewritten, Owner: h.Workload}
	if o.Engine == k.engine.Kind() {
		return k.module(ctx, job)
	}
	p.engine = wasm.NewOn(o.Engine, nil, k.outside())
	return p.engine.Compile(ctx, job)
}

// Header is the recording's: what was run, and on what.
func (r *Replay) Header() *trace.Header { return r.in.Recording.Header() }

// Engine is the kind of engine that the run is replayed on.
func (r *Replay) Engine() wasm.Kind { return r.in.Module.Kind() }

// Go replays once. It may be repeated.
func (r *Replay) Go(ctx context.Context, stdout, stderr io.Writer) (*replay.Result, error) {
	if err := r.in.Recording.Rewind(); err != nil {
		return nil, err
	}
	in := r.in
	in.Stdout, in.Stderr = stdout, stderr
	return replay.Run(ctx, in)
}

// Close lets go of the recording, and of the engine if it is the replay's own.
func (r *Replay) Close() error {
	err := r.in.Recording.Close()
	if r.engine != nil {
		err = errors.Join(err, r.engine.Close(context.Background()))
	}
	return err
}
