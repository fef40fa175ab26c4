package rewrite

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// suite is the folder of the specification's test suite, which the engine's
// module carries compiled.
func suite(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "internal", "integration_test", "spectest")
}

// command is an entry of a script of the suite (wast2json's format).
type command struct {
	Type, Name, Filename, As string
	Line                     int
	Action                   struct {
		Type, Field, Module string
		Args                []value
	}
	Expected []value
}

type value struct {
	Type  string
	Lane  string `json:"lane_type"`
	Value any
}

// stage runs a script on original modules or on rewritten ones.
type stage struct {
	config  wazero.RuntimeConfig
	rt      wazero.Runtime
	names   map[string]api.Module
	last    api.Module
	rewrite bool
	caps    Caps
}

// load instantiates a module under the name that later modules import it by.
func (s *stage) load(src []byte, c command, as string) error {
	ctx := context.Background()
	if s.rewrite {
		out, _, err := rewrite(src, s.caps, true)
		if err != nil {
			return err
		}
		src = out
	}
	if s.rt.Module(as) != nil {
		as = ""
	}
	m, err := s.rt.InstantiateWithConfig(ctx, src, wazero.NewModuleConfig().WithName(as).WithStartFunctions())
	s.last = m
	if m != nil && c.Name != "" {
		s.names[c.Name] = m
	}
	if err == nil && m.ExportedFunction(StartExport) != nil {
		_, err = m.ExportedFunction(StartExport).Call(ctx)
	}
	return err
}

// act performs an action and returns what came of it, as text.
func (s *stage) act(c command) string {
	m := s.last
	if c.Action.Module != "" {
		m = s.names[c.Action.Module]
	}
	if m == nil {
		return "no module"
	}
	if c.Action.Type == "get" {
		if g := m.ExportedGlobal(c.Action.Field); g != nil {
			// Get, not String: the compiler keeps the value elsewhere.
			return strconv.FormatUint(g.Get(), 16)
		}
		return "no global"
	}
	f := m.ExportedFunction(c.Action.Field)
	if f == nil {
		return "no function"
	}
	var args []uint64
	for _, v := range c.Action.Args {
		args = append(args, v.bits()...)
	}
	r, err := f.Call(context.Background(), args...)
	if err != nil {
		if text := cause(err); text != "" && !strings.Contains(text, errDepth.Error()) {
			return text
		}
		return "wasm error: stack overflow"
	}
	var b strings.Builder
	for i, t := range f.Definition().ResultTypes() {
		switch {
		case t == api.ValueTypeExternref || len(r) <= i:
		case t == 0x70: // function references are pointers
			r[i] = min(r[i], 1)
		case t == api.ValueTypeF32, t == api.ValueTypeI32:
			r[i] = uint64(uint32(r[i]))
		}
	}
	for _, v := range r {
		b.WriteString(strconv.FormatUint(v, 16) + " ")
	}
	return b.String()
}

// bits returns an argument as the engine takes it.
func (v value) bits() []uint64 {
	if lanes, ok := v.Value.([]any); ok {
		width := 128 / len(lanes)
		var r [2]uint64
		for i, l := range lanes {
			x := value{Type: v.Lane, Value: l}.bits()[0]
			if width < 64 {
				x &= 1<<width - 1
			}
			r[i*width/64] |= x << (i * width % 64)
		}
		return r[:]
	}
	s, _ := v.Value.(string)
	if s == "null" || s == "" {
		return []uint64{0}
	}
	if strings.HasPrefix(s, "nan") {
		if strings.HasSuffix(v.Type, "32") {
			return []uint64{uint64(math.Float32bits(float32(math.NaN())))}
		}
		return []uint64{math.Float64bits(math.NaN())}
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		if v.Type == "externref" {
			n++ // 0 is null
		}
		return []uint64{uint64(n)}
	}
	n, _ := strconv.ParseUint(s, 10, 64)
	return []uint64{n}
}

// TestSuiteExecution runs the suite's scripts on the originals and on the
// rewritten modules, on both engines: every call must give the same bits or the
// same trap.
func TestSuiteExecution(t *testing.T) {
	root := suite(t)
	scripts, err := filepath.Glob(filepath.Join(root, "v2", "testdata", "*.json"))
	if err != nil || len(scripts) == 0 {
		t.Fatal(err, len(scripts))
	}
	spectest, err := os.ReadFile(filepath.Join(root, "testdata", "spectest.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	for name, config := range engines() {
		t.Run(name, func(t *testing.T) {
			calls := 0
			for _, script := range scripts {
				calls += runScript(t, script, spectest, &stage{config: config}, &stage{config: config, rewrite: true, caps: DefaultCaps()})
			}
			if calls < 20_000 {
				t.Errorf("only %d calls were compared", calls)
			}
		})
	}
}

// TestSuitePortable runs the suite's scripts with canonical NaNs on the compiler
// and on the interpreter: not a bit may differ.
func TestSuitePortable(t *testing.T) {
	root := suite(t)
	scripts, err := filepath.Glob(filepath.Join(root, "v2", "testdata", "*.json"))
	if err != nil || len(scripts) == 0 {
		t.Fatal(err, len(scripts))
	}
	spectest, err := os.ReadFile(filepath.Join(root, "testdata", "spectest.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	for _, script := range scripts {
		var stages []*stage
		for _, config := range engines() {
			stages = append(stages, &stage{config: config, rewrite: true, caps: canonicalCaps()})
		}
		calls += runScript(t, script, spectest, stages...)
	}
	if calls < 20_000 {
		t.Errorf("only %d calls were compared", calls)
	}
}

// runScript runs a script on two stages and compares them call by call.
func runScript(t *testing.T, script string, spectest []byte, stages ...*stage) (calls int) {
	name := strings.TrimSuffix(filepath.Base(script), ".json")
	b, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	var s struct{ Commands []command }
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	for _, st := range stages {
		h := newHost(t, st.config.WithMemoryLimitPages(65536))
		defer func() { _ = h.rt.Close(ctx) }()
		if _, err := h.rt.InstantiateWithConfig(ctx, spectest, wazero.NewModuleConfig().WithName("spectest")); err != nil {
			t.Fatal(err)
		}
		st.rt, st.names = h.rt, make(map[string]api.Module)
	}
	for i, c := range s.Commands {
		switch c.Type {
		case "module", "assert_unlinkable", "assert_uninstantiable", "assert_trap", "assert_return", "action":
			if c.Filename != "" && strings.HasSuffix(c.Filename, ".wasm") {
				src, err := os.ReadFile(filepath.Join(filepath.Dir(script), c.Filename))
				if err != nil {
					t.Fatal(err)
				}
				as := registered(s.Commands[i+1:], c.Name)
				before, after := stages[0].load(src, c, as), stages[1].load(src, c, as)
				if fault := c.loaded(after); fault != "" && !importsTable(src) {
					t.Errorf("%s:%d: %s", name, c.Line, fault)
				}
				if c.Type == "assert_uninstantiable" && before == nil {
					continue // the engine leaves it out: see TestOutside
				}
				if reason(before) != reason(after) {
					t.Errorf("%s:%d: instantiation: %v; rewritten %v", name, c.Line, cause(before), cause(after))
				}
				continue
			}
			if c.Action.Type == "" {
				continue
			}
			calls++
			before, after := stages[0].act(c), stages[1].act(c)
			if before != after {
				t.Errorf("%s:%d: %s gives %s; rewritten %s", name, c.Line, c.Action.Field, before, after)
			}
			if fault := c.gave(after); fault != "" {
				t.Errorf("%s:%d: %s: %s", name, c.Line, c.Action.Field, fault)
			}
		}
	}
	return calls
}

// importsTable tells whether a module imports a table, of whose size nothing is known
// before. No guest of ours does: admission refuses it.
func importsTable(src []byte) bool {
	w, err := admit(src, DefaultCaps(), true, false)
	return err == nil && w.importedTables > 0
}

// loaded tells how the end of loading a module differs from what the suite asserts.
func (c *command) loaded(err error) string {
	switch c.Type {
	case "module":
		if err != nil {
			return "it can't be instantiated: " + cause(err)
		}
	case "assert_unlinkable", "assert_uninstantiable", "assert_trap":
		if err == nil {
			return "it is instantiated"
		}
	}
	return ""
}

// gave tells how what a call gave differs from what the suite asserts.
func (c *command) gave(got string) string {
	switch c.Type {
	case "assert_trap":
		if !strings.Contains(got, "wasm error: ") {
			return "no trap: " + got
		}
	case "assert_return":
		words := strings.Fields(got)
		for _, e := range c.Expected {
			n := 1
			if e.Type == "v128" {
				n = 2
			}
			if len(words) < n || !e.is(words[:n]) {
				return fmt.Sprintf("%s, want %v", got, c.Expected)
			}
			words = words[n:]
		}
	}
	return ""
}

// is tells whether the result in the words is the expected v.
func (v value) is(words []string) bool {
	var got [2]uint64
	for i, w := range words {
		n, err := strconv.ParseUint(w, 16, 64)
		if err != nil {
			return false
		}
		got[i] = n
	}
	lanes, typ := []any{v.Value}, v.Type
	if l, ok := v.Value.([]any); ok {
		lanes, typ = l, v.Lane
	}
	width := map[string]int{"i8": 8, "i16": 16, "i32": 32, "f32": 32, "i64": 64, "f64": 64}[typ]
	if width == 0 {
		return true // a reference
	}
	for i, l := range lanes {
		bits := got[i*width/64] >> (i * width % 64)
		if width < 64 {
			bits &= 1<<width - 1
		}
		switch s, _ := l.(string); {
		case strings.HasPrefix(s, "nan:"):
			f := math.Float64frombits(bits)
			if width == 32 {
				f = float64(math.Float32frombits(uint32(bits)))
			}
			if !math.IsNaN(f) {
				return false
			}
		default:
			want := value{Type: typ, Value: l}.bits()[0]
			if width < 64 {
				want &= 1<<width - 1
			}
			if bits != want {
				return false
			}
		}
	}
	return true
}

// reason is an error's cause without what the rewriting changes on purpose: the
// indices of functions and the maxima of tables.
func reason(err error) string {
	s, _, _ := strings.Cut(cause(err), "maximum size mismatch")
	s = regexp.MustCompile(`^start function\[\d+\] failed: `).ReplaceAllString(s, "") // rewritten, it is called like any other
	return regexp.MustCompile(`function\[\d+\]`).ReplaceAllString(s, "function")
}

// registered finds the name under which the module is registered later on,
// before another takes its place.
func registered(rest []command, name string) string {
	for _, c := range rest {
		if c.Type == "register" && (c.Name == name || c.Name == "") {
			return c.As
		}
		if c.Type == "module" && name == "" {
			return ""
		}
	}
	return ""
}
