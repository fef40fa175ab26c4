// Package forgepkg builds, opens and verifies .forgepkg files: a WebAssembly
// module, its assets, and a manifest of both that publishers sign.
//
// A package is one file: a header of 20 bytes, the manifest and the signatures
// in deterministic CBOR, and the blobs one after another to the file's exact
// end. There are no paths to unpack to, no compression, and one encoding only
// for a given content: the same input builds the same bytes.
//
// # Trust
//
// A package says nothing about whom to trust. [Open] checks structure only and
// what it returns is unverified, whatever the manifest claims.
// [Package.Verify] checks the signatures against a [Keyring] of the caller's,
// asks for a quorum of distinct publisher keys out of it, checks expiry,
// revocation and the serial number, and hashes every blob. Name, version and
// publisher of an unverified manifest are a stranger's words.
//
// What is used is what was verified: [Verified.Module] returns bytes that were
// hashed in memory and compared with the signed digest, [Verified.Assets] reads
// with a check of each chunk against what was verified, so that a file that was
// changed or exchanged in the meantime is found.
//
// # Errors
//
// Every error is an *abi.Error with a code of the area PKG; Where names the
// section and the byte offset in the file. Damage, forgery and refusal are
// codes with exit status 1; F1-PKG-001 (3) says that the file could not be
// read; F1-PKG-016 and F1-PKG-017 (2) are the caller's mistakes.
//
// The bytes are specified in docs/FORMATS.md, with a test vector.
package forgepkg
