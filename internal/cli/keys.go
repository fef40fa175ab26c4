package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/kernel"
	"github.com/forgeone/forgeone/internal/keys"
	"github.com/forgeone/forgeone/internal/seal"
)

type keyJSON struct {
	Schema string   `json:"schema,omitempty"`
	Name   string   `json:"name,omitempty"`
	Role   abi.Role `json:"role,omitempty"`
	Public string   `json:"public"`
	ID     string   `json:"id"`
	Local  bool     `json:"local,omitempty"`
	File   string   `json:"file,omitempty"`
}

func (a *app) keygenCmd() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:   "keygen -f FILE",
		Short: "Make a signing key",
		Long: `Make a signing key. The private part goes to FILE (mode 0600), which must not
exist, and is never printed; the public part goes to standard output.`,
		Example: "  forgeone keygen -o acme.key > acme.pub\n  forgeone key add acme.pub --role publisher",
		Args:    args(0, 0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			if out == "" {
				return usage("keygen needs the file for the private key", "forgeone keygen -o my.key > my.pub")
			}
			pub, err := keys.Generate(out)
			if err != nil {
				return err
			}
			return a.emit(keyJSON{Schema: "forgeone.key/v1", Public: pub.String(), ID: pub.ID().Hex(), File: out}, func(w io.Writer) {
				fmt.Fprintln(w, pub)
			})
		},
	}
	// Here -o is the file, as everywhere in the world of keys; the format has
	// its long name only.
	c.Flags().StringVarP(&out, "out", "o", "", "file for the private key")
	c.Flags().StringVar(&a.format, "output", "text", "output format: text or json")
	c.Use = "keygen -o FILE"
	return c
}

func (a *app) keyCmd() *cobra.Command {
	c := &cobra.Command{Use: "key", Short: "The keyring: whose signatures count here", Args: args(0, 0, "a subcommand"), RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(a.keyListCmd(), a.keyAddCmd(), a.keyRemoveCmd())
	return c
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
			list := []keyJSON{}
			k.View(func(s *brain.State) {
				for _, e := range s.Keys() {
					list = append(list, keyJSON{Name: e.Name, Role: e.Role, Public: seal.PublicKey(e.Public).String(), ID: e.ID.Hex(), Local: e.Local})
				}
			})
			return a.emit(struct {
				Schema string    `json:"schema"`
				Keys   []keyJSON `json:"keys"`
			}{"forgeone.keys/v1", list}, func(w io.Writer) {
				t := table(w, "NAME", "ROLE", "ID", "PUBLIC KEY")
				for _, e := range list {
					t.row(e.Name, string(e.Role), e.ID[:12], e.Public)
				}
				t.Flush()
			})
		},
	}
}

func (a *app) keyAddCmd() *cobra.Command {
	var role, name string
	c := &cobra.Command{
		Use:     "add FILE --role publisher|operator|policy [--name NAME]",
		Short:   "Add a public key to the keyring",
		Example: "  forgeone key add acme.pub --role publisher",
		Args:    args(1, 1, "the file of a public key"),
		RunE: func(_ *cobra.Command, got []string) error {
			switch abi.Role(role) {
			case abi.RolePublisher, abi.RoleOperator, abi.RolePolicy:
			default:
				return usage("--role "+quote(role)+": want publisher, operator or policy", "forgeone key add "+got[0]+" --role publisher")
			}
			pub, err := keys.LoadPublic(got[0])
			if err != nil {
				return err
			}
			if name == "" {
				name = strings.TrimSuffix(baseName(got[0]), ".pub")
			}
			k, err := a.open(kernel.ModEvidence)
			if err != nil {
				return err
			}
			defer k.Close(a.ctx)
			e := abi.KeyAdd{Name: name, Role: abi.Role(role), Alg: seal.Ed25519, Public: pub, ID: pub.ID()}
			if err := k.AddKey(a.ctx, e); err != nil {
				return err
			}
			return a.emit(keyJSON{Schema: "forgeone.key/v1", Name: name, Role: e.Role, Public: pub.String(), ID: e.ID.Hex()}, func(w io.Writer) {
				fmt.Fprintf(w, "added %s as %s (%s)\n", name, role, e.ID.Short())
			})
		},
	}
	c.Flags().StringVar(&role, "role", "", "what the key may sign: publisher (packages), operator (operator's acts), policy (policies)")
	c.Flags().StringVar(&name, "name", "", "name in the keyring (default: the file's name)")
	return c
}

func (a *app) keyRemoveCmd() *cobra.Command {
	return &cobra.Command{
		Use: "remove NAME|ID", Short: "Remove a key from the keyring", Args: args(1, 1, "a key's name or id"),
		RunE: func(_ *cobra.Command, got []string) error {
			k, err := a.open(kernel.ModEvidence)
			if err != nil {
				return err
			}
			defer k.Close(a.ctx)
			if err := k.RemoveKey(a.ctx, got[0]); err != nil {
				return err
			}
			return a.emit(struct {
				Schema string `json:"schema"`
				Name   string `json:"name"`
			}{"forgeone.key.removed/v1", got[0]}, func(w io.Writer) { fmt.Fprintf(w, "removed %s\n", got[0]) })
		},
	}
}

func baseName(p string) string {
	if i := strings.LastIndexByte(p, os.PathSeparator); i >= 0 {
		return p[i+1:]
	}
	return p
}

// columns is a table for people.
type columns struct{ *tabwriter.Writer }

func table(w io.Writer, heads ...string) columns {
	t := columns{tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)}
	t.row(heads...)
	return t
}

func (t columns) row(cells ...string) {
	fmt.Fprintln(t, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
}
