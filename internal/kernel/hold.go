package kernel

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/evidence"
	"github.com/forgeone/forgeone/internal/brain"
	"github.com/forgeone/forgeone/internal/config"
	"github.com/forgeone/forgeone/internal/trace"
)

// Hold keeps a run's recording, whatever the budgets say, until a hold's end: an
// operator's act, see Unhold. The run may be under way still. Errors:
// F1-RET-001, it was dropped; F1-RET-002, it is held; F1-RET-004, the reason.
func (k *Kernel) Hold(ctx context.Context, id abi.RunID, reason string) error {
	if len(reason) > brain.MaxReason || !utf8.ValidString(reason) {
		return &abi.Error{Code: "F1-RET-004", What: fmt.Sprintf("the reason is not a text of at most %d bytes", brain.MaxReason), Hint: "forgeone hold --reason SHORT " + string(id)}
	}
	var late *brain.Run
	_, err := k.log.Update(ctx, func() (records []abi.Record, err error) {
		k.ledger.view(func(s *brain.State) {
			u, ok := s.Run(id)
			switch {
			case !ok:
				err = errors.Join(s.Err(), noRun(id))
			case u.Drop != 0:
				late = &u
			case u.Held != 0:
				err = &abi.Error{Code: "F1-RET-002", What: fmt.Sprintf("the run is held since record %d", u.Held), Where: string(id), Hint: "forgeone explain " + string(id)}
			default:
				records = []abi.Record{{Body: &abi.Hold{Run: id, Reason: reason}}}
			}
		})
		return records, err
	})
	if err == nil && late != nil {
		err = k.droppedError(*late)
	}
	return err
}

// Unhold is the operator's act that ends a hold: the next who prunes may drop the
// recording. F1-RET-003: the run is not held.
func Unhold(id abi.RunID) Change {
	return func(s *brain.State) (any, error) {
		u, ok := s.Run(id)
		switch {
		case !ok:
			return nil, errors.Join(s.Err(), noRun(id))
		case u.Held == 0:
			return nil, &abi.Error{Code: "F1-RET-003", What: "the run is not held", Where: string(id), Hint: "forgeone runs"}
		}
		return &abi.HoldEnd{Run: id}, nil
	}
}

func noRun(id abi.RunID) error {
	return &abi.Error{Code: "F1-RUN-130", What: "no such run", Where: string(id), Hint: "forgeone runs"}
}

// opened opens a run's recording with open, and keeps it from being dropped
// while it is.
func (k *Kernel) opened(r brain.Run, open func() (*trace.Reader, error)) (*trace.Reader, error) {
	if r.Drop != 0 {
		return nil, k.droppedError(r)
	}
	rec, err := open()
	if abi.CodeOf(err) == trace.CodeMissing && k.droppedSince(&r) {
		return nil, k.droppedError(r)
	}
	if err != nil {
		return nil, err
	}
	if !r.Open() {
		rec.Share()
	}
	return rec, nil
}

// droppedSince tells whether another process dropped the recording of r since it
// was looked up, and looks it up anew.
func (k *Kernel) droppedSince(r *brain.Run) bool {
	if k.log.Refresh(context.Background()) == nil { // else whoever uses the log will tell
		k.ledger.view(func(s *brain.State) { *r, _ = s.Run(r.ID) })
	}
	return r.Drop != 0
}

// droppedError says when and why the recording of r was dropped.
func (k *Kernel) droppedError(r brain.Run) error {
	e := &abi.Error{Code: "F1-RET-001", What: "the recording was dropped; the log keeps the run's start, end, seal and denials", Where: string(r.ID), Hint: "forgeone explain " + string(r.ID)}
	about, err := k.About(r)
	if err != nil {
		e.Err = err
	} else if about.Dropped != nil {
		e.What = "the recording was dropped " + DropWords(about.Dropped) + "; the log keeps the run's start, end, seal and denials"
	}
	return e
}

// DropWords says when a recording was dropped, and why.
func DropWords(d *Noted[abi.RecordingDrop]) string {
	whose := "the recordings of its workload"
	if d.Body.Cause == abi.DropTotal {
		whose = "all recordings"
	}
	return fmt.Sprintf("on %s to keep %s within %s", time.Unix(0, d.Time).UTC().Format("2006-01-02 15:04:05Z"), whose, config.FormatSize(d.Body.Budget))
}

// Noted is a record about a run.
type Noted[T any] struct {
	Index uint64
	Time  int64 // unix nanoseconds
	Body  T
}

// About is what the log says of a run; nil where it says nothing.
type About struct {
	Start   *Noted[abi.RunStart]
	End     *Noted[abi.RunEnd]
	Stop    *Noted[abi.RunStop]
	Held    *Noted[abi.Hold]
	Dropped *Noted[abi.RecordingDrop]
}

// About reads from the log how r started and ended, why it was stopped, is held,
// or has no recording any more. It costs one reading of the log up to there.
func (k *Kernel) About(r brain.Run) (a About, err error) {
	indexes := []uint64{r.Start}
	for _, n := range []uint64{r.End, r.Stop, r.Held, r.Drop} {
		if n != 0 {
			indexes = append(indexes, n)
		}
	}
	records, err := evidence.Entries(k.home.Log(), indexes...)
	for i, rec := range records {
		switch b := rec.Body.(type) {
		case *abi.RunStart:
			a.Start = notedAt(indexes[i], rec, b)
		case *abi.RunEnd:
			a.End = notedAt(indexes[i], rec, b)
		case *abi.RunStop:
			a.Stop = notedAt(indexes[i], rec, b)
		case *abi.Hold:
			a.Held = notedAt(indexes[i], rec, b)
		case *abi.RecordingDrop:
			a.Dropped = notedAt(indexes[i], rec, b)
		}
	}
	return a, err
}

func notedAt[T any](index uint64, rec abi.Record, body *T) *Noted[T] {
	return &Noted[T]{index, rec.Time, *body}
}
