package cli

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/forgeone/forgeone/abi"
)

// All that commands tell people and programs goes through this file, which lets nothing
// through that could mislead them: names of files, of packages, and whatever else
// strangers choose. The guest's own output does not come here: it is the guest's.
// TestOneWriter sees to it that there is no other way out.

// block is text of our own that has several lines. Any other value that is printed is a
// part of one line, whatever it holds.
type block string

// printf prints as fmt.Fprintf does, with values escaped.
func printf(w io.Writer, format string, v ...any) error {
	_, err := fmt.Fprintf(w, format, values(v)...)
	return err
}

// printn prints values and a newline, as fmt.Fprintln does, with values escaped.
func printn(w io.Writer, v ...any) error {
	_, err := fmt.Fprintln(w, values(v)...)
	return err
}

func values(v []any) []any {
	out := make([]any, len(v))
	for i, x := range v {
		out[i] = x
		switch x := x.(type) {
		case nil:
		case block:
			out[i] = value{text: abi.Block(string(x))}
		case error:
			out[i] = value{text: abi.Line(x.Error()), raw: x.Error()}
		case fmt.Stringer:
			out[i] = value{text: abi.Line(x.String()), raw: x.String()}
		case []byte:
			out[i] = value{text: abi.Line(string(x)), raw: string(x)}
		default:
			switch r := reflect.ValueOf(x); r.Kind() {
			case reflect.String:
				out[i] = value{text: abi.Line(r.String()), raw: r.String()}
			case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
				reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float64:
			default:
				out[i] = value{text: abi.Line(fmt.Sprint(x))}
			}
		}
	}
	return out
}

// value is a text as it may be printed, and as it is, for what quotes by itself.
type value struct{ text, raw string }

// Format implements fmt.Formatter.
func (v value) Format(f fmt.State, verb rune) {
	s := v.text
	if verb == 'q' {
		s = v.raw // strconv.Quote escapes all that does not print
	}
	fmt.Fprintf(f, fmt.FormatString(f, verb), s)
}

// encode returns v in JSON that ends in no newline, lines after the first beginning with
// prefix, or one line if indent is empty. What is escaped in JSON by choice is what a
// terminal would obey. Bytes that are not UTF-8 are spelled, see spell.
func encode(v any, prefix, indent string) ([]byte, error) {
	b, err := marshal(v, prefix, indent)
	if err == nil && (bytes.Contains(b, []byte(`\ufffd`)) || bytes.ContainsRune(b, utf8.RuneError)) {
		b, err = marshal(spelled(reflect.ValueOf(v)), prefix, indent)
	}
	if err != nil {
		return nil, err
	}
	var out []byte // nil while there is nothing to escape
	for i := 0; i < len(b); {
		c, n := utf8.DecodeRune(b[i:])
		tame := c != utf8.RuneError || n > 1
		if tame && (c < 0x7f || !unicode.IsControl(c) && !unicode.In(c, unicode.Cf, unicode.Zl, unicode.Zp)) {
			if out != nil {
				out = append(out, b[i:i+n]...)
			}
			i += n
			continue
		}
		if out == nil {
			out = append(make([]byte, 0, len(b)+64), b[:i]...)
		}
		switch {
		case !tame: // of JSON that was made elsewhere
			out = fmt.Appendf(out, `\ufffd%02x`, b[i])
		case c > 0xffff:
			c -= 0x10000
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+c>>10, 0xdc00+c&0x3ff)
		default:
			out = fmt.Appendf(out, `\u%04x`, c)
		}
		i += n
	}
	if out == nil {
		out = b
	}
	return out, nil
}

func marshal(v any, prefix, indent string) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if r, ok := v.(reflect.Value); ok {
		v = r.Interface()
	}
	if indent != "" {
		enc.SetIndent(prefix, indent)
	}
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// spell writes bytes that are not UTF-8 so that JSON can hold them and nobody takes them
// for other ones: U+FFFD and two hexadecimal digits for each. U+FFFD itself is doubled.
// All other text is as it is.
func spell(s string) string {
	var b []byte
	for i := 0; i < len(s); {
		c, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case c == utf8.RuneError && n <= 1:
			b = append(utf8.AppendRune(b, utf8.RuneError), strconv.FormatUint(uint64(s[i])|0x100, 16)[1:]...)
		case c == utf8.RuneError:
			b = utf8.AppendRune(utf8.AppendRune(b, c), c)
		default:
			b = append(b, s[i:i+n]...)
		}
		i += n
	}
	return string(b)
}

// spelled is v with all its strings spelled. v is not changed.
func spelled(v reflect.Value) reflect.Value {
	if !v.IsValid() || v.CanInterface() && marshals(v.Interface()) {
		return v
	}
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	switch v.Kind() {
	case reflect.String:
		out.SetString(spell(v.String()))
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() {
			break
		}
		if e := spelled(v.Elem()); v.Kind() == reflect.Interface {
			out.Set(e)
		} else {
			p := reflect.New(e.Type())
			p.Elem().Set(e)
			out.Set(p)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := out.Field(i); f.CanSet() || v.Type().Field(i).Anonymous && f.Kind() == reflect.Struct {
				set(f, v.Field(i))
			}
		}
	case reflect.Slice:
		if v.IsNil() || v.Type().Elem().Kind() == reflect.Uint8 {
			break // bytes are base64
		}
		out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			out.Index(i).Set(spelled(v.Index(i)))
		}
	case reflect.Map:
		if v.IsNil() {
			break
		}
		out.Set(reflect.MakeMapWithSize(v.Type(), v.Len()))
		for _, k := range v.MapKeys() {
			out.SetMapIndex(spelled(k), spelled(v.MapIndex(k)))
		}
	}
	return out
}

// set sets the field f to what from is, spelled. One that is embedded and not exported
// can't be set, but its fields can.
func set(f, from reflect.Value) {
	if f.CanSet() {
		f.Set(spelled(from))
		return
	}
	for i := range f.NumField() {
		if f.Field(i).CanSet() {
			set(f.Field(i), from.Field(i))
		}
	}
}

// marshals tells whether v makes its own JSON, which then is what it says.
func marshals(v any) bool {
	switch v.(type) {
	case json.Marshaler, encoding.TextMarshaler:
		return true
	}
	return false
}
