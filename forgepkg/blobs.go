package forgepkg

import (
	"io"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
)

// blob returns a reader of blob i and the hash of its role.
func (p *Package) blob(i int) (*io.SectionReader, *seal.Hash) {
	b := p.manifest.Blobs[i]
	domain := domainModule
	if b.Role == RoleAssets {
		domain = domainAssets
	}
	return io.NewSectionReader(p.r, p.offsets[i], int64(b.Length)), seal.NewHash(domain)
}

// check hashes blob i and compares, in constant memory.
func (p *Package) check(i int) error {
	r, h := p.blob(i)
	b := p.manifest.Blobs[i]
	var malformed *abi.Error
	var err error
	if b.Role == RoleAssets {
		malformed, err = checkAssets(r, b.Length, h)
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
	if p.manifest.Blobs[i].Role == RoleAssets {
		if _, e := parseAssets(buf); e != nil {
			e.Where = p.blobPlace(i)
			return nil, e
		}
	}
	return buf, nil
}

func (p *Package) blobFault(i int) *abi.Error {
	b := p.manifest.Blobs[i]
	return fault(abi.CodePkgBlob, p.blobPlace(i), "%s (%d bytes) does not have the digest that was signed", b.Role, b.Length)
}

// Module returns the module: bytes whose digest was compared with the signed
// one after they were read. The caller must not change them.
func (v *Verified) Module() ([]byte, error) { return v.bytes(0) }

// Assets returns the assets by name, nil if the package has none. As with
// Module, these are the bytes that were hashed; the caller must not change them.
func (v *Verified) Assets() (map[string][]byte, error) {
	if _, ok := v.Manifest.Assets(); !ok {
		return nil, nil
	}
	b, err := v.bytes(1)
	if err != nil {
		return nil, err
	}
	m, e := parseAssets(b)
	if e != nil { // the archive was checked with its digest
		e.Where = v.p.blobPlace(1)
		return nil, v.p.at(e)
	}
	return m, nil
}

func (v *Verified) bytes(i int) ([]byte, error) {
	if v.kept != nil {
		return v.kept[i], nil
	}
	b, err := v.p.load(i)
	return b, v.p.at(err)
}
