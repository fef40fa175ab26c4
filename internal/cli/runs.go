package cli

import (
	"bufio"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/config"
	"github.com/forgeone/forgeone/internal/kernel"
	"github.com/forgeone/forgeone/internal/observer"
	"github.com/forgeone/forgeone/internal/replay"
	"github.com/forgeone/forgeone/internal/trace"
	"github.com/forgeone/forgeone/internal/wasm"
)

type runJSON struct {
	Schema   string      `json:"schema,omitempty"`
	Run      abi.RunID   `json:"run"`
	Workload string      `json:"workload"`
	Started  string      `json:"started"`
	Ended    string      `json:"ended,omitempty"`
	Outcome  abi.Outcome `json:"outcome"`
	Exit     uint32      `json:"exit"`
	Calls    uint64      `json:"calls"`
	Denials  uint64      `json:"denials"`
	Seal     string      `json:"seal,omitempty"`
	Size     uint64      `json:"size"`                  // of its recording, bytes
	Stop     uint64      `json:"stop_record,omitempty"` // of the log: why it was stopped
	Held     uint64      `json:"hold_record,omitempty"` // of the log: since when its recording is held
	Drop     uint64      `json:"drop_record,omitempty"` // of the log: when and why its recording was dropped
}

func runOf(r brain.Run) runJSON {
	j := runJSON{Run: r.ID, Workload: r.Workload, Started: nano(r.Started), Outcome: r.Outcome, Exit: r.Exit, Calls: r.Calls, Denials: r.Denials, Size: r.Size, Stop: r.Stop, Held: r.Held, Drop: r.Drop}
	if !r.Open() {
		j.Ended, j.Seal = nano(r.Ended), r.Seal.Hex()
	}
	return j
}

// how says how the run ended.
func (r runJSON) how() string {
	if r.Outcome == abi.OutcomeExit {
		return fmt.Sprintf("exit %d", r.Exit)
	}
	return r.Outcome.String()
}

// recording says what became of the run's recording.
func (r runJSON) recording() string {
	size := config.FormatSize(r.Size)
	switch {
	case r.Drop != 0:
		return "dropped"
	case r.Held != 0 && r.Ended == "":
		return "held"
	case r.Held != 0:
		return size + " held"
	case r.Ended == "":
		return ""
	}
	return size
}

func nano(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339Nano) }

func (a *app) runsCmd() *cobra.Command {
	var limit uint
	c := &cobra.Command{
		Use: "runs", Short: "List runs, the newest last", Args: args(0, 0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			k, err := a.open(kernel.ModEvidence)
			if err != nil {
				return err
			}
			defer k.Close(a.ctx)
			list := []runJSON{}
			k.View(func(s *brain.State) {
				for _, r := range s.NewestRuns(limit) {
					list = append(list, runOf(r))
				}
				err = s.Err()
			})
			if err != nil {
				return err
			}
			return a.emit(struct {
				Schema string    `json:"schema"`
				Runs   []runJSON `json:"runs"`
			}{"forgeone.runs/v1", list}, func(w io.Writer) {
				t := table(w, "RUN", "STARTED", "WORKLOAD", "OUTCOME", "CALLS", "DENIED", "RECORDING")
				for _, r := range list {
					t.row(string(r.Run), r.Started[:19]+"Z", r.Workload, r.how(), fmt.Sprint(r.Calls), fmt.Sprint(r.Denials), r.recording())
				}
				t.Flush()
			})
		},
	}
	c.Flags().UintVarP(&limit, "limit", "n", 0, "only the newest so many (0: all)")
	return c
}

func (a *app) traceCmd() *cobra.Command {
	var f observer.Filter
	var counts, out bool
	c := &cobra.Command{
		Use:   "trace RUN [-c] [--deny-only] [-e NAME]",
		Short: "Show a run's calls from its recording, as strace would",
		Long: `Show a run's calls from its recording. RUN is an id, the beginning of one, or
"last". -c counts calls, denials, bytes and time per syscall; times are sampled.`,
		Example: "  forgeone trace last --deny-only\n  forgeone trace last -c",
		Args:    args(1, 1, "a run"),
		RunE: func(_ *cobra.Command, got []string) error {
			for _, n := range f.Names {
				if abi.ByName(abi.WASIPreview1, n) == nil {
					return &abi.Error{Code: "F1-CLI-004", What: "there is no such syscall", Where: n, Hint: "forgeone syscalls"}
				}
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
			rec, err := k.Recording(r)
			if err != nil {
				return err
			}
			defer rec.Close()
			if counts {
				return a.counts(r, rec, f)
			}
			return a.calls(r, rec, f, out)
		},
	}
	c.Flags().BoolVarP(&counts, "count", "c", false, "count calls, denials, bytes and time per syscall")
	c.Flags().BoolVar(&f.DenyOnly, "deny-only", false, "only what was denied")
	c.Flags().StringSliceVarP(&f.Names, "event", "e", nil, "only this syscall; may be repeated")
	c.Flags().BoolVar(&out, "bytes", false, "in JSON, with the bytes each call answered")
	return c
}

// calls writes the calls one by one: a recording may hold millions.
func (a *app) calls(r brain.Run, rec *trace.Reader, f observer.Filter, out bool) error {
	where, cut := rec.Truncated()
	if a.format == "json" {
		head := struct {
			Schema    string      `json:"schema"`
			Run       abi.RunID   `json:"run"`
			Outcome   abi.Outcome `json:"outcome"`
			Truncated bool        `json:"truncated"`
		}{"forgeone.trace/v1", r.ID, r.Outcome, cut}
		return stream(a.stdout, head, "calls", func(emit func(any) error) error {
			return f.Each(rec, func(ev *trace.Event) error { return emit(observer.NewCall(ev, out)) })
		})
	}
	w := bufio.NewWriterSize(a.stdout, 64<<10)
	err := f.Each(rec, func(ev *trace.Event) error {
		err := printf(w, "%6d  %s\n", ev.Index, observer.Line(ev))
		return err
	})
	if err == nil {
		err = w.Flush()
	}
	if cut {
		printf(a.stderr, "forgeone: the recording breaks off (%s)\n", where)
	}
	return err
}

func (a *app) counts(r brain.Run, rec *trace.Reader, f observer.Filter) error {
	s, err := observer.Collect(rec, f)
	if err != nil {
		return err
	}
	return a.emit(struct {
		Schema string    `json:"schema"`
		Run    abi.RunID `json:"run"`
		*observer.Stats
	}{"forgeone.trace.counts/v1", r.ID, s}, func(w io.Writer) { err = s.Write(w) })
}

type divergenceJSON struct {
	Call     uint64 `json:"call"`
	What     string `json:"what"`
	Expected string `json:"expected,omitempty"`
	Actual   string `json:"actual,omitempty"`
	Last     string `json:"last,omitempty"`
}

type replayJSON struct {
	Schema     string          `json:"schema"`
	Run        abi.RunID       `json:"run"`
	Identical  bool            `json:"identical"`
	Recorded   string          `json:"recorded"`
	Replayed   string          `json:"replayed"`
	Outcome    abi.Outcome     `json:"outcome"`
	Exit       uint32          `json:"exit"`
	Calls      uint64          `json:"calls"`
	Engine     string          `json:"engine"`
	RecordedOn string          `json:"recorded_on"` // the engine that the guest ran on
	Portable   bool            `json:"portable"`
	Divergence *divergenceJSON `json:"divergence,omitempty"`
}

// engines are the words of --engine.
func engines(word string) (wasm.Kind, error) {
	switch word {
	case "":
		return wasm.Native(), nil
	case wasm.Interpreter.String():
		return wasm.Interpreter, nil
	case wasm.Compiler.String():
		if wasm.Native() == wasm.Compiler {
			return wasm.Compiler, nil
		}
	}
	return 0, usage("--engine "+quote(word)+": want compiler or interpreter; this machine runs on the "+wasm.Native().String(), "--engine interpreter")
}

func (a *app) replayCmd() *cobra.Command {
	var engine string
	var force bool
	c := &cobra.Command{
		Use:   "replay RUN",
		Short: "Re-execute a run from its recording, without any I/O",
		Long: `Re-execute a run from its recording. Its standard output and error are produced
again; nothing is opened, asked or written. Exit code 0: identical, 1: not, and
where. The verdict goes to standard error, or in JSON to standard output in
place of what the guest wrote.

With --engine interpreter nothing is trusted that the engine's compiler made: the
same module runs on the interpreter, many times slower, and must end the same. A
module that computes with floats ties its run to the architecture and the kind of
engine, by the bits of NaNs; unless it was run with --canonical-nan, --force is
needed elsewhere, and only an identical replay then says anything.`,
		Example: "  forgeone replay last\n  forgeone replay last --engine interpreter --force",
		Args:    args(1, 1, "a run"),
		RunE: func(_ *cobra.Command, got []string) error {
			kind, err := engines(engine)
			if err != nil {
				return err
			}
			k, err := a.open(kernel.ModEvidence, kernel.ModReplay)
			if err != nil {
				return err
			}
			defer k.Close(a.ctx)
			r, err := k.FindRun(got[0])
			if err != nil {
				return err
			}
			p, err := k.LoadReplayOn(a.ctx, r, kernel.ReplayOptions{Engine: kind, Force: force})
			if err != nil {
				return err
			}
			defer p.Close()
			stdout, stderr := a.stdout, a.stderr
			if a.format == "json" {
				stdout, stderr = nil, nil
			}
			res, err := p.Go(a.ctx, stdout, stderr)
			if err != nil {
				return err
			}
			return a.replayed(p, res)
		},
	}
	c.Flags().StringVar(&engine, "engine", "", "compiler or interpreter (default: the compiler, where there is one)")
	c.Flags().BoolVar(&force, "force", false, "also where NaNs may have other bits than in the run")
	return c
}

// portable says in words whether a recording replays everywhere.
func portable(h *trace.Header) string {
	switch {
	case !h.Floats:
		return "yes: no float operation whose NaN depends on the machine"
	case h.Canonical:
		return "yes: canonical NaNs"
	}
	return fmt.Sprintf("no: %s on %s only, by the bits of NaNs", wasm.KindOf(h.Engine), h.Arch)
}

func (a *app) replayed(p *kernel.Replay, res *replay.Result) error {
	r := p.Run
	if !res.Identical {
		a.exit = exitNo
	}
	if a.format == "json" {
		j := replayJSON{
			Schema: "forgeone.replay/v1", Run: r.ID, Identical: res.Identical, Recorded: res.Recorded.Hex(), Replayed: res.Replayed.Hex(),
			Outcome: res.Outcome, Exit: res.Exit, Calls: res.Calls, Engine: p.Engine().ID(), RecordedOn: p.Header().Engine, Portable: p.Header().Portable(),
		}
		if d := res.Divergence; d != nil {
			j.Divergence = &divergenceJSON{d.Call, d.What, d.Expected, d.Actual, d.Last}
		}
		return a.emit(j, nil)
	}
	verdict(a.stderr, res)
	printf(a.stderr, "  engine   %s\n", p.Engine().ID())
	if there := p.Header().Engine; there != p.Engine().ID() {
		printf(a.stderr, "  ran on   %s\n", there)
	}
	printf(a.stderr, "  portable %s\n", portable(p.Header()))
	return nil
}

// verdict says whether a replay was identical, with both digests.
func verdict(w io.Writer, res *replay.Result) {
	if res.Identical {
		printf(w, "replay: identical\n  recorded %s\n  replayed %s\n", res.Recorded.Hex(), res.Replayed.Hex())
		return
	}
	d := res.Divergence
	printf(w, "error[%s]: replay: diverged at call %d: %s\n", trace.CodeDiverged, d.Call, d.What)
	for _, l := range []struct{ name, call string }{{"recorded", d.Expected}, {"replayed", d.Actual}, {"last same", d.Last}} {
		if l.call != "" {
			printf(w, "  %-9s %s\n", l.name, l.call)
		}
	}
	printf(w, "see: forgeone explain %s\n", trace.CodeDiverged)
}
