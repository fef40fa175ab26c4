package cli

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/forgepkg"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/kernel"
	"github.com/forgeone/forgeone/internal/keys"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/sys"
)

func (a *app) revokeCmd() *cobra.Command {
	c := &cobra.Command{
		Use: "revoke", Short: "Signed lists of packages, modules and keys that count no more",
		Long: `Signed lists of packages, modules and keys that count no more. An operator's list
revokes anything; a publisher's revokes its own packages, their modules, and its
own key. A list goes forward only, by its serial, and what a node has read from
one stays revoked: a later list adds, and leaves nothing out.`,
		Args: args(0, 0, "a subcommand"), RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.revokeMakeCmd(), a.revokeImportCmd(), a.revokeListCmd())
	return c
}

type revokeFlags struct {
	out, from, reason       string
	keys                    []string
	packages, modules, pubs []string
	serial                  uint64
}

func (a *app) revokeMakeCmd() *cobra.Command {
	var f revokeFlags
	c := &cobra.Command{
		Use:   "make --key K -o LIST [--package P]… [--module M]… [--pubkey K]… [--from LIST]",
		Short: "Make a signed revocation list",
		Long: `Make a signed revocation list. Packages, modules and keys are named by file or by
digest. --from begins with all that an older list revokes; the serial is then
one higher, unless --serial says another.`,
		Example: "  forgeone revoke make --key acme.key -o acme.revoked --package app-1.0.forgepkg --reason 'leaks its input'",
		Args:    args(0, 0, "no arguments"),
		RunE:    func(*cobra.Command, []string) error { return a.revokeMake(f) },
	}
	fl := c.Flags()
	fl.StringVarP(&f.out, "out", "o", "", "the list to write")
	fl.StringArrayVar(&f.keys, "key", nil, "file of the private key that signs; for a pair, both")
	fl.StringArrayVar(&f.packages, "package", nil, "a package, as file or digest")
	fl.StringArrayVar(&f.modules, "module", nil, "a module, as file or digest")
	fl.StringArrayVar(&f.pubs, "pubkey", nil, "a publisher's public key, as file or id")
	fl.StringVar(&f.reason, "reason", "", "why, for people; at most 128 bytes")
	fl.StringVar(&f.from, "from", "", "an older list to begin with")
	fl.Uint64Var(&f.serial, "serial", 0, "number that orders the issuer's lists (default: 1, or one more than --from)")
	fl.StringVar(&a.format, "output", "text", "output format: text or json")
	return c
}

func (a *app) revokeMake(f revokeFlags) error {
	if f.out == "" || len(f.keys) == 0 {
		return usage("revoke make needs --key and -o", "forgeone revoke make --key my.key -o my.revoked --package app.forgepkg")
	}
	entries, err := f.entries()
	if err != nil {
		return err
	}
	signers, err := a.loadSigners(f.keys)
	if err != nil {
		return err
	}
	if len(signers) == 2 && signers[0].Alg == seal.MLDSA44 {
		signers[0], signers[1] = signers[1], signers[0]
	}
	if f.serial == 0 {
		f.serial = 1
	}
	if f.from != "" {
		old, err := kernel.ReadRevocations(f.from)
		if err != nil {
			return err
		}
		entries, f.serial = mergeRevoked(old.Entries, entries), max(f.serial, old.Serial+1)
	}
	issued, err := a.buildTime()
	if err != nil {
		return err
	}
	b, err := forgepkg.MakeRevocations(f.serial, issued.Unix(), entries, signers...)
	if err != nil {
		return err
	}
	if err := sys.WriteFile(f.out, b, 0o644); err != nil {
		return cantWrite("the list", f.out, err)
	}
	list, err := forgepkg.ParseRevocations(b)
	if err != nil {
		return err
	}
	return a.emit(revocationsOf("forgeone.revoke.make/v1", f.out, list), func(w io.Writer) {
		printf(w, "%s: serial %d, %d revoked, by key %s\n", f.out, list.Serial, list.Count, list.Issuer.Short())
	})
}

// entries are what the flags name.
func (f *revokeFlags) entries() (list []abi.Revoked, err error) {
	for _, k := range []struct {
		what  uint8
		names []string
		read  func(string) (abi.Digest, error)
	}{
		{abi.RevokedPackage, f.packages, packageDigest}, {abi.RevokedModule, f.modules, moduleDigest}, {abi.RevokedKey, f.pubs, publicKeyID},
	} {
		for _, n := range k.names {
			d, ok := parseDigest(n)
			if !ok {
				if d, err = k.read(n); err != nil {
					return nil, err
				}
			}
			list = append(list, abi.Revoked{What: k.what, Digest: d, Reason: f.reason})
		}
	}
	return mergeRevoked(nil, list), nil
}

// mergeRevoked adds what old does not name to it.
func mergeRevoked(old, added []abi.Revoked) []abi.Revoked {
	type thing struct {
		what uint8
		d    abi.Digest
	}
	has := map[thing]bool{}
	var all []abi.Revoked
	for _, list := range [][]abi.Revoked{old, added} {
		for _, e := range list {
			if t := (thing{e.What, e.Digest}); !has[t] {
				has[t] = true
				all = append(all, e)
			}
		}
	}
	return all
}

// parseDigest reads a digest of 64 hexadecimal digits.
func parseDigest(s string) (d abi.Digest, ok bool) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(d) {
		return d, false
	}
	return abi.Digest(b), true
}

func packageDigest(file string) (abi.Digest, error) {
	p, err := forgepkg.Open(file)
	if err != nil {
		return abi.Digest{}, err
	}
	defer p.Close()
	return p.Digest(), nil
}

func moduleDigest(file string) (abi.Digest, error) {
	b, err := sys.ReadRegular(file, forgepkg.MaxModule)
	if err != nil {
		return abi.Digest{}, &abi.Error{Code: "F1-CLI-002", What: "the module can't be read", Where: file, Err: err}
	}
	if !strings.HasPrefix(string(b[:min(4, len(b))]), "\x00asm") {
		return abi.Digest{}, usage(quote(file)+" is neither a WebAssembly module nor a digest of 64 digits", "forgeone revoke make --help")
	}
	return forgepkg.ModuleDigest(b), nil
}

func publicKeyID(file string) (abi.Digest, error) {
	alg, public, err := keys.LoadAnyPublic(file)
	return seal.KeyID(alg, public), err
}

type withdrawnJSON struct {
	What   string `json:"what"`
	Digest string `json:"digest"`
	Reason string `json:"reason,omitempty"`
	Issuer string `json:"issuer,omitempty"` // its name in the keyring, or its id
	Record uint64 `json:"record,omitempty"`
}

type revocationsJSON struct {
	Schema  string          `json:"schema"`
	File    string          `json:"file"`
	Issuer  string          `json:"issuer"`
	Serial  uint64          `json:"serial"`
	Issued  string          `json:"issued"`
	List    string          `json:"list"`
	New     *bool           `json:"new,omitempty"`
	Entries []withdrawnJSON `json:"entries"`
}

func revocationsOf(schema, file string, r *forgepkg.Revocations) revocationsJSON {
	j := revocationsJSON{Schema: schema, File: file, Issuer: r.Issuer.Hex(), Serial: r.Serial, Issued: stamp(r.Issued), List: r.List.Hex(), Entries: []withdrawnJSON{}}
	for _, e := range r.Entries {
		j.Entries = append(j.Entries, withdrawnJSON{What: e.Kind(), Digest: e.Digest.Hex(), Reason: e.Reason})
	}
	return j
}

func (a *app) revokeImportCmd() *cobra.Command {
	return &cobra.Command{
		Use: "import LIST", Short: "Make a revocation list count on this node", Args: args(1, 1, "the file of a list"),
		RunE: func(_ *cobra.Command, got []string) error {
			k, err := a.open(kernel.ModEvidence)
			if err != nil {
				return err
			}
			defer k.Close(a.ctx)
			list, fresh, err := k.ImportRevocations(a.ctx, got[0])
			if err != nil {
				return err
			}
			j := revocationsOf("forgeone.revoke.import/v1", got[0], list)
			j.New = &fresh
			return a.emit(j, func(w io.Writer) {
				if !fresh {
					printf(w, "serial %d by key %s was imported before\n", list.Serial, list.Issuer.Short())
					return
				}
				printf(w, "imported serial %d by key %s: %d revoked\n", list.Serial, list.Issuer.Short(), list.Count)
			})
		},
	}
}

func (a *app) revokeListCmd() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List what lists have revoked on this node", Args: args(0, 0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			k, err := a.open(kernel.ModEvidence)
			if err != nil {
				return err
			}
			defer k.Close(a.ctx)
			list := []withdrawnJSON{}
			k.View(func(s *brain.State) {
				for _, r := range s.Revocations() {
					j := withdrawnJSON{What: r.Kind(), Digest: r.Digest.Hex(), Reason: r.Reason, Issuer: r.Issuer.Hex(), Record: r.Index}
					if e, ok := s.Key(r.Issuer); ok {
						j.Issuer = e.Name
					}
					list = append(list, j)
				}
			})
			return a.emit(struct {
				Schema  string          `json:"schema"`
				Revoked []withdrawnJSON `json:"revoked"`
			}{"forgeone.revoked/v1", list}, func(w io.Writer) {
				t := table(w, "WHAT", "DIGEST", "BY", "RECORD", "REASON")
				for _, r := range list {
					t.row(r.What, r.Digest[:12], r.Issuer, fmt.Sprint(r.Record), r.Reason)
				}
				t.Flush()
			})
		},
	}
}

// cantWrite is the error of a file that could not be written: the name that was
// asked for, not that of the temporary file beside it.
func cantWrite(what, path string, err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return &abi.Error{Code: "F1-CLI-002", What: what + " can't be written", Where: path, Err: err}
}
