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
	Post   string   `json:"post,omitempty"` // the pair's post-quantum key
	Local  bool     `json:"local,omitempty"`
	File   string   `json:"file,omitempty"`
}

func (a *app) keygenCmd() *cobra.Command {
	var out, alg string
	c := &cobra.Command{
		Use:   "keygen -o FILE",
		Short: "Make a signing key",
		Long: `Make a signing key. The private part goes to FILE (mode 0600), which must not
exist, and is never printed; the public part goes to standard output. A key of
the algorithm mldsa44 (ML-DSA-44, FIPS 204) signs packages so that a quantum
computer can't forge them; best beside an Ed25519 key, as a pair.`,
		Example: "  forgeone keygen -o acme.key > acme.pub\n  forgeone keygen --alg mldsa44 -o acme-pq.key > acme-pq.pub\n  forgeone key add acme.pub --with acme-pq.pub --role publisher",
		Args:    args(0, 0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			if out == "" {
				return usage("keygen needs the file for the private key", "forgeone keygen -o my.key > my.pub")
			}
			pub, err := generate(alg, out)
			if err != nil {
				return err
			}
			text := seal.FormatPublic(alg, pub)
			return a.emit(keyJSON{Schema: "forgeone.key/v1", Public: text, ID: seal.KeyID(alg, pub).Hex(), File: out}, func(w io.Writer) {
				fmt.Fprintln(w, text)
			})
		},
	}
	// Here -o is the file, as everywhere in the world of keys; the format has
	// its long name only.
	c.Flags().StringVarP(&out, "out", "o", "", "file for the private key")
	c.Flags().StringVar(&a.format, "output", "text", "output format: text or json")
	c.Flags().StringVar(&alg, "alg", seal.Ed25519, "algorithm: ed25519 or mldsa44")
	return c
}

func generate(alg, out string) (public []byte, err error) {
	switch alg {
	case seal.Ed25519:
		return keys.Generate(out)
	case seal.MLDSA44:
		return keys.GeneratePost(out)
	}
	return nil, usage("--alg "+quote(alg)+": want ed25519 or mldsa44", "forgeone keygen -o "+out)
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
					list = append(list, keyOf(e.KeyAdd))
				}
			})
			return a.emit(struct {
				Schema string    `json:"schema"`
				Keys   []keyJSON `json:"keys"`
			}{"forgeone.keys/v1", list}, func(w io.Writer) {
				t := table(w, "NAME", "ROLE", "ID", "PUBLIC KEY")
				for _, e := range list {
					public := shortKey(e.Public)
					if e.Post != "" {
						public += " with " + shortKey(e.Post)
					}
					t.row(e.Name, string(e.Role), e.ID[:12], public)
				}
				t.Flush()
			})
		},
	}
}

func (a *app) keyAddCmd() *cobra.Command {
	var role, name, with string
	c := &cobra.Command{
		Use:   "add FILE --role publisher|operator|policy [--name NAME] [--with FILE]",
		Short: "Add a public key to the keyring",
		Long: `Add a public key to the keyring. With --with, a publisher's Ed25519 key and the
ML-DSA-44 key in that file become a pair: one publisher, whose packages count
only when both keys have signed.`,
		Example: "  forgeone key add acme.pub --role publisher\n  forgeone key add acme.pub --with acme-pq.pub --role publisher",
		Args:    args(1, 1, "the file of a public key"),
		RunE: func(_ *cobra.Command, got []string) error {
			switch abi.Role(role) {
			case abi.RolePublisher, abi.RoleOperator, abi.RolePolicy:
			default:
				return usage("--role "+quote(role)+": want publisher, operator or policy", "forgeone key add "+got[0]+" --role publisher")
			}
			e, err := newKey(abi.Role(role), got[0], with)
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
			e.Name = name
			if err := k.AddKey(a.ctx, e); err != nil {
				return err
			}
			j := keyOf(e)
			j.Schema = "forgeone.key/v1"
			return a.emit(j, func(w io.Writer) {
				fmt.Fprintf(w, "added %s as %s (%s)\n", name, role, e.ID.Short())
			})
		},
	}
	c.Flags().StringVar(&role, "role", "", "what the key may sign: publisher (packages), operator (operator's acts), policy (policies)")
	c.Flags().StringVar(&name, "name", "", "name in the keyring (default: the file's name)")
	c.Flags().StringVar(&with, "with", "", "file of the ML-DSA-44 key that makes a pair of it")
	return c
}

// newKey is the entry of the keyring for the public key in file, or for the
// pair that it makes with the one in the file with.
func newKey(role abi.Role, file, with string) (e abi.KeyAdd, err error) {
	e.Role = role
	if e.Alg, e.Public, err = keys.LoadAnyPublic(file); err != nil {
		return e, err
	}
	e.ID = seal.KeyID(e.Alg, e.Public)
	post := e.Alg
	if with != "" {
		if post, e.Post, err = keys.LoadAnyPublic(with); err != nil {
			return e, err
		}
	}
	switch {
	case role != abi.RolePublisher && post != seal.Ed25519:
		return e, usage("a key of algorithm "+seal.MLDSA44+" signs packages: its role is publisher", "forgeone key add "+file+" --role publisher")
	case with != "" && (e.Alg != seal.Ed25519 || post != seal.MLDSA44):
		return e, usage("a pair is an Ed25519 key --with an ML-DSA-44 key", "forgeone key add acme.pub --with acme-pq.pub --role publisher")
	}
	return e, nil
}

// keyOf is an entry of the keyring in JSON.
func keyOf(e abi.KeyAdd) keyJSON {
	j := keyJSON{Name: e.Name, Role: e.Role, Public: seal.FormatPublic(e.Alg, e.Public), ID: e.ID.Hex(), Local: e.Local}
	if len(e.Post) > 0 {
		j.Post = seal.FormatPublic(seal.MLDSA44, e.Post)
	}
	return j
}

// shortKey is a public key for a table: ML-DSA keys have 1800 characters.
func shortKey(text string) string {
	if len(text) > 80 {
		return text[:40] + "…"
	}
	return text
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
