package cli

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/internal/kernel"
	"github.com/forgeone/forgeone/internal/keys"
	"github.com/forgeone/forgeone/internal/sys"
)

func (a *app) logExportCmd() *cobra.Command {
	var tiles string
	var given []string
	var seen bool
	c := &cobra.Command{
		Use:   "export --tiles DIR [--witnessed] [LOGDIR]",
		Short: "Export the log as files that other tools verify",
		Long: `Write the log of this node, or the one in LOGDIR, to DIR as C2SP tlog-tiles: its
checkpoint, its tiles, its records, and the key that verifies it in the file vkey.
The log is verified on the way. What DIR holds already stays: only what is new is
written, and DIR is refused if it holds the export of another log. Any web server
can publish DIR; forgeone log verify DIR checks it anywhere. With --witnessed the
export reaches as far as witnesses have vouched, and carries their signatures.`,
		Example: "  forgeone log export --tiles /srv/log\n  forgeone log verify --key log.pub /srv/log",
		Args:    args(0, 1, "at most one folder"),
		RunE: func(_ *cobra.Command, got []string) error {
			if tiles == "" {
				return usage("log export needs a folder to write to", "forgeone log export --tiles tiles")
			}
			pins, err := a.pins(given)
			if err != nil {
				return err
			}
			p := a.progress(false)
			o := evidence.ExportOptions{Progress: p.tell, Post: pins.Post, PostKey: a.postKey}
			if seen {
				if o.Checkpoint, err = cosignedNote(a.logDir(got)); err != nil {
					return err
				}
			}
			r, err := evidence.Export(a.ctx, a.logDir(got), tiles, pins.Ed25519, o)
			p.end()
			if err != nil {
				return err
			}
			return a.emit(struct {
				Schema  string `json:"schema"`
				Origin  string `json:"origin"`
				Tiles   string `json:"tiles"`
				Records uint64 `json:"records"`
				Before  uint64 `json:"before"`
				Files   uint64 `json:"files"`
				Root    string `json:"root"`
				Torn    uint64 `json:"torn"`
			}{"forgeone.log.export/v1", r.Origin, tiles, r.Records, r.Before, r.Files, r.Root.Hex(), r.Torn}, func(w io.Writer) {
				printf(w, "exported %d records of %s to %s: %d new, %d files written\nroot %s\n", r.Records, r.Origin, tiles, r.Records-r.Before, r.Files, r.Root.Hex())
				if r.Torn > 0 {
					printf(w, "%d bytes behind the last commit are no records: forgeone explain F1-LOG-004\n", r.Torn)
				}
			})
		},
	}
	c.Flags().StringVar(&tiles, "tiles", "", "folder to export to")
	c.Flags().BoolVar(&seen, "witnessed", false, "publish the newest checkpoint that witnesses cosigned, and the records up to it")
	keyFlag(c, &given)
	return c
}

func (a *app) logProveCmd() *cobra.Command {
	var out string
	var given []string
	var at uint64
	c := &cobra.Command{
		Use:   "prove N [DIR]",
		Short: "Make a proof that the log has a record",
		Long: `Make a C2SP tlog-proof of record N of this node's log, or of the log or export in
DIR: a small text that carries the record and shows, with the log's public key
alone, that the log has it at that place. Verify it with forgeone log verify.`,
		Example: "  forgeone log prove 3 --out start.tlog-proof\n  forgeone log verify --key log.pub start.tlog-proof",
		Args:    args(1, 2, "an index, and at most one folder"),
		RunE: func(_ *cobra.Command, got []string) error {
			n, err := strconv.ParseUint(got[0], 10, 63)
			if err != nil {
				return usage(quote(got[0])+" is no index", "forgeone log prove 0")
			}
			pins, err := a.pins(given)
			if err != nil {
				return err
			}
			p, proven, err := a.prove(a.logDir(got[1:]), n, at, pins)
			if err != nil {
				return err
			}
			text := p.Marshal()
			if out != "" {
				if err := sys.WriteFile(out, text, 0o644); err != nil {
					return &abi.Error{Code: "F1-CLI-002", What: "cannot write the proof", Where: out, Err: err}
				}
				text = nil
			}
			if a.format == "json" || out == "" {
				return a.emit(proofJSONOf(proven, p, out), func(w io.Writer) { _, _ = w.Write(text) })
			}
			return nil
		},
	}
	c.Flags().StringVar(&out, "out", "", "file for the proof (default: standard output)")
	keyFlag(c, &given)
	c.Flags().Uint64Var(&at, "at", 0, "prove it against the checkpoint over so many records (0: the newest)")
	return c
}

// prove proves record n of the log or export in dir. This node's own log may have
// its tiles made already.
func (a *app) prove(dir string, n, at uint64, pub keys.Publics) (*evidence.Proof, evidence.Proven, error) {
	place, err := evidence.Look(dir)
	if err != nil {
		return nil, evidence.Proven{}, err
	}
	if place == evidence.PlaceTiles {
		if at != 0 {
			return nil, evidence.Proven{}, usage("an export has its newest checkpoint only: --at needs the log", "forgeone log prove "+strconv.FormatUint(n, 10)+" "+abi.Shell(dir))
		}
		return evidence.ProveFromTiles(dir, n, pub.Ed25519, evidence.VerifyOptions{Post: pub.Post})
	}
	home, tiles := kernel.Home(a.homeDir()), ""
	if dir == home.Log() {
		if _, err := os.Stat(filepath.Join(home.Tiles(), "checkpoint")); err == nil {
			tiles = home.Tiles()
		}
	}
	p := a.progress(false)
	defer p.end()
	return evidence.Prove(a.ctx, dir, tiles, n, pub.Ed25519, evidence.ProveOptions{At: at, Progress: p.tell, Post: pub.Post, PostKey: a.postKey})
}

type proofJSON struct {
	Schema    string   `json:"schema"`
	Verified  bool     `json:"verified"`
	Origin    string   `json:"origin"`
	Index     uint64   `json:"index"`
	Records   uint64   `json:"records"`
	Root      string   `json:"root"`
	Hashes    []string `json:"hashes"`
	Witnessed bool     `json:"witnessed"`
	File      string   `json:"file,omitempty"`
	Proof     string   `json:"proof"`
	Record    any      `json:"record"`
}

func proofJSONOf(p evidence.Proven, raw *evidence.Proof, file string) proofJSON {
	hashes := []string{}
	for _, h := range raw.Hashes {
		hashes = append(hashes, h.Hex())
	}
	return proofJSON{"forgeone.log.proof/v1", true, p.Origin, p.Index, p.Records, p.Root.Hex(), hashes, p.Witnessed.Yes(), file, string(raw.Marshal()), recordOf(p.Index, p.Record)}
}

// maxProofFile bounds what is read of a file that may be a proof.
const maxProofFile = 1 << 20

// verifyProof verifies the proof in the file path.
func (a *app) verifyProof(path string, pins []evidence.PublicKey, o evidence.VerifyOptions) error {
	b, err := sys.ReadRegular(path, maxProofFile)
	if err != nil {
		return &abi.Error{Code: "F1-CLI-002", What: "cannot read the proof", Where: path, Err: err}
	}
	raw, err := evidence.ParseProof(b)
	var p evidence.Proven
	if err == nil {
		p, err = raw.Verify(pins, o)
	}
	if err != nil {
		var e *abi.Error
		if errors.As(err, &e) && e.Where == "" {
			e.Where = path
			if e.Code == evidence.CodeSignature { // one of a term that is over, perhaps
				e.Hint = "forgeone key export --public --role log > log.pub && forgeone log verify --key log.pub " + abi.Shell(path)
			}
		}
		return err
	}
	return a.emit(proofJSONOf(p, raw, path), func(w io.Writer) {
		j := recordOf(p.Index, p.Record)
		printf(w, "verified: record %d of %s, in a tree of %d records\nroot %s\n%s\nkind %s\ntime %s\n", p.Index, p.Origin, p.Records, p.Root.Hex(), &p.Witnessed, j.Kind, j.Time)
		fields(w, j.Body)
	})
}
