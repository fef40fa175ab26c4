package host

import (
	"testing"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider"
	"github.com/forgeone/forgeone/internal/provider/pure"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

// guest makes calls of a world as a guest does, with nothing between that would
// decide: what the world itself lets through is what a guest can do at most.
type guest struct {
	w    *provider.World
	out  [256]byte
	call abi.Call
	obj  abi.Object
}

func newGuest(t testing.TB, mounts ...provider.Mount) *guest {
	t.Helper()
	for i := range mounts {
		mounts[i].Grant = i + 1
	}
	w, err := provider.New(provider.Config{Mounts: mounts, Clock: NewClock(), Random: Random})
	check(t, err)
	t.Cleanup(w.Close)
	return &guest{w: w}
}

// do makes a call: numbers go to the arguments, texts to the paths. The last
// object stays in g.obj, results in g.call.
func (g *guest) do(n abi.Num, args ...any) abi.Errno {
	c := &g.call
	c.Reset(abi.Lookup(n), 0)
	paths := 0
	for i, a := range args {
		switch a := a.(type) {
		case string:
			c.Path[paths], c.Args[i] = a, uint64(len(a))
			paths++
		case []byte: // goes in
			c.In, c.Args[i] = a, uint64(len(a))
		case int:
			c.Args[i] = uint64(a)
		case uint16:
			c.Args[i] = uint64(a)
		case uint32:
			c.Args[i] = uint64(a)
		case uint64:
			c.Args[i] = a
		case abi.Rights:
			c.Args[i] = uint64(a)
		}
	}
	switch n {
	case abi.PathReadlink, abi.FdRead, abi.FdReaddir, abi.FdPread:
		c.OutCap = len(g.out)
		c.Out = g.out[:]
		c.Args[map[abi.Num]int{abi.PathReadlink: 2}[n]+btoi(n != abi.PathReadlink)] = uint64(len(g.out))
	}
	g.obj = abi.Object{}
	g.w.Resolve(c, &g.obj)
	switch {
	case g.obj.Refused != 0:
		_, c.Errno = abi.Refuse(&g.obj)
	case g.obj.Errno != 0:
		c.Errno = g.obj.Errno
	default:
		g.w.Perform(c, &g.obj)
	}
	g.w.Release(&g.obj)
	return c.Errno
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

const (
	follow = abi.LookupSymlinkFollow
	every  = abi.FileRights | abi.DirRights
	// toList are the rights for which a folder may be opened.
	toList = every &^ abi.RightFDWrite
)

// open opens p from fd and returns the descriptor.
func (g *guest) open(fd int, p string, oflags uint16, rights abi.Rights) (int, abi.Errno) {
	e := g.do(abi.PathOpen, fd, follow, p, oflags, rights, every, 0)
	return int(uint32(g.call.Ret[0]) | uint32(g.call.Ret[1])<<8 | uint32(g.call.Ret[2])<<16 | uint32(g.call.Ret[3])<<24), e
}

// read reads the beginning of the file p.
func (g *guest) read(fd int, p string) (string, abi.Errno) {
	f, e := g.open(fd, p, 0, abi.RightFDRead|abi.RightFDSeek)
	if e != 0 {
		return "", e
	}
	e = g.do(abi.FdRead, f)
	text := string(g.call.Out[:g.call.OutLen])
	g.do(abi.FdClose, f)
	return text, e
}

func scratch() tree.Dir {
	return pure.NewScratch(func() uint64 { return uint64(time.Now().UnixNano()) }, 1<<24, 10_000)
}
