package abi

// Codes of records about keeping recordings that do not follow from the ones before.
const (
	CodeBrainHold   Code = "F1-BRN-040"
	CodeBrainUnhold Code = "F1-BRN-041"
	CodeBrainDrop   Code = "F1-BRN-042"
)

// retainCodes are the codes of the area RET, and those of BRN that go with them.
var retainCodes = []CodeInfo{
	{
		Code: CodeBrainHold, Title: "impossible hold", Exit: 1,
		Text: "A run.hold does not follow: no such run is known, it is held already, its recording was dropped before, or the reason is not a short text.",
	},
	{
		Code: CodeBrainUnhold, Title: "impossible end of a hold", Exit: 1,
		Text: "A run.unhold does not follow: no such run is held.",
	},
	{
		Code: CodeBrainDrop, Title: "impossible drop of a recording", Exit: 1,
		Text: "A recording.drop does not follow: the run goes on, is held, or was dropped before; size or seal are not those of its run.end; the budget that it names was not used up; the run is the last one that ended; " +
			"or, for the budget of all workloads together, its workload kept less than a fair share. Somebody removed evidence that the budgets don't ask to remove.",
	},
	{
		Code: "F1-RET-001", Title: "the recording was dropped", Exit: 1,
		Text: "The recordings of this state folder, or of the run's workload, took more room than the configuration's `retention` gives them, and the oldest were dropped, whole. What the log says of the run stays: " +
			"its start, its end with the seal of the recording, and its denials; `forgeone log list` shows them. A run whose recording must stay is held: forgeone hold RUN.",
	},
	{
		Code: "F1-RET-002", Title: "the run is held already", Exit: 1,
		Text: "One hold is on the run already, and there is one at a time. `forgeone explain RUN` says since when and why; forgeone unhold RUN ends it.",
	},
	{
		Code: "F1-RET-003", Title: "the run is not held", Exit: 1,
		Text: "The run's recording is under no hold that could be ended. `forgeone runs` marks those that are held.",
	},
	{
		Code: "F1-RET-004", Title: "the reason is too long", Exit: 2,
		Text: "The words that say why a run is held stand in the log for good and are at most 256 bytes of UTF-8.",
	},
	{
		Code: "F1-RET-005", Title: "a recording that was to be dropped can't be removed", Exit: 3,
		Text: "The log says that the recording is dropped, and the file could not be removed: permissions of the state folder, or a failing disk. Whoever opens the state folder next tries again, and so do `forgeone prune` and `forgeone doctor`.",
	},
	{
		Code: "F1-RET-006", Title: "modules stay for now", Exit: 3,
		Text: "While a run starts, its module is in no recording yet, so nothing can be said to be needed by none. Runs were starting all the time that `forgeone prune` waited; recordings were dropped all the same. Try again later.",
	},
	{
		Code: "F1-RET-007", Title: "what no recording needs can't be removed", Exit: 3,
		Text: "A rewritten module that neither a recording nor an installed package needs could not be removed: permissions of the state folder, or a failing disk. Recordings were dropped all the same.",
	},
}
