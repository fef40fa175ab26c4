package provider

import (
	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

// Links keeps runs that share files apart while they make links and move what may hold
// some. While release was not called nobody else moves a folder, and if alone nobody
// makes or moves a link either. It waits, but not longer than until done is closed, and
// answers nil where it could not be had.
type Links func(alone bool, done <-chan struct{}) (release func())

// linking does f, which makes a link at the first of ts, or gives it another name, the
// second one's,
// while nothing changes on which it depends that a link leads nowhere else: where the
// folders are that ts lie in, and, if alone, which links there are. Alone is who moves a
// folder, or moves anything up: what is a file now may be a link when it is moved. EAGAIN:
// something has changed since the call was decided on.
func (w *World) linking(alone bool, f func() abi.Errno, ts ...*target) abi.Errno {
	shared := false
	for _, t := range ts {
		_, movable := t.parent.dir.(tree.Movable)
		shared = shared || movable
	}
	if w.links == nil || !shared {
		return f()
	}
	release := w.links(alone, w.done)
	if release == nil {
		return abi.EAGAIN
	}
	defer release()
	for _, t := range ts {
		was := t.parent.name
		if r, e := w.whereabouts(t.parent); r != 0 {
			return e
		}
		if t.parent.name != was {
			return abi.EAGAIN
		}
	}
	if t := ts[0]; t.exists && t.name != "" { // which is given another name
		st, e := t.parent.dir.Lstat(t.name)
		if e != 0 {
			return e
		}
		if st.Type != t.st.Type {
			return abi.EAGAIN
		}
	}
	return f()
}
