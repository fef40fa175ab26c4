// Package conform holds the conformance table of preview 1, function by errno,
// and the world it is held against. Whatever makes calls can run it: straight to
// a world (Run), or through an engine and its marshalling (package wasm's tests).
package conform

import (
	"testing"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider"
	"github.com/forgeone/forgeone/internal/provider/pure"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

// Tree is a kind of tree under test.
type Tree struct {
	// New returns the root of a fresh tree, writable and empty but for what the
	// next fields say. The fixture closes it.
	New func(t testing.TB) tree.Dir
	// Quota says that the tree has room for less than QuotaBytes and QuotaNodes.
	Quota bool
	// Fifo says that the tree holds a FIFO named "fifo".
	Fifo bool
}

// What a tree with a quota can't hold.
const (
	QuotaBytes = 1 << 18
	QuotaNodes = 200
)

// Descriptors that every fixture has. /w and /ro hold the same, /x is scratch:
//
//	f "hello"; d, empty; full/x; l -> f; dl -> d; loop -> loop; dang -> none; up -> ../..
const (
	Stdin, Stdout, Stderr = 0, 1, 2
	Root                  = 3
	Listener              = 4  // a socket with a connection that waits; it does not block
	MuteListener          = 5  // another, without any right
	File                  = 6  // /w/f, with every right
	Dir                   = 7  // /w
	Mute                  = 8  // /w/f, without any right
	Bare                  = 9  // /w, without any right
	ROFile                = 10 // /ro/f, with every right that a read-only mount does not withhold
	RODir                 = 11 // /ro
	Heirless              = 12 // /w, which hands nothing down
	Conn                  = 13 // a connection
	MuteConn              = 14 // another, without any right
	None                  = 99

	limit = 20 // descriptors
)

// Fixture is a world in a known state.
type Fixture struct {
	testing.TB
	World *provider.World
	Done  chan struct{} // close it to interrupt whatever blocks
	// Full makes stdout take nothing; stdin has nothing, and no end, at any time.
	Full bool
	// Peer is what those at the other end of the connections do, and whether there
	// is one that wants to be accepted.
	Peer Peer
	// Dry makes the source of randomness fail.
	Dry bool
}

// New makes a fixture that is closed with the test.
func New(t testing.TB, k Tree) *Fixture {
	t.Helper()
	f := &Fixture{TB: t, Done: make(chan struct{})}
	var mounts []provider.Mount
	for i, at := range []string{"/w", "/ro"} {
		root := k.New(t)
		fill(t, root)
		mounts = append(mounts, provider.Mount{Guest: at, Root: root, ReadOnly: at == "/ro", Grant: i + 1})
	}
	mounts = append(mounts, provider.Mount{Guest: "/x", Root: pure.NewScratch(func() uint64 { return 1 }, 1<<20, 100), Grant: 3})
	w, err := provider.New(provider.Config{
		Args: []string{"prog", "arg"}, Env: []string{"K=V", "LONG=value"}, Mounts: mounts, Descriptors: limit, Done: f.Done,
		Listeners: []provider.Listener{{Socket: listener{f}, Grant: 4}, {Socket: listener{f}, Grant: 5}}, WaitSockets: waitSockets,
		Stdin: &stream{f: f, blocked: true}, Stdout: &stream{f: f}, Clock: clock{},
		Random: func(p []byte) error {
			if f.Dry {
				return errDry
			}
			for i := range p {
				p[i] = byte(i + 1)
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.World = w
	t.Cleanup(w.Close)
	const every, none = abi.AllRights, abi.Rights(0)
	f.open(File, "w/f", every&abi.FileRights, none)
	f.open(Dir, "w", abi.DirRights, abi.DirRights|abi.FileRights)
	f.open(Mute, "w/f", none, none)
	f.open(Bare, "w", none, none)
	f.open(ROFile, "ro/f", abi.FileRights&^abi.RightFDWrite, none)
	f.open(RODir, "ro", abi.DirRights, abi.DirRights|abi.FileRights)
	f.open(Heirless, "w", abi.DirRights, none)
	for _, fd := range []byte{Conn, MuteConn} {
		if c := f.OK(abi.SockAccept, Listener, 0); c.Ret[0] != fd {
			t.Fatalf("a connection is descriptor %d, not %d", c.Ret[0], fd)
		}
	}
	f.OK(abi.FdFdstatSetRights, MuteListener, none, none)
	f.OK(abi.FdFdstatSetRights, MuteConn, none, none)
	return f
}

// fill makes what every tree holds.
func fill(t testing.TB, root tree.Dir) {
	t.Helper()
	must := func(e abi.Errno) {
		t.Helper()
		if e != 0 {
			t.Fatal(e)
		}
	}
	must(root.Mkdir("d"))
	must(root.Mkdir("full"))
	full, e := root.OpenDir("full")
	must(e)
	defer full.Close()
	put := func(d tree.Dir, name, text string) {
		fd, e := d.Open(name, tree.How{Write: true, Create: true})
		must(e)
		_, e = fd.Pwrite([]byte(text), 0)
		must(e)
		must(fd.Close())
	}
	put(root, "f", "hello")
	put(full, "x", "x")
	for _, l := range [...][2]string{{"l", "f"}, {"dl", "d"}, {"loop", "loop"}, {"dang", "none"}, {"up", "../.."}} {
		must(root.Symlink(l[1], l[0]))
	}
}

func (f *Fixture) open(want int, path string, base, inheriting abi.Rights) {
	f.Helper()
	c := f.OK(abi.PathOpen, Root, abi.LookupSymlinkFollow, path, 0, base, inheriting, 0)
	if c.Ret[0] != byte(want) {
		f.Fatalf("%s is descriptor %d, not %d", path, c.Ret[0], want)
	}
}

// OK makes a call that has to succeed.
func (f *Fixture) OK(n abi.Num, args ...any) *abi.Call {
	f.Helper()
	c := f.Call(n, args...)
	if c.Errno != 0 {
		f.Fatalf("%s%v: %v", c.Row.Name, args, c.Errno)
	}
	return c
}

// Call makes a call as the gate would with a policy that allows everything.
func (f *Fixture) Call(n abi.Num, args ...any) *abi.Call {
	c := &abi.Call{}
	c.Reset(abi.Lookup(n), 0)
	lift(c, args)
	switch n {
	case abi.ArgsGet, abi.EnvironGet:
		_, c.OutCap = f.World.StringsSize(n)
	case abi.PollOneoff:
		c.OutCap = int(c.Args[2]) * abi.EventSize
	}
	var o abi.Object
	f.World.Resolve(c, &o)
	if o.Refused != 0 {
		_, c.Errno = abi.Refuse(&o)
	} else if c.Errno = o.Errno; c.Errno == 0 {
		c.Out = make([]byte, c.OutCap)
		f.World.Perform(c, &o)
	}
	f.World.Release(&o)
	return c
}

// Room is an output buffer with room for as many bytes.
type Room int

// Iovecs is a table of as many iovecs, whatever is in them: more than there may be.
type Iovecs int

// lift puts args, one for each parameter that brings something in, into c.
func lift(c *abi.Call, args []any) {
	paths := 0
	for i, p := range c.Row.Params {
		if !Takes(p.Type) {
			continue
		}
		switch a := args[0].(type) {
		case string:
			if p.Type == abi.BytesIn {
				c.In = []byte(a)
			} else {
				c.Path[paths] = a
				paths++
			}
			c.Args[i] = uint64(len(a))
		case []byte:
			c.In, c.Args[i] = a, uint64(len(a))
		case Room:
			c.OutCap, c.Args[i] = int(a), uint64(a)
		default:
			c.Args[i] = Scalar(a)
		}
		args = args[1:]
	}
}

// Takes tells whether a case has an argument for a parameter of type t.
func Takes(t abi.Type) bool {
	return t.Size() == 0 && t != abi.EventsOut && t != abi.StringsOut
}

// Scalar is a as the core value that carries it.
func Scalar(a any) uint64 {
	switch a := a.(type) {
	case int:
		return uint64(a)
	case int64:
		return uint64(a)
	case uint64:
		return a
	case uint32:
		return uint64(a)
	case uint16:
		return uint64(a)
	case uint8:
		return uint64(a)
	case abi.Rights:
		return uint64(a)
	}
	panic("no scalar")
}

// Fits tells whether the case can be made on trees of this kind.
func (k Tree) Fits(c Case) bool { return (!c.Quota || k.Quota) && (!c.Fifo || k.Fifo) }

// Run makes every case that needs no engine against trees of kind k. A call that
// fails changes nothing, so all that need no preparation are made in one world.
func Run(t *testing.T, k Tree) {
	same := New(t, k)
	for _, c := range Cases() {
		if c.Engine || !k.Fits(c) {
			continue
		}
		t.Run(c.String(), func(t *testing.T) {
			f := same
			if c.Errno == 0 || c.Setup != nil {
				f = New(t, k)
			}
			if c.Setup != nil {
				c.Setup(f)
			}
			if got := f.Call(c.Num, c.Args...).Errno; got != c.Errno {
				t.Errorf("%v: %v, want %v", c.Args, got, c.Errno)
			}
		})
	}
}
