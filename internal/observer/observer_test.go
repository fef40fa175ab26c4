package observer

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
	"github.com/forgeone/forgeone/internal/trace"
)

var (
	allow  = &abi.Decision{Verdict: abi.Allow, Reason: abi.ReasonPermit, Rules: []abi.Rule{{ID: "base-file", File: "base.cedar", Line: 3}}}
	forbid = &abi.Decision{Reason: abi.ReasonForbid, Errno: abi.EACCES, Rules: []abi.Rule{{ID: "no-secrets", File: "p.cedar", Line: 3}}}
	none   = &abi.Decision{Reason: abi.ReasonNoGrant, Errno: abi.ENOENT}
)

func ret(n abi.Num, set func(c *abi.Call)) []byte {
	var c abi.Call
	c.Reset(abi.Lookup(n), 0)
	set(&c)
	return c.Ret[:c.Row.RetSize()]
}

func TestLine(t *testing.T) {
	file := func(ev trace.Event) trace.Event {
		ev.Kind, ev.Duration = abi.ObjFile, -1
		if ev.Decision == nil {
			ev.Decision = allow
		}
		return ev
	}
	for _, c := range []struct {
		ev   trace.Event
		want string
	}{
		{
			file(trace.Event{
				Num: abi.PathOpen, Args: [8]uint64{3, 1, 12, 0, 6, uint64(abi.AllRights), 0}, Path: [2]string{"in/a.jsonnet"},
				Name: "/in/a.jsonnet", Ret: []byte{4, 0, 0, 0},
			}),
			`path_open(3, SYMLINK_FOLLOW, "in/a.jsonnet", 0, fd_read|fd_seek, fd_datasync|fd_read|fd_seek|+27, 0) = 4  /in/a.jsonnet  allow base-file`,
		},
		{
			file(trace.Event{
				Num: abi.PathOpen, Args: [8]uint64{3, 0, 10, 9, 64, 0, 1}, Path: [2]string{"etc/passwd"}, Name: "/etc/passwd",
				Errno: abi.ENOENT, Decision: none,
			}),
			`path_open(3, 0, "etc/passwd", O_CREAT|O_TRUNC, fd_write, 0, APPEND) = ENOENT  /etc/passwd  deny no grant`,
		},
		{
			file(trace.Event{Num: abi.FdRead, Args: [8]uint64{4, 512}, Name: "/in/a b", Out: []byte("line\x1b[2J\n"), Ret: []byte{10, 0, 0, 0}}),
			`fd_read(4, "line\x1b[2J\n") = 10  "/in/a b"  allow base-file`,
		},
		{
			file(trace.Event{Num: abi.FdRead, Args: [8]uint64{4, 512}, Name: "/in/x", Errno: abi.EACCES, Decision: forbid}),
			`fd_read(4, <512 bytes>) = EACCES  /in/x  deny forbid no-secrets (p.cedar:3)`,
		},
		{
			file(trace.Event{Num: abi.FdRead, Args: [8]uint64{4, 512}, Name: "/x", Out: bytes.Repeat([]byte("a"), 33), Ret: []byte{33, 0, 0, 0}}),
			`fd_read(4, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"... <33 bytes>) = 33  /x  allow base-file`,
		},
		{
			file(trace.Event{Num: abi.FdWrite, Args: [8]uint64{1, 14}, InLen: 14, Name: "stdout", Ret: []byte{14, 0, 0, 0}}),
			`fd_write(1, <14 bytes>) = 14  stdout  allow base-file`,
		},
		{
			file(trace.Event{Num: abi.FdSeek, Args: [8]uint64{4, ^uint64(0), 2}, Name: "/x", Ret: make([]byte, 8)}),
			`fd_seek(4, -1, SEEK_END) = 0  /x  allow base-file`,
		},
		{
			file(trace.Event{Num: abi.PathRename, Args: [8]uint64{3, 1, 3, 1}, Path: [2]string{"a", "b\u202e"}, Name: "/a", Name2: "/b\u202e"}),
			`path_rename(3, "a", 3, "b\u202e") = 0  /a -> "/b\u202e"  allow base-file`,
		},
		{
			trace.Event{Num: abi.ClockTimeGet, Args: [8]uint64{1, 1000}, Kind: abi.ObjClock, Name: "monotonic", Decision: allow, Ret: []byte{1, 1, 0, 0, 0, 0, 0, 0}},
			`clock_time_get(MONOTONIC, 1000) = 257  monotonic  allow base-file`,
		},
		{
			trace.Event{Num: abi.ProcExit, Args: [8]uint64{3}, Kind: abi.ObjProcess, Decision: allow, Stop: abi.OutcomeExit},
			`proc_exit(3) = ?  allow base-file  [exit]`,
		},
		{
			trace.Event{
				Num: abi.SockRecv, Args: [8]uint64{5, 9, 3}, Kind: abi.ObjSocket, Name: "127.0.0.1:80", Decision: allow, Out: []byte("ab"),
				Ret: []byte{2, 0, 0, 0, 0, 0},
			},
			`sock_recv(5, "ab", RECV_PEEK|RECV_WAITALL) = 2, 0  127.0.0.1:80  allow base-file`,
		},
		{
			trace.Event{Num: abi.SockAccept, Args: [8]uint64{4, 4}, Kind: abi.ObjSocket, Name: "[::1]:80", Decision: allow, Ret: []byte{5, 0, 0, 0}},
			`sock_accept(4, NONBLOCK) = 5  [::1]:80  allow base-file`,
		},
		{
			trace.Event{Num: abi.SockShutdown, Args: [8]uint64{5, 3}, Kind: abi.ObjSocket, Name: "127.0.0.1:80", Decision: allow, Errno: abi.ENOTCONN},
			`sock_shutdown(5, RD|WR) = ENOTCONN  127.0.0.1:80  allow base-file`,
		},
		{
			trace.Event{Num: abi.ProcRaise, Args: [8]uint64{6}, Kind: abi.ObjProcess, Name: "self", Decision: allow, Stop: abi.OutcomeExit},
			`proc_raise(ABRT) = 0  self  allow base-file  [exit]`,
		},
		{
			trace.Event{Num: abi.ArgsSizesGet, Decision: allow, Ret: []byte{2, 0, 0, 0, 14, 0, 0, 0}},
			`args_sizes_get() = 2, 14  allow base-file`,
		},
		{
			trace.Event{Num: abi.FdFilestatGet, Args: [8]uint64{4}, Decision: allow, Ret: ret(abi.FdFilestatGet, func(c *abi.Call) {
				abi.Filestat{Ino: 7, Type: abi.FiletypeRegularFile, Nlink: 1, Size: 14}.Put(c.Ret[:])
			})},
			`fd_filestat_get(4) = {regular_file, size 14, inode 7, links 1}  allow base-file`,
		},
		{
			trace.Event{Num: abi.FdFdstatGet, Args: [8]uint64{4}, Decision: allow, Ret: ret(abi.FdFdstatGet, func(c *abi.Call) {
				abi.Fdstat{Type: 99, Flags: 1, Base: abi.RightFDRead | 1<<40}.Put(c.Ret[:])
			})},
			`fd_fdstat_get(4) = {filetype(99), flags APPEND, rights fd_read|0x10000000000, inheriting 0}  allow base-file`,
		},
	} {
		if got := Line(&c.ev); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

// TestEveryRow: every row renders, answered and refused, with hostile text in
// every place that holds text, and no line has a control character.
func TestEveryRow(t *testing.T) {
	evil := "\x1b]0;x\x07\n\r\u202e\xff"
	d := &abi.Decision{Reason: abi.ReasonForbid, Rules: []abi.Rule{{ID: evil, File: evil}}}
	for _, row := range abi.Rows() {
		for _, errno := range []abi.Errno{0, abi.EBADF, 999} {
			ev := trace.Event{
				Num: row.Num, Path: [2]string{evil, evil}, Name: evil, Name2: evil, Kind: abi.ObjFile, Decision: d, Errno: errno,
				InLen: 3, Duration: -1, Args: [8]uint64{1 << 63, 255, 255, 1 << 40, 3, 3, 3, 3},
			}
			if errno == 0 {
				ev.Ret, ev.Out = bytes.Repeat([]byte{0xff}, row.RetSize()), []byte(evil)
			}
			l := Line(&ev)
			if !strings.HasPrefix(l, row.Name+"(") {
				t.Errorf("%s: %s", row.Name, l)
			}
			for _, r := range l {
				if r < ' ' || r == 0x7f || r == 0x202e || r == 0xfffd {
					t.Errorf("%s: %q", row.Name, l)
				}
			}
			b, err := json.Marshal(NewCall(&ev, true))
			if err != nil || !json.Valid(b) {
				t.Errorf("%s: %v", row.Name, err)
			}
		}
	}
}

func TestJSON(t *testing.T) {
	ev := trace.Event{
		Index: 7, Num: abi.FdSeek, Args: [8]uint64{4, ^uint64(0), 2}, Kind: abi.ObjFile, Name: "/x", Grant: 1, Decision: allow,
		Ret: []byte{255, 255, 255, 255, 255, 255, 255, 255}, Duration: 5, Time: 1 << 60,
	}
	b, err := json.Marshal(NewCall(&ev, false))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"call":7,"name":"fd_seek","class":"ipc","action":"fd_seek","args":[{"name":"fd","type":"fd","value":4},` +
		`{"name":"offset","type":"s64","value":"-1"},{"name":"whence","type":"u8","value":2,"words":["SEEK_END"]}],"errno":"ESUCCESS",` +
		`"results":[{"name":"newoffset","type":"*u64","value":"18446744073709551615"}],"out_bytes":0,` +
		`"object":{"kind":"File","name":"/x","grant":1},"decision":{"verdict":"allow","reason":"permit",` +
		`"rules":[{"id":"base-file","file":"base.cedar","line":3}],"epoch":0,"trust":{"p":0,"a":0,"c":0,"n":0,"r":0}},` +
		`"duration_ns":5,"time_ns":"1152921504606846976"}`
	if string(b) != want {
		t.Errorf("got  %s\nwant %s", b, want)
	}
	ev.Num, ev.Args, ev.Ret, ev.Out = abi.PathOpen, [8]uint64{3, 0, 1, uint64(abi.OFlagCreat)}, make([]byte, 4), nil
	if c := NewCall(&ev, false); c.Action != "path_open_write" || c.Args[2].Value != "" {
		t.Errorf("%+v", c)
	}
	ev.Num, ev.Out = abi.FdRead, []byte("x")
	if a, b := NewCall(&ev, false), NewCall(&ev, true); a.Out != nil || a.OutBytes != 1 || string(b.Out) != "x" {
		t.Error("bytes where they were not asked for, or none where they were")
	}
}

// recording writes n rounds of a clock call, a read, a denied open, a failing read.
func recording(t *testing.T, n int) *trace.Reader {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x")
	w, err := trace.Create(path, trace.Header{Run: "r1"}, seal.Key{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	do := func(n abi.Num, d *abi.Decision, e abi.Errno, in, out string) {
		var c abi.Call
		c.Reset(abi.Lookup(n), 0)
		c.OutCap, c.In = len(out), []byte(in)
		o := abi.Object{Kind: abi.ObjFile, Name: "/x"}
		if w.Reserve(&c, &o) != abi.OutcomeNone {
			t.Fatal("no room")
		}
		c.Errno, c.OutLen = e, copy(c.Out, out)
		w.Commit(&c, &o, d)
	}
	for range n {
		do(abi.ClockTimeGet, allow, 0, "", "")
		do(abi.FdRead, allow, 0, "", "hello")
		do(abi.PathOpen, none, abi.ENOENT, "", "")
		do(abi.FdRead, allow, abi.EISDIR, "", "")
		do(abi.FdWrite, allow, 0, "out", "")
	}
	if _, err := w.Finish(trace.End{Outcome: abi.OutcomeExit}); err != nil {
		t.Fatal(err)
	}
	r, err := trace.Open(path, seal.Key{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func TestStats(t *testing.T) {
	r := recording(t, 1000)
	s, err := Collect(r, Filter{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	var samples uint64
	for i := range s.Syscalls {
		c := &s.Syscalls[i]
		names = append(names, c.Name)
		samples += c.Samples
		if c.Samples == 0 || c.Time < c.Sampled || c.Sampled <= 0 {
			t.Errorf("%s: %d samples, %d ns, %d ns", c.Name, c.Samples, c.Sampled, c.Time)
		}
		c.Samples, c.Sampled, c.Time = 0, 0, 0
	}
	if strings.Join(names, " ") != "fd_read clock_time_get fd_write path_open" {
		t.Error(names)
	}
	want := SyscallStats{Name: "fd_read", Class: "fs_read", Calls: 2000, Errors: 1000, BytesOut: 5000}
	if s.Syscalls[0] != want {
		t.Errorf("%+v", s.Syscalls[0])
	}
	want = SyscallStats{Name: "path_open", Class: "fs_read", Calls: 1000, Denials: 1000}
	if s.Syscalls[3] != want || s.Syscalls[2].BytesIn != 3000 {
		t.Errorf("%+v", s.Syscalls)
	}
	if s.Total.Calls != 5000 || s.Total.Denials != 1000 || s.Total.Samples != samples || samples < 5000/64 {
		t.Errorf("%+v", s.Total)
	}
	var b strings.Builder
	if err := s.Write(&b); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 6 || !strings.HasSuffix(lines[1], "  fd_read") || !strings.HasSuffix(lines[5], "  total") {
		t.Error(b.String())
	}
}

func TestFilter(t *testing.T) {
	r := recording(t, 3)
	for _, c := range []struct {
		f    Filter
		want int
	}{
		{Filter{}, 15},
		{Filter{DenyOnly: true}, 3},
		{Filter{Names: []string{"fd_read", "fd_write"}}, 9},
		{Filter{Names: []string{"fd_read"}, DenyOnly: true}, 0},
	} {
		n := 0
		if err := c.f.Each(r, func(*trace.Event) error { n++; return nil }); err != nil || n != c.want {
			t.Errorf("%+v: %d, %v", c.f, n, err)
		}
	}
}
