package cli

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"unicode"

	"github.com/forgeone/forgeone/abi"
)

const hostile = "x\n9        2026-01-01T00:00:00Z log.genesis\x1b[2J\u009b1m\u202e\x7f\xff"

// fill puts the hostile text wherever a text fits. It returns whether one did.
func fill(v reflect.Value) (filled bool) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return fill(v.Elem())
	case reflect.String:
		v.SetString(hostile)
		return true
	case reflect.Struct:
		for i := range v.NumField() {
			filled = fill(v.Field(i)) || filled
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		return fill(v.Index(0))
	}
	return filled
}

// TestHostileRecords: a log of somebody else's can't draw on the terminal of who
// lists it, nor fake a line, whatever its texts are.
func TestHostileRecords(t *testing.T) {
	kinds, texts := 0, 0
	for k := range abi.Kind(1 << 10) {
		body := abi.NewBody(k)
		if body == nil {
			continue
		}
		kinds++
		if fill(reflect.ValueOf(body).Elem()) {
			texts++
		}
		bad := func(r rune) bool { return !unicode.IsPrint(r) }
		if g := gist(body); strings.IndexFunc(g, bad) >= 0 {
			t.Errorf("%v: %q", k, g)
		}
		var b bytes.Buffer
		fields(&b, body)
		lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
		if n := reflect.TypeOf(body).Elem().NumField(); len(lines) > n {
			t.Errorf("%v: %d lines for %d fields: %q", k, len(lines), n, lines)
		}
		for _, l := range lines {
			if strings.IndexFunc(l, bad) >= 0 {
				t.Errorf("%v: %q", k, l)
			}
		}
	}
	if kinds < 20 || texts < 10 {
		t.Fatalf("%d kinds, %d with texts", kinds, texts)
	}
}
