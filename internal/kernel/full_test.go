package kernel_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/kernel"
	"github.com/forgeone/forgeone/internal/provider/host"
	"github.com/forgeone/forgeone/internal/wasmtest"
)

// smallDisk is a file system of 48 MiB.
type smallDisk struct {
	t   *testing.T
	dir string
}

func newSmallDisk(t *testing.T) smallDisk {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: this test needs root, to mount a small disk: %v: %s", err, out)
	}
	t.Cleanup(func() {
		// Lazily: a log's counter stays mapped for the process's life.
		if out, err := exec.Command("umount", "-l", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return smallDisk{t, dir}
}

// fill leaves only so many bytes free.
func (d smallDisk) fill(left int64) {
	d.t.Helper()
	var s syscall.Statfs_t
	if err := syscall.Statfs(d.dir, &s); err != nil {
		d.t.Fatal(err)
	}
	n := int64(s.Bavail)*s.Bsize - left
	if n < 0 {
		d.t.Fatalf("there is less than %d bytes free", left)
	}
	// A run under way may take some of it meanwhile: full is full.
	if err := os.WriteFile(filepath.Join(d.dir, "filler"), make([]byte, n), 0o600); err != nil && (left > 0 || !errors.Is(err, syscall.ENOSPC)) {
		d.t.Fatal(err)
	}
}

func (d smallDisk) free() {
	d.t.Helper()
	if err := os.Remove(filepath.Join(d.dir, "filler")); err != nil {
		d.t.Fatal(err)
	}
}

// nodeOn makes a node whose state folder is on that disk. The filler is left to
// be written.
func nodeOn(t *testing.T, d smallDisk) *node {
	t.Helper()
	home := filepath.Join(d.dir, "home")
	if _, err := kernel.Init(t.Context(), kernel.InitOptions{Home: home}); err != nil {
		t.Fatal(err)
	}
	n := &node{t: t, guests: t.TempDir(), Kernel: openKernel(t, home)}
	n.asks()
	guests := wasmtest.Guests()
	// noise reads what can't be compressed for ever.
	guests["noise"] = wasmtest.Module{
		MinPages: 2, Imports: []wasmtest.Import{wasmtest.Random},
		Funcs: []wasmtest.Func{{Export: "_start", Body: wasmtest.Loop(
			wasmtest.Const(0), wasmtest.Const(65536), wasmtest.Call(0), wasmtest.Drop, wasmtest.Br(0))}},
	}.Bytes()
	for name, b := range guests {
		if err := os.WriteFile(n.guest(name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n.run(kernel.Spec{Target: n.guest("hello")}) // admitted and compiled
	return n
}

// asks makes the guest of that name: it reads a byte from its input, opens
// /secret, and goes on for ever.
func (n *node) asks() {
	n.t.Helper()
	b := wasmtest.Module{
		MinPages: 1, Imports: []wasmtest.Import{wasmtest.FdRead, wasmtest.PathOpen},
		Data: []wasmtest.Data{{Offset: 0, Bytes: []byte{0, 4, 0, 0, 1, 0, 0, 0}}, {Offset: 256, Bytes: []byte("secret")}},
		Funcs: []wasmtest.Func{{Export: "_start", Body: wasmtest.Cat(
			wasmtest.Const(0), wasmtest.Const(0), wasmtest.Const(1), wasmtest.Const(512), wasmtest.Call(0), wasmtest.Drop,
			wasmtest.Const(3), wasmtest.Const(0), wasmtest.Const(256), wasmtest.Const(6), wasmtest.Const(0),
			wasmtest.Const64(2), wasmtest.Const64(0), wasmtest.Const(0), wasmtest.Const(512), wasmtest.Call(1), wasmtest.Drop,
			wasmtest.Loop(wasmtest.Br(0)))}},
	}.Bytes()
	if err := os.WriteFile(n.guest("asks"), b, 0o600); err != nil {
		n.t.Fatal(err)
	}
}

// refusesToRun checks that nothing runs, and that the error says what to do.
func (n *node) refusesToRun() {
	n.t.Helper()
	var out bytes.Buffer
	_, err := n.Run(n.t.Context(), spec(n.guest("hello"), &out))
	var e *abi.Error
	if !errors.As(err, &e) || e.Code == "" || e.Hint == "" || out.Len() > 0 {
		n.t.Fatalf("on a full disk a run gave %#v and wrote %q", err, out.String())
	}
	n.t.Logf("refused: %v", err)
}

// TestDiskFullRecording: the disk fills up with a run's own recording. The run
// ends and says why; its end and its recording are kept; nothing starts until
// there is room.
func TestDiskFullRecording(t *testing.T) {
	d := newSmallDisk(t)
	n := nodeOn(t, d)
	d.fill(4 << 20)
	s := kernel.Spec{Target: n.guest("noise")}
	s.Limits = abi.Limits{Recording: 1 << 40}
	s.Stdin, s.Stdout, s.Stderr = host.NewReader(strings.NewReader("")), host.NewWriter(io.Discard), host.NewWriter(io.Discard)
	r, err := n.Run(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if r.Outcome != abi.OutcomeRecordingFull || r.Calls == 0 {
		t.Fatalf("%+v", r)
	}
	if u, err := n.AwaitEnd(t.Context(), r.Run); err != nil || u.Outcome != abi.OutcomeRecordingFull {
		t.Fatal(u.Outcome, err)
	}
	if res, err := n.replay(r.Run).Go(t.Context(), nil, nil); err != nil || !res.Identical {
		t.Errorf("%+v, %v", res, err)
	}
	n.verify()
	d.free()
	d.fill(0)
	n.refusesToRun()
	before := n.verify().Records
	d.free()
	if r, out := n.run(kernel.Spec{Target: n.guest("hello")}); r.Outcome != abi.OutcomeExit || out != "hello by hand\n" {
		t.Fatalf("%+v %q", r, out)
	}
	if after := n.verify().Records; after != before+2 {
		t.Errorf("a run made %d records", after-before)
	}
}

// denyUntilFull puts denials of a run into the log until there is no more room
// for one whose rule ends so.
func denyUntilFull(t *testing.T, l *evidence.Log, id abi.RunID, tail string) {
	t.Helper()
	var err error
	for i := 0; err == nil; i++ {
		_, err = l.Update(t.Context(), func() ([]abi.Record, error) {
			return []abi.Record{{Body: &abi.Denial{Run: id, Rule: fmt.Sprint(i, tail), Num: 1, Reason: abi.ReasonForbid, Severity: 1}}}, nil
		})
	}
	if abi.CodeOf(err) != evidence.CodeFull {
		t.Fatal(err)
	}
}

// TestDiskFullLog: the log fills up, by another process, while a guest runs.
// What the guest does next can't be recorded: the run ends as log-failed. Its
// denial and its end are in the log all the same, in the room held back. When
// there is room again the same kernel goes on.
func TestDiskFullLog(t *testing.T) {
	d := newSmallDisk(t)
	n := nodeOn(t, d)
	in, stdin := io.Pipe()
	s := kernel.Spec{Target: n.guest("asks"), Stdin: host.NewReader(in), Stdout: host.NewWriter(io.Discard), Stderr: host.NewWriter(io.Discard)}
	started := make(chan abi.RunID, 1)
	s.Started = func(id abi.RunID, _ string, _ bool) { started <- id }
	type end struct {
		*kernel.Report
		error
	}
	ended := make(chan end, 1)
	go func() {
		r, err := n.Run(context.Background(), s)
		ended <- end{r, err}
	}()
	id := <-started
	dead := n.StartAndDie(t.Context(), n.guest("exit")) // another, to be denied a lot
	d.fill(0)
	other, err := evidence.Open(evidence.Options{Dir: n.Home().Log(), Key: n.Keys().Log})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	denyUntilFull(t, other, dead, strings.Repeat(" and so on", 200))
	denyUntilFull(t, other, dead, "")
	if _, err := stdin.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	r := <-ended
	if r.error != nil || r.Outcome != abi.OutcomeLogFailed || r.Denials != 1 {
		t.Fatalf("%+v, %v", r.Report, r.error)
	}
	if u, err := n.AwaitEnd(t.Context(), id); err != nil || u.Outcome != abi.OutcomeLogFailed {
		t.Fatal(u.Outcome, err)
	}
	denied := false
	if err := evidence.Read(n.Home().Log(), 0, func(_ uint64, r abi.Record) error {
		b, ok := r.Body.(*abi.Denial)
		denied = denied || ok && b.Run == id
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if !denied {
		t.Error("the denial that could not be written at once is lost")
	}
	n.refusesToRun()
	n.verify()
	d.free()
	if r, _ := n.run(kernel.Spec{Target: n.guest("hello")}); r.Outcome != abi.OutcomeExit {
		t.Fatalf("%+v", r)
	}
	n.verify()
}

// TestDiskFullPrune: where even the log has no room left, recordings can be
// dropped still, by whoever opens the state folder, and that makes room for runs.
func TestDiskFullPrune(t *testing.T) {
	d := newSmallDisk(t)
	n := nodeOn(t, d)
	for range 100 { // more than go in one transaction
		n.run(kernel.Spec{Target: n.guest("hello")})
	}
	n.Kernel = budgets(t, string(n.Home()), "4KiB", "4KiB")
	dead := n.StartAndDie(t.Context(), n.guest("exit")) // to be denied a lot
	d.fill(0)
	other, err := evidence.Open(evidence.Options{Dir: n.Home().Log(), Key: n.Keys().Log})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	denyUntilFull(t, other, dead, strings.Repeat(" and so on", 200))
	denyUntilFull(t, other, dead, "")
	n.refusesToRun()
	n.Kernel = openKernel(t, string(n.Home())) // as another process would, that closes the dead run
	p, err := n.Prune(t.Context(), false)
	if err != nil || len(p.Dropped) <= brain.MaxDrops {
		t.Fatalf("%+v, %v", p, err)
	}
	agree(t, n.Kernel)
	if r, _ := n.run(kernel.Spec{Target: n.guest("hello")}); r.Outcome != abi.OutcomeExit {
		t.Fatalf("%+v", r)
	}
	n.verify()
}
