package cli

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/forgepkg"
	"github.com/forgeone/forgeone/internal/kernel"
	"github.com/forgeone/forgeone/internal/observer"
	"github.com/forgeone/forgeone/internal/provider/host"
	"github.com/forgeone/forgeone/internal/rewrite"
	"github.com/forgeone/forgeone/internal/trace"
)

// hello is examples/hello, built for wasip1; a test builds it again and compares.
//
//go:embed hello.wasm
var hello []byte

const helloVersion = "1.0.0"

type quickstartJSON struct {
	Schema  string          `json:"schema"`
	Home    string          `json:"home"`
	Package packageJSON     `json:"package"`
	Run     abi.RunID       `json:"run"`
	Outcome abi.Outcome     `json:"outcome"`
	Exit    uint32          `json:"exit"`
	Output  string          `json:"output"`
	Calls   []observer.Call `json:"calls"`
	Denied  string          `json:"denied"`
	Hint    string          `json:"hint"`
	Replay  replayJSON      `json:"replay"`
	Records uint64          `json:"log_records"`
}

func (a *app) quickstartCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "quickstart",
		Short: "Set up this node and show the whole path of one run",
		Long: `Make the state folder if there is none, pack, verify, install and run a small
guest, show its calls and decisions, replay it, and verify the log. It uses no
network and may be repeated.`,
		Args: args(0, 0, "no arguments"),
		RunE: func(*cobra.Command, []string) error { return a.quickstart() },
	}
}

// step prints a heading in text mode.
func (a *app) step(format string, v ...any) {
	if a.format == "text" {
		printf(a.stdout, "\n"+format+"\n", v...)
	}
}

func (a *app) show(format string, v ...any) {
	if a.format == "text" {
		printf(a.stdout, "  "+format+"\n", v...)
	}
}

func (a *app) quickstart() error {
	j := quickstartJSON{Schema: "forgeone.quickstart/v1"}
	made, err := kernel.Init(a.ctx, kernel.InitOptions{Home: a.homeDir(), Unlock: a.unlockFile()})
	if err != nil {
		return err
	}
	j.Home = string(made.Home)
	a.step("1. State folder, keys, signed configuration, evidence log")
	a.show("%s", made.Home)
	k, err := a.open()
	if err != nil {
		return err
	}
	defer k.Close(a.ctx)

	a.step("2. A package: packed with this node's developer key, verified, installed")
	v, err := a.installHello(k)
	if err != nil {
		return err
	}
	j.Package = shown(v)
	a.show("%s %s, signed by %s, digest %s", v.Manifest.Name, v.Manifest.Version, strings.Join(j.Package.Signers, ", "), v.Digest.Short())

	a.step("3. The run")
	var out strings.Builder
	rep, err := k.Run(a.ctx, kernel.Spec{
		Target: v.Manifest.Name, Args: []string{"world"},
		Stdin: host.NewReader(strings.NewReader("")), Stdout: host.NewWriter(&out), Stderr: host.NewWriter(&out),
	})
	if err != nil {
		return err
	}
	j.Run, j.Outcome, j.Exit, j.Output = rep.Run, rep.Outcome, rep.Exit, out.String()
	for l := range strings.Lines(out.String()) {
		a.show("| %s", strings.TrimSuffix(l, "\n"))
	}

	r, err := k.FindRun(string(rep.Run))
	if err != nil {
		return err
	}
	if err := a.quickTrace(k, rep, &j); err != nil {
		return err
	}

	a.step("5. The replay, from the recording alone")
	p, err := k.LoadReplay(a.ctx, r)
	if err != nil {
		return err
	}
	defer p.Close()
	var again strings.Builder
	res, err := p.Go(a.ctx, &again, &again)
	if err != nil {
		return err
	}
	if a.format == "text" {
		var b strings.Builder
		verdict(&b, res)
		for l := range strings.Lines(b.String()) {
			a.show("%s", strings.TrimSuffix(l, "\n"))
		}
	}
	j.Replay = replayJSON{Schema: "forgeone.replay/v1", Run: rep.Run, Identical: res.Identical, Recorded: res.Recorded.Hex(), Replayed: res.Replayed.Hex(), Outcome: res.Outcome, Exit: res.Exit, Calls: res.Calls}
	if !res.Identical || again.String() != out.String() {
		a.exit = exitNo
	}

	a.step("6. The log, verified offline with its public key")
	lr, err := evidence.Verify(a.ctx, k.Home().Log(), []evidence.PublicKey{made.LogKey}, evidence.VerifyOptions{})
	if err != nil {
		return err
	}
	j.Records = lr.Records
	a.show("verified: %d records, root %s", lr.Records, lr.Root.Short())

	a.step("Next:")
	a.show("forgeone trace %s", rep.Run)
	a.show("forgeone explain %s", firstDenial(rep))
	a.show("forgeone run hello --mount ./examples:/data")
	if a.format == "json" {
		return a.emit(j, nil)
	}
	return nil
}

func firstDenial(r *kernel.Report) string {
	if len(r.First) == 0 {
		return "F1-POL-003"
	}
	return fmt.Sprintf("%s:%d", r.Run, r.First[0].Call)
}

// quickTrace shows the run's calls in numbers and the denied one whole.
func (a *app) quickTrace(k *kernel.Kernel, rep *kernel.Report, j *quickstartJSON) error {
	r, err := k.FindRun(string(rep.Run))
	if err != nil {
		return err
	}
	rec, err := k.Recording(r)
	if err != nil {
		return err
	}
	defer rec.Close()
	a.step("4. Every call, decided and recorded (%d, %d denied)", rep.Calls, rep.Denials)
	var all observer.Filter
	err = all.Each(rec, func(ev *trace.Event) error {
		j.Calls = append(j.Calls, observer.NewCall(ev, false))
		a.show("%4d  %s", ev.Index, observer.Line(ev))
		return nil
	})
	for _, d := range rep.First {
		j.Denied, j.Hint = d.Name, d.Hint
		a.show("denied: %s %q: %s", d.Action, d.Name, d.Reason)
		a.show("hint: %s", d.Hint)
	}
	return err
}

// installHello packs the embedded guest with the developer key and installs it.
func (a *app) installHello(k *kernel.Kernel) (*kernel.Verified, error) {
	info, err := rewrite.Inspect(hello, rewrite.DefaultCaps())
	if err != nil {
		return nil, err
	}
	serial, err := serialOf(helloVersion)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "forgeone-quickstart-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "hello.forgepkg")
	_, err = writePackage(file, forgepkg.Input{
		Manifest: forgepkg.Manifest{Name: "hello", Version: helloVersion, Serial: serial, Issued: helloIssued, Imports: kernel.ImportNames(info)},
		Module:   hello,
		Signers:  []forgepkg.Signer{forgepkg.SignerOf(k.Keys().Developer)},
	})
	if err != nil {
		return nil, err
	}
	return k.Install(a.ctx, file)
}

// helloIssued is constant, so that repeated quickstarts make the same package.
const helloIssued = 1_767_225_600 // 2026-01-01
