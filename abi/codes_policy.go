package abi

// Codes of denials, one per reason, and of policies that are not accepted.
const (
	CodeForbidden     Code = "F1-POL-001"
	CodeNoPermit      Code = "F1-POL-002"
	CodeNoGrant       Code = "F1-POL-003"
	CodeReadOnly      Code = "F1-POL-004"
	CodeMissingRight  Code = "F1-POL-005"
	CodeEscape        Code = "F1-POL-006"
	CodeMove          Code = "F1-POL-007"
	CodeDecisionError Code = "F1-POL-008"

	CodePolicySyntax     Code = "F1-POL-020"
	CodePolicyInvalid    Code = "F1-POL-021"
	CodePolicyTooLarge   Code = "F1-POL-022"
	CodePolicyAnnotation Code = "F1-POL-023"
	CodePolicyName       Code = "F1-POL-024"
	CodePolicyDuplicate  Code = "F1-POL-025"
)

// CodeForReason returns the code of a denial for reason r, "" for a reason that
// does not deny.
func CodeForReason(r Reason) Code {
	switch r {
	case ReasonForbid:
		return CodeForbidden
	case ReasonNoPermit:
		return CodeNoPermit
	case ReasonNoGrant:
		return CodeNoGrant
	case ReasonReadOnly:
		return CodeReadOnly
	case ReasonRights:
		return CodeMissingRight
	case ReasonEscape:
		return CodeEscape
	case ReasonMove:
		return CodeMove
	case ReasonError:
		return CodeDecisionError
	case ReasonSystem:
		return CodeSystemFiles
	}
	return ""
}

// policyCodes are the codes of the area POL.
var policyCodes = []CodeInfo{
	{
		CodeForbidden, "forbidden by a rule",
		"A forbid rule of the policy matched the call, and a forbid wins over every permit. The message names the rule with its file and line. If the call is legitimate, add an exception to that rule (the hint shows the clause); otherwise the guest did what the rule is there to stop.", 1,
	},
	{
		CodeNoPermit, "no rule permits it",
		"No permit rule matched the call, and what is not permitted is denied. The hint is a rule that would permit exactly this call; put it into a policy and run with --policy. Where trust has fallen below what the rules ask for, `forgeone explain RUN:SEQ` says so.", 1,
	},
	{
		CodeNoGrant, "nothing was granted under that name",
		"The guest named a file outside of everything that the run was given, so for the guest it does not exist. If it should have it, grant the folder: run with --mount HOST:GUEST, which is read-only unless :rw is added.", 1,
	},
	{
		CodeReadOnly, "the grant is read-only",
		"The guest tried to change something in a mount that was granted for reading. Mounts are read-only unless they end in :rw.", 1,
	},
	{
		CodeMissingRight, "the descriptor lacks a right",
		"Each descriptor carries rights, which only shrink. The guest used one for something it was not opened for, or gave the right away before. Grants and policy do not change this: the guest has to open the object with the rights that it needs.", 1,
	},
	{
		CodeEscape, "the name leaves the root",
		"The guest named something above the root of what it was opened from, by `..`, an absolute name or a symbolic link. Names never lead out of their root. Grant the folder itself with --mount and use its name in the run.", 1,
	},
	{
		CodeMove, "the move would widen access",
		"Renaming or linking would give the guest more than it may do with the object under its present name, or would move a folder past rules that name something beneath it. Copying, which is decided for each file, works where it is permitted.", 1,
	},
	{
		CodeDecisionError, "the policy could not be evaluated",
		"A rule that applies to the call failed while it was evaluated (an integer overflow, say). A rule that fails could have been a forbid, so the call is denied. Mend the rule that the message names.", 1,
	},
	{
		CodePolicySyntax, "policy syntax error",
		"The text is not Cedar. The message says where. `forgeone policy check FILE` checks without running anything.", 1,
	},
	{
		CodePolicyInvalid, "policy does not fit the schema",
		"The policy names an action, type or attribute that does not exist, compares things of different types, or could fail at run time. Actions are the syscalls, which `forgeone syscalls` lists, and `path_open_write` for an open that would change something.", 1,
	},
	{
		CodePolicyTooLarge, "policy too large",
		"A policy file may have at most 1 MiB of text and 10,000 rules, and a rule at most 1,000 operators, nested at most 100 deep. Split the rule, or use sets and `in` in place of long chains.", 1,
	},
	{
		CodePolicyAnnotation, "policy annotation not understood",
		"Rules may carry @id(\"name\"), @severity(\"0\"..\"5\") on a forbid, @advice(\"text\") and @description(\"text\"). What is not understood is refused, because an ignored annotation would be an obligation that nobody keeps.", 1,
	},
	{
		CodePolicyName, "policy names something that can't exist",
		"A rule names a file in a form that never occurs, or a stream, clock or other object that does not exist, so it would never match. File names in policies are absolute and canonical: File::\"/in/data\", without a slash at the end.", 1,
	},
	{
		CodePolicyDuplicate, "two rules with one id",
		"Two rules that are in force together carry the same @id. Records and explanations name rules by id, so each must be the only one. Ids that begin with \"base.\" belong to the base policy.", 1,
	},
}
