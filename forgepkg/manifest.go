package forgepkg

import (
	"cmp"
	"slices"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/codec"
)

// Role says what a blob is.
type Role string

// Roles. A package has exactly one module, its first blob, and behind it, in this
// order, at most one archive of assets, one bill of materials and one statement
// of where the module comes from. The role "policy" is reserved: this release refuses a
// package that has it, rather than ignore a policy.
const (
	RoleModule Role = "module"
	RoleAssets Role = "assets"

	RoleSBOM       Role = "sbom"
	RoleProvenance Role = "provenance"

	rolePolicy Role = "policy"
)

// Blob describes one blob; blobs lie in the file in manifest order.
type Blob struct {
	Role   Role       `cbor:"1,keyasint" json:"role"`
	Length uint64     `cbor:"2,keyasint" json:"length"` // bytes
	Digest abi.Digest `cbor:"3,keyasint" json:"-"`      // SHA3-256 in the domain of the role
}

// Mount is a folder that the package would like to be given. It grants nothing.
type Mount struct {
	Guest string `cbor:"1,keyasint" json:"guest"`                     // absolute and clean: "/in"
	Write bool   `cbor:"2,keyasint,omitempty" json:"write,omitempty"` // to be written, not only read
}

// Manifest is what publishers sign. Its field numbers stand in packages:
// stable, never reused. It must not be changed once a Package holds it.
type Manifest struct {
	// Format is 1.
	Format uint8 `cbor:"1,keyasint" json:"format"`
	// Name of the workload: [a-z0-9][a-z0-9._-]{0,63}.
	Name string `cbor:"2,keyasint" json:"name"`
	// Version is for people: a semantic version of at most 64 bytes.
	Version string `cbor:"3,keyasint" json:"version"`
	// Serial orders the packages of one name: from 1, never going back.
	Serial uint64 `cbor:"4,keyasint" json:"serial"`
	// Publisher is what the packer calls itself, at most 128 bytes, may be
	// empty. It is a claim: who signed is in Verified.
	Publisher string `cbor:"5,keyasint,omitempty" json:"publisher,omitempty"`
	// Issued is the time of packing in Unix seconds.
	Issued int64 `cbor:"6,keyasint" json:"issued"`
	// Expires is the first Unix second at which the package is no longer
	// accepted; 0: never.
	Expires int64 `cbor:"7,keyasint,omitempty" json:"expires,omitempty"`
	// Blobs, the module first.
	Blobs []Blob `cbor:"8,keyasint" json:"blobs"`
	// Imports are the functions the module imports, as "module.function",
	// ascending and unique: the capabilities it asks for.
	Imports []string `cbor:"9,keyasint,omitempty" json:"imports,omitempty"`
	// Mounts wanted, ascending by Guest and unique.
	Mounts []Mount `cbor:"10,keyasint,omitempty" json:"mounts,omitempty"`
	// Runtime is the lowest version of ForgeOne that can run the package,
	// MAJOR.MINOR.PATCH; empty: any.
	Runtime string `cbor:"11,keyasint,omitempty" json:"runtime,omitempty"`
	// Signers are the ids of all the keys that sign the package, ascending. A
	// package with a signature missing or added is refused. Naming a key here
	// trusts nothing.
	Signers []abi.Digest `cbor:"12,keyasint" json:"-"`
}

const (
	maxImports    = 4096
	maxImportText = 512
	maxMounts     = 64
	maxPublisher  = 128
	maxVersion    = 64
)

// decodeManifest reads the manifest section, which begins at byte at.
func decodeManifest(b []byte, at int64) (*Manifest, error) {
	var m Manifest
	if err := codec.Unmarshal(b, &m); err != nil {
		return nil, because(fault(abi.CodePkgManifest, section("manifest", at), "manifest can't be read"), err)
	}
	if e := m.check(); e != nil {
		e.Where = section("manifest", at)
		return nil, e
	}
	return &m, nil
}

// check tells whether every field is as documented.
func (m *Manifest) check() *abi.Error {
	bad := func(what string, args ...any) *abi.Error { return fault(abi.CodePkgManifest, "", what, args...) }
	switch {
	case m.Format != formatVersion:
		return fault(abi.CodePkgNewer, "", "manifest of format %d: this release reads format %d", m.Format, formatVersion)
	case !validName(m.Name):
		return bad("package name %q is not of the form [a-z0-9][a-z0-9._-]{0,63}", clip(m.Name))
	case !validVersion(m.Version):
		return bad("version %q is not a semantic version of at most %d bytes", clip(m.Version), maxVersion)
	case m.Serial == 0:
		return bad("serial is 0: serials begin at 1")
	case !validText(m.Publisher, maxPublisher):
		return bad("publisher %q is not printable text of at most %d bytes", clip(m.Publisher), maxPublisher)
	case m.Issued < 0:
		return bad("issued %d lies before 1970", m.Issued)
	case m.Expires != 0 && m.Expires <= m.Issued:
		return bad("expires %d is not after issued %d", m.Expires, m.Issued)
	case m.Runtime != "" && !validRelease(m.Runtime):
		return bad("runtime %q is not MAJOR.MINOR.PATCH", clip(m.Runtime))
	}
	if e := m.checkBlobs(); e != nil {
		return e
	}
	if len(m.Imports) > maxImports || !ascending(m.Imports, cmp.Compare[string]) {
		return bad("imports are not ascending, unique and at most %d", maxImports)
	}
	for _, s := range m.Imports {
		if s == "" || !validText(s, maxImportText) {
			return bad("import %q is not printable text of 1 to %d bytes", clip(s), maxImportText)
		}
	}
	if len(m.Mounts) > maxMounts || !ascending(m.Mounts, func(a, b Mount) int { return cmp.Compare(a.Guest, b.Guest) }) {
		return bad("mounts are not ascending, unique and at most %d", maxMounts)
	}
	for _, w := range m.Mounts {
		if !validGuest(w.Guest) {
			return bad("mount %q is not an absolute, clean path", clip(w.Guest))
		}
	}
	if len(m.Signers) == 0 || len(m.Signers) > maxSigners || !ascending(m.Signers, compareDigests) {
		return bad("signers are not ascending, unique and 1 to %d", maxSigners)
	}
	return nil
}

func (m *Manifest) checkBlobs() *abi.Error {
	bad := func(what string, args ...any) *abi.Error { return fault(abi.CodePkgManifest, "", what, args...) }
	if len(m.Blobs) == 0 || len(m.Blobs) > MaxBlobs {
		return bad("%d blobs: 1 to %d are allowed", len(m.Blobs), MaxBlobs)
	}
	for i, b := range m.Blobs {
		switch {
		case b.Role == rolePolicy:
			return fault(abi.CodePkgNewer, "", "blob %d is a policy, which this release does not apply and will not ignore", i)
		case (b.Role == RoleModule) != (i == 0):
			return bad("blob %d has the role %q: the module, and nothing else, is blob 0", i, clip(string(b.Role)))
		case rank(b.Role) < 0:
			return fault(abi.CodePkgNewer, "", "blob %d has the unknown role %q", i, clip(string(b.Role)))
		case i > 0 && rank(b.Role) <= rank(m.Blobs[i-1].Role):
			return bad("blob %d (%s) stands behind blob %d (%s): each comes once, and in order", i, b.Role, i-1, m.Blobs[i-1].Role)
		case rank(b.Role) > rank(RoleAssets) && (b.Length == 0 || b.Length > MaxStatement):
			return fault(abi.CodePkgLimit, "", "statement of %d bytes: 1 to %d are allowed", b.Length, MaxStatement)
		case b.Role == RoleModule && (b.Length == 0 || b.Length > MaxModule):
			return fault(abi.CodePkgLimit, "", "module of %d bytes: 1 to %d are allowed", b.Length, MaxModule)
		case b.Role == RoleAssets && (b.Length < archiveHeader || b.Length > archiveHeader+maxIndex+MaxAssets):
			return fault(abi.CodePkgLimit, "", "assets of %d bytes: %d to %d are allowed", b.Length, archiveHeader, archiveHeader+maxIndex+MaxAssets)
		}
	}
	return nil
}

// rank is a role's place in a package, -1 for an unknown one.
func rank(r Role) int {
	return slices.Index([]Role{RoleModule, RoleAssets, RoleSBOM, RoleProvenance}, r)
}

// blob returns the number of the blob of that role, -1 if there is none.
func (m *Manifest) blob(r Role) int {
	return slices.IndexFunc(m.Blobs, func(b Blob) bool { return b.Role == r })
}

// Module describes the module.
func (m *Manifest) Module() Blob { return m.Blobs[0] }

// Assets describes the archive of assets, if there is one.
func (m *Manifest) Assets() (Blob, bool) {
	i := m.blob(RoleAssets)
	if i < 0 {
		return Blob{}, false
	}
	return m.Blobs[i], true
}

// ImportName is how a manifest names an imported function.
func ImportName(module, function string) string { return module + "." + function }

// CheckImports tells whether m asks for exactly the functions that its module
// imports, each as ImportName gives it; order and repetition don't matter.
// The difference, either way, is F1-PKG-013.
func CheckImports(m *Manifest, imports []string) error {
	have := slices.Compact(slices.Sorted(slices.Values(imports)))
	for _, s := range have {
		if _, ok := slices.BinarySearch(m.Imports, s); !ok {
			return fault(abi.CodePkgImports, "manifest, imports", "the module imports %q, which the manifest does not ask for", clip(s))
		}
	}
	for _, s := range m.Imports {
		if _, ok := slices.BinarySearch(have, s); !ok {
			return fault(abi.CodePkgImports, "manifest, imports", "the manifest asks for %q, which the module does not import", clip(s))
		}
	}
	return nil
}
