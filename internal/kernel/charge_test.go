package kernel_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/kernel"
	"github.com/forgeone/forgeone/internal/provider/host"
	"github.com/forgeone/forgeone/internal/trace"
	"github.com/forgeone/forgeone/internal/wasmtest"
)

// worst is a guest that has a row do as much as it can for as little fuel as it can.
type worst struct {
	name   string
	guest  wasmtest.Caller
	of     abi.Num                    // the row that it is about
	rivals []abi.Num                  // that it calls too, each time
	spec   func(*kernel.Spec, string) // what it is granted; the folder is its own
}

// Places in the memory of these guests.
const (
	result  = 8     // what calls answer
	vectors = 64    // iovecs
	paths   = 4096  // paths
	large   = 65536 // a MiB of room
)

func step(n abi.Num, args ...int64) wasmtest.Step { return wasmtest.Step{Num: n, Args: args} }

// opens makes the file or folder at paths, of so many bytes, be the next free
// descriptor, from 4 on.
func opens(at, n int64, oflags uint16) wasmtest.Step {
	return step(abi.PathOpen, 3, 1, at, n, int64(oflags), -1, -1, 0, result)
}

func data(at int, b string) wasmtest.Data { return wasmtest.Data{Offset: at, Bytes: []byte(b)} }

// mounted grants the folder for writing, as /m.
func mounted(s *kernel.Spec, dir string) { s.Mounts = []trace.Mount{{Host: dir, Guest: "/m"}} }

// deep is a path of folders that are there.
func deep(at string, n int) string { return at + strings.Repeat("/d", n) }

// worsts are the calls at their worst. A row that stands nowhere in it fails
// TestWorsts.
func worsts() (all []worst) {
	add := func(name string, of abi.Num, g wasmtest.Caller, spec func(*kernel.Spec, string), rivals ...abi.Num) {
		g.Pages = 40
		all = append(all, worst{name, g, of, rivals, spec})
	}
	loop := func(steps ...wasmtest.Step) wasmtest.Caller { return wasmtest.Caller{Loop: steps} }
	many := func(s *kernel.Spec, _ string) {
		s.Args = append(s.Args, strings.Repeat("a", 60_000))
		for range 30_000 {
			s.Args = append(s.Args, "")
		}
		for i := range 10_000 {
			s.Env = append(s.Env, fmt.Sprint("e", i, "="))
		}
	}
	// What needs no descriptor.
	add("short strings", abi.ArgsGet, loop(step(abi.ArgsGet, large, large+1<<18)), many)
	add("short strings", abi.EnvironGet, loop(step(abi.EnvironGet, large, large+1<<18)), many)
	add("few strings", abi.ArgsGet, loop(step(abi.ArgsGet, large, large+1<<18)), nil)
	add("few strings", abi.EnvironGet, loop(step(abi.EnvironGet, large, large+1<<18)), nil)
	for _, n := range []abi.Num{abi.ArgsSizesGet, abi.EnvironSizesGet} {
		add("", n, loop(step(n, result, result+4)), many)
	}
	for id := range int64(4) {
		add(fmt.Sprint("clock ", id), abi.ClockTimeGet, loop(step(abi.ClockTimeGet, id, 0, result)), nil)
		add(fmt.Sprint("clock ", id), abi.ClockResGet, loop(step(abi.ClockResGet, id, result)), nil)
	}
	add("no such clock", abi.ClockTimeGet, loop(step(abi.ClockTimeGet, 77, 0, result)), nil)
	add("bad address", abi.ClockTimeGet, loop(step(abi.ClockTimeGet, 0, 0, -1)), nil)
	add("a byte", abi.RandomGet, loop(step(abi.RandomGet, large, 1)), nil)
	add("much", abi.RandomGet, loop(step(abi.RandomGet, large, 1<<20)), nil)
	add("", abi.SchedYield, loop(step(abi.SchedYield)), nil)
	add("no such signal", abi.ProcRaise, loop(step(abi.ProcRaise, 99)), nil)
	add("none that stops", abi.ProcRaise, loop(step(abi.ProcRaise, 0)), nil)

	// Files, in scratch and in a folder of the host.
	for place, at := range map[string]string{"scratch": "tmp", "host": "m"} {
		spec := mounted
		if place == "scratch" {
			spec = nil
		}
		file, dir, path := at+"/f", at+"/d", deep(at, 400)
		base := wasmtest.Caller{
			Data: []wasmtest.Data{
				data(paths, file), data(paths+100, dir), data(paths+200, at+"/naaaa"), data(paths+300, at+"/l"), data(paths+400, "f"),
				data(paths+500, at+"/g"), data(paths+600, at+"/d/naaaa"), data(paths+1000, path+"/f"),
				{Offset: vectors, Bytes: wasmtest.Words(large, 1, large, 1<<20)},
			},
			Setup: []wasmtest.Step{
				opens(paths, int64(len(file)), abi.OFlagCreat),
				step(abi.PathCreateDirectory, 3, paths+100, int64(len(dir))),
				step(abi.PathSymlink, paths+400, 1, 3, paths+300, int64(len(at)+2)),
				opens(paths+100, int64(len(dir)), abi.OFlagDirectory),
			},
		}
		on := func(steps ...wasmtest.Step) wasmtest.Caller { g := base; g.Loop = steps; return g }
		in := func(name string, of abi.Num, g wasmtest.Caller, rivals ...abi.Num) {
			add(place+" "+name, of, g, spec, rivals...)
		}
		n, nd, nn := int64(len(file)), int64(len(dir)), int64(len(at)+6)

		in("", abi.FdAdvise, on(step(abi.FdAdvise, 4, 0, 1<<40, 3)))
		in("", abi.FdAllocate, on(step(abi.FdAllocate, 4, 0, 1)))
		in("open and close", abi.FdClose, on(opens(paths, n, 0), step(abi.FdClose, 6)), abi.PathOpen)
		in("no such", abi.FdClose, on(step(abi.FdClose, 77)))
		in("", abi.FdSync, on(step(abi.FdSync, 4)))
		in("", abi.FdDatasync, on(step(abi.FdDatasync, 4)))
		in("file", abi.FdFdstatGet, on(step(abi.FdFdstatGet, 4, result)))
		in("folder", abi.FdFdstatGet, on(step(abi.FdFdstatGet, 5, result)))
		in("", abi.FdFdstatSetFlags, on(step(abi.FdFdstatSetFlags, 4, 1)))
		in("", abi.FdFdstatSetRights, on(step(abi.FdFdstatSetRights, 4, 2, 0)))
		in("file", abi.FdFilestatGet, on(step(abi.FdFilestatGet, 4, result)))
		in("folder", abi.FdFilestatGet, on(step(abi.FdFilestatGet, 5, result)))
		in("", abi.FdFilestatSetSize, on(step(abi.FdFilestatSetSize, 4, 60<<20), step(abi.FdFilestatSetSize, 4, 0)))
		in("file", abi.FdFilestatSetTimes, on(step(abi.FdFilestatSetTimes, 4, 1, 1, 5)))
		in("folder", abi.FdFilestatSetTimes, on(step(abi.FdFilestatSetTimes, 5, 1, 1, 5)))
		in("much", abi.FdPwrite, on(step(abi.FdPwrite, 4, vectors+8, 1, 0, result)))
		in("a byte", abi.FdPwrite, on(step(abi.FdPwrite, 4, vectors, 1, 0, result)))
		in("far", abi.FdPwrite, on(step(abi.FdPwrite, 4, vectors, 1, 60<<20, result), step(abi.FdFilestatSetSize, 4, 0)), abi.FdFilestatSetSize)
		in("a byte", abi.FdWrite, on(step(abi.FdWrite, 4, vectors, 1, result), step(abi.FdSeek, 4, 0, 0, result)), abi.FdSeek)
		read := on(step(abi.FdPread, 4, vectors+8, 1, 0, result))
		read.Setup = append(slices.Clip(read.Setup), step(abi.FdPwrite, 4, vectors+8, 1, 0, result))
		in("much", abi.FdPread, read)
		in("offered much", abi.FdPread, on(step(abi.FdPread, 4, vectors+8, 1, 1<<40, result)))
		in("a byte", abi.FdPread, on(step(abi.FdPread, 4, vectors, 1, 0, result)))
		in("at the end", abi.FdRead, on(step(abi.FdRead, 4, vectors+8, 1, result)))
		in("empty iovecs", abi.FdRead, on(step(abi.FdRead, 4, large, 1<<17, result)))
		in("empty iovecs", abi.FdWrite, on(step(abi.FdWrite, 4, large, 1<<17, result)))
		in("", abi.FdSeek, on(step(abi.FdSeek, 4, 0, 2, result)))
		in("", abi.FdTell, on(step(abi.FdTell, 4, result)))
		in("", abi.FdRenumber, on(opens(paths, n, 0), step(abi.FdRenumber, 6, 4)), abi.PathOpen)
		list := on(step(abi.FdReaddir, 5, large, 24, 0, result))
		list.Many, list.Times, list.Counter = []wasmtest.Step{step(abi.PathCreateDirectory, 3, paths+600, nd+6)}, 9900, paths+600+int(nd)+2
		in("rewinds", abi.FdReaddir, list)
		list.Loop = []wasmtest.Step{step(abi.FdReaddir, 5, large, 1<<20, 0, result)}
		in("all", abi.FdReaddir, list)
		in("empty", abi.FdReaddir, on(step(abi.FdReaddir, 5, large, 24, 0, result)))
		in("goes on", abi.FdReaddir, on(step(abi.FdReaddir, 5, large, 24, 2, result)))
		in("", abi.PathFilestatGet, on(step(abi.PathFilestatGet, 3, 0, paths, n, result)))
		in("nothing there", abi.PathFilestatGet, on(step(abi.PathFilestatGet, 3, 0, paths+500, n, result)))
		in("up and down", abi.PathFilestatGet, func() wasmtest.Caller {
			g := on(step(abi.PathFilestatGet, 3, 0, large, 4090, result))
			p := dir
			for len(p) < 4080 {
				p += "/../d"
			}
			g.Data = append(slices.Clip(g.Data), data(large, p+"/////////////////////"[:4090-len(p)]))
			return g
		}())
		in("a link", abi.PathFilestatGet, on(step(abi.PathFilestatGet, 3, 1, paths+300, n, result)))
		in("", abi.PathFilestatSetTimes, on(step(abi.PathFilestatSetTimes, 3, 0, paths, n, 1, 1, 5)))
		in("link and unlink", abi.PathLink, on(step(abi.PathLink, 3, 0, paths, n, 3, paths+500, n), step(abi.PathUnlinkFile, 3, paths+500, n)), abi.PathUnlinkFile)
		in("", abi.PathReadlink, on(step(abi.PathReadlink, 3, paths+300, n, large, 4096, result)))
		in("make and remove", abi.PathCreateDirectory, on(step(abi.PathCreateDirectory, 3, paths+500, n), step(abi.PathRemoveDirectory, 3, paths+500, n)), abi.PathRemoveDirectory)
		in("there is one", abi.PathCreateDirectory, on(step(abi.PathCreateDirectory, 3, paths+100, nd)))
		in("nothing there", abi.PathRemoveDirectory, on(step(abi.PathRemoveDirectory, 3, paths+500, n)))
		in("make and remove", abi.PathSymlink, on(step(abi.PathSymlink, paths+400, 1, 3, paths+500, n), step(abi.PathUnlinkFile, 3, paths+500, n)), abi.PathUnlinkFile)
		in("nothing there", abi.PathUnlinkFile, on(step(abi.PathUnlinkFile, 3, paths+500, n)))
		rename := on(step(abi.PathRename, 3, paths+100, nd, 3, paths+500, n), step(abi.PathRename, 3, paths+500, n, 3, paths+100, nd))
		in("to and fro", abi.PathRename, rename)
		in("new paths", abi.PathFilestatGet, func() wasmtest.Caller {
			g := on(step(abi.PathFilestatGet, 3, 0, paths+200, nn, result))
			g.Counter = paths + 200 + len(at) + 2
			return g
		}())
		in("new", abi.PathOpen, func() wasmtest.Caller {
			g := on(opens(paths+500, n, abi.OFlagCreat), step(abi.FdClose, 6), step(abi.PathUnlinkFile, 3, paths+500, n))
			return g
		}(), abi.FdClose, abi.PathUnlinkFile)
		in("full table", abi.PathOpen, func() wasmtest.Caller {
			g := on(opens(paths, n, 0), step(abi.FdClose, 6))
			g.Many, g.Times = []wasmtest.Step{opens(paths, n, 0)}, 1100
			g.Loop = []wasmtest.Step{step(abi.FdClose, 7), opens(paths, n, 0), opens(paths, n, 0)}
			return g
		}(), abi.FdClose)
		// A rename up looks through all that is moved.
		scan := base
		scan.Data = append(slices.Clip(scan.Data), data(paths+700, at+"/d/e"), data(paths+800, at+"/d/e/naaaa"), data(paths+900, at+"/z"))
		scan.Setup = append(slices.Clip(scan.Setup), step(abi.PathCreateDirectory, 3, paths+700, nd+2))
		scan.Many, scan.Times, scan.Counter = []wasmtest.Step{step(abi.PathCreateDirectory, 3, paths+800, nd+8)}, 9900, paths+800+int(nd)+4
		scan.Loop = []wasmtest.Step{step(abi.PathRename, 3, paths+700, nd+2, 3, paths+900, n), step(abi.PathRename, 3, paths+900, n, 3, paths+700, nd+2)}
		in("folders up", abi.PathRename, scan)
	}
	// Streams and sockets.
	quiet := wasmtest.Caller{Data: []wasmtest.Data{{Offset: vectors, Bytes: wasmtest.Words(large, 1, large, 1<<20)}}}
	with := func(steps ...wasmtest.Step) wasmtest.Caller { g := quiet; g.Loop = steps; return g }
	add("a byte", abi.FdWrite, with(step(abi.FdWrite, 1, vectors, 1, result)), nil)
	add("much", abi.FdWrite, with(step(abi.FdWrite, 1, vectors+8, 1, result)), nil)
	add("at the end", abi.FdRead, with(step(abi.FdRead, 0, vectors, 1, result)), nil)
	add("", abi.FdPrestatGet, with(step(abi.FdPrestatGet, 3, result)), nil)
	add("", abi.FdPrestatDirName, with(step(abi.FdPrestatDirName, 3, result, 1)), nil)
	add("no grant", abi.PathOpen, func() wasmtest.Caller {
		g := with(opens(paths, 5, 0))
		g.Data, g.Counter = append(slices.Clip(g.Data), data(paths, "naaaa")), paths+1
		return g
	}(), nil)
	listens := func(s *kernel.Spec, _ string) { s.Listen = []string{"127.0.0.1:0"} }
	connected := func(s *kernel.Spec, _ string) {
		s.Listen = []string{"127.0.0.1:0"}
		s.Listening = func(a []string) {
			if c, err := net.Dial("tcp", a[0]); err == nil {
				go func() { _, _ = io.Copy(io.Discard, c) }()
			}
		}
	}
	poll := func(n int, each func(b []byte)) wasmtest.Caller {
		subs := make([]byte, n*abi.SubscriptionSize)
		for i := range n {
			each(subs[i*abi.SubscriptionSize:])
		}
		g := quiet
		g.Data = append(slices.Clip(g.Data), wasmtest.Data{Offset: large, Bytes: subs})
		g.Loop = []wasmtest.Step{step(abi.PollOneoff, large, large+1<<20, int64(n), result)}
		return g
	}
	clock := func(ns uint64) func([]byte) {
		return func(b []byte) {
			b[8] = byte(abi.EventClock)
			binary.LittleEndian.PutUint32(b[16:], abi.ClockMonotonic)
			binary.LittleEndian.PutUint64(b[24:], ns)
		}
	}
	on := func(fd uint32, kind uint8) func([]byte) {
		return func(b []byte) { b[8] = byte(kind); binary.LittleEndian.PutUint32(b[16:], fd) }
	}
	add("a moment", abi.PollOneoff, poll(1, clock(1)), nil)
	add("no time", abi.PollOneoff, poll(1, clock(0)), nil)
	add("many clocks", abi.PollOneoff, poll(4096, clock(1)), nil)
	add("output", abi.PollOneoff, poll(4096, on(1, abi.EventFDWrite)), nil)
	listener := func(n int) wasmtest.Caller {
		i := 0
		return poll(n, func(b []byte) {
			if i++; i == 1 {
				clock(1)(b)
			} else {
				on(4, abi.EventFDRead)(b)
			}
		})
	}
	add("a socket and a moment", abi.PollOneoff, listener(2), listens)
	add("many sockets and a moment", abi.PollOneoff, listener(4096), listens)
	add("nobody there", abi.SockAccept, func() wasmtest.Caller {
		g := with(step(abi.SockAccept, 4, int64(abi.FDFlagNonblock), result))
		g.Setup = []wasmtest.Step{step(abi.FdFdstatSetFlags, 4, int64(abi.FDFlagNonblock))}
		return g
	}(), listens)
	onConn := func(steps ...wasmtest.Step) wasmtest.Caller {
		g := with(steps...)
		g.Setup = []wasmtest.Step{step(abi.SockAccept, 4, int64(abi.FDFlagNonblock), result)}
		return g
	}
	add("nothing there", abi.SockRecv, onConn(step(abi.SockRecv, 5, vectors, 1, 0, result, result+4)), connected)
	add("a byte", abi.SockSend, onConn(step(abi.SockSend, 5, vectors, 1, 0, result)), connected)
	add("much", abi.SockSend, onConn(step(abi.SockSend, 5, vectors+8, 1, 0, result)), connected)
	add("", abi.SockShutdown, onConn(step(abi.SockShutdown, 5, 2)), connected)
	return all
}

// TestWorsts: every row is driven at its worst somewhere, and has a price for a call and
// for all the work that was seen to be done.
func TestWorsts(t *testing.T) {
	driven := map[abi.Num]bool{abi.ProcExit: true} // which comes once
	for _, w := range worsts() {
		driven[w.of] = true
	}
	for _, r := range abi.Rows() {
		if !driven[r.Num] {
			t.Errorf("%s is driven nowhere", r.Name)
		}
		if r.Price[abi.WorkCall] == 0 {
			t.Errorf("%s has no price", r.Name)
		}
	}
}

// cpu is the processor time of this process.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestSoakCharges: with equal fuel the worst calls take at most ten times the processor
// time of a plain loop.
func TestSoakCharges(t *testing.T) {
	if os.Getenv("FORGEONE_SOAK") == "" {
		t.Skip("SKIPPED: `make soak` runs it")
	}
	n := newNode(t)
	best := func(name string, fuel uint64, spec func(*kernel.Spec, string)) (time.Duration, *kernel.Report) {
		least, last := time.Duration(math.MaxInt64), (*kernel.Report)(nil)
		for range 3 {
			dir := t.TempDir()
			s := kernel.Spec{Target: n.guest(name)}
			s.Limits = abi.Limits{Fuel: fuel, Recording: 1 << 40, Output: 1 << 40, Deadline: int64(time.Minute)}
			s.Stdin, s.Stdout, s.Stderr = host.NewReader(bytes.NewReader(nil)), host.NewWriter(io.Discard), host.NewWriter(io.Discard)
			if spec != nil {
				spec(&s, dir)
			}
			from := cpu()
			r, err := n.Run(t.Context(), s)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			least, last = min(least, cpu()-from), r
			if r.Outcome != abi.OutcomeFuel {
				t.Errorf("%s ended with %v", name, r.Outcome)
			}
			if err := os.RemoveAll(n.Home().Recordings()); err != nil { // they take room
				t.Fatal(err)
			}
			if err := os.Mkdir(n.Home().Recordings(), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		return least, last
	}
	put := func(name string, b []byte) {
		if err := os.WriteFile(n.guest(name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("plain", wasmtest.Module{MinPages: 1, Funcs: []wasmtest.Func{{Export: "_start", Locals: []byte{wasmtest.I32}, Body: wasmtest.Loop(
		wasmtest.LocalGet(0), wasmtest.Const(1), wasmtest.Add, wasmtest.LocalSet(0), wasmtest.Br(0))}}}.Bytes())
	const fuel = 400_000_000
	start, _ := best("plain", 10, nil)
	plain, _ := best("plain", 10*fuel, nil)
	unit := float64(plain-start) / (10 * fuel)
	t.Logf("a plain loop takes %.3f ns a unit", unit)
	only := os.Getenv("FORGEONE_ONLY")
	for i, w := range worsts() {
		r := abi.Lookup(w.of)
		name := strings.TrimSpace(r.Name + " " + w.name)
		if !strings.Contains(name, only) {
			continue
		}
		file := fmt.Sprint("worst", i)
		put(file, w.guest.Bytes())
		setup := 10 + uint64(w.guest.Times)*30_000
		zero, before := best(file, setup, w.spec)
		took, rep := best(file, setup+fuel, w.spec)
		ratio := float64(took-zero) / fuel / unit
		calls := float64(rep.Calls - before.Calls)
		line := fmt.Sprintf("%-45s %9.0f calls, %8.0f ns and %8.0f units each: %5.1f times a plain loop", name, calls,
			float64(took-zero)/calls, fuel/calls, ratio)
		t.Log(line)
		if ratio > 10 {
			t.Error("FAULT " + line)
		}
	}
	_ = filepath.Join
}
