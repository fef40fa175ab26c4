package host

import (
	"golang.org/x/sys/unix"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

// Folders are made with these permissions less the process's umask; no set-id bit is ever asked for.
const dirMode = 0o777

func (d *folder) Mkdir(name string) abi.Errno {
	if e := checkName(name); e != abi.ESUCCESS {
		return e
	}
	return errnoOf(unix.Mkdirat(d.fd, name, dirMode))
}

func (d *folder) Rmdir(name string) abi.Errno {
	if e := checkName(name); e != abi.ESUCCESS {
		return e
	}
	return errnoOf(unix.Unlinkat(d.fd, name, unix.AT_REMOVEDIR))
}

func (d *folder) Unlink(name string) abi.Errno {
	if e := checkName(name); e != abi.ESUCCESS {
		return e
	}
	return errnoOf(unix.Unlinkat(d.fd, name, 0))
}

func (d *folder) Symlink(target, name string) abi.Errno {
	if e := checkName(name); e != abi.ESUCCESS {
		return e
	}
	return errnoOf(unix.Symlinkat(target, d.fd, name))
}

// Link links name itself, were it a symbolic link.
func (d *folder) Link(name string, to tree.Dir, newName string) abi.Errno {
	t, e := d.pair(name, to, newName)
	if e != abi.ESUCCESS {
		return e
	}
	return errnoOf(unix.Linkat(d.fd, name, t.fd, newName, 0))
}

func (d *folder) Rename(name string, to tree.Dir, newName string) abi.Errno {
	t, e := d.pair(name, to, newName)
	if e != abi.ESUCCESS {
		return e
	}
	return errnoOf(unix.Renameat(d.fd, name, t.fd, newName))
}

// pair checks both names and that to is of the same root.
func (d *folder) pair(name string, to tree.Dir, newName string) (*folder, abi.Errno) {
	if e := checkName(name); e != abi.ESUCCESS {
		return nil, e
	}
	if e := checkName(newName); e != abi.ESUCCESS {
		return nil, e
	}
	if t, ok := to.(*folder); ok && t.root == d.root {
		return t, abi.ESUCCESS
	}
	return nil, abi.EXDEV
}

func (d *folder) SetTimes(name string, t tree.Times) abi.Errno {
	if setsNothing(t) { // the kernel would not even look whether name exists
		_, e := d.Lstat(name)
		return e
	}
	if e := checkName(name); e != abi.ESUCCESS {
		return e
	}
	ts := timespecs(t)
	return errnoOf(unix.UtimesNanoAt(d.fd, name, ts[:], unix.AT_SYMLINK_NOFOLLOW))
}

func (d *folder) SetOwnTimes(t tree.Times) abi.Errno {
	if setsNothing(t) {
		_, e := d.Stat()
		return e
	}
	ts := timespecs(t)
	return errnoOf(unix.UtimesNanoAt(d.fd, ".", ts[:], unix.AT_SYMLINK_NOFOLLOW))
}
