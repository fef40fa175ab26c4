package evidence

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
)

// Tests with several processes run this binary again, with these set.
const (
	envRole = "F1_TEST_ROLE"
	envDir  = "F1_TEST_DIR"
	envID   = "F1_TEST_ID"
)

func TestMain(m *testing.M) {
	role := os.Getenv(envRole)
	if role == "" {
		os.Exit(m.Run())
	}
	key, err := seal.ParsePrivate([]byte(testKeyText))
	if err == nil {
		err = helper(role, Options{Dir: os.Getenv(envDir), Key: key, SegmentBytes: 64 << 10}, os.Getenv(envID))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, role, err)
		os.Exit(1)
	}
}

// helper is what another process does.
func helper(role string, o Options, id string) error {
	f := &fold{}
	o.Follower, o.NextKey = f, keyIn(filepath.Dir(o.Dir))
	if role == "create" {
		err := Create(o)
		fmt.Println(abi.CodeOf(err))
		return nil
	}
	if role == "race" {
		return race(o)
	}
	l, err := Open(o)
	if err != nil {
		return err
	}
	switch role {
	case "claim":
		return claim(l, f)
	case "rotate":
		return rotating(l, id)
	case "append":
		for i := 0; ; i++ {
			name := fmt.Sprintf("%s-%d", id, i)
			if _, err := l.Update(context.Background(), func() ([]abi.Record, error) { return []abi.Record{uninstall(name)}, nil }); err != nil {
				return err
			}
			fmt.Println(name)
		}
	case "queue":
		for begin := time.Now(); time.Since(begin) < 1500*time.Millisecond; {
			t := time.Now()
			if _, err := l.Update(context.Background(), func() ([]abi.Record, error) { return []abi.Record{uninstall("x")}, nil }); err != nil {
				return err
			}
			fmt.Println(time.Since(t).Microseconds())
		}
	}
	return l.Close()
}

// rotating hands the log over again and again, and appends in between. Each key is
// in its file beside the log before it is in the log.
func rotating(l *Log, id string) error {
	for i := range 12 {
		next, err := seal.GenerateKey()
		if err != nil {
			return err
		}
		dir := filepath.Dir(l.o.Dir)
		if err := os.WriteFile(filepath.Join(dir, next.Public().ID().Hex()), seal.MarshalPrivate(next), 0o600); err != nil {
			return err
		}
		if _, err := l.Rotate(context.Background(), next, nil); err != nil {
			return err
		}
		for j := range 5 {
			name := fmt.Sprintf("%s.%d.%d", id, i, j)
			if _, err := l.Update(context.Background(), func() ([]abi.Record, error) { return []abi.Record{uninstall(name)}, nil }); err != nil {
				return err
			}
			fmt.Println(name)
		}
	}
	return l.Close()
}

// keyIn finds keys that rotating left.
func keyIn(dir string) func(PublicKey) (*PrivateKey, error) {
	return func(p PublicKey) (*PrivateKey, error) {
		b, err := os.ReadFile(filepath.Join(dir, p.ID().Hex()))
		if err != nil {
			return nil, err
		}
		return seal.ParsePrivate(b)
	}
}

const slots = 60

var errTaken = errors.New("taken")

// claim tries to be the one that takes each slot.
func claim(l *Log, f *fold) error {
	var wg sync.WaitGroup
	errs := make(chan error, 4)
	for range 4 {
		wg.Go(func() {
			for i := range slots {
				name := fmt.Sprintf("slot %d", i)
				_, err := l.Update(context.Background(), func() ([]abi.Record, error) {
					if f.has(name) {
						return nil, errTaken
					}
					return []abi.Record{uninstall(name)}, nil
				})
				if err == nil {
					fmt.Println(name)
				} else if !errors.Is(err, errTaken) {
					errs <- err
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	return errors.Join(<-errs, l.Close())
}

type child struct {
	cmd *exec.Cmd
	out bytes.Buffer
	err bytes.Buffer
}

func start(t *testing.T, role string, o Options, id string) *child {
	t.Helper()
	c := &child{cmd: exec.Command(os.Args[0])}
	c.cmd.Env = append(os.Environ(), envRole+"="+role, envDir+"="+o.Dir, envID+"="+id)
	c.cmd.Stdout, c.cmd.Stderr = &c.out, &c.err
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

// wait returns the lines the child wrote.
func (c *child) wait(t *testing.T, killed bool) []string {
	t.Helper()
	if err := c.cmd.Wait(); err != nil && !killed || c.err.Len() > 0 {
		t.Fatalf("%v: %s", err, c.err.String())
	}
	var lines []string
	for s := bufio.NewScanner(&c.out); s.Scan(); {
		lines = append(lines, s.Text())
	}
	if n := c.out.Len(); n != 0 {
		t.Fatalf("%d bytes left", n)
	}
	return lines
}

// names counts the uninstalled packages in the log.
func names(t *testing.T, o Options) map[string]int {
	t.Helper()
	m := map[string]int{}
	err := Read(o.Dir, 0, func(_ uint64, r abi.Record) error {
		if u, ok := r.Body.(*abi.PackageUninstall); ok {
			m[u.Name]++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestProcessesCreate(t *testing.T) {
	o := Options{Dir: filepath.Join(t.TempDir(), "deep", "log"), Key: testKey(t)}
	var cs []*child
	for i := range 6 {
		cs = append(cs, start(t, "create", o, strconv.Itoa(i)))
	}
	made := 0
	for _, c := range cs {
		switch got := c.wait(t, false); got[0] {
		case "":
			made++
		case string(CodeExists):
		default:
			t.Fatal(got)
		}
	}
	if made != 1 {
		t.Fatalf("%d processes made the log", made)
	}
	mustVerify(t, o)
}

// TestProcessesClaim: what must be single is single, with four processes of four
// goroutines each going for it.
func TestProcessesClaim(t *testing.T) {
	o := newLog(t)
	var cs []*child
	for i := range 4 {
		cs = append(cs, start(t, "claim", o, strconv.Itoa(i)))
	}
	won := map[string]int{}
	for _, c := range cs {
		for _, name := range c.wait(t, false) {
			won[name]++
		}
	}
	got := names(t, o)
	for i := range slots {
		if n := fmt.Sprintf("slot %d", i); won[n] != 1 || got[n] != 1 {
			t.Errorf("%s was won %d times and is there %d times", n, won[n], got[n])
		}
	}
	if r := mustVerify(t, o); r.Records < slots+1 {
		t.Fatalf("%+v", r)
	}
}

// TestKill: processes that append are killed at random moments, and others
// go on. `make soak` kills thousands.
func TestKill(t *testing.T) {
	t.Parallel()
	kills, rounds := 50, 1
	if soaking() {
		rounds = 50 // each with a log of its own: a long one takes long to open
	}
	var all killed
	for range rounds {
		all.add(killWriters(t, kills))
	}
	if all.acked < kills*rounds {
		t.Errorf("only %d records acknowledged", all.acked)
	}
	t.Logf("%d kills: %d records acknowledged, %d of them lost, %d doubled; %d torn tails mended, %d live verifications",
		all.kills, all.acked, all.lost, all.doubled, all.mended, all.verified)
}

// killed counts what came of kills.
type killed struct{ kills, acked, lost, doubled, mended, verified int }

func (k *killed) add(n killed) {
	k.kills += n.kills
	k.acked += n.acked
	k.lost += n.lost
	k.doubled += n.doubled
	k.mended += n.mended
	k.verified += n.verified
}

// killWriters kills one of four processes that append to a log, again and again.
func killWriters(t *testing.T, kills int) (k killed) {
	t.Helper()
	o := newLog(t, func(o *Options) { o.SegmentBytes = 64 << 10 })
	var acked []string
	running := map[int]*child{}
	kill := func(j int) {
		if err := running[j].cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		acked = append(acked, running[j].wait(t, true)...)
		delete(running, j)
		k.kills++
	}
	for i := 0; k.kills+len(running) < kills || len(running) == 0; i++ {
		for j := range 4 {
			if running[j] == nil {
				running[j] = start(t, "append", o, fmt.Sprintf("p%d.%d", i, j))
			}
		}
		time.Sleep(time.Duration(20+rand.IntN(40)) * time.Millisecond)
		if i%5 == 0 { // a live folder, its writers in the middle of everything
			if _, err := verify(t, o); err == nil {
				k.verified++
			} else if abi.CodeOf(err) != CodeTorn { // of the one just killed
				t.Fatal(err)
			}
		}
		kill(rand.IntN(4))
	}
	for j := range running {
		kill(j)
	}
	f := &fold{}
	p := o
	p.Follower = f
	l := openLog(t, p)
	add(t, l, runEnd(1))
	mustVerify(t, o)
	got := names(t, o)
	for _, name := range acked {
		if got[name] == 0 {
			k.lost++
			t.Errorf("acknowledged %q is lost", name)
		}
	}
	for name, n := range got {
		if n != 1 {
			k.doubled++
			t.Errorf("%q is there %d times", name, n)
		}
	}
	for _, rec := range f.recs {
		if rec.Kind == abi.KindRecovered {
			k.mended++
		}
	}
	k.acked = len(acked)
	return k
}

// TestVerifyLive: while others append and segments change, Verify and Read find
// no damage.
func TestVerifyLive(t *testing.T) {
	t.Parallel()
	o := newLog(t, func(o *Options) { o.SegmentBytes = 64 << 10 })
	var cs []*child
	for i := range 3 {
		cs = append(cs, start(t, "queue", o, strconv.Itoa(i)))
	}
	n := 0
	for begin := time.Now(); time.Since(begin) < 1200*time.Millisecond; n++ {
		mustVerify(t, o)
		names(t, o)
	}
	for _, c := range cs {
		c.wait(t, false)
	}
	r := mustVerify(t, o)
	t.Logf("%d verifications beside %d appended records in %d segments", n, r.Records, r.Segments)
}

// TestFair: of several processes none starves.
func TestFair(t *testing.T) {
	o := newLog(t)
	var cs []*child
	for i := range 4 {
		cs = append(cs, start(t, "queue", o, strconv.Itoa(i)))
	}
	var all []int
	var counts []int
	for _, c := range cs {
		lines := c.wait(t, false)
		counts = append(counts, len(lines))
		for _, s := range lines {
			n, err := strconv.Atoi(s)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, n)
		}
	}
	slices.Sort(all)
	at := func(q float64) time.Duration {
		return time.Duration(all[int(q*float64(len(all)-1))]) * time.Microsecond
	}
	t.Logf("4 processes, turns %v; wait p50 %v, p99 %v, max %v", counts, at(0.5), at(0.99), at(1))
	if slices.Min(counts)*4 < slices.Max(counts) {
		t.Errorf("one process starved: %v", counts)
	}
}
