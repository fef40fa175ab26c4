package host

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/forgeone/forgeone/abi"
)

// A grant may be large, a home folder or all of "/", and then the kernel's own
// state lies in it: its private keys, its log, the recordings of other runs. They
// are known by what they are, not by name, so that no other name leads to them.

// kept are folders and files that no guest reaches.
type kept struct {
	held  []identity
	above []identity // what those lie in
	fds   []int      // hold held: some file systems number what nobody holds anew
	// known answers with what is not held; nil: there is none.
	known func() *Known
	asked atomic.Pointer[steps]
}

// steps says whether some of what is known lies in the root, so that openat2 would
// step over it.
type steps struct {
	known *Known
	holds bool
}

// maxAbove bounds how many folders lie above one: a path has no more names.
const maxAbove = maxPath

func (k *kept) none() bool { return len(k.held) == 0 && k.known == nil }

// within answers ENOTCAPABLE if st is what is kept. It describes name in dir, or dir
// itself if name is empty.
func (k *kept) within(dir int, name string, st *unix.Stat_t) abi.Errno {
	if len(k.held) > 0 && slices.Contains(k.held, identity{uint64(st.Dev), st.Ino}) {
		return abi.ENOTCAPABLE
	}
	if k.known != nil && k.known().part(dir, name, st) {
		return abi.ENOTCAPABLE
	}
	return abi.ESUCCESS
}

// inside is within for the open folder fd.
func (k *kept) inside(fd int) abi.Errno {
	if k.none() {
		return abi.ESUCCESS
	}
	var st unix.Stat_t
	if err := fstat(fd, &st); err != nil {
		return errnoOf(err)
	}
	return k.within(fd, "", &st)
}

// stepped tells whether openat2 would step over something that is known now and lies
// in the folder root, at the path that it had then.
func (k *kept) stepped(root int) bool {
	if k.known == nil {
		return false
	}
	known := k.known()
	if s := k.asked.Load(); s != nil && s.known == known {
		return s.holds
	}
	var st unix.Stat_t
	holds := fstat(root, &st) != nil || known.leads(&st)
	k.asked.Store(&steps{known, holds})
	return holds
}

// leads tells whether name in dir is kept or holds what is.
func (k *kept) leads(dir int, name string) bool {
	if k.none() {
		return false
	}
	var st unix.Stat_t
	if fstatat(dir, name, &st) != nil {
		return false // the call will find out why
	}
	id := identity{uint64(st.Dev), st.Ino}
	return slices.Contains(k.above, id) || slices.Contains(k.held, id) || k.known != nil && (k.known().leads(&st) || k.known().part(dir, name, &st))
}

// keep puts keep out of reach of r, the folder at path.
func (r *Root) keep(path string, keep Keep) error {
	r.kept.known = keep.Known
	if r.kept.none() && len(keep.Paths) == 0 {
		return nil
	}
	own, err := above(r.fd, nil, func(fd int) abi.Errno { return r.kept.inside(fd) })
	if err == unix.EPERM {
		return lies(path)
	}
	if err != nil {
		return cantTell(path, err)
	}
	parts := make(mounts)
	for _, p := range keep.Paths {
		fd, dir, err := hold(p)
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil {
			return cantTell(p, err)
		}
		r.kept.fds = append(r.kept.fds, fd)
		if dir != fd {
			err := r.keepFile(fd, dir)
			unix.Close(dir)
			if err != nil {
				return cantTell(p, err)
			}
			continue
		}
		up, err := above(fd, r.kept.held, nil)
		if err != nil {
			return cantTell(p, err)
		}
		if slices.Contains(own, up[0]) {
			return lies(path)
		}
		r.kept.held = append(r.kept.held, up[0])
		r.kept.above = append(r.kept.above, up[1:]...)
		if slices.Contains(up, own[0]) || up[0].dev == own[0].dev && !parts.whole(fd) {
			r.openat2 = false // which would step over it
		}
	}
	return nil
}

func lies(path string) error {
	return &abi.Error{
		Code: "F1-FIL-012", What: "this is a state folder, or lies in one: its keys and its log are for no guest", Where: path,
		Hint: "forgeone explain F1-FIL-012",
	}
}

// hold opens what lies at path for reference, links followed. dir is the folder that
// a file lies in, and fd itself of a folder.
func hold(path string) (fd, dir int, err error) {
	if fd, err = openPath(unix.AT_FDCWD, path, 0); err != unix.ENOTDIR {
		return fd, fd, err
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return -1, -1, err
	}
	if dir, err = openPath(unix.AT_FDCWD, filepath.Dir(real), 0); err != nil {
		return -1, -1, err
	}
	for {
		fd, err = unix.Openat(dir, filepath.Base(real), unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			unix.Close(dir)
		}
		return fd, dir, err
	}
}

// keepFile keeps the file fd, which lies in the folder dir. The last name of a path
// is looked at always, so openat2 steps over none.
func (r *Root) keepFile(fd, dir int) error {
	up, err := above(dir, nil, nil)
	id := identify(fd)
	if err == nil && id == (identity{}) {
		err = unix.EBADF
	}
	if err == nil {
		r.kept.held = append(r.kept.held, id)
		r.kept.above = append(r.kept.above, up...)
	}
	return err
}

// letGo closes what k holds.
func (k *kept) letGo() {
	for _, fd := range k.fds {
		unix.Close(fd)
	}
	k.fds = nil
}

func cantTell(path string, err error) error {
	return &abi.Error{Code: "F1-FIL-003", What: "the folder can't be examined", Where: path, Err: err}
}

// above lists the folder fd and those that it lies in, to the top, to one of known
// or to one that this process may not search: through that no guest gets either. EPERM:
// look, if it is not nil, objects to one of them.
func above(fd int, known []identity, look func(fd int) abi.Errno) (ids []identity, err error) {
	at, err := openPath(fd, ".", 0)
	for ; err == nil && len(ids) < maxAbove; at, err = up(at) {
		id := identify(at)
		if id == (identity{}) {
			unix.Close(at)
			return nil, unix.EBADF
		}
		if len(ids) > 0 && ids[len(ids)-1] == id {
			unix.Close(at)
			return ids, nil
		}
		if look != nil && look(at) != abi.ESUCCESS {
			unix.Close(at)
			return nil, unix.EPERM
		}
		ids = append(ids, id)
		if slices.Contains(known, id) && len(ids) > 1 {
			unix.Close(at)
			return ids, nil
		}
	}
	if err == unix.EACCES && len(ids) > 0 {
		return ids, nil
	}
	if err == nil {
		unix.Close(at)
		err = unix.ELOOP
	}
	return nil, err
}

// up opens the folder that fd lies in, and closes fd.
func up(fd int) (int, error) {
	defer unix.Close(fd)
	return openPath(fd, "..", 0)
}

// mounts tells of mounts, by their number, what whole found out.
type mounts map[uint64]bool

// whole tells whether the mount that the folder fd is opened through shows its file
// system from the top. In one of a part, as volumes of containers are, what lies
// above that part holds the folder too, and ".." does not lead there. It answers
// false where the kernel can't tell.
func (m mounts) whole(fd int) bool {
	var st unix.Statx_t
	if unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_MNT_ID, &st) != nil || st.Mask&unix.STATX_MNT_ID == 0 {
		return false
	}
	if whole, ok := m[st.Mnt_id]; ok {
		return whole
	}
	table, err := os.ReadFile("/proc/thread-self/mountinfo")
	if err != nil {
		return false
	}
	id := strconv.FormatUint(st.Mnt_id, 10)
	for line := range strings.Lines(string(table)) {
		if f := strings.Fields(line); len(f) > 3 && f[0] == id { // id, parent, device, root
			m[st.Mnt_id] = f[3] == "/"
		}
	}
	return m[st.Mnt_id]
}
