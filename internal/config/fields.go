package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/forgeone/forgeone/internal/rewrite"
)

// document is the shape of the text.
type document struct {
	Format      leaf      `yaml:"format"`
	Origin      leaf      `yaml:"origin"`
	BareModules leaf      `yaml:"bare_modules"`
	Quorum      leaf      `yaml:"quorum"`
	Recording   leaf      `yaml:"recording"`
	Limits      limits    `yaml:"limits"`
	Retention   retention `yaml:"retention"`
	Admission   admission `yaml:"admission"`
}

type limits struct {
	Fuel        leaf `yaml:"fuel"`
	Deadline    leaf `yaml:"deadline"`
	Memory      leaf `yaml:"memory"`
	Table       leaf `yaml:"table"`
	Descriptors leaf `yaml:"descriptors"`
	Output      leaf `yaml:"output"`
	Recording   leaf `yaml:"recording"`
	Depth       leaf `yaml:"depth"`
	Scratch     leaf `yaml:"scratch"`
	Disk        leaf `yaml:"disk"`
	Denials     leaf `yaml:"denials"`
}

type retention struct {
	Total    leaf `yaml:"total"`
	Workload leaf `yaml:"workload"`
}

type admission struct {
	Module              leaf `yaml:"module"`
	Rewritten           leaf `yaml:"rewritten"`
	Types               leaf `yaml:"types"`
	Values              leaf `yaml:"values"`
	TypeValues          leaf `yaml:"type_values"`
	Imports             leaf `yaml:"imports"`
	Exports             leaf `yaml:"exports"`
	Tables              leaf `yaml:"tables"`
	Globals             leaf `yaml:"globals"`
	Functions           leaf `yaml:"functions"`
	Body                leaf `yaml:"body"`
	LocalsPerFunction   leaf `yaml:"locals_per_function"`
	Locals              leaf `yaml:"locals"`
	OperandsPerFunction leaf `yaml:"operands_per_function"`
	Operands            leaf `yaml:"operands"`
	Nesting             leaf `yaml:"nesting"`
	BrTable             leaf `yaml:"br_table"`
	DataSegments        leaf `yaml:"data_segments"`
	ElementSegments     leaf `yaml:"element_segments"`
	CompileMemory       leaf `yaml:"compile_memory"`
	CompileDeadline     leaf `yaml:"compile_deadline"`
	CanonicalNaN        leaf `yaml:"canonical_nan"`
}

// field binds a value as written to where it goes. set returns what is wrong
// with it, in words that follow the field's name.
type field struct {
	name string
	leaf leaf
	set  func(text string) string
}

const (
	kib = 1 << 10
	mib = 1 << 20
	gib = 1 << 30
)

// bind sets c to the defaults and returns what the document may change in it,
// with the bounds of each value. Bounds are there so that no configuration,
// signed as it may be, asks for what the engine can't keep.
func (d *document) bind(c *Config) []field {
	caps := rewrite.DefaultCaps()
	c.caps, c.compile, c.compileMemory = caps, int64(2*time.Minute), 2*gib
	c.bare, c.quorum, c.recording = true, 1, "full"
	l := &c.limits
	l.Memory, l.Table, l.Descriptors = 256*mib, uint32(caps.Table), 1024
	l.Output, l.Recording, l.Depth = 256*mib, gib, caps.Depth
	l.Scratch, l.Disk, l.Denials = 64*mib, 8*gib, 100_000
	c.retention = Retention{Total: 20 * gib, Workload: 5 * gib}
	var format int
	return slices.Concat([]field{
		{"format", d.Format, number(&format, 1, 1)},
		{"origin", d.Origin, origin(&c.origin)},
		{"bare_modules", d.BareModules, word(map[string]func(){"allow": func() { c.bare = true }, "refuse": func() { c.bare = false }}, "allow or refuse")},
		{"quorum", d.Quorum, number(&c.quorum, 1, 64)},
		{"recording", d.Recording, word(map[string]func(){"full": func() { c.recording = "full" }}, "full")},
		{"limits.fuel", d.Limits.Fuel, number(&l.Fuel, 0, math.MaxInt64)},
		{"limits.deadline", d.Limits.Deadline, duration(&l.Deadline, 365*24*time.Hour)},
		{"limits.memory", d.Limits.Memory, size(&l.Memory, 64*kib, 4*gib)},
		{"limits.table", d.Limits.Table, number(&l.Table, 1, uint64(rewrite.MaxCaps().Table))},
		{"limits.descriptors", d.Limits.Descriptors, number(&l.Descriptors, 4, 1<<20)},
		{"limits.output", d.Limits.Output, size(&l.Output, 4*kib, 1<<40)},
		{"limits.recording", d.Limits.Recording, size(&l.Recording, mib, 1<<40)},
		{"limits.scratch", d.Limits.Scratch, size(&l.Scratch, 4*kib, 16*gib)},
		{"limits.disk", d.Limits.Disk, size(&l.Disk, 4*kib, 1<<50)},
		{"limits.denials", d.Limits.Denials, number(&l.Denials, 1, math.MaxInt64)},
		{"limits.depth", d.Limits.Depth, number(&l.Depth, 64, uint64(rewrite.MaxCaps().Depth))},
		{"retention.total", d.Retention.Total, budget(&c.retention.Total)},
		{"retention.workload", d.Retention.Workload, budget(&c.retention.Workload)},
		{"admission.compile_memory", d.Admission.CompileMemory, size(&c.compileMemory, 64*mib, 1<<40)},
		{"admission.compile_deadline", d.Admission.CompileDeadline, duration(&c.compile, 24*time.Hour)},
		{"admission.canonical_nan", d.Admission.CanonicalNaN, word(map[string]func(){
			"true": func() { c.caps.CanonicalNaN = true }, "false": func() { c.caps.CanonicalNaN = false },
		}, "true or false")},
	}, d.Admission.caps(&c.caps))
}

// caps are the fields that bound what a module may hold.
func (a *admission) caps(c *rewrite.Caps) []field {
	most := rewrite.MaxCaps()
	count := func(name string, l leaf, to *int, most int) field {
		return field{"admission." + name, l, number(to, 1, uint64(most))}
	}
	return []field{
		{"admission.module", a.Module, size(&c.ModuleBytes, 8, uint64(most.ModuleBytes))},
		{"admission.rewritten", a.Rewritten, size(&c.RewrittenBytes, 1, uint64(most.RewrittenBytes))},
		count("types", a.Types, &c.Types, most.Types),
		count("values", a.Values, &c.Values, most.Values),
		count("type_values", a.TypeValues, &c.TypeValues, most.TypeValues),
		count("imports", a.Imports, &c.Imports, most.Imports),
		count("exports", a.Exports, &c.Exports, most.Exports),
		count("tables", a.Tables, &c.Tables, most.Tables),
		count("globals", a.Globals, &c.Globals, most.Globals),
		count("functions", a.Functions, &c.Functions, most.Functions),
		{"admission.body", a.Body, size(&c.BodyBytes, 2, uint64(most.BodyBytes))},
		count("locals_per_function", a.LocalsPerFunction, &c.LocalsPerFunction, most.LocalsPerFunction),
		count("locals", a.Locals, &c.LocalsTotal, most.LocalsTotal),
		count("operands_per_function", a.OperandsPerFunction, &c.OperandsPerFunction, most.OperandsPerFunction),
		count("operands", a.Operands, &c.OperandsTotal, most.OperandsTotal),
		count("nesting", a.Nesting, &c.Nesting, most.Nesting),
		count("br_table", a.BrTable, &c.BrTable, most.BrTable),
		count("data_segments", a.DataSegments, &c.DataSegments, most.DataSegments),
		count("element_segments", a.ElementSegments, &c.ElementSegments, most.ElementSegments),
	}
}

type integer interface{ ~int | ~uint32 | ~uint64 }

// number reads a decimal number between low and high.
func number[T integer](to *T, low, high uint64) func(string) string {
	return func(text string) string {
		v, err := strconv.ParseUint(text, 10, 64)
		if err != nil || v < low || v > high {
			if low == high {
				return fmt.Sprintf("%q: this release knows only %d", clip(text), low)
			}
			return fmt.Sprintf("%q is not a whole number from %d to %d", clip(text), low, high)
		}
		*to = T(v)
		return ""
	}
}

// size reads a number of bytes, "65536" or "64KiB", between low and high.
func size[T integer](to *T, low, high uint64) func(string) string {
	return func(text string) string {
		v, ok := parseSize(text)
		if !ok || v < low || v > high {
			return fmt.Sprintf("%q is not a size from %s to %s, such as %s or %d", clip(text), FormatSize(low), FormatSize(high), FormatSize(low), low)
		}
		*to = T(v)
		return ""
	}
}

// budget reads a size, or that there is none.
func budget(to *uint64) func(string) string {
	return func(text string) string {
		if text == "unlimited" {
			*to = math.MaxUint64
			return ""
		}
		problem := size(to, 4*kib, 1<<50)(text)
		if problem != "" {
			problem += ", or unlimited"
		}
		return problem
	}
}

func parseSize(text string) (uint64, bool) {
	unit := uint64(1)
	for suffix, u := range map[string]uint64{"KiB": kib, "MiB": mib, "GiB": gib} {
		if digits, ok := strings.CutSuffix(text, suffix); ok {
			text, unit = strings.TrimSuffix(digits, " "), u
			break
		}
	}
	v, err := strconv.ParseUint(text, 10, 64)
	return v * unit, err == nil && v <= math.MaxUint64/unit
}

// FormatSize writes n with the largest unit that divides it.
func FormatSize(n uint64) string {
	switch {
	case n >= gib && n%gib == 0:
		return strconv.FormatUint(n/gib, 10) + "GiB"
	case n >= mib && n%mib == 0:
		return strconv.FormatUint(n/mib, 10) + "MiB"
	case n >= kib && n%kib == 0:
		return strconv.FormatUint(n/kib, 10) + "KiB"
	}
	return strconv.FormatUint(n, 10)
}

// duration reads a duration as Go writes it, "1m30s", into nanoseconds.
func duration(to *int64, high time.Duration) func(string) string {
	return func(text string) string {
		v, err := time.ParseDuration(text)
		if err != nil || v < 0 || v > high {
			return fmt.Sprintf("%q is not a duration from 0s to %s, such as 1m30s", clip(text), high)
		}
		*to = int64(v)
		return ""
	}
}

// word reads one of the words of choose.
func word(choose map[string]func(), words string) func(string) string {
	return func(text string) string {
		f, ok := choose[text]
		if !ok {
			return fmt.Sprintf("%q is not %s", clip(text), words)
		}
		f()
		return ""
	}
}

// origin reads the name of a log's origin (C2SP tlog-checkpoint: a line without
// spaces or plus signs), or nothing.
func origin(to *string) func(string) string {
	return func(text string) string {
		ok := len(text) <= 128
		for _, r := range text {
			ok = ok && ('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("._-/", r))
		}
		if !ok {
			return fmt.Sprintf("%q is not a name of at most 128 letters, digits, dots, slashes, dashes and underscores", clip(text))
		}
		*to = text
		return ""
	}
}

func clip(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}
