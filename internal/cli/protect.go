package cli

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/kernel"
	"github.com/forgeone/forgeone/internal/keys"
)

// protectFlags are the flags that say with what keys are encrypted.
func protectFlags(c *cobra.Command, p *keys.Protection) {
	c.Flags().StringVar(&p.Passphrase, "passphrase-file", "", "encrypt the private keys with the passphrase in the first line of this file (0600)")
	c.Flags().StringVar(&p.Recipient, "age-recipient", "", "encrypt the private keys to this age recipient (age1…)")
}

type protectedJSON struct {
	Schema    string `json:"schema"`
	Home      string `json:"home"`
	Protected bool   `json:"protected"`
}

func (a *app) keyProtectCmd() *cobra.Command {
	var p keys.Protection
	c := &cobra.Command{
		Use:   "protect --passphrase-file FILE | --age-recipient R",
		Short: "Encrypt this node's private keys",
		Long: `Encrypt this node's private keys, with age. From then on every command that needs
them is told by --unlock FILE, or $FORGEONE_UNLOCK, which file holds the passphrase
or the age identity. If they are encrypted already, --unlock FILE opens them, and
the new passphrase or recipient takes the place of the old one.

The command may be interrupted and repeated. What lay in the clear is overwritten
as far as the file system writes in place: a copy or snapshot of the disk that was
made before still holds it. If in doubt, replace the keys.`,
		Example: "  forgeone key protect --passphrase-file /run/secrets/forgeone\n  export FORGEONE_UNLOCK=/run/secrets/forgeone",
		Args:    args(0, 0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			if (p.Passphrase == "") == (p.Recipient == "") {
				return usage("key protect needs --passphrase-file or --age-recipient, one of the two", "forgeone key protect --passphrase-file FILE")
			}
			if err := kernel.Protect(a.homeDir(), a.unlockFile(), p); err != nil {
				return err
			}
			return a.emit(protectedJSON{"forgeone.key.protect/v1", a.homeDir(), true}, func(w io.Writer) {
				printn(w, "the private keys are encrypted")
				if p.Passphrase != "" {
					printf(w, "next: export FORGEONE_UNLOCK=%s\n", abi.Shell(p.Passphrase))
				}
			})
		},
	}
	protectFlags(c, &p)
	return c
}

func (a *app) keyUnprotectCmd() *cobra.Command {
	return &cobra.Command{
		Use: "unprotect", Short: "Put this node's private keys in the clear again", Args: args(0, 0, "no arguments"),
		Example: "  forgeone key unprotect --unlock /run/secrets/forgeone",
		RunE: func(*cobra.Command, []string) error {
			if err := kernel.Unprotect(a.homeDir(), a.unlockFile()); err != nil {
				return err
			}
			return a.emit(protectedJSON{"forgeone.key.protect/v1", a.homeDir(), false}, func(w io.Writer) {
				printn(w, "the private keys lie in the clear, in files that only their owner may read")
			})
		},
	}
}
