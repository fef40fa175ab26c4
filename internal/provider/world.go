package provider

import (
	"strconv"
	"strings"
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/sock"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

// Stream is one of the three standard streams.
type Stream interface {
	// Read blocks until it can give at least one byte, is at the end (0,
	// ESUCCESS), or done is closed (EINTR).
	Read(p []byte, done <-chan struct{}) (int, abi.Errno)
	// Write blocks until it has taken at least one byte or done is closed (EINTR).
	Write(p []byte, done <-chan struct{}) (int, abi.Errno)
	// Ready tells whether Read (or Write) would not block.
	Ready(write bool) bool
	// Type is what fd_fdstat_get answers.
	Type() abi.Filetype
	// WaitReady blocks until the stream is ready, done is closed or d has passed
	// (d < 0: forever), and tells whether it is ready.
	WaitReady(write bool, d time.Duration, done <-chan struct{}) bool
}

// Placed is a Stream over a file or a device that has a size and a position, as the
// system tells them.
type Placed interface {
	// Placed tells whether it is one.
	Placed() bool
	Stat() (abi.Filestat, abi.Errno)
	// SeekTo moves the position, as fd_seek has it, and returns it. EINVAL: to before where
	// the stream was given to the run.
	SeekTo(off int64, whence uint8) (int64, abi.Errno)
}

// Clock tells the time. Ids are abi.ClockRealtime and its siblings; an id it
// does not know answers EINVAL.
type Clock interface {
	Now(id uint32) (ns uint64, e abi.Errno)
	Resolution(id uint32) (ns uint64, e abi.Errno)
}

// Mount joins a tree to the namespace.
type Mount struct {
	// Guest is where: an absolute path without ".", ".." or doubled slashes.
	Guest string
	// Root is the tree's root folder. The world closes it.
	Root     tree.Dir
	ReadOnly bool
	// Grant is the index, from 1, of the grant that brought the mount.
	Grant int
	// Base says that the mount is there without a grant: assets, scratch.
	Base bool
	// Full is the limit that ENOSPC in the tree comes from, 0 if the disk's room
	// is the only one.
	Full abi.Limit
}

// Config is everything that a world can reach.
type Config struct {
	Args []string
	Env  []string // "K=V"
	// Mounts may nest, in any order.
	Mounts []Mount
	// Stdin, Stdout, Stderr: nil reads as empty and swallows what is written.
	Stdin, Stdout, Stderr Stream
	Clock                 Clock
	// Listeners are the descriptors from 4 on.
	Listeners []Listener
	// WaitSockets waits for sockets; it must be there if there are listeners.
	WaitSockets sock.Waiter
	// Random fills p with random bytes.
	Random func(p []byte) error
	// Descriptors is how many descriptors may be open at a time; 0 means
	// DefaultDescriptors.
	Descriptors uint32
	// Output is how many bytes stdout and stderr take together before the run
	// ends as OutcomeOutput; 0 means no limit.
	Output uint64
	// Disk is how many bytes the files in mounts that came by a grant may grow by;
	// a new name counts for 4096. 0 means no limit.
	Disk uint64
	// Links keeps this run apart from others that share its mounts; nil: nobody does.
	Links Links
	// Done, when closed, makes whatever blocks answer EINTR. May be nil.
	Done <-chan struct{}
}

// DefaultDescriptors is the limit of a Config that names none.
const DefaultDescriptors = 1024

// World is the world of one run. It belongs to the thread that runs the guest:
// one call at a time, no locks. A call is Resolve, at most one Perform, Release;
// the next begins only after that.
type World struct {
	memos     [memoEnd]abi.Memo
	args, env stringList
	root      *node
	fds       []*descriptor
	lowest    int // no number below it is free
	limit     uint32
	clock     Clock
	random    func([]byte) error
	done      <-chan struct{}
	wait      sock.Waiter
	links     Links
	listens   bool      // the run was given a socket
	accepting *abi.Call // the accept that is under way and took a connection,
	accepted  int       // as this descriptor
	output    uint64    // bytes that stdout and stderr may still take
	unlimited bool
	disk      quota

	walked  int // names that the call under way walked,
	looked  int // and entries and descriptors that it went through
	walker  walker
	held    [2]target // what the call in flight is on; the second of rename and link
	inodes  uint64    // the last inode number given to a synthetic folder
	opening opening
}

// New makes the world of a run. The error is an *abi.Error. On success the world
// owns the roots of the mounts and the listeners; on failure they stay with the
// caller.
func New(c Config) (*World, error) {
	w := &World{
		clock: c.Clock, random: c.Random, done: c.Done, wait: c.WaitSockets, links: c.Links, listens: len(c.Listeners) > 0,
		limit: c.Descriptors, output: c.Output, unlimited: c.Output == 0, disk: quota{left: c.Disk, none: c.Disk == 0},
	}
	if w.limit == 0 {
		w.limit = DefaultDescriptors
	}
	if uint64(w.limit) < firstFree+uint64(len(c.Listeners)) {
		return nil, bad("the limit of descriptors is below "+strconv.Itoa(firstFree+len(c.Listeners)), "", "--descriptors 64")
	}
	if w.listens && w.wait == nil {
		return nil, bad("listeners need a way to wait for them", "", "")
	}
	if c.Clock == nil || c.Random == nil {
		return nil, bad("a world needs a clock and a source of randomness", "", "")
	}
	for i, list := range [][]string{c.Args, c.Env} {
		for _, s := range list {
			if strings.IndexByte(s, 0) >= 0 {
				return nil, bad("a NUL byte in "+[]string{"an argument", "the environment"}[i], "", "")
			}
		}
	}
	w.args, w.env = newStringList(c.Args), newStringList(c.Env)
	if err := w.join(c.Mounts); err != nil {
		return nil, err
	}
	w.fds = []*descriptor{
		newStream("stdin", c.Stdin, false),
		newStream("stdout", c.Stdout, true),
		newStream("stderr", c.Stderr, true),
		{
			kind: kindFolder, preopen: true, folder: w.root.fixed.hold(), mnt: w.root.fixed.mnt,
			// All of them even where a read-only mount is joined at "/": there may be
			// writable ones beneath, and libcs mask what they ask for by these.
			base: abi.DirRights, inheriting: abi.DirRights | abi.FileRights,
		},
	}
	for _, l := range c.Listeners {
		w.fds = append(w.fds, newListener(l))
	}
	return w, nil
}

// CodeWorld is the code of New's errors.
const CodeWorld abi.Code = "F1-RUN-010"

func bad(what, where, hint string) error {
	return &abi.Error{Code: CodeWorld, What: "run: " + what, Where: where, Hint: hint}
}

// Close closes every descriptor and every mount. The world is not usable after.
func (w *World) Close() {
	for i, d := range w.fds {
		if d != nil {
			d.close()
			w.fds[i] = nil
		}
	}
	w.root.close()
}

// Resolve says what c is on: it fills o, which is zero, and has no effect on
// anything the guest or the host can see. Release must follow.
func (w *World) Resolve(c *abi.Call, o *abi.Object) {
	w.walked, w.looked = 0, 0
	switch n := c.Row.Num; {
	case n >= abi.FdAdvise && n <= abi.FdWrite:
		w.resolveFD(c, o)
	case n >= abi.PathCreateDirectory && n <= abi.PathUnlinkFile:
		w.resolvePath(c, o)
	case n >= abi.SockAccept && n <= abi.SockShutdown:
		w.resolveSock(c, o)
	default:
		w.resolveSelf(c, o)
	}
	if o.Errno != 0 {
		c.Limit = w.limitOf(c, o.Errno)
	}
}

// Perform does what c asks, on what Resolve held in o. It sets c.Errno, and on
// success c.Ret and c.Out[:c.OutLen]; it may set c.Stop.
func (w *World) Perform(c *abi.Call, o *abi.Object) {
	switch n := c.Row.Num; {
	case o.Errno != 0:
		c.Errno = o.Errno
	case n >= abi.FdAdvise && n <= abi.FdWrite:
		c.Errno = w.performFD(c, o)
	case n >= abi.PathCreateDirectory && n <= abi.PathUnlinkFile:
		c.Errno = w.performPath(c)
	case n >= abi.SockAccept && n <= abi.SockShutdown:
		c.Errno = w.performSock(c, o)
	default:
		c.Errno = w.performSelf(c)
	}
	if c.Errno != 0 && c.Limit == 0 {
		c.Limit = w.limitOf(c, c.Errno)
	}
}

// Charge is what c, which was on o and is answered, costs in fuel. It comes before
// Release.
func (w *World) Charge(c *abi.Call, o *abi.Object) uint64 {
	c.Work.Add(abi.WorkByte, len(c.In)+c.OutLen)
	if c.Row.Paths() > 0 {
		// A canonical name is made, decided on and recorded, however short the way to it.
		c.Work.Add(abi.WorkByte, len(c.Path[0])+len(c.Path[1])+len(o.Name)+len(o.Name2))
		for i := range o.Via {
			c.Work.Add(abi.WorkByte, len(o.Via[i].Name))
		}
	}
	c.Work.Add(abi.WorkName, w.walked)
	c.Work.Add(abi.WorkEntry, w.looked)
	w.walked, w.looked = 0, 0 // the next call may not get as far as Resolve
	return c.Row.Charge(&c.Work)
}

// Release lets go of what Resolve held in o. It always follows Resolve, whether
// or not the call was performed.
func (w *World) Release(o *abi.Object) {
	if w.accepting != nil {
		w.settleAccept()
	}
	if o.Held == nil {
		return
	}
	o.Held = nil
	w.held[0].release()
	w.held[1].release()
}
