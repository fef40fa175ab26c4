package provider

import (
	"strings"
	"unicode/utf8"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

// A guest may hold a folder for long, and others may move it meanwhile: another
// run, a program outside, or the guest itself by another mount of the same files.
// Names from that folder are decided on as they are now, and a folder that was
// taken out of its mount is out of reach.

// whereabouts gives the folder f, of a descriptor, the name that it has now. It
// answers a refusal where that name is not one of f's mount.
func (w *World) whereabouts(f *folder) (abi.Refusal, abi.Errno) {
	d, ok := f.dir.(tree.Movable)
	if !ok || f.name == f.mnt.point {
		return abi.RefuseNone, 0
	}
	w.walked += 1 + strings.Count(f.name, "/") // the system walks them
	was := strings.TrimPrefix(strings.TrimPrefix(f.name, f.mnt.point), "/")
	now, e := d.Where(was)
	switch {
	case e == 0 && now == was, e == abi.ENOENT: // nothing is to be found in what was removed
		return abi.RefuseNone, 0
	case e != 0, now == "", !utf8.ValidString(now), f.node != nil, w.shadows(f.mnt, now):
		return abi.RefuseEscape, abi.ENOTCAPABLE
	}
	f.name = join(f.mnt.point, now)
	w.looked += len(w.fds)
	for _, d := range w.fds {
		if d != nil && d.folder == f {
			d.memo = abi.Memo{} // of decisions on the old name
		}
	}
	return abi.RefuseNone, 0
}

// shadows tells whether the path rel in m leads into another mount, or to a name
// that one is joined beneath: what is there is not found by its name.
func (w *World) shadows(m *mount, rel string) bool {
	n := w.root
	for at := range strings.SplitSeq(strings.TrimPrefix(m.point, "/"), "/") {
		if at != "" {
			n = n.children[at]
		}
	}
	for name := range strings.SplitSeq(rel, "/") {
		if n = n.children[name]; n == nil || n.mounted {
			return n != nil
		}
	}
	return true
}
