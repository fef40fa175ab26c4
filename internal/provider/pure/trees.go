package pure

import (
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/provider/tree"
)

// NewScratch makes an empty tree in memory and returns a handle of its root. now
// gives unix nanoseconds. Files and the targets of symbolic links may take
// maxBytes in all, by their sizes; a hole counts. There may be maxNodes files,
// folders and links beneath the root, those that are unlinked but open among
// them. Past either, ENOSPC. The tree lives as long as a handle does.
func NewScratch(now func() uint64, maxBytes uint64, maxNodes int) tree.Dir {
	return hold(newRoot(&store{now: now, maxBytes: min(maxBytes, unlimited), maxNodes: maxNodes}))
}

// newRoot makes the root of an empty tree; it does not count as a node.
func newRoot(s *store) *node {
	s.lastIno++
	t := s.now()
	n := &node{s: s, ino: s.lastIno, typ: abi.FiletypeDirectory, atim: t, mtim: t, ctim: t, links: 1, children: map[string]*node{}}
	n.parent = n
	return n
}

// CodeAssets is the code of NewAssets' errors.
const CodeAssets abi.Code = "F1-RUN-011"

// NewAssets makes the read-only tree that holds files, by their names: components
// joined by single slashes, relative, without "." or "..". Folders come with the
// files in them. All times are 0. The contents are read as they are needed; a
// read that fails is EIO to whoever reads. An error is an *abi.Error.
func NewAssets(files map[string]*io.SectionReader) (tree.Dir, error) {
	s := &store{now: func() uint64 { return 0 }, maxBytes: unlimited, maxNodes: unlimited}
	root := newRoot(s)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := addAsset(root, name, files[name]); err != nil {
			return nil, err
		}
	}
	s.readOnly = true
	return hold(root), nil
}

// addAsset adds the file name and the folders it lies in.
func addAsset(at *node, name string, data *io.SectionReader) error {
	if name == "" || name[0] == '/' || path.Clean(name) != name || name == "." || name == ".." || strings.HasPrefix(name, "../") ||
		strings.IndexByte(name, 0) >= 0 || !utf8.ValidString(name) || len(name) > abi.MaxPath {
		return &abi.Error{Code: CodeAssets, What: "assets: not a clean relative name", Where: name}
	}
	for {
		first, rest, more := strings.Cut(name, "/")
		if len(first) > nameMax {
			return &abi.Error{Code: CodeAssets, What: "assets: a name is longer than 255 bytes", Where: first}
		}
		next := at.children[first]
		if next != nil && next.typ != abi.FiletypeDirectory {
			return &abi.Error{Code: CodeAssets, What: "assets: a file and a folder of one name", Where: first}
		}
		typ := abi.FiletypeRegularFile
		if more {
			typ = abi.FiletypeDirectory
		}
		if next == nil {
			// The quota of a tree that is being built is not to be reached.
			next, _ = at.s.make(typ)
			next.children = map[string]*node{}
			at.put(first, next)
		}
		if !more {
			next.children = nil
			next.asset = data
			return nil
		}
		at, name = next, rest
	}
}
