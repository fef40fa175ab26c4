package abi

// Codes of the area REV: revocation lists.
const (
	CodeRevRead      Code = "F1-REV-001"
	CodeRevList      Code = "F1-REV-002"
	CodeRevSignature Code = "F1-REV-003"
	CodeRevUnknown   Code = "F1-REV-004"
	CodeRevOld       Code = "F1-REV-005"
	CodeRevInput     Code = "F1-REV-006"
	CodeRevNewer     Code = "F1-REV-007"
)

// revokeCodes are the codes of the area REV.
var revokeCodes = []CodeInfo{
	{CodeRevRead, "a revocation list could not be read", "The file is missing, not a regular file, or the disk failed while it was read. Nothing was imported. Check the path and its permissions, then try again.", 3},
	{CodeRevList, "not a revocation list", "The file is not a revocation list, or it was damaged: it is not the one canonical encoding, its parts are not those that its head names, or something is out of bounds. Nothing of it counts. Fetch it again.", 1},
	{CodeRevSignature, "a revocation list without its issuer's signature", "The list does not carry a right signature by the key that it names as its issuer; of a publisher that is a pair of keys, both must have signed. Fetch it again from the issuer.", 1},
	{CodeRevUnknown, "a revocation list by nobody who counts here", "Lists count when an operator or a publisher of this node's keyring signed them. Add the issuer's key over a channel that you trust with `forgeone key add`, then import the list again.", 1},
	{CodeRevOld, "an older revocation list", "A list with this serial, or a higher one, by the same issuer was imported before. Lists only go forward: what was revoked stays revoked. Fetch the issuer's newest list.", 1},
	{CodeRevInput, "a revocation list cannot be made from this", "A list has 1 to 100,000 entries, each named once, with a reason of at most 128 bytes, a serial from 1 on, and is signed by one key or by a pair.", 2},
	{CodeRevNewer, "a revocation list needs a newer ForgeOne", "The list has a format that this release does not know, and it will not guess what it revokes. Update ForgeOne.", 1},
}
