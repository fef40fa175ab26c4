package cli

import (
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/kernel"
)

type revokedJSON struct {
	Name   string   `json:"name,omitempty"`
	Role   abi.Role `json:"role,omitempty"`
	ID     string   `json:"id"`
	Time   string   `json:"time"`
	Record uint64   `json:"record"`
	Reason string   `json:"reason,omitempty"`
}

type keyringJSON struct {
	Schema    string        `json:"schema"`
	Ring      uint64        `json:"ring"` // version of the keyring
	Threshold uint64        `json:"threshold"`
	Operators uint64        `json:"operators"`
	Keys      []keyJSON     `json:"keys"`
	Revoked   []revokedJSON `json:"revoked,omitempty"`
}

func keyringOf(s *brain.State) keyringJSON {
	j := keyringJSON{Schema: "forgeone.keys/v1", Ring: s.Ring(), Threshold: s.Threshold(), Operators: s.Operators(), Keys: []keyJSON{}}
	for _, e := range s.Keys() {
		j.Keys = append(j.Keys, keyOf(e.KeyAdd))
	}
	for _, v := range s.RevokedKeys() {
		j.Revoked = append(j.Revoked, revokedJSON{v.Name, v.Role, v.ID.Hex(), time.Unix(0, v.Time).UTC().Format(time.RFC3339), v.Index, v.Reason})
	}
	return j
}

func (a *app) keyListCmd() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the keyring", Args: args(0, 0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			k, err := a.open(kernel.ModEvidence)
			if err != nil {
				return err
			}
			defer k.Close(a.ctx)
			var ring keyringJSON
			k.View(func(s *brain.State) { ring = keyringOf(s) })
			return a.emit(ring, func(w io.Writer) {
				t := table(w, "NAME", "ROLE", "ID", "PUBLIC KEY")
				for _, e := range ring.Keys {
					public := shortKey(e.Public)
					if e.Post != "" {
						public += " with " + shortKey(e.Post)
					}
					t.row(e.Name, string(e.Role), e.ID[:12], public)
				}
				t.Flush()
				if len(ring.Revoked) > 0 {
					printn(w)
					t := table(w, "REVOKED", "ROLE", "ID", "SINCE", "RECORD", "WHY")
					for _, v := range ring.Revoked {
						t.row(orDash(v.Name), orDash(string(v.Role)), v.ID[:12], v.Time, strconv.FormatUint(v.Record, 10), orDash(v.Reason))
					}
					t.Flush()
				}
				printf(w, "\nversion %d of the keyring; %d of %d operator(s) must sign an act\n", ring.Ring, ring.Threshold, ring.Operators)
			})
		},
	}
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
