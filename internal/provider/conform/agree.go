package conform

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/forgeone/forgeone/abi"
)

// Agree makes the same random calls on paths in worlds of two kinds of tree, and
// fails where they answer differently: preview 1 is one, whatever lies beneath.
func Agree(t *testing.T, one, other Tree, rounds int, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 5))
	for range rounds {
		a, b := New(t, one), New(t, other)
		var trail []string
		same := func(n abi.Num, call ...any) *abi.Call {
			t.Helper()
			ca, cb := a.Call(n, call...), b.Call(n, call...)
			trail = append(trail, abi.Lookup(n).Name+" "+words(call)+" = "+ca.Errno.String())
			if ca.Errno != cb.Errno || !bytes.Equal(essence(ca), essence(cb)) {
				t.Fatalf("%s\nor %v; %q or %q", strings.Join(trail, "\n"), cb.Errno, essence(ca), essence(cb))
			}
			return ca
		}
		for range 60 {
			n, call := randomCall(rnd)
			c := same(n, call...)
			if n == abi.PathOpen && c.Errno == 0 {
				fd := int(c.Ret[0])
				same(abi.FdPread, fd, Room(40), 1)
				same(abi.FdPwrite, fd, "abc", 3)
				same(abi.FdReaddir, fd, Room(1000), 0)
				same(abi.FdClose, fd)
			}
		}
		a.World.Close()
		b.World.Close()
	}
}

func words(call args) string {
	var s []string
	for _, a := range call {
		if p, ok := a.(string); ok {
			s = append(s, p)
		}
	}
	return strings.Join(s, " ")
}

// randomCall is one of the calls on paths, with a path or two.
func randomCall(rnd *rand.Rand) (abi.Num, args) {
	path := func() string {
		names := []string{"f", "d", "full", "x", "l", "dl", "dang", "loop", "up", "new", "none", "..", ".", ""}
		var p []string
		for range 1 + rnd.IntN(3) {
			p = append(p, names[rnd.IntN(len(names))])
		}
		s := strings.Join(p, "/")
		if rnd.IntN(5) == 0 {
			s += "/"
		}
		return s
	}
	look := rnd.IntN(2)
	switch rnd.IntN(10) {
	case 0:
		return abi.PathCreateDirectory, args{Dir, path()}
	case 1:
		return abi.PathFilestatGet, args{Dir, look, path()}
	case 2:
		return abi.PathFilestatSetTimes, args{Dir, look, path(), 1, 2, abi.FstAtim | abi.FstMtim}
	case 3:
		return abi.PathLink, args{Dir, look, path(), Dir, path()}
	case 4:
		oflags := uint16(rnd.IntN(int(abi.OFlagsAll) + 1))
		return abi.PathOpen, args{Dir, look, path(), oflags, abi.Rights(rnd.Uint64()) & handed, 0, 0}
	case 5:
		return abi.PathReadlink, args{Dir, path(), Room(20)}
	case 6:
		return abi.PathRemoveDirectory, args{Dir, path()}
	case 7:
		return abi.PathRename, args{Dir, path(), Dir, path()}
	case 8:
		return abi.PathSymlink, args{path(), Dir, path()}
	}
	return abi.PathUnlinkFile, args{Dir, path()}
}

// essence is what of an answer must be the same on every tree: not devices, inode
// numbers and times, nor the order of entries.
func essence(c *abi.Call) []byte {
	switch {
	case c.Errno != 0:
		return nil
	case c.Row.Num == abi.PathFilestatGet:
		b := c.Ret[16:40]
		if b[0] == byte(abi.FiletypeDirectory) { // sizes and links of folders are the host's
			return b[:1]
		}
		return b
	case c.Row.Num == abi.FdReaddir:
		var names []string
		for b := c.Out[:c.OutLen]; len(b) >= abi.DirentSize; {
			n := int(b[16])
			names = append(names, string(b[abi.DirentSize:abi.DirentSize+n])+string(rune('0'+b[20])))
			b = b[abi.DirentSize+n:]
		}
		slices.Sort(names)
		return []byte(strings.Join(names, " "))
	}
	return c.Out[:c.OutLen]
}
