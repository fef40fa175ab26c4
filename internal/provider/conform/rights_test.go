package conform

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/forgeone/forgeone/abi"
)

// needed are the rights that calls need on their descriptors, in order, by the
// words of the specification and not by what the table of syscalls says.
var needed = map[abi.Num][]abi.Rights{
	abi.FdAdvise:             {abi.RightFDAdvise},
	abi.FdAllocate:           {abi.RightFDAllocate},
	abi.FdDatasync:           {abi.RightFDDatasync},
	abi.FdFdstatSetFlags:     {abi.RightFDFdstatSetFlags},
	abi.FdFilestatGet:        {abi.RightFDFilestatGet},
	abi.FdFilestatSetSize:    {abi.RightFDFilestatSetSize},
	abi.FdFilestatSetTimes:   {abi.RightFDFilestatSetTimes},
	abi.FdPread:              {abi.RightFDRead | abi.RightFDSeek},
	abi.FdPwrite:             {abi.RightFDWrite | abi.RightFDSeek},
	abi.FdRead:               {abi.RightFDRead},
	abi.FdReaddir:            {abi.RightFDReaddir},
	abi.FdSeek:               {abi.RightFDSeek},
	abi.FdSync:               {abi.RightFDSync},
	abi.FdTell:               {abi.RightFDTell},
	abi.FdWrite:              {abi.RightFDWrite},
	abi.PathCreateDirectory:  {abi.RightPathCreateDirectory},
	abi.PathFilestatGet:      {abi.RightPathFilestatGet},
	abi.PathFilestatSetTimes: {abi.RightPathFilestatSetTimes},
	abi.PathLink:             {abi.RightPathLinkSource, abi.RightPathLinkTarget},
	abi.PathOpen:             {abi.RightPathOpen},
	abi.PathReadlink:         {abi.RightPathReadlink},
	abi.PathRemoveDirectory:  {abi.RightPathRemoveDirectory},
	abi.PathRename:           {abi.RightPathRenameSource, abi.RightPathRenameTarget},
	abi.PathSymlink:          {abi.RightPathSymlink},
	abi.PathUnlinkFile:       {abi.RightPathUnlinkFile},
}

// TestRights: every call that succeeds does so with the rights that it needs and
// no others, and fails for want of each of them: on files, folders and streams,
// and on the second descriptor of rename and link.
func TestRights(t *testing.T) {
	tried := map[abi.Num]bool{}
	for _, c := range Cases() {
		need := needed[c.Num]
		if c.Errno != 0 || need == nil || c.Engine {
			continue
		}
		tried[c.Num] = true
		if c.Num == abi.PathOpen && uint16(Scalar(c.Args[3]))&abi.OFlagCreat != 0 {
			need = []abi.Rights{need[0] | abi.RightPathCreateFile}
		}
		with := func(want abi.Errno, name string, base func(k int, has abi.Rights) abi.Rights) {
			t.Helper()
			if got := shrunk(t, c, base); got != want {
				t.Errorf("%s, %s: %v, want %v", c, name, got, want)
			}
		}
		with(0, "what it needs", func(k int, _ abi.Rights) abi.Rights { return need[k] })
		for k, rights := range need {
			for bit := abi.Rights(1); bit <= rights; bit <<= 1 {
				if rights&bit == 0 || c.Num == abi.FdTell { // seeking implies telling
					continue
				}
				with(abi.ENOTCAPABLE, "without "+abi.RightsNames(bit)[0], func(at int, has abi.Rights) abi.Rights {
					if at == k {
						has &^= bit
					}
					return has
				})
			}
		}
	}
	for _, r := range abi.Rows() {
		if len(needed[r.Num]) > 0 && !tried[r.Num] {
			t.Errorf("%s was not tried", r.Name)
		}
		if r.Class != abi.Net && r.Needs != 0 && len(needed[r.Num]) == 0 {
			t.Errorf("%s needs rights that the test does not know", r.Name)
		}
	}
}

// shrunk makes the call of c in a fixture of its own, on descriptors whose rights
// were made what base says of those they have. Folders are opened anew, so that
// two that are one in the case don't shrink together.
func shrunk(t *testing.T, c Case, base func(k int, has abi.Rights) abi.Rights) abi.Errno {
	f := New(t, scratchTree())
	if c.Setup != nil {
		c.Setup(f)
	}
	args := append([]any{}, c.Args...)
	i, k := 0, 0
	for _, p := range abi.Lookup(c.Num).Params {
		if p.Type == abi.Handle {
			if args[i] == Dir {
				args[i] = int(f.OK(abi.PathOpen, Root, 0, "w", abi.OFlagDirectory, abi.DirRights, handed, 0).Ret[0])
			}
			has, down := rightsOf(f, args[i].(int))
			f.OK(abi.FdFdstatSetRights, args[i], base(k, has), down)
			k++
		}
		if Takes(p.Type) {
			i++
		}
	}
	return f.Call(c.Num, args...).Errno
}

func rightsOf(f *Fixture, fd int) (base, inheriting abi.Rights) {
	f.Helper()
	st := f.OK(abi.FdFdstatGet, fd).Ret[:]
	return abi.Rights(binary.LittleEndian.Uint64(st[8:])), abi.Rights(binary.LittleEndian.Uint64(st[16:]))
}

// TestInheriting: whatever a guest asks for, nothing that is opened from a folder
// has more than the folder hands down, and what it can't have is refused, not
// left out.
func TestInheriting(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	some := func() abi.Rights { // mostly many
		r := abi.Rights(rnd.Uint64() | rnd.Uint64() | rnd.Uint64())
		if rnd.IntN(3) == 0 {
			r = ^abi.Rights(0)
		}
		return r
	}
	opened := 0
	for range 2000 {
		f := New(t, scratchTree())
		fd := Dir
		for range 4 {
			_, down := rightsOf(f, fd)
			ask, askDown := some(), some()
			if rnd.IntN(2) == 0 {
				ask, askDown = ask&down, askDown&down
			}
			path, fits, pass := ".", abi.DirRights, handed
			if rnd.IntN(3) == 0 {
				path, fits, pass = "f", abi.FileRights, 0
			}
			c := f.Call(abi.PathOpen, fd, 0, path, 0, ask&^abi.RightFDWrite, askDown, 0)
			ask &^= abi.RightFDWrite
			has, _ := rightsOf(f, fd)
			if may := has&abi.RightPathOpen != 0 && (ask&fits|askDown&pass)&^down == 0; may != (c.Errno == 0) || !may && c.Errno != abi.ENOTCAPABLE {
				t.Fatalf("%s from %x, which hands %x down: asked for %x and %x: %v", path, has, down, ask, askDown, c.Errno)
			}
			if c.Errno != 0 {
				continue
			}
			opened++
			base, inheriting := rightsOf(f, int(c.Ret[0]))
			if base != ask&fits || inheriting&^(down&askDown) != 0 {
				t.Fatalf("%s: asked for %x and %x of %x, got %x and %x", path, ask, askDown, down, base, inheriting)
			}
			if path == "." {
				fd = int(c.Ret[0])
			}
		}
		f.World.Close()
	}
	if opened < 1000 {
		t.Errorf("only %d opened", opened)
	}
}

// TestPollRights: the right to poll counts together with that to read or write.
func TestPollRights(t *testing.T) {
	const poll, rd, wr = abi.RightPollFDReadwrite, abi.RightFDRead, abi.RightFDWrite
	for base, want := range map[abi.Rights][2]abi.Errno{
		poll | rd | wr: {0, 0},
		poll | rd:      {0, abi.ENOTCAPABLE},
		poll | wr:      {abi.ENOTCAPABLE, 0},
		poll:           {abi.ENOTCAPABLE, abi.ENOTCAPABLE},
		rd | wr:        {abi.ENOTCAPABLE, abi.ENOTCAPABLE},
	} {
		f := New(t, scratchTree())
		f.OK(abi.FdFdstatSetRights, File, base, 0)
		out := f.OK(abi.PollOneoff, Subs(
			abi.Subscription{Userdata: 1, Type: abi.EventFDRead, FD: File}, abi.Subscription{Userdata: 2, Type: abi.EventFDWrite, FD: File},
		), 2).Out
		for i, e := range want {
			ev := out[i*abi.EventSize:]
			if got := abi.Errno(binary.LittleEndian.Uint16(ev[8:])); got != e || ev[0] != byte(i+1) {
				t.Errorf("%v, event %d: %v, want %v", abi.RightsNames(base), i+1, got, e)
			}
		}
	}
}
