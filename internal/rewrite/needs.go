package rewrite

import (
	"errors"
	"fmt"
	"strings"

	"github.com/forgeone/forgeone/abi"
)

// limit is one thing that Caps bound.
type limit int

const (
	limitModule limit = iota
	limitRewritten
	limitTypes
	limitValues
	limitTypeValues
	limitImports
	limitExports
	limitTables
	limitGlobals
	limitFunctions
	limitBody
	limitLocalsPerFunction
	limitLocals
	limitOperandsPerFunction
	limitOperands
	limitNesting
	limitBrTable
	limitTable
	limitElements
	limitDataSegments
	limitElementSegments
	limits
)

// bound says what a limit counts and which field of the configuration sets it.
type bound struct {
	what, field string
	// streamed: how much the module needs is known only when all of it was read.
	streamed bool
}

// bounds are those of the limits. They are a function's value and not a variable so
// that nobody can change them.
func bounds() *[limits]bound {
	return &[limits]bound{
		limitModule:              {"bytes", "admission.module", false},
		limitRewritten:           {"bytes of rewritten code", "admission.rewritten", true},
		limitTypes:               {"types", "admission.types", false},
		limitValues:              {"values of a type", "admission.values", true},
		limitTypeValues:          {"values of all types", "admission.type_values", true},
		limitImports:             {"imports", "admission.imports", false},
		limitExports:             {"exports", "admission.exports", false},
		limitTables:              {"tables", "admission.tables", false},
		limitGlobals:             {"globals", "admission.globals", false},
		limitFunctions:           {"functions", "admission.functions", false},
		limitBody:                {"bytes of a function", "admission.body", false},
		limitLocalsPerFunction:   {"locals of a function", "admission.locals_per_function", true},
		limitLocals:              {"locals of all functions", "admission.locals", true},
		limitOperandsPerFunction: {"operands of a function", "admission.operands_per_function", true},
		limitOperands:            {"operands of all functions", "admission.operands", true},
		limitNesting:             {"blocks within blocks", "admission.nesting", true},
		limitBrTable:             {"labels of a br_table", "admission.br_table", true},
		limitTable:               {"elements in tables", "limits.table", true},
		limitElements:            {"elements in segments", "limits.table", true},
		limitDataSegments:        {"data segments", "admission.data_segments", false},
		limitElementSegments:     {"element segments", "admission.element_segments", false},
	}
}

// of is where in c a limit is.
func (c *Caps) of(l limit) *int {
	return [limits]*int{
		limitModule: &c.ModuleBytes, limitRewritten: &c.RewrittenBytes,
		limitTypes: &c.Types, limitValues: &c.Values, limitTypeValues: &c.TypeValues,
		limitImports: &c.Imports, limitExports: &c.Exports, limitTables: &c.Tables, limitGlobals: &c.Globals,
		limitFunctions: &c.Functions, limitBody: &c.BodyBytes,
		limitLocalsPerFunction: &c.LocalsPerFunction, limitLocals: &c.LocalsTotal,
		limitOperandsPerFunction: &c.OperandsPerFunction, limitOperands: &c.OperandsTotal,
		limitNesting: &c.Nesting, limitBrTable: &c.BrTable, limitTable: &c.Table, limitElements: &c.Table,
		limitDataSegments: &c.DataSegments, limitElementSegments: &c.ElementSegments,
	}[l]
}

// needs are what a module takes of each limit, as far as it was read.
type needs [limits]uint64

// use notes that the module takes n of a limit, and refuses it if that is too much.
func (m *module) use(r *reader, l limit, n uint64) {
	if n <= m.needs[l] {
		return
	}
	m.needs[l] = n
	if most := *m.caps.of(l); n > uint64(most) && r.err == nil {
		m.exceeded = l
		r.fail(abi.CodeModuleCap, raise(map[limit]uint64{l: n}), "%s", exceeding(l, "", n, most))
	}
}

// exceeding says that n of what a limit counts is more than most.
func exceeding(l limit, more string, n uint64, most int) string {
	return fmt.Sprintf("module limit exceeded: %s: %s%d, at most %d admitted", bounds()[l].what, more, n, most)
}

// raise says what to put in the configuration so that the needs are met.
func raise(n map[limit]uint64) string {
	most := MaxCaps()
	sections := map[string][]string{}
	for l, b := range bounds() {
		need, ok := n[limit(l)]
		if most := *most.of(limit(l)); need > uint64(most) {
			return fmt.Sprintf("build the module smaller or in parts: no configuration admits more than %d %s", most, b.what)
		}
		if section, field, _ := strings.Cut(b.field, "."); ok {
			sections[section] = append(sections[section], fmt.Sprintf("%s: %d", field, need))
		}
	}
	var text []string
	for _, section := range []string{"admission", "limits"} {
		if fields := sections[section]; fields != nil {
			text = append(text, fmt.Sprintf("%s: {%s}", section, strings.Join(fields, ", ")))
		}
	}
	return fmt.Sprintf("if you trust the module, put %s in the configuration: forgeone init --config FILE", strings.Join(text, " and "))
}

// measureNesting is how deep blocks may nest in a module whose needs are measured.
const measureNesting = 1 << 20

// measured makes the refusal of a module tell all that it needs, which takes another
// reading to its end. What only a count in front of a section tells stays capped, so
// that this takes no more memory than the first reading.
func (m *module) measured(refusal error) error {
	var e *abi.Error
	if !errors.As(refusal, &e) || e.Code != abi.CodeModuleCap || !bounds()[m.exceeded].streamed {
		return refusal
	}
	relaxed, most := m.caps, MaxCaps()
	for l, b := range bounds() {
		if b.streamed {
			*relaxed.of(limit(l)) = *most.of(limit(l))
		}
	}
	relaxed.Nesting = max(m.caps.Nesting, measureNesting)
	all := &module{caps: relaxed, anyImport: m.anyImport, src: m.src}
	_, err := all.admit(false)
	n, more := max(all.needs[m.exceeded], m.needs[m.exceeded]), ""
	if err != nil {
		more = "at least "
	}
	found := map[limit]uint64{m.exceeded: n}
	for l, n := range all.needs {
		if n > uint64(*m.caps.of(limit(l))) {
			found[limit(l)] = n
		}
	}
	if table := max(found[limitTable], found[limitElements]); table > 0 { // one field
		delete(found, limitElements)
		found[limitTable] = table
	}
	told := *e
	told.What, told.Hint = exceeding(m.exceeded, more, n, *m.caps.of(m.exceeded)), raise(found)
	return &told
}

// Needs returns the least caps that admit a module which caps admit, but for Depth and
// CanonicalNaN, which are those of caps.
//
// # Errors
//
// Those of Inspect.
func Needs(src []byte, caps Caps) (Caps, error) {
	m := &module{caps: caps, src: src}
	if _, err := m.admit(false); err != nil {
		return Caps{}, err
	}
	for l, n := range m.needs {
		*caps.of(limit(l)) = int(n)
	}
	caps.Table = int(max(m.needs[limitTable], m.needs[limitElements]))
	return caps, nil
}
