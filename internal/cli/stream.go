package cli

import (
	"bufio"
	"io"
)

// stream writes a JSON object whose last field is an array that need not fit
// into memory: head is an object with at least one field, name the array's.
// each calls its argument for every element.
func stream(w io.Writer, head any, name string, each func(emit func(v any) error) error) error {
	b, err := encode(head, "", "  ")
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, 64<<10)
	printf(out, "%s,\n  %q: [", block(b[:len(b)-2]), name) // without the closing brace
	n := 0
	err = each(func(v any) error {
		b, err := encode(v, "    ", "  ")
		if err != nil {
			return err
		}
		if n++; n > 1 {
			out.WriteByte(',')
		}
		out.WriteString("\n    ")
		_, err = out.Write(b)
		return err
	})
	if err != nil {
		return err
	}
	if n > 0 {
		out.WriteString("\n  ")
	}
	out.WriteString("]\n}\n")
	return out.Flush()
}
