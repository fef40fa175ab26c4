package abi

// Errnos are the answers other than ESUCCESS that the function can make by what
// the specification says of it or, where that is silent, POSIX of the call it is
// modelled on. Beyond these a call that policy denies answers EACCES, and what
// only a host can come to is passed on: EIO, EACCES, EPERM, ENOSPC or EDQUOT of
// its disk, EFBIG, EMLINK, ENFILE, ENOMEM. The slice belongs to the package.
func (r *Row) Errnos() []Errno {
	if r.Iface != WASIPreview1 || int(r.Num) >= len(preview1Errnos) {
		return nil
	}
	return preview1Errnos[r.Num]
}

// preview1Errnos has, by function, the errnos in order of number.
var preview1Errnos = [...][]Errno{
	ArgsGet:              {EFAULT},
	ArgsSizesGet:         {EFAULT},
	EnvironGet:           {EFAULT},
	EnvironSizesGet:      {EFAULT},
	ClockResGet:          {EFAULT, EINVAL},
	ClockTimeGet:         {EFAULT, EINVAL},
	FdAdvise:             {EBADF, EINVAL, ESPIPE, ENOTCAPABLE},
	FdAllocate:           {EBADF, EFBIG, EINVAL, ENOSPC, EROFS, ESPIPE, ENOTCAPABLE},
	FdClose:              {EBADF},
	FdDatasync:           {EBADF, EINVAL, EROFS, ENOTCAPABLE},
	FdFdstatGet:          {EBADF, EFAULT},
	FdFdstatSetFlags:     {EBADF, EINVAL, ENOTSUP, ENOTCAPABLE},
	FdFdstatSetRights:    {EBADF, ENOTCAPABLE},
	FdFilestatGet:        {EBADF, EFAULT, ENOTCAPABLE},
	FdFilestatSetSize:    {EBADF, EINVAL, ENOSPC, EROFS, ENOTCAPABLE},
	FdFilestatSetTimes:   {EBADF, EINVAL, EROFS, ENOTCAPABLE},
	FdPread:              {EBADF, EFAULT, EINVAL, EISDIR, ESPIPE, ENOTCAPABLE},
	FdPrestatGet:         {EBADF, EFAULT},
	FdPrestatDirName:     {EBADF, EFAULT, EINVAL, ENAMETOOLONG},
	FdPwrite:             {EBADF, EFAULT, EFBIG, EINVAL, ENOSPC, ESPIPE, ENOTCAPABLE},
	FdRead:               {EAGAIN, EBADF, ECONNRESET, EFAULT, EINTR, EINVAL, EISDIR, ENOTCONN, ENOTCAPABLE},
	FdReaddir:            {EBADF, EFAULT, EINVAL, ENOTDIR, ENOTCAPABLE},
	FdRenumber:           {EBADF},
	FdSeek:               {EBADF, EFAULT, EINVAL, EOVERFLOW, ESPIPE, ENOTCAPABLE},
	FdSync:               {EBADF, EINVAL, ENOTCAPABLE},
	FdTell:               {EBADF, EFAULT, ESPIPE, ENOTCAPABLE},
	FdWrite:              {EAGAIN, EBADF, ECONNRESET, EFAULT, EFBIG, EINTR, EINVAL, ENOSPC, ENOTCONN, EPIPE, ENOTCAPABLE},
	PathCreateDirectory:  {EBADF, EEXIST, EFAULT, EILSEQ, EINVAL, ELOOP, ENAMETOOLONG, ENOENT, ENOSPC, ENOTDIR, EROFS, ENOTCAPABLE},
	PathFilestatGet:      {EBADF, EFAULT, EILSEQ, EINVAL, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, ENOTCAPABLE},
	PathFilestatSetTimes: {EBADF, EFAULT, EILSEQ, EINVAL, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, EROFS, ENOTCAPABLE},
	PathLink:             {EBADF, EEXIST, EFAULT, EILSEQ, EINVAL, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, EPERM, EROFS, EXDEV, ENOTCAPABLE},
	PathOpen:             {EBADF, EEXIST, EFAULT, EILSEQ, EINVAL, EISDIR, ELOOP, EMFILE, ENAMETOOLONG, ENOENT, ENOSPC, ENOTDIR, ENOTSUP, EROFS, ENOTCAPABLE},
	PathReadlink:         {EBADF, EFAULT, EILSEQ, EINVAL, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, ENOTCAPABLE},
	PathRemoveDirectory:  {EBADF, EBUSY, EFAULT, EILSEQ, EINVAL, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, ENOTEMPTY, EROFS, ENOTCAPABLE},
	PathRename:           {EBADF, EBUSY, EFAULT, EILSEQ, EINVAL, EISDIR, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, ENOTEMPTY, EROFS, EXDEV, ENOTCAPABLE},
	PathSymlink:          {EBADF, EEXIST, EFAULT, EILSEQ, EINVAL, ELOOP, ENAMETOOLONG, ENOENT, ENOSPC, ENOTDIR, EROFS, ENOTCAPABLE},
	PathUnlinkFile:       {EBADF, EBUSY, EFAULT, EILSEQ, EINVAL, EISDIR, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, EROFS, ENOTCAPABLE},
	PollOneoff:           {EFAULT, EINTR, EINVAL},
	ProcRaise:            {EINVAL, ENOTSUP},
	RandomGet:            {EFAULT, EIO},
	SockAccept:           {EAGAIN, EBADF, EFAULT, EINTR, EINVAL, EMFILE, ENOTSOCK, ENOTSUP, ENOTCAPABLE},
	SockRecv:             {EAGAIN, EBADF, ECONNRESET, EFAULT, EINTR, EINVAL, ENOTCONN, ENOTSOCK, ENOTCAPABLE},
	SockSend:             {EAGAIN, EBADF, ECONNRESET, EFAULT, EINTR, EINVAL, ENOTCONN, ENOTSOCK, EPIPE, ENOTCAPABLE},
	SockShutdown:         {EBADF, EINVAL, ENOTCONN, ENOTSOCK, ENOTCAPABLE},
}
