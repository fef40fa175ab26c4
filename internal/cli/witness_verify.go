package cli

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/internal/sys"
)

// witnessed are the flags by which a verification asks for witnesses.
type witnessed struct {
	keys     []string
	heads    []string
	quorum   uint64
	cosigned string
	maxAge   time.Duration
}

func (w *witnessed) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringArrayVar(&w.keys, "witness", nil, "verifier key of a witness that must vouch: its text or a file; may be repeated (default: those that the log itself names)")
	f.Uint64Var(&w.quorum, "quorum", 0, "how many of the --witness must vouch (0: all)")
	f.DurationVar(&w.maxAge, "max-age", 0, "how old their cosignatures may be (0: as they are)")
	f.StringVar(&w.cosigned, "cosigned", "", "file of the cosigned checkpoint (default: the one beside the log)")
	f.StringArrayVar(&w.heads, "head", nil, "file of a checkpoint that you kept, and that the log must contain; may be repeated")
}

// fill adds to o what the flags ask for.
func (w *witnessed) fill(o *evidence.VerifyOptions) (err error) {
	o.Witnesses, err = witnessKeys(w.keys)
	if err != nil {
		return err
	}
	o.Quorum = w.quorum
	if w.maxAge < 0 {
		return usage("--max-age "+w.maxAge.String()+" lies ahead", "--max-age 24h")
	}
	if w.maxAge > 0 {
		o.Since = time.Now().Add(-w.maxAge)
	}
	if w.cosigned != "" {
		if o.Cosigned, err = readCheckpoint(w.cosigned); err != nil {
			return err
		}
	}
	for _, h := range w.heads {
		c, err := readCheckpoint(h)
		if err != nil {
			return err
		}
		o.Heads = append(o.Heads, c)
	}
	return nil
}

func witnessKeys(texts []string) (keys []evidence.NoteKey, err error) {
	for _, s := range texts {
		k, err := witnessKey(s)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}

func readCheckpoint(path string) (*evidence.Checkpoint, error) {
	b, err := sys.ReadRegular(path, evidence.MaxCheckpoint)
	if err != nil {
		return nil, &abi.Error{Code: "F1-CLI-002", What: "cannot read the checkpoint", Where: path, Err: err}
	}
	c, err := evidence.ParseCheckpoint(b)
	var e *abi.Error
	if errors.As(err, &e) {
		e.Where = path
	}
	return c, err
}

// witnessedJSON is what witnesses say of a log.
type witnessedJSON struct {
	State  evidence.WitnessState `json:"state"`
	Size   uint64                `json:"size"`
	Quorum uint64                `json:"quorum"`
	Of     int                   `json:"of"`
	By     []cosignerJSON        `json:"by"`
}

type cosignerJSON struct {
	Name string    `json:"name"`
	Time time.Time `json:"time"`
}

func witnessedOf(w *evidence.Witnessed) witnessedJSON {
	j := witnessedJSON{w.State, w.Size, w.Quorum, w.Of, []cosignerJSON{}}
	for _, c := range w.By {
		j.By = append(j.By, cosignerJSON(c))
	}
	return j
}

// cosignedNote is the newest cosigned checkpoint of the log in dir.
func cosignedNote(dir string) ([]byte, error) {
	c, err := evidence.ReadCosigned(dir)
	if err != nil {
		return nil, err
	}
	if c == nil {
		return nil, &abi.Error{Code: evidence.CodeQuorum, What: "no checkpoint of this log is cosigned", Where: dir, Hint: "forgeone log witness sync"}
	}
	return c.Bytes(), nil
}
