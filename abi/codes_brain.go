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
	CodeBrainStop    Code = "F1-BRN-030"
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
		CodeBrainStop, "impossible order to stop",
		"A run.stop does not follow: no such run is open, it was told to stop before, or the reason is not a short text.", 1,
	},
}
