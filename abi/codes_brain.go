package abi

// Codes of records that do not follow from the ones before.
const (
	CodeBrainOrder   Code = "F1-BRN-001"
	CodeBrainKey     Code = "F1-BRN-002"
	CodeBrainConfig  Code = "F1-BRN-003"
	CodeBrainPolicy  Code = "F1-BRN-004"
	CodeBrainPackage Code = "F1-BRN-005"
	CodeBrainStart   Code = "F1-BRN-006"
	CodeBrainEnd     Code = "F1-BRN-007"
	CodeBrainDenial  Code = "F1-BRN-008"
	CodeBrainTrust   Code = "F1-BRN-009"

	CodeBrainRing      Code = "F1-BRN-010"
	CodeBrainSigs      Code = "F1-BRN-011"
	CodeBrainThreshold Code = "F1-BRN-012"
	CodeBrainRevoked   Code = "F1-BRN-013"
	CodeBrainWitness   Code = "F1-BRN-014"
	CodeBrainStop      Code = "F1-BRN-030"

	CodeBrainWithdrawn Code = "F1-BRN-019"
	CodeBrainList      Code = "F1-BRN-020"
	CodeBrainSnapshot  Code = "F1-BRN-016"
	CodeBrainPages     Code = "F1-BRN-017"
)

// brainCodes are the codes of the area BRN.
var brainCodes = []CodeInfo{
	{
		CodeBrainOrder, "record out of order",
		"A log begins with one log.genesis, its records follow each other without a gap, and each is of a kind that this version knows. The log was put together by something else than ForgeOne, or by a newer version.", 1,
	},
	{
		CodeBrainKey, "impossible change of the keyring",
		"A key record does not follow: the id is not the key's, the name or the key is in the keyring already, or the key that is removed is not in it.", 1,
	},
	{
		CodeBrainConfig, "configuration version does not rise",
		"Each configuration that comes into force has a higher version than the one before. An older one was put back, or a record was invented.", 1,
	},
	{
		CodeBrainPolicy, "policy epoch does not rise",
		"Each policy that comes into force has a higher epoch than the one before. An older one was put back, or a record was invented.", 1,
	},
	{
		CodeBrainPackage, "impossible change of the packages",
		"A package record does not follow: it goes back below a serial that was installed before, its signers are not publishers in the keyring or not those of the package it replaces, its trust or standing is not what they give, or what is uninstalled is not installed.", 1,
	},
	{
		CodeBrainStart, "impossible start of a run",
		"A run.start does not follow: the id was used before, the workload is not installed as the record says or is quarantined, or its trust, standing or policy epoch are not the ones in force.", 1,
	},
	{
		CodeBrainEnd, "impossible end of a run",
		"A run.end does not follow: no such run is open, or its counts contradict each other or the denials that were recorded while it ran.", 1,
	},
	{
		CodeBrainDenial, "impossible denial",
		"A run.denial does not follow: no such run is open, the same rule and syscall were recorded for it before, or its reason does not deny.", 1,
	},
	{
		CodeBrainTrust, "trust does not follow",
		"A trust.change is not what the record that it names as its cause leads to, or is missing where one had to follow. Trust was edited.", 1,
	},
	{
		CodeBrainSnapshot, "a snapshot of the state that can't be restored",
		"The file state was made by another version of ForgeOne, or does not have the form that this one gives it. It holds nothing that is not in the evidence log: it is left aside, and the state is folded from the log again.", 3,
	},
	{
		CodeBrainPages, "runs of the snapshot can't be read back",
		"The file state was changed or cut off while it was in use, and the evidence log, from which its pages could be made again, can't be read either. Answers about earlier runs may be incomplete, and no run starts. Run forgeone log verify.", 3,
	},
	{
		CodeBrainStop, "impossible order to stop",
		"A run.stop does not follow: no such run is open, it was told to stop before, or the reason is not a short text.", 1,
	},
	{
		CodeBrainRing, "an act for another keyring",
		"An operator's act is signed for one version of the keyring and counts once. This one was made for another version: an older act was put in again, or the keyring has changed since it was signed.", 1,
	},
	{
		CodeBrainSigs, "an act without its signatures",
		"An act changes the keyring, the witnesses or a package's floor, and needs signatures by as many operators of the keyring, as it was before, as the threshold says. They are missing, wrong, doubled, or by keys that are no operator's. Who holds the log's key alone can't make one.", 1,
	},
	{
		CodeBrainThreshold, "a threshold that cannot be met",
		"At least one operator must sign an act, and there must be as many operators as the threshold asks for: else nothing in the keyring could ever be changed again. Add an operator first, or lower the threshold.", 1,
	},
	{
		CodeBrainRevoked, "a revoked key",
		"A key that was revoked never counts again: it can't be added, and what it signed is not installed and does not start. `forgeone key list` shows when and why it was revoked. The publisher makes a new key and signs anew.", 1,
	},
	{
		CodeBrainWitness, "impossible set of witnesses",
		"A log.witnesses record does not follow: its quorum is above the number of witnesses, they are not in order of their names, or one is not written as a verifier key and an address.", 1,
	},
	{
		CodeBrainWithdrawn, "something that is revoked",
		"A package is installed, or a run starts, although a revocation list that was recorded before revokes the package, its module or a key that signed it. `forgeone revoke list` shows by whom and why.", 1,
	},
	{
		CodeBrainList, "impossible revocation list",
		"A part of a revocation list does not follow: its issuer has not signed it or is nobody whose word counts, its serial does not rise, or the part is not the one that comes next as the list's head names it.", 1,
	},
}
