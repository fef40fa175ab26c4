package forgepkg

import (
	"bytes"
	"cmp"
	"io"
	"io/fs"
	"slices"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/codec"
	"github.com/forgeone/forgeone/internal/seal"
)

// Input is what a package is built from.
type Input struct {
	// Manifest gives Name, Version, Serial, Publisher, Issued, Expires, Imports,
	// Mounts and Runtime. Imports and Mounts may be unsorted and repeat. Format,
	// Blobs and Signers are filled in by Build.
	Manifest Manifest
	// Module is the WebAssembly module. Build does not look into it: Imports is
	// the caller's to find out, and CheckImports to compare.
	Module []byte
	// Assets, if not nil, is the folder of assets. Regular files of it are
	// packed; folders without files are not kept; anything else is refused. Give
	// an os.Root's FS, so that a link can't lead out of the folder.
	Assets fs.FS
	// SBOM, if not nil, is a bill of materials, SPDX or CycloneDX in JSON;
	// Provenance the predicate of an SLSA provenance v1. Each is attached as a
	// statement that the Ed25519 keys among Signers sign.
	SBOM, Provenance []byte
	// Signers sign now.
	Signers []Signer
	// Cosigners will sign later, with Cosign; only algorithm and public key of
	// each are used. Until all have signed, the package does not verify.
	Cosigners []Signer
}

// Build writes the package of in to w and returns its digest. The same input
// gives the same bytes. Memory stays bounded by the module, whatever the assets.
// On an error w may hold part of a package.
func Build(w io.Writer, in Input) (abi.Digest, error) {
	m := in.Manifest
	m.Format = formatVersion
	m.Imports = sortedSet(m.Imports, cmp.Compare[string])
	m.Mounts = sortedSet(m.Mounts, func(a, b Mount) int { return cmp.Compare(a.Guest, b.Guest) })
	var err error
	if m.Signers, err = signerIDs(in); err != nil {
		return abi.Digest{}, err
	}
	if n := len(in.Module); n == 0 || n > MaxModule {
		return abi.Digest{}, fault(abi.CodePkgLimit, string(RoleModule), "module of %d bytes: 1 to %d are allowed", n, MaxModule)
	}
	m.Blobs = []Blob{{Role: RoleModule, Length: uint64(len(in.Module)), Digest: ModuleDigest(in.Module)}}
	var files []asset
	if in.Assets != nil {
		var b Blob
		if files, b, err = describeAssets(in.Assets); err != nil {
			return abi.Digest{}, err
		}
		m.Blobs = append(m.Blobs, b)
	}
	var statements [][]byte
	for _, s := range []struct {
		role Role
		doc  []byte
	}{{RoleSBOM, in.SBOM}, {RoleProvenance, in.Provenance}} {
		if s.doc == nil {
			continue
		}
		b, err := makeStatement(s.role, s.doc, &m, in.Module, in.Signers)
		if err != nil {
			return abi.Digest{}, err
		}
		statements = append(statements, b)
		m.Blobs = append(m.Blobs, Blob{Role: s.role, Length: uint64(len(b)), Digest: seal.Sum(domainOf(s.role), b)})
	}
	if e := m.check(); e != nil {
		if e.Where = "manifest"; e.Code == abi.CodePkgManifest {
			e.Code = abi.CodePkgInput
		}
		return abi.Digest{}, e
	}
	manifest, err := codec.Marshal(&m)
	if err != nil {
		return abi.Digest{}, because(fault(abi.CodePkgInput, "", "manifest can't be encoded"), err)
	}
	if len(manifest) > MaxManifest {
		return abi.Digest{}, fault(abi.CodePkgLimit, "manifest", "manifest of %d bytes: at most %d are allowed", len(manifest), MaxManifest)
	}
	var sigs []Signature
	for _, s := range in.Signers {
		sig, err := s.sign(manifest)
		if err != nil {
			return abi.Digest{}, err
		}
		sigs = append(sigs, sig)
	}
	head, err := encodeHead(manifest, sigs, len(m.Blobs))
	if err != nil {
		return abi.Digest{}, err
	}
	for _, b := range [][]byte{head, in.Module} {
		if _, err := w.Write(b); err != nil {
			return abi.Digest{}, because(fault(abi.CodePkgRead, "", "package can't be written"), err)
		}
	}
	if in.Assets != nil {
		h := seal.NewHash(domainAssets)
		if err := writeAssets(io.MultiWriter(w, h), in.Assets, files); err != nil {
			return abi.Digest{}, err
		}
		if h.Digest() != m.Blobs[1].Digest {
			return abi.Digest{}, fault(abi.CodePkgInput, "", "assets changed while they were packed")
		}
	}
	for _, b := range statements {
		if _, err := w.Write(b); err != nil {
			return abi.Digest{}, because(fault(abi.CodePkgRead, "", "package can't be written"), err)
		}
	}
	return seal.Sum(domainPackage, head), nil
}

// encodeHead returns everything before the blobs.
func encodeHead(manifest []byte, sigs []Signature, blobs int) ([]byte, error) {
	if sigs == nil {
		sigs = []Signature{}
	}
	sb, err := encodeSignatures(sigs)
	if err != nil {
		return nil, err
	}
	h := header{manifest: uint32(len(manifest)), signatures: uint32(len(sb)), blobs: uint16(blobs)}
	return append(append(h.append(make([]byte, 0, headerSize+len(manifest)+len(sb))), manifest...), sb...), nil
}

// describeAssets lists the assets and hashes their archive.
func describeAssets(fsys fs.FS) ([]asset, Blob, error) {
	files, err := scanAssets(fsys)
	if err != nil {
		return nil, Blob{}, err
	}
	h := seal.NewHash(domainAssets)
	size := uint64(archiveHeader)
	for _, f := range files {
		size += entryOverhead + uint64(len(f.name)) + f.length
	}
	if err := writeAssets(h, fsys, files); err != nil {
		return nil, Blob{}, err
	}
	return files, Blob{Role: RoleAssets, Length: size, Digest: h.Digest()}, nil
}

// signerIDs returns the sorted ids of all keys that sign in.
func signerIDs(in Input) ([]abi.Digest, error) {
	var ids []abi.Digest
	for _, s := range slices.Concat(in.Signers, in.Cosigners) {
		if n := seal.PublicSize(s.alg()); n == 0 || len(s.Public) != n {
			return nil, fault(abi.CodePkgInput, "", "a signing key's public part has %d bytes of algorithm %q, which has %d", len(s.Public), clip(s.alg()), n)
		}
		ids = append(ids, s.ID())
	}
	slices.SortFunc(ids, compareDigests)
	if len(ids) == 0 || len(ids) > maxSigners || !ascending(ids, compareDigests) {
		return nil, fault(abi.CodePkgInput, "", "a package is signed by 1 to %d distinct keys", maxSigners)
	}
	return ids, nil
}

func sortedSet[T comparable](s []T, compare func(a, b T) int) []T {
	s = slices.Clone(s)
	slices.SortFunc(s, compare)
	return slices.Compact(s)
}

// Cosign writes p with one signature more, by s, to w and returns the digest of
// the new package. The key must be one that the manifest names and that has not
// signed. The blobs are copied as they are; they are not verified.
func (p *Package) Cosign(w io.Writer, s Signer) (abi.Digest, error) {
	id := s.ID()
	if !slices.Contains(p.Missing(), id) {
		return abi.Digest{}, p.at(fault(abi.CodePkgInput, "", "key %s is not one that has yet to sign this package", id.Short()))
	}
	sig, err := s.sign(p.manifestBytes())
	if err != nil {
		return abi.Digest{}, err
	}
	head, err := encodeHead(p.manifestBytes(), append(slices.Clone(p.sigs), sig), len(p.manifest.Blobs))
	if err != nil {
		return abi.Digest{}, err
	}
	blobs := io.NewSectionReader(p.r, int64(len(p.head)), p.size-int64(len(p.head)))
	if _, err := io.Copy(w, io.MultiReader(bytes.NewReader(head), blobs)); err != nil {
		return abi.Digest{}, p.at(because(fault(abi.CodePkgRead, "", "package can't be copied"), err))
	}
	return seal.Sum(domainPackage, head), nil
}
