package observer

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/trace"
)

// maxShown is how many bytes of what a call answered a line shows.
const maxShown = 32

// Line returns a call as strace would show it, then the object's canonical
// name and the decision:
//
//	path_open(3, SYMLINK_FOLLOW, "in/a.jsonnet", 0, fd_read|fd_seek, 0, 0) = 4  /in/a.jsonnet  allow file-read
//	path_open(3, SYMLINK_FOLLOW, "etc/passwd", 0, fd_read, 0, 0) = ENOENT  /etc/passwd  deny no grant
//
// What a guest wrote is not in the recording, so its length stands for it. The
// line has no control characters.
func Line(ev *trace.Event) string {
	row := ev.Row()
	var b strings.Builder
	b.WriteString(row.Name)
	b.WriteByte('(')
	path, sep := 0, ""
	for i, p := range row.Params {
		if p.Type.Size() > 0 {
			continue // results stand after the "="
		}
		b.WriteString(sep)
		sep = ", "
		if p.Type == abi.Path {
			b.WriteString(strconv.Quote(ev.Path[path]))
			path++
			continue
		}
		b.WriteString(argument(ev, p, ev.Args[i]))
	}
	b.WriteString(") = ")
	b.WriteString(Result(ev))
	if n := objectName(ev); n != "" {
		b.WriteString("  " + n)
	}
	if d := ev.Decision; d != nil {
		b.WriteString("  " + Verdict(d))
	}
	if ev.Stop != abi.OutcomeNone {
		b.WriteString("  [" + ev.Stop.String() + "]")
	}
	return b.String()
}

func argument(ev *trace.Event, p abi.Param, v uint64) string {
	switch p.Type {
	case abi.S64:
		return strconv.FormatInt(int64(v), 10)
	case abi.BytesIn, abi.SubsIn:
		return "<" + count(ev.InLen) + ">"
	case abi.BytesOut, abi.BufferOut, abi.EventsOut, abi.StringsOut:
		if ev.Errno != abi.ESUCCESS {
			return "<" + count(int(v)) + ">"
		}
		if p.Type == abi.EventsOut {
			return "<" + count(len(ev.Out)) + ">"
		}
		s := strconv.Quote(string(ev.Out[:min(len(ev.Out), maxShown)]))
		if len(ev.Out) > maxShown {
			s += "... <" + count(len(ev.Out)) + ">"
		}
		return s
	}
	return value(p.Words, v)
}

func count(n int) string {
	if n == 1 {
		return "1 byte"
	}
	return strconv.Itoa(n) + " bytes"
}

// Result returns what the call answered: the errno's name, or the results.
func Result(ev *trace.Event) string {
	if ev.Errno != abi.ESUCCESS {
		return ev.Errno.String()
	}
	if !ev.Row().Returns() {
		return "?" // as strace shows a call that does not return
	}
	var parts []string
	for _, r := range results(ev) {
		parts = append(parts, r.text)
	}
	if parts == nil {
		return "0"
	}
	return strings.Join(parts, ", ")
}

// result is one fixed result of a call.
type result struct {
	name, text string
	value      uint64 // of a plain number
	number     bool
}

// results takes ev.Ret apart, as the row lays it out.
func results(ev *trace.Event) []result {
	if ev.Errno != abi.ESUCCESS {
		return nil
	}
	var out []result
	b, le := ev.Ret, binary.LittleEndian
	for _, p := range ev.Row().Params {
		n := p.Type.Size()
		if n == 0 || len(b) < n {
			continue
		}
		r := result{name: p.Name, number: true}
		switch p.Type {
		case abi.RetU16:
			r.value = uint64(le.Uint16(b))
		case abi.RetU32, abi.RetHandle:
			r.value = uint64(le.Uint32(b))
		case abi.RetU64:
			r.value = le.Uint64(b)
		case abi.RetFdstat:
			r.number = false
			r.text = fmt.Sprintf("{%s, flags %s, rights %s, inheriting %s}", filetype(b[0]), value("fdflags", uint64(le.Uint16(b[2:]))),
				value("rights", le.Uint64(b[8:])), value("rights", le.Uint64(b[16:])))
		case abi.RetFilestat:
			r.number = false
			r.text = fmt.Sprintf("{%s, size %d, inode %d, links %d}", filetype(b[16]), le.Uint64(b[32:]), le.Uint64(b[8:]), le.Uint64(b[24:]))
		case abi.RetPrestat:
			r.number = false
			r.text = fmt.Sprintf("{folder, name of %s}", count(int(le.Uint32(b[4:]))))
		}
		if r.number {
			r.text = strconv.FormatUint(r.value, 10)
		}
		out = append(out, r)
		b = b[n:]
	}
	return out
}

func filetype(b byte) string {
	if int(b) < len(filetypes) {
		return filetypes[b]
	}
	return "filetype(" + strconv.Itoa(int(b)) + ")"
}

func objectName(ev *trace.Event) string {
	if ev.Kind == abi.ObjNone || ev.Name == "" {
		return ""
	}
	s := plain(ev.Name)
	if ev.Name2 != "" {
		s += " -> " + plain(ev.Name2)
	}
	if o := ev.Object(); ev.Barring > 0 {
		s += " by way of " + plain(o.About())
	}
	return s
}

// Verdict returns a decision in a few words: "allow base-stdio", "deny no
// grant", "deny forbid no-secrets (p.cedar:3)".
func Verdict(d *abi.Decision) string {
	s := d.Verdict.String()
	if len(d.Rules) == 0 {
		if d.Reason != abi.ReasonNone {
			s += " " + d.Reason.String()
		}
		return s
	}
	if d.Verdict != abi.Allow {
		s += " " + d.Reason.String()
	}
	for _, r := range d.Rules {
		s += " " + plain(r.ID)
	}
	if r := d.Rules[0]; d.Verdict != abi.Allow && r.File != "" {
		s += " (" + plain(r.File) + ":" + strconv.Itoa(r.Line) + ")"
	}
	return s
}
