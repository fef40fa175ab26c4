package kernel_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/kernel"
	"github.com/forgeone/forgeone/internal/trace"
)

// budgets puts a configuration with these budgets in force and opens a kernel
// with it.
func budgets(t *testing.T, home, total, workload string) *kernel.Kernel {
	t.Helper()
	text := fmt.Sprintf("format: 1\nretention: {total: %s, workload: %s}\n", total, workload)
	if _, err := kernel.Init(t.Context(), kernel.InitOptions{Home: home, Text: []byte(text)}); err != nil {
		t.Fatal(err)
	}
	return openKernel(t, home)
}

// agree checks that the files of recordings are those that the log keeps, and
// returns how many bytes count against the budgets.
func agree(t *testing.T, k *kernel.Kernel) (counted uint64) {
	t.Helper()
	if err := k.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	k.View(func(s *brain.State) {
		var held uint64
		for _, r := range s.Runs() {
			st, err := os.Stat(k.Home().Recording(r.ID))
			switch {
			case r.Drop != 0:
				if !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("the recording of %s was dropped and is there: %v", r.ID, err)
				}
			case err != nil:
				t.Errorf("%s: %v", r.ID, err)
			case r.Open():
			case uint64(st.Size()) != r.Size:
				t.Errorf("the recording of %s has %d bytes, the log says %d", r.ID, st.Size(), r.Size)
			case r.Held != 0:
				held += r.Size
			default:
				counted += r.Size
			}
		}
		if kept, h := s.Kept(); kept != counted || h != held {
			t.Errorf("%d bytes kept and %d held, the state says %d and %d", counted, held, kept, h)
		}
	})
	return counted
}

func (n *node) dropped(id abi.RunID) bool {
	n.t.Helper()
	r, err := n.FindRun(string(id))
	if err != nil {
		n.t.Fatal(err)
	}
	return r.Drop != 0
}

// TestBudgetUnderLoad: several kernels run guests at once on one state folder.
// What is kept never passes the budgets once they are done, every file is
// accounted for, and what is held is whole.
func TestBudgetUnderLoad(t *testing.T) {
	n := newNode(t)
	home := string(n.Home())
	n.Kernel = budgets(t, home, "8KiB", "4KiB")
	r, _ := n.run(kernel.Spec{Target: n.guest("deny")})
	if err := n.Hold(t.Context(), r.Run, "evidence"); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i, guest := range []string{"hello", "deny", "trap"} {
		k := openKernel(t, home)
		wg.Go(func() {
			one := &node{Kernel: k, t: t, guests: n.guests}
			for range 12 {
				one.run(kernel.Spec{Target: one.guest(guest), Args: []string{strings.Repeat("x", 300*i)}})
			}
		})
	}
	wg.Wait()
	if counted := agree(t, n.Kernel); counted > 8<<10 {
		t.Errorf("%d bytes are kept", counted)
	}
	if res, err := n.replay(r.Run).Go(t.Context(), nil, nil); err != nil || !res.Identical {
		t.Errorf("the held run replays otherwise: %+v, %v", res, err)
	}
	some := 0
	n.View(func(s *brain.State) {
		for _, r := range s.Runs() {
			if r.Drop != 0 {
				some++
			}
		}
	})
	if some == 0 {
		t.Error("nothing was dropped")
	}
	n.verify()
}

// TestDropDies: a process that dies between a drop's record and the removal of
// the file leaves that to whoever opens the state folder next.
func TestDropDies(t *testing.T) {
	n := newNode(t)
	for range 12 {
		n.run(kernel.Spec{Target: n.guest("hello")})
	}
	n.Kernel = budgets(t, string(n.Home()), "4KiB", "4KiB")
	ids := n.DropAndDie(t.Context())
	if len(ids) == 0 {
		t.Fatal("nothing to drop")
	}
	for _, id := range ids {
		if _, err := os.Stat(n.Home().Recording(id)); err != nil {
			t.Fatal(err)
		}
		u, err := n.FindRun(string(id))
		if err != nil {
			t.Fatal(err)
		}
		// The log's word counts, file or not.
		if _, err := n.LoadReplay(t.Context(), u); abi.CodeOf(err) != "F1-RET-001" {
			t.Errorf("replayed: %v", err)
		}
	}
	agree(t, openKernel(t, string(n.Home())))

	// A copy that is put back later is removed by who looks.
	other, err := os.ReadFile(n.Home().Recording(func() abi.RunID { r, _ := n.FindRun("last"); return r.ID }()))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(n.Home().Recording(ids[0]), other, 0o600); err != nil {
		t.Fatal(err)
	}
	if p, err := n.Prune(t.Context(), false); err != nil || p.Finished != 1 {
		t.Errorf("%+v, %v", p, err)
	}
	agree(t, n.Kernel)
	n.verify()
}

// TestDropSparesReaders: what is being replayed or shown stays until that is
// done, and a run under way keeps its recording.
func TestDropSparesReaders(t *testing.T) {
	n := newNode(t)
	first, _ := n.run(kernel.Spec{Target: n.guest("hello")})
	second, _ := n.run(kernel.Spec{Target: n.guest("hello")})
	n.Kernel = budgets(t, string(n.Home()), "4KiB", "4KiB")
	busy, ended := n.start("sleep")
	reader := openKernel(t, string(n.Home()))
	u, err := reader.FindRun(string(first.Run))
	if err != nil {
		t.Fatal(err)
	}
	load, err := reader.LoadReplay(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; !n.dropped(second.Run); i++ {
		if n.run(kernel.Spec{Target: n.guest("hello")}); i > 50 {
			t.Fatal("nothing is dropped")
		}
	}
	if n.dropped(first.Run) {
		t.Error("a recording was dropped while somebody replays it")
	}
	if p, err := n.Prune(t.Context(), true); err != nil || len(p.Dropped) > 0 {
		t.Errorf("%+v, %v", p, err)
	}
	if res, err := load.Go(t.Context(), nil, nil); err != nil || !res.Identical {
		t.Errorf("%+v, %v", res, err)
	}
	load.Close()
	n.run(kernel.Spec{Target: n.guest("hello")})
	if !n.dropped(first.Run) {
		t.Error("it stays when nobody reads it any more")
	}
	if n.dropped(busy) {
		t.Error("the recording of a run under way is dropped")
	}
	if err := n.Stop(t.Context(), busy, ""); err != nil {
		t.Fatal(err)
	}
	ended()
	agree(t, n.Kernel)
	n.verify()
}

// TestEndLetsGo: a run whose end is in the log lets go of its recording before it
// drops others: whoever ends a run meanwhile may drop that one.
func TestEndLetsGo(t *testing.T) {
	n := newNode(t)
	home := string(n.Home())
	for range 12 { // so that there is something to drop
		n.run(kernel.Spec{Target: n.guest("hello")})
	}
	n.Kernel = budgets(t, home, "4KiB", "4KiB")
	other, started, done := openKernel(t, home), make(chan abi.RunID, 1), make(chan struct{})
	go func() {
		defer close(done)
		id, ended := <-started, false
		for !ended {
			// The log is had in order of arrival: after the run's end, before its drops.
			other.Locked(t.Context(), func() {
				var u brain.Run
				other.View(func(s *brain.State) { u, _ = s.Run(id) })
				if ended = !u.Open(); ended {
					unlocked(t, other.Home().Recording(id))
				}
			})
		}
	}()
	s := spec(n.guest("hello"), new(bytes.Buffer))
	s.Started = func(id abi.RunID, _ string, _ bool) { started <- id }
	if _, err := n.Run(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	<-done
	if agree(t, n.Kernel); n.droppedCount() == 0 {
		t.Error("nothing was dropped")
	}
}

// unlocked waits until nobody writes or reads the recording.
func unlocked(t *testing.T, path string) {
	for range 5000 {
		release, ok, err := trace.Claim(path)
		if err != nil {
			t.Error(err)
			return
		}
		if ok {
			release()
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Error("the recording is still locked")
}

// TestDoctorMissesRecordings: doctor tells that a recording was replaced by another
// of the same size, by a link, or by nothing.
func TestDoctorMissesRecordings(t *testing.T) {
	n := newNode(t)
	one, _ := n.run(kernel.Spec{Target: n.guest("hello")})
	two, _ := n.run(kernel.Spec{Target: n.guest("hello")})
	dead := n.StartAndDie(t.Context(), n.guest("hello"))
	openKernel(t, string(n.Home())) // closes it
	found := func(want string) {
		t.Helper()
		for _, c := range kernel.Doctor(t.Context(), string(n.Home()), "") {
			if c.Name == "modules" && !strings.Contains(c.Found, ": 1 files of ") {
				t.Errorf("%+v", c)
			}
			if c.OK == (c.Name == "recordings" && want != "") || !c.OK && !strings.Contains(c.Found, want) {
				t.Errorf("%+v, want %q", c, want)
			}
		}
	}
	found("")
	for _, id := range []abi.RunID{one.Run, dead} {
		file := n.Home().Recording(id)
		good, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		other := append(bytes.Clone(good), 0)
		if id == one.Run { // the seal stands at the end
			other = bytes.Clone(good)
			other[len(other)-1] ^= 1
		}
		restore := func() {
			if err := errors.Join(os.RemoveAll(file), os.WriteFile(file, good, 0o600)); err != nil {
				t.Fatal(err)
			}
			found("")
		}
		if err := os.WriteFile(file, other, 0o600); err != nil {
			t.Fatal(err)
		}
		found("F1-RPL-013")
		restore()
		if err := os.Truncate(file, 0); err != nil {
			t.Fatal(err)
		}
		found("F1-RPL-013")
		restore()
		if err := errors.Join(os.Remove(file), os.Symlink(n.Home().Recording(two.Run), file)); err != nil {
			t.Fatal(err)
		}
		found("F1-RPL-010")
		restore()
		if err := errors.Join(os.Remove(file), os.Mkdir(file, 0o700)); err != nil {
			t.Fatal(err)
		}
		found("F1-RPL-010")
		restore()
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		found("F1-RPL-011")
		restore()
	}
}

// TestPruneAtOnce: several processes prune at the same time; each recording is
// dropped once.
func TestPruneAtOnce(t *testing.T) {
	n := newNode(t)
	for range 90 { // more than go in one transaction
		n.run(kernel.Spec{Target: n.guest("hello")})
	}
	home := string(n.Home())
	n.Kernel = budgets(t, home, "4KiB", "unlimited")
	want, err := n.Prune(t.Context(), true)
	if err != nil || len(want.Dropped) <= brain.MaxDrops {
		t.Fatalf("%d are to be dropped, %v", len(want.Dropped), err)
	}
	var mu sync.Mutex
	got := map[abi.RunID]int{}
	var wg sync.WaitGroup
	for range 3 {
		k := openKernel(t, home)
		wg.Go(func() {
			p, err := k.Prune(t.Context(), false)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			for _, u := range p.Dropped {
				got[u.ID]++
			}
		})
	}
	wg.Wait()
	for _, u := range want.Dropped {
		if got[u.ID] != 1 {
			t.Errorf("%s was dropped %d times", u.ID, got[u.ID])
		}
	}
	if len(got) != len(want.Dropped) {
		t.Errorf("%d were dropped, %d were to be", len(got), len(want.Dropped))
	}
	agree(t, n.Kernel)
	n.verify()
}

// TestDropFails: a file that can't be removed is told, nothing more is dropped
// before it is gone, and runs go on.
func TestDropFails(t *testing.T) {
	n := newNode(t)
	for range 12 {
		n.run(kernel.Spec{Target: n.guest("hello")})
	}
	n.Kernel = budgets(t, string(n.Home()), "4KiB", "4KiB")
	id := n.DropAndDie(t.Context())[0]
	file := n.Home().Recording(id)
	if err := errors.Join(os.Remove(file), os.MkdirAll(filepath.Join(file, "x"), 0o700)); err != nil {
		t.Fatal(err)
	}
	before := n.droppedCount()
	for range 8 {
		n.run(kernel.Spec{Target: n.guest("hello")})
	}
	if after := n.droppedCount(); after != before {
		t.Errorf("%d more were dropped", after-before)
	}
	if _, err := n.Prune(t.Context(), false); abi.CodeOf(err) != "F1-RET-005" {
		t.Errorf("%v", err)
	}
	if err := os.RemoveAll(file); err != nil {
		t.Fatal(err)
	}
	n.run(kernel.Spec{Target: n.guest("hello")})
	if counted := agree(t, n.Kernel); counted > 4<<10 {
		t.Errorf("%d bytes are kept", counted)
	}
}

func (n *node) droppedCount() (count int) {
	n.View(func(s *brain.State) {
		for _, r := range s.Runs() {
			if r.Drop != 0 {
				count++
			}
		}
	})
	return count
}
