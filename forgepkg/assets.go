package forgepkg

import (
	"encoding/binary"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/forgeone/forgeone/abi"
)

// The archive of assets: magic, u32 files, u32 index length; the index with, per
// file, u16 name length, name, u64 length; then the contents in the order of
// the index. Names ascend bytewise, so a set of files has one archive. Folders
// exist by the files in them. Modes, owners and times are not kept.
const (
	archiveMagic  = "FORGEAS1"
	archiveHeader = 16
	entryOverhead = 10
)

// asset is one file of an archive.
type asset struct {
	name   string
	length uint64
}

// scanAssets lists the regular files of fsys, in archive order.
func scanAssets(fsys fs.FS) ([]asset, error) {
	var files []asset
	var total uint64
	index := 0
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return because(fault(abi.CodePkgRead, name, "asset %q can't be read", clip(name)), err)
		case d.IsDir():
			return nil
		case !d.Type().IsRegular():
			return fault(abi.CodePkgInput, name, "asset %q is not a regular file (%v): only files and folders can be packed", clip(name), d.Type())
		case !validAsset(name):
			return fault(abi.CodePkgInput, name, "asset name %q: names are UTF-8 without control characters, at most %d bytes", clip(name), maxAssetName)
		}
		info, err := d.Info()
		if err != nil {
			return because(fault(abi.CodePkgRead, name, "asset %q can't be read", clip(name)), err)
		}
		files = append(files, asset{name, uint64(info.Size())})
		total += uint64(info.Size())
		index += entryOverhead + len(name)
		if len(files) > MaxFiles || total > MaxAssets || index > maxIndex {
			return fault(abi.CodePkgLimit, name, "assets: at most %d files, %d bytes, and %d bytes of names fit", MaxFiles, MaxAssets, maxIndex)
		}
		return nil
	})
	slices.SortFunc(files, func(a, b asset) int { return strings.Compare(a.name, b.name) })
	return files, err
}

// writeAssets writes the archive of files to w. It fails when a file is not as
// long as it was when scanned.
func writeAssets(w io.Writer, fsys fs.FS, files []asset) error {
	index := make([]byte, 0, len(files)*(entryOverhead+32))
	for _, f := range files {
		index = binary.BigEndian.AppendUint16(index, uint16(len(f.name)))
		index = append(index, f.name...)
		index = binary.BigEndian.AppendUint64(index, f.length)
	}
	head := append(make([]byte, 0, archiveHeader), archiveMagic...)
	head = binary.BigEndian.AppendUint32(head, uint32(len(files)))
	head = binary.BigEndian.AppendUint32(head, uint32(len(index)))
	for _, b := range [][]byte{head, index} {
		if _, err := w.Write(b); err != nil {
			return because(fault(abi.CodePkgRead, "assets", "package can't be written"), err)
		}
	}
	for _, f := range files {
		if err := copyAsset(w, fsys, f); err != nil {
			return err
		}
	}
	return nil
}

func copyAsset(w io.Writer, fsys fs.FS, f asset) error {
	unreadable := func(err error) error {
		return because(fault(abi.CodePkgRead, f.name, "asset %q can't be packed", clip(f.name)), err)
	}
	r, err := fsys.Open(f.name)
	if err != nil {
		return unreadable(err)
	}
	defer r.Close() // only read from
	if info, err := r.Stat(); err != nil {
		return unreadable(err)
	} else if !info.Mode().IsRegular() {
		return fault(abi.CodePkgInput, f.name, "asset %q is no longer a regular file", clip(f.name))
	}
	n, err := io.Copy(w, io.LimitReader(r, int64(f.length)+1))
	if err != nil {
		return unreadable(err)
	}
	if uint64(n) != f.length {
		return fault(abi.CodePkgInput, f.name, "asset %q changed while it was packed", clip(f.name))
	}
	return nil
}

// parseArchiveHeader returns the number of files and the length of the index,
// both within limits, of an archive of size bytes.
func parseArchiveHeader(b []byte, size uint64) (files, index uint32, e *abi.Error) {
	if len(b) < archiveHeader || string(b[:len(archiveMagic)]) != archiveMagic {
		return 0, 0, fault(abi.CodePkgAssets, "", "archive of assets does not begin with %q", archiveMagic)
	}
	files, index = binary.BigEndian.Uint32(b[8:]), binary.BigEndian.Uint32(b[12:])
	switch {
	case files > MaxFiles || index > maxIndex:
		return 0, 0, fault(abi.CodePkgLimit, "", "archive of %d files with an index of %d bytes: at most %d and %d are allowed", files, index, MaxFiles, maxIndex)
	case archiveHeader+uint64(index) > size || uint64(files)*entryOverhead > uint64(index):
		return 0, 0, fault(abi.CodePkgAssets, "", "archive of %d bytes is too short for an index of %d files in %d bytes", size, files, index)
	}
	return files, index, nil
}

// parseIndex reads an index of the given number of files, whose contents have
// the given length together.
func parseIndex(b []byte, files uint32, contents uint64) ([]asset, *abi.Error) {
	bad := func(what string, args ...any) ([]asset, *abi.Error) {
		return nil, fault(abi.CodePkgAssets, "", what, args...)
	}
	out := make([]asset, 0, files)
	names := make(map[string]struct{}, files)
	var total uint64
	for i := range files {
		if len(b) < 2 {
			return bad("index ends in file %d", i)
		}
		n := int(binary.BigEndian.Uint16(b))
		if len(b) < n+entryOverhead {
			return bad("index ends in file %d", i)
		}
		f := asset{string(b[2 : 2+n]), binary.BigEndian.Uint64(b[2+n:])}
		b = b[n+entryOverhead:]
		switch {
		case !validAsset(f.name):
			return bad("asset name %q is not a clean, relative path", clip(f.name))
		case i > 0 && f.name <= out[i-1].name:
			return bad("asset %q is not in ascending order and unique", clip(f.name))
		case f.length > contents || total > contents-f.length:
			return bad("asset %q ends beyond the archive", clip(f.name))
		}
		for j := range f.name {
			if f.name[j] != '/' {
				continue
			}
			if _, ok := names[f.name[:j]]; ok {
				return bad("asset %q lies in %q, which is a file", clip(f.name), clip(f.name[:j]))
			}
		}
		names[f.name] = struct{}{}
		total += f.length
		out = append(out, f)
	}
	if len(b) > 0 {
		return bad("%d bytes follow the index's last file", len(b))
	}
	if total != contents {
		return bad("archive has %d bytes of contents, its index says %d", contents, total)
	}
	if total > MaxAssets {
		return nil, fault(abi.CodePkgLimit, "", "assets of %d bytes: at most %d are allowed", total, MaxAssets)
	}
	return out, nil
}

// readIndex returns the files of an archive of size bytes in r and where their
// contents begin, one after another.
func readIndex(r io.ReaderAt, size uint64) ([]asset, int64, error) {
	head := make([]byte, archiveHeader)
	if _, err := r.ReadAt(head, 0); err != nil {
		return nil, 0, err
	}
	n, index, e := parseArchiveHeader(head, size)
	if e != nil {
		return nil, 0, e
	}
	b := make([]byte, index)
	if _, err := r.ReadAt(b, archiveHeader); err != nil && len(b) > 0 {
		return nil, 0, err
	}
	at := archiveHeader + int64(index)
	files, e := parseIndex(b, n, size-uint64(at))
	if e != nil {
		return nil, 0, e
	}
	return files, at, nil
}

// checkAssets copies an archive of size bytes from r to w and then checks its
// index, keeping only the index in memory. A read error comes as err; what is
// wrong with the archive, which matters only once its digest is right, as e.
func checkAssets(r io.Reader, size uint64, w io.Writer) (e *abi.Error, err error) {
	r = io.TeeReader(r, w)
	head := make([]byte, archiveHeader)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	n, index, e := parseArchiveHeader(head, size)
	if e == nil {
		b := make([]byte, index)
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, err
		}
		_, e = parseIndex(b, n, size-archiveHeader-uint64(index))
	}
	_, err = io.Copy(io.Discard, r)
	return e, err
}
