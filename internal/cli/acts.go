package cli

import (
	"encoding/base64"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/kernel"
	"github.com/forgeone/forgeone/internal/keys"
	"github.com/forgeone/forgeone/internal/seal"
)

// draftFlag is the flag of every command that is an operator's act.
func draftFlag(c *cobra.Command, draft *string) {
	c.Flags().StringVar(draft, "draft", "", "write the act to this file, to be signed by others, instead of making it")
}

// act makes a change of this node, and emits done as JSON or said as text; or
// writes it as a draft, if draft names a file.
func (a *app) act(draft string, change func(*kernel.Kernel) kernel.Change, done any, said string) error {
	k, err := a.open(kernel.ModEvidence)
	if err != nil {
		return err
	}
	defer k.Close(a.ctx)
	if draft != "" {
		return a.writeDraft(k, draft, change(k))
	}
	if _, err := k.Act(a.ctx, change(k)); err != nil {
		return err
	}
	return a.emit(done, func(w io.Writer) { printn(w, said) })
}

func (a *app) writeDraft(k *kernel.Kernel, file string, change kernel.Change) error {
	if _, err := os.Lstat(file); err == nil { // it may hold signatures
		return &abi.Error{Code: "F1-KEY-048", What: "the file is there already, and a draft is not overwritten", Where: file, Hint: "--draft " + abi.Shell(file+".new")}
	}
	d, err := k.Draft(change)
	if err != nil {
		return err
	}
	if err := d.Write(file); err != nil {
		return err
	}
	return a.emit(draftOf(file, d), func(w io.Writer) {
		words(w, d)
		printf(w, "not made: the draft is in %s\nnext: forgeone key sign %s --key OPERATOR.key\n", file, abi.Shell(file))
	})
}

type draftJSON struct {
	Schema string   `json:"schema"`
	File   string   `json:"file"`
	Origin string   `json:"origin"`
	Ring   uint64   `json:"ring"`
	Kind   string   `json:"kind"`
	Body   any      `json:"body"`
	Signed []string `json:"signed"` // key ids
	Record *uint64  `json:"record,omitempty"`
}

func draftOf(file string, d *kernel.Draft) draftJSON {
	j := draftJSON{"forgeone.draft/v1", file, d.Origin, d.Act().Ring, abi.KindOf(d.Body).String(), d.Body, []string{}, nil}
	for _, s := range d.Act().Sigs {
		j.Signed = append(j.Signed, s.Key.Hex())
	}
	return j
}

// words says what a draft is about, before anybody signs it. Its texts are
// quoted: whoever made it may not be a friend.
func words(w io.Writer, d *kernel.Draft) {
	printf(w, "an operator's act on the log of %q, for version %d of its keyring:\n", d.Origin, d.Act().Ring)
	switch b := d.Body.(type) {
	case *abi.KeyAdd:
		printf(w, "  add the key %q as %q\n  id %s\n  public key (%q) %s\n", b.Name, b.Role, b.ID.Hex(), b.Alg, base64.StdEncoding.EncodeToString(b.Public))
		if len(b.Post) > 0 {
			printf(w, "  together with the post-quantum key %s\n", seal.KeyID(seal.MLDSA44, b.Post).Hex())
		}
		if b.ID != seal.KeyID(b.Alg, b.Public) {
			printn(w, "  NOTE: the id is not this key's; no log will take it")
		}
	case *abi.KeyRemove:
		printf(w, "  remove the key %s\n", b.ID.Hex())
	case *abi.KeyRevoke:
		printf(w, "  revoke the key %s for good, because: %q\n", b.ID.Hex(), b.Reason)
	case *abi.KeyThreshold:
		printf(w, "  from then on %d operator(s) must sign an act\n", b.Threshold)
	case *abi.WitnessSet:
		printf(w, "  want the cosignatures of %d of these %d witness(es):\n", b.Quorum, len(b.Witnesses))
		for _, x := range b.Witnesses {
			printf(w, "  %q at %q\n", x.Key, x.URL)
		}
	case *abi.Downgrade:
		printf(w, "  let the package %q go back from serial %d to %d\n", b.Name, b.From, b.Serial)
	case *abi.HoldEnd:
		printf(w, "  end the hold on the run %q: its recording may be dropped\n", b.Run)
	}
	for _, s := range d.Act().Sigs {
		printf(w, "signature by key %s (checked when it is applied)\n", s.Key.Hex())
	}
}

func (a *app) keySignCmd() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use: "sign DRAFT [--key FILE]", Short: "Sign the draft of an operator's act", Args: args(1, 1, "the file of a draft"),
		Long: `Say what the draft of an operator's act is about, and sign it with the private
key in FILE, else with this node's operator.key. No state folder is needed to
sign with FILE.`,
		Example: "  forgeone key sign change.act --key op2.key",
		RunE: func(_ *cobra.Command, got []string) error {
			d, err := kernel.ReadDraft(got[0])
			if err != nil {
				return err
			}
			if a.format == "text" {
				words(a.stdout, d)
			}
			key, err := a.signingKey(file)
			if err != nil {
				return err
			}
			if err := d.Sign(key); err != nil {
				return err
			}
			if err := d.Write(got[0]); err != nil {
				return err
			}
			return a.emit(draftOf(got[0], d), func(w io.Writer) {
				printf(w, "signed by key %s: %d signature(s) in %s\n", key.Public().ID().Hex(), len(d.Act().Sigs), got[0])
			})
		},
	}
	c.Flags().StringVar(&file, "key", "", "file of the operator's private key (default: this node's operator.key)")
	return c
}

// signingKey is the key in file, else this node's operator's.
func (a *app) signingKey(file string) (*seal.PrivateKey, error) {
	if file != "" {
		return keys.Load(file, a.unlockFile())
	}
	local, err := keys.Open(kernel.Home(a.homeDir()).Keys(), a.unlockFile())
	if err != nil {
		return nil, err
	}
	if local.Operator == nil {
		return nil, &abi.Error{Code: abi.CodeKeyMissing, What: "this node holds no operator's key", Where: kernel.Home(a.homeDir()).Keys(), Hint: "--key OPERATOR.key"}
	}
	return local.Operator, nil
}

func (a *app) keyApplyCmd() *cobra.Command {
	return &cobra.Command{
		Use: "apply DRAFT", Short: "Make an operator's act that enough operators have signed", Args: args(1, 1, "the file of a draft"),
		Example: "  forgeone key apply change.act",
		RunE: func(_ *cobra.Command, got []string) error {
			d, err := kernel.ReadDraft(got[0])
			if err != nil {
				return err
			}
			k, err := a.open(kernel.ModEvidence)
			if err != nil {
				return err
			}
			defer k.Close(a.ctx)
			index, err := k.Apply(a.ctx, d)
			if err != nil {
				return err
			}
			j := draftOf(got[0], d)
			j.Record = &index
			return a.emit(j, func(w io.Writer) {
				words(w, d)
				printf(w, "made: record %d\n", index)
			})
		},
	}
}
