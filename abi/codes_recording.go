package abi

// recordingCodes are the codes of the area RPL.
var recordingCodes = []CodeInfo{
	{
		Code: "F1-RPL-001", Title: "Replay diverged from the recording", Exit: 1,
		Text: "The guest, run again, made another call than the recorded one, gave other arguments, or ended in another state. " +
			"The report names the call and the likely cause: another module, another engine or architecture, other limits, or a recording that was changed. " +
			"Nothing was performed: a replay has no access to anything.",
	},
	{
		Code: "F1-RPL-002", Title: "The recording is damaged", Exit: 1,
		Text: "Part of the file is not what was written; the message names the part and its offset in bytes. " +
			"Every part is authenticated and the whole is sealed, so this is a failing disk or tampering, never a matter of reading. " +
			"The log still holds what it committed to: `forgeone log verify`. Restore the file from a copy; what can't be authenticated is not replayed.",
	},
	{
		Code: "F1-RPL-003", Title: "The recording has no end", Exit: 1,
		Text: "The run goes on, its process died, or the file was cut. `forgeone trace` shows the calls up to the last whole chunk and says where it breaks off. " +
			"It is not replayed, since nothing vouches for where it ends.",
	},
	{
		Code: "F1-RPL-004", Title: "The recording was made under another key", Exit: 1,
		Text: "A recording is encrypted under the recording key of the node that made it. This one is from another node, or this node's key was replaced. " +
			"Open it with the state folder that it was made in (FORGEONE_HOME).",
	},
	{
		Code: "F1-RPL-005", Title: "The recording is empty", Exit: 1,
		Text: "The file has no bytes. It was truncated, or the machine lost power before the run could end. Nothing of the run can be shown or replayed; the log says what it committed to.",
	},
	{
		Code: "F1-RPL-006", Title: "Not a recording, or one of another format", Exit: 1,
		Text: "The file does not begin as recordings of this version do. It is another kind of file, its first bytes were changed, or a newer forgeone made it: compare `forgeone version` on both sides.",
	},
	{
		Code: "F1-RPL-007", Title: "The recording was made with another table of syscalls", Exit: 3,
		Text: "A recording names syscalls by number, and its table is not the beginning of this program's. Read it with the version of forgeone that made it.",
	},
	{
		Code: "F1-RPL-008", Title: "The recording can't be written", Exit: 3,
		Text: "What can't be recorded does not happen: the run did not start, or it ended before the call that there was no way to record. " +
			"The cause stands behind the message: a full or failing disk, permissions of the state folder.",
	},
	{
		Code: "F1-RPL-009", Title: "The run can't be recorded within its limits", Exit: 2,
		Text: "The limit for recordings is below the smallest useful one (256 KiB beside the header), or the run's arguments and environment are too large for a header (4 MiB). " +
			"Raise the limit in the configuration, or pass less.",
	},
	{
		Code: "F1-RPL-010", Title: "The recording can't be read", Exit: 3,
		Text: "The operating system did not give the file's bytes: permissions, a failing disk, or a file that is no file. Nothing is known about its contents.",
	},
	{
		Code: "F1-RPL-011", Title: "There is no recording", Exit: 1,
		Text: "The run's file is not in the folder `recordings` of the state folder. If the log has a run.end for it, the file was removed or not copied along.",
	},
	{
		Code: "F1-RPL-012", Title: "There is a recording under this name already", Exit: 3,
		Text: "A recording is never written over. Run ids are random, so this is not chance: something put a file in the folder `recordings`.",
	},
	{
		Code: "F1-RPL-013", Title: "Not the recording that the evidence log sealed", Exit: 1,
		Text: "The file is whole and under this node's key, but its seal is not the one in the run's run.end: it is another run's file, or it was written anew. " +
			"Put the right file back; the log is the authority.",
	},
}
