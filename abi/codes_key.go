package abi

// Codes of the area KEY: key files.
const (
	CodeKeyRead        Code = "F1-KEY-001"
	CodeKeyMissing     Code = "F1-KEY-002"
	CodeKeyPermissions Code = "F1-KEY-003"
	CodeKeyFormat      Code = "F1-KEY-004"
	CodeKeyExists      Code = "F1-KEY-005"
	CodeKeyWrite       Code = "F1-KEY-006"
	CodeKeyPrivate     Code = "F1-KEY-007"
	CodeKeyLocked      Code = "F1-KEY-008"
	CodeKeyUnlock      Code = "F1-KEY-009"
	CodeKeySecret      Code = "F1-KEY-010"
	CodeKeyRotating    Code = "F1-KEY-030"
	CodeKeyTerm        Code = "F1-KEY-031"
	CodeKeyUnsettled   Code = "F1-KEY-032"
)

// keyCodes are the codes of the area KEY.
var keyCodes = []CodeInfo{
	{CodeKeyRead, "a key file could not be read", "The file exists but reading it failed. Check its owner and permissions.", 3},
	{CodeKeyMissing, "a key file is missing", "There is no file of that name. `forgeone keygen -o FILE` makes a signing key; `forgeone init` makes the keys of a new state folder. A lost node key can't be made again: the log it signed stays verifiable with the public key, but is at its end.", 3},
	{CodeKeyPermissions, "a private key lies open to others", "The file or folder may be read or changed by group or others. Whoever could read it may have copied the key: consider a new one. Close it with chmod 600 (a folder: chmod 700).", 1},
	{CodeKeyFormat, "not a key file of this kind", "The file's content is not the kind of key that is wanted here, or it is damaged.", 1},
	{CodeKeyExists, "the key file exists already", "A key is never overwritten: what it signed would be orphaned. Choose another name, or move the old key away yourself.", 1},
	{CodeKeyWrite, "a key file could not be written", "The folder is missing or not writable, or the disk is full. No key was made.", 3},
	{CodeKeyPrivate, "a private key was given where a public one belongs", "The file holds the private part. It stays with its owner; give the line that begins with f1pub-ed25519: instead, as `forgeone keygen` printed it.", 1},
	{CodeKeyLocked, "the keys are encrypted", "The private keys of this state folder are encrypted. Name the file with the passphrase (its first line) or the age identity that opens them with --unlock FILE or $FORGEONE_UNLOCK; the secret itself never belongs into a flag or the environment.", 4},
	{CodeKeyUnlock, "the keys do not open", "The passphrase or age identity in the file that --unlock or $FORGEONE_UNLOCK names is not the one that the keys were encrypted with.", 4},
	{CodeKeySecret, "nothing to lock or open keys with", "Keys are protected by a passphrase (the first line of a file that only its owner may touch) or an age recipient, one of the two, and opened by the passphrase or the age identity, in a file. What was given is missing, empty or something else, or the folder of keys is not in the state that the command is for.", 1},
	{CodeKeyRotating, "the log's key is being replaced already", "Another process is replacing the key of the evidence log at this moment. Look at the log before you replace it once more: one new key is enough.", 1},
	{CodeKeyTerm, "the private key of the log's current term is not here", "The evidence log was handed over to a key that is neither in log.key nor in log.next of the folder of keys: another machine continued a copy of this state folder, or files were put back. Bring the key's file back; without it nothing can be appended to this log.", 3},
	{CodeKeyUnsettled, "it is not known whether the log's key was replaced", "The record of the new key may or may not be in the evidence log: writing it failed in the middle. The new private key is kept as log.next. The next command that opens the state folder looks, and finishes or drops the change.", 3},
}
