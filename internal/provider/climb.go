package provider

import (
	"strings"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

// Guests make links that programs outside may follow, where nothing keeps those
// beneath the mount. So no guest makes, or moves to where it would be one, a link
// that leads above its mount point for whoever follows it by the plain rules of
// the system.

const (
	// maxScanned is how many entries of a folder that is moved are looked at; one
	// with more beneath it has to be copied.
	maxScanned = 1 << 16
	// maxScanDepth is how many folders deep.
	maxScanDepth = 64
	// openedAndListed is how many walked names it is worth to open a folder and list it.
	openedAndListed = 6
)

// climbs tells whether a link with this relative text, in a folder that lies depth
// folders beneath its mount point, leads above that, or may once names on the way
// are replaced by other links: ".." is known to be harmless only at the
// beginning, where the folders above are real ones.
func climbs(text string, depth int) bool {
	if strings.HasPrefix(text, "/") {
		return false // it leads where it led, wherever it lies
	}
	leading := true
	for comp := range strings.SplitSeq(text, "/") {
		switch comp {
		case "", ".":
		case "..":
			if depth--; !leading || depth < 0 {
				return true
			}
		default:
			leading = false
		}
	}
	return false
}

// depth is how many folders beneath its mount point the folder lies that t is in.
func (t *target) depth() int {
	if t.mnt == nil {
		return 0
	}
	return max(strings.Count(strings.TrimPrefix(t.full, strings.TrimSuffix(t.mnt.point, "/")), "/")-1, 0)
}

// staysBeneath answers EXDEV where t, once it is at to, would be or hold a link that
// climbs and need not have done so before. Programs answer that by copying, and
// making the link anew is refused in its turn.
func (w *World) staysBeneath(t, to *target) abi.Errno {
	was, depth := t.depth(), to.depth()
	switch {
	case t.name == "" || depth >= was:
		return 0
	case t.st.Type == abi.FiletypeSymbolicLink:
		if text, e := t.parent.dir.Readlink(t.name); e != 0 || climbs(text, depth) {
			return abi.EXDEV
		}
	case t.st.Type == abi.FiletypeDirectory:
		d, e := t.parent.dir.OpenDir(t.name)
		if e != 0 {
			return e
		}
		defer d.Close()
		if left := maxScanned; w.holdsClimbing(d, depth+1, maxScanDepth, &left) {
			return abi.EXDEV
		}
	}
	return 0
}

// holdsClimbing tells whether a link beneath d, which will lie so that links in it
// are depth folders beneath their mount point, will climb, or whether that can't
// be told.
func (w *World) holdsClimbing(d tree.Dir, depth, deep int, left *int) bool {
	entries, e := d.List()
	w.looked += len(entries)
	if *left -= len(entries); e != 0 || *left < 0 || deep == 0 {
		return true
	}
	for _, entry := range entries {
		switch entry.Type {
		case abi.FiletypeSymbolicLink:
			w.walked++
			if text, e := d.Readlink(entry.Name); e != 0 || climbs(text, depth) {
				return true
			}
		case abi.FiletypeDirectory:
			w.walked += openedAndListed
			sub, e := d.OpenDir(entry.Name)
			if e != 0 {
				return true
			}
			found := w.holdsClimbing(sub, depth+1, deep-1, left)
			sub.Close()
			if found {
				return true
			}
		}
	}
	return false
}
