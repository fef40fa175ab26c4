package forgepkg

import (
	"encoding/binary"
	"fmt"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
)

// Magic begins every package.
const Magic = "FORGEPK1"

// MediaType is the type of the signed payload, the manifest.
const MediaType = "application/vnd.forgeone.package.v1+cbor"

// Limits of a package. Lengths are bytes.
const (
	MaxManifest   = 256 << 10
	MaxSignatures = 256 << 10 // more than maxSigners of the longest
	MaxBlobs      = 64
	MaxModule     = 64 << 20
	MaxAssets     = 1 << 30 // contents of all files
	MaxFiles      = 100_000 // files among the assets
	maxIndex      = 32 << 20
	maxSigners    = 64
)

const (
	headerSize    = 20
	formatVersion = 1
)

// Domains of the digests and of the signature.
const (
	domainSign    = "forgeone/pkg/v1"
	domainPackage = "forgeone/package/v1"
	domainModule  = "forgeone/module/v1"
	domainAssets  = "forgeone/assets/v1"

	domainSBOM       = "forgeone/sbom/v1"
	domainProvenance = "forgeone/provenance/v1"
)

// ModuleDigest returns the digest by which ForgeOne names a module: SHA3-256 in
// the domain forgeone/module/v1. A package's manifest holds it as the blob's.
func ModuleDigest(module []byte) abi.Digest { return seal.Sum(domainModule, module) }

// header is the fixed beginning of a package. All numbers are big-endian:
// magic, u32 manifest length, u32 signatures length, u16 blobs, u16 zero.
type header struct {
	manifest, signatures uint32
	blobs                uint16
}

func (h header) append(b []byte) []byte {
	b = append(b, Magic...)
	b = binary.BigEndian.AppendUint32(b, h.manifest)
	b = binary.BigEndian.AppendUint32(b, h.signatures)
	b = binary.BigEndian.AppendUint16(b, h.blobs)
	return binary.BigEndian.AppendUint16(b, 0)
}

// parseHeader reads the first headerSize bytes. The lengths are within their
// limits when it returns without error.
func parseHeader(b []byte) (header, error) {
	bad := func(at int, what string, args ...any) (header, error) {
		return header{}, fault(abi.CodePkgHeader, section("header", int64(at)), what, args...)
	}
	if len(b) < headerSize || string(b[:len(Magic)]) != Magic {
		return bad(0, "not a package: it does not begin with %q and a header of %d bytes", Magic, headerSize)
	}
	h := header{
		manifest:   binary.BigEndian.Uint32(b[8:]),
		signatures: binary.BigEndian.Uint32(b[12:]),
		blobs:      binary.BigEndian.Uint16(b[16:]),
	}
	switch {
	case h.manifest == 0 || h.manifest > MaxManifest:
		return bad(8, "manifest of %d bytes: 1 to %d are allowed", h.manifest, MaxManifest)
	case h.signatures == 0 || h.signatures > MaxSignatures:
		return bad(12, "signatures of %d bytes: 1 to %d are allowed", h.signatures, MaxSignatures)
	case h.blobs == 0 || h.blobs > MaxBlobs:
		return bad(16, "%d blobs: 1 to %d are allowed", h.blobs, MaxBlobs)
	case b[18] != 0 || b[19] != 0:
		return bad(18, "reserved bytes of the header are not zero")
	}
	return h, nil
}

// pae is the pre-authentication encoding of DSSE: what is signed says its own
// type and lengths, so that no other text reads as the same bytes.
func pae(payload []byte) []byte { return paeOf(MediaType, payload) }

func paeOf(mediaType string, payload []byte) []byte {
	b := fmt.Appendf(nil, "DSSEv1 %d %s %d ", len(mediaType), mediaType, len(payload))
	return append(b, payload...)
}

// section names a place in the file for Error.Where.
func section(name string, offset int64) string { return fmt.Sprintf("%s at byte %d", name, offset) }

// fault makes an error about a package. where may be empty.
func fault(code abi.Code, where, what string, args ...any) *abi.Error {
	return &abi.Error{Code: code, What: fmt.Sprintf(what, args...), Where: where}
}

// Errors carry their cause and hint by these two.
func because(e *abi.Error, err error) *abi.Error { e.Err = err; return e }

func hint(e *abi.Error, text string) *abi.Error { e.Hint = text; return e }
