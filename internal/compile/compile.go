// Package compile has modules compiled in the box, at most two at a time in all
// processes of a state folder. Short compilations don't wait for long ones: those are
// paused. What several want at once is compiled once. A bomb costs its owner's share,
// and ends.
package compile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/box"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/sys"
	"github.com/forgeone/forgeone/internal/wasm"
)

// Jobs are what children of the box do for this package.
func Jobs() []box.Job { return []box.Job{{Name: wasm.CompileJob, Run: wasm.Child}} }

// Config says where and within which bounds modules are compiled.
type Config struct {
	// Box is where they are compiled; nil, where there is none, and why there is none.
	Box   *box.Box
	NoBox error
	// Queue is the file of the table that all processes of a state folder share. It and
	// its folder are made where they are not there: they may be removed at any time.
	Queue string
	// Memory bounds the memory of one compilation, in bytes; at most half of what the
	// machine or its control group has is given.
	Memory uint64
	// Deadline bounds the time that one compilation runs, in wall time without the
	// time for which it is paused, and twice that in processor time; 0: nothing does.
	Deadline time.Duration
}

// Outside compiles modules. It is safe for concurrent use.
type Outside struct {
	Config
	given uint64 // bytes of memory for one compilation
	most  int    // are started and not ended
	start func(box.Task) (child, error)
}

// child is a compilation that was started.
type child interface {
	Pause()
	Continue()
	Kill()
	CPU() time.Duration
	Done() <-chan struct{}
	Wait() box.End
}

// New returns what compiles by c.
func New(c Config) *Outside {
	o := &Outside{Config: c, given: min(c.Memory, box.MostMemory()), most: places + 1}
	if m := sys.Memory(); m > 0 {
		if o.given = min(o.given, m/2); m/4 >= o.given {
			o.most = places + 2
		}
	}
	o.start = func(t box.Task) (child, error) {
		if c.Box == nil {
			return nil, c.NoBox
		}
		return c.Box.Start(t)
	}
	return o
}

// Given is the memory that one compilation is given, in bytes.
func (o *Outside) Given() uint64 { return o.given }

// Walls says what keeps a compilation in, and what it is given.
func (o *Outside) Walls() (string, error) {
	w, err := "", o.NoBox
	if o.Box != nil {
		w, err = o.Box.Walls()
	}
	if err != nil {
		return "", &abi.Error{Code: "F1-RUN-169", What: "the process that compiles can't be started or confined", Err: err, Hint: "forgeone explain F1-RUN-169"}
	}
	return fmt.Sprintf("modules are compiled in a child with %s of memory: %s", size(o.given), w), nil
}

// How often a compilation looks at the table: sooner while it waits for its turn.
const (
	lookWaiting = 5 * time.Millisecond
	lookRunning = 50 * time.Millisecond
	lookMost    = time.Second
)

// Compile is that of wasm.Outside. A compilation that was called off, or that failed
// for want of a machine with more to give, may be tried again; another failure lasts.
//
// # Errors
//
// F1-MOD-011, -012, -018: it took too long, failed, or needed too much memory;
// F1-RUN-165: the table can't be written; F1-RUN-167: the machine ended it;
// F1-RUN-169: no process could be started and confined.
func (o *Outside) Compile(ctx context.Context, job wasm.Job, done func([]byte, error) error) error {
	slot, err := o.slot(ctx)
	if err != nil {
		return err
	}
	t := &turn{
		o: o, job: job, slot: slot,
		row: row{since: sys.Monotonic(), owner: ownerOf(seal.Sum("forgeone/owner/v1", []byte(job.Owner))), digest: job.Digest},
	}
	defer t.leave()
	end, err := t.take(ctx)
	if errors.Is(err, wasm.ErrElsewhere) || ctx.Err() != nil {
		return errors.Join(ctx.Err(), err)
	}
	if err == nil && end.Cause == box.CauseDone {
		return done(end.Answer, nil)
	}
	if err == nil {
		err = o.failed(end, t.late)
	}
	return done(nil, err)
}

// slot takes a row of the table. Where there is none it waits for one.
func (o *Outside) slot(ctx context.Context) (*sys.Slot, error) {
	for {
		s, err := sys.TakeSlot(ctx, o.Queue, rowSize, rowLimit)
		if errors.Is(err, fs.ErrNotExist) {
			if err = os.MkdirAll(filepath.Dir(o.Queue), 0o700); err == nil {
				s, err = sys.TakeSlot(ctx, o.Queue, rowSize, rowLimit)
			}
		}
		switch {
		case err == nil:
			return s, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case !errors.Is(err, sys.ErrSlotsFull):
			return nil, o.noTable(err)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(lookRunning):
		}
	}
}

func (o *Outside) noTable(err error) error {
	return &abi.Error{Code: "F1-RUN-165", What: "the table of compilations under way can't be used", Where: o.Queue, Err: err, Hint: "forgeone doctor"}
}

// turn is a compilation from its place in the table to its end. It belongs to the
// goroutine that asked for it.
type turn struct {
	o    *Outside
	job  wasm.Job
	slot *sys.Slot
	row  row

	child  child
	spent  time.Duration // processor time of children that were taken back
	ran    time.Duration // that it has run
	since  time.Time     // when it was last let run
	late   bool          // the deadline was over
	behind bool          // another compiles the same
}

func (t *turn) leave() {
	if t.child != nil {
		t.child.Kill()
		t.child.Wait()
	}
	_ = t.slot.Leave() // the lock falls all the same
}

// take does what the plan says until the compilation has ended.
func (t *turn) take(ctx context.Context) (box.End, error) {
	for {
		crowd, err := t.look(ctx)
		if err != nil {
			return box.End{}, err
		}
		var done <-chan struct{}
		pause := lookWaiting
		if t.child != nil {
			done, pause = t.child.Done(), lookRunning
		}
		// A crowd that looks all the time would have time for nothing else.
		pause = min(max(pause, time.Duration(crowd)*time.Millisecond), lookMost)
		if left := t.left(); left > 0 {
			pause = min(pause, left)
		}
		timer := time.NewTimer(pause)
		select {
		case <-done:
			timer.Stop()
			return t.ended(ctx)
		case <-ctx.Done():
			timer.Stop()
			return box.End{}, ctx.Err()
		case <-timer.C:
		}
		if t.row.state == running && t.o.Deadline > 0 && t.left() <= 0 {
			t.late = true
			t.child.Kill()
			<-t.child.Done()
			return t.ended(ctx)
		}
	}
}

// left is how long it may still run, 0 if it does not, or may as long as it takes.
func (t *turn) left() time.Duration {
	if t.row.state != running || t.o.Deadline == 0 {
		return 0
	}
	return t.o.Deadline - t.ran - time.Since(t.since)
}

// look looks at the table and does what is to be done. It tells how many are there.
func (t *turn) look(ctx context.Context) (crowd int, err error) {
	if t.child != nil {
		// One that sleeps holds its place too.
		t.row.used = max(t.spent+t.child.CPU(), t.ran)
		if t.row.state == running {
			t.row.used = max(t.row.used, t.ran+time.Since(t.since))
		}
	}
	t.row.seen = sys.Monotonic()
	was, first := t.row.state, false
	err = t.slot.Update(ctx, func(rows [][]byte, own int) []byte {
		all := make([]row, len(rows))
		for i, b := range rows {
			all[i] = rowOf(b)
		}
		all[own], crowd = t.row, len(rows)
		all, own = alive(all, own)
		t.row.state, first = next(all, own, t.o.most)
		return t.row.bytes()
	})
	if err != nil && ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if err != nil {
		return 0, t.o.noTable(err)
	}
	if t.behind && first && t.changed() { // else nothing came of the other, and this one goes on in its place
		return 0, wasm.ErrElsewhere
	}
	t.behind = !first
	return crowd, t.change(was)
}

// changed tells whether the module need not be compiled any more.
func (t *turn) changed() bool { return t.job.Changed != nil && t.job.Changed() }

// change takes the step from the state was to the row's.
func (t *turn) change(was state) (err error) {
	if t.row.state == was {
		return nil
	}
	if was == running {
		t.ran += time.Since(t.since)
	}
	switch {
	case t.row.state == running && t.child == nil && t.changed():
		return wasm.ErrElsewhere // between the look into the cache and this turn
	case t.row.state == running && t.child == nil:
		cpu := 2 * t.o.Deadline // of two threads
		t.child, err = t.o.start(box.Task{
			Job: wasm.CompileJob, Arg: t.job.Kind.String(), In: t.job.Code,
			Memory: t.o.given, CPU: cpu, Answer: t.o.mostCode(len(t.job.Code)),
		})
		if err != nil {
			t.child = nil
			return &abi.Error{Code: "F1-RUN-169", What: "no process could be started that compiles the module", Err: err, Hint: "forgeone doctor"}
		}
		t.since = time.Now()
	case t.row.state == running:
		t.since = time.Now()
		t.child.Continue()
	case t.row.state == paused:
		t.child.Pause()
	case t.row.state == waiting:
		t.child.Kill()
		t.spent += t.child.Wait().CPU
		t.child, t.ran = nil, 0
	}
	return nil
}

// ended gives the place up, and keeps the row until what came of it is kept.
func (t *turn) ended(ctx context.Context) (box.End, error) {
	end := t.child.Wait()
	t.child = nil
	t.row.state, t.row.used, t.row.seen = finishing, t.spent+end.CPU, sys.Monotonic()
	if err := t.slot.Update(ctx, func([][]byte, int) []byte { return t.row.bytes() }); err != nil {
		return end, t.o.noTable(err)
	}
	return end, nil
}

// mostCode bounds the machine code of a module of so many bytes. The compiler holds it
// several times before it is done, so what is more than a quarter of its memory has no
// chance; and this process is to hold it too. Code has some five times a module's size,
// of instructions that are chosen for it sixty times.
func (o *Outside) mostCode(module int) int64 {
	return min(int64(o.given/4), 64<<20+64*int64(module))
}

// failed is why there is no code.
func (o *Outside) failed(end box.End, late bool) error {
	e := &abi.Error{}
	switch end.Cause {
	case box.CauseKilled, box.CauseCPU:
		e.Code, e.What = abi.CodeCompileDeadline, fmt.Sprintf("compiling the module took longer than %v", o.Deadline)
		e.Hint = fmt.Sprintf("set admission.compile_deadline to %v in the configuration, if you trust the module: forgeone init --config FILE", 2*o.Deadline)
		if late && end.CPU < o.Deadline*9/10 {
			return e // a busy machine: another time it may do
		}
	case box.CauseMemory, box.CauseAnswer:
		e.Code, e.What = abi.CodeCompileMemory, fmt.Sprintf("compiling the module takes more than the %s of memory that it is given", size(o.given))
		e.Hint = fmt.Sprintf("set admission.compile_memory to %s in the configuration, if you trust the module: forgeone init --config FILE", size(2*o.Memory))
		if o.given < o.Memory {
			e.Hint = fmt.Sprintf("compile it where there is more memory: one compilation is given half of what the machine or its control group has, and no more than `ulimit -Hd` says; here that is %s", size(o.given))
		}
	case box.CauseBreach:
		e.Code, e.What = abi.CodeCompileFailed, "the process that compiled the module tried what no compilation does, and was ended"
		e.Hint = "do not run this module; tell ForgeOne's maintainers, with the module"
	case box.CauseCrash:
		e.Code, e.What = abi.CodeCompileFailed, "the compiler failed on the module"
		e.Err = textOf(end.Text)
		e.Hint = "tell ForgeOne's maintainers, with the module"
	case box.CauseWalls:
		return &abi.Error{Code: "F1-RUN-169", What: "the process that compiles could not be started and confined", Err: textOf(end.Text), Hint: "forgeone doctor"}
	default:
		return &abi.Error{
			Code: "F1-RUN-167", What: "the process that compiled the module was ended from outside: the machine is short of memory, or `ulimit -Ht` leaves it too little time",
			Err: syscall.ENOMEM, Hint: "free -m; ulimit -Ht # and try again",
		}
	}
	return &wasm.Lasting{Err: e}
}

func textOf(s string) error {
	if s == "" {
		return nil
	}
	return errors.New(s)
}

// size writes a number of bytes as the configuration takes it.
func size(n uint64) string {
	for _, u := range [...]struct {
		unit uint64
		name string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n >= u.unit && n%u.unit == 0 || n >= 16*u.unit {
			return fmt.Sprintf("%d%s", n/u.unit, u.name)
		}
	}
	return fmt.Sprint(n)
}
