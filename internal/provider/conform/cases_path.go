package conform

import (
	"strings"

	"github.com/forgeone/forgeone/abi"
)

const (
	nofollow = 0
	follow   = abi.LookupSymlinkFollow
	handed   = abi.DirRights | abi.FileRights
)

// manyNodes makes folders until the tree's quota has no room for more.
func manyNodes(f *Fixture) {
	for i := range QuotaNodes + 1 {
		switch e := f.Call(abi.PathCreateDirectory, Dir, "many"+strings.Repeat("i", i)).Errno; e {
		case abi.ENOSPC:
			return
		case 0:
		default:
			f.Fatal(e)
		}
	}
	f.Fatal("the tree has no quota")
}

// full opens as many descriptors as there may be.
func full(f *Fixture) {
	for range limit {
		if f.Call(abi.PathOpen, Dir, 0, "f", 0, abi.RightFDRead, 0, 0).Errno == abi.EMFILE {
			return
		}
	}
	f.Fatal("no limit of descriptors")
}

// drop takes rights away from Dir.
func drop(base, inheriting abi.Rights) func(*Fixture) {
	return func(f *Fixture) {
		f.OK(abi.FdFdstatSetRights, Dir, abi.DirRights&^base, handed&^inheriting)
	}
}

// hardLink makes "same" another name of the file f.
func hardLink(f *Fixture) { f.OK(abi.PathLink, Dir, 0, "f", Dir, "same") }

func pathCases() []Case {
	const rd, rw = abi.RightFDRead, abi.RightFDRead | abi.RightFDWrite
	const creat, excl, trunc, folder = abi.OFlagCreat, abi.OFlagExcl, abi.OFlagTrunc, abi.OFlagDirectory
	open := func(fd int, look any, path string, oflags uint16, rights abi.Rights) args {
		return args{fd, look, path, oflags, rights, abi.Rights(0), 0}
	}
	return []Case{
		{Num: abi.PathCreateDirectory, Name: "new", Args: args{Dir, "new"}},
		{Num: abi.PathCreateDirectory, Name: "slash", Args: args{Dir, "new/"}},
		{Num: abi.PathCreateDirectory, Errno: abi.EEXIST, Name: "file", Args: args{Dir, "f"}},
		{Num: abi.PathCreateDirectory, Errno: abi.EEXIST, Name: "link", Args: args{Dir, "dang"}},
		{Num: abi.PathCreateDirectory, Errno: abi.EEXIST, Name: "dot", Args: args{Dir, "d/."}},
		{Num: abi.PathCreateDirectory, Errno: abi.EROFS, Name: "read-only", Args: args{RODir, "new"}},
		{Num: abi.PathCreateDirectory, Errno: abi.ENOSPC, Name: "quota", Args: args{Dir, "new"}, Setup: manyNodes, Quota: true},

		{Num: abi.PathFilestatGet, Name: "file", Args: args{Dir, nofollow, "f"}},
		{Num: abi.PathFilestatGet, Name: "the link", Args: args{Dir, nofollow, "dang"}},
		{Num: abi.PathFilestatGet, Name: "through the link", Args: args{Dir, follow, "dl"}},
		{Num: abi.PathFilestatGet, Name: "link and slash", Args: args{Dir, nofollow, "dl/"}},
		{Num: abi.PathFilestatGet, Errno: abi.ENOENT, Name: "through a dangling link", Args: args{Dir, follow, "dang"}},
		{Num: abi.PathFilestatGet, Errno: abi.ENOTDIR, Name: "slash", Args: args{Dir, nofollow, "f/"}},
		{Num: abi.PathFilestatGet, Errno: abi.ELOOP, Name: "followed", Args: args{Dir, follow, "loop"}},
		{Num: abi.PathFilestatGet, Errno: abi.EINVAL, Name: "flags", Args: args{Dir, 2, "f"}},

		{Num: abi.PathFilestatSetTimes, Name: "file", Args: args{Dir, nofollow, "f", 1, 2, abi.FstAtim | abi.FstMtim}},
		{Num: abi.PathFilestatSetTimes, Name: "far from now", Args: args{Dir, nofollow, "f", uint64(1) << 63, ^uint64(0), abi.FstAtim | abi.FstMtim}},
		{Num: abi.PathFilestatSetTimes, Name: "the link", Args: args{Dir, nofollow, "dang", 1, 2, abi.FstAtimNow | abi.FstMtimNow}},
		{Num: abi.PathFilestatSetTimes, Errno: abi.ENOENT, Name: "through a dangling link", Args: args{Dir, follow, "dang", 1, 2, abi.FstAtim}},
		{Num: abi.PathFilestatSetTimes, Errno: abi.EINVAL, Name: "both", Args: args{Dir, nofollow, "f", 1, 2, abi.FstMtim | abi.FstMtimNow}},
		{Num: abi.PathFilestatSetTimes, Errno: abi.EINVAL, Name: "flags", Args: args{Dir, 2, "f", 1, 2, 0}},
		{Num: abi.PathFilestatSetTimes, Errno: abi.EROFS, Name: "read-only", Args: args{RODir, nofollow, "f", 1, 2, abi.FstAtim}},

		{Num: abi.PathLink, Name: "file", Args: args{Dir, nofollow, "f", Dir, "new"}},
		{Num: abi.PathLink, Name: "the link", Args: args{Dir, nofollow, "dang", Dir, "new"}},
		{Num: abi.PathLink, Name: "through the link", Args: args{Dir, follow, "l", Dir, "new"}},
		{Num: abi.PathLink, Errno: abi.EEXIST, Name: "there", Args: args{Dir, nofollow, "f", Dir, "d"}},
		{Num: abi.PathLink, Errno: abi.EPERM, Name: "folder", Args: args{Dir, nofollow, "d", Dir, "new"}},
		{Num: abi.PathLink, Errno: abi.EINVAL, Name: "flags", Args: args{Dir, 2, "f", Dir, "new"}},
		{Num: abi.PathLink, Errno: abi.ENOENT, Name: "slash", Args: args{Dir, nofollow, "f", Dir, "new/"}},
		{Num: abi.PathLink, Errno: abi.EROFS, Name: "from read-only", Args: args{RODir, nofollow, "f", RODir, "new"}},
		{Num: abi.PathLink, Errno: abi.EROFS, Name: "into read-only", Args: args{Dir, nofollow, "f", RODir, "new"}},
		{Num: abi.PathLink, Errno: abi.EXDEV, Name: "another mount", Args: args{Dir, nofollow, "f", Root, "x/new"}},
		{Num: abi.PathLink, Errno: abi.ENOTCAPABLE, Name: "no right to take", Args: args{Dir, nofollow, "f", Dir, "new"}, Setup: drop(abi.RightPathLinkSource, 0)},
		{Num: abi.PathLink, Errno: abi.ENOTCAPABLE, Name: "no right to put", Args: args{Dir, nofollow, "f", Dir, "new"}, Setup: drop(abi.RightPathLinkTarget, 0)},

		{Num: abi.PathOpen, Name: "file", Args: open(Dir, nofollow, "f", 0, rw)},
		{Num: abi.PathOpen, Name: "folder", Args: args{Dir, nofollow, "d", folder, abi.AllRights &^ abi.RightFDWrite, handed, 0}},
		{Num: abi.PathOpen, Name: "new", Args: open(Dir, nofollow, "new", creat|excl, rw)},
		{Num: abi.PathOpen, Name: "through the link", Args: open(Dir, follow, "l", creat|trunc, rw)},
		{Num: abi.PathOpen, Name: "without a right", Args: open(Heirless, nofollow, "f", 0, 0)},
		{Num: abi.PathOpen, Errno: abi.EEXIST, Name: "file", Args: open(Dir, nofollow, "f", creat|excl, rw)},
		{Num: abi.PathOpen, Errno: abi.EEXIST, Name: "dangling link", Args: open(Dir, follow, "dang", creat|excl, rw)},
		{Num: abi.PathOpen, Errno: abi.EINVAL, Name: "look-up flags", Args: open(Dir, 2, "f", 0, rd)},
		{Num: abi.PathOpen, Errno: abi.EINVAL, Name: "open flags", Args: open(Dir, nofollow, "f", abi.OFlagsAll+1, rd)},
		{Num: abi.PathOpen, Errno: abi.EINVAL, Name: "descriptor flags", Args: args{Dir, nofollow, "f", 0, rd, 0, abi.FDFlagsAll + 1}},
		{Num: abi.PathOpen, Errno: abi.EINVAL, Name: "create a folder", Args: open(Dir, nofollow, "new", creat|folder, rd)},
		{Num: abi.PathOpen, Errno: abi.EISDIR, Name: "write a folder", Args: open(Dir, nofollow, "d", 0, rw)},
		{Num: abi.PathOpen, Errno: abi.EISDIR, Name: "write a folder as one", Args: open(Dir, nofollow, "d", folder, rw)},
		{Num: abi.PathOpen, Errno: abi.EISDIR, Name: "cut a folder", Args: open(Dir, nofollow, "d", trunc, rd)},
		{Num: abi.PathOpen, Errno: abi.EISDIR, Name: "create with a slash", Args: open(Dir, nofollow, "new/", creat, rd)},
		{Num: abi.PathOpen, Errno: abi.ELOOP, Name: "the link", Args: open(Dir, nofollow, "l", 0, rd)},
		{Num: abi.PathOpen, Errno: abi.ELOOP, Name: "followed", Args: open(Dir, follow, "loop", 0, rd)},
		{Num: abi.PathOpen, Errno: abi.EMFILE, Name: "too many", Args: open(Dir, nofollow, "f", 0, rd), Setup: full},
		{Num: abi.PathOpen, Errno: abi.ENOENT, Name: "none", Args: open(Dir, nofollow, "none", 0, rd)},
		{Num: abi.PathOpen, Errno: abi.ENOENT, Name: "dangling link", Args: open(Dir, follow, "dang", 0, rd)},
		{Num: abi.PathOpen, Errno: abi.ENOSPC, Name: "quota", Args: open(Dir, nofollow, "new", creat, rw), Setup: manyNodes, Quota: true},
		{Num: abi.PathOpen, Errno: abi.ENOTDIR, Name: "file as a folder", Args: open(Dir, nofollow, "f", folder, rd)},
		{Num: abi.PathOpen, Errno: abi.ENOTDIR, Name: "slash", Args: open(Dir, nofollow, "f/", 0, rd)},
		{Num: abi.PathOpen, Errno: abi.ENOTSUP, Name: "FIFO", Args: open(Dir, nofollow, "fifo", 0, rd), Fifo: true},
		{Num: abi.PathOpen, Errno: abi.EROFS, Name: "write", Args: open(RODir, nofollow, "f", 0, rw)},
		{Num: abi.PathOpen, Errno: abi.EROFS, Name: "cut", Args: open(RODir, nofollow, "f", trunc, rd)},
		{Num: abi.PathOpen, Errno: abi.EROFS, Name: "create", Args: open(RODir, nofollow, "new", creat, rd)},
		{Num: abi.PathOpen, Errno: abi.ENOTCAPABLE, Name: "right not handed down", Args: open(Heirless, nofollow, "f", 0, rd)},
		{Num: abi.PathOpen, Errno: abi.ENOTCAPABLE, Name: "nor on a folder", Args: open(Heirless, nofollow, "d", 0, abi.RightFDReaddir)},
		{Num: abi.PathOpen, Errno: abi.ENOTCAPABLE, Name: "nor to hand down", Args: args{Heirless, nofollow, "d", 0, 0, rd, 0}},
		{Num: abi.PathOpen, Errno: abi.ENOTCAPABLE, Name: "no right to create", Args: open(Dir, nofollow, "new", creat, rd), Setup: drop(abi.RightPathCreateFile, 0)},
		{Num: abi.PathOpen, Errno: abi.ENOTCAPABLE, Name: "no right to cut", Args: open(Dir, nofollow, "f", trunc, rd), Setup: drop(abi.RightPathFilestatSetSize, abi.RightFDFilestatSetSize)},
		{Num: abi.PathOpen, Name: "syncing, of a folder that may not itself", Args: args{Dir, nofollow, "f", 0, rd, 0, abi.FDFlagSync | abi.FDFlagDsync}, Setup: drop(abi.RightFDSync|abi.RightFDDatasync, 0)},
		{Num: abi.PathOpen, Errno: abi.ENOTCAPABLE, Name: "no right to sync", Args: args{Dir, nofollow, "f", 0, rd, 0, abi.FDFlagRsync}, Setup: drop(0, abi.RightFDSync)},
		{Num: abi.PathOpen, Errno: abi.ENOTCAPABLE, Name: "no right to sync data", Args: args{Dir, nofollow, "f", 0, rd, 0, abi.FDFlagDsync}, Setup: drop(0, abi.RightFDSync|abi.RightFDDatasync)},

		{Num: abi.PathReadlink, Name: "link", Args: args{Dir, "dang", Room(20)}},
		{Num: abi.PathReadlink, Name: "cut", Args: args{Dir, "dang", Room(2)}},
		{Num: abi.PathReadlink, Name: "no room", Args: args{Dir, "dang", Room(0)}},
		{Num: abi.PathReadlink, Errno: abi.EINVAL, Name: "file", Args: args{Dir, "f", Room(20)}},
		{Num: abi.PathReadlink, Errno: abi.EINVAL, Name: "folder behind it", Args: args{Dir, "dl/", Room(20)}},
		{Num: abi.PathReadlink, Errno: abi.ENOENT, Name: "none", Args: args{Dir, "none", Room(20)}},

		{Num: abi.PathRemoveDirectory, Name: "empty", Args: args{Dir, "d"}},
		{Num: abi.PathRemoveDirectory, Name: "slash", Args: args{Dir, "d/"}},
		{Num: abi.PathRemoveDirectory, Errno: abi.EBUSY, Name: "mount point", Args: args{Root, "w"}},
		{Num: abi.PathRemoveDirectory, Errno: abi.EINVAL, Name: "dot", Args: args{Dir, "d/."}},
		{Num: abi.PathRemoveDirectory, Errno: abi.ENOENT, Name: "none", Args: args{Dir, "none"}},
		{Num: abi.PathRemoveDirectory, Errno: abi.ENOTDIR, Name: "file", Args: args{Dir, "f"}},
		{Num: abi.PathRemoveDirectory, Errno: abi.ENOTDIR, Name: "link", Args: args{Dir, "dl"}},
		{Num: abi.PathRemoveDirectory, Errno: abi.ENOTDIR, Name: "link and slash", Args: args{Dir, "dl/"}},
		{Num: abi.PathRemoveDirectory, Errno: abi.ENOTEMPTY, Name: "not empty", Args: args{Dir, "full"}},
		{Num: abi.PathRemoveDirectory, Errno: abi.ENOTEMPTY, Name: "dots", Args: args{Dir, "full/sub/.."}, Setup: func(f *Fixture) { f.OK(abi.PathCreateDirectory, Dir, "full/sub") }},
		{Num: abi.PathRemoveDirectory, Errno: abi.EROFS, Name: "read-only", Args: args{RODir, "d"}},

		{Num: abi.PathRename, Name: "file", Args: args{Dir, "f", Dir, "new"}},
		{Num: abi.PathRename, Name: "file over file", Args: args{Dir, "f", Dir, "full/x"}},
		{Num: abi.PathRename, Name: "over itself", Args: args{Dir, "f", Dir, "f"}},
		{Num: abi.PathRename, Name: "over the same file", Args: args{Dir, "f", Dir, "same"}, Setup: hardLink},
		{Num: abi.PathRename, Name: "folder over an empty one", Args: args{Dir, "full", Dir, "d"}},
		{Num: abi.PathRename, Name: "folder, slash", Args: args{Dir, "full/", Dir, "new/"}},
		{Num: abi.PathRename, Name: "link over link", Args: args{Dir, "l", Dir, "dl"}},
		{Num: abi.PathRename, Errno: abi.EBUSY, Name: "mount point", Args: args{Root, "w", Root, "x/new"}},
		{Num: abi.PathRename, Errno: abi.EBUSY, Name: "onto a mount point", Args: args{Dir, "f", Root, "x"}},
		{Num: abi.PathRename, Errno: abi.EBUSY, Name: "dot", Args: args{Dir, "d/.", Dir, "new"}},
		{Num: abi.PathRename, Errno: abi.EINVAL, Name: "into itself", Args: args{Dir, "full", Dir, "full/new"}},
		{Num: abi.PathRename, Errno: abi.EISDIR, Name: "file over folder", Args: args{Dir, "f", Dir, "d"}},
		{Num: abi.PathRename, Errno: abi.ENOENT, Name: "none", Args: args{Dir, "none", Dir, "new"}},
		{Num: abi.PathRename, Errno: abi.ENOTDIR, Name: "folder over file", Args: args{Dir, "d", Dir, "f"}},
		{Num: abi.PathRename, Errno: abi.ENOTDIR, Name: "file, slash", Args: args{Dir, "f/", Dir, "new"}},
		{Num: abi.PathRename, Errno: abi.ENOTDIR, Name: "file to a slash", Args: args{Dir, "f", Dir, "new/"}},
		{Num: abi.PathRename, Errno: abi.ENOTEMPTY, Name: "over a full folder", Args: args{Dir, "d", Dir, "full"}},
		{Num: abi.PathRename, Errno: abi.EROFS, Name: "out of read-only", Args: args{RODir, "f", Dir, "new"}},
		{Num: abi.PathRename, Errno: abi.EROFS, Name: "into read-only", Args: args{Dir, "f", RODir, "new"}},
		{Num: abi.PathRename, Errno: abi.EXDEV, Name: "another mount", Args: args{Dir, "f", Root, "x/new"}},
		{Num: abi.PathRename, Errno: abi.ENOTCAPABLE, Name: "no right to take", Args: args{Dir, "f", Dir, "new"}, Setup: drop(abi.RightPathRenameSource, 0)},
		{Num: abi.PathRename, Errno: abi.ENOTCAPABLE, Name: "no right to put", Args: args{Dir, "f", Dir, "new"}, Setup: drop(abi.RightPathRenameTarget, 0)},

		{Num: abi.PathSymlink, Name: "new", Args: args{"a/./target", Dir, "new"}},
		{Num: abi.PathSymlink, Errno: abi.EEXIST, Name: "there", Args: args{"target", Dir, "dang"}},
		{Num: abi.PathSymlink, Errno: abi.ENOENT, Name: "nothing in it", Args: args{"", Dir, "new"}},
		{Num: abi.PathSymlink, Errno: abi.ENOENT, Name: "slash", Args: args{"target", Dir, "new/"}},
		{Num: abi.PathSymlink, Errno: abi.ENOSPC, Name: "quota", Args: args{"target", Dir, "new"}, Setup: manyNodes, Quota: true},
		{Num: abi.PathSymlink, Errno: abi.EROFS, Name: "read-only", Args: args{"target", RODir, "new"}},
		{Num: abi.PathSymlink, Errno: abi.ENOTCAPABLE, Name: "absolute target", Args: args{"/etc/passwd", Dir, "new"}},
		{Num: abi.PathSymlink, Errno: abi.ENOTCAPABLE, Name: "not that right", Args: args{"target", Dir, "new"}, Setup: drop(abi.RightPathSymlink, 0)},

		{Num: abi.PathUnlinkFile, Name: "file", Args: args{Dir, "f"}},
		{Num: abi.PathUnlinkFile, Name: "link", Args: args{Dir, "dl"}},
		{Num: abi.PathUnlinkFile, Errno: abi.EBUSY, Name: "mount point", Args: args{Root, "w"}},
		{Num: abi.PathUnlinkFile, Errno: abi.EISDIR, Name: "folder", Args: args{Dir, "d"}},
		{Num: abi.PathUnlinkFile, Errno: abi.EISDIR, Name: "dot", Args: args{Dir, "d/."}},
		{Num: abi.PathUnlinkFile, Errno: abi.ENOENT, Name: "none", Args: args{Dir, "none"}},
		{Num: abi.PathUnlinkFile, Errno: abi.ENOTDIR, Name: "slash", Args: args{Dir, "f/"}},
		{Num: abi.PathUnlinkFile, Errno: abi.ENOTDIR, Name: "link and slash", Args: args{Dir, "dl/"}},
		{Num: abi.PathUnlinkFile, Errno: abi.EROFS, Name: "read-only", Args: args{RODir, "f"}},
	}
}

// slashed is what a path that ends in a slash answers, where no folder is there:
// a file is none, and only a folder can be made or moved to such a name.
func slashed() []Case {
	return []Case{
		{Num: abi.PathCreateDirectory, Errno: abi.EEXIST, Name: "file and slash", Args: args{Dir, "f/"}},
		{Num: abi.PathFilestatGet, Errno: abi.ENOTDIR, Name: "followed link and slash", Args: args{Dir, follow, "l/"}},
		{Num: abi.PathFilestatGet, Errno: abi.ENOTDIR, Name: "link and slash", Args: args{Dir, nofollow, "l//"}},
		{Num: abi.PathFilestatSetTimes, Errno: abi.ENOTDIR, Name: "file and slash", Args: args{Dir, nofollow, "f/", 1, 2, abi.FstAtim}},
		{Num: abi.PathFilestatSetTimes, Name: "link to a folder and slash", Args: args{Dir, nofollow, "dl/", 1, 2, abi.FstAtim}},
		{Num: abi.PathLink, Errno: abi.ENOTDIR, Name: "file and slash", Args: args{Dir, nofollow, "f/", Dir, "new"}},
		{Num: abi.PathLink, Errno: abi.EPERM, Name: "link to a folder and slash", Args: args{Dir, nofollow, "dl/", Dir, "new"}},
		{Num: abi.PathLink, Errno: abi.EEXIST, Name: "onto a file and slash", Args: args{Dir, nofollow, "f", Dir, "f/"}},
		{Num: abi.PathOpen, Name: "link to a folder and slash", Args: args{Dir, nofollow, "dl/", abi.OFlagDirectory, 0, 0, 0}},
		{Num: abi.PathOpen, Errno: abi.ENOTDIR, Name: "link to a file and slash", Args: args{Dir, follow, "l/", 0, 0, 0, 0}},
		{Num: abi.PathReadlink, Errno: abi.ENOTDIR, Name: "file and slash", Args: args{Dir, "f/", Room(9)}},
		{Num: abi.PathReadlink, Errno: abi.ENOTDIR, Name: "link to a file and slash", Args: args{Dir, "l/", Room(9)}},
		{Num: abi.PathRemoveDirectory, Errno: abi.ENOTDIR, Name: "file and slash", Args: args{Dir, "f/"}},
		{Num: abi.PathRename, Errno: abi.ENOTDIR, Name: "link and slash", Args: args{Dir, "dl/", Dir, "new"}},
		{Num: abi.PathRename, Errno: abi.ENOTDIR, Name: "file onto a file and slash", Args: args{Dir, "f", Dir, "l/"}},
		{Num: abi.PathRename, Name: "folder onto a folder and slash", Args: args{Dir, "full", Dir, "d//"}},
		{Num: abi.PathSymlink, Errno: abi.EEXIST, Name: "onto a file and slash", Args: args{"target", Dir, "f/"}},
		{Num: abi.PathSymlink, Errno: abi.EEXIST, Name: "onto a folder and slash", Args: args{"target", Dir, "d/"}},
		{Num: abi.PathUnlinkFile, Errno: abi.EISDIR, Name: "folder and slash", Args: args{Dir, "d/"}},
	}
}

// commonPathCases are those of every path that a function takes.
func commonPathCases() (cases []Case) {
	for _, p := range []struct {
		n    abi.Num
		name string
		at   func(fd int, path string) args
	}{
		{abi.PathCreateDirectory, "", func(fd int, p string) args { return args{fd, p} }},
		{abi.PathFilestatGet, "", func(fd int, p string) args { return args{fd, nofollow, p} }},
		{abi.PathFilestatSetTimes, "", func(fd int, p string) args { return args{fd, nofollow, p, 1, 2, abi.FstAtim} }},
		{abi.PathLink, "old ", func(fd int, p string) args { return args{fd, nofollow, p, Dir, "new"} }},
		{abi.PathLink, "new ", func(fd int, p string) args { return args{Dir, nofollow, "f", fd, p} }},
		{abi.PathOpen, "", func(fd int, p string) args { return args{fd, nofollow, p, 0, abi.RightFDRead, 0, 0} }},
		{abi.PathReadlink, "", func(fd int, p string) args { return args{fd, p, Room(9)} }},
		{abi.PathRemoveDirectory, "", func(fd int, p string) args { return args{fd, p} }},
		{abi.PathRename, "old ", func(fd int, p string) args { return args{fd, p, Dir, "new"} }},
		{abi.PathRename, "new ", func(fd int, p string) args { return args{Dir, "f", fd, p} }},
		{abi.PathSymlink, "", func(fd int, p string) args { return args{"target", fd, p} }},
		{abi.PathUnlinkFile, "", func(fd int, p string) args { return args{fd, p} }},
	} {
		for _, c := range []struct {
			e    abi.Errno
			name string
			fd   int
			path string
		}{
			{abi.EBADF, "no descriptor", None, "f"},
			{abi.ENOTDIR, "a file's descriptor", File, "f"},
			{abi.ENOTDIR, "a stream's descriptor", Stdin, "f"},
			{abi.ENOENT, "no path", Dir, ""},
			{abi.ENOENT, "no folder", Dir, "none/x"},
			{abi.ENOENT, "no grant", Root, "nowhere/x"},
			{abi.EINVAL, "NUL", Dir, "a\x00b"},
			{abi.EILSEQ, "no UTF-8", Dir, "a\xff"},
			{abi.ENAMETOOLONG, "long path", Dir, strings.Repeat("./", abi.MaxPath/2) + "f"},
			{abi.ENAMETOOLONG, "long name", Dir, long},
			{abi.ELOOP, "loop", Dir, "loop/x"},
			{abi.ENOTDIR, "a file in between", Dir, "f/x"},
			{abi.ENOTCAPABLE, "up", Dir, "d/../../x"},
			{abi.ENOTCAPABLE, "absolute", Dir, "/w/f"},
			{abi.ENOTCAPABLE, "up by a link", Dir, "up/x"},
			{abi.ENOTCAPABLE, "no right", Bare, "f"},
		} {
			cases = append(cases, Case{Num: p.n, Errno: c.e, Name: p.name + c.name, Args: p.at(c.fd, c.path)})
		}
	}
	return cases
}
