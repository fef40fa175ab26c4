// Command bench measures ForgeOne beside its rivals, in one process and in turns,
// and prints each figure with the bar it is to reach. Run it from its folder:
//
//	go run . [-quick] [-json] [-only REGEXP] [-row REGEXP] [-cpuprofile FILE]
//
// Figures are medians of pairs: both sides run one after the other, in changing
// order, and a ratio is the median of the pairs' ratios. On a busy machine trust
// the CPU ratios. It is never a test: nothing fails for being slow.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime/pprof"

	"github.com/forgeone/forgeone/internal/kernel"
)

func main() {
	kernel.Main() // children that compile end here
	if err := run(os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is what the sections share.
type bench struct {
	ctx context.Context
	dir string // for everything that is made
	options
	rows  []Row
	tools tools
	pair  *pair
}

// options say what to measure.
type options struct {
	quick    bool // tiny: figures mean nothing
	reps     int
	most     int // records in the section growth
	sections *regexp.Regexp
	loops    *regexp.Regexp // of the gate and compute sections
}

// section is a group of rows.
type section struct {
	name string
	run  func(*bench) error
}

var sections = []section{
	{"machine", (*bench).machine},
	{"gate", (*bench).gate},
	{"compute", (*bench).compute},
	{"admission", (*bench).admission},
	{"start", (*bench).start},
	{"replay", (*bench).replay},
	{"log", (*bench).log},
	{"verify", (*bench).verify},
	{"export", (*bench).export},
	{"growth", (*bench).growth},
	{"charges", (*bench).charges},
	{"decision", (*bench).decision},
	{"command", (*bench).command},
}

func run(args []string) error {
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	quick := fs.Bool("quick", false, "a tiny run, to see that it works")
	asJSON := fs.Bool("json", false, "print JSON")
	only := fs.String("only", "", "only the sections whose name matches this expression")
	row := fs.String("row", "", "of the sections gate, compute and replay only the rows whose name matches this expression")
	reps := fs.Int("reps", 7, "pairs per figure")
	most := fs.Int("most", 1_000_000, "records in the largest log of the section growth; 10,000,000 takes some ten minutes and 6 GB")
	profile := fs.String("cpuprofile", "", "write a CPU profile here; its tag side tells ours from rivals")
	if err := fs.Parse(args); err != nil {
		return err
	}
	o := options{quick: *quick, reps: max(*reps, 1), most: *most}
	if *quick {
		o.reps = 1
	}
	var err error
	if o.sections, err = regexp.Compile(*only); err != nil {
		return err
	}
	if o.loops, err = regexp.Compile(*row); err != nil {
		return err
	}
	if *profile != "" {
		f, err := os.Create(*profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile() // before the file is closed
	}
	rows, err := measureAll(context.Background(), o)
	if err != nil {
		return err
	}
	if *asJSON {
		return printJSON(os.Stdout, rows)
	}
	return printText(os.Stdout, rows)
}

// measureAll runs the sections whose name matches.
func measureAll(ctx context.Context, o options) ([]Row, error) {
	dir, err := os.MkdirTemp("", "forgeone-bench-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	b := &bench{ctx: ctx, dir: dir, options: o}
	defer b.close()
	for _, s := range sections {
		if !o.sections.MatchString(s.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "bench: %s …\n", s.name)
		before := len(b.rows)
		if err := s.run(b); err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		for i := range b.rows[before:] {
			r := &b.rows[before+i]
			r.Section = s.name
			if o.quick {
				r.Met = nil // says nothing
			}
		}
	}
	return b.rows, nil
}

func (b *bench) add(r Row) { b.rows = append(b.rows, r) }

// n is how often to do something: full, or next to never in a quick run.
func (b *bench) n(full int) int {
	if b.quick {
		return max(full/2000, 2)
	}
	return full
}
