package host

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/forgeone/forgeone/abi"
)

// A grant may be large, a home folder or all of "/", and then the kernel's own
// state lies in it: its private keys, its log, the recordings of other runs. They
// are known by what they are, not by name, so that no other name leads to them.

// kept are folders that no guest reaches.
type kept struct {
	folders []identity
	above   []identity // what those lie in
	fds     []int      // hold folders: some file systems number what nobody holds anew
}

// maxAbove bounds how many folders lie above one: a path has no more names.
const maxAbove = maxPath

func (k *kept) none() bool { return len(k.folders) == 0 }

// within answers ENOTCAPABLE if st is what is kept.
func (k *kept) within(st *unix.Stat_t) abi.Errno {
	if len(k.folders) > 0 && slices.Contains(k.folders, identity{uint64(st.Dev), st.Ino}) {
		return abi.ENOTCAPABLE
	}
	return abi.ESUCCESS
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
	return slices.Contains(k.above, id) || slices.Contains(k.folders, id)
}

// keep puts the folders paths out of reach of r, the folder at path.
func (r *Root) keep(path string, paths []string) error {
	if len(paths) == 0 {
		return nil
	}
	own, err := above(r.fd, nil)
	if err != nil {
		return cantTell(path, err)
	}
	parts := make(mounts)
	for _, p := range paths {
		fd, err := openPath(unix.AT_FDCWD, p, 0)
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil {
			return cantTell(p, err)
		}
		r.kept.fds = append(r.kept.fds, fd)
		up, err := above(fd, r.kept.folders)
		if err != nil {
			return cantTell(p, err)
		}
		if slices.Contains(own, up[0]) {
			return &abi.Error{
				Code: "F1-FIL-012", What: "this is the state folder, or lies in it: its keys and its log are for no guest", Where: path,
				Hint: "forgeone explain F1-FIL-012",
			}
		}
		r.kept.folders = append(r.kept.folders, up[0])
		r.kept.above = append(r.kept.above, up[1:]...)
		if slices.Contains(up, own[0]) || up[0].dev == own[0].dev && !parts.whole(fd) {
			r.openat2 = false // which would step over it
		}
	}
	return nil
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
// or to one that this process may not search: through that no guest gets either.
func above(fd int, known []identity) (ids []identity, err error) {
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
