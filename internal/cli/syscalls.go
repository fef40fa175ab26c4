package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/forgeone/forgeone/abi"
)

type paramJSON struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Out   bool   `json:"out,omitempty"`
	Words string `json:"words,omitempty"`
}

type priceJSON struct {
	Work string `json:"work"`
	Fuel uint32 `json:"fuel"`
}

type syscallJSON struct {
	Num      abi.Num     `json:"num"`
	Module   string      `json:"module"`
	Name     string      `json:"name"`
	Class    string      `json:"class"`
	Params   []paramJSON `json:"params"`
	Needs    uint64      `json:"needs,omitempty"`
	Blocks   bool        `json:"blocks,omitempty"`
	Provided bool        `json:"provided"`
	Errnos   []string    `json:"errnos,omitempty"`
	Charged  []priceJSON `json:"charged"` // in fuel, for each of what is counted
	Doc      string      `json:"doc"`
}

func syscallOf(r *abi.Row) syscallJSON {
	j := syscallJSON{Num: r.Num, Module: r.Iface.Module(), Name: r.Name, Class: r.Class.String(), Needs: uint64(r.Needs), Blocks: r.Blocks, Provided: r.Provided, Doc: r.Doc, Params: []paramJSON{}}
	for _, p := range r.Params {
		j.Params = append(j.Params, paramJSON{p.Name, p.Type.String(), p.Type.Dir() == abi.Out, p.Words})
	}
	for _, w := range abi.Works() {
		if r.Price[w] > 0 {
			j.Charged = append(j.Charged, priceJSON{w.String(), r.Price[w]})
		}
	}
	for _, e := range r.Errnos() {
		j.Errnos = append(j.Errnos, e.String())
	}
	return j
}

// signature writes a row as a function.
func signature(r *abi.Row) string {
	var ps []string
	for _, p := range r.Params {
		ps = append(ps, p.Name+" "+p.Type.String())
	}
	ret := " -> errno"
	if !r.Returns() {
		ret = ""
	}
	return r.Name + "(" + strings.Join(ps, ", ") + ")" + ret
}

func (a *app) syscallsCmd() *cobra.Command {
	return &cobra.Command{
		Use: "syscalls [NAME]", Short: "List the syscalls, or describe one", Args: args(0, 1, "at most one name"),
		RunE: func(_ *cobra.Command, got []string) error {
			list := []syscallJSON{}
			for _, r := range abi.Rows() {
				if len(got) == 0 || r.Name == got[0] {
					list = append(list, syscallOf(r))
				}
			}
			if len(list) == 0 {
				return &abi.Error{Code: "F1-CLI-004", What: "there is no such syscall", Where: got[0], Hint: "forgeone syscalls"}
			}
			return a.emit(struct {
				Schema   string        `json:"schema"`
				Syscalls []syscallJSON `json:"syscalls"`
			}{"forgeone.syscalls/v1", list}, func(w io.Writer) {
				if len(got) == 1 {
					describeSyscall(w, abi.Lookup(list[0].Num))
					return
				}
				t := table(w, "NUM", "SYSCALL", "CLASS", "PROVIDED", "WHAT IT DOES")
				for _, s := range list {
					p := "yes"
					if !s.Provided {
						p = "no: ENOSYS"
					}
					t.row(fmt.Sprint(s.Num), s.Name, s.Class, p, s.Doc)
				}
				t.Flush()
			})
		},
	}
}

func describeSyscall(w io.Writer, r *abi.Row) {
	printf(w, "%s.%s (number %d)\n\n  %s\n\n%s\n\n", r.Iface.Module(), r.Name, r.Num, signature(r), r.Doc)
	printf(w, "class     %s\n", r.Class)
	if r.Needs != 0 {
		printf(w, "needs     %s\n", strings.Join(abi.RightsNames(r.Needs), ", "))
	}
	if es := syscallOf(r).Errnos; len(es) > 0 {
		printf(w, "answers   %s\n", strings.Join(es, ", "))
	}
	printf(w, "charged   %s, in fuel\n", r.Price)
	if r.Blocks {
		printn(w, "blocks    yes: the answer is decided again before the guest gets it")
	}
	if !r.Provided {
		printn(w, "provided  no: it is decided and recorded, and answers ENOSYS")
	}
	printf(w, "policy    Action::%q", r.Name)
	if r.Num == abi.PathOpen {
		printf(w, ", Action::%q where it would write", abi.PathOpenWrite)
	}
	printn(w)
}
