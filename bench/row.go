package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
)

// Row is one figure.
type Row struct {
	Section string  `json:"section"`
	Name    string  `json:"name"`
	Unit    string  `json:"unit"`
	Ours    float64 `json:"ours"` // wall time, or a rate
	Rival   float64 `json:"rival,omitempty"`
	Beside  string  `json:"beside,omitempty"` // who the rival is
	Ratio   float64 `json:"ratio,omitempty"`  // ours to the rival's
	// The same by CPU time of the whole process, where it was measured.
	CPUOurs  float64 `json:"cpu_ours,omitempty"`
	CPURival float64 `json:"cpu_rival,omitempty"`
	CPURatio float64 `json:"cpu_ratio,omitempty"`
	Bar      string  `json:"bar,omitempty"`
	Met      *bool   `json:"met,omitempty"`
	Note     string  `json:"note,omitempty"`
}

// bar is a figure to reach.
type bar struct {
	text string
	met  func(Row) bool
}

func (r Row) with(b bar) Row {
	if b.met == nil {
		return r
	}
	met := b.met(r)
	r.Bar, r.Met = b.text, &met
	return r
}

func times(most float64) bar {
	return bar{fmt.Sprintf("≤ %g×", most), func(r Row) bool { return r.Ratio > 0 && r.Ratio <= most }}
}

// timesBoth is a bar for wall time and one for CPU time.
func timesBoth(wall, cpu float64) bar {
	return bar{fmt.Sprintf("≤ %g×, CPU ≤ %g×", wall, cpu), func(r Row) bool { return r.Ratio > 0 && r.Ratio <= wall && r.CPURatio > 0 && r.CPURatio <= cpu }}
}

func atLeast(rate float64) bar {
	return bar{"≥ " + figure(rate), func(r Row) bool { return r.Ours >= rate }}
}

func atMost(v float64, unit string) bar {
	return bar{fmt.Sprintf("≤ %g %s", v, unit), func(r Row) bool { return r.Ours <= v }}
}

func printJSON(w io.Writer, rows []Row) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(struct {
		Schema string `json:"schema"`
		Rows   []Row  `json:"rows"`
	}{"forgeone.bench/v1", rows})
}

func printText(out io.Writer, rows []Row) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	section := ""
	for _, r := range rows {
		if r.Section != section {
			section = r.Section
			fmt.Fprintf(w, "\n%s\tunit\tours\trival\tratio\tCPU ratio\tbar\tmet\tbeside, notes\n", section)
		}
		met := ""
		if r.Met != nil {
			met = map[bool]string{true: "yes", false: "no"}[*r.Met]
		}
		note := r.Beside
		if note != "" && r.Note != "" {
			note += "; "
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Name, r.Unit, figure(r.Ours), figure(r.Rival), ratio(r.Ratio), ratio(r.CPURatio), r.Bar, met, note+r.Note)
	}
	return w.Flush()
}

func ratio(v float64) string {
	if v == 0 {
		return ""
	}
	return strconv.FormatFloat(v, 'f', 2, 64) + "×"
}

// figure prints v with three digits that count, and thousands apart.
func figure(v float64) string {
	switch {
	case v == 0:
		return ""
	case v < 10:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case v < 100:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	s := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
