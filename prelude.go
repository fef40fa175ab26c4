package forgeone

import "github.com/forgeone/forgeone/abi"

// The shared words that programs need most, so that one import is enough. They
// are package abi's own types.
type (
	// Error is an error for people and programs: code, what, where, a hint.
	Error = abi.Error
	// Code is a stable error code: "F1-POL-003".
	Code = abi.Code
	// RunID names a run.
	RunID = abi.RunID
	// Limits bound a run; zero fields mean the configuration's.
	Limits = abi.Limits
	// Outcome is how a run ended.
	Outcome = abi.Outcome
	// Digest is a digest of 32 bytes.
	Digest = abi.Digest
	// Limit is a set of limits that answer a guest rather than end its run.
	Limit = abi.Limit
	// Trust is a trust vector; its minimum is what policy sees.
	Trust = abi.Trust
	// Standing is what a workload's signatures and conduct make of it.
	Standing = abi.Standing
	// Reason says what kind of thing made a decision.
	Reason = abi.Reason
)

// Outcomes of a run. More are in package abi; OutcomeExit is the only one where
// the guest ended by itself.
const (
	OutcomeExit          = abi.OutcomeExit
	OutcomeTrap          = abi.OutcomeTrap
	OutcomeFuel          = abi.OutcomeFuel
	OutcomeDeadline      = abi.OutcomeDeadline
	OutcomeMemory        = abi.OutcomeMemory
	OutcomeOutput        = abi.OutcomeOutput
	OutcomeRecordingFull = abi.OutcomeRecordingFull
	OutcomeStopped       = abi.OutcomeStopped
	OutcomeDenials       = abi.OutcomeDenials
	OutcomeStack         = abi.OutcomeStack
)

// CodeOf returns the code of the first *Error in err's chain, "" if there is none.
func CodeOf(err error) Code { return abi.CodeOf(err) }
