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

// linking does f, which makes a link at one of ts or moves what may hold some (alone: a
// folder), while nothing changes on which it depends that a link leads nowhere else: where
// the folders are that ts lie in, and which links there are. EAGAIN: it has changed since
// the call was decided on.
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
	return f()
}

// holdsLinks tells whether t is a link or may hold some, and whether it is a folder.
func (t *target) holdsLinks() (holds, folder bool) {
	folder = t.isDir()
	return folder || t.st.Type == abi.FiletypeSymbolicLink, folder
}
