package cli

import (
	"io"
	"os"
	"time"
)

// progress tells on standard error how far a long reading of the log is.
type progress struct {
	w     io.Writer // nil: nobody wants to know
	next  time.Time
	shown bool
	line  string // what begins a line that takes the place of the last one
}

// progress returns one that tells if asked to, or if a person looks on.
func (a *app) progress(asked bool) *progress {
	p := &progress{next: time.Now().Add(time.Second), line: "\n"}
	if f, ok := a.stderr.(*os.File); ok {
		if i, err := f.Stat(); err == nil && i.Mode()&os.ModeCharDevice != 0 {
			p.w, p.line = f, "\r"
		}
	}
	if asked {
		p.w, p.next = a.stderr, time.Time{}
	}
	return p
}

// tell says so, at most once a second.
func (p *progress) tell(records, bytes uint64) {
	now := time.Now()
	if p.w == nil || now.Before(p.next) {
		return
	}
	p.next = now.Add(time.Second)
	if p.shown {
		printf(p.w, p.line) // which goes back to the beginning of the line
	}
	p.shown = true
	printf(p.w, "forgeone: %d records, %d MiB", records, bytes>>20)
}

// end ends the line.
func (p *progress) end() {
	if p.shown {
		printn(p.w)
		p.shown = false
	}
}
