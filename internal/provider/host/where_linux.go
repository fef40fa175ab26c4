package host

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

var _ tree.Movable = (*folder)(nil)

// removedSuffix is what the kernel appends to the name of what is removed.
const removedSuffix = " (deleted)"

// Where looks whether the folder still is where it was: with openat2 one step, and
// cheaper than to ask the kernel for its name and the root's. Where the kernel has
// no names to tell, as without /proc, that is all that can be known.
//
// A state folder may be made of a folder that a guest has open: then that leads
// nowhere any more.
func (d *folder) Where(was string) (string, abi.Errno) {
	if k := &d.root.kept; k.known != nil {
		if now := k.known(); d.asked != now {
			if e := k.inside(d.fd); e != abi.ESUCCESS {
				return "", e
			}
			d.asked = now
		}
	}
	if d.shared || d.root.openat2 && d.isAt(was) {
		return was, abi.ESUCCESS
	}
	now, told := d.beneathRoot()
	if told && !strings.HasSuffix(now, removedSuffix) {
		return now, abi.ESUCCESS
	}
	var st unix.Stat_t
	if err := fstat(d.fd, &st); err != nil {
		return "", errnoOf(err)
	}
	if st.Nlink == 0 {
		return "", abi.ENOENT
	}
	if !told {
		now = was
	}
	if d.isAt(now) { // its name may end so
		return now, abi.ESUCCESS
	}
	return "", abi.ENOTCAPABLE
}

// beneathRoot is d's name from the root on, as the kernel says, if it lies
// beneath it.
func (d *folder) beneathRoot() (string, bool) {
	if !d.root.named {
		return "", false
	}
	root, ok := nameOf(d.root.place().fd)
	if !ok {
		return "", false
	}
	name, ok := nameOf(d.fd)
	if !ok {
		return "", false
	}
	return strings.CutPrefix(name, strings.TrimSuffix(root, "/")+"/")
}

// nameOf is the kernel's name of what fd is open on.
func nameOf(fd int) (string, bool) {
	var buf [maxPath + 1]byte
	for {
		n, err := unix.Readlink("/proc/self/fd/"+strconv.Itoa(fd), buf[:])
		if err != unix.EINTR {
			return string(buf[:max(n, 0)]), err == nil && n < len(buf) && buf[0] == '/'
		}
	}
}

// isAt tells whether rel leads from the root to d.
func (d *folder) isAt(rel string) bool {
	for name := range strings.SplitSeq(rel, "/") {
		if checkName(name) != abi.ESUCCESS {
			return false
		}
	}
	if d.self == (identity{}) {
		d.self = identify(d.fd)
	}
	top := d.root.place()
	if !top.folds && !strings.Contains(rel, "/") { // one name, no link on the way: nothing to be opened
		var st unix.Stat_t
		return fstatat(top.fd, rel, &st) == nil && d.self == identity{uint64(st.Dev), st.Ino}
	}
	at, e := d.root.beneath(top, head(&rel))
	for e == abi.ESUCCESS && rel != "" {
		from := at.fd
		at, e = d.root.beneath(at, head(&rel))
		unix.Close(from)
	}
	if e != abi.ESUCCESS {
		return false
	}
	defer unix.Close(at.fd)
	return d.self != (identity{}) && identify(at.fd) == d.self
}

// head takes as many names off the beginning of rel as one lookup takes.
func head(rel *string) string {
	all := *rel
	if len(all) <= maxPath {
		*rel = ""
		return all
	}
	i := strings.LastIndexByte(all[:maxPath], '/')
	*rel = all[i+1:]
	return all[:i]
}

// identity is what no two folders that are there at a time have in common.
type identity struct{ dev, ino uint64 }

// identify answers the zero identity if fd can't be examined.
func identify(fd int) identity {
	var st unix.Stat_t
	if fstat(fd, &st) != nil {
		return identity{}
	}
	return identity{uint64(st.Dev), st.Ino}
}
