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
	if e := d.vacant(name); e != abi.ESUCCESS {
		return e
	}
	return d.made(name, unix.Mkdirat(d.fd, name, dirMode), func() { _ = unix.Unlinkat(d.fd, name, unix.AT_REMOVEDIR) })
}

func (d *folder) Rmdir(name string) abi.Errno {
	if e := checkName(name); e != abi.ESUCCESS {
		return e
	}
	if e := d.spelt(name); e != abi.ESUCCESS {
		return e
	}
	return errnoOf(unix.Unlinkat(d.fd, name, unix.AT_REMOVEDIR))
}

func (d *folder) Unlink(name string) abi.Errno {
	if e := checkName(name); e != abi.ESUCCESS {
		return e
	}
	if e := d.spelt(name); e != abi.ESUCCESS {
		return e
	}
	return errnoOf(unix.Unlinkat(d.fd, name, 0))
}

func (d *folder) Symlink(target, name string) abi.Errno {
	if e := checkName(name); e != abi.ESUCCESS {
		return e
	}
	if e := d.vacant(name); e != abi.ESUCCESS {
		return e
	}
	return d.made(name, unix.Symlinkat(target, d.fd, name), func() { _ = unix.Unlinkat(d.fd, name, 0) })
}

// Link links name itself, were it a symbolic link.
func (d *folder) Link(name string, to tree.Dir, newName string) abi.Errno {
	t, e := d.pair(name, to, newName)
	if e != abi.ESUCCESS {
		return e
	}
	return t.made(newName, unix.Linkat(d.fd, name, t.fd, newName, 0), func() { _ = unix.Unlinkat(t.fd, newName, 0) })
}

func (d *folder) Rename(name string, to tree.Dir, newName string) abi.Errno {
	t, e := d.pair(name, to, newName)
	if e != abi.ESUCCESS {
		return e
	}
	return t.made(newName, unix.Renameat(d.fd, name, t.fd, newName), func() { _ = unix.Renameat(t.fd, newName, d.fd, name) })
}

// pair checks both names, how they are spelt, and that to is of the same root.
func (d *folder) pair(name string, to tree.Dir, newName string) (*folder, abi.Errno) {
	if e := checkName(name); e != abi.ESUCCESS {
		return nil, e
	}
	if e := checkName(newName); e != abi.ESUCCESS {
		return nil, e
	}
	t, ok := to.(*folder)
	if !ok || t.root != d.root {
		return nil, abi.EXDEV
	}
	if e := d.spelt(name); e != abi.ESUCCESS {
		return nil, e
	}
	if d.root.kept.leads(d.fd, name) {
		return nil, abi.EBUSY
	}
	return t, t.vacant(newName)
}

func (d *folder) SetTimes(name string, t tree.Times) abi.Errno {
	if setsNothing(t) { // the kernel would not even look whether name exists
		_, e := d.Lstat(name)
		return e
	}
	if e := checkName(name); e != abi.ESUCCESS {
		return e
	}
	if e := d.spelt(name); e != abi.ESUCCESS {
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
