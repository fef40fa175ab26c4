package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
)

func (a *app) witnessCompareCmd() *cobra.Command {
	var keys, wits []string
	var dir string
	c := &cobra.Command{
		Use:   "compare A B",
		Short: "Tell whether two checkpoints are of one history, offline",
		Long: `Compare two checkpoints of a log, as two parties hold them: files, or folders of
logs (the cosigned checkpoint there) or of exports. Each must be signed by the
log's key or by a witness that is named. Of the same size they are the same or
show a fork. Of two sizes they need the log, which is verified and must contain
both: the log or export in --log, else this node's.`,
		Example: "  forgeone log witness compare ours.note theirs.note\n  forgeone log witness compare --key node.pub --log copy/log a.note b.note",
		Args:    args(2, 2, "two checkpoints"),
		RunE: func(_ *cobra.Command, got []string) error {
			x := comparison{dir: dir}
			var err error
			if x.wits, err = witnessKeys(wits); err != nil {
				return err
			}
			if len(keys) > 0 || len(wits) == 0 { // this node's, if none is given
				pins, err := a.pins(keys)
				if err != nil {
					return err
				}
				x.keys, x.post = pins.Ed25519, pins.Post
			}
			for i, p := range got {
				if x.heads[i], err = x.load(p); err != nil {
					return err
				}
			}
			if x.dir == "" {
				x.dir = a.logDir(nil)
			}
			said, err := x.compare(a)
			if err != nil {
				return err
			}
			return a.emit(struct {
				Schema string    `json:"schema"`
				Origin string    `json:"origin"`
				Sizes  [2]uint64 `json:"sizes"`
				Found  string    `json:"found"`
			}{"forgeone.log.witness.compare/v1", x.heads[0].Origin, [2]uint64{x.heads[0].Size, x.heads[1].Size}, said}, func(w io.Writer) {
				printf(w, "%s: %d and %d records are %s\n", x.heads[0].Origin, x.heads[0].Size, x.heads[1].Size, said)
			})
		},
	}
	keyFlag(c, &keys)
	c.Flags().StringArrayVar(&wits, "witness", nil, "verifier key of a witness whose word counts too: its text or a file; may be repeated")
	c.Flags().StringVar(&dir, "log", "", "the log, or an export of it, to hold the two against (default: this node's)")
	return c
}

// comparison compares two heads of a log.
type comparison struct {
	keys  []evidence.PublicKey
	post  []evidence.PostPublicKey // of the log, in which the two must be
	wits  []evidence.NoteKey
	dir   string
	heads [2]*evidence.Checkpoint
}

// load reads a checkpoint that somebody known signed.
func (x *comparison) load(path string) (*evidence.Checkpoint, error) {
	file := path
	if i, err := os.Stat(path); err == nil && i.IsDir() {
		file = filepath.Join(path, evidence.CosignedFile)
		if _, err := os.Stat(file); err != nil {
			file = filepath.Join(path, "checkpoint")
		}
	}
	c, err := readCheckpoint(file)
	if err != nil {
		return nil, err
	}
	known := x.wits
	for _, k := range x.keys {
		known = append(known, evidence.NoteKey{Name: c.Origin, Type: evidence.SigLog, Key: k})
	}
	for _, k := range known {
		if _, ok, err := c.SignedBy(k); err != nil {
			return nil, err
		} else if ok {
			return c, nil
		}
	}
	return nil, &abi.Error{Code: "F1-LOG-049", What: "neither the log's key nor a witness that you named signed this checkpoint", Where: file, Hint: "forgeone log witness compare --key PUB --witness VKEY A B"}
}

// compare says how the two heads stand to each other.
func (x *comparison) compare(a *app) (string, error) {
	one, two := x.heads[0], x.heads[1]
	switch {
	case one.Origin != two.Origin:
		return "", &abi.Error{Code: evidence.CodeOrigin, What: "the two are of two logs, " + one.Origin + " and " + two.Origin}
	case one.Same(two):
		return "the same head", nil
	case one.Size == two.Size:
		return "", &abi.Error{
			Code: evidence.CodeForked, What: fmt.Sprintf("a fork: %s was shown with two roots over %d records, %s and %s", one.Origin, one.Size, one.Root.Hex(), two.Root.Hex()),
			Hint: "keep both files: with the log's signature on each they prove it to anybody",
		}
	}
	return x.against(a)
}

// against holds both heads against the log.
func (x *comparison) against(a *app) (string, error) {
	place, err := evidence.Look(x.dir)
	if err == nil && place == evidence.PlaceProof {
		err = errors.New("this is a proof of a record")
	}
	if err == nil && len(x.keys) == 0 {
		err = errors.New("no key of the log was given")
	}
	if err != nil {
		return "", &abi.Error{
			Code: "F1-LOG-048", What: "two checkpoints of two sizes can only be compared with the log at hand", Where: x.dir, Err: err,
			Hint: "forgeone log witness compare --key PUB --log DIR A B",
		}
	}
	verify := evidence.Verify
	if place == evidence.PlaceTiles {
		verify = evidence.VerifyTiles
	}
	// Of whom the log itself would want to be witnessed is another question.
	o := evidence.VerifyOptions{Heads: x.heads[:], Unwitnessed: true, Post: x.post}
	if _, err := verify(a.ctx, x.dir, x.keys, o); err != nil {
		return "", err
	}
	return "of one history", nil
}
