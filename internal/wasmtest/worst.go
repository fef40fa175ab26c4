package wasmtest

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/forgeone/forgeone/abi"
)

// Worst is a guest that has a row do as much as it can for as little fuel as it can, and
// what it is granted.
type Worst struct {
	Name  string
	Of    abi.Num // the row that it is about
	Guest Caller
	Args  []string
	Env   []string
	Mount bool // a folder of its own for writing, as /m
	// Listen grants a socket, and Connect has somebody connect to it.
	Listen, Connect bool
}

// Setup is the fuel that the guest needs before its loop, about.
func (w Worst) Setup() uint64 { return 10 + uint64(w.Guest.Times)*30_000 }

// Places in the memory of these guests.
const (
	result  = 8     // what calls answer
	vectors = 64    // iovecs
	paths   = 4096  // paths
	large   = 65536 // a MiB of room
)

func step(n abi.Num, args ...int64) Step { return Step{Num: n, Args: args} }

// opens makes the file or folder at paths, of so many bytes, be the next free
// descriptor, from 4 on.
func opens(at, n int64, oflags uint16) Step {
	rights := int64(-1)
	if oflags&abi.OFlagDirectory != 0 {
		rights = ^int64(abi.RightFDWrite) // which no folder is opened with
	}
	return step(abi.PathOpen, 3, 1, at, n, int64(oflags), rights, -1, 0, result)
}

func data(at int, b string) Data { return Data{Offset: at, Bytes: []byte(b)} }

// deep is a path of folders that are there.
func deep(at string, n int) string { return at + strings.Repeat("/d", n) }

// chain is base with forty links, each of which leads to the next one by four thousand
// bytes of pad, and the last one to nothing, and a loop that looks for the first.
func chain(base Caller, at, pad string) Caller {
	const first, each = 1 << 20, 5000
	g := base
	g.Data, g.Setup = slices.Clip(g.Data), slices.Clip(g.Setup)
	for k := range 40 {
		text, name := fmt.Sprintf("L%02d", k+1)+strings.Repeat(pad, 4000/len(pad)), fmt.Sprintf("%s/L%02d", at, k)
		where := first + k*each
		g.Data = append(g.Data, data(where, text), data(where+4500, name))
		g.Setup = append(g.Setup, step(abi.PathSymlink, int64(where), int64(len(text)), 3, int64(where+4500), int64(len(name))))
	}
	name := at + "/L00/"
	g.Data = append(g.Data, data(paths+3000, name))
	g.Loop = []Step{step(abi.PathFilestatGet, 3, 1, paths+3000, int64(len(name)), result)}
	return g
}

// Worsts are calls at their worst, of every row.
func Worsts() (all []Worst) {
	add := func(name string, of abi.Num, g Caller, grants func(*Worst)) {
		g.Pages = 40
		w := Worst{Name: strings.TrimSpace(abi.Lookup(of).Name + " " + name), Of: of, Guest: g}
		if grants != nil {
			grants(&w)
		}
		all = append(all, w)
	}
	mounted := func(w *Worst) { w.Mount = true }
	loop := func(steps ...Step) Caller { return Caller{Loop: steps} }
	many := func(s *Worst) {
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
	for _, place := range []string{"scratch", "host"} {
		at := map[string]string{"scratch": "tmp", "host": "m"}[place]
		grants := mounted
		if place == "scratch" {
			grants = nil
		}
		file, dir, path := at+"/f", at+"/d", deep(at, 400)
		base := Caller{
			Data: []Data{
				data(paths, file), data(paths+100, dir), data(paths+200, at+"/naaaa"), data(paths+300, at+"/l"), data(paths+400, "f"),
				data(paths+500, at+"/g"), data(paths+600, at+"/d/naaaa"), data(paths+1000, path+"/f"),
				{Offset: vectors, Bytes: Words(large, 1, large, 1<<20)},
			},
			Setup: []Step{
				opens(paths, int64(len(file)), abi.OFlagCreat),
				step(abi.PathCreateDirectory, 3, paths+100, int64(len(dir))),
				step(abi.PathSymlink, paths+400, 1, 3, paths+300, int64(len(at)+2)),
				opens(paths+100, int64(len(dir)), abi.OFlagDirectory),
			},
		}
		on := func(steps ...Step) Caller { g := base; g.Loop = steps; return g }
		in := func(name string, of abi.Num, g Caller) { add(place+" "+name, of, g, grants) }
		n, nd, nn := int64(len(file)), int64(len(dir)), int64(len(at)+6)

		for what, pad := range map[string]string{"slashes": "/", "dots": "/.", "ways up and down": "/d/.."} {
			in("links of "+what, abi.PathFilestatGet, chain(base, at, pad))
		}
		in("much room", abi.FdAllocate, on(step(abi.FdAllocate, 4, 0, 60<<20), step(abi.FdFilestatSetSize, 4, 0)))
		in("", abi.FdAdvise, on(step(abi.FdAdvise, 4, 0, 1<<40, 3)))
		in("", abi.FdAllocate, on(step(abi.FdAllocate, 4, 0, 1)))
		in("open and close", abi.FdClose, on(opens(paths, n, 0), step(abi.FdClose, 6)))
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
		in("far", abi.FdPwrite, on(step(abi.FdPwrite, 4, vectors, 1, 60<<20, result), step(abi.FdFilestatSetSize, 4, 0)))
		in("a byte", abi.FdWrite, on(step(abi.FdWrite, 4, vectors, 1, result), step(abi.FdSeek, 4, 0, 0, result)))
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
		in("", abi.FdRenumber, on(opens(paths, n, 0), step(abi.FdRenumber, 6, 4)))
		list := on(step(abi.FdReaddir, 5, large, 24, 0, result))
		list.Many, list.Times, list.Counter = []Step{step(abi.PathCreateDirectory, 3, paths+600, nd+6)}, 9900, paths+600+int(nd)+2
		in("rewinds", abi.FdReaddir, list)
		list.Loop = []Step{step(abi.FdReaddir, 5, large, 1<<20, 0, result)}
		in("all", abi.FdReaddir, list)
		in("empty", abi.FdReaddir, on(step(abi.FdReaddir, 5, large, 24, 0, result)))
		in("goes on", abi.FdReaddir, on(step(abi.FdReaddir, 5, large, 24, 2, result)))
		in("", abi.PathFilestatGet, on(step(abi.PathFilestatGet, 3, 0, paths, n, result)))
		in("nothing there", abi.PathFilestatGet, on(step(abi.PathFilestatGet, 3, 0, paths+500, n, result)))
		in("up and down", abi.PathFilestatGet, func() Caller {
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
		in("link and unlink", abi.PathLink, on(step(abi.PathLink, 3, 0, paths, n, 3, paths+500, n), step(abi.PathUnlinkFile, 3, paths+500, n)))
		in("", abi.PathReadlink, on(step(abi.PathReadlink, 3, paths+300, n, large, 4096, result)))
		in("make and remove", abi.PathCreateDirectory, on(step(abi.PathCreateDirectory, 3, paths+500, n), step(abi.PathRemoveDirectory, 3, paths+500, n)))
		in("there is one", abi.PathCreateDirectory, on(step(abi.PathCreateDirectory, 3, paths+100, nd)))
		in("nothing there", abi.PathRemoveDirectory, on(step(abi.PathRemoveDirectory, 3, paths+500, n)))
		in("make and remove", abi.PathSymlink, on(step(abi.PathSymlink, paths+400, 1, 3, paths+500, n), step(abi.PathUnlinkFile, 3, paths+500, n)))
		in("nothing there", abi.PathUnlinkFile, on(step(abi.PathUnlinkFile, 3, paths+500, n)))
		rename := on(step(abi.PathRename, 3, paths+100, nd, 3, paths+500, n), step(abi.PathRename, 3, paths+500, n, 3, paths+100, nd))
		in("to and fro", abi.PathRename, rename)
		in("new paths", abi.PathFilestatGet, func() Caller {
			g := on(step(abi.PathFilestatGet, 3, 0, paths+200, nn, result))
			g.Counter = paths + 200 + len(at) + 2
			return g
		}())
		in("new", abi.PathOpen, func() Caller {
			g := on(opens(paths+500, n, abi.OFlagCreat), step(abi.FdClose, 6), step(abi.PathUnlinkFile, 3, paths+500, n))
			return g
		}())
		in("full table", abi.PathOpen, func() Caller {
			g := on(opens(paths, n, 0), step(abi.FdClose, 6))
			g.Many, g.Times = []Step{opens(paths, n, 0)}, 1100
			g.Loop = []Step{step(abi.FdClose, 7), opens(paths, n, 0), opens(paths, n, 0)}
			return g
		}())
		// A rename up looks through all that is moved.
		scan := base
		scan.Data = append(slices.Clip(scan.Data), data(paths+700, at+"/d/e"), data(paths+800, at+"/d/e/naaaa"), data(paths+900, at+"/z"))
		scan.Setup = append(slices.Clip(scan.Setup), step(abi.PathCreateDirectory, 3, paths+700, nd+2))
		scan.Many, scan.Times, scan.Counter = []Step{step(abi.PathCreateDirectory, 3, paths+800, nd+8)}, 9900, paths+800+int(nd)+4
		scan.Loop = []Step{step(abi.PathRename, 3, paths+700, nd+2, 3, paths+900, n), step(abi.PathRename, 3, paths+900, n, 3, paths+700, nd+2)}
		in("folders up", abi.PathRename, scan)
	}
	// Streams and sockets.
	quiet := Caller{Data: []Data{{Offset: vectors, Bytes: Words(large, 1, large, 1<<20)}}}
	with := func(steps ...Step) Caller { g := quiet; g.Loop = steps; return g }
	add("a byte", abi.FdWrite, with(step(abi.FdWrite, 1, vectors, 1, result)), nil)
	add("much", abi.FdWrite, with(step(abi.FdWrite, 1, vectors+8, 1, result)), nil)
	add("at the end", abi.FdRead, with(step(abi.FdRead, 0, vectors, 1, result)), nil)
	add("", abi.FdPrestatGet, with(step(abi.FdPrestatGet, 3, result)), nil)
	add("", abi.FdPrestatDirName, with(step(abi.FdPrestatDirName, 3, result, 1)), nil)
	add("no grant", abi.PathOpen, func() Caller {
		g := with(opens(paths, 5, 0))
		g.Data, g.Counter = append(slices.Clip(g.Data), data(paths, "naaaa")), paths+1
		return g
	}(), nil)
	listens := func(w *Worst) { w.Listen = true }
	connected := func(w *Worst) { w.Listen, w.Connect = true, true }
	poll := func(n int, each func(b []byte)) Caller {
		subs := make([]byte, n*abi.SubscriptionSize)
		for i := range n {
			each(subs[i*abi.SubscriptionSize:])
		}
		g := quiet
		g.Data = append(slices.Clip(g.Data), Data{Offset: large, Bytes: subs})
		g.Loop = []Step{step(abi.PollOneoff, large, large+1<<20, int64(n), result)}
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
	listener := func(n int) Caller {
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
	add("nobody there", abi.SockAccept, func() Caller {
		g := with(step(abi.SockAccept, 4, int64(abi.FDFlagNonblock), result))
		g.Setup = []Step{step(abi.FdFdstatSetFlags, 4, int64(abi.FDFlagNonblock))}
		return g
	}(), listens)
	onConn := func(steps ...Step) Caller {
		g := with(steps...)
		g.Setup = []Step{step(abi.SockAccept, 4, int64(abi.FDFlagNonblock), result)}
		return g
	}
	add("nothing there", abi.SockRecv, onConn(step(abi.SockRecv, 5, vectors, 1, 0, result, result+4)), connected)
	add("a byte", abi.SockSend, onConn(step(abi.SockSend, 5, vectors, 1, 0, result)), connected)
	add("much", abi.SockSend, onConn(step(abi.SockSend, 5, vectors+8, 1, 0, result)), connected)
	add("", abi.SockShutdown, onConn(step(abi.SockShutdown, 5, 2)), connected)
	return all
}
