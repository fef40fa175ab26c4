package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/forgeone/forgeone/internal/kernel"
)

func (a *app) downgradeCmd() *cobra.Command {
	var serial uint64
	var draft string
	c := &cobra.Command{
		Use: "downgrade NAME --to SERIAL", Short: "Let a package go back to a lower serial", Args: args(1, 1, "a package's name"),
		Long: `Let a package go back to a lower serial: an operator's signed act. From then on
packages with that serial, and higher ones, are installed. What is installed
stays until one takes its place.`,
		Example: "  forgeone downgrade app --to 1000001\n  forgeone install app-1.0.forgepkg",
		RunE: func(_ *cobra.Command, got []string) error {
			if serial == 0 {
				return usage("downgrade needs the serial to go back to", "forgeone downgrade "+got[0]+" --to SERIAL")
			}
			return a.act(draft, func(*kernel.Kernel) kernel.Change { return kernel.Downgrade(got[0], serial) }, struct {
				Schema string `json:"schema"`
				Name   string `json:"name"`
				Serial uint64 `json:"serial"`
			}{"forgeone.downgraded/v1", got[0], serial}, fmt.Sprintf("%s may go back to serial %d", got[0], serial))
		},
	}
	c.Flags().Uint64Var(&serial, "to", 0, "the lowest serial that is accepted from now on")
	draftFlag(c, &draft)
	return c
}
