package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/internal/kernel"
)

func (a *app) logCmd() *cobra.Command {
	c := &cobra.Command{Use: "log", Short: "The evidence log", Args: args(0, 0, "a subcommand"), RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(a.logVerifyCmd(), a.logListCmd(), a.logShowCmd(), a.logExportCmd(), a.logServeCmd(), a.logProveCmd(), a.witnessCmd())
	return c
}

// logDir is the folder that a log command is about.
func (a *app) logDir(got []string) string {
	if len(got) > 0 {
		return got[0]
	}
	return kernel.Home(a.homeDir()).Log()
}

func (a *app) logVerifyCmd() *cobra.Command {
	var given []string
	var sem semantics
	var seen witnessed
	var progress bool
	c := &cobra.Command{
		Use:   "verify [--key PUB]... [PATH]",
		Short: "Verify the evidence log, an export of it, or a proof, offline",
		Long: `Verify the log of this node, or what PATH is: the folder of a log, in use or a copy;
an export of one (see forgeone log export); or the file of a proof (see forgeone
log prove). Every byte is checked, the tree, the seals, every signature, and how
each key of the log handed over to the next. PUB is a public key's text, or a file
with one a line; without --key it is the present key of this node's log. Each key
given must be one of the log's: keys found in PATH prove nothing.

The first key of a log vouches for all that follow, but not against a thief of an
old key, who can make another log from that key's term on. The newest one shows
that, but by itself not that its owner made up the past. Give all that you know
('forgeone key export --public --role log' prints them). With an ML-DSA-44 key of
the log's among them, an export or a proof counts only with such a signature.

Nobody but a witness can tell that an older log was put back or that another was
shown to others. With --witness their cosignatures are demanded; without it
those of the witnesses that the log itself names, if it asks for a quorum.`,
		Example: "  forgeone log verify\n  forgeone log verify --key first.pub --key newest.pub /mnt/copy/log\n  forgeone log verify --key log.pub start.tlog-proof",
		Args:    args(0, 1, "at most one path"),
		RunE: func(_ *cobra.Command, got []string) error {
			pins, err := a.pins(given)
			if err != nil {
				return err
			}
			path, o := a.logDir(got), evidence.VerifyOptions{Each: sem.each(), Post: pins.Post}
			if err := seen.fill(&o); err != nil {
				return err
			}
			place, err := evidence.Look(path)
			if err != nil {
				return err
			}
			if place == evidence.PlaceProof {
				return a.verifyProof(path, pins.Ed25519, o)
			}
			p := a.progress(progress)
			o.Progress = p.tell
			verify, what := evidence.Verify, ""
			if place == evidence.PlaceTiles {
				verify, what = evidence.VerifyTiles, " of an export"
			}
			r, err := verify(a.ctx, path, pins.Ed25519, o)
			p.end()
			if err != nil {
				return err
			}
			return a.emit(struct {
				Schema    string        `json:"schema"`
				Verified  bool          `json:"verified"`
				Export    bool          `json:"export"`
				Origin    string        `json:"origin"`
				Records   uint64        `json:"records"`
				Segments  int           `json:"segments"`
				Bytes     int64         `json:"bytes"`
				Root      string        `json:"root"`
				Witnessed bool          `json:"witnessed"`
				Terms     []termJSON    `json:"terms"`
				Semantics bool          `json:"semantics"`
				Witness   witnessedJSON `json:"witness"`
			}{"forgeone.log.verify/v1", true, place == evidence.PlaceTiles, r.Origin, r.Records, int(r.Segments), int64(r.Bytes), r.Root.Hex(), r.Witnessed.Yes(), termsOf(r.Terms), sem.on, witnessedOf(&r.Witnessed)}, func(w io.Writer) {
				if place == evidence.PlaceLog {
					what = fmt.Sprintf(", %d segment(s)", r.Segments)
				}
				printf(w, "verified: %d records%s, of %s\nroot %s\n%s\n%s\n", r.Records, what, r.Origin, r.Root.Hex(), termLine(r.Terms), &r.Witnessed)
				sem.print(w)
			})
		},
	}
	sem.flag(c)
	seen.flags(c)
	keyFlag(c, &given)
	c.Flags().BoolVar(&progress, "progress", false, "tell on standard error how far it is, also where that is no terminal")
	return c
}

type recordJSON struct {
	Index uint64 `json:"index"`
	Kind  string `json:"kind"`
	Time  string `json:"time"`
	Body  any    `json:"body"`
}

func recordOf(i uint64, r abi.Record) recordJSON {
	return recordJSON{i, r.Kind.String(), time.Unix(0, r.Time).UTC().Format(time.RFC3339Nano), r.Body}
}

// errEnough stops a reading of the log.
var errEnough = errors.New("enough")

// reader returns what reads the records of the log or export in dir.
func reader(dir string) func(string, uint64, func(uint64, abi.Record) error) error {
	if place, err := evidence.Look(dir); err == nil && place == evidence.PlaceTiles {
		return evidence.ReadTiles
	}
	return evidence.Read // and says what is wrong, if it is none
}

// read calls each with at most limit records from index from on; 0: all.
func read(dir string, from uint64, limit uint, each func(recordJSON) error) error {
	n := uint(0)
	err := reader(dir)(dir, from, func(i uint64, r abi.Record) error {
		if limit > 0 && n == limit {
			return errEnough
		}
		n++
		return each(recordOf(i, r))
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

func (a *app) logListCmd() *cobra.Command {
	var from uint64
	var limit uint
	c := &cobra.Command{
		Use: "list [DIR]", Short: "List the log's records", Args: args(0, 1, "at most one folder"),
		RunE: func(_ *cobra.Command, got []string) error {
			if a.format == "json" {
				head := struct {
					Schema string `json:"schema"`
				}{"forgeone.log/v1"}
				return stream(a.stdout, head, "records", func(emit func(any) error) error {
					return read(a.logDir(got), from, limit, func(r recordJSON) error { return emit(r) })
				})
			}
			w := bufio.NewWriterSize(a.stdout, 64<<10)
			printf(w, "%-8s %-20s %-18s %s\n", "INDEX", "TIME", "KIND", "WHAT")
			err := read(a.logDir(got), from, limit, func(r recordJSON) error {
				err := printf(w, "%-8d %-20s %-18s %s\n", r.Index, r.Time[:19]+"Z", r.Kind, gist(r.Body))
				return err
			})
			if err != nil {
				return err
			}
			return w.Flush()
		},
	}
	c.Flags().Uint64Var(&from, "from", 0, "first index")
	c.Flags().UintVar(&limit, "limit", 0, "at most so many records (0: all)")
	return c
}

func (a *app) logShowCmd() *cobra.Command {
	return &cobra.Command{
		Use: "show N [DIR]", Short: "Show one record", Args: args(1, 2, "an index, and at most one folder"),
		RunE: func(_ *cobra.Command, got []string) error {
			n, err := strconv.ParseUint(got[0], 10, 64)
			if err != nil {
				return usage(quote(got[0])+" is no index", "forgeone log show 0")
			}
			var found *recordJSON
			dir := a.logDir(got[1:])
			err = reader(dir)(dir, n, func(i uint64, r abi.Record) error {
				j := recordOf(i, r)
				found = &j
				return errEnough
			})
			if err != nil && !errors.Is(err, errEnough) {
				return err
			}
			if found == nil || found.Index != n {
				return &abi.Error{Code: "F1-CLI-005", What: "the log has no record of that index", Where: got[0], Hint: "forgeone log list"}
			}
			return a.emit(struct {
				Schema string `json:"schema"`
				recordJSON
			}{"forgeone.log.record/v1", *found}, func(w io.Writer) {
				printf(w, "record %d of %s\nkind %s\ntime %s\n", n, filepath.Clean(a.logDir(got[1:])), found.Kind, found.Time)
				fields(w, found.Body)
			})
		},
	}
}
