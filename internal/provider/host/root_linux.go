package host

import (
	"errors"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

// Root is a granted host folder. It is safe for concurrent use and may serve
// many runs; handles from Dir stay good after Close.
type Root struct {
	openat2    bool // the kernel has it and lets us
	appendv    bool // try pwritev2 with RWF_APPEND
	named      bool // the kernel tells the names of open folders
	kept       kept
	maxListing int  // bytes
	folds      bool // names in the root folder may be spelt in more ways than one
	// spelt answers ENOENT unless a name that was found in a folder is an entry of it
	// to the byte. It is asked where names may be spelt in more ways than one.
	spelt func(dir int, name string) abi.Errno

	mu      sync.Mutex
	fd      int
	refs    int // Root itself and its open handles of the root folder
	closed  bool
	devices []uint64 // host device numbers; the guest sees index+1
}

// listLimit is the largest folder that List reads whole, by the cost of its
// entries in bytes: 100,000 of the longest names, 400,000 of common ones. A larger
// one answers EOVERFLOW.
const listLimit = 32 << 20

// OpenRoot opens the folder at path, following symbolic links: path is the
// operator's word, not a guest's. It needs no permission to read the folder.
//
// No guest reaches what keep says, wherever beneath path it lies, and whatever leads
// there stays where it is.
//
// Errors: F1-FIL-001 there is none; F1-FIL-002 it is not a folder; F1-FIL-003
// it can't be opened; F1-FIL-010 it lies on a file system that is no storage;
// F1-FIL-012 it lies in a folder of keep.
func OpenRoot(path string, keep Keep) (*Root, error) {
	fd, err := openPath(unix.AT_FDCWD, path, 0)
	switch {
	case err == nil:
	case errors.Is(err, unix.ENOENT):
		return nil, &abi.Error{
			Code: "F1-FIL-001", What: "there is no such folder", Where: path,
			Hint: "mkdir -p " + abi.Shell(path), Err: err,
		}
	case errors.Is(err, unix.ENOTDIR):
		return nil, &abi.Error{
			Code: "F1-FIL-002", What: "only a folder can be mounted", Where: path,
			Hint: "ls -ld " + abi.Shell(path) + " " + abi.Shell(filepath.Dir(path)), Err: err,
		}
	default:
		return nil, &abi.Error{
			Code: "F1-FIL-003", What: "the folder can't be opened", Where: path,
			Hint: "ls -ld " + abi.Shell(path), Err: err,
		}
	}
	r := &Root{fd: fd, refs: 1, openat2: hasOpenat2(fd), appendv: true, maxListing: listLimit, spelt: listed}
	_, r.named = nameOf(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return nil, &abi.Error{Code: "F1-FIL-003", What: "the folder can't be examined", Where: path, Err: err}
	}
	switch storage(fd, uint64(st.Dev), ^uint64(st.Dev), &r.folds) {
	case abi.ESUCCESS:
	case abi.ENOTCAPABLE:
		unix.Close(fd)
		return nil, &abi.Error{
			Code: "F1-FIL-010", What: "this folder shows the kernel or its processes and holds no files that could be granted", Where: path,
			Hint: "mkdir -p files && cp -r " + abi.Shell(filepath.Join(path, "FILE")) + " files/ # and mount files",
		}
	default:
		unix.Close(fd)
		return nil, &abi.Error{Code: "F1-FIL-003", What: "the folder can't be examined", Where: path}
	}
	r.devices = []uint64{uint64(st.Dev)}
	if err := r.keep(path, keep); err != nil {
		r.kept.letGo()
		unix.Close(fd)
		return nil, err
	}
	return r, nil
}

// Dir returns a fresh handle of the root folder, which the caller closes. On a
// closed Root each of its operations answers EBADF.
func (r *Root) Dir() tree.Dir {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return &folder{root: r, place: place{fd: -1}}
	}
	r.refs++
	return &folder{root: r, place: place{r.fd, r.devices[0], r.folds, false}, shared: true}
}

// place is the root folder, for whoever has a handle of it.
func (r *Root) place() place {
	r.mu.Lock()
	defer r.mu.Unlock()
	return place{r.fd, r.devices[0], r.folds, false}
}

// Close gives the folder up once the last handle of it is closed too. Closing
// again does nothing.
func (r *Root) Close() error {
	r.mu.Lock()
	closed := r.closed
	r.closed = true
	r.mu.Unlock()
	if closed {
		return nil
	}
	return r.release()
}

// release drops one reference to the root folder's descriptor.
func (r *Root) release() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refs--; r.refs > 0 {
		return nil
	}
	fd := r.fd
	r.fd = -1
	r.kept.letGo()
	return unix.Close(fd)
}

// device returns the number by which guests know the host's device dev: 1 for
// the root's own, then as they are met. Numbers of two Roots are unrelated.
func (r *Root) device(dev uint64) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, d := range r.devices {
		if d == dev {
			return uint64(i) + 1
		}
	}
	r.devices = append(r.devices, dev)
	return uint64(len(r.devices))
}
