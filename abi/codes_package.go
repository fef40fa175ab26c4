package abi

// Codes of the area PKG: packages.
const (
	CodePkgRead       Code = "F1-PKG-001"
	CodePkgHeader     Code = "F1-PKG-002"
	CodePkgSize       Code = "F1-PKG-003"
	CodePkgManifest   Code = "F1-PKG-004"
	CodePkgSignatures Code = "F1-PKG-005"
	CodePkgBadSig     Code = "F1-PKG-006"
	CodePkgUntrusted  Code = "F1-PKG-007"
	CodePkgBlob       Code = "F1-PKG-008"
	CodePkgExpired    Code = "F1-PKG-009"
	CodePkgRevoked    Code = "F1-PKG-010"
	CodePkgDowngrade  Code = "F1-PKG-011"
	CodePkgAssets     Code = "F1-PKG-012"
	CodePkgImports    Code = "F1-PKG-013"
	CodePkgLimit      Code = "F1-PKG-014"
	CodePkgIncomplete Code = "F1-PKG-015"
	CodePkgOptions    Code = "F1-PKG-016"
	CodePkgInput      Code = "F1-PKG-017"
	CodePkgNewer      Code = "F1-PKG-018"
	CodePkgStatement  Code = "F1-PKG-019"
	CodePkgPredicate  Code = "F1-PKG-020"
)

// packageCodes are the codes of the area PKG.
var packageCodes = []CodeInfo{
	{CodePkgRead, "a package could not be read", "The file is missing, not a regular file, or the disk failed while it was read. Nothing is known about the package itself. Check the path and its permissions, then try again.", 3},
	{CodePkgHeader, "not a package", "The file does not begin as a .forgepkg does: magic number, lengths within bounds, reserved bytes zero. It is another kind of file or was damaged; fetch it again, or make it with `forgeone pack`.", 1},
	{CodePkgSize, "a package is too short or too long", "The sections announced by header and manifest do not end exactly where the file ends: bytes are missing or were added. Fetch the package again.", 1},
	{CodePkgManifest, "a package's manifest is not valid", "The manifest is not canonical CBOR, has unknown or missing fields, or a field's value is out of bounds. A package made by `forgeone pack` never has such a manifest; fetch it again or ask its publisher.", 1},
	{CodePkgSignatures, "a package's signatures are malformed", "The signatures must be canonical CBOR, sorted, unique, of a known algorithm, and only by the keys that the manifest names. Something was added, doubled or reordered. Fetch the package again.", 1},
	{CodePkgBadSig, "a signature does not match", "A signature by a key of the local keyring does not match the manifest: one of the two was changed after signing. Do not use the package; fetch it again from its publisher.", 1},
	{CodePkgUntrusted, "too few signatures by trusted publishers", "Fewer distinct keys of the local keyring with the role publisher have signed the package than the quorum asks for. Keys inside a package are never trusted. If you trust the publisher, get the public key over a channel you trust and add it with `forgeone key add FILE --role publisher`.", 1},
	{CodePkgBlob, "a package's content does not match its manifest", "The module or the assets are not those that were signed: the digest differs. The file was damaged or changed, perhaps between verification and use. Fetch the package again.", 1},
	{CodePkgExpired, "a package has expired", "The publisher limited the package's life and that time is over by this machine's clock. Ask the publisher for a newer one, and check the clock.", 1},
	{CodePkgRevoked, "a package is revoked", "The package or its module is revoked on this node and will not be installed or run.", 1},
	{CodePkgDowngrade, "a package is older than one seen before", "Its serial number is below the highest that this node has accepted under the name, or equal to it with other content. Ask the publisher for a package with a higher serial. Going back is an operator's act: `forgeone downgrade NAME --to SERIAL`.", 1},
	{CodePkgAssets, "a package's assets are malformed", "The archive of assets is not well-formed: names must be clean relative paths in ascending order, unique, and lengths must add up. A package made by `forgeone pack` never has such assets.", 1},
	{CodePkgImports, "manifest and module disagree about imports", "The functions that the manifest asks for are not exactly those that the module imports, so what an operator read in `forgeone inspect` would not be what runs. Ask the publisher to pack the module again.", 1},
	{CodePkgLimit, "a package exceeds a limit", "The module, the assets or their number are larger than a package may hold (module 64 MiB; assets 100,000 files and 1 GiB). Split it, or mount large data with `forgeone run --mount`.", 1},
	{CodePkgIncomplete, "a signature that the manifest names is missing", "The manifest names the keys that sign the package, and not all of them have. A signature was stripped, or a co-signer has yet to sign. Ask the publisher for the complete package.", 1},
	{CodePkgOptions, "verification was asked for with settings that make no sense", "The quorum must be at least one, the time of verification must be given, and each key of the keyring must be a well-formed Ed25519 key under its own id. Correct the caller's settings or the configuration.", 2},
	{CodePkgInput, "a package cannot be made from this", "A name, version, path or key given for packing is not one that a package may hold; the message names it. Names match [a-z0-9][a-z0-9._-]{0,63}, versions are MAJOR.MINOR.PATCH as semver says, assets are regular files.", 2},
	{CodePkgNewer, "a package needs a newer ForgeOne", "The manifest has a newer format, a kind of content that this release does not apply (and will not ignore), or asks for a newer runtime. Update ForgeOne.", 1},
	{CodePkgStatement, "a package's statement is not what it should be", "The bill of materials or the provenance in the package is malformed, is about another module, or is signed by a key that did not sign the package, or wrongly. Someone put it there who did not make the package, or it was changed. Ask the publisher.", 1},
	{CodePkgPredicate, "this can't be attached to a package", "--sbom takes a bill of materials in JSON, SPDX or CycloneDX; --provenance takes the predicate of an SLSA provenance v1, with buildDefinition and runDetails. The statement around it is made and signed by `forgeone pack`.", 2},
}
