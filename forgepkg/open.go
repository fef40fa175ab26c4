package forgepkg

import (
	"errors"
	"io"
	"os"
	"slices"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
)

// Package is an opened package: well-formed, and otherwise unverified. It is
// safe for concurrent use.
type Package struct {
	r        io.ReaderAt
	size     int64
	name     string // of the file, for messages; may be empty
	close    func() error
	head     []byte // header, manifest and signatures, read once
	sigsAt   int64
	manifest *Manifest
	sigs     []Signature
	offsets  []int64 // of the blobs
}

// Open opens the package file path and checks its structure, reading neither
// module nor assets. The caller closes the package.
func Open(path string) (*Package, error) {
	unreadable := func(err error) error {
		return because(fault(abi.CodePkgRead, path, "package can't be read"), err)
	}
	// Opening a FIFO would wait for a writer, so the kind comes first.
	if info, err := os.Stat(path); err != nil {
		return nil, unreadable(err)
	} else if !info.Mode().IsRegular() {
		return nil, unreadable(errors.New("not a regular file"))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable(err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, unreadable(err)
	}
	p := &Package{r: f, size: info.Size(), name: path, close: f.Close}
	if err := p.open(); err != nil {
		f.Close()
		return nil, err
	}
	return p, nil
}

// OpenReader is Open for a package of size bytes in r, which the caller keeps
// open as long as the package is used.
func OpenReader(r io.ReaderAt, size int64) (*Package, error) {
	p := &Package{r: r, size: size, close: func() error { return nil }}
	if err := p.open(); err != nil {
		return nil, err
	}
	return p, nil
}

// Close closes the file that Open opened.
func (p *Package) Close() error { return p.close() }

// open reads everything before the blobs. Lengths are compared with limits and
// with the file's size before memory is allocated for them.
func (p *Package) open() error {
	head := make([]byte, min(headerSize, max(p.size, 0)))
	if err := p.read(head, 0); err != nil {
		return err
	}
	h, err := parseHeader(head)
	if err != nil {
		return p.at(err)
	}
	p.sigsAt = headerSize + int64(h.manifest)
	end := p.sigsAt + int64(h.signatures)
	if end > p.size {
		return p.at(fault(abi.CodePkgSize, section("header", 8), "the file ends at byte %d, before its signatures do at %d", p.size, end))
	}
	p.head = make([]byte, end)
	copy(p.head, head)
	if err := p.read(p.head[headerSize:], headerSize); err != nil {
		return err
	}
	if p.manifest, err = decodeManifest(p.manifestBytes(), headerSize); err != nil {
		return p.at(err)
	}
	if len(p.manifest.Blobs) != int(h.blobs) {
		return p.at(fault(abi.CodePkgManifest, section("header", 16), "the header says %d blobs, the manifest %d", h.blobs, len(p.manifest.Blobs)))
	}
	if p.sigs, err = decodeSignatures(p.head[p.sigsAt:], p.sigsAt, p.manifest.Signers); err != nil {
		return p.at(err)
	}
	for i, b := range p.manifest.Blobs { // lengths are within limits: no overflow
		p.offsets = append(p.offsets, end)
		if end += int64(b.Length); end > p.size {
			return p.at(fault(abi.CodePkgSize, p.blobPlace(i), "the file ends at byte %d, before this blob does at %d", p.size, end))
		}
	}
	if end != p.size {
		return p.at(fault(abi.CodePkgSize, section("end", end), "%d bytes follow the last blob", p.size-end))
	}
	return nil
}

// read fills b from the file at off.
func (p *Package) read(b []byte, off int64) error {
	n, err := p.r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	return p.at(readFault(err, "file", off+int64(n)))
}

// readFault makes an error of a failed read: bytes that are gone since the size
// was taken are damage, anything else is I/O.
func readFault(err error, what string, off int64) *abi.Error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fault(abi.CodePkgSize, section(what, off), "the file became shorter while it was read")
	}
	return because(fault(abi.CodePkgRead, section(what, off), "package can't be read"), err)
}

// at puts the file's name before an error's place.
func (p *Package) at(err error) error {
	var e *abi.Error
	if errors.As(err, &e) && p.name != "" {
		if e.Where == "" {
			e.Where = p.name
		} else {
			e.Where = p.name + ": " + e.Where
		}
	}
	return err
}

func (p *Package) manifestBytes() []byte { return p.head[headerSize:p.sigsAt] }

// blobPlace names blob i for Error.Where.
func (p *Package) blobPlace(i int) string {
	b := p.manifest.Blobs[i]
	return section("blob "+string(b.Role), p.offsets[i])
}

// Manifest returns the manifest, unverified. It belongs to the package and must
// not be changed.
func (p *Package) Manifest() *Manifest { return p.manifest }

// Signatures returns the signatures, unverified, sorted.
func (p *Package) Signatures() []Signature { return slices.Clone(p.sigs) }

// Missing returns the ids of the keys that the manifest names and that have not signed.
func (p *Package) Missing() []abi.Digest {
	var ids []abi.Digest
	for _, id := range p.manifest.Signers {
		if !slices.ContainsFunc(p.sigs, func(s Signature) bool { return s.Key == id }) {
			ids = append(ids, id)
		}
	}
	return ids
}

// Size returns the file's length in bytes.
func (p *Package) Size() int64 { return p.size }

// Digest returns the package's digest: SHA3-256 in the domain
// forgeone/package/v1 over header, manifest and signatures. They hold the
// lengths and digests of all blobs, so the digest of a verified package commits
// to every byte of its file.
func (p *Package) Digest() abi.Digest { return seal.Sum(domainPackage, p.head) }
