// Package cli is the command line: it turns words into calls of the kernel and
// answers into text or JSON. Data goes to stdout, messages to stderr.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/kernel"
)

// Exit codes of every command but run, which has the guest's.
const (
	exitYes     = 0
	exitNo      = 1 // a clean no: invalid, denied, differs
	exitUsage   = 2
	exitUnknown = 3 // could not tell
	exitBreak   = 130
)

// app is one invocation.
type app struct {
	ctx    context.Context
	stdin  *os.File
	stdout io.Writer
	stderr io.Writer
	getenv func(string) string
	format string // "text" or "json"
	home   string // --home
	unlock string // --unlock
	exit   int    // what a command that failed without an error exits with
}

// Main runs the command line args, program name excluded, and returns the exit code.
func Main(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process the usual way
	a := &app{ctx: ctx, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv}
	return a.main(args)
}

func (a *app) main(args []string) int {
	root := a.root()
	root.SetArgs(args)
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	err := root.ExecuteContext(a.ctx)
	if err == nil {
		return a.exit
	}
	if wantsJSON(args) {
		a.format = "json"
	}
	return a.fail(err)
}

// root is the command tree. Reference pages are generated from it.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "forgeone",
		Short: "A zero-trust microkernel for WebAssembly",
		Long: `ForgeOne runs WebAssembly that you do not trust. It decides every call the guest
makes, keeps signed evidence of each decision, and replays any run bit for bit.`,
		Example:           "  forgeone quickstart\n  forgeone run app.wasm --mount ./in:/in -- /in/data.txt",
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.PersistentFlags().StringVarP(&a.format, "output", "o", "text", "output format: text or json")
	root.PersistentFlags().StringVar(&a.unlock, "unlock", "", "file with the passphrase or age identity that opens encrypted keys (default $FORGEONE_UNLOCK)")
	root.PersistentFlags().StringVar(&a.home, "home", "", "state folder (default $FORGEONE_HOME, else $XDG_STATE_HOME/forgeone, else ~/.local/state/forgeone)")
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if a.format != "text" && a.format != "json" {
			return usage("there is no output format "+quote(a.format), "-o text, or -o json")
		}
		return nil
	}
	root.SetFlagErrorFunc(badFlag)
	root.AddGroup(
		&cobra.Group{ID: "run", Title: "Run and look:"},
		&cobra.Group{ID: "pkg", Title: "Packages and keys:"},
		&cobra.Group{ID: "evidence", Title: "Evidence and policy:"},
		&cobra.Group{ID: "node", Title: "This node:"},
	)
	for group, cmds := range map[string][]*cobra.Command{
		"run":      {a.quickstartCmd(), a.runCmd(), a.runsCmd(), a.stopCmd(), a.traceCmd(), a.replayCmd(), a.explainCmd()},
		"pkg":      {a.keygenCmd(), a.keyCmd(), a.packCmd(), a.inspectCmd(), a.verifyCmd(), a.installCmd(), a.listCmd(), a.uninstallCmd(), a.downgradeCmd(), a.revokeCmd()},
		"evidence": {a.logCmd(), a.policyCmd(), a.holdCmd(), a.unholdCmd(), a.pruneCmd()},
		"node":     {a.initCmd(), a.configCmd(), a.doctorCmd(), a.versionCmd(), a.syscallsCmd(), a.graphCmd()},
	} {
		for _, c := range cmds {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	return root
}

// open boots the kernel with the modules a command needs.
func (a *app) open(modules ...string) (*kernel.Kernel, error) {
	return kernel.Open(a.ctx, kernel.Options{Home: a.homeDir(), Unlock: a.unlockFile(), Modules: modules, Warn: func(s string) { printn(a.stderr, "forgeone: "+s) }})
}

func (a *app) homeDir() string {
	if a.home != "" {
		return a.home
	}
	return kernel.DefaultHome(a.getenv)
}

// unlockFile is the file that opens encrypted keys, empty if none is named.
func (a *app) unlockFile() string {
	if a.unlock != "" {
		return a.unlock
	}
	return a.getenv("FORGEONE_UNLOCK")
}

// emit writes v as JSON, with its schema, or calls text.
func (a *app) emit(v any, text func(w io.Writer)) error {
	if a.format == "json" {
		return a.json(a.stdout, v, "  ")
	}
	text(a.stdout)
	return nil
}

// json writes v to w as JSON and a newline, in one line if indent is empty.
func (a *app) json(w io.Writer, v any, indent string) error {
	b, err := encode(v, "", indent)
	if err == nil {
		_, err = w.Write(append(b, '\n'))
	}
	return err
}

// args returns a check that a command gets between least and most arguments,
// which are named for the message.
func args(least, most int, names string) cobra.PositionalArgs {
	return func(c *cobra.Command, got []string) error {
		if len(got) < least || (most >= 0 && len(got) > most) {
			return usage(fmt.Sprintf("%s takes %s", c.CommandPath(), names), c.CommandPath()+" --help")
		}
		return nil
	}
}

// usageCode marks errors in how a command was called.
const usageCode abi.Code = "F1-CLI-001"

func usage(what, hint string) error {
	return &abi.Error{Code: usageCode, What: what, Hint: hint}
}

func quote(s string) string { return fmt.Sprintf("%q", s) }

// errorJSON is the JSON form of an error.
type errorJSON struct {
	Schema string   `json:"schema"`
	Code   abi.Code `json:"code"`
	What   string   `json:"what"`
	Where  string   `json:"where,omitempty"`
	Hint   string   `json:"hint,omitempty"`
	Cause  string   `json:"cause,omitempty"`
}

// fail prints err in the one error shape and returns the exit code.
func (a *app) fail(err error) int {
	if errors.Is(err, context.Canceled) && a.ctx.Err() != nil {
		printn(a.stderr, "interrupted")
		return exitBreak
	}
	var e *abi.Error
	if !errors.As(err, &e) {
		if what, _, _ := strings.Cut(err.Error(), "\n"); strings.HasPrefix(what, "unknown command") {
			e = &abi.Error{Code: usageCode, What: what, Hint: "forgeone --help"}
		} else {
			e = &abi.Error{Code: "F1-CLI-003", What: err.Error()}
		}
	} else if outer := err.Error(); outer != e.Error() && strings.HasSuffix(outer, e.Error()) {
		// What wraps it says more.
		e = &abi.Error{Code: e.Code, What: strings.TrimSuffix(outer, e.Error()) + e.What, Where: e.Where, Hint: e.Hint, Err: e.Err}
	}
	if a.format == "json" {
		j := errorJSON{Schema: "forgeone.error/v1", Code: e.Code, What: e.What, Where: e.Where, Hint: e.Hint}
		if e.Err != nil {
			j.Cause = e.Err.Error()
		}
		_ = a.json(a.stderr, j, "") // nobody is left to tell
	} else {
		printf(a.stderr, "error[%s]: %s\n", e.Code, error(e))
		if e.Hint != "" {
			printf(a.stderr, "hint: %s\n", e.Hint)
		}
		printf(a.stderr, "see: forgeone explain %s\n", e.Code)
	}
	var own *exitError
	if errors.As(err, &own) {
		return own.exit
	}
	if info, ok := abi.LookupCode(e.Code); ok {
		return info.Exit
	}
	return exitUnknown
}

// exitError is an error that exits with another code than its own.
type exitError struct {
	error
	exit int
}

func (e *exitError) Unwrap() error { return e.error }
