package cli

import (
	"testing"

	"github.com/spf13/cobra"
)

// TestOutputIsTheFormat: --output means the format of messages everywhere, also
// where a command has a flag -o of its own.
func TestOutputIsTheFormat(t *testing.T) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if f := c.Flags().Lookup("output"); f != nil && (f.Value.Type() != "string" || f.DefValue != "text") {
			t.Errorf("%s: --output is a %s: %s", c.CommandPath(), f.Value.Type(), f.Usage)
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(new(app).root())
}
