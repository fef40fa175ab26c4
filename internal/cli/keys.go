package cli

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/forgeone/forgeone/abi"
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
				printn(w, text)
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
	return nil, usage("--alg "+quote(alg)+": want ed25519 or mldsa44", "forgeone keygen -o "+abi.Shell(out))
}

func (a *app) keyCmd() *cobra.Command {
	c := &cobra.Command{Use: "key", Short: "The keyring: whose signatures count here", Args: args(0, 0, "a subcommand"), RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(a.keyListCmd(), a.keyAddCmd(), a.keyRemoveCmd(), a.keyRevokeCmd(), a.keyThresholdCmd(), a.keySignCmd(), a.keyApplyCmd(), a.keyProtectCmd(), a.keyUnprotectCmd(), a.keyRotateCmd(), a.keyExportCmd())
	return c
}

func (a *app) keyAddCmd() *cobra.Command {
	var role, name, with, draft string
	c := &cobra.Command{
		Use:   "add FILE --role publisher|operator|policy [--name NAME] [--with FILE]",
		Short: "Add a public key to the keyring",
		Long: `Add a public key to the keyring. With --with, a publisher's Ed25519 key and the
ML-DSA-44 key in that file become a pair: one publisher, whose packages count
only when both keys have signed.

This is an operator's act, as are remove, revoke and threshold: it is signed with
this node's operator.key and recorded. Where the threshold asks for more
signatures, or the operator's key is kept elsewhere, --draft writes the act to a
file; "key sign" and "key apply" do the rest.`,
		Example: "  forgeone key add acme.pub --role publisher\n  forgeone key add acme.pub --with acme-pq.pub --role publisher\n  forgeone key add acme.pub --role publisher --draft change.act",
		Args:    args(1, 1, "the file of a public key"),
		RunE: func(_ *cobra.Command, got []string) error {
			switch abi.Role(role) {
			case abi.RolePublisher, abi.RoleOperator, abi.RolePolicy:
			default:
				return usage("--role "+quote(role)+": want publisher, operator or policy", "forgeone key add "+abi.Shell(got[0])+" --role publisher")
			}
			e, err := newKey(abi.Role(role), got[0], with)
			if err != nil {
				return err
			}
			if name == "" {
				name = strings.TrimSuffix(baseName(got[0]), ".pub")
			}
			e.Name = name
			j := keyOf(e)
			j.Schema = "forgeone.key/v1"
			return a.act(draft, func(k *kernel.Kernel) kernel.Change { return k.AddKey(e) }, j, fmt.Sprintf("added %s as %s (%s)", name, role, e.ID.Short()))
		},
	}
	c.Flags().StringVar(&role, "role", "", "what the key may sign: publisher (packages), operator (operator's acts), policy (policies)")
	c.Flags().StringVar(&name, "name", "", "name in the keyring (default: the file's name)")
	c.Flags().StringVar(&with, "with", "", "file of the ML-DSA-44 key that makes a pair of it")
	draftFlag(c, &draft)
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
	var draft string
	c := &cobra.Command{
		Use: "remove NAME|ID", Short: "Remove a key from the keyring", Args: args(1, 1, "a key's name or id"),
		RunE: func(_ *cobra.Command, got []string) error {
			return a.act(draft, func(k *kernel.Kernel) kernel.Change { return k.RemoveKey(got[0]) }, struct {
				Schema string `json:"schema"`
				Name   string `json:"name"`
			}{"forgeone.key.removed/v1", got[0]}, "removed "+got[0])
		},
	}
	draftFlag(c, &draft)
	return c
}

func (a *app) keyRevokeCmd() *cobra.Command {
	var draft, reason string
	c := &cobra.Command{
		Use: "revoke NAME|ID", Short: "Take a key out of the keyring for good", Args: args(1, 1, "a key's name or id"),
		Long: `Take a key out of the keyring for good: it can't be added again, and packages
that it signed are neither installed nor started. A key that is not in the
keyring is revoked by its id.`,
		Example: "  forgeone key revoke acme --reason 'laptop stolen'",
		RunE: func(_ *cobra.Command, got []string) error {
			return a.act(draft, func(k *kernel.Kernel) kernel.Change { return k.RevokeKey(got[0], reason) }, struct {
				Schema string `json:"schema"`
				Name   string `json:"name"`
				Reason string `json:"reason,omitempty"`
			}{"forgeone.key.revoked/v1", got[0], reason}, "revoked "+got[0])
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "why, for people: at most 256 bytes")
	draftFlag(c, &draft)
	return c
}

func (a *app) keyThresholdCmd() *cobra.Command {
	var draft string
	c := &cobra.Command{
		Use: "threshold N", Short: "Set how many operators must sign an act", Args: args(1, 1, "a number"),
		Example: "  forgeone key threshold 2",
		RunE: func(_ *cobra.Command, got []string) error {
			n, err := strconv.ParseUint(got[0], 10, 32)
			if err != nil {
				return usage(quote(got[0])+" is no number of operators", "forgeone key threshold 2")
			}
			return a.act(draft, func(k *kernel.Kernel) kernel.Change { return k.SetThreshold(n) }, struct {
				Schema    string `json:"schema"`
				Threshold uint64 `json:"threshold"`
			}{"forgeone.key.threshold/v1", n}, fmt.Sprintf("%d operator(s) must sign an act now", n))
		},
	}
	draftFlag(c, &draft)
	return c
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
	plain := make([]string, len(cells))
	for i, c := range cells {
		plain[i] = abi.Line(c)
	}
	printn(t, block(strings.TrimRight(strings.Join(plain, "\t"), "\t")))
}
