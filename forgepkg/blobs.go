package forgepkg

import (
	"io"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
)

// blob returns a reader of blob i and the hash of its role.
func (p *Package) blob(i int) (*io.SectionReader, *seal.Hash) {
	b := p.manifest.Blobs[i]
	return io.NewSectionReader(p.r, p.offsets[i], int64(b.Length)), seal.NewHash(domainOf(b.Role))
}

// domainOf is the domain of the digests of blobs of a role.
func domainOf(r Role) string {
	switch r {
	case RoleAssets:
		return domainAssets
	case RoleSBOM:
		return domainSBOM
	case RoleProvenance:
		return domainProvenance
	}
	return domainModule
}

// check hashes blob i and compares, in constant memory. table, if not nil, gets
// the digests of its chunks.
func (p *Package) check(i int, table *chunkTable) error {
	r, h := p.blob(i)
	b := p.manifest.Blobs[i]
	var malformed *abi.Error
	var err error
	if b.Role == RoleAssets {
		malformed, err = checkAssets(r, b.Length, io.MultiWriter(h, table))
	} else {
		_, err = io.Copy(h, r)
	}
	if err == nil {
		err = complete(r)
	}
	if err != nil {
		return readFault(err, "blob "+string(b.Role), p.offsets[i])
	}
	if h.Digest() != b.Digest {
		return p.blobFault(i)
	}
	if malformed != nil {
		malformed.Where = p.blobPlace(i)
		return malformed
	}
	return nil
}

// complete tells whether r was read to its end.
func complete(r *io.SectionReader) error {
	if n, err := r.Seek(0, io.SeekCurrent); err != nil || n != r.Size() {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// load reads blob i into memory and compares the digest of what it read.
func (p *Package) load(i int) ([]byte, error) {
	r, h := p.blob(i)
	buf := make([]byte, r.Size()) // no more than the file has: Open checked
	if _, err := io.ReadFull(r, buf); err != nil {
		return nil, readFault(err, "blob "+string(p.manifest.Blobs[i].Role), p.offsets[i])
	}
	h.Write(buf)
	if h.Digest() != p.manifest.Blobs[i].Digest {
		return nil, p.blobFault(i)
	}
	return buf, nil
}

func (p *Package) blobFault(i int) *abi.Error {
	b := p.manifest.Blobs[i]
	return fault(abi.CodePkgBlob, p.blobPlace(i), "%s (%d bytes) does not have the digest that was signed", b.Role, b.Length)
}

// Module returns the module: bytes whose digest was compared with the signed
// one after they were read. The caller must not change them.
func (v *Verified) Module() ([]byte, error) {
	if v.module != nil {
		return v.module, nil
	}
	b, err := v.p.load(0)
	return b, v.p.at(err)
}

// Assets returns the assets by name, nil if the package has none. They are read
// from the package's file, which must stay open, as they are needed: in constant
// memory, and each 64 KiB compared with what was verified, so that a file that
// was changed or exchanged since is an error of the read (F1-PKG-008 or -003).
func (v *Verified) Assets() (map[string]*io.SectionReader, error) {
	b, ok := v.Manifest.Assets()
	if !ok {
		return nil, nil
	}
	c := &chunks{p: v.p, blob: v.Manifest.blob(RoleAssets), size: int64(b.Length), digests: v.chunks, held: map[int64][]byte{}}
	files, at, err := readIndex(c, b.Length)
	if err != nil {
		return nil, err
	}
	m := make(map[string]*io.SectionReader, len(files))
	for _, f := range files {
		m[f.name] = io.NewSectionReader(c, at, int64(f.length))
		at += int64(f.length)
	}
	return m, nil
}
