package host

import (
	"cmp"
	"path/filepath"
	"slices"
)

// Keep says what no guest reaches, wherever in a grant it lies.
type Keep struct {
	// Paths are folders and files that are held while the grant is: what they lie in
	// stays where it is.
	Paths []string
	// Known, if not nil, answers with more of them. It is asked at each lookup, so it
	// must be cheap; a later answer holds for grants that are open already.
	Known func() *Known
}

// Known are folders and files by their numbers: they may be many, so they are not
// held and not looked at before a guest names something with the number of one.
// What they lie in stays where it is as long as they lie there still.
//
// It is immutable once it was given away.
type Known struct {
	all   bool
	items []numbered // by inode
	above []numbered // what those lie in
}

// numbered is one folder or file.
type numbered struct {
	ino   uint64
	birth int64     // 0: not known, and then the path tells
	path  string    // where it was
	holds *numbered // what lies in it, if it stands in above
}

// AllKept is what is known where nothing can be found out: everything is kept.
func AllKept() *Known { return &Known{all: true} }

// Number is an inode and the time of its birth in nanoseconds, 0 if it is not known.
type Number struct {
	Ino   uint64
	Birth int64
}

// Add adds the folder or file at path, and the folders that it lies in, nearest first.
func (k *Known) Add(path string, id Number, above []Number) {
	t := numbered{ino: id.Ino, birth: id.Birth, path: path}
	k.items = append(k.items, t)
	for _, up := range above {
		path = filepath.Dir(path)
		k.above = append(k.above, numbered{ino: up.Ino, birth: up.Birth, path: path, holds: &t})
	}
}

// Settle is called once all was added.
func (k *Known) Settle() *Known {
	order := func(a, b numbered) int { return cmp.Compare(a.ino, b.ino) }
	slices.SortFunc(k.items, order)
	slices.SortFunc(k.above, order)
	return k
}

// like lists those of all, sorted, with the inode ino.
func like(all []numbered, ino uint64) []numbered {
	i, found := slices.BinarySearchFunc(all, ino, func(n numbered, ino uint64) int { return cmp.Compare(n.ino, ino) })
	if !found {
		return nil
	}
	end := i
	for end < len(all) && all[end].ino == ino {
		end++
	}
	return all[i:end]
}
