package forgeone

import (
	"context"
	"io"
	"os"
	"strings"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/kernel"
	"github.com/forgeone/forgeone/internal/policy"
	"github.com/forgeone/forgeone/internal/provider"
	"github.com/forgeone/forgeone/internal/provider/host"
	"github.com/forgeone/forgeone/internal/trace"
)

// RunSpec says what to run and what it is given. Target alone is enough: the
// guest then has its arguments, clocks, randomness and a scratch folder /tmp.
type RunSpec struct {
	// Target is a package file, an installed package's name, or a module file.
	// A module that no package vouches for runs as a bare one, with little
	// trust, where the configuration allows that.
	Target string
	// Args follow the workload's name in the guest's arguments.
	Args []string
	// Env is the whole environment, as "K=V".
	Env []string
	// Mounts are the folders granted.
	Mounts []Mount
	// Listen are addresses, as "127.0.0.1:8080" or "[::1]:0", that sockets of the
	// guest's listen on: its descriptors 4, 5, …, which do not block until it says
	// so. They are numbers, not names; port 0 has a port chosen.
	Listen []string
	// Policies are joined to the base policy, for this run.
	Policies []Policy
	// Limits that are zero are the configuration's.
	Limits Limits
	// Stdin, Stdout, Stderr: nil reads as empty and drops what is written.
	//
	// An *os.File is used directly. Any other reader is read ahead by up to
	// 32 KiB, in a goroutine of the run's. A Read or Write that blocks while the
	// run is stopped goes on after Run has returned; else nothing is touched
	// any more once it has.
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	// Started, if not nil, is called once the run's start is durable and before
	// the guest's first instruction. The guest waits for it.
	Started func(id RunID)
	// Listening, if not nil, is called just before Started with the addresses of
	// Listen, as chosen. They take connections already.
	Listening func(addrs []string)
}

// Mount grants a folder.
type Mount struct {
	Host  string // the folder; symbolic links in it are followed now, never later
	Guest string // where the guest sees it: absolute and clean, "/in"
	Write bool   // false: it can only be read
}

// Policy is a Cedar policy. The schema is the one that `forgeone policy check`
// checks against.
type Policy struct {
	Name string // as denials name it: "plugin.cedar"
	Text []byte
}

// RunResult is how a run ended.
type RunResult struct {
	Run      RunID
	Workload string
	Bare     bool // nobody vouches for the module
	Outcome  Outcome
	Exit     uint32 // the guest's exit code, for OutcomeExit
	Trap     string // the trap's name, for OutcomeTrap
	Why      string // what was said when it was stopped, for OutcomeStopped; may be empty
	Calls    uint64 // calls made and recorded
	Denials  uint64 // of these denied
	Denied   []Denied
	Fuel     uint64 // units of the tick that were used
	Limits   Limits // that the run had
	Reached  Limit  // those that refused the guest something; it went on
	Seal     Digest // of the recording
	End      Digest // of the final state; a replay must reach the same
	Before   Trust  // the workload's trust when the run began
	After    Trust  // and now
}

// ExitStatus is what `forgeone run` exits with for this result.
func (r *RunResult) ExitStatus() int { return r.Outcome.ExitStatus(r.Exit) }

// Denied is the first denial of a kind in a run: per rule and syscall.
type Denied struct {
	Call   uint64 // call index, the SEQ of `forgeone explain RUN:SEQ`
	Action string // "path_open"
	Name   string // the resource: a canonical path, "realtime", …
	Reason Reason
	Code   Code
	Errno  abi.Errno // what the guest was told
	Rules  []string  // the rules that determined it
	// Hint is what would allow the call: a --mount of `forgeone run`, or Cedar.
	// What comes from the guest is quoted in it.
	Hint string
}

// Run runs a workload to its end and returns when that end is durable in the
// log. A guest that fails, traps or is stopped is a result; an error means that
// nothing ran, or that the log could not tell how it ended. When ctx ends, the
// guest is stopped at its next call or tick, as OutcomeStopped.
//
// Errors: F1-RUN-127 and F1-RUN-128, no such target; F1-PKG-…, the package is
// refused; F1-MOD-…, the module is not admitted; F1-POL-…, a policy is not
// accepted; F1-FIL-…, a folder can't be granted; F1-RUN-160 and F1-RUN-161, an
// address can't be listened on; F1-RUN-010, the rest of the
// spec can't be used; F1-LOG-…, the log can't be written.
func (n *Node) Run(ctx context.Context, s RunSpec) (*RunResult, error) {
	leave, err := n.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	spec, err := s.spec()
	if err != nil {
		return nil, err
	}
	in, out, errs := input(s.Stdin), output(s.Stdout), output(s.Stderr)
	for _, st := range []*host.Stream{in, out, errs} {
		defer st.Close()
	}
	spec.Stdin, spec.Stdout, spec.Stderr = in, out, errs
	rep, err := n.k.Run(ctx, *spec)
	if err != nil {
		return nil, err
	}
	return resultOf(rep), nil
}

// spec checks s and says it in the kernel's words.
func (s *RunSpec) spec() (*kernel.Spec, error) {
	k := &kernel.Spec{Target: s.Target, Args: s.Args, Env: s.Env, Listen: s.Listen, Listening: s.Listening, Limits: s.Limits}
	for _, e := range s.Env {
		if name, _, ok := strings.Cut(e, "="); !ok || name == "" {
			return nil, &abi.Error{Code: provider.CodeWorld, What: "run: an entry of the environment is not K=V", Where: e}
		}
	}
	if s.Limits.Deadline < 0 {
		return nil, &abi.Error{Code: provider.CodeWorld, What: "run: the deadline is negative"}
	}
	for _, m := range s.Mounts {
		k.Mounts = append(k.Mounts, trace.Mount{Host: m.Host, Guest: m.Guest, ReadOnly: !m.Write})
	}
	for _, a := range s.Listen {
		if _, err := host.ParseAddress(a); err != nil {
			return nil, err
		}
	}
	for _, p := range s.Policies {
		src := policy.Source{Name: p.Name, Text: p.Text}
		if problems := policy.Check(src); len(problems) > 0 {
			return nil, problems[0].Err()
		}
		k.Policies = append(k.Policies, src)
	}
	if started := s.Started; started != nil {
		k.Started = func(id abi.RunID, _ string, _ bool) { started(id) }
	}
	return k, nil
}

func input(r io.Reader) *host.Stream {
	switch r := r.(type) {
	case nil:
		return host.NewReader(strings.NewReader(""))
	case *os.File:
		return host.NewStdin(r)
	default:
		return host.NewReader(r)
	}
}

func output(w io.Writer) *host.Stream {
	switch w := w.(type) {
	case nil:
		return host.NewWriter(io.Discard)
	case *os.File:
		return host.NewStdout(w)
	default:
		return host.NewWriter(w)
	}
}

func resultOf(r *kernel.Report) *RunResult {
	res := &RunResult{
		Run: r.Run, Workload: r.Workload, Bare: r.Bare, Outcome: r.Outcome, Exit: r.Exit, Trap: r.Trap, Why: r.Why,
		Calls: r.Calls, Denials: r.Denials, Fuel: r.Fuel, Limits: r.Limits, Reached: r.Reached, Seal: r.Seal, End: r.End, Before: r.Before, After: r.After,
	}
	for _, d := range r.First {
		e := Denied{
			Call: d.Call, Action: d.Action.String(), Name: d.Name, Reason: d.Reason,
			Code: abi.CodeForReason(d.Reason), Errno: d.Errno, Hint: d.Hint,
		}
		for _, rule := range d.Rules {
			e.Rules = append(e.Rules, rule.ID)
		}
		res.Denied = append(res.Denied, e)
	}
	return res
}
