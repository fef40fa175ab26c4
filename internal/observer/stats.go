package observer

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/trace"
)

// Filter chooses calls. The zero Filter takes all.
type Filter struct {
	DenyOnly bool     // only what was denied
	Names    []string // only these syscalls, by name; none: all
}

// Match tells whether f takes ev.
func (f *Filter) Match(ev *trace.Event) bool {
	if f.DenyOnly && (ev.Decision == nil || ev.Decision.Verdict == abi.Allow) {
		return false
	}
	return len(f.Names) == 0 || slices.Contains(f.Names, ev.Row().Name)
}

// Each calls f for every call of r that the filter takes, from the beginning.
func (f *Filter) Each(r *trace.Reader, do func(ev *trace.Event) error) error {
	if err := r.Rewind(); err != nil {
		return err
	}
	var ev trace.Event
	for {
		if err := r.Next(&ev); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if f.Match(&ev) {
			if err := do(&ev); err != nil {
				return err
			}
		}
	}
}

// SyscallStats is what a run did through one syscall.
type SyscallStats struct {
	Name     string `json:"name"`
	Class    string `json:"class"`
	Calls    uint64 `json:"calls"`
	Denials  uint64 `json:"denials"`
	Errors   uint64 `json:"errors"`    // allowed, and answered with an errno
	BytesIn  uint64 `json:"bytes_in"`  // from the guest
	BytesOut uint64 `json:"bytes_out"` // to the guest
	Samples  uint64 `json:"samples"`   // calls whose time was measured
	Sampled  int64  `json:"sampled_ns"`
	Time     int64  `json:"time_ns"` // estimated: the samples' mean for every call
}

func (s *SyscallStats) add(ev *trace.Event) {
	s.Calls++
	switch denied := ev.Decision != nil && ev.Decision.Verdict != abi.Allow; {
	case denied:
		s.Denials++
	case ev.Errno != abi.ESUCCESS:
		s.Errors++
	}
	s.BytesIn += uint64(ev.InLen)
	s.BytesOut += uint64(len(ev.Out))
	if ev.Duration >= 0 {
		s.Samples++
		s.Sampled += ev.Duration
		s.Time = int64(float64(s.Sampled) / float64(s.Samples) * float64(s.Calls))
	} else if s.Samples > 0 {
		s.Time = int64(float64(s.Sampled) / float64(s.Samples) * float64(s.Calls))
	}
}

// Stats is what a run did, per syscall: most calls first, then by name.
type Stats struct {
	Syscalls []SyscallStats `json:"syscalls"`
	Total    SyscallStats   `json:"total"`
}

// Collect reads the calls of r that f takes.
func Collect(r *trace.Reader, f Filter) (*Stats, error) {
	per := make([]SyscallStats, len(abi.Rows())+1)
	err := f.Each(r, func(ev *trace.Event) error {
		per[ev.Num].add(ev)
		return nil
	})
	if err != nil {
		return nil, err
	}
	s := &Stats{Total: SyscallStats{Name: "total"}}
	for _, row := range abi.Rows() {
		p := per[row.Num]
		if p.Calls == 0 {
			continue
		}
		p.Name, p.Class = row.Name, row.Class.String()
		s.Syscalls = append(s.Syscalls, p)
		t := &s.Total
		t.Calls += p.Calls
		t.Denials += p.Denials
		t.Errors += p.Errors
		t.BytesIn += p.BytesIn
		t.BytesOut += p.BytesOut
		t.Samples += p.Samples
		t.Sampled += p.Sampled
		t.Time += p.Time
	}
	slices.SortFunc(s.Syscalls, func(a, b SyscallStats) int {
		return cmp.Or(cmp.Compare(b.Calls, a.Calls), strings.Compare(a.Name, b.Name))
	})
	return s, nil
}

// Write prints s as a table. Times are estimates from every 64th call; a
// syscall that was never measured shows "-".
func (s *Stats) Write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "calls\tdenied\terrors\tbytes in\tbytes out\ttime (est.)\t  syscall") // its error is Flush's
	for _, r := range append(slices.Clone(s.Syscalls), s.Total) {
		d := "-"
		if r.Samples > 0 {
			d = time.Duration(r.Time).Round(time.Microsecond).String()
		}
		fmt.Fprintf(t, "%d\t%d\t%d\t%d\t%d\t%s\t  %s\n", r.Calls, r.Denials, r.Errors, r.BytesIn, r.BytesOut, d, r.Name)
	}
	return t.Flush()
}
