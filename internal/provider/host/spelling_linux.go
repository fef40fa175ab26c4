package host

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/forgeone/forgeone/abi"
)

// Rules tell names apart by their bytes. Some file systems do not: they fold case,
// normalise, strip dots at the end or know short names, so that "SECRET" opens
// what a rule calls "secret". In a folder of such a one a name is there only as its
// entry spells it, and one that would be made under another spelling is not made.

// Numbers that the unix package lacks: types of file systems, and a flag.
const (
	ntfsMagic   = 0x5346544e
	ntfs3Magic  = 0x7366746e
	hfsMagic    = 0x4244
	hfsPlus     = 0x482b
	hfsX        = 0x4858
	apfsMagic   = 0x4253584e
	jfsMagic    = 0x3153464a
	zfsMagic    = 0x2fc12fc1
	vmwareMagic = 0xbacbacbc
	vboxMagic   = 0x786f4256

	casefoldFlag = 0x40000000 // FS_CASEFOLD_FL of a folder
)

// maySpell tells whether a file system of this type may find a name under another
// spelling. What stands behind a FUSE or a shared folder is not known.
func maySpell(magic uint32) bool {
	switch magic {
	case unix.MSDOS_SUPER_MAGIC, unix.EXFAT_SUPER_MAGIC, ntfsMagic, ntfs3Magic, hfsMagic, hfsPlus, hfsX, apfsMagic, jfsMagic, zfsMagic,
		unix.CIFS_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.NCP_SUPER_MAGIC, unix.ISOFS_SUPER_MAGIC,
		unix.HPFS_SUPER_MAGIC, unix.AFFS_SUPER_MAGIC, unix.ADFS_SUPER_MAGIC, unix.FUSE_SUPER_MAGIC, unix.V9FS_MAGIC,
		unix.HOSTFS_SUPER_MAGIC, vmwareMagic, vboxMagic:
		return true
	}
	return false
}

// folding tells whether names in the folder dir, on a file system of type magic,
// may be spelt in more ways than one. Where folders may be made so one by one, what
// lies beneath one is so too.
func folding(dir int, magic uint32) bool {
	switch magic {
	case unix.EXT4_SUPER_MAGIC, unix.F2FS_SUPER_MAGIC, unix.TMPFS_MAGIC, unix.BCACHEFS_SUPER_MAGIC:
		fd, err := unix.Openat(dir, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return false // an unreadable folder: nothing could be compared with its entries
		}
		defer unix.Close(fd)
		flags, err := unix.IoctlGetUint32(fd, unix.FS_IOC_GETFLAGS)
		return err == nil && flags&casefoldFlag != 0
	}
	return maySpell(magic)
}

// spelt answers ENOENT unless name is an entry of d just so. It is asked after the
// kernel has found name.
func (d *folder) spelt(name string) abi.Errno {
	if !d.folds {
		return abi.ESUCCESS
	}
	return d.root.spelt(d.fd, name)
}

// vacant answers EEXIST if name can't be made in d because something is found by it
// that is spelt otherwise. What is there by that very name is the kernel's to tell.
func (d *folder) vacant(name string) abi.Errno {
	if !d.folds {
		return abi.ESUCCESS
	}
	var st unix.Stat_t
	if fstatat(d.fd, name, &st) != nil || d.spelt(name) == abi.ESUCCESS {
		return abi.ESUCCESS
	}
	return abi.EEXIST
}

// made is the end of making name in d: what came out under another spelling is
// undone, and answers EINVAL.
func (d *folder) made(name string, err error, undo func()) abi.Errno {
	if err != nil {
		return errnoOf(err)
	}
	if e := d.spelt(name); e != abi.ESUCCESS {
		undo()
		return abi.EINVAL
	}
	return abi.ESUCCESS
}

// listed reads the folder dir for an entry that is name to the byte.
func listed(dir int, name string) abi.Errno {
	fd, err := unix.Openat(dir, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return errnoOf(err)
	}
	defer unix.Close(fd)
	var buf [8 << 10]byte
	for {
		n, err := unix.Getdents(fd, buf[:])
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return errnoOf(err)
		case n <= 0:
			return abi.ENOENT
		}
		for b := buf[:n]; len(b) >= direntName; {
			size := int(binary.NativeEndian.Uint16(b[direntLen:]))
			if size < direntName || size > len(b) {
				return abi.EIO
			}
			if got, _, _ := bytes.Cut(b[direntName:size], []byte{0}); string(got) == name {
				return abi.ESUCCESS
			}
			b = b[size:]
		}
	}
}
