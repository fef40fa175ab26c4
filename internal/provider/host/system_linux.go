package host

import (
	"golang.org/x/sys/unix"

	"github.com/forgeone/forgeone/abi"
)

// Magic numbers that the unix package lacks.
const (
	configfsMagic = 0x62656570
	fusectlMagic  = 0x65735543
	mqueueMagic   = 0x19800202
	rpcPipeMagic  = 0x67596969
	nfsdMagic     = 0x6e667364
)

// isSystem tells whether a file system of this type shows the kernel, a device
// or other processes rather than stored files. What lies there looks like a
// regular file and is none: /proc/self/environ holds the keys of whoever runs the
// guest, /proc/self/mem is its memory.
func isSystem(magic uint32) bool {
	switch magic {
	case unix.PROC_SUPER_MAGIC, unix.SYSFS_MAGIC, unix.CGROUP_SUPER_MAGIC, unix.CGROUP2_SUPER_MAGIC, unix.DEBUGFS_MAGIC,
		unix.TRACEFS_MAGIC, unix.SECURITYFS_MAGIC, unix.BPF_FS_MAGIC, unix.DEVPTS_SUPER_MAGIC, unix.NSFS_MAGIC, unix.PID_FS_MAGIC,
		unix.PSTOREFS_MAGIC, unix.EFIVARFS_MAGIC, unix.BINFMTFS_MAGIC, unix.BINDERFS_SUPER_MAGIC, unix.SELINUX_MAGIC, unix.SMACK_MAGIC,
		unix.RDTGROUP_SUPER_MAGIC, unix.AAFS_MAGIC, unix.DEVMEM_MAGIC, unix.DMA_BUF_MAGIC, unix.OPENPROM_SUPER_MAGIC,
		unix.USBDEVICE_SUPER_MAGIC, unix.XENFS_SUPER_MAGIC, unix.DAXFS_MAGIC,
		configfsMagic, fusectlMagic, mqueueMagic, rpcPipeMagic, nfsdMagic:
		return true
	}
	return false
}

// storage answers ENOTCAPABLE if what fd is open on, on the device dev, lies on a
// file system that is no storage. The device from is known to be none of those:
// only where a mount is crossed does it cost a system call. What it tells is not
// kept, since device numbers come back. folds, if it is not nil, is then set to
// whether names in the folder fd may be spelt in more ways than one.
func storage(fd int, dev, from uint64, folds *bool) abi.Errno {
	if dev == from {
		return abi.ESUCCESS
	}
	var fs unix.Statfs_t
	for {
		switch err := unix.Fstatfs(fd, &fs); {
		case err == unix.EINTR:
			continue
		case err != nil:
			return errnoOf(err)
		case isSystem(uint32(fs.Type)):
			return abi.ENOTCAPABLE
		case folds != nil:
			*folds = folding(fd, uint32(fs.Type))
		}
		return abi.ESUCCESS
	}
}

// reach checks what fstatat said of name in d as storage does, without opening it.
func (d *folder) reach(name string, st *unix.Stat_t) abi.Errno {
	if e := d.root.kept.within(d.fd, name, st); e != abi.ESUCCESS {
		return e
	}
	if uint64(st.Dev) == d.dev {
		return abi.ESUCCESS
	}
	for {
		fd, err := unix.Openat(d.fd, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return errnoOf(err)
		}
		defer unix.Close(fd)
		return storage(fd, uint64(st.Dev), d.dev, nil)
	}
}
