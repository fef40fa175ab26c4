package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/forgeone/forgeone/internal/kernel"
)

func (a *app) graphCmd() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:     "graph [-o text|json|dot|mermaid]",
		Short:   "Show the graph the kernel boots from",
		Example: "  forgeone graph -o dot | dot -Tsvg > kernel.svg",
		Args:    args(0, 0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			plan, err := kernel.Plan(kernel.Graph(), nil)
			if err != nil {
				return err
			}
			switch format {
			case "text", "json":
				a.format = format
				return a.emit(struct {
					Schema  string          `json:"schema"`
					Modules []kernel.Module `json:"modules"`
				}{"forgeone.graph/v1", plan}, func(w io.Writer) { graphText(w, plan) })
			case "dot":
				graphDOT(a.stdout, plan)
			case "mermaid":
				graphMermaid(a.stdout, plan)
			default:
				return usage("there is no graph format "+quote(format), "forgeone graph -o text|json|dot|mermaid")
			}
			return nil
		},
	}
	// A flag of its own: the graph has two formats more.
	c.Flags().StringVarP(&format, "output", "o", "text", "output format: text, json, dot or mermaid")
	return c
}

func graphText(w io.Writer, plan []kernel.Module) {
	t := table(w, "BOOTS", "MODULE", "NEEDS", "PURPOSE")
	for i, m := range plan {
		needs := strings.Join(m.Needs, ", ")
		if needs == "" {
			needs = "-"
		}
		t.row(fmt.Sprint(i+1), m.Name, needs, m.Purpose)
	}
	t.Flush()
}

func graphDOT(w io.Writer, plan []kernel.Module) {
	printf(w, "digraph forgeone {\n  rankdir=LR;\n  node [shape=box];\n")
	for _, m := range plan {
		printf(w, "  %q [label=%q];\n", m.Name, m.Name+"\n"+m.Package)
		for _, n := range m.Needs {
			printf(w, "  %q -> %q;\n", m.Name, n)
		}
	}
	printn(w, "}")
}

func graphMermaid(w io.Writer, plan []kernel.Module) {
	printn(w, "graph LR")
	for _, m := range plan {
		printf(w, "  %s[\"%s<br/>%s\"]\n", m.Name, m.Name, m.Package)
		for _, n := range m.Needs {
			printf(w, "  %s --> %s\n", m.Name, n)
		}
	}
}
