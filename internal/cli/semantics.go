package cli

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/brain"
)

// semantics checks, while a log is verified, that each record follows from those
// before it: bytes that are rightly signed may still say what can't be, such as
// a key that no operator added.
type semantics struct {
	on    bool
	state *brain.State
}

func (s *semantics) flag(c *cobra.Command) {
	c.Flags().BoolVar(&s.on, "semantics", false, "check also that each record follows from those before it: operators' signatures, trust, runs")
}

// each is what the verification calls with every record, nil if not asked for.
func (s *semantics) each() func(uint64, abi.Record) error {
	if !s.on {
		return nil
	}
	s.state = brain.New()
	return s.state.Follow
}

// print says what was found, once every record followed.
func (s *semantics) print(w io.Writer) {
	if s.on {
		printf(w, "every record follows from those before it; keyring at version %d\n", s.state.Ring())
	}
}
