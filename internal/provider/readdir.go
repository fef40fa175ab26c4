package provider

import (
	"encoding/binary"
	"slices"
	"unicode/utf8"

	"github.com/forgeone/forgeone/abi"
)

// dirent is one entry of a listing. Its cookie is its index plus one.
type dirent struct {
	name string
	ino  uint64
	typ  abi.Filetype
}

// readdir lists the folder. A listing is taken at cookie 0 and kept with the
// descriptor, so that cookies mean the same while the folder changes. The last
// entry is cut where the buffer ends: a full buffer says that there is more.
func (w *World) readdir(c *abi.Call, d *descriptor) abi.Errno {
	cookie := c.Args[2]
	if cookie == 0 || d.list == nil {
		d.list, d.listed = nil, 0
		list, e := d.folder.list(&w.looked)
		if e != 0 {
			return e
		}
		w.keep(d, list)
	}
	out := c.Out
	var head [abi.DirentSize]byte
	for i := cookie; i < uint64(len(d.list)) && len(out) > 0; i++ {
		ent := d.list[i]
		binary.LittleEndian.PutUint64(head[0:], i+1)
		binary.LittleEndian.PutUint64(head[8:], ent.ino)
		binary.LittleEndian.PutUint32(head[16:], uint32(len(ent.name)))
		head[20] = byte(ent.typ)
		out = out[copy(out, head[:]):]
		out = out[copy(out, ent.name):]
	}
	return moved(c, len(c.Out)-len(out), 0)
}

// maxListed is how many bytes of listings a world keeps, unless the latest alone
// takes more.
const maxListed = 16 << 20

// keep keeps list with d. Where descriptors hold too much in all, the others forget
// theirs and list anew if they are asked to go on.
func (w *World) keep(d *descriptor, list []dirent) {
	d.list, d.listed = list, 0
	for i := range list {
		d.listed += len(list[i].name) + direntCost
	}
	total := 0
	w.looked += len(w.fds)
	for _, o := range w.fds {
		if o != nil {
			total += o.listed
		}
	}
	if total <= maxListed {
		return
	}
	for _, o := range w.fds {
		if o != nil && o != d {
			o.list, o.listed = nil, 0
		}
	}
}

// direntCost is what an entry takes beside its name.
const direntCost = 48

// list lists f: ".", "..", the mount points in it, and what its tree holds and
// they do not shadow. A name that is not UTF-8 can't be asked for and is left out. What
// was looked at is added to looked.
func (f *folder) list(looked *int) ([]dirent, abi.Errno) {
	self, e := f.stat()
	if e != 0 {
		return nil, e
	}
	list := []dirent{
		{name: ".", ino: self.Ino, typ: abi.FiletypeDirectory},
		// libc looks an unknown (zero) number up by name, but not that of "..",
		// which no guest may know beyond its root.
		{name: "..", typ: abi.FiletypeDirectory},
	}
	if f.node != nil {
		*looked += len(f.node.order)
		for _, name := range f.node.order {
			child := f.enter(f.node.children[name])
			st, e := child.stat()
			child.drop()
			if e != 0 {
				return nil, e
			}
			list = append(list, dirent{name: name, ino: st.Ino, typ: abi.FiletypeDirectory})
		}
	}
	if f.dir == nil {
		return list, 0
	}
	entries, e := f.dir.List()
	*looked += len(entries)
	if e != 0 && e != abi.ENOENT { // a folder that was removed is empty
		return nil, e
	}
	list = slices.Grow(list, len(entries))
	for _, ent := range entries {
		if f.child(ent.Name) == nil && utf8.ValidString(ent.Name) {
			list = append(list, dirent{name: ent.Name, ino: ent.Ino, typ: ent.Type})
		}
	}
	return list, 0
}
