package provider

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/pure"
	"github.com/forgeone/forgeone/internal/provider/tree"
	"github.com/forgeone/forgeone/internal/provider/treetest"
)

// fakeClock stands still.
type fakeClock struct{ now uint64 }

func (c *fakeClock) Now(id uint32) (uint64, abi.Errno) {
	if id > abi.ClockThreadCPU {
		return 0, abi.EINVAL
	}
	return c.now + uint64(id), 0
}

func (c *fakeClock) Resolution(id uint32) (uint64, abi.Errno) {
	if id == abi.ClockThreadCPU {
		return 0, abi.ENOTSUP
	}
	return 1 + uint64(id), 0
}

// fakeStream gives in, piece by piece, and blocks when there is none left unless
// it is at the end.
type fakeStream struct {
	mu      sync.Mutex
	changed chan struct{} // closed and renewed at each change
	in      []string
	end     bool
	out     bytes.Buffer
	full    bool // writing blocks
	at      int  // most bytes one Write takes, 0 for all
	typ     abi.Filetype
}

func newFake(in ...string) *fakeStream {
	return &fakeStream{in: in, end: true, changed: make(chan struct{}), typ: abi.FiletypeCharacterDevice}
}

func (s *fakeStream) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *fakeStream) state(write bool) (bool, chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if write {
		return !s.full, s.changed
	}
	return len(s.in) > 0 || s.end, s.changed
}

func (s *fakeStream) Ready(write bool) bool { ok, _ := s.state(write); return ok }

func (s *fakeStream) Type() abi.Filetype { return s.typ }

func (s *fakeStream) WaitReady(write bool, d time.Duration, done <-chan struct{}) bool {
	var timer <-chan time.Time
	if d >= 0 {
		timer = time.After(d)
	}
	for {
		ok, ch := s.state(write)
		if ok {
			return true
		}
		select {
		case <-ch:
		case <-timer:
			return false
		case <-done:
			return false
		}
	}
}

func (s *fakeStream) Read(p []byte, done <-chan struct{}) (int, abi.Errno) {
	if !s.WaitReady(false, -1, done) {
		return 0, abi.EINTR
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.in) == 0 {
		return 0, 0
	}
	n := copy(p, s.in[0])
	if s.in[0] = s.in[0][n:]; s.in[0] == "" {
		s.in = s.in[1:]
	}
	return n, 0
}

func (s *fakeStream) Write(p []byte, done <-chan struct{}) (int, abi.Errno) {
	if !s.WaitReady(true, -1, done) {
		return 0, abi.EINTR
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at > 0 {
		p = p[:min(len(p), s.at)]
	}
	s.out.Write(p)
	return len(p), 0
}

// harness calls a world as the gate would with a policy that allows everything.
type harness struct {
	testing.TB
	w                     *World
	clock                 *fakeClock
	stdin, stdout, stderr *fakeStream
	done                  chan struct{}
}

func start(t testing.TB, c Config) *harness {
	t.Helper()
	h := &harness{TB: t, clock: &fakeClock{now: 1_000_000_000}, stdin: newFake(), stdout: newFake(), stderr: newFake(), done: make(chan struct{})}
	c.Clock, c.Done = h.clock, h.done
	c.Stdin, c.Stdout, c.Stderr = h.stdin, h.stdout, h.stderr
	if c.Random == nil {
		c.Random = func(p []byte) error {
			for i := range p {
				p[i] = byte(i + 1)
			}
			return nil
		}
	}
	w, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	h.w = w
	t.Cleanup(w.Close)
	return h
}

// room is a buffer of the guest's that has room for as many bytes.
type room int

// reply is what a call came to.
type reply struct {
	abi.Object // as resolved
	e          abi.Errno
	out        []byte
	ret        []byte
	stop       abi.Outcome
	limit      abi.Limit
	work       abi.Tally
	charge     uint64
	performed  bool
}

func (r reply) u32(off int) uint32 { return binary.LittleEndian.Uint32(r.ret[off:]) }
func (r reply) u64(off int) uint64 { return binary.LittleEndian.Uint64(r.ret[off:]) }

// call builds the call of n: one argument per parameter that is not a result.
func call(n abi.Num, args ...any) *abi.Call {
	c := &abi.Call{}
	c.Reset(abi.Lookup(n), 0)
	paths := 0
	for i, p := range c.Row.Params {
		if p.Type.Size() > 0 || p.Type == abi.EventsOut || p.Type == abi.StringsOut {
			continue
		}
		a := args[0]
		args = args[1:]
		switch a := a.(type) {
		case string:
			if p.Type == abi.BytesIn {
				c.In, c.Args[i] = []byte(a), uint64(len(a))
				break
			}
			c.Path[paths], c.Args[i] = a, uint64(len(a))
			paths++
		case []byte:
			c.In, c.Args[i] = a, uint64(len(a))
		case room:
			c.OutCap, c.Args[i] = int(a), uint64(a)
		case int:
			c.Args[i] = uint64(a)
		case int64:
			c.Args[i] = uint64(a)
		case uint64:
			c.Args[i] = a
		case uint32:
			c.Args[i] = uint64(a)
		case uint16:
			c.Args[i] = uint64(a)
		case uint8:
			c.Args[i] = uint64(a)
		case abi.Rights:
			c.Args[i] = uint64(a)
		default:
			panic(fmt.Sprintf("argument %T", a))
		}
	}
	if len(args) > 0 {
		panic(fmt.Sprintf("%s: %d arguments too many", c.Row.Name, len(args)))
	}
	return c
}

func (h *harness) do(n abi.Num, args ...any) reply {
	h.Helper()
	c := call(n, args...)
	switch n {
	case abi.ArgsGet, abi.EnvironGet:
		_, c.OutCap = h.w.StringsSize(n)
	case abi.PollOneoff:
		c.OutCap = int(c.Args[2]) * abi.EventSize
	}
	var o abi.Object
	h.w.Resolve(c, &o)
	r := reply{Object: o}
	switch {
	case o.Refused != 0:
		_, r.e = abi.Refuse(&o)
	case o.Errno != 0:
		r.e = o.Errno
	default:
		c.Out = make([]byte, c.OutCap)
		h.w.Perform(c, &o)
		r.e, r.stop, r.performed = c.Errno, c.Stop, true
		r.out, r.ret = c.Out[:c.OutLen], c.Ret[:]
	}
	r.limit = c.Limit
	r.charge = h.w.Charge(c, &o)
	r.work = c.Work
	h.w.Release(&o)
	h.idle()
	return r
}

// idle checks that no walk and no call holds anything.
func (h *harness) idle() {
	h.Helper()
	for _, f := range h.w.walker.stack {
		h.Fatalf("the walk still holds %s", f.name)
	}
	if h.w.held[0].parent != nil || h.w.held[1].parent != nil {
		h.Fatal("the call still holds a folder")
	}
}

func (h *harness) want(want abi.Errno, n abi.Num, args ...any) reply {
	h.Helper()
	r := h.do(n, args...)
	if r.e != want {
		h.Fatalf("%s%v: %v (%s %q, refused %d), want %v", abi.Lookup(n).Name, args, r.e, r.Kind, r.Name, r.Refused, want)
	}
	return r
}

func (h *harness) ok(n abi.Num, args ...any) reply {
	h.Helper()
	return h.want(0, n, args...)
}

// refused checks that a call is refused, and on which name.
func (h *harness) refused(want abi.Refusal, e abi.Errno, name string, n abi.Num, args ...any) reply {
	h.Helper()
	r := h.want(e, n, args...)
	if r.Refused != want || r.Name != name {
		h.Fatalf("%s%v: refused %d on %q, want %d on %q", abi.Lookup(n).Name, args, r.Refused, r.Name, want, name)
	}
	return r
}

const (
	follow   = abi.LookupSymlinkFollow
	readable = abi.FileRights &^ (abi.RightFDWrite | abi.RightFDDatasync | abi.RightFDAllocate | abi.RightFDFilestatSetSize)
	all      = abi.FileRights | abi.DirRights
)

// open opens path from fd 3 the way libcs do and returns the descriptor.
func (h *harness) open(path string, oflags uint16, rights abi.Rights) int {
	h.Helper()
	return int(h.ok(abi.PathOpen, 3, follow, path, oflags, rights, all, 0).u32(0))
}

func (h *harness) folder(path string) int {
	h.Helper()
	return h.open(path, abi.OFlagDirectory, abi.DirRights)
}

func (h *harness) write(path, text string) {
	h.Helper()
	fd := h.open(path, abi.OFlagCreat|abi.OFlagTrunc, abi.FileRights)
	h.ok(abi.FdWrite, fd, text)
	h.ok(abi.FdClose, fd)
}

func (h *harness) read(path string) string {
	h.Helper()
	fd := h.open(path, 0, readable)
	defer h.do(abi.FdClose, fd)
	return string(h.ok(abi.FdRead, fd, room(1<<16)).out)
}

// plant makes a symbolic link as a program outside could, which nobody checks.
func (h *harness) plant(folder, name, text string) {
	h.Helper()
	fd := h.folder(folder)
	if e := h.w.get(uint64(fd)).folder.dir.Symlink(text, name); e != 0 {
		h.Fatal(e)
	}
	h.ok(abi.FdClose, fd)
}

// list lists a folder by its descriptor, in the order of the entries.
func (h *harness) list(fd int) []string {
	h.Helper()
	var names []string
	cookie := uint64(0)
	for {
		r := h.ok(abi.FdReaddir, fd, room(100), cookie)
		used := r.out
		for len(used) >= abi.DirentSize {
			n := int(binary.LittleEndian.Uint32(used[16:]))
			if len(used) < abi.DirentSize+n {
				break
			}
			names = append(names, string(used[abi.DirentSize:abi.DirentSize+n]))
			cookie = binary.LittleEndian.Uint64(used)
			used = used[abi.DirentSize+n:]
		}
		if len(r.out) < 100 {
			return names
		}
	}
}

func (h *harness) lists(path string, want ...string) {
	h.Helper()
	fd := h.folder(path)
	defer h.do(abi.FdClose, fd)
	got := h.list(fd)
	slices.Sort(got)
	want = append(want, ".", "..")
	slices.Sort(want)
	if !slices.Equal(got, want) {
		h.Fatalf("%s lists %q, want %q", path, got, want)
	}
}

func (h *harness) filetype(path string, flags uint32) abi.Filetype {
	h.Helper()
	return abi.Filetype(h.ok(abi.PathFilestatGet, 3, flags, path).ret[16])
}

func scratch() tree.Dir {
	t := uint64(1_700_000_000_000_000_000)
	return pure.NewScratch(func() uint64 { t++; return t }, 1<<24, 10_000)
}

func assets(t testing.TB, files ...string) tree.Dir {
	t.Helper()
	m := map[string][]byte{}
	for _, f := range files {
		name, text, _ := strings.Cut(f, "=")
		m[name] = []byte(text)
	}
	d, err := pure.NewAssets(treetest.Sections(m))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// usual has a writable /w, a read-only /in with a few files, and /in/nested/rw,
// writable, inside it.
func usual(t testing.TB) *harness {
	t.Helper()
	return start(t, Config{Mounts: []Mount{
		{Guest: "/w", Root: scratch(), Grant: 1},
		{Guest: "/in", Root: assets(t, "a.txt=hello", "d/b.txt=bee", "nested/hidden=", "nested/rw/shadowed="), ReadOnly: true, Grant: 2},
		{Guest: "/in/nested/rw", Root: scratch(), Grant: 3},
		{Guest: "/deep/er/mount", Root: scratch(), Base: true, Grant: 9},
	}})
}
