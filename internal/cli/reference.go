package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/forgeone/forgeone/abi"
)

// generated begins every generated page.
const generated = "<!-- Made by `make docs`. Do not edit. -->\n"

// Reference writes the reference page of all commands, in Markdown, from the
// command tree itself.
func Reference(w io.Writer) error {
	p := &page{w: w}
	p.printf("# Commands\n\n%s", generated)
	root := new(app).root()
	p.printf("\nEvery command takes these flags:\n\n")
	p.flags(root.PersistentFlags())
	p.printf("\nExit codes, where a command does not say otherwise: 0 yes; 1 a clean no (invalid, denied, differs, damaged); 2 wrong usage; 3 could not tell;\n130 interrupted.\n")
	for _, g := range root.Groups() {
		p.printf("\n## %s\n", strings.TrimSuffix(g.Title, ":"))
		for _, c := range root.Commands() {
			if c.GroupID == g.ID {
				p.command(c)
			}
		}
	}
	return p.err
}

// page writes until the first error, which it keeps.
type page struct {
	w   io.Writer
	err error
}

func (p *page) printf(format string, v ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, v...)
	}
}

// command writes one command, or the commands beneath it.
func (p *page) command(c *cobra.Command) {
	if c.HasSubCommands() {
		for _, s := range c.Commands() {
			p.command(s)
		}
		return
	}
	p.printf("\n### forgeone %s\n\n", strings.TrimPrefix(c.CommandPath(), "forgeone "))
	p.printf("    %s\n\n", c.UseLine())
	if c.Long != "" {
		p.printf("%s\n", c.Long)
	} else {
		p.printf("%s.\n", c.Short)
	}
	if c.LocalNonPersistentFlags().HasFlags() {
		p.printf("\n")
		p.flags(c.LocalNonPersistentFlags())
	}
	if c.Example != "" {
		p.printf("\nFor example:\n\n")
		for l := range strings.Lines(c.Example) {
			p.printf("    %s\n", strings.TrimSpace(l))
		}
	}
}

// flags writes a table of flags.
func (p *page) flags(fs *pflag.FlagSet) {
	p.printf("| flag | |\n|---|---|\n")
	fs.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		kind, text := pflag.UnquoteUsage(f)
		switch kind {
		case "":
		case "stringArray", "strings":
			name += " string"
			if !strings.Contains(text, "repeated") {
				text += "; may be repeated"
			}
		default:
			name += " " + kind
		}
		if d := f.DefValue; !slices.Contains([]string{"", "0", "0s", "false", "[]"}, d) {
			text += " (default " + d + ")"
		}
		p.printf("| `%s` | %s |\n", name, cell(text))
	})
}

// cell makes a text fit for a table.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

// SyscallReference writes the reference page of all syscalls, in Markdown, from
// the table that the gate works by.
func SyscallReference(w io.Writer) error {
	p := &page{w: w}
	p.printf("# Syscalls\n\n%s\n", generated)
	p.printf("Every call of a guest is one of these. Each is decided and recorded; one without a provider answers ENOSYS. Results are the parameters with a star, and what iovec[], buffer, string[] and event[] lead to.\n\n")
	p.printf("The errnos are those that a call can answer by what WASI says of it or, where that is silent, POSIX. Beyond them what policy denies answers EACCES, and the failures of a host's disk are passed on.\n\n")
	p.printf("A call is charged in fuel for its work, beside the instructions of the guest: a unit stands for about a nanosecond of a processor, of which a plain loop uses some four. Bytes are those that go in and out and those of names; names walked are the components of paths and links; entries are those of folders that are listed, or descriptors that are gone through. A denied call that is answered late, because there were many, costs %d more.\n\n", abi.WakePrice)
	p.printf("| number | syscall | class | provider | blocks |\n|---|---|---|---|---|\n")
	rows := abi.Rows()
	for _, r := range rows {
		p.printf("| %d | [%s](#%s) | %s | %s | %s |\n", r.Num, r.Name, r.Name, r.Class, yes(r.Provided), yes(r.Blocks))
	}
	for _, r := range rows {
		p.printf("\n## %s\n\n%s\n\n    %s\n", r.Name, r.Doc, signature(r))
		var facts []string
		if r.Needs != 0 {
			facts = append(facts, "Rights needed on the descriptor: "+strings.Join(abi.RightsNames(r.Needs), ", ")+".")
		}
		if es := syscallOf(r).Errnos; len(es) > 0 {
			facts = append(facts, "Errnos: "+strings.Join(es, ", ")+".")
		}
		facts = append(facts, fmt.Sprintf("Charged: %s.", r.Price))
		if r.Blocks {
			facts = append(facts, "It may block: its answer is decided again before the guest gets it.")
		}
		if r.Num == abi.PathOpen {
			facts = append(facts, fmt.Sprintf("In policies it is `Action::%q` where the file would be written, made or cut.", abi.PathOpenWrite))
		}
		for _, f := range facts {
			p.printf("\n%s\n", f)
		}
	}
	return p.err
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
