package cli

import (
	"io"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/config"
	"github.com/forgeone/forgeone/internal/kernel"
	"github.com/forgeone/forgeone/internal/keys"
	"github.com/forgeone/forgeone/internal/sys"
	"github.com/forgeone/forgeone/internal/wasm"
)

func (a *app) initCmd() *cobra.Command {
	var file string
	var protect keys.Protection
	c := &cobra.Command{
		Use:   "init [--config FILE]",
		Short: "Make the state folder, or put another configuration in force",
		Long: `Make the state folder: keys (0600), signed configuration, base policy, evidence
log. It may be repeated: what is there stays. With --config the text in FILE is
checked, signed with the node's key, and put in force. With --passphrase-file or
--age-recipient the private keys of a new folder are encrypted from the first
moment; later, "key protect" does that.`,
		Args: args(0, 0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			var text []byte
			if file != "" {
				b, err := sys.ReadRegular(file, config.MaxSize)
				if err != nil {
					return &abi.Error{Code: "F1-CLI-002", What: "the configuration can't be read", Where: file, Err: err}
				}
				text = b
			}
			r, err := kernel.Init(a.ctx, kernel.InitOptions{Home: a.homeDir(), File: file, Text: text, Unlock: a.unlockFile(), Protect: protect})
			if err != nil {
				return err
			}
			return a.emit(struct {
				Schema string `json:"schema"`
				Home   string `json:"home"`
				Made   bool   `json:"made"`
				Key    string `json:"node_key"`
				LogKey string `json:"log_key"`
				Origin string `json:"origin"`
			}{"forgeone.init/v1", string(r.Home), r.Made, r.NodeKey.String(), r.LogKey.String(), r.Origin}, func(w io.Writer) {
				if r.Made {
					printf(w, "made %s\n", r.Home)
				} else {
					printf(w, "%s is there already and whole\n", r.Home)
				}
				printf(w, "node key %s\nlog key  %s\nlog      %s\n", r.NodeKey, r.LogKey, r.Origin)
			})
		},
	}
	c.Flags().StringVar(&file, "config", "", "configuration to sign and put in force")
	protectFlags(c, &protect)
	return c
}

func (a *app) configCmd() *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "The signed configuration", Args: args(0, 0, "a subcommand"), RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(&cobra.Command{
		Use: "show", Short: "Show the configuration in force", Args: args(0, 0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			k, err := a.open(kernel.ModEvidence)
			if err != nil {
				return err
			}
			defer k.Close(a.ctx)
			cfg := k.Config()
			return a.emit(struct {
				Schema string     `json:"schema"`
				Digest string     `json:"digest"`
				Bare   bool       `json:"bare_modules"`
				Quorum int        `json:"quorum"`
				Limits abi.Limits `json:"limits"`
				Text   string     `json:"text"`
			}{"forgeone.config/v1", cfg.Digest().Hex(), cfg.BareModules(), cfg.Quorum(), cfg.Limits(), string(cfg.Text())}, func(w io.Writer) {
				printf(w, "# digest %s, signed and in force\n%s", cfg.Digest().Hex(), block(cfg.Text()))
			})
		},
	})
	return c
}

func (a *app) doctorCmd() *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Say what is wrong here and how to mend it", Args: args(0, 0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			checks := kernel.Doctor(a.ctx, a.homeDir(), a.unlockFile())
			for _, c := range checks {
				if !c.OK {
					a.exit = exitNo
				}
			}
			return a.emit(struct {
				Schema string         `json:"schema"`
				Home   string         `json:"home"`
				Checks []kernel.Check `json:"checks"`
			}{"forgeone.doctor/v1", a.homeDir(), checks}, func(w io.Writer) {
				for _, c := range checks {
					mark := "ok  "
					if !c.OK {
						mark = "FAIL"
					}
					printf(w, "%s %-12s %s\n", mark, c.Name, c.Found)
					if c.Hint != "" {
						printf(w, "     hint: %s\n", c.Hint)
					}
				}
			})
		},
	}
}

func (a *app) versionCmd() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Show the version", Args: args(0, 0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			return a.emit(struct {
				Schema   string `json:"schema"`
				Version  string `json:"version"`
				Engine   string `json:"engine"`
				Go       string `json:"go"`
				Platform string `json:"platform"`
			}{"forgeone.version/v1", kernel.Version, wasm.Native().ID(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}, func(w io.Writer) {
				printf(w, "forgeone %s (%s, %s, %s/%s)\n", kernel.Version, wasm.Native().ID(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			})
		},
	}
}
