package cli

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/policy"
)

type problemJSON struct {
	Code abi.Code `json:"code"`
	File string   `json:"file"`
	Line int      `json:"line"`
	Col  int      `json:"col"`
	What string   `json:"what"`
}

func (a *app) policyCmd() *cobra.Command {
	c := &cobra.Command{Use: "policy", Short: "Policies", Args: args(0, 0, "a subcommand"), RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(
		&cobra.Command{
			Use: "check F", Short: "Check a Cedar policy strictly against the schema", Args: args(1, 1, "a policy file"),
			RunE: func(_ *cobra.Command, got []string) error {
				src, err := readPolicy(got[0])
				if err != nil {
					return err
				}
				list := []problemJSON{}
				for _, p := range policy.Check(src) {
					list = append(list, problemJSON{p.Code, p.File, p.Line, p.Col, p.Msg})
				}
				if len(list) > 0 {
					a.exit = exitNo
				}
				return a.emit(struct {
					Schema   string        `json:"schema"`
					Valid    bool          `json:"valid"`
					Problems []problemJSON `json:"problems"`
				}{"forgeone.policy.check/v1", len(list) == 0, list}, func(w io.Writer) {
					for _, p := range list {
						printf(a.stderr, "error[%s]: %s:%d:%d: %s\n", p.Code, p.File, p.Line, p.Col, p.What)
					}
					if len(list) == 0 {
						printf(w, "%s is valid\n", src.Name)
					} else {
						printf(a.stderr, "see: forgeone explain %s\n", list[0].Code)
					}
				})
			},
		},
		&cobra.Command{
			Use: "schema", Short: "Show the Cedar schema that policies are checked against", Args: args(0, 0, "no arguments"),
			RunE: func(*cobra.Command, []string) error {
				return a.emit(struct {
					Schema string `json:"schema"`
					Cedar  string `json:"cedar"`
				}{"forgeone.policy.schema/v1", policy.Schema()}, func(w io.Writer) { printf(w, "%s", block(policy.Schema())) })
			},
		},
		&cobra.Command{
			Use: "base", Short: "Show the built-in base policy", Args: args(0, 0, "no arguments"),
			RunE: func(*cobra.Command, []string) error {
				b := policy.Base()
				return a.emit(struct {
					Schema string `json:"schema"`
					Cedar  string `json:"cedar"`
				}{"forgeone.policy.base/v1", string(b.Text)}, func(w io.Writer) { printf(w, "%s", block(b.Text)) })
			},
		},
	)
	return c
}
