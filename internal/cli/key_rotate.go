package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/kernel"
	"github.com/forgeone/forgeone/internal/keys"
)

// roleLog is the role of the keys of the log's terms. They are not in the keyring.
const roleLog abi.Role = "log"

// termJSON is a term of the log's keys.
type termJSON struct {
	Number uint64 `json:"number"`
	Key    string `json:"key"`
	Post   string `json:"post,omitempty"` // the ML-DSA-44 key beside it
	From   uint64 `json:"from"`
}

func termOf(t evidence.Term) termJSON {
	return termJSON{t.Number, t.Key.String(), postText(t.Post), t.From}
}

// postText is the text of an ML-DSA-44 key, empty of none.
func postText(k evidence.PostPublicKey) string {
	if k == nil {
		return ""
	}
	return k.String()
}

func termsOf(list []evidence.Term) []termJSON {
	out := make([]termJSON, len(list))
	for i, t := range list {
		out[i] = termOf(t)
	}
	return out
}

func (a *app) keyRotateCmd() *cobra.Command {
	var yes, no bool
	c := &cobra.Command{
		Use:   "rotate [--post-quantum|--no-post-quantum]",
		Short: "Replace the key that signs the evidence log",
		Long: `Replace the key that signs the evidence log. The old key signs the new one, as a
record of the log; then its private part is erased. So who takes the new key can't
rewrite what the old one signed. Runs under way go on.

Keep every public key that the log had, elsewhere: the first one and all that
follow ('forgeone key export --public --role log'), and give them all when you
verify. The first one vouches for what follows; the newest one shows when somebody
with an old key made another log from there on. Tell the witnesses.

With --post-quantum the log gets an ML-DSA-44 key (FIPS 204) beside the new key.
What is published of the log (log export, prove, serve) is signed by both then,
and who verifies it demands both; the next hand-over too. It stays so with every
rotation that follows, each with a new key of either kind, until one says
--no-post-quantum.`,
		Example: "  forgeone key rotate\n  forgeone key rotate --post-quantum\n  forgeone key export --public --role log > log.pub",
		Args:    args(0, 0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			choice := kernel.PostAsBefore
			switch {
			case yes && no:
				return usage("--post-quantum and --no-post-quantum contradict each other", "forgeone key rotate --post-quantum")
			case yes:
				choice = kernel.PostYes
			case no:
				choice = kernel.PostNo
			}
			k, err := a.open(kernel.ModEvidence)
			if err != nil {
				return err
			}
			defer k.Close(a.ctx)
			r, err := k.RotateLogKey(a.ctx, choice)
			if err != nil {
				return err
			}
			head, err := k.LogHead()
			if err != nil {
				return err
			}
			vkey := evidence.VerifierKey(head.Origin, r.New.Key)
			return a.emit(struct {
				Schema string   `json:"schema"`
				Record uint64   `json:"record"`
				Term   uint64   `json:"term"`
				Public string   `json:"public"`
				Post   string   `json:"post,omitempty"`
				Vkey   string   `json:"vkey"`
				Old    termJSON `json:"old"`
			}{"forgeone.key.rotate/v1", r.Index, r.New.Number, r.New.Key.String(), postText(r.New.Post), vkey, termOf(r.Old)}, func(w io.Writer) {
				printf(w, "the log's key is another now (record %d)\n", r.Index)
				printf(w, "old  term %d  %s\nnew  term %d  %s\n", r.Old.Number, r.Old.Key, r.New.Number, r.New.Key)
				if r.New.Post != nil {
					printf(w, "post-quantum: what is published of the log is signed by %s too\n", shortKey(r.New.Post.String()))
				} else if r.Old.Post != nil {
					printf(w, "the log has no post-quantum key any more\n")
				}
				printf(w, "keep both public keys elsewhere: forgeone key export --public --role log\n")
				printf(w, "tell the witnesses the log's new verifier key:\n  %s\n", vkey)
			})
		},
	}
	c.Flags().BoolVar(&yes, "post-quantum", false, "give the log an ML-DSA-44 key too (default: as before)")
	c.Flags().BoolVar(&no, "no-post-quantum", false, "give the log no ML-DSA-44 key any more")
	return c
}

// publicJSON is a public key as key export shows it. Term, From and Current are
// of the log's keys only.
type publicJSON struct {
	Role    abi.Role `json:"role"`
	Name    string   `json:"name,omitempty"`
	Public  string   `json:"public"`
	Post    string   `json:"post,omitempty"`
	Term    *uint64  `json:"term,omitempty"`
	From    *uint64  `json:"from,omitempty"`
	Current bool     `json:"current,omitempty"`
}

func (a *app) keyExportCmd() *cobra.Command {
	var public bool
	var role string
	roles := []abi.Role{roleLog, abi.RoleNode, abi.RoleOperator, abi.RolePublisher, abi.RolePolicy}
	c := &cobra.Command{
		Use:   "export --public [--role log|node|operator|publisher|policy]",
		Short: "Print public keys, a line each",
		Long: `Print the public keys of the log's terms, oldest first, and of the keyring, a line
each; ML-DSA-44 keys, of the log's terms since it last had none and of pairs, on a
line of their own. Private keys are never exported. With --role log it is what
'forgeone log verify --key FILE' takes.`,
		Example: "  forgeone key export --public --role log > log.pub",
		Args:    args(0, 0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			if !public {
				return usage("only public keys are ever exported: say --public", "forgeone key export --public --role log")
			}
			if role != "" && !slices.Contains(roles, abi.Role(role)) {
				return usage("--role "+quote(role)+": want log, node, operator, publisher or policy", "forgeone key export --public --role log")
			}
			k, err := a.open(kernel.ModEvidence)
			if err != nil {
				return err
			}
			defer k.Close(a.ctx)
			list := []publicJSON{}
			for _, e := range publicKeys(k) {
				if role == "" || e.Role == abi.Role(role) {
					list = append(list, e)
				}
			}
			return a.emit(struct {
				Schema string       `json:"schema"`
				Keys   []publicJSON `json:"keys"`
			}{"forgeone.key.export/v1", list}, func(w io.Writer) {
				for _, e := range list {
					printn(w, e.Public)
					if e.Post != "" {
						printn(w, e.Post)
					}
				}
			})
		},
	}
	c.Flags().BoolVar(&public, "public", false, "print public keys (there is nothing else to print, and it must be said)")
	c.Flags().StringVar(&role, "role", "", "only keys of this role (default: all)")
	return c
}

// publicKeys are those of the log's terms and of the keyring.
func publicKeys(k *kernel.Kernel) (list []publicJSON) {
	terms := k.LogTerms()
	for i, t := range terms {
		if t.Post == nil {
			// Who gives an ML-DSA-44 key of before demands that it was not given up.
			for j := range list {
				list[j].Post = ""
			}
		}
		list = append(list, publicJSON{Role: roleLog, Public: t.Key.String(), Post: postText(t.Post), Term: &terms[i].Number, From: &terms[i].From, Current: i == len(terms)-1})
	}
	k.View(func(s *brain.State) {
		for _, e := range s.Keys() {
			j := keyOf(e.KeyAdd)
			list = append(list, publicJSON{Role: e.Role, Name: e.Name, Public: j.Public, Post: j.Post})
		}
	})
	return list
}

// keyFlag is --key of the commands that verify a log.
func keyFlag(c *cobra.Command, given *[]string) {
	c.Flags().StringArrayVar(given, "key", nil, "public key of the log, Ed25519 or ML-DSA-44, its text or a file of them; may be repeated (default: those of this node's log)")
}

// pins are the keys that log verify was given, or the present ones of this node's
// log.
func (a *app) pins(given []string) (pins keys.Publics, err error) {
	if len(given) == 0 {
		local, err := keys.Open(kernel.Home(a.homeDir()).Keys(), a.unlockFile())
		if err != nil {
			return pins, err
		}
		pins.Ed25519 = []evidence.PublicKey{local.Log.Public()}
		post, err := local.Vault.LoadPost(filepath.Join(kernel.Home(a.homeDir()).Keys(), keys.PostLogFile))
		switch {
		case err == nil:
			pins.Post = []evidence.PostPublicKey{post.Public()}
		case !errors.Is(err, fs.ErrNotExist):
			return pins, err
		}
		return pins, nil
	}
	for _, s := range given {
		more, e := keys.ParsePublics(s)
		if e != nil {
			if more, err = keys.LoadPublics(s); err != nil {
				return pins, noPublics(s, err)
			}
		}
		pins.Add(more)
	}
	return pins, nil
}

// postKey finds the private half of the ML-DSA-44 key of this node's log.
func (a *app) postKey(public evidence.PostPublicKey) (*evidence.PostPrivateKey, error) {
	return keys.NewVault(kernel.Home(a.homeDir()).Keys(), a.unlockFile()).LogPost(public)
}

// noPublics is err of the file s that should hold public keys. That s is missing
// is no reason to make a private key under that name.
func noPublics(s string, err error) error {
	if abi.CodeOf(err) != abi.CodeKeyMissing {
		return err
	}
	return &abi.Error{Code: abi.CodeKeyMissing, What: quote(s) + " is neither a public key nor a file of some", Hint: "forgeone key export --public --role log"}
}

// termLine says which key signs a log now.
func termLine(list []evidence.Term) string {
	t, also := list[len(list)-1], ""
	if t.Post != nil {
		also = ", post-quantum too"
	}
	return fmt.Sprintf("key: term %d since record %d%s", t.Number, t.From, also)
}
