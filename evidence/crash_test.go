package evidence

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/codec"
	"github.com/forgeone/forgeone/internal/sys"
	"github.com/forgeone/forgeone/internal/sys/faultfs"
)

// soaking tells whether the long forms of the tests were asked for (`make soak`).
func soaking() bool { return os.Getenv("FORGEONE_SOAK") != "" }

// memory is a folder whose files needn't get to a disk.
func memory(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "forgeone-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// odometer counts through all possibilities of choices: pick is asked again and
// again, and next goes on to the next row of answers.
type odometer struct{ at, of, row []int }

func (o *odometer) pick(n int) int {
	i := len(o.row)
	if i == len(o.at) {
		o.at, o.of = append(o.at, 0), append(o.of, n)
	}
	o.row = append(o.row, o.at[i])
	return o.at[i]
}

func (o *odometer) next() bool {
	o.row = o.row[:0]
	for i := len(o.at) - 1; i >= 0; i-- {
		if o.at[i]++; o.at[i] < o.of[i] {
			o.at, o.of = o.at[:i+1], o.of[:i+1]
			return true
		}
	}
	return false
}

// crashes opens the states that power failures leave of a log.
type crashes struct {
	t      *testing.T
	o      Options // of the log, but for its folder and file system
	dir    string  // for the states
	rng    *rand.Rand
	budget int // states tried at a moment: all if there are no more, else by chance
	twice  int // states tried at each moment of the recovery; 0: none
	acked  atomic.Pointer[[]string]
	states int
	all    int // moments of which all states were tried
	some   int
}

func newCrashes(t *testing.T, o Options, budget, twice int) *crashes {
	c := &crashes{t: t, o: o, dir: memory(t), rng: rand.New(rand.NewPCG(1, 2)), budget: budget, twice: twice}
	c.acked.Store(new([]string))
	return c
}

// moment tries the states of d now.
func (c *crashes) moment(d *faultfs.Disk, op faultfs.Op, budget, twice int) {
	random := func(n int) int { return c.rng.IntN(n) }
	var o odometer
	for n := range budget {
		c.state(d, fmt.Sprint(op, " all ", n), o.pick, twice)
		if !o.next() {
			c.all++
			return
		}
		if n == 0 && len(o.at) > 10 {
			break // more than a thousand
		}
	}
	c.some++
	for n := range budget {
		c.state(d, fmt.Sprint(op, " random ", n), random, twice)
	}
}

// state makes a state and opens the log in it.
func (c *crashes) state(d *faultfs.Disk, what string, pick func(int) int, twice int) {
	t := c.t
	t.Helper()
	p := c.o
	p.Dir = filepath.Join(c.dir, fmt.Sprint("state", c.states))
	if err := os.Mkdir(p.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(p.Dir)
	if err := d.Crash(p.Dir, pick); err != nil {
		t.Fatal(err)
	}
	c.states++
	acked := *c.acked.Load()
	if _, err := os.Stat(segment(p, 0)); err != nil {
		if len(acked) > 0 {
			t.Fatalf("%s: the log is gone", what)
		}
		if err := Create(p); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	if _, err := verify(t, p); err != nil {
		if info, _ := abi.LookupCode(abi.CodeOf(err)); info.Exit != 1 {
			t.Fatalf("%s: %v", what, err)
		}
	}
	var moment func(op faultfs.Op, _ string)
	var again *faultfs.Disk
	if twice > 0 { // the power fails in the recovery too
		moment = func(op faultfs.Op, _ string) { c.moment(again, op, twice, 0) }
	}
	again, err := faultfs.NewDisk(p.Dir, moment)
	if err != nil {
		t.Fatal(err)
	}
	f := &fold{}
	p.Follower, p.FS = f, again
	l, err := Open(p)
	if err != nil {
		t.Fatalf("%s: a power failure left a log that can't be opened: %v %v", what, err, errors.Unwrap(err))
	}
	if twice > 0 {
		moment(faultfs.OpOpen, "")
		again = nil
		moment = nil
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	c.check(what, p, f, acked)
}

// check compares what is in an opened log with what was acknowledged.
func (c *crashes) check(what string, p Options, f *fold, acked []string) {
	t := c.t
	t.Helper()
	if _, err := verify(t, p); err != nil {
		t.Fatalf("%s: after it was opened: %v", what, err)
	}
	count := map[string]int{}
	recovered := map[string]bool{}
	for _, r := range f.recs {
		switch b := r.Body.(type) {
		case *abi.PackageUninstall:
			name, _, _ := strings.Cut(b.Name, " ")
			count[name]++
		case *abi.Recovered:
			recovered[fmt.Sprintf("torn-%08d-%d", b.Segment, b.Offset)] = true
		}
	}
	for _, name := range acked {
		var n, of int
		if _, err := fmt.Sscanf(name, "%dof%d", &n, &of); err != nil {
			t.Fatal(err)
		}
		if count[name] != of {
			t.Fatalf("%s: acknowledged %s is there %d times", what, name, count[name])
		}
	}
	for name, n := range count {
		var i, of int
		if _, err := fmt.Sscanf(name, "%dof%d", &i, &of); err != nil {
			t.Fatal(err)
		}
		if n != of {
			t.Fatalf("%s: %d records of %s are there", what, n, name)
		}
	}
	aside, err := filepath.Glob(filepath.Join(p.Dir, "torn-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range aside {
		name, _, _ := strings.Cut(filepath.Base(path), ".")
		if !recovered[name] {
			t.Fatalf("%s: bytes were moved to %s and no record tells of it", what, name)
		}
	}
}

// batchOf is a transaction of n records whose names hold what it is and how
// many there should be.
func batchOf(i, n, length int) []abi.Record {
	rs := make([]abi.Record, n)
	for j := range rs {
		rs[j] = uninstall(fmt.Sprintf("%dof%d %s", i, n, strings.Repeat("x", length)))
	}
	return rs
}

// run makes a log on a Disk, appends batches, and tries the states of every
// moment.
func (c *crashes) run(sizes [][2]int) {
	t := c.t
	t.Helper()
	p := c.o
	p.Dir = filepath.Join(memory(t), "log")
	if err := os.Mkdir(p.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	var d *faultfs.Disk
	d, err := faultfs.NewDisk(p.Dir, func(op faultfs.Op, name string) { c.moment(d, op, c.budget, c.twice) })
	if err != nil {
		t.Fatal(err)
	}
	p.FS = d
	if err := Create(p); err != nil {
		t.Fatal(err)
	}
	l := openLog(t, p)
	for i, s := range sizes {
		add(t, l, batchOf(i, s[0], s[1])...)
		acked := append([]string(nil), *c.acked.Load()...)
		acked = append(acked, fmt.Sprintf("%dof%d", i, s[0]))
		c.acked.Store(&acked)
	}
	c.moment(d, faultfs.OpOpen, c.budget, c.twice)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestCrashStates: the power fails at each moment of a log's life: its
// beginning, small and large batches, preallocation, the change of segments.
// In each state that a disk may then hold, what was acknowledged is there,
// once, nothing is there by half, and opening never takes the crash for
// tampering; not even if the power fails again while the log is opened.
func TestCrashStates(t *testing.T) {
	t.Parallel()
	o := Options{Key: testKey(t), SegmentBytes: minSegment}
	sizes := [][2]int{{1, 1}, {3, 10}, {1, 700}, {2, 300}, {3, 1000}, {1, 3000}, {3, 1200}, {2, 1}, {1, 5}, {3, 900}, {1, 3000}, {1, 2}}
	budget, twice := 8, 0
	if soaking() {
		budget, twice = 64, 6
	}
	c := newCrashes(t, o, budget, twice)
	c.run(sizes)
	d := newCrashes(t, o, 3, 2)
	d.run(sizes[:4])
	t.Logf("%d states; of %d moments all, of %d some", c.states+d.states, c.all+d.all, c.some+d.some)
}

// TestCrashAligned: all states of one batch that begins at each place of a
// sector.
func TestCrashAligned(t *testing.T) {
	t.Parallel()
	o := Options{Key: testKey(t), SegmentBytes: minSegment}
	states := 0
	for place := range faultfs.Sector {
		if !soaking() && place < faultfs.Sector-17 && place%37 != 0 {
			continue
		}
		c := newCrashes(t, o, 0, 0)
		p := o
		p.Dir = filepath.Join(c.dir, "log")
		if err := Create(p); err != nil {
			t.Fatal(err)
		}
		f := &fold{}
		p.Follower = f
		l := openLog(t, p)
		add(t, l, batchOf(0, 1, 1)...)
		last := l.w.c.off
		add(t, l, batchOf(1, 1, 1)...)
		now := f.recs[1].Time
		entry, err := codec.EncodeRecord(abi.Record{Kind: abi.KindPackageUninstall, Time: now, Body: batchOf(1, 1, 1)[0].Body})
		if err != nil {
			t.Fatal(err)
		}
		commit := l.w.c.off - last - frameHead - int64(len(entry))
		length := 0
		for ; ; length++ {
			r := batchOf(2, 1, length)[0]
			entry, err := codec.EncodeRecord(abi.Record{Kind: abi.KindPackageUninstall, Time: now, Body: r.Body})
			if err != nil {
				t.Fatal(err)
			}
			if (l.w.c.off+frameHead+int64(len(entry))+commit)%faultfs.Sector == int64(place) {
				break
			}
		}
		add(t, l, batchOf(2, 1, length)...)
		if l.w.c.off%faultfs.Sector != int64(place) {
			t.Fatalf("the batch is to begin at %d and does at %d", place, l.w.c.off%faultfs.Sector)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		c.acked.Store(&[]string{"0of1", "1of1", "2of1"})
		armed := false
		var d *faultfs.Disk
		d, err = faultfs.NewDisk(p.Dir, func(op faultfs.Op, _ string) {
			if armed && op == faultfs.OpSync {
				c.moment(d, op, 1<<10, 0)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		p.FS, p.Follower = d, nil
		l = openLog(t, p)
		armed = true
		if _, err := l.Update(context.Background(), func() ([]abi.Record, error) { return batchOf(3, 1+place%3, 200), nil }); err != nil {
			t.Fatal(err)
		}
		if c.some > 0 || c.all == 0 {
			t.Fatalf("not all states were tried: %d, %d", c.all, c.some)
		}
		states += c.states
	}
	t.Logf("%d states", states)
}

var _ sys.FS = (*faultfs.Disk)(nil)
