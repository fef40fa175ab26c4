package rewrite_test

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/config"
	"github.com/forgeone/forgeone/internal/rewrite"
)

// pasted is the configuration that a hint tells to write.
func pasted(t *testing.T, hint string) rewrite.Caps {
	t.Helper()
	text := strings.Join(regexp.MustCompile(`(admission|limits): \{[^}]*\}`).FindAllString(hint, -1), "\n")
	c, err := config.Parse("config", []byte(text))
	if err != nil || text == "" {
		t.Fatalf("%q: %v", hint, err)
	}
	return c.Caps()
}

// refusal is the refusal of a module for a cap.
func refusal(t *testing.T, module []byte, caps rewrite.Caps) *abi.Error {
	t.Helper()
	var e *abi.Error
	_, _, err := rewrite.Rewrite(module, caps)
	if !errors.As(err, &e) || e.Code != abi.CodeModuleCap || e.Where == "" {
		t.Fatalf("%v", err)
	}
	if _, again := rewrite.Inspect(module, caps); again == nil || again.Error() != err.Error() {
		t.Errorf("Inspect says %v, Rewrite %v", again, err)
	}
	return e
}

// TestCaps finds, for each cap, a module just within, which its needs tell, and one
// beyond, whose refusal says what it needs and which configuration admits it.
func TestCaps(t *testing.T) {
	cases := rewrite.CapCases()
	fields := reflect.TypeFor[rewrite.Caps]()
	for i := range fields.NumField() {
		name := fields.Field(i).Name
		if name == "Depth" || name == "CanonicalNaN" { // no module is refused for them
			continue
		}
		if len(cases[name]) == 0 {
			t.Errorf("%s: no case", name)
		}
		for k, c := range cases[name] {
			t.Run(fmt.Sprintf("%s %d", name, k), func(t *testing.T) {
				caps := rewrite.DefaultCaps()
				field := func(c *rewrite.Caps) *int { return reflect.ValueOf(c).Elem().Field(i).Addr().Interface().(*int) }
				*field(&caps) = c.Cap
				if _, _, err := rewrite.Rewrite(c.Within, caps); err != nil {
					t.Errorf("within: %v", err)
				}
				needs, err := rewrite.Needs(c.Within, rewrite.DefaultCaps())
				if err != nil || *field(&needs) != c.Cap {
					t.Errorf("within needs %d, want %d (%v)", *field(&needs), c.Cap, err)
				}
				if _, _, err := rewrite.Rewrite(c.Within, needs); err != nil {
					t.Errorf("by its needs: %v", err)
				}
				e := refusal(t, c.Beyond, caps)
				if want := fmt.Sprintf("%s: %d, at most %d admitted", c.Words, c.Need, c.Cap); !strings.HasSuffix(e.What, want) {
					t.Errorf("%q, want %q", e.What, want)
				}
				told := pasted(t, e.Hint)
				if *field(&told) != c.Need {
					t.Errorf("%q sets it to %d", e.Hint, *field(&told))
				}
				if _, _, err := rewrite.Rewrite(c.Beyond, told); err != nil {
					t.Errorf("with %q: %v", e.Hint, err)
				}
				*field(&told) = c.Need - 1
				refusal(t, c.Beyond, told)
			})
		}
	}
}

// TestAllNeeds: a refusal names all that is to be raised, where that can be known.
func TestAllNeeds(t *testing.T) {
	caps := rewrite.DefaultCaps()
	caps.Nesting, caps.RewrittenBytes, caps.BodyBytes = 4, 30, 1<<20
	e := refusal(t, rewrite.CapCases()["Nesting"][0].Beyond, caps)
	if !strings.Contains(e.Hint, "nesting: 12") || !strings.Contains(e.Hint, "rewritten: ") {
		t.Errorf("%q", e.Hint)
	}
	if told := pasted(t, e.Hint); told.Nesting != 12 {
		t.Errorf("%+v", told)
	}
}

// TestNoConfiguration: where no field can be raised so far, the hint says so.
func TestNoConfiguration(t *testing.T) {
	e := refusal(t, rewrite.Announcing(1<<30), rewrite.DefaultCaps())
	if !strings.Contains(e.What, "types: 1073741824, at most 100000 admitted") || !strings.Contains(e.Hint, "no configuration admits more than 134217728 types") {
		t.Errorf("%q, %q", e.What, e.Hint)
	}
}

// TestMaxCaps: the configuration takes each cap up to what can work, and no more.
func TestMaxCaps(t *testing.T) {
	most := rewrite.MaxCaps()
	for name, c := range rewrite.CapCases() {
		hint := refusalOf(t, name, c[0])
		largest := reflect.ValueOf(most).FieldByName(name).Int()
		for n, ok := range map[int64]bool{largest: true, largest + 1: false} {
			text := regexp.MustCompile(`: \d+`).ReplaceAllString(hint, fmt.Sprintf(": %d", n))
			if _, err := config.Parse("config", []byte(text)); (err == nil) != ok {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
	for depth, ok := range map[uint32]bool{most.Depth: true, most.Depth + 1: false} {
		if _, err := config.Parse("config", fmt.Appendf(nil, "limits: {depth: %d}", depth)); (err == nil) != ok {
			t.Errorf("a depth of %d: %v", depth, err)
		}
	}
}

// refusalOf is the configuration that the refusal of a case names.
func refusalOf(t *testing.T, name string, c rewrite.CapCase) string {
	caps := rewrite.DefaultCaps()
	reflect.ValueOf(&caps).Elem().FieldByName(name).SetInt(int64(c.Cap))
	return regexp.MustCompile(`(admission|limits): \{[^}]*\}`).FindString(refusal(t, c.Beyond, caps).Hint)
}
