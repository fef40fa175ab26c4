package faultfs

import (
	"bytes"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/forgeone/forgeone/internal/sys"
)

// Sector is what a disk writes as a whole, or not at all.
const Sector = 512

// Disk is a sys.FS over real files in one folder that remembers which states a
// power failure may leave there. It promises no more than POSIX does:
//
//   - what was written since a file's last Datasync is there or not, each
//     sector by itself, whatever the order of the writes; a sector that was
//     written several times has any of these contents;
//   - the file's length is any that it had since then;
//   - a name that was made, moved or removed since the folder's last SyncDir
//     leads to where it led at any moment since, each name by itself.
//
// Unwritten space reads as zeros. It is for small files: it keeps a copy of
// the file for each write.
type Disk struct {
	in  sys.FS
	dir string

	mu     sync.Mutex
	names  map[string][]*node // by base name: what it led to; the first is durable
	before func(op Op, name string)
}

// node is a file, whatever its names are.
type node struct {
	versions [][]byte // its contents: the first is durable
}

func (n *node) now() []byte { return n.versions[len(n.versions)-1] }

// change adds a version.
func (n *node) change(size int, f func(b []byte)) {
	b := make([]byte, size)
	copy(b, n.now())
	f(b)
	n.versions = append(n.versions, b)
}

// NewDisk returns a Disk over the folder dir, whose files count as durable.
// before is called ahead of every operation that changes something, on the
// goroutine of that operation; it may call Crash.
func NewDisk(dir string, before func(op Op, name string)) (*Disk, error) {
	d := &Disk{in: sys.OS{}, dir: filepath.Clean(dir), names: map[string][]*node{}, before: before}
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range list {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		d.names[e.Name()] = []*node{{[][]byte{b}}}
	}
	return d, nil
}

// Crash writes into the empty folder dir one of the states that a power failure
// at this moment may leave. pick chooses: it answers with a number from 0 to
// n-1, where 0 is the oldest of n possibilities.
func (d *Disk) Crash(dir string, pick func(n int) int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	written := map[*node][]byte{}
	for _, name := range slices.Sorted(maps.Keys(d.names)) {
		led := d.names[name]
		n := led[choose(pick, len(led))]
		if n == nil {
			continue
		}
		if _, ok := written[n]; !ok {
			written[n] = n.crash(pick)
		}
		if err := os.WriteFile(filepath.Join(dir, name), written[n], 0o600); err != nil {
			return err
		}
	}
	return nil
}

func choose(pick func(int) int, n int) int {
	if n == 1 {
		return 0
	}
	return pick(n)
}

// crash makes contents that a power failure may leave.
func (n *node) crash(pick func(int) int) []byte {
	var sizes []int
	for _, v := range n.versions {
		if !slices.Contains(sizes, len(v)) {
			sizes = append(sizes, len(v))
		}
	}
	out := make([]byte, sizes[choose(pick, len(sizes))])
	for at := 0; at < len(out); at += Sector {
		to := min(at+Sector, len(out))
		var all [][]byte
		for _, v := range n.versions {
			s := make([]byte, to-at)
			copy(s, v[min(at, len(v)):min(to, len(v))])
			if !slices.ContainsFunc(all, func(b []byte) bool { return bytes.Equal(b, s) }) {
				all = append(all, s)
			}
		}
		copy(out[at:to], all[choose(pick, len(all))])
	}
	return out
}

// ours returns the name of a path in the folder.
func (d *Disk) ours(path string) (string, bool) {
	return filepath.Base(path), filepath.Dir(filepath.Clean(path)) == d.dir
}

// step does an operation, and then remembers it.
func (d *Disk) step(op Op, path string, do func() error, remember func(name string)) error {
	name, ok := d.ours(path)
	if ok && d.before != nil {
		d.before(op, name)
	}
	err := do()
	if err == nil && ok {
		d.mu.Lock()
		defer d.mu.Unlock()
		remember(name)
	}
	return err
}

// leads returns what a name leads to now.
func (d *Disk) leads(name string) *node {
	if led := d.names[name]; len(led) > 0 {
		return led[len(led)-1]
	}
	return nil
}

// lead makes a name lead elsewhere; nil: nowhere.
func (d *Disk) lead(name string, n *node) {
	if len(d.names[name]) == 0 {
		d.names[name] = []*node{nil}
	}
	d.names[name] = append(d.names[name], n)
}

func (d *Disk) file(f sys.File, path string) sys.File {
	name, ok := d.ours(path)
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := d.leads(name); ok && n != nil {
		return &diskFile{f, d, n, path}
	}
	return f
}

// Open implements sys.FS.
func (d *Disk) Open(path string) (sys.File, error) { return d.in.Open(path) }

// OpenWrite implements sys.FS.
func (d *Disk) OpenWrite(path string) (sys.File, error) {
	f, err := d.in.OpenWrite(path)
	if err != nil {
		return nil, err
	}
	return d.file(f, path), nil
}

// Create implements sys.FS.
func (d *Disk) Create(path string) (f sys.File, err error) {
	err = d.step(OpCreate, path, func() (e error) { f, e = d.in.Create(path); return e }, func(name string) {
		d.lead(name, &node{[][]byte{nil}})
	})
	if err != nil {
		return nil, err
	}
	return d.file(f, path), nil
}

// Rename implements sys.FS. Both names are in the folder.
func (d *Disk) Rename(from, to string) error {
	return d.step(OpRename, to, func() error { return d.in.Rename(from, to) }, func(name string) {
		d.lead(name, d.leads(filepath.Base(from)))
		d.lead(filepath.Base(from), nil)
	})
}

// Remove implements sys.FS.
func (d *Disk) Remove(path string) error {
	return d.step(OpRemove, path, func() error { return d.in.Remove(path) }, func(name string) { d.lead(name, nil) })
}

// SyncDir implements sys.FS.
func (d *Disk) SyncDir(path string) error {
	if filepath.Clean(path) != d.dir {
		return d.in.SyncDir(path)
	}
	if d.before != nil {
		d.before(OpSyncDir, "")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for name := range d.names {
		d.names[name] = []*node{d.leads(name)}
	}
	return nil
}

// Stat implements sys.FS.
func (d *Disk) Stat(path string) (fs.FileInfo, error) { return d.in.Stat(path) }

// ReadDir implements sys.FS.
func (d *Disk) ReadDir(path string) ([]fs.DirEntry, error) { return d.in.ReadDir(path) }

type diskFile struct {
	sys.File
	d    *Disk
	n    *node
	path string
}

func (f *diskFile) WriteAt(p []byte, off int64) (n int, err error) {
	err = f.d.step(OpWrite, f.path, func() (e error) { n, e = f.File.WriteAt(p, off); return e }, func(string) {
		f.n.change(max(len(f.n.now()), int(off)+len(p)), func(b []byte) { copy(b[off:], p) })
	})
	return n, err
}

func (f *diskFile) Truncate(size int64) error {
	return f.d.step(OpTruncate, f.path, func() error { return f.File.Truncate(size) }, func(string) {
		f.n.change(int(size), func([]byte) {})
	})
}

func (f *diskFile) Datasync() error {
	return f.d.step(OpSync, f.path, func() error { return nil }, func(string) {
		f.n.versions = [][]byte{f.n.now()}
	})
}
