package evidence

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/merkle"
	"github.com/forgeone/forgeone/internal/sys"
)

// rivals is the state that racing transactions decide on.
type rivals struct {
	mu      sync.Mutex
	claimed map[string]bool
	floor   map[string]uint64
	size    uint64
}

func newRivals() *rivals {
	r := &rivals{}
	r.Reset()
	return r
}

func (s *rivals) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.claimed, s.floor, s.size = map[string]bool{}, map[string]uint64{}, 0
}

// Follow refuses what no transaction may have let through.
func (s *rivals) Follow(index uint64, r abi.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if index != s.size {
		return fmt.Errorf("record %d came as number %d", index, s.size)
	}
	s.size++
	switch b := r.Body.(type) {
	case *abi.PackageUninstall:
		if s.claimed[b.Name] {
			return fmt.Errorf("%s is claimed twice", b.Name)
		}
		s.claimed[b.Name] = true
	case *abi.PackageInstall:
		if b.Serial <= s.floor[b.Name] {
			return fmt.Errorf("%s goes back from %d to %d", b.Name, s.floor[b.Name], b.Serial)
		}
		s.floor[b.Name] = b.Serial
	}
	return nil
}

// field is how many race, and for what.
type field struct{ processes, writers, tries, readers, looks, prizes int }

func theField() field {
	if soaking() {
		return field{processes: 8, writers: 1000, tries: 60, readers: 40, looks: 6, prizes: 100_000}
	}
	return field{processes: 4, writers: 500, tries: 16, readers: 40, looks: 2, prizes: 5000}
}

// race is one of the processes. Each line it prints tells of a record that was
// acknowledged, of a head that a reader saw, or of the waiting.
func race(o Options) error {
	var (
		out    = bufio.NewWriter(os.Stdout)
		mu     sync.Mutex
		failed error
		worst  atomic.Int64
		wg     sync.WaitGroup
		f      = theField()
	)
	say := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(out, format+"\n", args...)
	}
	fail := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		failed = errors.Join(failed, err)
	}
	state := newRivals()
	o.Follower = state
	l, err := Open(o)
	if err != nil {
		return err
	}
	// Whoever waits longer has starved: nothing here takes as long.
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	for range f.writers {
		wg.Go(func() {
			for range f.tries {
				began := time.Now()
				err := tryPrize(ctx, l, state, f, say)
				if err != nil && !errors.Is(err, errTaken) {
					fail(err)
					return
				}
				for w := time.Since(began).Microseconds(); ; {
					if old := worst.Load(); w <= old || worst.CompareAndSwap(old, w) {
						break
					}
				}
			}
		})
	}
	for range f.readers {
		wg.Go(func() {
			for range f.looks {
				time.Sleep(rand.N(400 * time.Millisecond))
				if err := look(ctx, o, say); err != nil {
					fail(err)
				}
			}
		})
	}
	wg.Wait()
	say("wait %d", worst.Load())
	return errors.Join(failed, out.Flush(), l.Close())
}

// tryPrize goes for a thing that only one may have, or for a higher serial
// than anybody's.
func tryPrize(ctx context.Context, l *Log, s *rivals, f field, say func(string, ...any)) error {
	if rand.IntN(2) == 0 {
		name := fmt.Sprintf("approval-%d", rand.IntN(f.prizes))
		first, err := l.Update(ctx, func() ([]abi.Record, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.claimed[name] {
				return nil, errTaken
			}
			return []abi.Record{uninstall(name)}, nil
		})
		if err == nil {
			say("claim %d %s", first, name)
		}
		return err
	}
	name := fmt.Sprintf("package-%d", rand.IntN(8))
	s.mu.Lock()
	serial := s.floor[name] + 1 + rand.Uint64N(3) // old news by the time it is used
	s.mu.Unlock()
	first, err := l.Update(ctx, func() ([]abi.Record, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if serial <= s.floor[name] {
			return nil, errTaken
		}
		return []abi.Record{{Body: &abi.PackageInstall{Name: name, Serial: serial}}}, nil
	})
	if err == nil {
		say("floor %d %s %d", first, name, serial)
	}
	return err
}

// look reads the log beside its writers, in one of three ways.
func look(ctx context.Context, o Options, say func(string, ...any)) error {
	state := newRivals()
	switch rand.IntN(3) {
	case 0:
		return Read(o.Dir, 0, state.Follow)
	case 1:
		r, err := Verify(ctx, o.Dir, []PublicKey{o.Key.Public()}, VerifyOptions{})
		say("head %d %s", r.Records, r.Root.Hex())
		return err
	}
	p := o
	p.Key, p.Keys, p.Follower = nil, []PublicKey{o.Key.Public()}, state
	l, err := Open(p)
	if err != nil {
		return err
	}
	for range 3 {
		before := l.Size()
		if err := l.Refresh(ctx); err != nil {
			return err
		}
		if after := l.Size(); after < before || after != state.size {
			return fmt.Errorf("a reader saw %d records, then %d, and its state has %d", before, after, state.size)
		}
		say("head %d %s", l.Size(), l.Root().Hex())
	}
	return l.Close()
}

// TestSoakRace: thousands of writers and readers in several processes on one
// log, many of them after the same thing. Each thing is had once, serials
// never go back, what was acknowledged stands where it was said to, every
// reader saw a state that the log was in, and everybody had a turn.
func TestSoakRace(t *testing.T) {
	t.Parallel()
	o, f := newLog(t), theField()
	var cs []*child
	for range f.processes {
		cs = append(cs, start(t, "race", o, ""))
	}
	acked, heads := map[uint64]string{}, map[uint64]string{}
	worst := int64(0)
	for _, c := range cs {
		for _, line := range c.wait(t, false) {
			var n uint64
			what, rest, _ := strings.Cut(line, " ")
			number, rest, _ := strings.Cut(rest, " ")
			if _, err := fmt.Sscan(number, &n); err != nil {
				t.Fatal(line, err)
			}
			switch what {
			case "wait":
				worst = max(worst, int64(n))
			case "head":
				if was, ok := heads[n]; ok && was != rest {
					t.Fatalf("two readers saw different logs of %d records", n)
				}
				heads[n] = rest
			default:
				if was, ok := acked[n]; ok {
					t.Fatalf("record %d was acknowledged as %q and as %q", n, was, rest)
				}
				acked[n] = rest
			}
		}
	}
	state, seen := newRivals(), 0
	if err := Read(o.Dir, 0, func(index uint64, r abi.Record) error {
		var is string
		switch b := r.Body.(type) {
		case *abi.PackageUninstall:
			is = b.Name
		case *abi.PackageInstall:
			is = fmt.Sprint(b.Name, " ", b.Serial)
		}
		if is != acked[index] {
			t.Fatalf("record %d is %q and was acknowledged as %q", index, is, acked[index])
		}
		if is != "" {
			seen++
		}
		return state.Follow(index, r)
	}); err != nil {
		t.Fatal(err)
	}
	if seen != len(acked) || seen == 0 {
		t.Fatalf("%d records were acknowledged, %d are there", len(acked), seen)
	}
	distinct := len(heads)
	checkHeads(t, o, heads)
	mustVerify(t, o)
	t.Logf("%d writers and %d readers in %d processes: %d transactions, %d won, %d different heads seen; longest wait %v",
		f.processes*f.writers, f.processes*f.readers, f.processes, f.processes*f.writers*f.tries, seen, distinct, time.Duration(worst)*time.Microsecond)
}

// checkHeads compares what readers saw with the log as it grew.
func checkHeads(t *testing.T, o Options, heads map[uint64]string) {
	t.Helper()
	var tr merkle.Tree
	h := merkle.NewHasher()
	w := newWalker(sys.OS{}, o.Dir)
	defer func() { _ = w.close() }()
	for n := mustVerify(t, o).Records; tr.N < n; {
		b, err := w.next()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range b.entries {
			tr.Push(h, h.Leaf(e))
		}
		root := tr.Root(h)
		if want, ok := heads[tr.N]; ok && want != hex.EncodeToString(root[:]) {
			t.Fatalf("a reader saw the root %s of %d records, it is %x", want, tr.N, root)
		}
		delete(heads, tr.N)
	}
	for n, root := range heads {
		t.Errorf("a reader saw %d records with the root %s: no commit is like that", n, root)
	}
}
