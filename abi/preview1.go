package abi

// Numbers of preview 1's functions, in the order of its specification.
const (
	ArgsGet Num = iota + 1
	ArgsSizesGet
	EnvironGet
	EnvironSizesGet
	ClockResGet
	ClockTimeGet
	FdAdvise
	FdAllocate
	FdClose
	FdDatasync
	FdFdstatGet
	FdFdstatSetFlags
	FdFdstatSetRights
	FdFilestatGet
	FdFilestatSetSize
	FdFilestatSetTimes
	FdPread
	FdPrestatGet
	FdPrestatDirName
	FdPwrite
	FdRead
	FdReaddir
	FdRenumber
	FdSeek
	FdSync
	FdTell
	FdWrite
	PathCreateDirectory
	PathFilestatGet
	PathFilestatSetTimes
	PathLink
	PathOpen
	PathReadlink
	PathRemoveDirectory
	PathRename
	PathSymlink
	PathUnlinkFile
	PollOneoff
	ProcExit
	ProcRaise
	SchedYield
	RandomGet
	SockAccept
	SockRecv
	SockSend
	SockShutdown
)

var (
	fd       = Param{Name: "fd", Type: Handle}
	path     = Param{Name: "path", Type: Path}
	offset   = Param{Name: "offset", Type: U64}
	lookup   = Param{Name: "flags", Type: U32, Words: "lookupflags"}
	atim     = Param{Name: "atim", Type: U64}
	mtim     = Param{Name: "mtim", Type: U64}
	fstflags = Param{Name: "fst_flags", Type: U16, Words: "fstflags"}
	iovs     = Param{Name: "iovs", Type: BytesOut}
	ciovs    = Param{Name: "iovs", Type: BytesIn}
)

// preview1 is WASI preview 1, wasi_snapshot_preview1, as its witx defines it
// (github.com/WebAssembly/WASI, legacy/preview1/witx).
var preview1 = [...]Row{
	{
		Num: ArgsGet, Name: "args_get", Class: Process, Price: Price{WorkCall: 800, WorkByte: 8}, Provided: true, Doc: "Reads the command line arguments.",
		Params: []Param{{Name: "argv", Type: StringsOut}},
	},
	{
		Num: ArgsSizesGet, Name: "args_sizes_get", Class: Process, Price: Price{WorkCall: 800}, Provided: true, Doc: "Tells how many arguments there are and how many bytes they take.",
		Params: []Param{{Name: "argc", Type: RetU32}, {Name: "argv_buf_size", Type: RetU32}},
	},
	{
		Num: EnvironGet, Name: "environ_get", Class: Process, Price: Price{WorkCall: 800, WorkByte: 8}, Provided: true, Doc: "Reads the environment.",
		Params: []Param{{Name: "environ", Type: StringsOut}},
	},
	{
		Num: EnvironSizesGet, Name: "environ_sizes_get", Class: Process, Price: Price{WorkCall: 800}, Provided: true, Doc: "Tells how many environment entries there are and how many bytes they take.",
		Params: []Param{{Name: "environc", Type: RetU32}, {Name: "environ_buf_size", Type: RetU32}},
	},
	{
		Num: ClockResGet, Name: "clock_res_get", Class: Time, Price: Price{WorkCall: 800}, Provided: true, Doc: "Tells the resolution of a clock.",
		Params: []Param{{Name: "id", Type: U32, Words: "clockid"}, {Name: "resolution", Type: RetU64}},
	},
	{
		Num: ClockTimeGet, Name: "clock_time_get", Class: Time, Price: Price{WorkCall: 800}, Provided: true, Doc: "Reads a clock.",
		Params: []Param{{Name: "id", Type: U32, Words: "clockid"}, {Name: "precision", Type: U64}, {Name: "time", Type: RetU64}},
	},
	{
		Num: FdAdvise, Name: "fd_advise", Class: FSRead, Price: Price{WorkCall: 2500, WorkName: 600, WorkEntry: 4}, Needs: RightFDAdvise, Provided: true, Doc: "Announces how a part of a file will be used.",
		Params: []Param{fd, offset, {Name: "len", Type: U64}, {Name: "advice", Type: U8, Words: "advice"}},
	},
	{
		Num: FdAllocate, Name: "fd_allocate", Class: FSWrite, Price: Price{WorkCall: 20000, WorkName: 600, WorkEntry: 800}, Needs: RightFDAllocate, Provided: true, Doc: "Makes room for a part of a file.",
		Params: []Param{fd, offset, {Name: "len", Type: U64}},
	},
	{Num: FdClose, Name: "fd_close", Class: IPC, Price: Price{WorkCall: 3000, WorkEntry: 800}, Provided: true, Doc: "Closes a descriptor.", Params: []Param{fd}},
	{Num: FdDatasync, Name: "fd_datasync", Class: FSWrite, Price: Price{WorkCall: 20000, WorkName: 600, WorkEntry: 4}, Needs: RightFDDatasync, Provided: true, Doc: "Makes a file's data durable.", Params: []Param{fd}},
	{
		Num: FdFdstatGet, Name: "fd_fdstat_get", Class: IPC, Price: Price{WorkCall: 800, WorkName: 600, WorkEntry: 4}, Provided: true, Doc: "Tells a descriptor's type, flags and rights.",
		Params: []Param{fd, {Name: "stat", Type: RetFdstat}},
	},
	{
		Num: FdFdstatSetFlags, Name: "fd_fdstat_set_flags", Class: IPC, Price: Price{WorkCall: 800, WorkName: 600, WorkEntry: 4}, Needs: RightFDFdstatSetFlags, Provided: true, Doc: "Sets a descriptor's flags.",
		Params: []Param{fd, {Name: "flags", Type: U16, Words: "fdflags"}},
	},
	{
		Num: FdFdstatSetRights, Name: "fd_fdstat_set_rights", Class: IPC, Price: Price{WorkCall: 800, WorkName: 600, WorkEntry: 4}, Provided: true, Doc: "Shrinks a descriptor's rights; they never grow.",
		Params: []Param{fd, {Name: "fs_rights_base", Type: U64, Words: "rights"}, {Name: "fs_rights_inheriting", Type: U64, Words: "rights"}},
	},
	{
		Num: FdFilestatGet, Name: "fd_filestat_get", Class: FSRead, Price: Price{WorkCall: 2000, WorkName: 600, WorkEntry: 4}, Needs: RightFDFilestatGet, Provided: true, Doc: "Tells the attributes of an open file.",
		Params: []Param{fd, {Name: "buf", Type: RetFilestat}},
	},
	{
		Num: FdFilestatSetSize, Name: "fd_filestat_set_size", Class: FSWrite, Price: Price{WorkCall: 10000, WorkName: 600, WorkEntry: 4}, Needs: RightFDFilestatSetSize, Provided: true, Doc: "Sets the size of an open file.",
		Params: []Param{fd, {Name: "size", Type: U64}},
	},
	{
		Num: FdFilestatSetTimes, Name: "fd_filestat_set_times", Class: FSWrite, Price: Price{WorkCall: 8000, WorkName: 600, WorkEntry: 4}, Needs: RightFDFilestatSetTimes, Provided: true, Doc: "Sets the times of an open file.",
		Params: []Param{fd, atim, mtim, fstflags},
	},
	{
		Num: FdPread, Name: "fd_pread", Class: FSRead, Price: Price{WorkCall: 2500, WorkByte: 3, WorkName: 600, WorkVector: 12, WorkEntry: 4}, Needs: RightFDRead | RightFDSeek, Provided: true, Doc: "Reads from an offset without moving the position.",
		Params: []Param{fd, iovs, offset, {Name: "nread", Type: RetU32}},
	},
	{
		Num: FdPrestatGet, Name: "fd_prestat_get", Class: IPC, Price: Price{WorkCall: 800, WorkName: 600, WorkEntry: 4}, Provided: true, Doc: "Describes a preopened descriptor.",
		Params: []Param{fd, {Name: "buf", Type: RetPrestat}},
	},
	{
		Num: FdPrestatDirName, Name: "fd_prestat_dir_name", Class: IPC, Price: Price{WorkCall: 800, WorkByte: 2, WorkName: 600, WorkEntry: 4}, Provided: true, Doc: "Tells the name of a preopened folder.",
		Params: []Param{fd, {Name: "path", Type: BufferOut}},
	},
	{
		Num: FdPwrite, Name: "fd_pwrite", Class: FSWrite, Price: Price{WorkCall: 2500, WorkByte: 1, WorkName: 600, WorkVector: 12, WorkEntry: 800}, Needs: RightFDWrite | RightFDSeek, Provided: true, Doc: "Writes at an offset without moving the position.",
		Params: []Param{fd, ciovs, offset, {Name: "nwritten", Type: RetU32}},
	},
	{
		Num: FdRead, Name: "fd_read", Class: FSRead, Price: Price{WorkCall: 2500, WorkByte: 3, WorkName: 600, WorkVector: 12, WorkEntry: 4}, Needs: RightFDRead, Blocks: true, Provided: true, Doc: "Reads from a descriptor.",
		Params: []Param{fd, iovs, {Name: "nread", Type: RetU32}},
	},
	{
		Num: FdReaddir, Name: "fd_readdir", Class: FSRead, Price: Price{WorkCall: 6000, WorkByte: 2, WorkName: 600, WorkEntry: 800}, Needs: RightFDReaddir, Provided: true, Doc: "Lists a folder.",
		Params: []Param{fd, {Name: "buf", Type: BufferOut}, {Name: "cookie", Type: U64}, {Name: "bufused", Type: RetU32}},
	},
	{
		Num: FdRenumber, Name: "fd_renumber", Class: IPC, Price: Price{WorkCall: 3000, WorkName: 600, WorkEntry: 4}, Provided: true, Doc: "Moves a descriptor onto another number.",
		Params: []Param{fd, {Name: "to", Type: Handle}},
	},
	{
		Num: FdSeek, Name: "fd_seek", Class: IPC, Price: Price{WorkCall: 800, WorkName: 600, WorkEntry: 4}, Provided: true, Doc: "Moves a descriptor's position.",
		Params: []Param{fd, {Name: "offset", Type: S64}, {Name: "whence", Type: U8, Words: "whence"}, {Name: "newoffset", Type: RetU64}},
	},
	{Num: FdSync, Name: "fd_sync", Class: FSWrite, Price: Price{WorkCall: 20000, WorkName: 600, WorkEntry: 4}, Needs: RightFDSync, Provided: true, Doc: "Makes a file and its attributes durable.", Params: []Param{fd}},
	{
		Num: FdTell, Name: "fd_tell", Class: IPC, Price: Price{WorkCall: 800, WorkName: 600, WorkEntry: 4}, Needs: RightFDTell, Provided: true, Doc: "Tells a descriptor's position.",
		Params: []Param{fd, {Name: "offset", Type: RetU64}},
	},
	{
		Num: FdWrite, Name: "fd_write", Class: FSWrite, Price: Price{WorkCall: 2500, WorkByte: 1, WorkName: 600, WorkVector: 12, WorkEntry: 800}, Needs: RightFDWrite, Provided: true, Doc: "Writes to a descriptor.",
		Params: []Param{fd, ciovs, {Name: "nwritten", Type: RetU32}},
	},
	{
		Num: PathCreateDirectory, Name: "path_create_directory", Class: FSWrite, Price: Price{WorkCall: 20000, WorkByte: 3, WorkName: 1500, WorkEntry: 4}, Needs: RightPathCreateDirectory, Provided: true, Doc: "Makes a folder.",
		Params: []Param{fd, path},
	},
	{
		Num: PathFilestatGet, Name: "path_filestat_get", Class: FSRead, Price: Price{WorkCall: 10000, WorkByte: 3, WorkName: 1500, WorkEntry: 4}, Needs: RightPathFilestatGet, Provided: true, Doc: "Tells the attributes of a file by name.",
		Params: []Param{fd, lookup, path, {Name: "buf", Type: RetFilestat}},
	},
	{
		Num: PathFilestatSetTimes, Name: "path_filestat_set_times", Class: FSWrite, Price: Price{WorkCall: 20000, WorkByte: 3, WorkName: 1500, WorkEntry: 4}, Needs: RightPathFilestatSetTimes, Provided: true, Doc: "Sets the times of a file by name.",
		Params: []Param{fd, lookup, path, atim, mtim, fstflags},
	},
	{
		Num: PathLink, Name: "path_link", Class: FSWrite, Price: Price{WorkCall: 20000, WorkByte: 3, WorkName: 1500, WorkEntry: 800}, Needs: RightPathLinkSource, Provided: true, Doc: "Makes a hard link.",
		Params: []Param{{Name: "old_fd", Type: Handle}, {Name: "old_flags", Type: U32, Words: "lookupflags"}, {Name: "old_path", Type: Path}, {Name: "new_fd", Type: Handle}, {Name: "new_path", Type: Path}},
	},
	{
		Num: PathOpen, Name: "path_open", Class: FSRead, Price: Price{WorkCall: 12000, WorkByte: 3, WorkName: 1500, WorkEntry: 4}, Needs: RightPathOpen, Provided: true, Doc: "Opens a file or folder by name.",
		Params: []Param{fd, {Name: "dirflags", Type: U32, Words: "lookupflags"}, path, {Name: "oflags", Type: U16, Words: "oflags"}, {Name: "fs_rights_base", Type: U64, Words: "rights"}, {Name: "fs_rights_inheriting", Type: U64, Words: "rights"}, {Name: "fdflags", Type: U16, Words: "fdflags"}, {Name: "opened_fd", Type: RetHandle}},
	},
	{
		Num: PathReadlink, Name: "path_readlink", Class: FSRead, Price: Price{WorkCall: 10000, WorkByte: 3, WorkName: 1500, WorkEntry: 4}, Needs: RightPathReadlink, Provided: true, Doc: "Reads a symbolic link.",
		Params: []Param{fd, path, {Name: "buf", Type: BufferOut}, {Name: "bufused", Type: RetU32}},
	},
	{
		Num: PathRemoveDirectory, Name: "path_remove_directory", Class: FSWrite, Price: Price{WorkCall: 20000, WorkByte: 3, WorkName: 1500, WorkEntry: 4}, Needs: RightPathRemoveDirectory, Provided: true, Doc: "Removes an empty folder.",
		Params: []Param{fd, path},
	},
	{
		Num: PathRename, Name: "path_rename", Class: FSWrite, Price: Price{WorkCall: 20000, WorkByte: 3, WorkName: 1500, WorkEntry: 800}, Needs: RightPathRenameSource, Provided: true, Doc: "Renames a file or folder.",
		Params: []Param{fd, {Name: "old_path", Type: Path}, {Name: "new_fd", Type: Handle}, {Name: "new_path", Type: Path}},
	},
	{
		Num: PathSymlink, Name: "path_symlink", Class: FSWrite, Price: Price{WorkCall: 20000, WorkByte: 3, WorkName: 1500, WorkEntry: 4}, Needs: 0, Provided: true, Doc: "Makes a symbolic link.",
		Params: []Param{{Name: "old_path", Type: Path}, fd, {Name: "new_path", Type: Path}},
	},
	{
		Num: PathUnlinkFile, Name: "path_unlink_file", Class: FSWrite, Price: Price{WorkCall: 20000, WorkByte: 3, WorkName: 1500, WorkEntry: 4}, Needs: RightPathUnlinkFile, Provided: true, Doc: "Removes a file.",
		Params: []Param{fd, path},
	},
	{
		Num: PollOneoff, Name: "poll_oneoff", Class: Time, Price: Price{WorkCall: 10000, WorkByte: 2, WorkWait: 800}, Blocks: true, Provided: true, Doc: "Waits for clocks and descriptors.",
		Params: []Param{{Name: "in", Type: SubsIn}, {Name: "out", Type: EventsOut}, {Name: "nsubscriptions", Type: U32}, {Name: "nevents", Type: RetU32}},
	},
	{
		Num: ProcExit, Name: "proc_exit", Class: Process, Price: Price{WorkCall: 1000}, Provided: true, Doc: "Ends the run with an exit code; it does not return.",
		Params: []Param{{Name: "rval", Type: U32}},
	},
	{
		Num: ProcRaise, Name: "proc_raise", Class: Process, Price: Price{WorkCall: 1000}, Provided: true, Doc: "Sends a signal to the guest itself.",
		Params: []Param{{Name: "sig", Type: U8, Words: "signal"}},
	},
	{Num: SchedYield, Name: "sched_yield", Class: Process, Price: Price{WorkCall: 1000}, Provided: true, Doc: "Gives up the processor for a moment.", Params: nil},
	{
		Num: RandomGet, Name: "random_get", Class: Entropy, Price: Price{WorkCall: 1500, WorkByte: 5}, Provided: true, Doc: "Fills a buffer with random bytes.",
		Params: []Param{{Name: "buf", Type: BufferOut}},
	},
	{
		Num: SockAccept, Name: "sock_accept", Class: Net, Price: Price{WorkCall: 20000, WorkEntry: 4}, Needs: RightSockAccept, Blocks: true, Provided: true, Doc: "Accepts a connection.",
		Params: []Param{fd, {Name: "flags", Type: U16, Words: "fdflags"}, {Name: "opened_fd", Type: RetHandle}},
	},
	{
		Num: SockRecv, Name: "sock_recv", Class: Net, Price: Price{WorkCall: 8000, WorkByte: 3, WorkVector: 12}, Needs: RightFDRead, Blocks: true, Provided: true, Doc: "Receives from a connection.",
		Params: []Param{fd, {Name: "ri_data", Type: BytesOut}, {Name: "ri_flags", Type: U16, Words: "riflags"}, {Name: "ro_datalen", Type: RetU32}, {Name: "ro_flags", Type: RetU16, Words: "roflags"}},
	},
	{
		Num: SockSend, Name: "sock_send", Class: Net, Price: Price{WorkCall: 8000, WorkByte: 3, WorkVector: 12}, Needs: RightFDWrite, Provided: true, Doc: "Sends on a connection.",
		Params: []Param{fd, {Name: "si_data", Type: BytesIn}, {Name: "si_flags", Type: U16}, {Name: "so_datalen", Type: RetU32}},
	},
	{
		Num: SockShutdown, Name: "sock_shutdown", Class: Net, Price: Price{WorkCall: 8000}, Needs: RightSockShutdown, Provided: true, Doc: "Shuts a connection down.",
		Params: []Param{fd, {Name: "how", Type: U8, Words: "sdflags"}},
	},
}
