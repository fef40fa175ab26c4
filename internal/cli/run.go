package cli

import (
	"net/netip"
	"os"
	"path"
	"strings"

	"github.com/spf13/cobra"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/kernel"
	"github.com/forgeone/forgeone/internal/policy"
	"github.com/forgeone/forgeone/internal/provider/host"
	"github.com/forgeone/forgeone/internal/sys"
	"github.com/forgeone/forgeone/internal/trace"
)

// runFlags are the flags of run.
type runFlags struct {
	mounts, env, policies, listen []string
	limits                        limitFlags
	quiet, canonical              bool
}

func (a *app) runCmd() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:   "run P|NAME|MODULE.wasm [flags] [-- ARGS]",
		Short: "Run a package, an installed package, or a bare module",
		Long: `Run a package file, an installed package, or a module that no package vouches
for (a bare module). Standard input, output and error and the exit code pass
through. With -o json one object about the run goes to standard error, after one
for each socket that listens. The guest can do nothing that was not granted and
that policy does not allow; every call is decided, recorded, and can be replayed.

A socket that listens on the address of a --listen is descriptor 4 of the guest,
of the next one 5, and so on; they do not block until the guest says so.

Exit codes: 0–119 the guest's (higher ones come as 119), 120 trap, 121 fuel,
122 deadline, 123 a limit, 125 the kernel failed, 126 package refused, 127 not
found, 137 stopped.`,
		Example: `  forgeone run app.wasm
  forgeone run app.forgepkg --mount ./in:/in --mount ./out:/out:rw -- /in/data.txt
  forgeone run server.wasm --listen 127.0.0.1:8080
  forgeone run hello --env LANG=C --deadline 5s --fuel 1000000000 --memory 64`,
		Args: args(1, -1, "a package, a name or a module, and after -- the guest's arguments"),
		RunE: func(c *cobra.Command, got []string) error {
			if n := c.ArgsLenAtDash(); n != 1 && !(n < 0 && len(got) == 1) {
				return usage("the guest's arguments come after --", "forgeone run "+got[0]+" -- "+strings.Join(got[1:], " "))
			}
			return a.run(f, got[0], got[1:])
		},
	}
	fl := c.Flags()
	fl.StringArrayVar(&f.mounts, "mount", nil, "grant a folder: HOST:GUEST[:ro|rw], read-only unless rw is said")
	fl.StringArrayVar(&f.env, "env", nil, "grant an environment entry: K=V")
	fl.StringArrayVar(&f.listen, "listen", nil, "grant a socket that listens: ADDRESS:PORT, as 127.0.0.1:8080 or [::1]:0 (0: a port is chosen, and told)")
	fl.StringArrayVar(&f.policies, "policy", nil, "join a Cedar policy file to the base policy")
	f.limits.bind(fl)
	fl.BoolVar(&f.canonical, "canonical-nan", false, "compute NaNs alike on every machine, so that the recording replays everywhere")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "say nothing on stderr but errors")
	return c
}

// parseMount reads HOST:GUEST[:ro|rw].
func parseMount(s string) (trace.Mount, error) {
	bad := func(why string) (trace.Mount, error) {
		return trace.Mount{}, usage("--mount "+quote(s)+": "+why, "--mount ./in:/in:ro")
	}
	rest, mode := s, ""
	for _, m := range []string{":ro", ":rw"} {
		if r, ok := strings.CutSuffix(s, m); ok && strings.Contains(r, ":") {
			rest, mode = r, m
		}
	}
	i := strings.LastIndexByte(rest, ':')
	if i <= 0 {
		return bad("want HOST:GUEST or HOST:GUEST:rw")
	}
	m := trace.Mount{Host: rest[:i], Guest: rest[i+1:], ReadOnly: mode != ":rw"}
	if !path.IsAbs(m.Guest) || path.Clean(m.Guest) != m.Guest {
		return bad("the guest's path must be absolute and clean, as /in, and the mode ro or rw")
	}
	return m, nil
}

func (f runFlags) spec(target string, args []string) (s kernel.Spec, err error) {
	s = kernel.Spec{CanonicalNaN: f.canonical, Target: target, Args: args}
	if s.Limits, err = f.limits.limits(); err != nil {
		return s, err
	}
	seen := map[string]bool{}
	for _, m := range f.mounts {
		mount, err := parseMount(m)
		if err != nil {
			return s, err
		}
		if seen[mount.Guest] {
			return s, usage("two mounts at "+quote(mount.Guest), "--mount "+abi.Shell(mount.Host+":"+mount.Guest+"2"))
		}
		seen[mount.Guest] = true
		s.Mounts = append(s.Mounts, mount)
	}
	named := map[string]bool{}
	for _, e := range f.env {
		k, _, ok := strings.Cut(e, "=")
		if !ok || k == "" || strings.ContainsRune(e, 0) {
			return s, usage("--env "+quote(e)+": want K=V", "--env LANG=C")
		}
		if named[k] {
			return s, usage("--env "+quote(k)+" is given twice", "--env "+abi.Shell(e))
		}
		named[k] = true
		s.Env = append(s.Env, e)
	}
	bound := map[netip.AddrPort]bool{}
	for _, l := range f.listen {
		addr, err := host.ParseAddress(l)
		if err != nil {
			return s, err
		}
		if bound[addr] && addr.Port() != 0 {
			return s, usage("--listen "+quote(l)+" is given twice", "--listen "+netip.AddrPortFrom(addr.Addr(), 0).String())
		}
		bound[addr] = true
		s.Listen = append(s.Listen, l)
	}
	for _, p := range f.policies {
		src, err := readPolicy(p)
		if err != nil {
			return s, err
		}
		if problems := policy.Check(src); len(problems) > 0 {
			return s, problems[0].Err()
		}
		s.Policies = append(s.Policies, src)
	}
	return s, nil
}

func readPolicy(name string) (policy.Source, error) {
	b, err := sys.ReadRegular(name, policy.MaxText)
	if err != nil {
		return policy.Source{}, &abi.Error{Code: "F1-CLI-002", What: "the policy can't be read", Where: name, Err: err}
	}
	return policy.Source{Name: name, Text: b}, nil
}

func (a *app) run(f runFlags, target string, args []string) error {
	s, err := f.spec(target, args)
	if err != nil {
		return err
	}
	k, err := a.open(kernel.ModGate, kernel.ModPackages)
	if err != nil {
		return &exitError{err, exitKernel}
	}
	defer k.Close(a.ctx)
	stdout, ok := a.stdout.(*os.File)
	if !ok {
		stdout = os.Stdout
	}
	s.Stdin, s.Stdout, s.Stderr = host.NewStdin(a.stdin), host.NewStdout(stdout), host.NewStdout(os.Stderr)
	s.Listening = func(addrs []string) { a.listening(f.quiet, addrs) }
	scratch := k.Config().Limits().Scratch
	if s.Limits.Scratch > 0 {
		scratch = s.Limits.Scratch
	}
	s.Started = func(id abi.RunID, workload string, bare bool) {
		defer boundHeap(scratch)
		if bare && !f.quiet && a.format == "text" {
			printf(a.stderr, "forgeone: %s is a bare module: nobody vouches for it (run %s)\n", target, id)
		}
	}
	r, err := k.Run(a.ctx, s)
	if err != nil {
		return refused(err)
	}
	a.exit = r.Outcome.ExitStatus(r.Exit)
	if a.format == "json" {
		return a.report(r)
	}
	a.say(f, r)
	return nil
}

// listening tells on stderr where a run's sockets listen: a port that was given as
// 0 has been chosen.
func (a *app) listening(quiet bool, addrs []string) {
	for i, addr := range addrs {
		if a.format == "json" {
			_ = a.json(a.stderr, struct {
				Schema     string `json:"schema"`
				Descriptor int    `json:"descriptor"`
				Address    string `json:"address"`
			}{"forgeone.listen/v1", firstSocket + i, addr}, "")
			continue
		}
		if quiet {
			continue
		}
		printf(a.stderr, "forgeone: descriptor %d listens on %s\n", firstSocket+i, addr)
		if ap, err := netip.ParseAddrPort(addr); err == nil && !ap.Addr().IsLoopback() {
			printf(a.stderr, "forgeone: other machines may reach %s\n", addr)
		}
	}
}

type deniedJSON struct {
	Call   uint64    `json:"call"`
	Action string    `json:"action"`
	Name   string    `json:"name"`
	Code   abi.Code  `json:"code"`
	Reason string    `json:"reason"`
	Errno  abi.Errno `json:"errno"`
	Hint   string    `json:"hint,omitempty"`
}

// report writes how the run ended as one JSON object. It goes to stderr, where
// messages go: stdout is the guest's.
func (a *app) report(r *kernel.Report) error {
	denied := []deniedJSON{}
	for _, d := range r.First {
		denied = append(denied, deniedJSON{d.Call, d.Action.String(), d.Name, abi.CodeForReason(d.Reason), d.Reason.String(), d.Errno, d.Hint})
	}
	return a.json(a.stderr, struct {
		Schema   string       `json:"schema"`
		Run      abi.RunID    `json:"run"`
		Workload string       `json:"workload"`
		Bare     bool         `json:"bare"`
		Outcome  abi.Outcome  `json:"outcome"`
		Exit     uint32       `json:"exit"`
		Trap     string       `json:"trap,omitempty"`
		Why      string       `json:"why,omitempty"`
		Code     abi.Code     `json:"code,omitempty"`
		Calls    uint64       `json:"calls"`
		Denials  uint64       `json:"denials"`
		Denied   []deniedJSON `json:"denied"`
		Fuel     uint64       `json:"fuel"`
		Reached  []string     `json:"reached"`
		Trust    *trustJSON   `json:"trust"`
		Seal     abi.Digest   `json:"seal"`
		End      abi.Digest   `json:"end"`
	}{"forgeone.run/v1", r.Run, r.Workload, r.Bare, r.Outcome, r.Exit, r.Trap, r.Why, r.Outcome.Code(), r.Calls, r.Denials, denied, r.Fuel, r.Reached.Names(), trustOf(r.After), r.Seal, r.End}, "")
}

// firstSocket is the descriptor of the first listener, behind the streams and "/".
const firstSocket = 4

// Exit codes of run beside those of outcomes (abi.Outcome.ExitStatus).
const (
	exitKernel  = 125 // the kernel failed
	exitRefused = 126 // package or module refused
)

// refused gives an error that kept a run from beginning run's own exit code.
func refused(err error) error {
	code := abi.CodeOf(err)
	info, known := abi.LookupCode(code)
	switch {
	case strings.HasPrefix(string(code), "F1-PKG-"), strings.HasPrefix(string(code), "F1-MOD-"), strings.HasPrefix(string(code), "F1-KEY-"):
		return &exitError{err, exitRefused}
	case known && (info.Exit == exitUsage || info.Exit > exitUnknown):
		return err // what was asked for is wrong, or the code has run's own number
	case strings.HasPrefix(string(code), "F1-FIL-"):
		return &exitError{err, exitUsage}
	}
	return &exitError{err, exitKernel}
}

// say tells on stderr what a person should hear of a run: how it was ended,
// and what was denied, with what would allow it.
func (a *app) say(f runFlags, r *kernel.Report) {
	if !f.quiet {
		const most = 5
		for i, d := range r.First {
			if i == most {
				printf(a.stderr, "forgeone: and more: forgeone trace %s --deny-only\n", r.Run)
				break
			}
			printf(a.stderr, "denied[%s]: %s %s: %s\n", abi.CodeForReason(d.Reason), d.Action, quote(d.Name), d.Reason)
			if d.Hint != "" {
				printf(a.stderr, "hint: %s\n", d.Hint)
			}
		}
		for _, l := range reached(r.Reached, &r.Limits) {
			printf(a.stderr, "limit[%s]: %s\nhint: %s\n", l.Code, l.What, l.Hint)
		}
	}
	if code := r.Outcome.Code(); code != "" {
		what := "the run ended: " + r.Outcome.String()
		if r.Trap != "" {
			what += " (" + r.Trap + ")"
		}
		if r.Why != "" {
			what += ": " + r.Why
		}
		printf(a.stderr, "error[%s]: %s\nhint: forgeone trace %s\nsee: forgeone explain %s\n", code, what, r.Run, code)
	} else if r.Exit > abi.MaxGuestExit && !f.quiet {
		printf(a.stderr, "forgeone: the guest's exit code was %d\n", r.Exit)
	}
}
