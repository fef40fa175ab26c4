package forgepkg

import (
	"time"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/seal"
)

// VerifyOptions say what a package must meet. Now is required.
type VerifyOptions struct {
	// Now is the time against which expiry is checked.
	Now time.Time
	// Quorum is how many distinct publishers of the keyring must have signed; 0
	// means 1. A negative one is refused. A pair of keys is one publisher, and
	// has signed only when both keys have.
	Quorum int
	// MinSerial is the highest serial that was ever accepted under the
	// package's name; lower ones are refused. 0: none was.
	MinSerial uint64
	// Installed, if not zero, is the digest of the package that was accepted
	// with MinSerial: another package with the same serial is refused.
	Installed abi.Digest
	// Revoked, if not nil, tells whether the package, module or publisher's key
	// that d names is revoked, for a package with these signers, and by whom and
	// why, for people. A revoked key does not count; a revoked package or module
	// is refused.
	Revoked func(what uint8, d abi.Digest, signers []abi.Digest) (why string, revoked bool)
	// Runtime, if not empty, is the version MAJOR.MINOR.PATCH that is to run the
	// package, compared with the one it needs.
	Runtime string
	// Keep keeps the module in memory, so that Module does not read and hash it
	// again. Assets are never kept.
	Keep bool
}

// Verified is a package that met the options. It reads from its Package, which
// must stay open while Module and Assets are used.
type Verified struct {
	// Signers are the ids of the distinct, trusted publishers that signed,
	// ascending: of a pair, the id of its Ed25519 key.
	Signers []abi.Digest
	// Keys are their entries in the keyring, in the same order: who published
	// the package is Keys[i].Name, never Manifest.Publisher.
	Keys []abi.KeyAdd
	// Unknown are the ids of keys that signed and don't count here: of no
	// publisher in the keyring, revoked, or without the other key of their pair.
	Unknown []abi.Digest
	// Local tells that every trusted signature is by this node's own developer key.
	Local bool
	// Digest is the package's, Module the module's.
	Digest, ModuleID abi.Digest
	// Standing is StandingSigned.
	Standing abi.Standing
	// Manifest is the verified manifest; it must not be changed.
	Manifest *Manifest
	// Statements are about the module; all of Signers signed their digests.
	Statements []Statement

	p      *Package
	module []byte     // nil unless VerifyOptions.Keep
	chunks [][32]byte // digests of the assets' chunks
}

// Verify checks the package against the caller's keyring and options: all
// signatures that the manifest names are there and in order; every one by a key
// of the keyring is right; enough of them are by publishers; the package is
// neither expired, revoked nor older than one seen; and each blob has the signed
// digest. Nothing of the blobs is read before the signatures are found good;
// memory stays constant, but for statements and, if Keep is set, the module.
//
// The error is an *abi.Error; see the package comment.
func (p *Package) Verify(ring Keyring, o VerifyOptions) (*Verified, error) {
	v, err := p.verifyHead(ring, o)
	if err != nil {
		return nil, p.at(err)
	}
	var sum [32]byte // of the module, if there are statements
	for i, b := range p.manifest.Blobs {
		switch {
		case b.Role == RoleModule && o.Keep:
			v.module, err = p.load(i)
		case b.Role == RoleAssets:
			var t chunkTable
			err = p.check(i, &t)
			t.end()
			v.chunks = t.digests
		case b.Role == RoleModule:
			err = p.check(i, nil)
		default:
			if sum == ([32]byte{}) {
				sum, err = p.moduleSHA256()
			}
			if err == nil {
				err = p.checkStatement(i, v, sum)
			}
		}
		if err != nil {
			return nil, p.at(err)
		}
	}
	return v, nil
}

// verifyHead checks all that can be known without the blobs.
func (p *Package) verifyHead(ring Keyring, o VerifyOptions) (*Verified, error) {
	if o.Quorum == 0 {
		o.Quorum = 1
	}
	if e := checkOptions(ring, o); e != nil {
		return nil, e
	}
	if missing := p.Missing(); len(missing) > 0 {
		return nil, fault(abi.CodePkgIncomplete, section("signatures", p.sigsAt), "the signature by key %s, which the manifest names, is missing", missing[0].Short())
	}
	v := &Verified{Digest: p.Digest(), ModuleID: p.manifest.Module().Digest, Standing: abi.StandingSigned, Manifest: p.manifest, Local: true, p: p}
	if e := p.verifySignatures(v, ring, o); e != nil {
		return nil, e
	}
	m := p.manifest
	where := section("manifest", headerSize)
	if why, ok := o.revoked(abi.RevokedPackage, v.Digest, m.Signers); ok {
		return nil, hint(fault(abi.CodePkgRevoked, where, "package %s %s is revoked%s", m.Name, m.Version, why), hintRevoked)
	}
	if why, ok := o.revoked(abi.RevokedModule, v.ModuleID, m.Signers); ok {
		return nil, hint(fault(abi.CodePkgRevoked, where, "the module of package %s %s is revoked%s", m.Name, m.Version, why), hintRevoked)
	}
	switch {
	case m.Expires != 0 && o.Now.Unix() >= m.Expires:
		return nil, fault(abi.CodePkgExpired, where, "package %s %s expired at %s", m.Name, m.Version, time.Unix(m.Expires, 0).UTC().Format(time.RFC3339))
	case m.Serial < o.MinSerial:
		return nil, fault(abi.CodePkgDowngrade, where, "package %s has serial %d; serial %d was accepted before", m.Name, m.Serial, o.MinSerial)
	case m.Serial == o.MinSerial && !o.Installed.IsZero() && v.Digest != o.Installed:
		return nil, fault(abi.CodePkgDowngrade, where, "package %s has serial %d, which another package was accepted with", m.Name, m.Serial)
	}
	if o.Runtime != "" && m.Runtime != "" {
		need, _ := release(m.Runtime) // checked with the manifest
		if have, _ := release(o.Runtime); older(have, need) {
			return nil, fault(abi.CodePkgNewer, where, "package %s needs ForgeOne %s; this is %s", m.Name, m.Runtime, o.Runtime)
		}
	}
	return v, nil
}

func (o *VerifyOptions) revoked(what uint8, d abi.Digest, signers []abi.Digest) (why string, revoked bool) {
	if o.Revoked == nil {
		return "", false
	}
	if why, revoked = o.Revoked(what, d, signers); why != "" {
		why = " " + why
	}
	return why, revoked
}

const hintRevoked = "forgeone revoke list"

// checkOptions refuses settings under which verification would mean nothing.
func checkOptions(ring Keyring, o VerifyOptions) *abi.Error {
	switch {
	case o.Quorum < 1:
		return fault(abi.CodePkgOptions, "", "a quorum of %d signatures would trust everybody", o.Quorum)
	case o.Now.IsZero():
		return fault(abi.CodePkgOptions, "", "the time of verification is not given")
	case o.Runtime != "" && !validRelease(o.Runtime):
		return fault(abi.CodePkgOptions, "", "runtime version %q is not MAJOR.MINOR.PATCH", o.Runtime)
	}
	for _, k := range ring {
		if n := seal.PublicSize(k.Alg); n == 0 || len(k.Public) != n || KeyID(k.Alg, k.Public) != k.ID {
			return fault(abi.CodePkgOptions, "", "keyring entry %q is not a key of a known algorithm under its own id", k.Name)
		}
		if len(k.Post) > 0 && (k.Alg != Ed25519 || len(k.Post) != seal.PostPublicSize) {
			return fault(abi.CodePkgOptions, "", "keyring entry %q is not a pair of an Ed25519 and an ML-DSA-44 key", k.Name)
		}
	}
	return nil
}
