package conform

import (
	"math"

	"github.com/forgeone/forgeone/abi"
)

const (
	top  = uint64(math.MaxInt64)
	past = top + 1
)

func nonblock(f *Fixture) {
	f.Full = true
	f.OK(abi.FdFdstatSetFlags, Stdin, abi.FDFlagNonblock)
	f.OK(abi.FdFdstatSetFlags, Stdout, abi.FDFlagNonblock)
}

func blockedAndStopped(f *Fixture) {
	f.Full = true
	interrupt(f)
}

// fillUp leaves no byte of the tree's quota, and the position of File at its end.
func fillUp(f *Fixture) {
	f.OK(abi.FdSeek, File, 0, abi.WhenceEnd)
	page := string(make([]byte, 1<<12))
	for n := 0; ; n++ {
		if e := f.Call(abi.FdWrite, File, page).Errno; e == abi.ENOSPC {
			return
		} else if e != 0 || n > QuotaBytes {
			f.Fatal(e)
		}
	}
}

func seekTo(off uint64) func(*Fixture) {
	return func(f *Fixture) { f.OK(abi.FdSeek, File, off, abi.WhenceSet) }
}

// reading makes File one that was opened for reading, with rights that take more.
func reading(f *Fixture) {
	c := f.OK(abi.PathOpen, Root, 0, "w/f", 0, abi.FileRights&^abi.RightFDWrite, 0, 0)
	f.OK(abi.FdRenumber, int(c.Ret[0]), File)
}

// closed closes File, so that its number is one that was open.
func closed(f *Fixture) { f.OK(abi.FdClose, File) }

func fdCases() []Case {
	const wide = 1 << 16 // does not fit into a flag's 16 bits
	many := Iovecs(abi.MaxIovecs + 1)
	cases := []Case{
		{Num: abi.FdAdvise, Name: "file", Args: args{File, 0, 10, 3}},
		{Num: abi.FdAdvise, Name: "folder", Args: args{Dir, 0, 10, 3}},
		{Num: abi.FdAdvise, Errno: abi.EINVAL, Name: "advice", Args: args{File, 0, 10, 6}},
		{Num: abi.FdAdvise, Errno: abi.EINVAL, Name: "no byte", Args: args{File, 0, 10, 256}, Engine: true},
		{Num: abi.FdAdvise, Errno: abi.EINVAL, Name: "offset", Args: args{File, past, 0, 0}},
		{Num: abi.FdAdvise, Errno: abi.EINVAL, Name: "length", Args: args{File, 1, top, 0}},
		{Num: abi.FdAdvise, Errno: abi.ESPIPE, Name: "stream", Args: args{Stdin, 0, 10, 0}},
		{Num: abi.FdAdvise, Errno: abi.ENOTCAPABLE, Name: "no right", Args: args{Mute, 0, 10, 0}},

		{Num: abi.FdAllocate, Name: "file", Args: args{File, 0, 10}},
		{Num: abi.FdAllocate, Errno: abi.EBADF, Name: "folder", Args: args{Dir, 0, 10}},
		{Num: abi.FdAllocate, Errno: abi.EBADF, Name: "opened for reading", Args: args{File, 0, 10}, Setup: reading},
		{Num: abi.FdAllocate, Errno: abi.EINVAL, Name: "nothing", Args: args{File, 0, 0}},
		{Num: abi.FdAllocate, Errno: abi.EFBIG, Name: "beyond", Args: args{File, top, 1}},
		{Num: abi.FdAllocate, Errno: abi.ENOSPC, Name: "quota", Args: args{File, 0, QuotaBytes}, Quota: true},
		{Num: abi.FdAllocate, Errno: abi.EROFS, Name: "read-only", Args: args{ROFile, 0, 10}},
		{Num: abi.FdAllocate, Errno: abi.ESPIPE, Name: "stream", Args: args{Stdout, 0, 10}},
		{Num: abi.FdAllocate, Errno: abi.ENOTCAPABLE, Name: "no right", Args: args{Mute, 0, 10}},

		{Num: abi.FdClose, Name: "file", Args: args{File}},
		{Num: abi.FdClose, Name: "preopen", Args: args{Root}},
		{Num: abi.FdClose, Errno: abi.EBADF, Name: "twice", Args: args{File}, Setup: closed},

		{Num: abi.FdDatasync, Name: "file", Args: args{File}},
		{Num: abi.FdDatasync, Errno: abi.EINVAL, Name: "stream", Args: args{Stdout}},
		{Num: abi.FdDatasync, Errno: abi.EROFS, Name: "read-only", Args: args{ROFile}},
		{Num: abi.FdDatasync, Errno: abi.ENOTCAPABLE, Name: "no right", Args: args{Mute}},

		{Num: abi.FdFdstatGet, Name: "file", Args: args{File}},
		{Num: abi.FdFdstatGet, Name: "no right needed", Args: args{Bare}},

		{Num: abi.FdFdstatSetFlags, Name: "append", Args: args{File, abi.FDFlagAppend | abi.FDFlagNonblock}},
		{Num: abi.FdFdstatSetFlags, Errno: abi.EINVAL, Name: "unknown", Args: args{File, abi.FDFlagsAll + 1}},
		{Num: abi.FdFdstatSetFlags, Errno: abi.EINVAL, Name: "wide", Args: args{File, wide}, Engine: true},
		{Num: abi.FdFdstatSetFlags, Errno: abi.ENOTSUP, Name: "sync", Args: args{File, abi.FDFlagSync}},
		{Num: abi.FdFdstatSetFlags, Errno: abi.ENOTCAPABLE, Name: "no right", Args: args{Mute, 0}},

		{Num: abi.FdFdstatSetRights, Name: "fewer", Args: args{File, abi.RightFDRead, 0}},
		{Num: abi.FdFdstatSetRights, Name: "none of none", Args: args{Mute, 0, 0}},
		{Num: abi.FdFdstatSetRights, Errno: abi.ENOTCAPABLE, Name: "more", Args: args{Mute, abi.RightFDRead, 0}},
		{Num: abi.FdFdstatSetRights, Errno: abi.ENOTCAPABLE, Name: "more to hand down", Args: args{Heirless, 0, abi.RightFDRead}},
		{Num: abi.FdFdstatSetRights, Errno: abi.ENOTCAPABLE, Name: "more on a stream", Args: args{Stdin, abi.RightFDWrite, 0}},

		{Num: abi.FdFilestatGet, Name: "file", Args: args{File}},
		{Num: abi.FdFilestatGet, Name: "folder", Args: args{Root}},
		{Num: abi.FdFilestatGet, Name: "stream", Args: args{Stdin}},
		{Num: abi.FdFilestatGet, Errno: abi.ENOTCAPABLE, Name: "no right", Args: args{Mute}},

		{Num: abi.FdFilestatSetSize, Name: "file", Args: args{File, 100}},
		{Num: abi.FdFilestatSetSize, Errno: abi.EBADF, Name: "folder", Args: args{Dir, 0}},
		{Num: abi.FdFilestatSetSize, Errno: abi.EBADF, Name: "opened for reading", Args: args{File, 0}, Setup: reading},
		{Num: abi.FdFilestatSetSize, Errno: abi.EINVAL, Name: "stream", Args: args{Stdout, 0}},
		{Num: abi.FdFilestatSetSize, Errno: abi.EINVAL, Name: "beyond", Args: args{File, past}},
		{Num: abi.FdFilestatSetSize, Errno: abi.ENOSPC, Name: "quota", Args: args{File, QuotaBytes}, Quota: true},
		{Num: abi.FdFilestatSetSize, Errno: abi.EROFS, Name: "read-only", Args: args{ROFile, 0}},
		{Num: abi.FdFilestatSetSize, Errno: abi.ENOTCAPABLE, Name: "no right", Args: args{Mute, 0}},

		{Num: abi.FdFilestatSetTimes, Name: "far from now", Args: args{File, uint64(1) << 63, ^uint64(0), abi.FstAtim | abi.FstMtim}},
		{Num: abi.FdFilestatSetTimes, Name: "file", Args: args{File, 1, 2, abi.FstAtim | abi.FstMtimNow}},
		{Num: abi.FdFilestatSetTimes, Name: "folder", Args: args{Dir, 1, 2, abi.FstAtimNow | abi.FstMtim}},
		{Num: abi.FdFilestatSetTimes, Errno: abi.EINVAL, Name: "both", Args: args{File, 1, 2, abi.FstAtim | abi.FstAtimNow}},
		{Num: abi.FdFilestatSetTimes, Errno: abi.EINVAL, Name: "unknown", Args: args{File, 1, 2, abi.FstAll + 1}},
		{Num: abi.FdFilestatSetTimes, Errno: abi.EINVAL, Name: "stream", Args: args{Stdin, 1, 2, 0}},
		{Num: abi.FdFilestatSetTimes, Errno: abi.EROFS, Name: "read-only", Args: args{ROFile, 1, 2, abi.FstMtim}},
		{Num: abi.FdFilestatSetTimes, Errno: abi.EROFS, Name: "read-only folder", Args: args{RODir, 1, 2, abi.FstMtim}},
		{Num: abi.FdFilestatSetTimes, Errno: abi.ENOTCAPABLE, Name: "no right", Args: args{Mute, 1, 2, 0}},

		{Num: abi.FdPread, Name: "file", Args: args{File, Room(20), 1}},
		{Num: abi.FdPread, Name: "at the end", Args: args{File, Room(20), top}},
		{Num: abi.FdPread, Name: "nothing", Args: args{File, Room(0), 0}},
		{Num: abi.FdPread, Errno: abi.EINVAL, Name: "offset", Args: args{File, Room(20), past}},
		{Num: abi.FdPread, Errno: abi.EISDIR, Name: "folder", Args: args{Dir, Room(20), 0}},
		{Num: abi.FdPread, Errno: abi.ESPIPE, Name: "stream", Args: args{Stdin, Room(20), 0}},
		{Num: abi.FdPread, Errno: abi.ENOTCAPABLE, Name: "no right", Args: args{Mute, Room(20), 0}},

		{Num: abi.FdPrestatGet, Name: "root", Args: args{Root}},
		{Num: abi.FdPrestatGet, Errno: abi.EBADF, Name: "no preopen", Args: args{Dir}},
		{Num: abi.FdPrestatDirName, Name: "root", Args: args{Root, Room(1)}},
		{Num: abi.FdPrestatDirName, Name: "more room", Args: args{Root, Room(20)}},
		{Num: abi.FdPrestatDirName, Errno: abi.EBADF, Name: "no preopen", Args: args{Dir, Room(20)}},
		{Num: abi.FdPrestatDirName, Errno: abi.ENAMETOOLONG, Name: "no room", Args: args{Root, Room(0)}},
		{Num: abi.FdPrestatDirName, Errno: abi.EINVAL, Name: "too much room", Args: args{Root, Room(abi.MaxBuffer + 1)}, Engine: true},

		{Num: abi.FdPwrite, Name: "file", Args: args{File, "some text", 2}},
		{Num: abi.FdPwrite, Name: "nothing", Args: args{File, "", 2}},
		{Num: abi.FdPwrite, Errno: abi.EBADF, Name: "folder", Args: args{Dir, "x", 0}},
		{Num: abi.FdPwrite, Errno: abi.EINVAL, Name: "offset", Args: args{File, "x", past}},
		{Num: abi.FdPwrite, Errno: abi.EFBIG, Name: "beyond", Args: args{File, "xx", top - 1}},
		{Num: abi.FdPwrite, Errno: abi.ENOSPC, Name: "quota", Args: args{File, "x", QuotaBytes}, Quota: true},
		{Num: abi.FdPwrite, Errno: abi.ESPIPE, Name: "stream", Args: args{Stdout, "x", 0}},
		{Num: abi.FdPwrite, Errno: abi.ENOTCAPABLE, Name: "no right", Args: args{Mute, "x", 0}},
		{Num: abi.FdPwrite, Errno: abi.ENOTCAPABLE, Name: "read-only", Args: args{ROFile, "x", 0}},

		{Num: abi.FdRead, Name: "file", Args: args{File, Room(20)}},
		{Num: abi.FdRead, Name: "less than there is", Args: args{File, Room(3)}},
		{Num: abi.FdRead, Name: "at the end", Args: args{File, Room(20)}, Setup: seekTo(5)},
		{Num: abi.FdRead, Errno: abi.EAGAIN, Name: "stream", Args: args{Stdin, Room(20)}, Setup: nonblock},
		{Num: abi.FdRead, Errno: abi.EINTR, Name: "stream", Args: args{Stdin, Room(20)}, Setup: interrupt},
		{Num: abi.FdRead, Errno: abi.EINVAL, Name: "iovecs", Args: args{File, many}, Engine: true},
		{Num: abi.FdRead, Errno: abi.EISDIR, Name: "folder", Args: args{Dir, Room(20)}},
		{Num: abi.FdRead, Errno: abi.ENOTCAPABLE, Name: "no right", Args: args{Mute, Room(20)}},
		{Num: abi.FdRead, Errno: abi.ENOTCAPABLE, Name: "stdout", Args: args{Stdout, Room(20)}},

		{Num: abi.FdReaddir, Name: "folder", Args: args{Dir, Room(1000), 0}},
		{Num: abi.FdReaddir, Name: "cut", Args: args{Root, Room(60), 1}},
		{Num: abi.FdReaddir, Name: "less than an entry", Args: args{Dir, Room(7), 2}},
		{Num: abi.FdReaddir, Name: "no room", Args: args{Dir, Room(0), 0}},
		{Num: abi.FdReaddir, Name: "cookie past the end", Args: args{Dir, Room(1000), uint64(math.MaxUint64)}},
		{Num: abi.FdReaddir, Errno: abi.EINVAL, Name: "too much room", Args: args{Dir, Room(abi.MaxBuffer + 1), 0}, Engine: true},
		{Num: abi.FdReaddir, Errno: abi.ENOTDIR, Name: "file", Args: args{File, Room(100), 0}},
		{Num: abi.FdReaddir, Errno: abi.ENOTDIR, Name: "stream", Args: args{Stdin, Room(100), 0}},
		{Num: abi.FdReaddir, Errno: abi.ENOTCAPABLE, Name: "no right", Args: args{Bare, Room(100), 0}},

		{Num: abi.FdRenumber, Name: "file", Args: args{File, Dir}},
		{Num: abi.FdRenumber, Name: "preopen", Args: args{Root, File}},
		{Num: abi.FdRenumber, Name: "onto the preopen", Args: args{Dir, Root}},
		{Num: abi.FdRenumber, Name: "onto itself", Args: args{Dir, Dir}},
		{Num: abi.FdRenumber, Errno: abi.EBADF, Name: "onto none", Args: args{File, None}},
		{Num: abi.FdRenumber, Errno: abi.EBADF, Name: "onto a closed one", Args: args{Dir, File}, Setup: closed},
		{Num: abi.FdRenumber, Errno: abi.EBADF, Name: "none onto itself", Args: args{None, None}},

		{Num: abi.FdSeek, Name: "end", Args: args{File, -2, abi.WhenceEnd}},
		{Num: abi.FdSeek, Name: "beyond the end", Args: args{File, top, abi.WhenceSet}},
		{Num: abi.FdSeek, Errno: abi.EBADF, Name: "folder", Args: args{Dir, 0, abi.WhenceSet}},
		{Num: abi.FdSeek, Errno: abi.EINVAL, Name: "negative", Args: args{File, -1, abi.WhenceSet}},
		{Num: abi.FdSeek, Errno: abi.EINVAL, Name: "before the start", Args: args{File, int64(math.MinInt64), abi.WhenceEnd}},
		{Num: abi.FdSeek, Errno: abi.EINVAL, Name: "whence", Args: args{File, 0, 3}},
		{Num: abi.FdSeek, Errno: abi.EINVAL, Name: "wide", Args: args{File, 0, 256}, Engine: true},
		{Num: abi.FdSeek, Errno: abi.EOVERFLOW, Name: "beyond", Args: args{File, top, abi.WhenceEnd}},
		{Num: abi.FdSeek, Errno: abi.ESPIPE, Name: "stream", Args: args{Stdin, 0, abi.WhenceCur}},
		{Num: abi.FdSeek, Errno: abi.ENOTCAPABLE, Name: "no right", Args: args{Mute, 0, abi.WhenceCur}},

		{Num: abi.FdSync, Name: "file", Args: args{File}},
		{Num: abi.FdSync, Name: "folder", Args: args{Dir}},
		{Num: abi.FdSync, Errno: abi.EINVAL, Name: "stream", Args: args{Stdout}},
		{Num: abi.FdSync, Errno: abi.ENOTCAPABLE, Name: "no right", Args: args{Mute}},

		{Num: abi.FdTell, Name: "file", Args: args{File}, Setup: seekTo(4)},
		{Num: abi.FdTell, Errno: abi.EBADF, Name: "folder", Args: args{Dir}},
		{Num: abi.FdTell, Errno: abi.ESPIPE, Name: "stream", Args: args{Stdin}},
		{Num: abi.FdTell, Errno: abi.ENOTCAPABLE, Name: "no right", Args: args{Mute}},

		{Num: abi.FdWrite, Name: "file", Args: args{File, "some text"}},
		{Num: abi.FdWrite, Name: "stream", Args: args{Stdout, "some text"}},
		{Num: abi.FdWrite, Name: "nothing", Args: args{File, ""}},
		{Num: abi.FdWrite, Errno: abi.EBADF, Name: "folder", Args: args{Dir, "x"}},
		{Num: abi.FdWrite, Errno: abi.EAGAIN, Name: "stream", Args: args{Stdout, "x"}, Setup: nonblock},
		{Num: abi.FdWrite, Errno: abi.EINTR, Name: "stream", Args: args{Stdout, "x"}, Setup: blockedAndStopped},
		{Num: abi.FdWrite, Errno: abi.EFBIG, Name: "beyond", Args: args{File, "x"}, Setup: seekTo(top)},
		{Num: abi.FdWrite, Errno: abi.EINVAL, Name: "iovecs", Args: args{File, many}, Engine: true},
		{Num: abi.FdWrite, Errno: abi.ENOSPC, Name: "quota", Args: args{File, "x"}, Setup: fillUp, Quota: true},
		{Num: abi.FdWrite, Errno: abi.ENOTCAPABLE, Name: "no right", Args: args{Mute, "x"}},
		{Num: abi.FdWrite, Errno: abi.ENOTCAPABLE, Name: "stdin", Args: args{Stdin, "x"}},
	}
	// Every function on a descriptor answers EBADF where there is none.
	seen := map[abi.Num]bool{}
	for _, c := range cases {
		if c.Errno == 0 && !seen[c.Num] {
			seen[c.Num] = true
			cases = append(cases, Case{Num: c.Num, Errno: abi.EBADF, Name: "none", Args: append(args{None}, c.Args[1:]...)},
				Case{Num: c.Num, Errno: abi.EBADF, Name: "huge", Args: append(args{uint32(math.MaxUint32)}, c.Args[1:]...)})
		}
	}
	return cases
}
