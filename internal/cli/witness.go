package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/kernel"
	"github.com/forgeone/forgeone/internal/witness"
)

func (a *app) witnessCmd() *cobra.Command {
	c := &cobra.Command{
		Use: "witness", Short: "Have the log cosigned by witnesses, and be one",
		Long: `A witness (C2SP tlog-witness) remembers the newest head of a log that it saw and
cosigns a newer one only with a proof that it begins with the old one. With the
cosignatures of witnesses that the log's owner does not control, an older log
put back, records cut off, and two histories shown to two parties are found out.`,
		Args: args(0, 0, "a subcommand"), RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.witnessServeCmd(), a.witnessAddCmd(), a.witnessRemoveCmd(), a.witnessQuorumCmd(), a.witnessListCmd(), a.witnessSyncCmd(), a.witnessCompareCmd())
	return c
}

func (a *app) witnessServeCmd() *cobra.Command {
	var listen, dir, name string
	var logs []string
	c := &cobra.Command{
		Use:   "serve --listen ADDR --dir DIR [--name NAME] [--log VKEY]...",
		Short: "Be a witness for other logs",
		Long: `Serve a witness on ADDR until interrupted. DIR holds its key, which is made at
the first start, and what it remembers; the verifier key is printed: it and the
address are what a log's owner needs. The logs it knows are lines of verifier
keys in DIR/logs, read anew at each request, and those named here.
The protocol has no secrets: put a TLS proxy in front where others listen.`,
		Example: "  forgeone log witness serve --listen 127.0.0.1:8090 --dir witness --name w.example.org --log node.vkey",
		Args:    args(0, 0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			if listen == "" || dir == "" {
				return usage("a witness needs an address and a folder", "forgeone log witness serve --listen 127.0.0.1:8090 --dir witness")
			}
			o := witness.Options{Dir: dir, Name: name, Tell: func(s string) {
				printf(a.stderr, "%s %s\n", time.Now().UTC().Format(time.RFC3339), s)
			}}
			for _, l := range logs {
				found, err := logKeys(l)
				if err != nil {
					return err
				}
				o.Logs = append(o.Logs, found...)
			}
			w, err := witness.Open(o)
			if err != nil {
				return err
			}
			defer w.Close()
			l, err := witness.Listen(a.ctx, listen)
			if err != nil {
				return err
			}
			err = a.emit(struct {
				Schema  string `json:"schema"`
				Vkey    string `json:"vkey"`
				Address string `json:"address"`
			}{"forgeone.log.witness.serve/v1", w.Key().String(), witness.Address(l)}, func(out io.Writer) { printn(out, w.Key()) })
			if err != nil {
				return err
			}
			printf(a.stderr, "forgeone: witness %s on %s\n", w.Key().Name, witness.Address(l))
			return w.Serve(a.ctx, l)
		},
	}
	c.Flags().StringVar(&listen, "listen", "", "address to listen on, host:port; port 0 is any that is free, and stands in DIR/address")
	c.Flags().StringVar(&dir, "dir", "", "the witness's folder")
	c.Flags().StringVar(&name, "name", "", "the witness's name, one word; it stays (default: made from its key)")
	c.Flags().StringArrayVar(&logs, "log", nil, "verifier key of a log it knows, or a file of such lines; may be repeated")
	return c
}

// logKeys reads a log's verifier key, or a file of them.
func logKeys(s string) ([]evidence.NoteKey, error) {
	if k, err := evidence.ParseNoteKey(s); err == nil && k.Type == evidence.SigLog {
		return []evidence.NoteKey{k}, nil
	}
	return witness.ReadLogs(s)
}

// witnessKey reads a witness's verifier key: its text, or a file.
func witnessKey(s string) (evidence.NoteKey, error) {
	k, err := evidence.ParseNoteKey(s)
	if err != nil {
		b, e := os.ReadFile(s)
		if e != nil {
			return k, err
		}
		if k, err = evidence.ParseNoteKey(string(b)); err != nil {
			return k, err
		}
	}
	if k.Type != evidence.SigWitness {
		return k, &abi.Error{Code: evidence.CodeNoteKey, What: "this is the verifier key of a log, not of a witness", Where: k.Name}
	}
	return k, nil
}

// changed is what a change of the witnesses answers.
type changed struct {
	Schema string `json:"schema"`
	Name   string `json:"name,omitempty"`
	Quorum uint64 `json:"quorum,omitempty"`
}

func (a *app) witnessAddCmd() *cobra.Command {
	var draft string
	c := &cobra.Command{
		Use: "add VKEY URL", Short: "Have this node's log cosigned by a witness",
		Long: `Add a witness: its verifier key (the text, or a file) and the address it is asked
at. A witness of the same name is replaced. Nothing is asked yet: that is
log witness sync. How many must vouch is log witness quorum.`,
		Example: "  forgeone log witness add w.example.org+1f2e3d4c+BAAA… https://w.example.org",
		Args:    args(2, 2, "a verifier key and an address"),
		RunE: func(_ *cobra.Command, got []string) error {
			key, err := witnessKey(got[0])
			if err == nil {
				err = witness.CheckURL(got[1])
			}
			if err != nil {
				return err
			}
			return a.act(draft, func(k *kernel.Kernel) kernel.Change { return k.AddWitness(key, got[1]) },
				changed{Schema: "forgeone.log.witness.added/v1", Name: key.Name}, "added "+key.Name)
		},
	}
	draftFlag(c, &draft)
	return c
}

func (a *app) witnessRemoveCmd() *cobra.Command {
	var draft string
	c := &cobra.Command{
		Use: "remove NAME", Short: "Ask a witness no more", Args: args(1, 1, "a witness's name"),
		RunE: func(_ *cobra.Command, got []string) error {
			err := a.act(draft, func(k *kernel.Kernel) kernel.Change { return k.RemoveWitness(got[0]) },
				changed{Schema: "forgeone.log.witness.removed/v1", Name: got[0]}, "removed "+got[0])
			if err != nil || draft != "" {
				return err
			}
			return witness.Forget(a.ctx, a.logDir(nil), got[0])
		},
	}
	draftFlag(c, &draft)
	return c
}

func (a *app) witnessQuorumCmd() *cobra.Command {
	var draft string
	c := &cobra.Command{
		Use: "quorum N", Short: "Say how many witnesses must vouch for the log", Args: args(1, 1, "a number"),
		RunE: func(_ *cobra.Command, got []string) error {
			n, err := strconv.ParseUint(got[0], 10, 64)
			if err != nil {
				return usage(quote(got[0])+" is no number of witnesses", "forgeone log witness quorum 1")
			}
			return a.act(draft, func(k *kernel.Kernel) kernel.Change { return k.WitnessQuorum(n) },
				changed{Schema: "forgeone.log.witness.quorum/v1", Quorum: n}, fmt.Sprintf("%d witness(es) must vouch for the log", n))
		},
	}
	draftFlag(c, &draft)
	return c
}

type witnessJSON struct {
	Name  string     `json:"name"`
	Key   string     `json:"key"`
	URL   string     `json:"url"`
	Saw   uint64     `json:"saw"`            // records, as far as is known here
	Since *time.Time `json:"time,omitempty"` // of its cosignature on the kept checkpoint
}

func (a *app) witnessListCmd() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the witnesses, and what they have seen", Args: args(0, 0, "no arguments"),
		Long: `List the witnesses of this node's log, what each has seen, and what follows for
the log; also the log's verifier key, which a witness's owner needs.`,
		RunE: func(*cobra.Command, []string) error {
			k, err := a.open(kernel.ModEvidence)
			if err != nil {
				return err
			}
			defer k.Close(a.ctx)
			var set abi.WitnessSet
			k.View(func(s *brain.State) { set = s.Witnesses() })
			return a.listWitnesses(k, set)
		},
	}
}

func (a *app) listWitnesses(k *kernel.Kernel, set abi.WitnessSet) error {
	head, err := k.LogHead()
	if err != nil {
		return err
	}
	seen, damaged := witness.Look(a.logDir(nil), head.Size, set)
	if seen.State == "" {
		return damaged
	}
	list := []witnessJSON{}
	for _, p := range seen.Peers {
		j := witnessJSON{Name: p.Key.Name, Key: p.Key.String(), URL: p.URL, Saw: p.Seen}
		for _, c := range seen.By {
			if c.Name == j.Name {
				j.Since = &c.Time
			}
		}
		list = append(list, j)
	}
	vkey := evidence.VerifierKey(head.Origin, k.LogKey())
	err = a.emit(struct {
		Schema    string        `json:"schema"`
		Log       string        `json:"log"`
		Quorum    uint64        `json:"quorum"`
		State     string        `json:"state"`
		Size      uint64        `json:"size"`
		Records   uint64        `json:"records"`
		Witnesses []witnessJSON `json:"witnesses"`
	}{"forgeone.log.witnesses/v1", vkey, set.Quorum, string(seen.State), seen.Size, seen.Records, list}, func(w io.Writer) {
		printf(w, "log %s\n", vkey)
		if len(list) > 0 {
			printf(w, "quorum %d of %d\n", set.Quorum, len(list))
			t := table(w, "NAME", "SAW", "TIME", "ADDRESS")
			for _, j := range list {
				at := "-"
				if j.Since != nil {
					at = j.Since.Format(time.RFC3339)
				}
				t.row(j.Name, strconv.FormatUint(j.Saw, 10), at, j.URL)
			}
			t.Flush()
		}
		printn(w, seen.String())
	})
	return errors.Join(err, damaged)
}
